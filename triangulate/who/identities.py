"""What the whole session tells about who is who, and a look at each moment cannot: earlier births, pieces, ghosts."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from triskel.triangulate.who.paths import Paths
from triskel.triangulate.who.tracking import CONFIRMED, LOOSEST_M, RigRays, Sighting, Track

LONGEST_BREAK_S = 1.5
"""How long a person may be away and be the same again, seen from afterwards."""

BREAK_SLACK_M = 0.4
BREAK_SPEED_M_S = 2.0
"""How far the middle may be from where the earlier piece was heading: so much, and so much a second of the break."""

HEADING_S = 0.3
"""A heading is measured over this time, and followed for as long: people turn."""

TAUGHT = 4
"""Sightings from which a velocity is known."""


def look_back(view: RigRays, bodies: NDArray[np.float64], time_s: NDArray[np.float64], tracks: list[Track]) -> None:
    """Add sightings that only later ones explain: before a person was born, and in gaps; from detections left over.

    Somebody comes into view of two cameras before three see them, and two of many agree too easily to begin with.

    Args:
        view: the rig.
        bodies: (F, C, N, J, 3) raw px and score.
        time_s: (F,) s.
        tracks: changed in place.
    """
    paths = Paths(joints=bodies.shape[3])
    lessons, starts = _lessons(tracks)
    row_of: dict[int, int] = {}
    searching: set[int] = set()
    for f in range(len(bodies) - 1, -1, -1):
        now = float(time_s[f])
        searching -= {t for t in searching if f in tracks[t]}
        if searching:
            searching &= _search(view, bodies[f], f, now, tracks, paths, {t: row_of[t] for t in sorted(searching)})
        for t in lessons.get(f, []):
            if t not in row_of:
                row_of[t] = len(paths)
                paths.add(tracks[t][f].X[None], now)
            else:
                paths.observe(np.array([row_of[t]]), tracks[t][f].X[None], now)
        searching |= starts.get(f, set())


def _lessons(tracks: list[Track]) -> tuple[dict[int, list[int]], dict[int, set[int]]]:
    """Return for a frame which tracks are learnt from there, going backwards, and which are sought from there on."""
    lessons: dict[int, list[int]] = {}
    starts: dict[int, set[int]] = {}
    for t, one in enumerate(tracks):
        frames = sorted(one)
        for k, f in enumerate(frames):
            if f > 0 and (k == 0 or frames[k - 1] < f - 1):
                starts.setdefault(f, set()).add(t)
                for taught in frames[k : k + TAUGHT]:
                    if t not in lessons.setdefault(taught, []):
                        lessons[taught].append(t)
    return lessons, starts


def _search(
    view: RigRays,
    people: NDArray[np.float64],
    f: int,
    time_s: float,
    tracks: list[Track],
    paths: Paths,
    row_of: dict[int, int],
) -> set[int]:
    """Look for the tracks of `row_of` in the detections (C, N, J, 3) of frame set f that no track has.

    Returns:
        Those that it makes sense to go on looking for.
    """
    everybody, slack_m = paths.expected(time_s)
    near = {t: row for t, row in row_of.items() if slack_m[row] <= LOOSEST_M}
    if not near:
        return set()
    people = people.copy()
    for one in tracks:
        if f in one:
            for c in np.flatnonzero(one[f].members >= 0):
                people[c, one[f].members[c], :, 2] = 0
    rows = np.array(list(near.values()))
    found = view.find(people, everybody[rows], slack_m[rows], 0)
    for k, (t, row) in enumerate(near.items()):
        if (found.members[k] >= 0).any():
            tracks[t][f] = Sighting(found.members[k], float(found.support[k]), found.X[k])
            paths.observe(np.array([row]), found.X[k : k + 1], time_s)
    return set(near)


def stitch(tracks: list[Track], time_s: NDArray[np.float64]) -> list[Track]:
    """Join the pieces of one person: the later begins soon after the earlier ends, near where that was heading."""
    if len(tracks) < 2:
        return tracks
    tracks = sorted(tracks, key=min)
    births, ends = np.array([min(one) for one in tracks]), np.array([max(one) for one in tracks])
    first = np.searchsorted(births, ends, side="right")
    last = np.searchsorted(time_s[births], time_s[ends] + LONGEST_BREAK_S, side="right")
    cost: dict[tuple[int, int], float] = {}
    for a, one in enumerate(tracks):
        for b in range(int(first[a]), int(last[a])):
            pause_s = float(time_s[births[b]] - time_s[ends[a]])
            distance = float(np.linalg.norm(_heading(one, time_s, pause_s) - tracks[b][int(births[b])].centre))
            if distance <= BREAK_SLACK_M + BREAK_SPEED_M_S * pause_s:
                cost[a, b] = distance
    following = _least_in_total(cost, len(tracks))
    joined: dict[int, Track] = {}
    for a, one in enumerate(tracks):  # sorted by birth, so what a piece follows has its place already
        whole = joined.setdefault(a, {})
        whole.update(one)
        if a in following:
            joined[following[a]] = whole
    unique = {id(one): one for one in joined.values()}
    return list(unique.values())


def _least_in_total(cost: dict[tuple[int, int], float], tracks: int) -> dict[int, int]:
    """Return which track follows which, each at most one: as many as possible, and least in total.

    Few can follow any one, so the pairs fall apart into small groups that have nothing to do with each other.
    """
    if not cost:
        return {}
    pairs = np.array(list(cost))
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1] + tracks)), shape=(2 * tracks, 2 * tracks))
    _, group = connected_components(graph, directed=False)
    following: dict[int, int] = {}
    order = np.argsort(group[pairs[:, 0]], kind="stable")
    for some in np.split(pairs[order], np.flatnonzero(np.diff(group[pairs[order, 0]])) + 1):
        before, after = np.unique(some[:, 0]), np.unique(some[:, 1])
        table = np.full((len(before), len(after)), 1e6)
        for a, b in some.tolist():
            table[np.searchsorted(before, a), np.searchsorted(after, b)] = cost[a, b]
        for row, column in zip(*linear_sum_assignment(table), strict=True):
            if table[row, column] < 1e6:
                following[int(before[row])] = int(after[column])
    return following


def _heading(one: Track, time_s: NDArray[np.float64], ahead_s: float) -> NDArray[np.float64]:
    """Return where (3,) a track's middle would be `ahead_s` after its end."""
    last = max(one)
    recent = [f for f in one if time_s[last] - time_s[f] <= HEADING_S]
    if len(recent) < CONFIRMED:
        return one[last].centre
    first = min(recent)
    velocity = (one[last].centre - one[first].centre) / float(time_s[last] - time_s[first])
    return np.asarray(one[last].centre + velocity * min(ahead_s, HEADING_S))


def without_ghosts(tracks: list[Track], time_s: NDArray[np.float64], *, least_seen_s: float) -> list[Track]:
    """Return the tracks of those who are there, best supported first: seen more often than by chance.

    Args:
        tracks: all of them.
        time_s: (F,) s; of very few frame sets nobody needs to be in many.
        least_seen_s: least time for which a person is seen, s: sightings times the usual time between frame sets.
    """
    tracks = sorted(tracks, key=_support, reverse=True)
    if not tracks:
        return []
    frames, step_s = len(time_s), float(np.median(np.diff(time_s))) if len(time_s) > 1 else 0.0
    wanted = least_seen_s / step_s if step_s > 0 else 0.0
    fewest = max(min(CONFIRMED, frames), min(wanted, frames / 2))
    return [one for one in tracks if len(one) >= fewest]


def _support(one: Track) -> float:
    return sum(sighting.support for sighting in one.values())
