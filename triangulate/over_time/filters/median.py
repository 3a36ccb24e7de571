"""Running median: removes what lasts less than half its window, keeps edges."""

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from triskel.triangulate.over_time.filters.filtered import Filtered
from triskel.triangulate.over_time.runs import median_step_s, run_starts
from triskel.triangulate.over_time.small_median import small_median


@dataclass(frozen=True, kw_only=True)
class Median:
    """Median of each coordinate over a window centred on the sample; at the ends of a run the window shrinks.

    Attributes:
        window_s: whole length of the window, s; None for 0.1.
    """

    window_s: float | None = None

    def smooth(self, X: NDArray[np.float64], time_s: NDArray[np.float64], cov_mm2: NDArray[np.float64]) -> Filtered:
        """See `Filter.smooth`; covariances shrink as normal noise does in a median: pi / 2 that of a mean."""
        step = median_step_s(time_s)
        reach = max(1, round(0.5 * (self.window_s or 0.1) / step)) if step > 0 else 0
        out, size = _medians(np.ascontiguousarray(X), run_starts(X, time_s), reach)
        gain = np.where(size > 2, np.pi / (2 * (size + np.pi / 2 - 1)), 1.0)
        return Filtered(out, gain[..., None, None] * cov_mm2)


@numba.njit(cache=True, nogil=True)
def _medians(
    X: NDArray[np.float64], starts: NDArray[np.bool_], reach: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the running medians of every run, and how many samples each was taken of."""
    F, S = X.shape[:2]
    out, size, window = X.copy(), np.ones((F, S)), np.empty(2 * reach + 1)
    for s in range(S):
        a = 0
        while a < F:
            if not starts[a, s]:
                a += 1
                continue
            b = a + 1
            while b < F and np.isfinite(X[b, s, 0]) and not starts[b, s]:
                b += 1
            for f in range(a, b):
                k = min(reach, f - a, b - 1 - f)
                size[f, s] = 2 * k + 1
                for i in range(3):
                    window[: 2 * k + 1] = X[f - k : f + k + 1, s, i]
                    out[f, s, i] = small_median(window, 2 * k + 1)
            a = b
    return out, size
