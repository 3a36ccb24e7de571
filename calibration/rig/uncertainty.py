"""How well the cameras, and points that they triangulate, are known: the covariance of the adjustment."""

from collections.abc import Mapping
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from triskel import lens
from triskel.calibration.rig import kernel
from triskel.calibration.rig.adjust import Fit
from triskel.calibration.rig.bundle import CornerTable, normal_equations, prior_of_unknowns, reduced_system, residuals
from triskel.calibration.rig.kernel import LENS, PER_CAMERA, POSE
from triskel.camera import Rig

_FEWEST_VIEWS = 2
_MM = 1000.0
_ANCHORS = 400
_AT_ONCE = 4096


@dataclass(frozen=True, eq=False)
class RigUncertainty:
    """Standard errors of a calibrated rig, as the noise of the corners explains them.

    They hold in the frame that fits the volume of the boards best, so no camera is privileged (a free network); the
    scale comes from the board, whose own size is taken for exact. Where the corners of a view err together (videos
    out of step, wrong lenses, a bent board), they say less than as many independent ones, and the standard errors
    grow by `inflation`. Errors of intrinsics that were taken as they were are in it as far as they are known.

    Attributes:
        rig: the cameras.
        covariance: (C * 18, C * 18) of the unknowns (see `kernel`), rotations in rad, m, px.
        noise_px: standard deviation of a corner's coordinate, the median over views.
        inflation: factor that the covariance's square root was multiplied with, at least 1.
        centre_sigma_mm: (C, 3) of the cameras' centres along the world's axes.
        angle_sigma_deg: (C,) of the cameras' directions, the RMS over the three axes.
    """

    rig: Rig
    covariance: NDArray[np.float64]
    noise_px: float
    inflation: float
    centre_sigma_mm: NDArray[np.float64]
    angle_sigma_deg: NDArray[np.float64]

    def point_sigma_mm(self, X: ArrayLike, noise_px: float | None = None) -> NDArray[np.float64]:
        """Return the standard error of points triangulated with this rig, the RMS over the three axes, mm.

        Args:
            X: (..., 3) points, m; each counts as seen by all cameras whose image it falls in.
            noise_px: standard deviation of the coordinates of the detections that are triangulated, px; without it
                only the calibration's error counts.

        Returns:
            (...) mm; NaN where fewer than two cameras see the point.
        """
        X = np.asarray(X, dtype=np.float64)
        flat = np.ascontiguousarray(X.reshape(-1, 3))
        variance = np.concatenate(
            [self._variances(flat[at : at + _AT_ONCE], noise_px) for at in range(0, len(flat), _AT_ONCE)]
            or [np.zeros(0)]
        )
        return np.asarray(_MM * np.sqrt(variance)).reshape(X.shape[:-1])

    def _variances(self, X: NDArray[np.float64], noise_px: float | None) -> NDArray[np.float64]:
        """Return the mean variance over the axes of points (n, 3), m^2."""
        H, M = _point_equations(self.rig, X)
        variance = np.full(len(X), np.nan)
        seen = np.isfinite(H[:, 0, 0])
        inverse = np.linalg.pinv(H[seen], hermitian=True)
        J = inverse @ M[seen]
        total = ((J @ self.covariance) * J).sum(axis=(1, 2))
        if noise_px is not None:
            total += noise_px**2 * np.trace(inverse, axis1=1, axis2=2)
        variance[seen] = np.maximum(total, 0) / 3
        return variance


def rig_uncertainty(
    rig: Rig, fit: Fit, table: CornerTable, lens_covariance: Mapping[str, NDArray[np.float64]] | None = None
) -> RigUncertainty:
    """Return the uncertainty of a fit; its world is the one of `rig`.

    Args:
        rig: the cameras as they came out.
        fit: the solution.
        table: the observations.
        lens_covariance: by camera name, (4 + n, 4 + n) of fx fy cx cy and the first n coefficients: errors of lenses
            that the fit took as they were. Unknown ones count as none.
    """
    kept = table.only(fit.kept)
    free = fit.free.copy()
    free[:, :POSE] = True
    inflation = max(1.0, float(np.sqrt(_design_effect(fit, kept))))
    covariance = inflation**2 * _covariance(fit, kept, free)
    held = _held_lenses(rig, free, lens_covariance or {})
    if held.any():
        covariance = covariance + _through_lenses(fit, kept, held, free)
    C = len(rig)
    anchors = _anchors(fit, kept)
    covariance = _in_free_network(rig, covariance, anchors)
    centre_of, turn_of = np.zeros((C, 3, 3)), np.zeros((C, 3, 3))
    for i, camera in enumerate(rig):
        at = slice(i * PER_CAMERA, i * PER_CAMERA + POSE)
        J = centre_jacobian(camera.cam_from_world.R, camera.cam_from_world.t)
        centre_of[i] = J @ covariance[at, at] @ J.T
        turn_of[i] = covariance[i * PER_CAMERA :, i * PER_CAMERA :][:3, :3]
    return RigUncertainty(
        rig=rig,
        covariance=covariance,
        noise_px=float(np.median(fit.weights.sigma_px)),
        inflation=inflation,
        centre_sigma_mm=_MM * np.sqrt(np.diagonal(centre_of, axis1=1, axis2=2)),
        angle_sigma_deg=np.degrees(np.sqrt(np.trace(turn_of, axis1=1, axis2=2) / 3)),
    )


