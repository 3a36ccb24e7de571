"""One camera and its board poses refined together: Levenberg-Marquardt with a Huber loss and exact derivatives.

A pose appears in its own view only, so its 6 x 6 block is eliminated (the Schur complement of Triggs et al. 2000,
"Bundle adjustment - a modern synthesis", section 6.1) and what is solved is as small as the lens.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel import lens
from triskel.calibration.boards import BoardView
from triskel.calibration.intrinsics import kernel
from triskel.calibration.intrinsics.belief import Belief
from triskel.calibration.intrinsics.kernel import POSE
from triskel.calibration.intrinsics.models import LensSpec

_Array = NDArray[np.float64]

_INITIAL_DAMPING, _MAX_DAMPING = 1e-4, 1e10
_DONE = 1e-7
_HUBER_SIGMAS, _MIN_HUBER_PX = 3.0, 0.02


class Corners(NamedTuple):
    """The corners of all usable views in one long table, view after view.

    Attributes:
        X: (N, 3) on the board, m, from the middle of the board.
        xy: (N, 2) raw px.
        view: (N,) index among the usable views.
        starts: (V + 1,) first row of each view, and N.
        id: (N,) id on the board.
        given: (V,) index of each view among those the caller gave.
    """

    X: _Array
    xy: _Array
    view: NDArray[np.int64]
    starts: NDArray[np.int64]
    id: NDArray[np.int64]
    given: NDArray[np.int64]

    @property
    def n_views(self) -> int:
        """Return the number of usable views."""
        return len(self.given)


class Fit(NamedTuple):
    """A packed lens (`lens.pack`) and `cam_from_board` of every view as R (V, 3, 3) and t (V, 3), m."""

    packed: _Array
    R: _Array
    t: _Array


def huber_limit_px(noise_px: float) -> float:
    """Return the error, px, from which corners count linearly, for a noise of their coordinates."""
    return max(_MIN_HUBER_PX, _HUBER_SIGMAS * noise_px)


def collect(views: Sequence[BoardView], usable: Sequence[int], board_corners: _Array) -> Corners:
    """Return the table of the usable views' corners."""
    ids = [np.asarray(views[i].ids, dtype=np.int64) for i in usable]
    id_ = np.concatenate(ids)
    return Corners(
        X=np.ascontiguousarray((board_corners - board_corners.mean(axis=0))[id_]),
        xy=np.ascontiguousarray(np.concatenate([np.asarray(views[i].xy, dtype=np.float64) for i in usable])),
        view=np.repeat(np.arange(len(usable)), [len(one) for one in ids]),
        starts=np.cumsum([0, *(len(one) for one in ids)]).astype(np.int64),
        id=id_,
        given=np.array(usable, dtype=np.int64),
    )


def adjust(
    fit: Fit,
    corners: Corners,
    spec: LensSpec,
    *,
    use: NDArray[np.bool_],
    huber_px: float,
    belief: Belief | None = None,
    steps: int = 60,
) -> Fit:
    """Return the fit with the least Huber loss over the corners used; numbers that `spec` holds stay as they are."""

    def loss_of(one: Fit) -> float:
        pulled = belief.pull(one.packed, spec.n_dist)[0] if belief else 0.0
        return float(kernel.view_losses(*one, *corners[:3], use, huber_px).sum()) + pulled

    loss, damping = loss_of(fit), _INITIAL_DAMPING
    for _ in range(steps):
        H, g = kernel.normal_equations(fit.packed, spec.n_dist, fit.R, fit.t, *corners[:3], use, huber_px)
        if belief:
            _, gradient, hessian = belief.pull(fit.packed, spec.n_dist)
            # Of no view: it goes to the first, since only sums over the views are formed from these entries.
            H[0, POSE:, POSE:] += hessian
            g[0, POSE:] += gradient
        trial, trial_loss = fit, np.inf
        while damping < _MAX_DAMPING:
            trial = _moved(fit, spec, *_step(H, g, spec.free, damping))
            if trial.packed[lens.FX] > 0 and trial.packed[lens.FY] > 0:
                trial_loss = loss_of(trial)
            if trial_loss < loss:
                break
            damping *= 10
        if not trial_loss < loss:
            break
        gain, fit, loss = (loss - trial_loss) / loss, trial, trial_loss
        damping = max(damping / 10, 1e-12)
        if gain < _DONE:
            break
    return fit


