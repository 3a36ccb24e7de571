"""Limb candidates to people: the greedy parse with redundant connections (section 3.5 of the paper).

All limb candidates of all types are taken in one order, best first. A limb starts a person, extends one, or merges two
that share no part; a limb that contradicts what stronger ones decided is dropped. Redundant limbs (ear to shoulder)
need no rule of their own: they reconnect people whose tree was cut, and are ignored otherwise.
"""

import numba
import numpy as np
from numpy.typing import NDArray

PART_WEIGHT = 0.1
"""How much the confidence of the two parts counts beside the affinity when limbs are put in order."""


@numba.njit(cache=True, nogil=True)
def assemble(
    pairs: NDArray[np.int64],
    affinity: NDArray[np.float64],
    score: NDArray[np.float64],
    part_of: NDArray[np.int64],
    parts: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Join part candidates into people.

    Args:
        pairs: (K, 3) limb, candidate a, candidate b.
        affinity: (K,) of each pair.
        score: (M,) confidence of the candidates.
        part_of: (M,) part of each candidate.
        parts: number of parts J.

    Returns:
        (N, J) candidate of each part, -1 where missing; (N,) sum of the affinities used; (N,) their number.
    """
    most = min(len(pairs), len(score) // 2)  # who is started takes two candidates that nobody has
    members = np.full((most, parts), -1, np.int64)
    total = np.zeros(most)
    limbs = np.zeros(most, np.int64)
    person_of = np.full(len(score), -1, np.int64)
    people = 0
    rank = np.empty(len(pairs))
    for k in range(len(pairs)):
        rank[k] = -affinity[k] - PART_WEIGHT * (score[pairs[k, 1]] + score[pairs[k, 2]])
    for k in np.argsort(rank, kind="mergesort"):  # stable: equal limbs keep their order, results repeat
        a, b = pairs[k, 1], pairs[k, 2]
        pa, pb = person_of[a], person_of[b]
        if pa < 0 and pb < 0:
            members[people, part_of[a]], members[people, part_of[b]] = a, b
            person_of[a] = person_of[b] = people
            total[people], limbs[people] = affinity[k], 1
            people += 1
        elif pa == pb:
            total[pa] += affinity[k]
            limbs[pa] += 1
        elif pa < 0 or pb < 0:
            person, new = (pb, a) if pa < 0 else (pa, b)
            if members[person, part_of[new]] < 0:
                members[person, part_of[new]] = new
                person_of[new] = person
                total[person] += affinity[k]
                limbs[person] += 1
        else:
            _merge(members, total, limbs, person_of, pa, pb, affinity[k])
    kept = np.flatnonzero(limbs[:people] > 0)
    return members[kept], total[kept], limbs[kept]


@numba.njit(cache=True, nogil=True)
def _merge(
    members: NDArray[np.int64],
    total: NDArray[np.float64],
    limbs: NDArray[np.int64],
    person_of: NDArray[np.int64],
    a: int,
    b: int,
    affinity: float,
) -> None:
    """Move the parts of person b to person a unless they have a part in common."""
    for j in range(members.shape[1]):
        if members[a, j] >= 0 and members[b, j] >= 0:
            return
    for j in range(members.shape[1]):
        if members[b, j] >= 0:
            members[a, j] = members[b, j]
            person_of[members[b, j]] = a
    total[a] += total[b] + affinity
    limbs[a] += limbs[b] + 1
    limbs[b] = 0
