"""Points that leave their own path in time and come back: found, and made missing."""

import numba
import numpy as np
from numpy.typing import NDArray

from triskel.triangulate.over_time.runs import median_step_s

WINDOW_S = 0.10
"""The path is known from this time before and after; at least two frames on either side."""


def path_of(
    X: NDArray[np.float64], time_s: NDArray[np.float64], window_s: float = WINDOW_S
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where the samples around each one have it, (F, S, 3) m, and how far off that usually is there, (F, S) m.

    The path is the median of the middles between samples equally far before and after, so that, unlike a running
    median's, a steady movement is on its own path. How far samples usually are from it is a median too (Hampel 1974).
    Where nothing can be said, the sample itself and 0.

    Args:
        X: (F, S, 3) m, NaN = missing.
        time_s: (F,) s.
        window_s: time before and after that is used.
    """
    step = median_step_s(time_s)
    reach = max(2, round(window_s / step)) if step > 0 else 2
    path, distance = _paths(np.ascontiguousarray(X), reach)
    return path, _local_median(distance, 2 * reach)


def outliers(
    X: NDArray[np.float64],
    time_s: NDArray[np.float64],
    sigma_m: NDArray[np.float64],
    *,
    n_sigma: float,
    least_m: float,
) -> NDArray[np.bool_]:
    """Return (F, S) True for samples off their path.

    Args:
        X: (F, S, 3) m, NaN = missing.
        time_s: (F,) s.
        sigma_m: (F, S) standard deviation of each sample, m; NaN where missing or unknown.
        n_sigma: a sample is off by more than so many times the usual distance there, and its own deviation.
        least_m: and by more than this, m: less does no harm, and steps in fast movements are as large.
    """
    path, usual_m = path_of(X, time_s)
    scale = np.fmax(usual_m, sigma_m)
    off = np.linalg.norm(X - path, axis=-1)
    return np.asarray(off > np.fmax(n_sigma * scale, least_m))


@numba.njit(cache=True, nogil=True)
def _guesses(X: NDArray[np.float64], f: int, reach: int, out: NDArray[np.float64]) -> int:
    """Fill in where the samples around frame f of a series (F, 3) have it; return how many guesses there are."""
    F, n = len(X), 0
    for k in range(1, reach + 1):
        if f - k >= 0 and f + k < F and np.isfinite(X[f - k, 0]) and np.isfinite(X[f + k, 0]):
            out[n] = 0.5 * (X[f - k] + X[f + k])
            n += 1
    if n >= 2:
        return n
    # At an end of the series: the line through two samples on one side, prolonged.
    for k in range(1, reach + 1):
        for way in (-1, 1):
            a, b = f + way * k, f + 2 * way * k
            if 0 <= b < F and n < len(out) and np.isfinite(X[a, 0]) and np.isfinite(X[b, 0]):
                out[n] = 2 * X[a] - X[b]
                n += 1
    return n


@numba.njit(cache=True, nogil=True)
def _paths(X: NDArray[np.float64], reach: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each sample's place by those around it, and its distance from there; NaN distance where unknown."""
    F, S = X.shape[:2]
    path, distance = X.copy(), np.full((F, S), np.nan)
    guesses = np.empty((2 * reach, 3))
    for s in range(S):
        for f in range(F):
            if not np.isfinite(X[f, s, 0]):
                continue
            n = _guesses(X[:, s], f, reach, guesses)
            if n < 2:
                continue
            square = 0.0
            for i in range(3):
                path[f, s, i] = np.median(guesses[:n, i])
                square += (X[f, s, i] - path[f, s, i]) ** 2
            distance[f, s] = np.sqrt(square)
    return path, distance


@numba.njit(cache=True, nogil=True)
def _local_median(values: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    """Return the running median (F, S), `reach` frames before and after, of what is not NaN; 0 of nothing."""
    F, S = values.shape
    out, window = np.zeros((F, S)), np.empty(2 * reach + 1)
    for s in range(S):
        for f in range(F):
            n = 0
            for g in range(max(0, f - reach), min(F, f + reach + 1)):
                if np.isfinite(values[g, s]):
                    window[n] = values[g, s]
                    n += 1
            if n:
                out[f, s] = np.median(window[:n])
    return out
