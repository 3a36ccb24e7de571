"""How late each camera's pictures are, out of the people who move in them.

Where a picture is taken `lag` later than the frame set says, a joint that moves at v px/s is seen v * lag px ahead of
where the other cameras have it.
"""

import numpy as np
from numpy.typing import NDArray

from triskel.camera import Camera
from triskel.motion import Motion3D
from triskel.projection import project

LONGEST_STEP_S = 0.25
"""Between the frames before and after; over longer times the speed in between says little."""

FEWEST = 60
BLOCKS = 20
"""Neighbouring frames err alike, so the standard error counts this many blocks of time, not single detections."""

CAUCHY = 2.385
"""Scale of the robust weight in standard deviations: 95 % efficient for normal errors."""

ROUNDS = 10
MAD = 1.4826


def image_velocity(
    camera: Camera, motion: Motion3D, frames: NDArray[np.intp], joints: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return how fast joints move in a camera's image, (S, N, P, 2) px/s; NaN at the ends and beside what is missing.

    Args:
        camera: where.
        motion: the people, best after filtering.
        frames: (S,) in which frame sets.
        joints: (P,) which.
    """
    F = len(motion.time_s)
    before, after = np.maximum(frames - 1, 0), np.minimum(frames + 1, F - 1)
    step = motion.time_s[after] - motion.time_s[before]
    good = (frames > 0) & (frames < F - 1) & (step > 0) & (step <= LONGEST_STEP_S)
    X = motion.points.X[:, :, joints]
    moved = project(camera, X[after]) - project(camera, X[before])
    return np.asarray(moved / np.where(good, step, np.nan)[:, None, None, None])


def camera_lags(
    residual: NDArray[np.float64], velocity: NDArray[np.float64], shares: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Estimate each camera's lag from points that were made without it.

    The other cameras' lags are in those points, each to the share that it had in them; that is solved for. Lags have no
    common zero: the median camera has none.

    Args:
        residual: (C, S, N, P, 2) detection - reprojection, px.
        velocity: (C, S, N, P, 2) px/s.
        shares: (C, C) how often the points made without camera c used camera k.

    Returns:
        (C,) lag and (C,) its standard error, s; NaN where nobody moves or is seen.
    """
    C, S = residual.shape[:2]
    block = np.broadcast_to((np.arange(S) * BLOCKS // max(S, 1))[:, None, None], residual.shape[1:-1])
    apparent, sigma = np.array([_slope(velocity[c], residual[c], block) for c in range(C)]).T
    known = np.isfinite(apparent)
    if known.sum() < 3:
        return np.full(C, np.nan), np.full(C, np.nan)
    part = shares[np.ix_(known, known)]
    part = part / np.maximum(part.sum(axis=1, keepdims=True), 1)
    lag = np.full(C, np.nan)
    lag[known] = np.linalg.lstsq(np.eye(int(known.sum())) - part, apparent[known], rcond=1e-6)[0]
    return lag - np.nanmedian(lag), sigma


def _slope(v: NDArray[np.float64], r: NDArray[np.float64], block: NDArray[np.intp]) -> tuple[float, float]:
    """Return b of r = a + b v, robustly, with one a for each axis, and its standard error; NaN if v says nothing."""
    good = np.isfinite(v[..., 0]) & np.isfinite(r[..., 0])
    if good.sum() < FEWEST:
        return float("nan"), float("nan")
    v, r, block = v[good], r[good], block[good]
    slope, start = 0.0, np.median(r, axis=0)
    weight = np.ones_like(r)
    for _ in range(ROUNDS):
        left = r - start - slope * v
        scale = max(MAD * float(np.median(np.abs(left))), 1e-6)
        weight = 1 / (1 + (left / (CAUCHY * scale)) ** 2)
        mean_v, mean_r = ((weight * one).sum(axis=0) / weight.sum(axis=0) for one in (v, r))
        spread = float((weight * (v - mean_v) ** 2).sum())
        if not spread > 0:
            return float("nan"), float("nan")
        slope = float((weight * (v - mean_v) * (r - mean_r)).sum()) / spread
        start = mean_r - slope * mean_v
    pull = (weight * (v - mean_v) * (r - start - slope * v)).sum(axis=-1)
    blocks = np.bincount(block, pull, minlength=BLOCKS)
    return slope, float(np.sqrt((blocks**2).sum())) / spread
