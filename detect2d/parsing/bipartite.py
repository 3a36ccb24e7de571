"""Limb candidates to people over a tree, each limb by itself: equations 13 to 16 and Fig. 6d of the paper.

The limbs of a spanning tree are matched one after another by the Hungarian algorithm. People need no further decision:
a candidate has at most one partner for each limb, and a tree leads to each part by one way only.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment


def match_tree(pairs: NDArray[np.int64], affinity: NDArray[np.float64], tree: tuple[int, ...]) -> NDArray[np.intp]:
    """Choose the pairs of the greatest total affinity such that a candidate has one partner at most for each limb.

    Args:
        pairs: (K, 3) limb, candidate a, candidate b.
        affinity: (K,) of each pair, positive.
        tree: indices of the limbs that form a tree; pairs of others are not chosen.

    Returns:
        Indices of the chosen pairs.
    """
    chosen = [np.zeros(0, np.intp)]
    for limb in tree:
        index = np.flatnonzero(pairs[:, 0] == limb)
        if not len(index):
            continue
        row_of, rows = np.unique(pairs[index, 1], return_inverse=True)
        column_of, columns = np.unique(pairs[index, 2], return_inverse=True)
        # A pair that is no limb adds nothing, so whoever the algorithm gives such a pair stays alone.
        weight = np.zeros((len(row_of), len(column_of)))
        pair_at = np.full(weight.shape, -1)
        weight[rows, columns], pair_at[rows, columns] = affinity[index], index
        taken = pair_at[linear_sum_assignment(weight, maximize=True)]
        chosen.append(taken[taken >= 0])
    return np.sort(np.concatenate(chosen))
