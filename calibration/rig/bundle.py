"""Joint refinement of cameras and rigid boards: Levenberg-Marquardt with a Huber loss and exact derivatives.

Every board pose appears only in the views of its own shot, so its 6 x 6 block is eliminated first (the Schur
complement of Triggs et al. 2000, "Bundle adjustment - a modern synthesis", section 6.1) and what is solved is as small
as the rig: 15 unknowns a camera. The Huber loss enters as weights renewed in every step.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from triskel import lens
from triskel.camera import Camera
from triskel.rigid import Rigid

POSE, INTRINSICS, BOARD = 6, 9, 6
_PER_CAMERA = POSE + INTRINSICS
_COLUMNS = _PER_CAMERA + BOARD
MAX_REFINED_DIST = 5
"""Only K and up to this many coefficients are refined; a lens with more of them is held as it is."""
_STEPS = 100
_DONE = 1e-8
_INITIAL_DAMPING, _MAX_DAMPING = 1e-4, 1e8


class CornerView(NamedTuple):
    """The corners of one board in one image: indices of camera and shot, X (n, 3) m on the board, xy (n, 2) raw px."""

    camera: int
    shot: int
    X: NDArray[np.float64]
    xy: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BundleState:
    """What is refined: the cameras, and `world_from_board` for every shot."""

    cameras: tuple[Camera, ...]
    boards: tuple[Rigid, ...]


def refine(state: BundleState, views: list[CornerView], *, huber_px: float, refine_intrinsics: bool) -> BundleState:
    """Return the state with the least Huber loss of the reprojection errors; camera 0 keeps its pose.

    Args:
        state: where to start, close enough that the corners lie in front of their cameras. Those that do not are
            left out.
        views: the observations.
        huber_px: errors beyond this, px, count linearly instead of squared.
        refine_intrinsics: also refine K and up to 5 distortion coefficients.
    """
    free = _free_columns(state.cameras, refine_intrinsics=refine_intrinsics)
    views = [_visible(state, view) for view in views]
    damping, cost = _INITIAL_DAMPING, _cost(state, views, huber_px)
    for _ in range(_STEPS):
        A, B, D, a, b = _normal_equations(state, views, huber_px)
        improved = False
        while damping < _MAX_DAMPING:
            trial = _moved(state, *_solve(A, B, D, a, b, free=free, damping=damping))
            trial_cost = _cost(trial, views, huber_px) if trial else np.inf
            if trial and trial_cost < cost:
                improved = True
                break
            damping *= 10
        if not improved or trial is None:
            break
        gain, state, cost = (cost - trial_cost) / max(cost, 1e-300), trial, trial_cost
        damping = max(damping / 10, 1e-12)
        if gain < _DONE:
            break
    return state


def view_errors(state: BundleState, view: CornerView) -> NDArray[np.float64]:
    """Return each corner's Euclidean reprojection error (n,), px; NaN behind the camera."""
    camera = state.cameras[view.camera]
    projected = lens.project_many(lens.pack(camera), state.boards[view.shot].apply(view.X))
    return np.asarray(np.linalg.norm(projected - view.xy, axis=1))


def _visible(state: BundleState, view: CornerView) -> CornerView:
    """Return the view without the corners that its camera cannot see at the start."""
    seen = np.isfinite(view_errors(state, view))
    return CornerView(view.camera, view.shot, np.ascontiguousarray(view.X[seen]), np.ascontiguousarray(view.xy[seen]))


def _free_columns(cameras: tuple[Camera, ...], *, refine_intrinsics: bool) -> NDArray[np.bool_]:
    """Return which of the camera unknowns (C * 15,) may move."""
    free = np.zeros((len(cameras), _PER_CAMERA), dtype=bool)
    free[1:, :POSE] = True
    if refine_intrinsics:
        for i, camera in enumerate(cameras):
            if len(camera.dist) <= MAX_REFINED_DIST:
                free[i, POSE : POSE + 4 + len(camera.dist)] = True
    return free.ravel()


def _cost(state: BundleState, views: list[CornerView], huber_px: float) -> float:
    """Return the Huber loss; infinite where a corner has gone behind its camera."""
    total = 0.0
    for view in views:
        e = view_errors(state, view)
        total += float(np.where(e <= huber_px, 0.5 * e * e, huber_px * (e - 0.5 * huber_px)).sum())
    return total if np.isfinite(total) else np.inf


