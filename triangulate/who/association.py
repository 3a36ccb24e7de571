"""Which detection in one camera is which in another: the people of one frame set, globally consistent.

People who are followed already say where they expect their joints; each camera's detections are shared out among them
so that the agreement is greatest in total. What a person got must then agree among itself, whatever was expected: views
that do not meet the others are released, joints are measured again, and the detections shared out once more. What
nobody took is searched for new people: pairs of detections that meet, best supported by other cameras first.
"""

import math
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from triskel.triangulate.medians import nanmedian
from triskel.triangulate.who.affinity import FEWEST_JOINTS, body_agrees, body_of, rays_agree, squared_error
from triskel.triangulate.who.matching import assign

LEAST_AGREEMENT = 0.3
"""Share of a detection's joints, weighted by score and graded by error, that must agree with the person."""

MOST_FAILURES = 400
"""Pairs that turn out to be nobody after which a frame is searched no further: hundreds of false people cost time."""


class FramePeople(NamedTuple):
    """The people of one frame set: those asked for, in their order, then new ones.

    Attributes:
        members: (P, C) place in each camera's detections, -1 where not seen; all -1 for one asked for and not found.
        X: (P, J, 3) joints, m, NaN where unknown.
        support: (P,) how much detections agree: sum of score * (1 - (error / bound)^2) over joints and views.
        error: (P,) median error over joints and views as a share of `bounds`; NaN for fewer than three views, which
            agree too easily to tell.
    """

    members: NDArray[np.int64]
    X: NDArray[np.float64]
    support: NDArray[np.float64]
    error: NDArray[np.float64]


@numba.njit(cache=True, nogil=True)
def _share_out(
    origins: NDArray[np.float64],
    rays: NDArray[np.float64],
    bounds: NDArray[np.float64],
    X: NDArray[np.float64],
    slack_m: NDArray[np.float64],
    members: NDArray[np.int64],
) -> None:
    """Fill `members` (P, C): each camera's detections to the people X (P, J, 3) they agree with, best in total."""
    P, N = len(X), rays.shape[1]
    gain = np.zeros((P, N))
    for c in range(len(origins)):
        for p in range(P):
            for n in range(N):
                gained, possible = body_agrees(origins[c], rays[c, n], X[p], bounds[c], slack_m[p])
                gain[p, n] = gained if gained >= LEAST_AGREEMENT * possible else 0.0
        members[:, c] = assign(gain)


