"""Runs of samples: where a series goes on without a gap, and at what rate."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline, PchipInterpolator

BREAK = 1.6
"""A step in time longer than this many usual ones is a gap too: frame sets are missing, not only samples."""


def median_step_s(time_s: NDArray[np.float64]) -> float:
    """Return the usual time between two frame sets, s; 0 for fewer than two."""
    return float(np.median(np.diff(time_s))) if len(time_s) > 1 else 0.0


def run_starts(X: NDArray[np.float64], time_s: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (F, S) True for each sample of series X (F, S, 3) that has no sample one step before it."""
    found = np.isfinite(X[..., 0])
    starts = found.copy()
    if len(time_s) > 1:
        near = np.diff(time_s) <= BREAK * median_step_s(time_s)
        starts[1:] &= ~(found[:-1] & near[:, None])
    return starts


def runs(X: NDArray[np.float64], time_s: NDArray[np.float64]) -> Iterator[tuple[int, int, NDArray[np.intp]]]:
    """Yield first frame, end frame and the series (indices) of every run, series with equal runs together."""
    found = np.isfinite(X[..., 0])
    starts = run_starts(X, time_s)
    same: dict[tuple[int, int], list[int]] = {}
    for s in range(X.shape[1]):
        begin = np.flatnonzero(starts[:, s])
        last = found[:, s] & np.r_[starts[1:, s] | ~found[1:, s], True]
        for a, b in zip(begin.tolist(), (np.flatnonzero(last) + 1).tolist(), strict=True):
            same.setdefault((a, b), []).append(s)
    for (a, b), series in sorted(same.items()):
        yield a, b, np.array(series, dtype=np.intp)


CLOSE = 0.3
"""Samples nearer than this share of the usual step nearly coincide."""

EVEN = 0.02
"""Steps that differ by no more than this share of the usual one are taken as equal."""


def even_times(
    low_pass: Callable[[NDArray[np.float64]], NDArray[np.float64]], X: NDArray[np.float64], time_s: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Apply a filter that knows no times to one run (n, S, 3): at even times, if need be interpolated there and back.

    Interpolation is cubic both ways; the result is at the run's own times.
    """
    steps = np.diff(time_s)
    if np.ptp(steps) <= EVEN * np.median(steps):
        return low_pass(X)
    even = np.linspace(time_s[0], time_s[-1], len(time_s))
    # Through two samples that nearly coincide a spline swings far out; a monotone curve cannot.
    there = CubicSpline if steps.min() > CLOSE * np.median(steps) else PchipInterpolator
    filtered = low_pass(np.asarray(there(time_s, X, axis=0)(even)))
    return np.asarray(CubicSpline(even, filtered, axis=0)(time_s))


def white_gain(low_pass: Callable[[NDArray[np.float64]], NDArray[np.float64]], length: int) -> float:
    """Return the share of white noise's variance that a linear filter leaves."""
    impulse = np.zeros((length, 1))
    impulse[length // 2] = 1.0
    return float((low_pass(impulse) ** 2).sum())
