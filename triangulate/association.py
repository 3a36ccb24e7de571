"""Which detection in one camera is which in another: people across views, frame by frame, by geometry alone.

Every pair of detections from two cameras is a hypothesis of one person. Its joints are intersected, and each camera's
detections are asked how well they agree with the result. The hypothesis with the most agreement takes its detections,
then the next among what is left. One person seen by all cameras wins over two unrelated people that happen to meet.
"""

import math
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from triskel.camera import Rig
from triskel.lens import pack
from triskel.triangulate.kernel import midpoint, residual, world_ray

FEWEST_JOINTS = 4
"""Joints that two detections must share to be compared."""

LEAST_AGREEMENT = 0.25
"""Share of a detection's (score-weighted) joints that must agree for it to belong to the person."""


class Sighting(NamedTuple):
    """One person in one frame set.

    Attributes:
        members: (C,) the person's place in each camera's detections, -1 where it is not seen.
        support: how much detections agree: sum of score * (1 - (error / bound)^2) over joints and views.
        centre: (3,) middle of the joints, m.
    """

    members: NDArray[np.int64]
    support: float
    centre: NDArray[np.float64]


@numba.njit(cache=True, nogil=True)
def _agreement(
    camera: NDArray[np.float64], X: NDArray[np.float64], person: NDArray[np.float64], bound: float
) -> tuple[float, float]:
    """Return how much one detection (J, 3) agrees with joints in 3D (J, 3), and how much it could at most."""
    gained, possible = 0.0, 0.0
    for j in range(len(X)):
        if person[j, 2] > 0.0 and math.isfinite(X[j, 0]):
            r = residual(camera, X[j], person[j, 0], person[j, 1]) / bound
            possible += person[j, 2]
            if r < 1.0:
                gained += person[j, 2] * (1.0 - r * r)
    return gained, possible


@numba.njit(cache=True, nogil=True)
def _hypothesis(
    cameras: NDArray[np.float64],
    people: NDArray[np.float64],
    counts: NDArray[np.int64],
    rays: NDArray[np.float64],
    origins: NDArray[np.float64],
    pair: tuple[int, int, int, int],
    bound: float,
    members: NDArray[np.int64],
    X: NDArray[np.float64],
) -> float:
    """Test that detections i of camera a and j of camera b are one person; fill `members`, `X`; return the support."""
    a, i, b, j = pair
    shared = 0
    for k in range(len(X)):
        X[k] = math.nan
        if people[a, i, k, 2] > 0.0 and people[b, j, k, 2] > 0.0:
            meet, x, y, z = midpoint(origins[a], rays[a, i, k], origins[b], rays[b, j, k])
            if meet:
                X[k, 0], X[k, 1], X[k, 2] = x, y, z
                shared += 1
    if shared < FEWEST_JOINTS:
        return 0.0
    support = 0.0
    for c in range(len(cameras)):
        members[c] = -1
        best = 0.0
        for n in range(counts[c]):
            if (c == a and n != i) or (c == b and n != j):
                continue
            gained, possible = _agreement(cameras[c], X, people[c, n], bound)
            if gained > best and gained >= LEAST_AGREEMENT * possible:
                best, members[c] = gained, n
        support += best
    if members[a] != i or members[b] != j:
        return 0.0
    return support


@numba.njit(cache=True, nogil=True)
def _hypotheses(
    cameras: NDArray[np.float64],
    origins: NDArray[np.float64],
    people: NDArray[np.float64],
    counts: NDArray[np.int64],
    bound: float,
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Test all pairs of detections (C, N, J, 3) of one frame: members (H, C), support (H,), centre (H, 3)."""
    C, _, J, _ = people.shape
    rays = np.full((C, people.shape[1], J, 3), np.nan)
    for c in range(C):
        for n in range(counts[c]):
            for j in range(J):
                if people[c, n, j, 2] > 0.0:
                    x, y, z = world_ray(cameras[c], people[c, n, j, 0], people[c, n, j, 1])
                    rays[c, n, j, 0], rays[c, n, j, 1], rays[c, n, j, 2] = x, y, z
    capacity = int(counts.sum()) ** 2 // 2
    members, support = np.full((capacity, C), -1, np.int64), np.zeros(capacity)
    centre = np.zeros((capacity, 3))
    X = np.empty((J, 3))
    count = 0
    for a in range(C):
        for b in range(a + 1, C):
            for i in range(counts[a]):
                for j in range(counts[b]):
                    value = _hypothesis(cameras, people, counts, rays, origins, (a, i, b, j), bound, members[count], X)
                    if value > 0.0:
                        support[count] = value
                        for axis in range(3):
                            centre[count, axis] = np.nanmedian(X[:, axis])
                        count += 1
    return members[:count], support[:count], centre[:count]


def associate(rig: Rig, keypoints: NDArray[np.float64], *, bound_px: float, least_views: int) -> list[list[Sighting]]:
    """Find the people of every frame set.

    Args:
        rig: C cameras.
        keypoints: (F, C, N, J, 3) raw px and score; unused places have no joint with a score above 0.
        bound_px: reprojection error beyond which a joint does not agree.
        least_views: fewest cameras that must see a person.

    Returns:
        For each frame its sightings, best supported first; no detection is in two of them.
    """
    cameras = np.stack([pack(camera) for camera in rig])
    origins = np.stack([camera.centre for camera in rig])
    used = (keypoints[..., 2] > 0).any(axis=-1)
    counts = np.where(used, np.arange(1, keypoints.shape[2] + 1), 0).max(axis=-1, initial=0).astype(np.int64)
    frames = []
    for people, count in zip(keypoints, counts, strict=True):
        members, support, centre = _hypotheses(cameras, origins, np.ascontiguousarray(people), count, bound_px)
        frames.append(_greedy(members, support, centre, least_views))
    return frames


def _greedy(
    members: NDArray[np.int64], support: NDArray[np.float64], centre: NDArray[np.float64], least_views: int
) -> list[Sighting]:
    """Take hypotheses best first, each with detections that none before it took."""
    taken: set[tuple[int, int]] = set()
    sightings = []
    for h in np.argsort(-support, kind="stable"):
        detections = {(c, int(n)) for c, n in enumerate(members[h]) if n >= 0}
        if len(detections) < least_views or detections & taken:
            continue
        taken |= detections
        sightings.append(Sighting(members[h].copy(), float(support[h]), centre[h].copy()))
    return sightings
