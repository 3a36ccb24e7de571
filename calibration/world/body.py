"""How tall people are and when they stand, in the units of any world, from where their joints are."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.skeleton import Skeleton

SEGMENTS = {"shank": 0.246, "thigh": 0.245, "trunk": 0.288}
"""Knee to ankle, hip to knee, shoulders to hips as shares of the stature (Drillis and Contini 1966)."""
HEAD = (("HeadTop",), 1.0), (("LEye", "REye"), 0.936), (("LEar", "REar"), 0.93), (("Nose",), 0.925)
"""Heights of the head's points above the floor as shares of the stature, the most telling first."""
FEET = {"Heel": 0.024, "BigToe": 0.012, "SmallToe": 0.012, "Ankle": 0.053}
"""Heights of a standing foot's points above the floor as shares of the stature: they are inside of skin and shoe."""
STANDING = 0.9
"""Shoulders to ankles as a share of trunk, thigh and shank laid end to end, from which on somebody stands."""
MAX_LIFTED, MAX_BENT = 0.05, 0.04
"""Of somebody who stands: how much higher one ankle is than the other, and how far the hips are beside the line from
ankles to shoulders, as shares of the stature."""
SEGMENT_SIGMA, HEAD_SIGMA = 0.035, 0.02
"""Standard deviation of a stature from segments and from the head's height, as a share: people differ in build."""
FEWEST_FRAMES = 10


class Bodies(NamedTuple):
    """What people's joints say of their size; lengths in the world's units, whatever these are.

    Attributes:
        stature: (N,) each person's height from trunk and legs, in any posture; NaN where they were hardly seen.
        axis: (F, N, 3) from the middle of the ankles to the shoulders; NaN where either is missing.
        upright: (F, N) whether the body is straight from ankles to shoulders, on one leg or two.
        standing: (F, N) whether the person also stands on both, so that the axis is vertical.
    """

    stature: NDArray[np.float64]
    axis: NDArray[np.float64]
    upright: NDArray[np.bool_]
    standing: NDArray[np.bool_]


def middle_of(skeleton: Skeleton, X: NDArray[np.float64], *names: str) -> NDArray[np.float64]:
    """Return the mean (..., 3) of the named joints of X (..., J, 3); NaN where one is missing or not in the set."""
    if any(name not in skeleton.joints for name in names):
        return np.full((*X.shape[:-2], 3), np.nan)
    return np.asarray(X[..., [skeleton.index(name) for name in names], :].mean(axis=-2))


def measure_bodies(skeleton: Skeleton, X: NDArray[np.float64]) -> Bodies:
    """Measure people (F, N, J, 3) by joints that all bodies have: shoulders, hips, knees, ankles."""
    at = {
        name: [middle_of(skeleton, X, f"{side}{name}") for side in "LR"]
        for name in ("Shoulder", "Hip", "Knee", "Ankle")
    }
    shoulders, hips, ankles = (np.mean(at[name], axis=0) for name in ("Shoulder", "Hip", "Ankle"))
    pieces = {
        "shank": [np.linalg.norm(k - a, axis=-1) for k, a in zip(at["Knee"], at["Ankle"], strict=True)],
        "thigh": [np.linalg.norm(h - k, axis=-1) for h, k in zip(at["Hip"], at["Knee"], strict=True)],
        "trunk": [np.linalg.norm(shoulders - hips, axis=-1)],
    }
    lengths = {name: _median(np.concatenate(values)) for name, values in pieces.items()}
    reach = np.sum(list(lengths.values()), axis=0)
    stature = reach / sum(SEGMENTS.values())
    axis = shoulders - ankles
    length = np.linalg.norm(axis, axis=-1)
    # On one leg the middle of the ankles is not below the body: both feet are equally far down.
    lifted = np.abs(((at["Ankle"][0] - at["Ankle"][1]) * axis).sum(axis=-1))
    bent = np.linalg.norm(np.cross(hips - ankles, axis), axis=-1)
    with np.errstate(invalid="ignore"):
        upright = length >= STANDING * reach
        standing = upright & (lifted < MAX_LIFTED * stature * length) & (bent < MAX_BENT * stature * length)
    return Bodies(stature, axis, upright, standing)


def _median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the median of each column (K, N) over what is not NaN; NaN where that is too little."""
    result = np.full(values.shape[1], np.nan)
    for n, column in enumerate(values.T):
        seen = column[np.isfinite(column)]
        if len(seen) >= FEWEST_FRAMES:
            result[n] = np.median(seen)
    return result


def body_axis(bodies: Bodies) -> NDArray[np.float64]:
    """Return the direction (3,) in which standing people stand; NaN if nobody does, or each in another."""
    axes = bodies.axis[bodies.standing]
    if len(axes) < FEWEST_FRAMES:
        return np.full(3, np.nan)
    axes = axes / np.linalg.norm(axes, axis=1, keepdims=True)
    mean = np.median(axes, axis=0)
    for _ in range(10):
        norm = float(np.linalg.norm(mean))
        if norm < 0.5:
            return np.full(3, np.nan)
        mean = mean / norm
        tilt = np.arccos(np.clip(axes @ mean, -1, 1))
        weight = 1 / (1 + (tilt / np.radians(8)) ** 2)
        mean = (weight[:, None] * axes).sum(axis=0) / weight.sum()
    mean = mean / np.linalg.norm(mean)
    lean = np.degrees(np.arccos(np.clip(axes @ mean, -1, 1)))
    return mean if np.median(lean) < 20 else np.full(3, np.nan)


def foot_joints(skeleton: Skeleton) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the joints (K,) of the feet, ankles only without heels and toes, and their heights as in `FEET` (K,)."""
    kinds = [kind for kind in FEET if kind != "Ankle" and f"L{kind}" in skeleton.joints] or ["Ankle"]
    names = [(f"{side}{kind}", FEET[kind]) for kind in kinds for side in "LR" if f"{side}{kind}" in skeleton.joints]
    index = np.array([skeleton.index(name) for name, _ in names], dtype=np.intp)
    return index, np.array([height for _, height in names])


def standing_stature(skeleton: Skeleton, X: NDArray[np.float64], bodies: Bodies) -> NDArray[np.float64]:
    """Return each person's height (N,) from head to feet along the direction in which people stand; NaN if unknown.

    The tallest tenth of the frames counts: who walks or leans is shorter, nobody is taller than upright.
    """
    up, (feet, offsets) = body_axis(bodies), foot_joints(skeleton)
    N = X.shape[1]
    result = np.full(N, np.nan)
    if np.isnan(up).any() or not len(feet):
        return result
    with np.errstate(invalid="ignore"):
        low = X[:, :, feet] @ up - offsets * bodies.stature[:, None]
    lowest = np.where(np.isfinite(low), low, np.inf).min(axis=-1)
    for n in range(N):
        for names, share in HEAD:
            height = middle_of(skeleton, X[:, n], *names) @ up - lowest[:, n]
            tall = height[bodies.standing[:, n] & np.isfinite(height)]
            if len(tall) >= FEWEST_FRAMES:
                result[n] = np.percentile(tall, 90) / share
                break
    return result
