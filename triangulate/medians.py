"""Medians of incomplete data over joints and over time."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

FEWEST_SAMPLES = 5
"""Frames below which a running median says nothing."""

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
        window_s: the median is over this time before and after, at least two frames.
    """
    if len(time_s) < FEWEST_SAMPLES or not X.size:
        return np.zeros(X.shape[:-1], bool)
    step = float(np.median(np.diff(time_s)))
    reach = max(2, round(window_s / step)) if step > 0 else 2
    middle = median_filter(_hold(X), size=(2 * reach + 1, 1, 1, 1), mode="nearest")
    return np.asarray(np.linalg.norm(X - middle, axis=-1) > limit_m)


def _hold(X: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fill gaps with the last value before them, or the first after; only for the running median, never for results."""
    frames = np.arange(len(X))[:, None, None]
    found = np.isfinite(X[..., 0])
    before = np.maximum.accumulate(np.where(found, frames, -1), axis=0)
    after = np.minimum.accumulate(np.where(found, frames, len(X))[::-1], axis=0)[::-1]
    source = np.where(before >= 0, before, np.minimum(after, len(X) - 1))
    return np.nan_to_num(np.take_along_axis(X, source[..., None], axis=0))
