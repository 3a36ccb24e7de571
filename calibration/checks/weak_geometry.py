"""Cameras that look at the volume from nearly one line: they fit any board, and measure no depth."""

from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from triskel.calibration.checks.geometry import Finding
from triskel.camera import Rig
from triskel.projection import project_rig

NARROW_DEG = 15.0
"""Two lines of sight that cross at less than this tell depth five times worse than what lies across them."""
DETECTOR_PX = 5.0
"""Noise of a detector of body joints, for telling what a narrow angle costs."""


def check_baselines(rig: Rig, middle: ArrayLike) -> list[Finding]:
    """Return a warning where no two cameras see the volume from directions that differ enough.

    Args:
        rig: the cameras.
        middle: (3,) the volume's middle, or (n, 3) places in it; narrow is what is so at all that two cameras see.
    """
    places = np.asarray(middle, dtype=np.float64).reshape(-1, 3)
    places = places[np.isfinite(places).all(axis=1)]
    pairs = list(combinations(range(len(rig)), 2))
    if not len(places) or not pairs:
        return []
    crossing = _crossing_deg(rig, places)
    if np.isnan(crossing).all():
        return []
    best = np.where(np.isfinite(crossing), crossing, -1.0)
    pair, place = np.unravel_index(int(np.argmax(best)), best.shape)
    widest = float(best[pair, place])
    if widest >= NARROW_DEG:
        return []
    first, second = (rig.cameras[k] for k in pairs[int(pair)])
    depth_mm = _depth_sigma_mm(rig, places[place], pairs[int(pair)], widest)
    facing = float((first.centre - places[place]) @ (second.centre - places[place])) < 0
    how = (
        f"face each other across the volume to {widest:.0f} degrees"
        if facing
        else f"see the volume from directions only {widest:.0f} degrees apart"
    )
    others = ", and no two cameras differ more" if len(rig) > 2 else ""
    worth = f"{depth_mm:.0f} mm in depth" if depth_mm < 10_000 else "any depth at all"
    message = (
        f"{how}{others}: {DETECTOR_PX:.0f} px of a detector are worth {worth} there; move one so that they see it 30 "
        "to 120 degrees apart, or add a camera"
    )
    return [Finding("warning", f"{first.name}, {second.name}", message, "narrow-baseline")]


def _crossing_deg(rig: Rig, places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the angle between both lines of sight (pairs, n), 0 to 90 degrees; NaN where one of them sees nothing."""
    xy = project_rig(rig, places)
    sizes = np.array([camera.size_wh for camera in rig])[:, None]
    with np.errstate(invalid="ignore"):
        seen = np.asarray(((xy >= -0.5) & (xy <= sizes - 0.5)).all(axis=-1))
    sight = places - np.array([camera.centre for camera in rig])[:, None]
    sight /= np.maximum(np.linalg.norm(sight, axis=-1, keepdims=True), 1e-12)
    rows = []
    for a, b in combinations(range(len(rig)), 2):
        # By the sine, as the cosine of nearly one line is 1 whatever the angle; facing each other is one line, too.
        across = np.linalg.norm(np.cross(sight[a], sight[b]), axis=-1)
        angle = np.degrees(np.arcsin(np.clip(across, 0.0, 1.0)))
        rows.append(np.where(seen[a] & seen[b], angle, np.nan))
    return np.array(rows)


def _depth_sigma_mm(rig: Rig, place: NDArray[np.float64], pair: tuple[int, int], angle_deg: float) -> float:
    """Return the standard error along the lines of sight of a point that both cameras see, mm.

    Two lines with errors s across them tell of the direction between them with a variance of s^2 / (1 - cos angle).
    """
    across = [
        DETECTOR_PX * float(np.linalg.norm(place - rig.cameras[k].centre)) / float(rig.cameras[k].K[0, 0]) for k in pair
    ]
    return 1000 * float(np.mean(across)) / max(float(np.sqrt(1 - np.cos(np.radians(angle_deg)))), 1e-9)
