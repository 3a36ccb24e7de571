"""How noisy each view is: blurred, moving and badly synchronised boards count less than sharp, still ones."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, polygamma

from triskel.calibration.corners import outlier_limit_px
from triskel.calibration.rig.bundle import CornerTable, Weights

BEND = 3.0
"""Standard deviations beyond which an error counts linearly: costs 1 % of efficiency where noise is Gaussian."""
_RAYLEIGH_MEDIAN = 1.1774
_LEAST_PX = 1e-6
_NOISIEST_VIEW = 5.0
_OUTLIER_SIGMAS = 6.0


def view_weights(residual_px: NDArray[np.float64], kept: NDArray[np.bool_], table: CornerTable) -> Weights:
    """Return how much each view counts, from the residuals (n, 2) of the corners that are kept (n,).

    A view's own variance is a poor estimate from a few corners, so it is drawn towards that of all views, the more
    the less the views really differ (empirical Bayes: Smyth 2004, "Linear models and empirical Bayes methods",
    section 6.2). Where they differ by no more than chance all views get the same weight.
    """
    rows = table.row_view[kept]
    corners = np.bincount(rows, minlength=len(table.view_camera))
    squared = (residual_px[kept] ** 2).sum(axis=1)
    squares = np.bincount(rows, squared, minlength=len(corners)).astype(np.float64)
    in_shot = np.bincount(table.view_shot, corners, minlength=table.n_shots)
    # Two a corner, less the six of the board's pose, which the views of a shot share.
    degrees = 2.0 * corners - 6 * corners / np.maximum(in_shot[table.view_shot], 1)
    return Weights(np.sqrt(np.maximum(_shrunk(squares, degrees), _LEAST_PX**2)), BEND)


def _shrunk(squares: NDArray[np.float64], degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the variance of each view from its sum of squares and degrees of freedom."""
    used = degrees > 2
    if not used.any():
        return np.ones(len(squares))
    d = degrees[used]
    common = max(float(squares[used].sum() / d.sum()), _LEAST_PX**2)
    s2 = np.maximum(squares[used] / d, 1e-6 * common)
    e = np.log(s2) - digamma(d / 2) + np.log(d / 2)
    chance = float(np.mean(polygamma(1, d / 2)))
    excess = float(np.var(e)) - chance
    variance = np.full(len(squares), common)
    # Two standard errors of a variance are taken for chance, so that good views do not get uneven weights.
    if excess > 2 * np.sqrt(2 / len(e)) * chance:
        d0 = 2 * _inverse_trigamma(excess)
        typical = float(np.exp(np.mean(e) + digamma(d0 / 2) - np.log(d0 / 2)))
        variance[:] = typical
        variance[used] = (d0 * typical + d * s2) / (d0 + d)
    return variance


def find_outliers(residual_px: NDArray[np.float64], table: CornerTable) -> NDArray[np.bool_]:
    """Return which corners (n,) are taken for misdetected; those behind their camera are among them.

    The limit is that of all corners, from the median; in a view that is blurred as a whole it is wider.
    """
    errors = np.hypot(residual_px[:, 0], residual_px[:, 1])
    finite = errors[np.isfinite(errors)]
    if not len(finite):
        return np.ones(len(errors), dtype=bool)
    common = max(float(np.median(finite)), 1e-12) / _RAYLEIGH_MEDIAN
    middle = np.array(
        [
            np.median(part) if len(part) else 0.0
            for part in np.split(np.nan_to_num(errors, nan=np.inf), table.first[1:-1])
        ]
    )
    own = np.clip(middle / _RAYLEIGH_MEDIAN, common, _NOISIEST_VIEW * common)
    limit = np.maximum(outlier_limit_px(finite), _OUTLIER_SIGMAS * own)
    return ~(errors <= limit[table.row_view])


def _inverse_trigamma(value: float) -> float:
    """Return x with trigamma(x) = value (Newton's method on 1 / trigamma, which is almost a straight line)."""
    x = 0.5 + 1 / value
    for _ in range(20):
        trigamma = float(polygamma(1, x))
        step = trigamma * (1 - trigamma / value) / float(polygamma(2, x))
        x += step
        if abs(step) < 1e-10 * x:
            break
    return x
