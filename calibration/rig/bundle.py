"""Joint refinement of cameras and rigid boards: Levenberg-Marquardt with a Huber loss and exact derivatives."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from triskel import lens
from triskel.calibration.rig import kernel
from triskel.calibration.rig.kernel import BOARD, PER_CAMERA, POSE, REFINED_DIST
from triskel.camera import Camera
from triskel.rigid import Rigid

_STEPS = 100
_DONE = 1e-9
_INITIAL_DAMPING, _LEAST_DAMPING, _MOST_DAMPING = 1e-4, 1e-12, 1e8


@dataclass(frozen=True, eq=False)
class CornerTable:
    """All corners in one long table, view by view; a view is what one camera saw of the board of one shot.

    Attributes:
        view_camera, view_shot: (V,) index of camera and of shot.
        first: (V + 1,) view v has the rows first[v]:first[v + 1].
        corner: (n,) id on its board.
        X: (n, 3) on the board, m.
        xy: (n, 2) observed, raw px.
        views_of, shot_first: the views ordered by shot, and where each shot's begin (S + 1,).
    """

    view_camera: NDArray[np.int64]
    view_shot: NDArray[np.int64]
    first: NDArray[np.int64]
    corner: NDArray[np.int64]
    X: NDArray[np.float64]
    xy: NDArray[np.float64]
    n_shots: int
    views_of: NDArray[np.int64] = field(init=False)
    shot_first: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        order = np.argsort(self.view_shot, kind="stable")
        starts = np.searchsorted(self.view_shot[order], np.arange(self.n_shots + 1))
        object.__setattr__(self, "views_of", order)
        object.__setattr__(self, "shot_first", starts)

    @property
    def row_view(self) -> NDArray[np.int64]:
        """Return each row's view (n,)."""
        return np.repeat(np.arange(len(self.view_camera)), np.diff(self.first))

    def only(self, rows: NDArray[np.bool_]) -> "CornerTable":
        """Return the table of some rows (n,); views and shots keep their indices, and may become empty."""
        counts = np.bincount(self.row_view[rows], minlength=len(self.view_camera))
        first = np.concatenate([[0], np.cumsum(counts)])
        corner, X, xy = self.corner[rows], self.X[rows], self.xy[rows]
        return CornerTable(self.view_camera, self.view_shot, first, corner, X, xy, self.n_shots)


@dataclass(frozen=True, eq=False)
class BundleState:
    """What is refined: the cameras as the kernels take them, and `world_from_board` of every shot.

    Attributes:
        packed: (C, 41) see `triskel.lens`.
        boards: (S, 12) R row by row, then t.
    """

    packed: NDArray[np.float64]
    boards: NDArray[np.float64]

    @classmethod
    def of(cls, cameras: tuple[Camera, ...], boards: tuple[Rigid, ...]) -> "BundleState":
        """Pack cameras and board poses."""
        return cls(np.array([lens.pack(camera) for camera in cameras]), pack_boards(boards))

    def cameras(self, like: tuple[Camera, ...]) -> tuple[Camera, ...]:
        """Return the cameras; names, sizes and models are those of `like`."""
        cameras = []
        for camera, c in zip(like, self.packed, strict=True):
            K = np.array([[c[lens.FX], c[lens.SKEW], c[lens.CX]], [0, c[lens.FY], c[lens.CY]], [0, 0, 1]])
            dist = c[lens.DIST : lens.DIST + len(camera.dist)]
            pose = Rigid(c[lens.POSE : lens.POSE + 9].reshape(3, 3), c[lens.POSE + 9 :])
            cameras.append(camera.replace(K=K, dist=dist, cam_from_world=pose))
        return tuple(cameras)

    def board(self, shot: int) -> Rigid:
        """Return `world_from_board` of a shot."""
        return Rigid(self.boards[shot, :9].reshape(3, 3), self.boards[shot, 9:])


class Weights(NamedTuple):
    """How much each view counts.

    Attributes:
        sigma_px: (V,) standard deviation of a corner's coordinate in each view.
        bend: errors beyond this many of them count linearly instead of squared.
    """

    sigma_px: NDArray[np.float64]
    bend: float = np.inf


class NormalEquations(NamedTuple):
    """Blocks of J^T W J and of the gradient, see `kernel`."""

    A: NDArray[np.float64]
    B: NDArray[np.float64]
    D: NDArray[np.float64]
    a: NDArray[np.float64]
    b: NDArray[np.float64]


