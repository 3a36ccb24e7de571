"""Who is who from one image to the next in one camera: what there is to go by before the cameras' poses are known."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

SAME_SHARE = 0.35
"""A body that moved by more than this share of its own extent from one image to the next is another one."""
LONGEST_GAP_S = 0.6
FEWEST_SIGHTINGS = 10
MOST_TRACKS = 8


class Track2D(NamedTuple):
    """One body in one camera.

    Attributes:
        frames: (n,) frame sets in which it was seen, ascending.
        place: (n,) which of the camera's detections it is there.
        support: sum of the scores of its joints.
    """

    frames: NDArray[np.int64]
    place: NDArray[np.int64]
    support: float


def tracks_2d(keypoints: NDArray[np.float64], time_s: NDArray[np.float64]) -> list[Track2D]:
    """Follow the bodies of one camera (F, N, J, 3); return those seen often, best supported first, a few at most."""
    ends: list[tuple[int, int]] = []  # frame set and place in which each track was seen last
    found: list[list[tuple[int, int]]] = []
    alive: list[int] = []
    there = np.asarray((keypoints[..., 2] > 0).any(axis=-1))
    for f in np.flatnonzero(there.max(axis=1, initial=False)):
        alive = [t for t in alive if time_s[f] - time_s[ends[t][0]] <= LONGEST_GAP_S or ends[t][0] >= f - 2]
        places = np.flatnonzero(there[f])
        taken: set[int] = set()
        if alive:
            last = np.stack([keypoints[ends[t]] for t in alive])
            cost = _apart(last, keypoints[f, places])
            for row, column in zip(*linear_sum_assignment(np.minimum(cost, 10.0)), strict=True):
                if cost[row, column] < SAME_SHARE:
                    t, place = alive[row], int(places[column])
                    found[t].append((int(f), place))
                    ends[t] = (int(f), place)
                    taken.add(place)
        for place in places.tolist():
            if place not in taken:
                alive.append(len(found))
                ends.append((int(f), place))
                found.append([(int(f), place)])
    tracks = []
    for one in found:
        frames, place = np.array(one, dtype=np.int64).T
        if len(frames) >= FEWEST_SIGHTINGS:
            tracks.append(Track2D(frames, place, float(keypoints[frames, place, :, 2].sum())))
    return sorted(tracks, key=lambda track: -track.support)[:MOST_TRACKS]


def _apart(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (A, B) how far bodies (A, J, 3) and (B, J, 3) are apart, in their own extents; 10 if unknown."""
    distance = np.linalg.norm(a[:, None, :, :2] - b[None, :, :, :2], axis=-1)
    both = np.isfinite(distance).any(axis=-1)
    out = np.full(both.shape, 10.0)
    extent = [np.nanmax(one[:, :2], axis=0) - np.nanmin(one[:, :2], axis=0) for one in (*a, *b)]
    size = np.maximum(np.linalg.norm(extent, axis=1), 1.0)
    scale = 0.5 * (size[: len(a), None] + size[None, len(a) :])
    out[both] = np.nanmedian(distance[both], axis=-1) / scale[both]
    return out


def joints_of(keypoints: NDArray[np.float64], track: Track2D) -> NDArray[np.float64]:
    """Return (F, J, D) what one camera's values (F, N, J, D) say of a track; NaN where it was not seen."""
    out = np.full((len(keypoints), *keypoints.shape[2:]), np.nan)
    out[track.frames] = keypoints[track.frames, track.place]
    return out
