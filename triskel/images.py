"""Image files, read and written whole or not at all."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from triskel.errors import InputError, JobError
from triskel.files import atomic_path


def read_image_bgr(path: Path, *, upright: bool = True, quick: bool = False) -> NDArray[np.uint8]:
    """Read an image file as (H, W, 3) BGR.

    Args:
        path: of the file.
        upright: turn the picture as its orientation tag says; labels are of the pixels as they are stored.
        quick: return a small grey one (h, w), only to see that it can be read.

    Raises:
        InputError: it cannot be read, or not to its end.
    """
    import cv2

    how = cv2.IMREAD_REDUCED_GRAYSCALE_8 if quick else cv2.IMREAD_COLOR
    try:
        data = np.fromfile(path, np.uint8)
        # From memory OpenCV refuses a file that was cut off; from disk it would hand out half a picture.
        image = cv2.imdecode(data, how if upright else how | cv2.IMREAD_IGNORE_ORIENTATION) if len(data) else None
    except (OSError, cv2.error) as error:
        if quick and isinstance(error, cv2.error):  # an eighth of a few pixels is none
            return read_image_bgr(path, upright=upright)[..., 0]
        raise InputError(f"{path}: cannot be read as an image: {str(error).splitlines()[0]}") from error
    if image is None:
        raise InputError(f"{path}: cannot be read as an image; it is damaged, cut off or of another format")
    return np.asarray(image, dtype=np.uint8)


def write_image_bgr(path: Path, image_bgr: NDArray[np.uint8]) -> None:
    """Write a picture (H, W, 3) BGR in the format that its suffix says, atomically.

    Raises:
        JobError: it cannot be written.
    """
    import cv2

    # Encoded in memory: OpenCV's own writing does not say why it failed, and crashes on a name that is no UTF-8.
    encoded, data = cv2.imencode(path.suffix, image_bgr)
    if not encoded:
        raise JobError(f"{path}: the picture cannot be encoded as {path.suffix}")
    with atomic_path(path) as temporary:
        temporary.write_bytes(data.tobytes())
