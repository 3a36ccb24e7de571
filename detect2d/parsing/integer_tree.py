"""Limb candidates to people over a tree, all limbs in one integer programme: Fig. 6c of the paper.

A person on a tree needs no transitive rows: a candidate has one partner at most for each limb, and the tree leads to a
part by one way only. The programme therefore falls apart into one matching for each limb, and its optimum is that of
`bipartite`; it is here because the paper compares both, and it shows what a general solver takes for the same people.
"""

import time

import numpy as np
from numpy.typing import NDArray

from triskel.detect2d.parsing.programme import Programme, warn_of_the_limit


def match_tree_at_once(
    pairs: NDArray[np.int64],
    affinity: NDArray[np.float64],
    part_of: NDArray[np.int64],
    tree: tuple[int, ...],
    *,
    time_limit_s: float,
) -> NDArray[np.intp]:
    """Choose the pairs of the greatest total affinity such that a candidate has one partner at most for each limb.

    Args:
        pairs: (K, 3) limb, candidate a, candidate b.
        affinity: (K,) of each pair, positive.
        part_of: (M,) part of each candidate.
        tree: indices of the limbs that form a tree; pairs of others are not chosen.
        time_limit_s: after this the best choice so far is returned, and a warning logged.

    Returns:
        Indices of the chosen pairs.
    """
    index = np.flatnonzero(np.isin(pairs[:, 0], tree))
    if not len(index):
        return index
    programme = Programme()
    for k in index:
        programme.add_variable(float(affinity[k]))
    programme.add_matching(pairs[index, 1:], part_of)
    taken, optimal = programme.solve(time.monotonic() + time_limit_s)
    if not optimal:
        warn_of_the_limit(len(index))
    return index if taken is None else index[taken]
