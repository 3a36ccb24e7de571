"""Hampel: only samples off their path are replaced, by the path."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triskel.triangulate.over_time.filters.filtered import Filtered
from triskel.triangulate.over_time.outliers import WINDOW_S, path_of


@dataclass(frozen=True, kw_only=True)
class Hampel:
    """Replace samples far from where those around them have them; leave all others as they are (Hampel 1974).

    Attributes:
        window_s: time before and after a sample that says where it should be, s; None for 0.1.
        n_sigma: how far is far, in standard deviations of the distances around.
    """

    window_s: float | None = None
    n_sigma: float = 4.0

    def smooth(self, X: NDArray[np.float64], time_s: NDArray[np.float64], cov_mm2: NDArray[np.float64]) -> Filtered:
        """See `Filter.smooth`; a replaced sample gets the square of its distance as variance."""
        path, usual_m = path_of(X, time_s, self.window_s or WINDOW_S)
        off = np.linalg.norm(X - path, axis=-1)
        # 1.54 is the median of the norm of three normal numbers.
        replaced = off > self.n_sigma * usual_m / 1.54
        cov = np.array(cov_mm2, dtype=np.float64)
        cov[replaced] = 1e6 / 3 * (off[replaced] ** 2)[:, None, None] * np.eye(3)
        return Filtered(np.where(replaced[..., None], path, X), cov)