def _normal_equations(
    state: BundleState, views: list[CornerView], huber_px: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the blocks of J^T W J (cameras A, cross B, boards D) and of J^T W r (a, b)."""
    n, s = len(state.cameras) * _PER_CAMERA, len(state.boards)
    A, B, D, a, b = (
        np.zeros((n, n)),
        np.zeros((s, n, BOARD)),
        np.zeros((s, BOARD, BOARD)),
        np.zeros(n),
        np.zeros((s, BOARD)),
    )
    packed = [lens.pack(camera) for camera in state.cameras]
    for view in views:
        if len(view.X) == 0:
            continue
        board = state.boards[view.shot]
        J, r = _view_jacobian(packed[view.camera], board.R.copy(), board.t.copy(), view.X, view.xy)
        e = np.hypot(r[0::2], r[1::2])
        root = np.repeat(np.sqrt(np.where(e <= huber_px, 1.0, huber_px / np.maximum(e, 1e-12))), 2)
        J, r = J * root[:, None], r * root
        H, g = J.T @ J, J.T @ r
        at = slice(view.camera * _PER_CAMERA, (view.camera + 1) * _PER_CAMERA)
        A[at, at] += H[:_PER_CAMERA, :_PER_CAMERA]
        B[view.shot, at] += H[:_PER_CAMERA, _PER_CAMERA:]
        D[view.shot] += H[_PER_CAMERA:, _PER_CAMERA:]
        a[at] += g[:_PER_CAMERA]
        b[view.shot] += g[_PER_CAMERA:]
    return A, B, D, a, b


def _solve(
    A: NDArray[np.float64],
    B: NDArray[np.float64],
    D: NDArray[np.float64],
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    *,
    free: NDArray[np.bool_],
    damping: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the damped step of the camera unknowns (C * 15,) and the board unknowns (S, 6)."""
    A, B, a = A[np.ix_(free, free)], B[:, free], a[free]
    D = D + _damped(np.diagonal(D, axis1=1, axis2=2), damping)[:, :, None] * np.eye(BOARD)
    A = A + np.diag(_damped(np.diagonal(A), damping))
    BD = np.swapaxes(np.linalg.solve(D, np.swapaxes(B, 1, 2)), 1, 2)
    reduced = A - np.einsum("sik,sjk->ij", BD, B, optimize=True)
    step = np.zeros(len(free))
    if free.any():
        # Unknowns differ by many orders of magnitude (k3 against focal lengths): scale to a unit diagonal first.
        scale = 1 / np.sqrt(np.maximum(np.diagonal(A), 1e-300))
        right = -a + np.einsum("sik,sk->i", BD, b)
        step[free] = scale * np.linalg.lstsq(reduced * np.outer(scale, scale), right * scale, rcond=1e-14)[0]
    boards = np.linalg.solve(D, (-b - np.einsum("sik,i->sk", B, step[free]))[..., None])[..., 0]
    return step, boards


def _damped(diagonal: NDArray[np.float64], damping: float) -> NDArray[np.float64]:
    """Return what to add to a diagonal; unknowns that nothing depends on get 1, so that they stay where they are."""
    return np.where(diagonal > 0, damping * diagonal, 1.0)


def _moved(state: BundleState, step: NDArray[np.float64], boards: NDArray[np.float64]) -> BundleState | None:
    """Return the state after a step; None if the step leads out of the valid range (a focal length below zero)."""
    cameras = []
    for camera, delta in zip(state.cameras, step.reshape(-1, _PER_CAMERA), strict=True):
        K, dist = camera.K.copy(), camera.dist.copy()
        K[[0, 1, 0, 1], [0, 1, 2, 2]] += delta[POSE : POSE + 4]
        n = min(len(dist), MAX_REFINED_DIST)
        dist[:n] += delta[POSE + 4 : POSE + 4 + n]
        if not (np.isfinite(delta).all() and K[0, 0] > 0 and K[1, 1] > 0):
            return None
        cameras.append(camera.replace(K=K, dist=dist, cam_from_world=_turned(camera.cam_from_world, delta[:POSE])))
    if not np.isfinite(boards).all():
        return None
    return BundleState(
        tuple(cameras), tuple(_turned(pose, delta) for pose, delta in zip(state.boards, boards, strict=True))
    )


def _turned(pose: Rigid, delta: NDArray[np.float64]) -> Rigid:
    """Return (R exp(delta[:3]), t + delta[3:])."""
    return Rigid(pose.R @ Rotation.from_rotvec(delta[:3]).as_matrix(), pose.t + delta[3:])


@numba.njit(cache=True, nogil=True)
def _lens_derivatives(c: NDArray[np.float64], X: float, Y: float, Z: float, out: NDArray[np.float64]) -> None:
    """Fill out (2, 9): derivatives of (u, v) by fx fy cx cy and the first five coefficients."""
    if c[lens.IS_FISHEYE] != 0.0:
        r = np.hypot(X, Y)
        theta = np.arctan2(r, Z)
        value, _ = lens.distort_angle(c, theta)
        ux, uy = (X / r, Y / r) if r > 1e-12 else (0.0, 0.0)
        xd, yd = ux * value, uy * value
        for i in range(4):
            power = theta ** (2 * i + 3)
            out[0, 4 + i], out[1, 4 + i] = ux * power, uy * power
        out[0, 8] = out[1, 8] = 0.0
    else:
        x, y = X / Z, Y / Z
        xd, yd, _, _, _, _ = lens.distort_pinhole(c, x, y)
        r2 = x * x + y * y
        out[0, 4], out[1, 4] = x * r2, y * r2
        out[0, 5], out[1, 5] = x * r2 * r2, y * r2 * r2
        out[0, 6], out[1, 6] = 2.0 * x * y, r2 + 2.0 * y * y
        out[0, 7], out[1, 7] = r2 + 2.0 * x * x, 2.0 * x * y
        out[0, 8], out[1, 8] = x * r2 * r2 * r2, y * r2 * r2 * r2
    for i in range(4, 9):
        out[0, i] = c[lens.FX] * out[0, i] + c[lens.SKEW] * out[1, i]
        out[1, i] = c[lens.FY] * out[1, i]
    out[:, :4] = 0.0
    out[0, 0], out[1, 1], out[0, 2], out[1, 3] = xd, yd, 1.0, 1.0


@numba.njit(cache=True, nogil=True)
def _rotation_derivative(
    d: NDArray[np.float64], R: NDArray[np.float64], p: NDArray[np.float64], out: NDArray[np.float64]
) -> None:
    """Fill out (2, 3) with d (2, 3) times the derivative of R exp(delta) p by delta, which is -R [p]_x."""
    q = d @ R
    for k in range(2):
        out[k, 0] = q[k, 2] * p[1] - q[k, 1] * p[2]
        out[k, 1] = q[k, 0] * p[2] - q[k, 2] * p[0]
        out[k, 2] = q[k, 1] * p[0] - q[k, 0] * p[1]


@numba.njit(cache=True, nogil=True)
def _view_jacobian(
    c: NDArray[np.float64],
    R_board: NDArray[np.float64],
    t_board: NDArray[np.float64],
    X: NDArray[np.float64],
    xy: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the derivatives (2 n, 21) by camera pose, intrinsics, board pose, and the residuals (2 n,), px."""
    n = len(X)
    J, r = np.zeros((2 * n, _COLUMNS)), np.zeros(2 * n)
    R_cam = c[lens.POSE : lens.POSE + 9].copy().reshape(3, 3)
    t_cam = c[lens.POSE + 9 : lens.POSE + 12].copy()
    R_both = R_cam @ R_board
    d = np.empty((2, 3))
    for i in range(n):
        world = R_board @ X[i] + t_board
        p = R_cam @ world + t_cam
        u, v, d[0, 0], d[0, 1], d[0, 2], d[1, 0], d[1, 1], d[1, 2] = lens.project_with_jacobian(c, p[0], p[1], p[2])
        r[2 * i], r[2 * i + 1] = u - xy[i, 0], v - xy[i, 1]
        rows = J[2 * i : 2 * i + 2]
        _rotation_derivative(d, R_cam, world, rows[:, :3])
        rows[:, 3:6] = d
        _lens_derivatives(c, p[0], p[1], p[2], rows[:, 6:15])
        _rotation_derivative(d, R_both, X[i], rows[:, 15:18])
        rows[:, 18:21] = d @ R_cam
    return J, r
