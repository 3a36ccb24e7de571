"""Rigid and similarity transforms between corresponding points (Umeyama 1991), also with points that lie."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.rigid import Rigid

OUTLIER_RATIO = 4.0
"""A point is left out if the others then fit this many times better, RMS."""
MIN_OUTLIER_M = 0.02
"""Points closer than this to their place are never left out."""


class PointFit(NamedTuple):
    """How points of one frame map onto those of another.

    Attributes:
        target_from_source: rotation and translation, after the scale.
        scale: what the source's lengths are multiplied by.
        distance_m: (n,) distance of each mapped point from its place; also of those left out.
        kept: (n,) False for points left out.
    """

    target_from_source: Rigid
    scale: float
    distance_m: NDArray[np.float64]
    kept: NDArray[np.bool_]

    @property
    def rms_m(self) -> float:
        """Return the RMS distance of the points kept."""
        return float(np.sqrt(np.mean(self.distance_m[self.kept] ** 2)))


def spread_of(X: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far points (n, 3) spread along their three main directions, RMS, largest first: (3,)."""
    if len(X) == 0:
        return np.zeros(3)
    singular = np.zeros(3)
    values = np.linalg.svd(X - X.mean(axis=0), compute_uv=False) / np.sqrt(len(X))
    singular[: len(values)] = values
    return singular


def fit_points(source: NDArray[np.float64], target: NDArray[np.float64], *, fixed_scale: bool = False) -> PointFit:
    """Fit all points by least squares.

    Args:
        source: (n, 3), n at least 3 and not on one line; no NaN.
        target: (n, 3), where they should be.
        fixed_scale: keep the scale at 1.
    """
    a, b = source - source.mean(axis=0), target - target.mean(axis=0)
    U, S, Vt = np.linalg.svd(b.T @ a)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(U @ Vt))])
    R = (U * signs) @ Vt
    scale = 1.0 if fixed_scale else float((S * signs).sum() / (a**2).sum())
    pose = Rigid(R, target.mean(axis=0) - scale * R @ source.mean(axis=0))
    distance = np.linalg.norm(pose.apply(scale * source) - target, axis=1)
    return PointFit(pose, scale, distance, np.ones(len(source), dtype=bool))


def fit_points_robustly(
    source: NDArray[np.float64], target: NDArray[np.float64], *, fixed_scale: bool = False
) -> PointFit:
    """Fit the points as in `fit_points`, without those that spoil it, one after the other, while five or more are left.

    With three or four points nothing can be told: whichever is left out, the others fit.
    """
    kept = np.ones(len(source), dtype=bool)
    fit = fit_points(source, target, fixed_scale=fixed_scale)
    while kept.sum() >= 5:
        places = np.flatnonzero(kept)
        trials = [np.delete(places, k) for k in range(len(places))]
        fits = [fit_points(source[some], target[some], fixed_scale=fixed_scale) for some in trials]
        usable = [spread_of(target[some])[1] > 1e-3 * max(spread_of(target[some])[0], 1e-12) for some in trials]
        errors = np.where(usable, [one.rms_m for one in fits], np.inf)
        best = int(np.argmin(errors))
        moved = fits[best].target_from_source.apply(fits[best].scale * source[places[best]])
        away = float(np.linalg.norm(moved - target[places[best]]))
        if fit.rms_m < OUTLIER_RATIO * errors[best] or away < MIN_OUTLIER_M:
            break
        kept[places[best]] = False
        fit = fits[best]
    distance = np.linalg.norm(fit.target_from_source.apply(fit.scale * source) - target, axis=1)
    return PointFit(fit.target_from_source, fit.scale, distance, kept)
