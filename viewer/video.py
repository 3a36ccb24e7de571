"""Pictures to an H.264 file that every browser plays."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from triskel.errors import InputError, JobError
from triskel.files import atomic_path


def write_video(path: str | Path, frames: Iterable[NDArray[np.uint8]], *, fps: float, crf: int = 20) -> int:
    """Encode RGB pictures of one size as H.264, yuv420p; an odd last row or column is dropped.

    Args:
        path: the file, `.mp4` or `.mkv`; it appears only when complete.
        frames: (H, W, 3) uint8 RGB each, consumed one at a time.
        fps: pictures a second.
        crf: quality of x264, lower is better; 20 looks lossless on drawings.

    Returns:
        The number of frames written.

    Raises:
        InputError: no frames, frames of different sizes or of a single pixel's width, or a rate that is not positive.
        JobError: the encoder failed, e.g. no space left.
    """
    import av

    if not fps > 0 or not np.isfinite(fps):
        raise InputError(f"{path}: a video needs a positive frame rate, got {fps}; give --fps")
    count, size_hw = 0, (0, 0)
    try:
        with atomic_path(path) as temporary, av.open(str(temporary), "w", options={"movflags": "+faststart"}) as file:
            stream = file.add_stream("libx264", rate=Fraction(fps).limit_denominator(100000))
            stream.pix_fmt = "yuv420p"
            stream.options = {"crf": str(crf), "preset": "veryfast"}
            for image_rgb in frames:
                if count == 0:
                    size_hw = image_rgb.shape[:2]
                    if min(size_hw) < 2:
                        raise InputError(f"{path}: a video is of 2 x 2 px or more, got {size_hw[1]} x {size_hw[0]}")
                    stream.height, stream.width = size_hw[0] // 2 * 2, size_hw[1] // 2 * 2
                if image_rgb.shape[:2] != size_hw:
                    raise InputError(f"{path}: frame {count} is {image_rgb.shape[:2]}, the first was {size_hw}")
                even = np.ascontiguousarray(image_rgb[: stream.height, : stream.width])
                file.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
                count += 1
            if count == 0:
                raise InputError(f"{path}: a video needs at least one frame, got none")
            file.mux(stream.encode(None))
    except av.error.FFmpegError as error:
        raise JobError(f"{path}: the video could not be written ({error}); check the disk and the format") from error
    return count
