"""Which of the assembled people to keep, and in what order."""

import math

import numba
import numpy as np
from numpy.typing import NDArray

_CLEAR = 0.05  # joints of at least this confidence say how large a person is
_FEW_BESIDE_FEET = 4  # somebody with feet and no more other parts than this is a pair of feet


@numba.njit(cache=True, nogil=True)
def _survivors(
    members: NDArray[np.int64],
    total: NDArray[np.float64],
    score: NDArray[np.float64],
    counted: NDArray[np.bool_],
    fewest_parts: int,
    least_score: float,
) -> NDArray[np.int64]:
    """Return the rows of `members` that have enough parts among the counted ones, and enough score."""
    kept = np.empty(len(members), np.int64)
    count = 0
    for person in range(len(members)):
        parts, others, confidence = 0, 0, 0.0
        for j in range(members.shape[1]):
            if members[person, j] >= 0:
                confidence += score[members[person, j]]
                parts += counted[j]
                others += not counted[j]
        if parts < fewest_parts or (others > 0 and parts <= _FEW_BESIDE_FEET):
            continue
        if (confidence + total[person]) / (parts + others) >= least_score:
            kept[count] = person
            count += 1
    return kept[:count]


@numba.njit(cache=True, nogil=True)
def keep_people(
    members: NDArray[np.int64],
    total: NDArray[np.float64],
    limbs: NDArray[np.int64],
    xy: NDArray[np.float64],
    score: NDArray[np.float64],
    counted: NDArray[np.bool_],
    fewest_parts: int,
    least_score: float,
    stride: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Keep the people with enough parts and score, best first.

    Parts that are not counted, feet, do not make a person, and do not belong to one with hardly another part. If that
    leaves nobody, feet count like all other parts: the picture may show nothing else.

    Args:
        members: (N, J) candidate of each part, -1 where missing.
        total: (N,) sum of the affinities used.
        limbs: (N,) their number.
        xy: (M, 2) candidates in map cells.
        score: (M,) their confidence.
        counted: (J,) False for parts that do not count.
        fewest_parts: see `ParseOptions`.
        least_score: see `ParseOptions`.
        stride: network input pixels per map cell.

    Returns:
        (N', J, 3) keypoints in network input px, NaN, NaN, 0 where missing; (N',) scores in [0, 1]. The best is who has
        the most of score times the square root of the box around the clear joints.
    """
    kept = _survivors(members, total, score, counted, fewest_parts, least_score)
    if len(kept) == 0:
        kept = _survivors(members, total, score, np.ones_like(counted), fewest_parts, least_score)
    J = members.shape[1]
    keypoints, scores, rank = np.empty((len(kept), J, 3)), np.empty(len(kept)), np.empty(len(kept))
    for n in range(len(kept)):
        person = kept[n]
        parts, confidence = 0, 0.0
        left, top, right, bottom = np.inf, np.inf, -np.inf, -np.inf
        for j in range(J):
            m = members[person, j]
            if m < 0:
                keypoints[n, j, 0], keypoints[n, j, 1], keypoints[n, j, 2] = np.nan, np.nan, 0.0
                continue
            x, y = (xy[m, 0] + 0.5) * stride - 0.5, (xy[m, 1] + 0.5) * stride - 0.5
            keypoints[n, j, 0], keypoints[n, j, 1], keypoints[n, j, 2] = x, y, min(score[m], 1.0)
            parts += 1
            confidence += score[m]
            if score[m] > _CLEAR:
                left, top, right, bottom = min(left, x), min(top, y), max(right, x), max(bottom, y)
        scores[n] = min(max((confidence + total[person]) / (parts + limbs[person]), 0.0), 1.0)
        # A box without extent still leaves an order by score.
        rank[n] = -scores[n] * math.sqrt(max(right - left, 0.0) * max(bottom - top, 0.0) + 1e-9)
    order = np.argsort(rank, kind="mergesort")
    return keypoints[order], scores[order]
