"""What every filter of finished recordings is: a method of smoothing series of positions, and what it returns."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray


class Filtered(NamedTuple):
    """Series after a filter.

    Attributes:
        X: (F, S, 3) m; NaN exactly where the series were.
        cov_mm2: (F, S, 3, 3) covariance of the filtered positions, mm^2; NaN where missing.
    """

    X: NDArray[np.float64]
    cov_mm2: NDArray[np.float64]


class Filter(Protocol):
    """A way to smooth a finished recording, without a lag.

    A filter neither invents a sample nor drops one, and never looks across a gap: what lies between two runs of samples
    is unknown, and so is whether they belong to one movement.
    """

    def smooth(self, X: NDArray[np.float64], time_s: NDArray[np.float64], cov_mm2: NDArray[np.float64]) -> Filtered:
        """Smooth S series.

        Args:
            X: (F, S, 3) positions, m, NaN = missing.
            time_s: (F,) increasing, s; steps need not be equal.
            cov_mm2: (F, S, 3, 3) covariance of each position, mm^2; NaN where missing.
        """
        ...