def _covariance(fit: Fit, table: CornerTable, free: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the covariance of the cameras' unknowns (C * 18, C * 18) with the first camera's pose as the world."""
    reduced, _, _ = reduced_system(normal_equations(fit.state, table, fit.weights, free=free), table)
    if fit.prior is not None:
        reduced = reduced + prior_of_unknowns(fit.prior, len(free))
    moving = _moving(free)
    covariance = np.zeros((free.size, free.size))
    covariance[np.ix_(moving, moving)] = _inverse(reduced[np.ix_(moving, moving)])
    return covariance


def _moving(free: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the places among all unknowns of those that are free, but for the first camera's pose: the world."""
    return np.flatnonzero(free.ravel() & (np.arange(free.size) >= POSE)).astype(np.int64)


def _inverse(M: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the inverse of normal equations whose unknowns differ by many orders of magnitude."""
    scale = 1 / np.sqrt(np.maximum(np.diagonal(M), 1e-300))
    inverse = np.linalg.pinv(M * np.outer(scale, scale), rcond=1e-13, hermitian=True)
    return np.asarray(inverse * np.outer(scale, scale))


def _held_lenses(
    rig: Rig, free: NDArray[np.bool_], lens_covariance: Mapping[str, NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Return the covariance (C * 18, C * 18) of lenses that the fit held."""
    held = np.zeros((free.size, free.size))
    for i, camera in enumerate(rig):
        if camera.name in lens_covariance and not free[i, POSE:].any():
            n = min(len(lens_covariance[camera.name]), LENS)
            at = slice(i * PER_CAMERA + POSE, i * PER_CAMERA + POSE + n)
            held[at, at] = lens_covariance[camera.name][:n, :n]
    return held


def _through_lenses(
    fit: Fit, table: CornerTable, held: NDArray[np.float64], free: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return what errors of held lenses add to the covariance: their own, and those of all that was fitted to them.

    Poses and lenses that were `free` (C, 18) answer to a wrong lens by -A^-1 B times its error, where A and B are the
    blocks of the normal equations of what is free, and of that and the lenses held, with the boards eliminated.
    """
    lenses = np.flatnonzero(np.diagonal(held) > 0)
    wanted = free.copy()
    wanted.ravel()[lenses] = True
    reduced, _, _ = reduced_system(normal_equations(fit.state, table, fit.weights, free=wanted), table)
    if fit.prior is not None:
        reduced = reduced + prior_of_unknowns(fit.prior, len(free))
    moving = _moving(free)
    answer = np.zeros((len(held), len(lenses)))
    answer[moving] = -_inverse(reduced[np.ix_(moving, moving)]) @ reduced[np.ix_(moving, lenses)]
    answer[lenses, np.arange(len(lenses))] = 1.0
    return np.asarray(answer @ held[np.ix_(lenses, lenses)] @ answer.T)


def _design_effect(fit: Fit, table: CornerTable) -> float:
    """Return how many times larger the smooth part of the residuals is than independent errors would make it.

    Smooth is what is linear in the place on the board: an offset, a turn, a stretch of the whole view, which is what
    moves cameras. A view has six such numbers, and the board's pose takes up six of each shot.
    """
    r = residuals(fit.state, table) / fit.weights.sigma_px[table.row_view][:, None]
    rows, V = table.row_view, len(table.view_camera)
    basis = np.c_[np.ones(len(r)), table.X[:, :2]]
    gram, along = np.zeros((V, 3, 3)), np.zeros((V, 3, 2))
    np.add.at(gram, rows, basis[:, :, None] * basis[:, None])
    np.add.at(along, rows, basis[:, :, None] * r[:, None])
    smooth = np.einsum("vik,vij,vjk->v", along, np.linalg.pinv(gram, hermitian=True), along)
    views = np.bincount(table.view_shot, np.diff(table.first) > 2, minlength=table.n_shots)
    expected = 6 * (views[views > 1] - 1).sum()
    total = np.bincount(table.view_shot, smooth, minlength=table.n_shots)[views > 1].sum()
    return float(total / expected) if expected else 1.0


def _anchors(fit: Fit, table: CornerTable) -> NDArray[np.float64]:
    """Return points (n, 3), m, that stand for the volume of the boards: their middles and those of their ends."""
    row_shot = table.view_shot[table.row_view]
    views = np.bincount(table.view_shot[np.diff(table.first) > 0], minlength=table.n_shots)
    rows = np.flatnonzero(views[row_shot] >= _FEWEST_VIEWS)
    rows = rows[:: max(1, len(rows) // _ANCHORS)]
    boards = fit.state.boards[row_shot[rows]]
    return np.asarray(np.einsum("nij,nj->ni", boards[:, :9].reshape(-1, 3, 3), table.X[rows]) + boards[:, 9:])


def _in_free_network(rig: Rig, covariance: NDArray[np.float64], anchors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the covariance after the rigid motion that brings the triangulated `anchors` closest to where they are."""
    H, M = _point_equations(rig, np.ascontiguousarray(anchors))
    good = np.isfinite(H[:, 0, 0])
    if good.sum() < 3:
        return covariance
    J = np.linalg.pinv(H[good], hermitian=True) @ M[good]
    points = anchors[good]
    turned = np.stack([np.cross(axis, points) for axis in np.eye(3)], axis=-1)
    motion = np.concatenate([turned, np.broadcast_to(np.eye(3), turned.shape)], axis=2).reshape(-1, 6)
    # The motion (6,) that the errors of the cameras (C * 18,) bring about, to be undone in the poses.
    apparent = np.linalg.lstsq(motion, J.reshape(len(motion), -1), rcond=None)[0]
    undo = np.zeros((len(covariance), 6))
    for i, camera in enumerate(rig):
        at = i * PER_CAMERA
        R = camera.cam_from_world.R
        undo[at : at + 3, :3] = np.eye(3)
        undo[at + 3 : at + 6, 3:] = R
    S = np.eye(len(covariance)) + undo @ apparent
    return np.asarray(S @ covariance @ S.T)


def centre_jacobian(R: NDArray[np.float64], t: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the derivative (3, 6) of a camera's centre -R^T t by (R exp(delta[:3]), t + delta[3:])."""
    c = -R.T @ t
    # (R exp(d))^T t = exp(-d) R^T t, so that the centre turns by -d: d x c = -[c]_x d, negated.
    cross = np.array([[0, -c[2], c[1]], [c[2], 0, -c[0]], [-c[1], c[0], 0]])
    return np.concatenate([cross, -R.T], axis=1)


def _point_equations(rig: Rig, X: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return H (n, 3, 3) and M (n, 3, C * 18): a point moves by H^-1 M times the cameras' errors when triangulated."""
    H, M = np.zeros((len(X), 3, 3)), np.zeros((len(X), 3, len(rig) * PER_CAMERA))
    views = np.zeros(len(X), dtype=np.int64)
    for i, camera in enumerate(rig):
        J, xy = _point_jacobians(lens.pack(camera), X)
        w, h = camera.size_wh
        with np.errstate(invalid="ignore"):
            inside = (xy > -0.5).all(axis=1) & (xy[:, 0] < w - 0.5) & (xy[:, 1] < h - 0.5)
        J = np.where(inside[:, None, None], J, 0.0)
        by_point = J[:, :, PER_CAMERA + 3 :]
        H += np.swapaxes(by_point, 1, 2) @ by_point
        M[:, :, i * PER_CAMERA : (i + 1) * PER_CAMERA] = -np.swapaxes(by_point, 1, 2) @ J[:, :, :PER_CAMERA]
        views += inside
    H[views < _FEWEST_VIEWS] = np.nan
    return H, M


@numba.njit(cache=True, nogil=True)
def _point_jacobians(
    packed: NDArray[np.float64], X: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the derivatives (n, 2, 24) of the projections by camera and point (last three), and those (n, 2)."""
    J, xy, scratch = np.zeros((len(X), 2, PER_CAMERA + 6)), np.empty((len(X), 2)), np.empty((2, 3))
    still = np.zeros(12)  # a board at the origin: its translation is the point's
    still[0] = still[4] = still[8] = 1.0
    for n in range(len(X)):
        xy[n, 0], xy[n, 1] = kernel.corner_jacobian(packed, still, X[n], J[n], scratch)
    return J, xy
