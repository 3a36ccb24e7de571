"""The median of a handful of numbers, compiled: numpy's own, compiled, takes seconds to build and is made for many."""

import numba
import numpy as np
from numpy.typing import NDArray


@numba.njit(cache=True, nogil=True)
def small_median(values: NDArray[np.float64], n: int) -> float:
    """Return the median of the first n values, n at least 1, sorting them in place."""
    for i in range(1, n):
        one = values[i]
        k = i
        while k > 0 and values[k - 1] > one:
            values[k] = values[k - 1]
            k -= 1
        values[k] = one
    return 0.5 * (values[(n - 1) // 2] + values[n // 2])
