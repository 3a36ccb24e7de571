"""Points that leave their own path in time and come back: found, worst first."""

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from triskel.triangulate.over_time.runs import BREAK, median_step_s
from triskel.triangulate.over_time.small_median import small_median

WINDOW_S = 0.10
FEWEST_FRAMES, MOST_FRAMES = 3, 40
"""The path is known from this time before and after, and from so many frames at least; more than the most of the
fastest cameras would take long and say no more."""

FEWEST_GUESSES = 3
HIGHEST_M_S2 = 100.0
"""Acceleration of a fast hand or foot. Beside a gap, where the path is known from one side, a movement may leave it by
so much bending; elsewhere what is usual around tells."""

ROUNDS = 4
"""Of dropping the worst and looking again: beside a sample far off, good ones seem to be off too."""

WORST = 0.5
"""In one round those go that are at least so far off as this share of the farthest around them."""


def path_of(
    X: NDArray[np.float64], time_s: NDArray[np.float64], window_s: float = WINDOW_S
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where the samples around each one have it, (F, S, 3) m, and how far off that usually is there, (F, S) m.

    The path is the median of the straight lines between a sample before and one after, so that, unlike a running
    median's, a steady movement is on its own path; at an end, of lines prolonged. How far samples usually are from it
    is a median too (Hampel 1974). Where nothing can be said, the sample itself and 0.

    Args:
        X: (F, S, 3) m, NaN = missing.
        time_s: (F,) s.
        window_s: time before and after that is used.
    """
    reach = _reach(time_s, window_s)
    path, distance, _ = _paths(np.ascontiguousarray(X), np.ascontiguousarray(time_s), reach)
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
    found = np.zeros(X.shape[:2], bool)
    series = np.arange(X.shape[1])
    left, times, reach = X.copy(), np.ascontiguousarray(time_s), _reach(time_s, WINDOW_S)
    for _ in range(ROUNDS):
        _, distance, bend_s2 = _paths(np.ascontiguousarray(left[:, series]), times, reach)
        usual_m = np.fmax(_local_median(distance, 2 * reach), sigma_m[:, series])
        off = np.nan_to_num(distance)
        off[off <= np.fmax(n_sigma * usual_m, least_m) + HIGHEST_M_S2 * bend_s2] = 0
        around = maximum_filter1d(off, 2 * reach + 1, axis=0)
        worst = (off > 0) & (off >= WORST * around)
        found[:, series] |= worst
        left[found] = np.nan
        series = series[worst.any(axis=0)]
        if not len(series):
            break
    return found


def _reach(time_s: NDArray[np.float64], window_s: float) -> int:
    """Return how many frames before and after a sample are within the window."""
    step = median_step_s(time_s)
    return min(max(FEWEST_FRAMES, round(window_s / step)), MOST_FRAMES) if step > 0 else FEWEST_FRAMES


@numba.njit(cache=True, nogil=True)
def _on_line(
    X: NDArray[np.float64],
    time_s: NDArray[np.float64],
    longest_s: float,
    f: int,
    a: int,
    b: int,
    out: NDArray[np.float64],
) -> float:
    """Write where the line through samples a and b is at frame f; return what a bend does to it, s^2; -1 for none."""
    if a < 0 or b < 0 or a >= len(X) or b >= len(X) or not (np.isfinite(X[a, 0]) and np.isfinite(X[b, 0])):
        return -1.0
    if max(abs(time_s[f] - time_s[a]), abs(time_s[f] - time_s[b])) > longest_s:
        return -1.0
    share = (time_s[f] - time_s[a]) / (time_s[b] - time_s[a])
    for i in range(3):
        out[i] = X[a, i] + share * (X[b, i] - X[a, i])
    return 0.5 * abs((time_s[f] - time_s[a]) * (time_s[b] - time_s[f]))


@numba.njit(cache=True, nogil=True)
def _guesses(
    X: NDArray[np.float64], time_s: NDArray[np.float64], longest_s: float, f: int, reach: int, out: NDArray[np.float64]
) -> tuple[int, float]:
    """Fill in where the samples around frame f of a series (F, 3) have it; return how many guesses there are.

    First from pairs about equally far before and after; where those are few, from any before and after, then from pairs
    on one side. These are off where the movement bends: by the acceleration times the second number returned, s^2.
    """
    n, total = 0, 0.0
    for uneven in (1, reach):
        n, total = 0, 0.0
        for before in range(1, reach + 1):
            for after in range(max(1, before - uneven), min(reach, before + uneven) + 1):
                bend = _on_line(X, time_s, longest_s, f, f - before, f + after, out[n])
                if bend >= 0.0:
                    n += 1
                    total += bend
        if n >= FEWEST_GUESSES:
            return n, total / n if uneven > 1 else 0.0
    n, total = 0, 0.0
    for way in (-1, 1):
        for near, far in ((1, 2), (1, 3), (2, 3)):
            bend = _on_line(X, time_s, longest_s, f, f + way * near, f + way * far, out[n])
            if bend >= 0.0:
                n += 1
                total += bend
    return n, total / max(n, 1)


@numba.njit(cache=True, nogil=True)
def _paths(
    X: NDArray[np.float64], time_s: NDArray[np.float64], reach: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return each sample's place by those around it, its distance from there, NaN where unknown, and the bend, s^2."""
    F, S = X.shape[:2]
    path, distance, bend = X.copy(), np.full((F, S), np.nan), np.zeros((F, S))
    guesses, column = np.empty((reach * reach + 6, 3)), np.empty(reach * reach + 6)
    # A break of the recording is not bridged.
    longest_s = BREAK * reach * np.median(np.diff(time_s)) if F > 1 else 0.0
    for s in range(S):
        one = X[:, s].copy()
        for f in range(F):
            if not np.isfinite(one[f, 0]):
                continue
            n, bend[f, s] = _guesses(one, time_s, longest_s, f, reach, guesses)
            if n < FEWEST_GUESSES:
                continue
            square = 0.0
            for i in range(3):
                column[:n] = guesses[:n, i]
                path[f, s, i] = small_median(column, n)
                square += (one[f, i] - path[f, s, i]) ** 2
            distance[f, s] = np.sqrt(square)
    return path, distance, bend


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
                out[f, s] = small_median(window, n)
    return out
