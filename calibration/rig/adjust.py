"""The estimator: robust first, then outliers out, views weighted by their noise, like lenses drawn together."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.rig.bundle import BundleState, CornerTable, Weights, free_columns, refine, residuals
from triskel.calibration.rig.kernel import POSE
from triskel.calibration.rig.noise import find_outliers, view_weights
from triskel.calibration.rig.shared_lens import shared_prior
from triskel.camera import Camera

_ROUNDS = 3
_ROUGHLY = 1e-4


class Fit(NamedTuple):
    """A solution and what it rests on.

    Attributes:
        state: cameras and boards.
        kept: (n,) rows of the table that count.
        weights: how much each view counts.
        free: (C, 18) unknowns that were refined.
        prior: on the lenses, or None; see `shared_lens`.
    """

    state: BundleState
    kept: NDArray[np.bool_]
    weights: Weights
    free: NDArray[np.bool_]
    prior: NDArray[np.float64] | None


def adjust(
    cameras: tuple[Camera, ...], state: BundleState, table: CornerTable, *, huber_px: float, refine_intrinsics: bool
) -> Fit:
    """Return the best cameras and boards for all corners, starting from `state`.

    Args:
        cameras: the cameras, for what they are.
        state: where to start.
        table: the observations, misdetected ones among them.
        huber_px: errors beyond this, px, count linearly at first.
        refine_intrinsics: also refine K and the lens.
    """
    free = free_columns(cameras, refine_intrinsics=refine_intrinsics)
    weights = Weights(np.full(len(table.view_camera), 1.0), huber_px)
    state = refine(state, table, weights, free=free, done=_ROUGHLY)
    for _ in range(_ROUNDS):
        kept, weights = _weigh(state, table)
        state = refine(state, table.only(kept), weights, free=free)
    return _finished(cameras, Fit(state, kept, weights, free, None), table)


def readjust(cameras: tuple[Camera, ...], fit: Fit, table: CornerTable) -> Fit:
    """Return the fit of another table of the same shots and views, with fewer corners, starting from `fit`."""
    weights = fit.weights
    state = refine(fit.state, table, weights, free=fit.free)
    kept, weights = _weigh(state, table)
    state = refine(state, table.only(kept), weights, free=fit.free)
    return _finished(cameras, Fit(state, kept, weights, fit.free, None), table)


def _finished(cameras: tuple[Camera, ...], fit: Fit, table: CornerTable) -> Fit:
    """Return the fit with like lenses drawn together, where lenses are refined."""
    if not fit.free[:, POSE:].any():
        return fit
    kept = table.only(fit.kept)
    prior = shared_prior(cameras, fit.state, kept, fit.weights, free=fit.free)
    if prior is None:
        return fit
    return fit._replace(state=refine(fit.state, kept, fit.weights, free=fit.free, prior=prior), prior=prior)


def _weigh(state: BundleState, table: CornerTable) -> tuple[NDArray[np.bool_], Weights]:
    """Return which corners to keep, and how much each view counts."""
    r = residuals(state, table)
    kept = ~find_outliers(r, table)
    return kept, view_weights(r, kept, table)