def information(
    fit: Fit, corners: Corners, n_dist: int, *, use: NDArray[np.bool_], huber_px: float
) -> tuple[_Array, _Array]:
    """Return what the corners say about fx fy cx cy and n_dist coefficients, and how each view pulls at them.

    The poses are eliminated: they are as unknown here as everywhere. The pulls cancel at the best fit.

    Returns:
        The information, (4 + n_dist)^2, per px^2 of noise, and the gradients (V, 4 + n_dist), px^2.
    """
    H, g = kernel.normal_equations(fit.packed, n_dist, fit.R, fit.t, *corners[:3], use, huber_px)
    D, B = H[:, :POSE, :POSE], H[:, :POSE, POSE:]
    scale = 1 / np.sqrt(np.maximum(np.diagonal(D, axis1=1, axis2=2), 1e-300))
    # Views without a corner used have a block of zeros, which the small number makes solvable.
    D = D * scale[:, :, None] * scale[:, None, :] + 1e-14 * np.eye(POSE)
    B = B * scale[:, :, None]
    rest = np.linalg.solve(D, np.concatenate([B, (g[:, :POSE] * scale)[:, :, None]], axis=2))
    total = H[:, POSE:, POSE:] - np.swapaxes(B, 1, 2) @ rest[:, :, :-1]
    pulls = g[:, POSE:] - (np.swapaxes(B, 1, 2) @ rest[:, :, -1:])[..., 0]
    return np.asarray(total.sum(axis=0)), np.asarray(pulls)


def residual_px(fit: Fit, corners: Corners) -> _Array:
    """Return observed minus projected (N, 2), px; NaN where the lens model cannot see the corner."""
    return np.asarray(kernel.residuals(*fit, *corners[:3]))


def error_px(fit: Fit, corners: Corners) -> _Array:
    """Return the Euclidean errors (N,), px; large but finite where the lens model cannot see the corner."""
    return np.nan_to_num(np.linalg.norm(residual_px(fit, corners), axis=1), nan=kernel.LOST_PX)


def with_dist(fit: Fit, spec: LensSpec) -> Fit:
    """Return the fit as a start for `spec`: coefficients that the model does not have are 0."""
    packed = fit.packed.copy()
    packed[lens.DIST + spec.n_dist : lens.TILT] = 0.0
    return Fit(packed, fit.R, fit.t)


def _step(H: _Array, g: _Array, free: _Array, damping: float) -> tuple[_Array, _Array]:
    """Return the damped step of the lens (P,) and of the poses (V, 6)."""
    D, B, b = H[:, :POSE, :POSE], H[:, :POSE, POSE:] @ free, g[:, :POSE]
    A, a = free.T @ H[:, POSE:, POSE:].sum(axis=0) @ free, free.T @ g[:, POSE:].sum(axis=0)
    D = D + _damped(np.diagonal(D, axis1=1, axis2=2), damping)[:, :, None] * np.eye(POSE)
    A = A + np.diag(_damped(np.diagonal(A), damping))
    DB = np.linalg.solve(D, np.concatenate([B, b[:, :, None]], axis=2))
    reduced = A - (np.swapaxes(B, 1, 2) @ DB[:, :, :-1]).sum(axis=0)
    right = (np.swapaxes(B, 1, 2) @ DB[:, :, -1:])[..., 0].sum(axis=0) - a
    # Unknowns differ by many orders of magnitude (k3 against focal lengths): scale to a unit diagonal first.
    scale = 1 / np.sqrt(np.maximum(np.diagonal(A), 1e-300))
    step = scale * np.linalg.lstsq(reduced * np.outer(scale, scale), right * scale, rcond=1e-14)[0]
    return step, -DB[:, :, -1] - DB[:, :, :-1] @ step


def _damped(diagonal: _Array, damping: float) -> _Array:
    """Return what to add to a diagonal; unknowns that nothing depends on get 1, so that they stay where they are."""
    return np.where(diagonal > 0, damping * diagonal, 1.0)


def _moved(fit: Fit, spec: LensSpec, step: _Array, poses: _Array) -> Fit:
    """Return the fit after a step."""
    packed, R, t = fit.packed.copy(), np.empty_like(fit.R), np.empty_like(fit.t)
    moved = spec.free @ step
    packed[:4] += moved[:4]
    packed[lens.DIST : lens.DIST + spec.n_dist] += moved[4:]
    kernel.turned(fit.R, fit.t, poses, R, t)
    return Fit(packed, R, t)
