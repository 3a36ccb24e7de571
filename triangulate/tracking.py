"""Sightings to people with an identity: linking frame sets over time."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from triskel.triangulate.association import Sighting

FASTEST_M_S = 6.0
"""How fast a body's middle may move; faster is another person."""

SLACK_M = 0.4
"""How far the middle may jump between two sightings whatever the time: other joints are found each time."""

LONGEST_GAP_S = 1.0
"""How long a person may go unseen and keep the identity."""

Track = dict[int, Sighting]
"""Frame index to sighting, of one person."""


def track(frames: list[list[Sighting]], time_s: NDArray[np.float64]) -> list[Track]:
    """Link the sightings of one person over time.

    Each frame's sightings are given to the tracks that were seen lately so that the distances moved are least in
    total; a sighting that no track can have reached starts a new one. Pieces that fit together are joined at the end.

    Args:
        frames: the sightings of each frame set.
        time_s: (F,) their times, s.

    Returns:
        The tracks, best supported first.
    """
    tracks: list[Track] = []
    for f, sightings in enumerate(frames):
        live = [one for one in tracks if time_s[f] - time_s[max(one)] <= LONGEST_GAP_S]
        free = set(range(len(sightings)))
        if live and sightings:
            last = np.stack([one[max(one)].centre for one in live])
            ages = np.array([time_s[f] - time_s[max(one)] for one in live])
            centres = np.stack([one.centre for one in sightings])
            distance = np.linalg.norm(last[:, None] - centres[None], axis=-1)
            reach = (SLACK_M + FASTEST_M_S * ages)[:, None]
            cost = np.where(distance <= reach, distance, 1e6)
            for i, j in zip(*linear_sum_assignment(cost), strict=True):
                if cost[i, j] < 1e6:
                    live[i][f] = sightings[j]
                    free.discard(int(j))
        tracks.extend({f: sightings[j]} for j in sorted(free))
    return sorted(_stitch(tracks, time_s), key=_support, reverse=True)


def _support(one: Track) -> float:
    return sum(sighting.support for sighting in one.values())


def _stitch(tracks: list[Track], time_s: NDArray[np.float64]) -> list[Track]:
    """Join tracks that one person's sightings were split over by a jump: never seen together, always within reach."""
    joined: list[Track] = []
    for one in sorted(tracks, key=_support, reverse=True):
        for longer in joined:
            if not longer.keys() & one.keys() and _within_reach(longer, one, time_s):
                longer.update(one)
                break
        else:
            joined.append(dict(one))
    return joined


def _within_reach(longer: Track, one: Track, time_s: NDArray[np.float64]) -> bool:
    """Say whether a track could run from the sightings of `longer` nearest in time to its first and to its last."""
    frames = np.array(sorted(longer))
    for f in (min(one), max(one)):
        nearest = frames[int(np.argmin(np.abs(time_s[frames] - time_s[f])))]
        age = abs(float(time_s[nearest] - time_s[f]))
        distance = float(np.linalg.norm(longer[int(nearest)].centre - one[f].centre))
        if age > LONGEST_GAP_S or distance > SLACK_M + FASTEST_M_S * age:
            return False
    return True
