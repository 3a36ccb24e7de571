"""How well a rig explains what its cameras saw of people, as one number that other hypotheses can be compared by."""

from collections.abc import Callable
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.camera import Rig
from triskel.motion import Detections2D
from triskel.projection import project
from triskel.triangulate import PeopleOptions, triangulate_people
from triskel.triangulate.over_time import OverTimeOptions
from triskel.triangulate.people import People3D

REFERENCE_PIXELS = 1280 * 1024
"""Image area for which pixels in this folder's bounds are meant; they grow with the image's side."""
BOUND_PX = 25.0
"""A detection this far from where the people in 3D would be seen is not explained at all."""
LEAST_SCORE = 0.3
BLOCKS, BLOCK_FRAMES = 4, 40
"""What of a long recording is looked at: so many pieces of so many frames."""
BETTER_RATIO, BETTER_BY = 1.35, 0.12
"""By how much another hypothesis must explain more than the rig as it is, to be believed."""


class Fit(NamedTuple):
    """What people in 3D explain of the detections.

    Attributes:
        explained: share of the confident detections, 0 to 1; each counts less the further off it is.
        cameras: (C,) the same for each camera; NaN where nothing was detected.
        people: the people in 3D.
    """

    explained: float
    cameras: NDArray[np.float64]
    people: People3D


def pixel_factor(rig: Rig) -> float:
    """Return what bounds in px are multiplied by for these images."""
    return float(np.sqrt(max(np.prod(camera.size_wh) for camera in rig) / REFERENCE_PIXELS))


def some_frames(detections: Detections2D) -> NDArray[np.intp]:
    """Return which frames to look at: all of a short recording, of a long one pieces where most is detected."""
    F = len(detections.keypoints)
    if F <= BLOCKS * BLOCK_FRAMES:
        return np.arange(F)
    seen = (detections.keypoints[..., 2] >= LEAST_SCORE).sum(axis=(2, 3)).clip(max=50)
    worth = np.concatenate([[0.0], np.cumsum(np.sort(seen, axis=1)[:, -2:].sum(axis=1))])
    pieces: list[NDArray[np.intp]] = []
    for part in np.array_split(np.arange(F - BLOCK_FRAMES + 1), BLOCKS):
        starts = part[part >= (pieces[-1][-1] + 1 if pieces else 0)]
        if len(starts):
            best = starts[int(np.argmax(worth[starts + BLOCK_FRAMES] - worth[starts]))]
            pieces.append(np.arange(best, best + BLOCK_FRAMES))
    return np.concatenate(pieces)


def at_frames(detections: Detections2D, frames: NDArray[np.intp]) -> Detections2D:
    """Return the detections of some frames."""
    return Detections2D(detections.skeleton, detections.cameras, detections.keypoints[frames])


def fit_people(rig: Rig, detections: Detections2D, time_s: NDArray[np.float64]) -> Fit:
    """Reconstruct people with a rig, without filters over time, and say how much of the detections that explains."""
    options = PeopleOptions(
        over_time=OverTimeOptions(drop_outliers=False, longest_gap_s=0.0, filter="none", bones=False)
    )
    rig = rig.select(list(detections.cameras))
    people = triangulate_people(rig, detections, time_s, options=options)
    X, bound = people.raw.points.X, BOUND_PX * pixel_factor(rig)
    shares, weights = np.full(len(rig), np.nan), np.zeros(len(rig))
    for c, camera in enumerate(rig):
        error = np.linalg.norm(project(camera, X) - people.observed[:, c, ..., :2], axis=-1)
        sure = np.where(people.observed[:, c, ..., 2] >= LEAST_SCORE, np.maximum(1 - (error / bound) ** 2, 0), 0)
        # Whoever is in the picture, but for a crowd behind: as many as are known to be there at all.
        confident = (detections.keypoints[:, c, ..., 2] >= LEAST_SCORE).sum(axis=-1)
        most = np.sort(confident, axis=-1)[:, ::-1][:, : max(X.shape[1], 1)].sum()
        weights[c] = most
        if most:
            shares[c] = min(float(np.nan_to_num(sure).sum() / most), 1.0)
    total = weights.sum()
    explained = float(np.nansum(shares * weights) / total) if total else float("nan")
    return Fit(explained, shares, people)


def is_better(other: float, present: float) -> bool:
    """Say whether another hypothesis explains so much more than the present one that it can be believed."""
    return other > BETTER_RATIO * present and other > present + BETTER_BY


def exchanged(rig: Rig, first: str, second: str) -> Rig:
    """Return the rig in which two cameras carry each other's names, as if their videos had been exchanged."""
    names = {first: second, second: first}
    renamed = {names.get(camera.name, camera.name): camera for camera in rig}
    return Rig(tuple(renamed[name].replace(name=name) for name in rig.names))


def best_exchange(
    rig: Rig, names: list[str], explained: Callable[[Rig], float], present: float
) -> tuple[list[tuple[str, str]], float]:
    """Return the pairs of cameras to exchange that explain most, one pair after the other, and how much that is.

    Args:
        rig: as it is.
        names: the cameras that may have been exchanged.
        explained: what a rig explains, 0 to 1.
        present: what `rig` explains.
    """
    found: list[tuple[str, str]] = []
    while len(found) < len(names) - 1:
        pairs = list(combinations(names, 2))
        values = [explained(exchanged(rig, *pair)) for pair in pairs]
        best = int(np.argmax(values)) if values else 0
        # One exchange of two may mend half of it, so each step needs only some of the whole gain.
        if not values or not values[best] > present + BETTER_BY / 2:
            break
        found.append(pairs[best])
        rig, present = exchanged(rig, *pairs[best]), values[best]
    return found, present