@numba.njit(cache=True, nogil=True)
def _meetings(
    origins: NDArray[np.float64], rays: NDArray[np.float64], bounds: NDArray[np.float64], members: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how well one person's views meet each other (C, C), and all others in total (C,)."""
    C = len(members)
    meets, total = np.zeros((C, C)), np.zeros(C)
    for a in range(C):
        for b in range(a + 1, C):
            if members[a] >= 0 and members[b] >= 0:
                meets[a, b] = rays_agree(
                    origins[a], rays[a, members[a]], bounds[a], origins[b], rays[b, members[b]], bounds[b]
                )
                meets[b, a] = meets[a, b]
                total[a] += meets[a, b]
                total[b] += meets[a, b]
    return meets, total


@numba.njit(cache=True, nogil=True)
def _release(
    origins: NDArray[np.float64], rays: NDArray[np.float64], bounds: NDArray[np.float64], members: NDArray[np.int64]
) -> int:
    """Drop from one person's `members` (C,) those that do not meet the others; return how many are left.

    The view that agrees most with all others is the first one kept. Each next one must agree with those kept.
    """
    C = len(members)
    meets, total = _meetings(origins, rays, bounds, members)
    kept, left = np.zeros(C, np.bool_), 0
    for _ in range(C):
        following = -1
        for c in range(C):
            if members[c] >= 0 and not kept[c] and (following < 0 or total[c] > total[following]):
                following = c
        if following < 0:
            break
        agreement = 0.0
        for k in range(C):
            if kept[k]:
                agreement += meets[following, k]
        if left == 0 or agreement >= LEAST_AGREEMENT * left:
            kept[following] = True
            left += 1
        else:
            members[following] = -1
    if left < 2:
        for c in range(C):
            members[c] = -1
        return 0
    return left


@numba.njit(cache=True, nogil=True)
def _known(X: NDArray[np.float64]) -> int:
    count = 0
    for j in range(len(X)):
        count += math.isfinite(X[j, 0])
    return count


@numba.njit(cache=True, nogil=True)
def _views(members: NDArray[np.int64]) -> int:
    count = 0
    for c in range(len(members)):
        count += members[c] >= 0
    return count


@numba.njit(cache=True, nogil=True)
def _pairs(
    origins: NDArray[np.float64],
    rays: NDArray[np.float64],
    bounds: NDArray[np.float64],
    camera: NDArray[np.int64],
    place: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return (D, D) how well detections of different cameras meet, 0 where not at all."""
    D = len(camera)
    meets = np.zeros((D, D))
    for a in range(D):
        c = camera[a]
        for b in range(a + 1, D):
            k = camera[b]
            if c != k:
                agreement = rays_agree(
                    origins[c], rays[c, place[a]], bounds[c], origins[k], rays[k, place[b]], bounds[k]
                )
                if agreement >= LEAST_AGREEMENT:
                    meets[a, b] = meets[b, a] = agreement
    return meets


@numba.njit(cache=True, nogil=True)
def _best_third(
    meets: NDArray[np.float64], starts: NDArray[np.int64], a: int, b: int, free: NDArray[np.bool_]
) -> tuple[float, NDArray[np.int64]]:
    """Return what other cameras' detections agree with both a and b, in total, and which those are (C,), -1 none."""
    C = len(starts) - 1
    total, chosen = meets[a, b], np.full(C, -1, np.int64)
    for c in range(C):
        if starts[c] <= a < starts[c + 1] or starts[c] <= b < starts[c + 1]:
            continue
        best = 0.0
        for k in range(starts[c], starts[c + 1]):
            if free[k]:
                both = min(meets[a, k], meets[b, k])
                if both > best:
                    best, chosen[c] = both, k
        total += best
    return total, chosen


@numba.njit(cache=True, nogil=True)
def _gather(
    origins: NDArray[np.float64],
    rays: NDArray[np.float64],
    bounds: NDArray[np.float64],
    place: NDArray[np.int64],
    starts: NDArray[np.int64],
    free: NDArray[np.bool_],
    members: NDArray[np.int64],
) -> int:
    """Replace one person's `members` (C,) by the free detections that fit their joints best; return how many do."""
    J = rays.shape[2]
    X, unknown = np.empty((J, 3)), np.full((J, 3), np.nan)
    views = _release(origins, rays, bounds, members)
    body_of(origins, rays, bounds, members, unknown, 1.0, X)
    if views < 2 or _known(X) < FEWEST_JOINTS:
        return 0
    for c in range(len(members)):
        best = 0.0
        members[c] = -1
        for k in range(starts[c], starts[c + 1]):
            if free[k]:
                gained, possible = body_agrees(origins[c], rays[c, place[k]], X, bounds[c], 0.0)
                if gained > best and gained >= LEAST_AGREEMENT * possible:
                    best, members[c] = gained, place[k]
    return _release(origins, rays, bounds, members)


@numba.njit(cache=True, nogil=True)
def _supports(
    meets: NDArray[np.float64],
    starts: NDArray[np.int64],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    least_views: int,
) -> NDArray[np.float64]:
    """Return (H,) how well pairs of detections are supported by other cameras; 0 with fewer than `least_views`."""
    support, free = np.zeros(len(first)), np.ones(len(meets), np.bool_)
    for h in range(len(first)):
        total, chosen = _best_third(meets, starts, first[h], second[h], free)
        if _views(chosen) + 2 >= least_views:
            support[h] = total
    return support


@numba.njit(cache=True, nogil=True)
def _grow(
    origins: NDArray[np.float64],
    rays: NDArray[np.float64],
    bounds: NDArray[np.float64],
    camera: NDArray[np.int64],
    place: NDArray[np.int64],
    starts: NDArray[np.int64],
    meets: NDArray[np.float64],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    least_views: int,
) -> NDArray[np.int64]:
    """Return members (P, C) of the people that the pairs of detections, best first, grow to."""
    C, D = len(origins), len(camera)
    free = np.ones(D, np.bool_)
    found, members = np.full((D // 2 + 1, C), -1, np.int64), np.empty(C, np.int64)
    count, failures = 0, 0
    for h in range(len(first)):
        a, b = first[h], second[h]
        if failures >= MOST_FAILURES:
            break
        if not (free[a] and free[b]):
            continue
        _, chosen = _best_third(meets, starts, a, b, free)
        chosen[camera[a]], chosen[camera[b]] = a, b
        for c in range(C):
            members[c] = place[chosen[c]] if chosen[c] >= 0 else -1
        if _gather(origins, rays, bounds, place, starts, free, members) < least_views:
            failures += 1
            continue
        found[count] = members
        count += 1
        for k in range(D):
            if members[camera[k]] == place[k]:
                free[k] = False
    return found[:count]


def _discover(
    origins: NDArray[np.float64],
    rays: NDArray[np.float64],
    bounds: NDArray[np.float64],
    taken: NDArray[np.int64],
    least_views: int,
) -> NDArray[np.int64]:
    """Return members (P, C) of the people among the detections that are in none of `taken` (T, C)."""
    left_over = (rays[..., 3] > 0).sum(axis=-1) >= FEWEST_JOINTS
    people, cameras = np.nonzero(taken >= 0)
    left_over[cameras, taken[people, cameras]] = False
    camera, place = np.nonzero(left_over)
    starts = np.searchsorted(camera, np.arange(len(origins) + 1)).astype(np.int64)
    meets = _pairs(origins, rays, bounds, camera, place)
    first, second = np.nonzero(np.triu(meets))
    support = _supports(meets, starts, first, second, least_views)
    order = np.argsort(-support, kind="stable")
    order = order[support[order] > 0]
    return _grow(origins, rays, bounds, camera, place, starts, meets, first[order], second[order], least_views)


@numba.njit(cache=True, nogil=True)
def _measure(
    origins: NDArray[np.float64],
    rays: NDArray[np.float64],
    bounds: NDArray[np.float64],
    members: NDArray[np.int64],
    prior: NDArray[np.float64],
    prior_m: NDArray[np.float64],
    X: NDArray[np.float64],
) -> None:
    """Release what does not meet and fill X (P, J, 3) from the rest; NaN for whom two views no longer see."""
    for p in range(len(members)):
        if _release(origins, rays, bounds, members[p]) >= 2:
            body_of(origins, rays, bounds, members[p], prior[p], prior_m[p], X[p])
            if _known(X[p]) < FEWEST_JOINTS:
                members[p, :] = -1
        if _views(members[p]) == 0:
            X[p] = math.nan


@numba.njit(cache=True, nogil=True)
def _agreement(
    origins: NDArray[np.float64],
    rays: NDArray[np.float64],
    bounds: NDArray[np.float64],
    members: NDArray[np.int64],
    X: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each person's support (P,), and squared errors (P, C * J) over `bounds`, NaN for under three views."""
    P, C = members.shape
    J = X.shape[1]
    support, squares = np.zeros(P), np.full((P, C * J), math.nan)
    for p in range(P):
        views = _views(members[p])
        for c in range(C):
            if members[p, c] < 0:
                continue
            for j in range(J):
                seen = rays[c, members[p, c], j]
                if seen[3] > 0.0 and np.isfinite(X[p, j, 0]):
                    r2 = squared_error(origins[c], seen, X[p, j], bounds[c], 0.0)
                    if r2 < 1.0:
                        support[p] += seen[3] * (1.0 - r2)
                    if views >= 3:
                        squares[p, c * J + j] = r2
    return support, squares


def find_in_frame(
    origins: NDArray[np.float64],
    rays: NDArray[np.float64],
    bounds: NDArray[np.float64],
    expected: NDArray[np.float64],
    slack_m: NDArray[np.float64],
    least_views: int,
) -> FramePeople:
    """Find the people of one frame set.

    Args:
        origins: (C, 3) where the cameras stand, m.
        rays: (C, N, J, 4) viewing rays and scores, score 0 for none.
        bounds: (C,) angle, rad, beyond which a joint does not agree.
        expected: (T, J, 3) where those who are followed expect their joints, m, NaN = unknown.
        slack_m: (T,) how far off that may be, m.
        least_views: fewest cameras that must see a new person; 0 looks for no new people.

    Returns:
        The T who were expected, then new ones.
    """
    T, C, J = len(expected), len(origins), rays.shape[2]
    members, X = np.full((T, C), -1, np.int64), expected.copy()
    _share_out(origins, rays, bounds, X, slack_m, members)
    _measure(origins, rays, bounds, members, expected, slack_m, X)
    if least_views > 0:
        members = np.concatenate([members, _discover(origins, rays, bounds, members, least_views)])
    P = len(members)
    prior, prior_m, slack = np.full((P, J, 3), np.nan), np.ones(P), np.zeros(P)
    prior[:T], prior_m[:T] = expected, slack_m
    X = np.concatenate([X, np.full((P - T, J, 3), np.nan)])
    # Everybody once more: one who was expected may hold what fits a new one better, or find now what was held.
    _measure(origins, rays, bounds, members[T:], prior[T:], prior_m[T:], X[T:])
    absent = (members[:T] < 0).all(axis=1)
    X[:T][absent], slack[:T][absent] = expected[absent], slack_m[absent]
    _share_out(origins, rays, bounds, X, slack, members)
    _measure(origins, rays, bounds, members, prior, prior_m, X)
    support, squares = _agreement(origins, rays, bounds, members, X)
    return FramePeople(members, X, support, np.sqrt(nanmedian(squares, axis=1)))
