"""Short gaps filled by a curve between the samples around them: marked, with a covariance that says how sure it is."""

import numba
import numpy as np
from numpy.typing import NDArray

from triskel.keypoints import Missing, Points3D
from triskel.triangulate.medians import nanmedian

TREND_S = 0.07
"""A speed is measured over this time before or after a gap: one step's difference is mostly noise."""

SCORE_SHARE = 0.5
"""A filled point has this share of the lower score beside the gap: it has a place, and nobody saw it."""

BEND = 0.5
"""How much of its usual acceleration a movement may change by within a gap, for the covariance."""


def fill_gaps(
    points: Points3D, time_s: NDArray[np.float64], *, longest_gap_s: float
) -> tuple[Points3D, NDArray[np.bool_]]:
    """Fill gaps between samples that are at most `longest_gap_s` apart; nothing before the first or after the last.

    The curve is a cubic with the positions and speeds of both sides (Hermite).

    Args:
        points: leading shape (F, N, J).
        time_s: (F,) s.
        longest_gap_s: from the last sample before a gap to the first after it, s. 0 fills nothing.

    Returns:
        The points and (F, N, J) True where they were filled. A filled point has half the lower score beside its gap, no
        view, no reprojection error, a covariance that grows towards the gap's middle, and counts as found.
    """
    F, N, J = points.score.shape
    filled = np.zeros((F, N, J), bool)
    if F < 3 or not N or not longest_gap_s > 0:
        return points, filled
    X = np.ascontiguousarray(points.X.reshape(F, N * J, 3))
    before, after = _neighbours(np.isfinite(X[..., 0]))
    f, s = np.nonzero(~np.isfinite(X[..., 0]) & (before >= 0) & (after < F))
    near = time_s[after[f, s]] - time_s[before[f, s]] <= longest_gap_s * (1 + 1e-9)
    f, s = f[near], s[near]
    if not len(f):
        return points, filled
    a, b = before[f, s], after[f, s]
    speed_before, speed_after = _speeds(X, time_s)
    span = time_s[b] - time_s[a]
    u = (time_s[f] - time_s[a]) / span
    place = _hermite(u[:, None], span[:, None], X[a, s], X[b, s], speed_before[a, s], speed_after[b, s])
    cov = points.cov_mm2.reshape(F, N * J, 3, 3).astype(np.float64)
    v = u[:, None, None]
    middle = BEND * _usual_acceleration(X, time_s)[s] * 0.5 * u * (1 - u) * span**2
    grown = (1 - v) * cov[a, s] + v * cov[b, s] + 1e6 * (middle**2)[:, None, None] * np.eye(3)
    out_X, out_cov = X.copy(), points.cov_mm2.reshape(F, N * J, 3, 3).copy()
    out_X[f, s], out_cov[f, s] = place, grown
    score, missing = points.score.reshape(F, -1).copy(), points.missing.reshape(F, -1).copy()
    score[f, s] = SCORE_SHARE * np.minimum(score[a, s], score[b, s])
    missing[f, s] = Missing.FOUND
    filled.reshape(F, -1)[f, s] = True
    result = points._replace(
        X=out_X.reshape(points.X.shape),
        score=score.reshape(points.score.shape),
        cov_mm2=out_cov.reshape(points.cov_mm2.shape),
        missing=missing.reshape(points.missing.shape),
    )
    return result, filled


def _neighbours(found: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return (F, S) the last frame found up to each, -1 for none, and the first from each on, F for none."""
    F = len(found)
    frames = np.arange(F)[:, None]
    before = np.maximum.accumulate(np.where(found, frames, -1), axis=0)
    after = np.minimum.accumulate(np.where(found, frames, F)[::-1], axis=0)[::-1]
    return before, after


def _hermite(
    u: NDArray[np.float64],
    span_s: NDArray[np.float64],
    X0: NDArray[np.float64],
    X1: NDArray[np.float64],
    V0: NDArray[np.float64],
    V1: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the cubic from X0 with speed V0 to X1 with speed V1, at the share u of the way."""
    w = 1 - u
    return np.asarray(
        (1 + 2 * u) * w**2 * X0 + u * w**2 * span_s * V0 + (1 + 2 * w) * u**2 * X1 - w * u**2 * span_s * V1
    )


@numba.njit(cache=True, nogil=True)
def _speeds(X: NDArray[np.float64], time_s: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (F, S, 3) the speed at the end of the samples up to each frame, and at the start of those from it on.

    By a straight line through the samples of `TREND_S`, without a gap between them; where there is just one sample, 0
    on the one side and on the other: the gap is then crossed from rest to rest.
    """
    F, S = X.shape[:2]
    out = np.zeros((2, F, S, 3))
    for s in range(S):
        for f in range(F):
            if not np.isfinite(X[f, s, 0]):
                continue
            for way in range(2):
                step = -1 if way == 0 else 1
                n, t1, t2 = 0, 0.0, 0.0
                x1, tx = np.zeros(3), np.zeros(3)
                g = f
                while 0 <= g < F and np.isfinite(X[g, s, 0]):
                    t = time_s[g] - time_s[f]
                    if n >= 2 and abs(t) > TREND_S:
                        break
                    n += 1
                    t1 += t
                    t2 += t * t
                    for i in range(3):
                        x1[i] += X[g, s, i]
                        tx[i] += t * X[g, s, i]
                    g += step
                spread = n * t2 - t1 * t1
                if n >= 2 and spread > 0.0:
                    for i in range(3):
                        out[way, f, s, i] = (n * tx[i] - t1 * x1[i]) / spread
    return out[0], out[1]


def _usual_acceleration(X: NDArray[np.float64], time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (S,) the usual acceleration of each series, m/s^2, from differences over `TREND_S`; 0 where unknown."""
    reach = max(1, round(TREND_S / max(float(np.median(np.diff(time_s))), 1e-9)))
    if len(X) <= 2 * reach:
        return np.zeros(X.shape[1])
    early, middle, late = X[: -2 * reach], X[reach:-reach], X[2 * reach :]
    t0, t1, t2 = time_s[: -2 * reach], time_s[reach:-reach], time_s[2 * reach :]
    first = (middle - early) / (t1 - t0)[:, None, None]
    second = (late - middle) / (t2 - t1)[:, None, None]
    size = np.linalg.norm(2 * (second - first) / (t2 - t0)[:, None, None], axis=-1)
    # A norm of three components; 1.54 is the median of its distribution.
    return np.nan_to_num(nanmedian(size, axis=0)) / 1.54
