"""Say whether the views can carry a calibration, and if not, why and what to do."""

from typing import NamedTuple

import numpy as np

from triskel.calibration.intrinsics.certainty import LensCertainty
from triskel.calibration.intrinsics.coverage import Coverage
from triskel.camera import Camera

MIN_VIEWS = 3
"""Fewer leave fx fy cx cy open even without noise, or just determine them, with nothing left over to check."""
WARN_POSES = 6
MAX_FOCAL_SIGMA = 0.05
WARN_FOCAL_SIGMA = 0.01
"""Standard error of the focal length over itself. At 5 % a point 4 m away is misplaced by 20 cm."""
MAX_CORNER_DIAGONALS, WARN_CORNER_DIAGONALS = 0.025, 0.003
"""Standard error of the lens in an image corner, in image diagonals: 37 and 4 px at 1280 x 720. A recording of a rig
alone, without close shots, has up to 0.02 and is of use in the middle, where the boards were."""
FEW_TILT_DEG = 15.0
"""A board tilted by less shows no perspective that would tell the focal length from the distance."""
MIN_SHARE, SMALL_SHARE = 0.08, 0.15
"""A board seen in less of the image than this tells nothing about the lens, or little."""

_CORNERS = ("top left", "top right", "bottom left", "bottom right")


class Doubt(NamedTuple):
    """One reason not to trust a calibration.

    Attributes:
        refuses: whether it makes the calibration useless, rather than weaker.
        message: what is wrong and what to do.
    """

    refuses: bool
    message: str


def doubts_about(camera: Camera, certainty: LensCertainty, coverage: Coverage) -> tuple[Doubt, ...]:
    """Return what speaks against a calibration, the worst first; empty if nothing does."""
    doubts = [*_poses(coverage), *_focal(camera, certainty, coverage), *_corners(camera, certainty, coverage)]
    return tuple(sorted(doubts, key=lambda doubt: not doubt.refuses))


def _poses(coverage: Coverage) -> list[Doubt]:
    """Return the doubt that all views show the same, or the same part of the image."""
    doubts = []
    if coverage.n_poses < WARN_POSES:
        views = len(coverage.tilt_deg)
        poses = "the same pose" if coverage.n_poses == 1 else f"only {coverage.n_poses} poses"
        message = f"the {views} views show the board in {poses}; move and tilt it, and take {WARN_POSES} or more"
        doubts.append(Doubt(coverage.n_poses < MIN_VIEWS, message))
    if coverage.image_share < MIN_SHARE:
        message = f"the board was seen in {coverage.image_share:.0%} of the image only; bring it closer and everywhere"
        doubts.append(Doubt(True, message))
    return doubts


def _focal(camera: Camera, certainty: LensCertainty, coverage: Coverage) -> list[Doubt]:
    """Return the doubt that the focal length is not determined."""
    focal = (camera.K[0, 0] + camera.K[1, 1]) / 2
    share = float(certainty.sigma[:2].max()) / focal
    if share <= WARN_FOCAL_SIGMA:
        return []
    tilt = float(np.max(coverage.tilt_deg))
    if tilt < FEW_TILT_DEG:
        cause = f"all boards face the camera (tilted by {tilt:.0f} degrees at most); tilt it by 30 to 45 degrees"
    elif coverage.image_share < SMALL_SHARE:
        cause = f"the board was seen in {coverage.image_share:.0%} of the image only; bring it closer and everywhere"
    else:
        cause = "show the board in more views, larger, and tilted by 30 to 45 degrees in all directions"
    return [Doubt(share > MAX_FOCAL_SIGMA, f"the focal length is uncertain by {share:.1%}: {cause}")]


def _corners(camera: Camera, certainty: LensCertainty, coverage: Coverage) -> list[Doubt]:
    """Return the doubt that the lens model only guesses in parts of the image that no board reached."""
    diagonal = float(np.hypot(*camera.size_wh))
    sigma = np.nan_to_num(certainty.corner_px, nan=0.0)
    worst = int(np.argmax(sigma))
    if sigma[worst] <= WARN_CORNER_DIAGONALS * diagonal:
        return []
    refuses = bool(sigma[worst] > MAX_CORNER_DIAGONALS * diagonal)
    unsure = [name for name, one in zip(_CORNERS, sigma, strict=True) if one > WARN_CORNER_DIAGONALS * diagonal]
    if coverage.image_share < SMALL_SHARE:
        cause = f"the board was seen in {coverage.image_share:.0%} of the image only; bring it closer and everywhere"
    else:
        missing = [name for name in _CORNERS if name in coverage.unseen]
        nowhere = "any of them" if len(missing) == len(_CORNERS) else f"the {_listed(missing)}" if missing else ""
        where = f"no board came near {nowhere}; " if nowhere else ""
        cause = f"{where}show it there, filling the image into its corners"
    place = "corners" if len(unsure) == len(_CORNERS) else f"{_listed(unsure)} corner{'s' * (len(unsure) > 1)}"
    return [Doubt(refuses, f"the lens is uncertain by {sigma[worst]:.1f} px in the image's {place}: {cause}")]


def _listed(names: list[str]) -> str:
    """Return names as in a sentence: `a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
