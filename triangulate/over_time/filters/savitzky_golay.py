"""Savitzky-Golay: each sample from a polynomial through those around it."""

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from triskel.triangulate.over_time.filters.filtered import Filtered
from triskel.triangulate.over_time.runs import median_step_s, run_starts


@dataclass(frozen=True, kw_only=True)
class SavitzkyGolay:
    """Least-squares polynomial of degree 3 over a window in time (Savitzky & Golay 1964).

    Fitted to the times as they are, so uneven ones need no resampling. At the ends of a run the window becomes
    one-sided; a run of up to `degree` + 1 samples is left as it is.

    Attributes:
        window_s: whole length of the window, s; None for 0.25.
        degree: of the polynomial.
    """

    window_s: float | None = None
    degree: int = 3

    def smooth(self, X: NDArray[np.float64], time_s: NDArray[np.float64], cov_mm2: NDArray[np.float64]) -> Filtered:
        """See `Filter.smooth`; covariances shrink as white noise does in the fit."""
        step = median_step_s(time_s)
        if not step > 0:
            return Filtered(X.copy(), np.array(cov_mm2, dtype=np.float64))
        reach = max(self.degree // 2 + 1, round(0.5 * (self.window_s or 0.25) / step))
        starts = run_starts(X, time_s)
        out, gain = _fits(np.ascontiguousarray(X), np.ascontiguousarray(time_s), starts, reach, self.degree)
        return Filtered(out, gain[..., None, None] * cov_mm2)


@numba.njit(cache=True, nogil=True)
def _fits(
    X: NDArray[np.float64], time_s: NDArray[np.float64], starts: NDArray[np.bool_], reach: int, degree: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the fitted series, and the share of white noise's variance that is left in each sample."""
    F, S = X.shape[:2]
    out, gain = X.copy(), np.ones((F, S))
    # Equal windows at equal times have equal coefficients: the last window's are kept.
    kept, kept_t = np.zeros(2 * reach + 1), np.full(2 * reach + 1, np.nan)
    kept_n = 0
    for s in range(S):
        a = 0
        while a < F:
            if not starts[a, s]:
                a += 1
                continue
            b = a + 1
            while b < F and np.isfinite(X[b, s, 0]) and not starts[b, s]:
                b += 1
            if b - a > degree + 1:
                for f in range(a, b):
                    first = max(a, min(f - reach, b - 2 * reach - 1))
                    last = min(b, first + 2 * reach + 1)
                    same = kept_n == last - first
                    for k in range(first, last):
                        if not (same and abs(kept_t[k - first] - (time_s[k] - time_s[f])) < 1e-9):
                            same = False
                            break
                    if not same:
                        kept_n = last - first
                        t = time_s[first:last] - time_s[f]
                        kept_t[:kept_n] = t
                        kept[:kept_n] = _coefficients(t, degree)
                    gain[f, s] = 0.0
                    out[f, s] = 0.0
                    for k in range(kept_n):
                        gain[f, s] += kept[k] * kept[k]
                        for i in range(3):
                            out[f, s, i] += kept[k] * X[first + k, s, i]
            a = b
    return out, gain


@numba.njit(cache=True, nogil=True)
def _coefficients(t: NDArray[np.float64], degree: int) -> NDArray[np.float64]:
    """Return the weights with which samples at times t give the fitted polynomial's value at time 0."""
    scale = np.abs(t).max()
    powers = np.ones((len(t), degree + 1))
    for k in range(1, degree + 1):
        powers[:, k] = powers[:, k - 1] * (t / scale)
    return np.linalg.solve(powers.T @ powers, powers.T.copy())[0]
