"""Who gets which: the assignment of greatest total gain, compiled, so that it can run within a frame."""

import math

import numba
import numpy as np
from numpy.typing import NDArray


@numba.njit(cache=True, nogil=True)
def assign(gain: NDArray[np.float64]) -> NDArray[np.int64]:
    """Give each row at most one column, and each column to at most one row, so that the total gain is greatest.

    Shortest augmenting paths (Kuhn 1955; the form with potentials of Jonker & Volgenant 1987). Of equal solutions the
    same one is found each time.

    Args:
        gain: (R, K), 0 or less where they do not belong together.

    Returns:
        (R,) each row's column, -1 for none.
    """
    R, K = gain.shape
    # Every row may also take a column of its own that gains nothing; so all rows are matched and the rest is theory.
    columns = K + R
    row_price, column_price = np.zeros(R + 1), np.zeros(columns + 1)
    owner, came_from = np.full(columns + 1, -1, np.int64), np.zeros(columns + 1, np.int64)
    for start in range(R):
        owner[columns] = start
        at = columns
        least = np.full(columns + 1, math.inf)
        done = np.zeros(columns + 1, np.bool_)
        while owner[at] >= 0:
            done[at] = True
            row, step, following = owner[at], math.inf, -1
            for k in range(columns):
                if done[k]:
                    continue
                cost = -gain[row, k] if k < K and gain[row, k] > 0.0 else (0.0 if k == K + row else 1e9)
                reduced = cost - row_price[row] - column_price[k]
                if reduced < least[k]:
                    least[k], came_from[k] = reduced, at
                if least[k] < step:
                    step, following = least[k], k
            for k in range(columns + 1):
                if done[k]:
                    row_price[owner[k]] += step
                    column_price[k] -= step
                else:
                    least[k] -= step
            at = following
        while at != columns:
            owner[at] = owner[came_from[at]]
            at = came_from[at]
    chosen = np.full(R, -1, np.int64)
    for k in range(K):
        if owner[k] >= 0 and gain[owner[k], k] > 0.0:
            chosen[owner[k]] = k
    return chosen
