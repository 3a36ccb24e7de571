"""Adapt a rig to the image sizes its videos really have, on purpose and with a word about it.

Which of the possible stories is true (cropped, rescaled, fitted between black bars) cannot be read off two sizes, and
a reprojection error against poor poses does not tell either. Measured on the single-person sample of Pose2Sim, whose
cam01 and cam02 are 1080 x 1920 while the calibration says 1088 x 1920 (OpenPose detections, 25 joints x 100 frames,
median px over all four cameras with the poses as shipped, then with the poses refined to the person):

    cropped right 8 px                     13.17    7.729
    cropped 4 px on each side              13.72    7.733
    rescaled in x                          13.62    7.754
    fitted, black bars above and below     13.57    7.749

Nothing to choose from once the poses are refined. The pictures decide: still features matched between the calibration
photograph and the video (649 and 1309 of them) give x' = 0.9926 to 0.9928 x + 0.0 and y' = 0.9926 to 0.9927 y + 7.1,
and the videos have 7 black rows above and below. 1080 / 1088 = 0.99265 and (1920 - 0.99265 * 1920) / 2 = 7.06, so the
truth THERE is the last line: the picture was shrunk to the new width and centred between bars. Pass the names of such
cameras as `letterboxed`; `has_black_bars` looks for them.
"""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from triskel.camera import Camera, Rig
from triskel.errors import ConfigError

MACROBLOCK = 16
"""Video coders work in blocks of 16 px and pad the frame at the right and bottom; players cut the padding off."""

BLACK_LEVEL = 20
"""Mean grey level (of 255) up to which a row counts as black; compressed black bars measure 0 to 4, pictures 60 up."""


def match_image_sizes(
    rig: Rig, sizes: dict[str, tuple[int, int]], *, letterboxed: Collection[str] = ()
) -> tuple[Rig, list[str]]:
    """Return the rig for images of the given sizes, and one warning for each camera that had to change.

    In this order: the same size changes nothing; a camera in `letterboxed` is shrunk or enlarged to fit, and centred
    between bars; an equal aspect ratio (to rounding) is resized; up to 15 px less than a calibrated size that is a
    multiple of 16 is taken for coding padding cut off at the right and bottom. It does not look at pictures.

    Args:
        rig: the calibrated rig.
        sizes: (width, height) px of the real images, by camera name; cameras not named stay as they are.
        letterboxed: names of cameras whose pictures stand between black bars.

    Returns:
        The rig, and the warnings.

    Raises:
        ConfigError: a name that the rig does not have, or sizes that no rule explains.
    """
    for name in [*sizes, *letterboxed]:
        rig[name]  # raises for an unknown name
    cameras, warnings = [], []
    for camera in rig:
        size_wh = sizes.get(camera.name, camera.size_wh)
        if tuple(size_wh) == camera.size_wh:
            cameras.append(camera)
            continue
        changed, how = _matched(camera, size_wh, letterboxed=camera.name in letterboxed)
        cameras.append(changed)
        warnings.append(
            f"camera {camera.name!r}: calibrated at {_px(camera.size_wh)}, images are {_px(size_wh)}: {how}"
        )
    return Rig(tuple(cameras)), warnings


def has_black_bars(image_rgb: NDArray[np.uint8]) -> bool:
    """Say whether a picture (H, W, 3) has black bars on two opposite sides, as players and editors add them.

    A scene that is black at both edges looks the same: try a frame that is not.
    """
    grey = np.asarray(image_rgb, dtype=np.float64).mean(axis=2)
    if grey.mean() <= BLACK_LEVEL:
        return False
    rows, columns = grey.mean(axis=1), grey.mean(axis=0)
    return any(max(edge[:3].max(), edge[-3:].max()) <= BLACK_LEVEL for edge in (rows, columns) if len(edge) >= 6)


def _matched(camera: Camera, size_wh: tuple[int, int], *, letterboxed: bool) -> tuple[Camera, str]:
    """Return the camera for the new size, and how it was made."""
    (w, h), (new_w, new_h) = camera.size_wh, size_wh
    if letterboxed:
        return _fitted(camera, size_wh)
    scale = new_w / w
    # A side was rounded to whole pixels, or to even ones as video coders want them.
    if abs(h * scale - new_h) <= max(1.0, scale):
        return camera.resized(size_wh), "rescaled, since the aspect ratio is the same"
    cut = [
        0 <= old - new < MACROBLOCK and (old == new or old % MACROBLOCK == 0) for old, new in ((w, new_w), (h, new_h))
    ]
    if all(cut):
        how = (
            "taken for coding padding cut off at the right and bottom; check this, and name the camera as letterboxed"
            " if its picture stands between black bars"
        )
        return camera.cropped(left=0, top=0, size_wh=size_wh), how
    raise ConfigError(
        f"camera {camera.name!r}: calibrated at {_px(camera.size_wh)}, but its images are {_px(size_wh)}, which is "
        "neither a rescaled nor a cropped frame; record at the calibrated size, calibrate again, or name it as "
        "letterboxed if its picture stands between black bars"
    )


def _fitted(camera: Camera, size_wh: tuple[int, int]) -> tuple[Camera, str]:
    """Return the camera of the picture scaled evenly to fit into `size_wh` and centred there."""
    (w, h), (new_w, new_h) = camera.size_wh, size_wh
    scale = min(new_w / w, new_h / h)
    bar_x, bar_y = (new_w - w * scale) / 2, (new_h - h * scale) / 2
    K = camera.K.copy()
    K[:2] *= scale
    K[0, 2] += 0.5 * scale - 0.5 + bar_x
    K[1, 2] += 0.5 * scale - 0.5 + bar_y
    how = f"scaled by {scale:.5f} and centred between bars of {bar_x:.1f} px (sides) and {bar_y:.1f} px (top, bottom)"
    return camera.replace(size_wh=size_wh, K=K), how


def _px(size_wh: tuple[int, int]) -> str:
    return f"{size_wh[0]} x {size_wh[1]} px"
