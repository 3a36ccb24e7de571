"""Which detection in one camera is which in another: the people of one frame set, globally consistent.

People who are followed already say where they expect their joints; each camera's detections are shared out among them
so that the agreement is greatest in total. What a person got must then agree among itself, whatever was expected: views
that do not meet the others are released, joints are measured again, and the detections shared out once more. What
nobody took is searched for new people: pairs of detections that meet, best supported by other cameras first.
"""

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from triskel.triangulate.affinity import FEWEST_JOINTS, body_agrees, body_of, rays_agree
from triskel.triangulate.matching import assign

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
        error: median error of the joints of well seen people as a share of `bounds`; NaN if there are none.
    """

    members: NDArray[np.int64]
    X: NDArray[np.float64]
    support: NDArray[np.float64]
    error: float


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
def _release(
    origins: NDArray[np.float64], rays: NDArray[np.float64], bounds: NDArray[np.float64], members: NDArray[np.int64]
) -> int:
    """Drop from one person's `members` (C,) those that do not meet the others; return how many are left.

    The view that agrees most with all others is the first one kept. Each next one must agree with those kept.
    """
    C = len(members)
    meets = np.zeros((C, C))
    for a in range(C):
        for b in range(a + 1, C):
            if members[a] >= 0 and members[b] >= 0:
                meets[a, b] = rays_agree(
                    origins[a], rays[a, members[a]], bounds[a], origins[b], rays[b, members[b]], bounds[b]
                )
                meets[b, a] = meets[a, b]
    order = np.argsort(-np.sum(meets, axis=1), kind="mergesort")
    kept = np.zeros(C, np.bool_)
    left = 0
    for c in order:
        if members[c] < 0:
            continue
        total = 0.0
        for k in range(C):
            if kept[k]:
                total += meets[c, k]
        if left == 0 or total >= LEAST_AGREEMENT * left:
            kept[c] = True
            left += 1
    for c in range(C):
        if not kept[c] or left < 2:
            members[c] = -1
    return left if left >= 2 else 0


@numba.njit(cache=True, nogil=True)
def _known(X: NDArray[np.float64]) -> int:
    return int(np.isfinite(X[:, 0]).sum())


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
                agreement = rays_agree(origins[c], rays[c, place[a]], bounds[c], origins[k], rays[k, place[b]], bounds[k])
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
def _discover(
    origins: NDArray[np.float64],
    rays: NDArray[np.float64],
    bounds: NDArray[np.float64],
    taken: NDArray[np.bool_],
    least_views: int,
) -> NDArray[np.int64]:
    """Return members (P, C) of the people among the detections that are not `taken` (C, N)."""
    C, N, J, _ = rays.shape
    places = np.empty((C * N, 2), np.int64)
    starts = np.zeros(C + 1, np.int64)
    D = 0
    for c in range(C):
        for n in range(N):
            if not taken[c, n] and (rays[c, n, :, 3] > 0.0).sum() >= FEWEST_JOINTS:
                places[D, 0], places[D, 1] = c, n
                D += 1
        starts[c + 1] = D
    camera, place = places[:D, 0].copy(), places[:D, 1].copy()
    free = np.ones(D, np.bool_)
    meets = _pairs(origins, rays, bounds, camera, place)
    first, second = np.nonzero(np.triu(meets))
    support = np.zeros(len(first))
    for h in range(len(first)):
        total, chosen = _best_third(meets, starts, first[h], second[h], free)
        if (chosen >= 0).sum() + 2 >= least_views:
            support[h] = total
    found = np.full((max(D // 2, 1), C), -1, np.int64)
    X, unknown, count, failures = np.empty((J, 3)), np.full((J, 3), np.nan), 0, 0
    for h in np.argsort(-support, kind="mergesort"):
        a, b = first[h], second[h]
        if support[h] <= 0.0 or failures >= MOST_FAILURES:
            break
        if not (free[a] and free[b]):
            continue
        _, chosen = _best_third(meets, starts, a, b, free)
        chosen[camera[a]], chosen[camera[b]] = a, b
        members = found[count]
        for c in range(C):
            members[c] = place[chosen[c]] if chosen[c] >= 0 else -1
        views = _release(origins, rays, bounds, members)
        body_of(origins, rays, bounds, members, unknown, 1.0, X)
        if views >= 2 and _known(X) >= FEWEST_JOINTS:
            # Now that the joints are known, other detections may fit them better.
            for c in range(C):
                best = 0.0
                members[c] = -1
                for k in range(starts[c], starts[c + 1]):
                    if free[k]:
                        gained, possible = body_agrees(origins[c], rays[c, place[k]], X, bounds[c], 0.0)
                        if gained > best and gained >= LEAST_AGREEMENT * possible:
                            best, members[c] = gained, place[k]
            views = _release(origins, rays, bounds, members)
        if views < least_views:
            failures += 1
            members[:] = -1
            continue
        for k in range(D):
            if members[camera[k]] == place[k]:
                free[k] = False
        count += 1
    return found[:count]


@numba.njit(cache=True, nogil=True)
def find_in_frame(
    origins: NDArray[np.float64],
    rays: NDArray[np.float64],
    bounds: NDArray[np.float64],
    expected: NDArray[np.float64],
    slack_m: NDArray[np.float64],
    least_views: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], float]:
    """Find the people of one frame set.

    Args:
        origins: (C, 3) where the cameras stand, m.
        rays: (C, N, J, 4) viewing rays and scores, score 0 for none.
        bounds: (C,) angle, rad, beyond which a joint does not agree.
        expected: (T, J, 3) where those who are followed expect their joints, m, NaN = unknown.
        slack_m: (T,) how far off that may be, m.
        least_views: fewest cameras that must see a new person; 0 looks for no new people.

    Returns:
        The fields of `FramePeople`.
    """
    C, N, J, _ = rays.shape
    T = len(expected)
    members = np.full((T, C), -1, np.int64)
    X = expected.copy()
    if T:
        _share_out(origins, rays, bounds, X, slack_m, members)
        _measure(origins, rays, bounds, members, expected, slack_m, X, slack_m)
    taken = np.zeros((C, N), np.bool_)
    for p in range(T):
        for c in range(C):
            if members[p, c] >= 0:
                taken[c, members[p, c]] = True
    if least_views > 0:
        fresh = _discover(origins, rays, bounds, taken, least_views)
        P = T + len(fresh)
        members = np.concatenate((members, fresh))
        prior = np.full((P, J, 3), np.nan)
        prior[:T] = expected
        prior_m, slack = np.ones(P), np.zeros(P)
        prior_m[:T] = slack_m
        everybody = np.full((P, J, 3), np.nan)
        everybody[:T] = X
        for p in range(T, P):
            body_of(origins, rays, bounds, members[p], prior[p], 1.0, everybody[p])
        X = everybody
    else:
        P, prior, prior_m, slack = T, expected, slack_m, np.zeros(T)
    for p in range(T):
        if (members[p] >= 0).sum() == 0:
            X[p] = expected[p]
            slack[p] = slack_m[p]
    if P:
        _share_out(origins, rays, bounds, X, slack, members)
        _measure(origins, rays, bounds, members, prior, prior_m, X, slack)
    support = np.zeros(P)
    errors = np.empty(P * C * J)
    count = 0
    for p in range(P):
        views = (members[p] >= 0).sum()
        for c in range(C):
            if members[p, c] < 0:
                continue
            for j in range(J):
                seen = rays[c, members[p, c], j]
                if seen[3] > 0.0 and np.isfinite(X[p, j, 0]):
                    v0, v1, v2 = X[p, j, 0] - origins[c, 0], X[p, j, 1] - origins[c, 1], X[p, j, 2] - origins[c, 2]
                    along = v0 * seen[0] + v1 * seen[1] + v2 * seen[2]
                    off2 = v0 * v0 + v1 * v1 + v2 * v2 - along * along
                    r2 = max(off2, 0.0) / (along * along * bounds[c] * bounds[c])
                    if r2 < 1.0:
                        support[p] += seen[3] * (1.0 - r2)
                    if views >= 3:
                        errors[count] = r2
                        count += 1
    error = np.sqrt(np.median(errors[:count])) if count > 0 else np.nan
    return members, X, support, error


@numba.njit(cache=True, nogil=True)
def _measure(
    origins: NDArray[np.float64],
    rays: NDArray[np.float64],
    bounds: NDArray[np.float64],
    members: NDArray[np.int64],
    prior: NDArray[np.float64],
    prior_m: NDArray[np.float64],
    X: NDArray[np.float64],
    slack_m: NDArray[np.float64],
) -> None:
    """Release what does not meet and fill X (P, J, 3) from the rest; NaN for whom two views no longer see."""
    for p in range(len(members)):
        if _release(origins, rays, bounds, members[p]) >= 2:
            body_of(origins, rays, bounds, members[p], prior[p], prior_m[p], X[p])
            if _known(X[p]) < FEWEST_JOINTS:
                members[p] = -1
        if (members[p] >= 0).sum() == 0:
            X[p] = np.nan
