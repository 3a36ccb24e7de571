"""Medians of incomplete data over joints and over time."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

FEWEST_SAMPLES = 5
"""Frames below which a running median says nothing."""

LONGEST_STRETCH = 1.6
"""Frames of a window may be apart by this many times their usual distance."""

Float = TypeVar("Float", np.float32, np.float64)


def nanmedian(values: NDArray[Float], axis: int) -> NDArray[Float]:
    """Return the median without NaN, NaN where there is nothing; numpy's own warns of that."""
    ordered = np.sort(values, axis=axis)  # NaN last
    count = np.isfinite(values).sum(axis=axis, keepdims=True)
    low = np.take_along_axis(ordered, np.maximum((count - 1) // 2, 0), axis=axis)
    high = np.take_along_axis(ordered, np.minimum(np.maximum(count // 2, 0), values.shape[axis] - 1), axis=axis)
    return np.asarray(np.where(count > 0, 0.5 * (low + high), np.nan).squeeze(axis), dtype=values.dtype)


def leaves_median(
    X: NDArray[np.float64], time_s: NDArray[np.float64], limit_m: float, window_s: float
) -> NDArray[np.bool_]:
    """Return (F, N, J) True for points (F, N, J, 3) that leave their own running median and come back.

    Args:
        X: positions, m, NaN = missing.
        time_s: (F,) s.
        limit_m: how far from the median a point may be.
        window_s: the median is over this time before and after. Where that is less than two frames, or half of them
            are missing on either side, it says nothing.
    """
    if len(time_s) < FEWEST_SAMPLES or not X.size:
        return np.zeros(X.shape[:-1], bool)
    step = float(np.median(np.diff(time_s)))
    reach = round(window_s / step) if step > 0 else 0
    if reach < 2 or 2 * reach >= len(time_s):
        return np.zeros(X.shape[:-1], bool)
    middle = median_filter(_hold(X), size=(2 * reach + 1, 1, 1, 1), mode="nearest")
    left = np.linalg.norm(X - middle, axis=-1) > limit_m
    return np.asarray(left & _well_seen_around(np.isfinite(X[..., 0]), time_s, reach, LONGEST_STRETCH * reach * step))


def _well_seen_around(
    found: NDArray[np.bool_], time_s: NDArray[np.float64], reach: int, longest_s: float
) -> NDArray[np.bool_]:
    """Return (F, N, J) True where at least half of the `reach` frames before, and of those after, are found.

    And these frames are within `longest_s`, so that no break of the recording is among them.
    """
    total = np.concatenate([np.zeros((1, *found.shape[1:]), int), np.cumsum(found, axis=0)])
    f = np.arange(reach, len(found) - reach)
    enough = (2 * (total[f] - total[f - reach]) >= reach) & (2 * (total[f + reach + 1] - total[f + 1]) >= reach)
    unbroken = np.maximum(time_s[f] - time_s[f - reach], time_s[f + reach] - time_s[f]) <= longest_s
    out = np.zeros(found.shape, bool)
    out[f] = enough & unbroken[:, None, None]
    return out


def _hold(X: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fill gaps with the last value before them, or the first after; only for the running median, never for results."""
    frames = np.arange(len(X))[:, None, None]
    found = np.isfinite(X[..., 0])
    before = np.maximum.accumulate(np.where(found, frames, -1), axis=0)
    after = np.minimum.accumulate(np.where(found, frames, len(X))[::-1], axis=0)[::-1]
    source = np.where(before >= 0, before, np.minimum(after, len(X) - 1))
    return np.nan_to_num(np.take_along_axis(X, source[..., None], axis=0))