def pack_boards(boards: tuple[Rigid, ...]) -> NDArray[np.float64]:
    """Return board poses as (S, 12)."""
    return np.array([np.r_[pose.R.ravel(), pose.t] for pose in boards]).reshape(-1, 12)


def free_columns(cameras: tuple[Camera, ...], *, refine_intrinsics: bool) -> NDArray[np.bool_]:
    """Return which of the unknowns (C, 18) may move; the first camera's pose is the world and stays."""
    free = np.zeros((len(cameras), PER_CAMERA), dtype=bool)
    free[1:, :POSE] = True
    for i, camera in enumerate(cameras):
        if refine_intrinsics and len(camera.dist) <= REFINED_DIST:
            free[i, POSE : POSE + 4 + len(camera.dist)] = True
    return free


def residuals(state: BundleState, table: CornerTable) -> NDArray[np.float64]:
    """Return observed minus projected (n, 2), px; NaN behind the camera."""
    return np.asarray(
        kernel.residuals(state.packed, state.boards, table.view_camera, table.view_shot, table.first, table.X, table.xy)
    )


def normal_equations(
    state: BundleState, table: CornerTable, weights: Weights, *, free: NDArray[np.bool_]
) -> NormalEquations:
    """Return the normal equations at a state."""
    C, S, V = len(state.packed), len(state.boards), len(table.view_camera)
    blocks = NormalEquations(
        np.empty((C, PER_CAMERA, PER_CAMERA)),
        np.empty((V, PER_CAMERA, BOARD)),
        np.empty((S, BOARD, BOARD)),
        np.empty((C, PER_CAMERA)),
        np.empty((S, BOARD)),
    )
    kernel.normal_equations(
        state.packed, state.boards, table.view_camera, table.view_shot, table.first, table.X, table.xy,
        weights.sigma_px, float(weights.bend), free, *blocks,
    )  # fmt: skip
    return blocks


def refine(
    state: BundleState,
    table: CornerTable,
    weights: Weights,
    *,
    free: NDArray[np.bool_],
    prior: NDArray[np.float64] | None = None,
    done: float = _DONE,
) -> BundleState:
    """Return the state with the least loss.

    Args:
        state: where to start, close enough that the corners lie in front of their cameras. Those that do not are
            left out.
        table: the observations.
        weights: how they count.
        free: (C, 18) the unknowns that may move, see `free_columns`.
        prior: (C * 12, C * 12) adds half of lens^T prior lens, where lens are fx fy cx cy and the coefficients of
            all cameras in a row; see `shared_lens`.
        done: stop when a step lowers the loss by less than this share.
    """
    visible = np.asarray(np.isfinite(residuals(state, table)).all(axis=1))
    table = table if visible.all() else table.only(visible)
    damping, cost = _INITIAL_DAMPING, _cost(state, table, weights, prior)
    for _ in range(_STEPS):
        blocks = normal_equations(state, table, weights, free=free)
        trial, trial_cost = None, np.inf
        while damping < _MOST_DAMPING:
            trial = _moved(state, *_step(state, table, blocks, free=free, prior=prior, damping=damping))
            trial_cost = _cost(trial, table, weights, prior) if trial else np.inf
            if trial_cost < cost:
                break
            damping *= 10
        if trial is None or not trial_cost < cost:
            break
        gain, state, cost = (cost - trial_cost) / max(cost, 1e-300), trial, trial_cost
        damping = max(damping / 10, _LEAST_DAMPING)
        if gain < done:
            break
    return state


