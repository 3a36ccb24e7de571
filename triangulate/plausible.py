"""What no body does: joints metres from the rest, limbs of changing length, positions that jump and come back.

A false detection that two or three cameras share passes every geometric test. A person's own body over the session does
not let it pass: such points become missing, never corrected.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from triskel.keypoints import Points3D
from triskel.skeleton import Skeleton

FARTHEST_M = 1.5
"""How far a joint may be from the middle of its person."""

LIMB_RANGE = (0.55, 1.6)
"""Shortest and longest a limb may appear, as a share of its median over the session."""

JUMP_M = 0.15
JUMP_WINDOW_S = 0.15
"""A joint farther than this from its median over this time before and after is an outlier."""

FEWEST_SAMPLES = 5


def drop_implausible(skeleton: Skeleton, points: Points3D, time_s: NDArray[np.float64]) -> Points3D:
    """Return the points without those that cannot belong to a body.

    Args:
        skeleton: its limbs are taken to be rigid.
        points: leading shape (F, N, J).
        time_s: (F,) s.

    Returns:
        The same points; dropped ones are NaN with score 0 and no views.
    """
    X = points.X.copy()
    X[_far_away(X)] = np.nan
    X[_bad_limbs(skeleton, X, points)] = np.nan
    X[_jumps(X, time_s)] = np.nan
    gone = np.isnan(X[..., 0]) & np.isfinite(points.X[..., 0])
    return Points3D(
        X=X,
        score=np.where(gone, 0.0, points.score),
        reproj_px=np.where(gone, np.nan, points.reproj_px),
        views=points.views & ~gone[..., None],
        sigma_mm=np.where(gone[..., None], np.nan, points.sigma_mm),
    )


def _nanmedian(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Return the median without NaN, NaN where there is nothing; numpy's own warns of that."""
    ordered = np.sort(values, axis=axis)  # NaN last
    count = np.isfinite(values).sum(axis=axis, keepdims=True)
    low = np.take_along_axis(ordered, np.maximum((count - 1) // 2, 0), axis=axis)
    high = np.take_along_axis(ordered, np.minimum(np.maximum(count // 2, 0), values.shape[axis] - 1), axis=axis)
    return np.where(count > 0, 0.5 * (low + high), np.nan).squeeze(axis)


def _far_away(X: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (F, N, J) True for joints too far from the middle of their person."""
    if not X.size:
        return np.zeros(X.shape[:-1], bool)
    return np.linalg.norm(X - _nanmedian(X, axis=2)[:, :, None], axis=-1) > FARTHEST_M


def _bad_limbs(skeleton: Skeleton, X: NDArray[np.float64], points: Points3D) -> NDArray[np.bool_]:
    """Return (F, N, J) True for the worse end of each limb of impossible length."""
    bad = np.zeros(X.shape[:-1], bool)
    if not X.size:
        return bad
    limbs = np.array(skeleton.limbs)
    lengths = np.linalg.norm(X[:, :, limbs[:, 0]] - X[:, :, limbs[:, 1]], axis=-1)
    typical = _nanmedian(lengths, axis=0)
    enough = np.isfinite(lengths).sum(axis=0) >= FEWEST_SAMPLES
    wrong = enough & ((lengths < LIMB_RANGE[0] * typical) | (lengths > LIMB_RANGE[1] * typical))
    blame = np.zeros(X.shape[:-1])
    for (a, b), at_fault in zip(limbs, np.moveaxis(wrong, -1, 0), strict=True):
        blame[:, :, a] += at_fault
        blame[:, :, b] += at_fault
    # Of two ends equally often at fault the one seen worse goes: fewer views, then the larger error.
    worse = blame - 0.1 * points.n_views + 1e-4 * np.nan_to_num(points.reproj_px)
    for (a, b), at_fault in zip(limbs, np.moveaxis(wrong, -1, 0), strict=True):
        a_worse = worse[:, :, a] > worse[:, :, b]
        bad[:, :, a] |= at_fault & a_worse
        bad[:, :, b] |= at_fault & ~a_worse
    return bad


def _jumps(X: NDArray[np.float64], time_s: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (F, N, J) True for joints that leave their own running median and come back."""
    if len(time_s) < FEWEST_SAMPLES or not X.size:
        return np.zeros(X.shape[:-1], bool)
    step = float(np.median(np.diff(time_s)))
    reach = max(2, round(JUMP_WINDOW_S / step)) if step > 0 else 2
    filled = _hold(X)
    middle = median_filter(filled, size=(2 * reach + 1, 1, 1, 1), mode="nearest")
    return np.linalg.norm(X - middle, axis=-1) > JUMP_M


def _hold(X: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fill gaps with the last value before them, or the first after; only for the running median, never for results."""
    frames = np.arange(len(X))[:, None, None]
    found = np.isfinite(X[..., 0])
    before = np.maximum.accumulate(np.where(found, frames, -1), axis=0)
    after = np.minimum.accumulate(np.where(found, frames, len(X))[::-1], axis=0)[::-1]
    source = np.where(before >= 0, before, np.minimum(after, len(X) - 1))
    return np.nan_to_num(np.take_along_axis(X, source[..., None], axis=0))