def lens_unknowns(packed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return fx fy cx cy and 8 coefficients of every camera in one row (C * 12,)."""
    return np.ascontiguousarray(packed[:, _LENS_AT]).ravel()


_LENS_AT = np.r_[lens.FX, lens.FY, lens.CX, lens.CY, lens.DIST : lens.DIST + REFINED_DIST]


def _cost(state: BundleState, table: CornerTable, weights: Weights, prior: NDArray[np.float64] | None) -> float:
    """Return the loss; infinite where a corner has gone behind its camera."""
    r = residuals(state, table)
    e = np.hypot(r[:, 0], r[:, 1]) / weights.sigma_px[table.row_view]
    if not np.isfinite(e).all():
        return np.inf
    inner = np.minimum(e, weights.bend)
    total = float((inner * (e - 0.5 * inner)).sum())
    if prior is not None:
        unknowns = lens_unknowns(state.packed)
        total += 0.5 * float(unknowns @ prior @ unknowns)
    return total


def reduced_system(
    blocks: NormalEquations, table: CornerTable, *, damping: float = 0.0
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the cameras' matrix (C * 18, C * 18) and right side, and the boards' inverse blocks (S, 6, 6)."""
    D = blocks.D + _damped(np.diagonal(blocks.D, axis1=1, axis2=2), damping)[:, :, None] * np.eye(BOARD)
    inverse = np.asarray(np.linalg.inv(D), dtype=np.float64)
    reduced, right = kernel.eliminate_boards(
        blocks.A, blocks.B, inverse, blocks.a, blocks.b,
        table.view_camera, table.view_shot, table.views_of, table.shot_first,
    )  # fmt: skip
    return reduced, right, inverse


def _step(
    state: BundleState,
    table: CornerTable,
    blocks: NormalEquations,
    *,
    free: NDArray[np.bool_],
    prior: NDArray[np.float64] | None,
    damping: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the damped step of the cameras (C, 18) and of the boards (S, 6)."""
    n = len(free)
    reduced, right, D_inverse = reduced_system(blocks, table, damping=damping)
    if prior is not None:
        P = prior_of_unknowns(prior, n)
        reduced += P
        padded = np.zeros((n, PER_CAMERA))
        padded[:, POSE:] = lens_unknowns(state.packed).reshape(n, -1)
        right -= P @ padded.ravel()
    reduced += np.diag(_damped(np.diagonal(blocks.A, axis1=1, axis2=2).ravel(), damping))
    step = np.zeros(n * PER_CAMERA)
    moving = np.flatnonzero(free.ravel())
    if len(moving):
        M = reduced[np.ix_(moving, moving)]
        # Unknowns differ by many orders of magnitude (k3 against focal lengths): scale to a unit diagonal first.
        scale = 1 / np.sqrt(np.maximum(np.abs(np.diagonal(M)), 1e-300))
        step[moving] = scale * np.linalg.lstsq(M * np.outer(scale, scale), right[moving] * scale, rcond=1e-14)[0]
    cameras = step.reshape(n, PER_CAMERA)
    right_boards = -blocks.b.copy()
    np.add.at(right_boards, table.view_shot, -np.einsum("vik,vi->vk", blocks.B, cameras[table.view_camera]))
    return cameras, np.einsum("sij,sj->si", D_inverse, right_boards)


def prior_of_unknowns(prior: NDArray[np.float64], n_cameras: int) -> NDArray[np.float64]:
    """Return a prior on the lenses (C * 12, C * 12) as one on all camera unknowns (C * 18, C * 18)."""
    at = np.arange(n_cameras * PER_CAMERA).reshape(n_cameras, PER_CAMERA)[:, POSE:].ravel()
    P = np.zeros((n_cameras * PER_CAMERA, n_cameras * PER_CAMERA))
    P[np.ix_(at, at)] = prior
    return P


def _damped(diagonal: NDArray[np.float64], damping: float) -> NDArray[np.float64]:
    """Return what to add to a diagonal; unknowns that nothing depends on get 1, so that they stay where they are."""
    return np.where(diagonal > 0, damping * diagonal, 1.0)


def _moved(state: BundleState, cameras: NDArray[np.float64], boards: NDArray[np.float64]) -> BundleState | None:
    """Return the state after a step; None if the step leads out of the valid range (a focal length below zero)."""
    if not (np.isfinite(cameras).all() and np.isfinite(boards).all()):
        return None
    packed = state.packed.copy()
    packed[:, _LENS_AT] += cameras[:, POSE:]
    if not (packed[:, [lens.FX, lens.FY]] > 0).all():
        return None
    packed[:, lens.POSE :] = _turned(packed[:, lens.POSE :], cameras[:, :POSE])
    return BundleState(packed, _turned(state.boards, boards))


def _turned(poses: NDArray[np.float64], delta: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (R exp(delta[:3]), t + delta[3:]) for poses (N, 12)."""
    out = poses.copy()
    turn = Rotation.from_rotvec(delta[:, :3]).as_matrix()
    out[:, :9] = (poses[:, :9].reshape(-1, 3, 3) @ turn).reshape(-1, 9)
    out[:, 9:] += delta[:, 3:]
    return out
