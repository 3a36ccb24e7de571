"""Is the board flat, and as wide for its height as it says: the shape that all shots ask for together.

A board that bends makes lenses from it wrong (1 mm over 450 mm: focal lengths by 4 %) and still fits, as a bend looks
much like a longer lens. Cameras that look at it from several sides at once tell the two apart.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from triskel import lens
from triskel.calibration.boards import Board
from triskel.calibration.checks.geometry import Finding
from triskel.calibration.corners import CornerErrors
from triskel.calibration.rig.bundle import free_columns, pack_boards
from triskel.calibration.rig.calibrate import RigCalibration
from triskel.calibration.rig.kernel import BOARD, PER_CAMERA, POSE, corner_jacobian
from triskel.camera import Rig

SHAPE = 5
"""Out of the plane by x^2, x y and y^2; in it, the difference of the stretches along x and y, and their shear."""
FEWEST_SHOTS = 8
MOST_SHOTS = 300
MIN_NOISE_PX = 0.02
BEND = 2.0
"""Errors beyond so many standard deviations of their view count linearly (Huber)."""


class BoardShape(NamedTuple):
    """How a board differs from what is said of it.

    Attributes:
        length_m: the longer side of its corners.
        bow_m: from the lowest to the highest corner, once the board's tilt is taken off.
        bow_sigmas: how certain that is, in standard errors.
        stretch: by how much its x is longer for its y than said, and twice the shear, as one share.
        stretch_sigmas: how certain that is.
        focal: share by which focal lengths would change with a board of that shape, the median over cameras.
    """

    length_m: float
    bow_m: float
    bow_sigmas: float
    stretch: float
    stretch_sigmas: float
    focal: float


def board_shapes(calibration: RigCalibration, boards: Board | Sequence[Board]) -> list[tuple[Board, BoardShape]]:
    """Estimate the shape of each board that enough shots show, with poses and lenses free to answer.

    Args:
        calibration: the rig and its errors.
        boards: the board, or one for each of the shots that were given.
    """
    errors = calibration.errors
    n_shots = len(calibration.shot_rms_px)
    of_shot = list(boards) if isinstance(boards, Sequence) else [boards] * n_shots
    views = np.zeros((len(calibration.rig), n_shots), dtype=bool)
    views[errors.camera[errors.kept], errors.shot[errors.kept]] = True
    found = []
    for board in {id(one): one for one in of_shot}.values():
        mine = np.array([s for s in np.flatnonzero(views.any(axis=0)) if of_shot[s] is board], dtype=np.int64)
        mine = mine[:: -(-len(mine) // MOST_SHOTS)] if len(mine) else mine
        if (views[:, mine].sum(axis=0) >= 2).sum() < FEWEST_SHOTS:
            continue
        shape = _shape(calibration, board, mine)
        if shape is not None:
            found.append((board, shape))
    return found


class _Rows(NamedTuple):
    """Corners ordered by view: camera, shot (index among those taken), place on the board, residual, weight 1/px."""

    camera: NDArray[np.int64]
    shot: NDArray[np.int64]
    X: NDArray[np.float64]
    r: NDArray[np.float64]
    weight: NDArray[np.float64]


def _rows(errors: CornerErrors, board: Board, shots: NDArray[np.int64], n_shots: int) -> _Rows:
    """Return what is kept of some shots, each view by its own noise."""
    index = np.full(n_shots, -1, dtype=np.int64)
    index[shots] = np.arange(len(shots))
    taken = np.flatnonzero(errors.kept & (index[errors.shot] >= 0) & np.isfinite(errors.residual_px).all(axis=1))
    taken = taken[np.lexsort((errors.corner[taken], errors.camera[taken], index[errors.shot[taken]]))]
    camera, shot, r = errors.camera[taken], index[errors.shot[taken]], errors.residual_px[taken]
    _, view = np.unique(shot * (camera.max(initial=0) + 1) + camera, return_inverse=True)
    count = np.bincount(view)
    noise = np.maximum(np.sqrt(np.bincount(view, (r**2).sum(axis=1)) / (2 * count)), MIN_NOISE_PX)
    sigma = np.maximum(noise, 0.5 * float(np.median(noise)))[view]
    size = np.hypot(r[:, 0], r[:, 1]) / sigma
    weight = np.sqrt(np.minimum(1.0, BEND / np.maximum(size, 1e-12))) / sigma
    return _Rows(camera, shot, np.ascontiguousarray(board.corners[errors.corner[taken]], dtype=np.float64), r, weight)


def _shape(calibration: RigCalibration, board: Board, shots: NDArray[np.int64]) -> BoardShape | None:
    rig = calibration.rig
    rows = _rows(calibration.errors, board, shots, len(calibration.shot_rms_px))
    corners = np.asarray(board.corners, dtype=np.float64)
    middle = (corners.max(axis=0) + corners.min(axis=0)) / 2
    half = float(np.ptp(corners[:, :2], axis=0).max()) / 2
    poses = pack_boards(tuple(calibration.world_from_board[int(s)] for s in shots))
    packed = np.array([lens.pack(camera) for camera in rig])
    n = len(rig) * PER_CAMERA + SHAPE
    H, g, scores = np.zeros((n, n)), np.zeros(n), np.zeros((len(shots), n))
    parts = np.zeros((len(shots), n, n))
    _accumulate(packed, poses, rows.camera, rows.shot, rows.X, rows.r, rows.weight, middle, half, parts, scores)
    H, g = parts.sum(axis=0), scores.sum(axis=0)
    free = np.r_[free_columns(rig.cameras, refine_intrinsics=True).ravel(), np.ones(SHAPE, dtype=bool)]
    moving = np.flatnonzero(free & (np.diagonal(H) > 0))
    scale = 1 / np.sqrt(np.diagonal(H)[moving])
    inverse = np.linalg.pinv(H[np.ix_(moving, moving)] * np.outer(scale, scale), hermitian=True, rcond=1e-12)
    inverse *= np.outer(scale, scale)
    step = inverse @ g[moving]
    left = scores[:, moving] - parts[:, moving][:, :, moving] @ step
    spread = inverse @ left.T
    clustered = spread @ spread.T * len(shots) / max(1, len(shots) - 1)
    return inverse, clustered, step, moving, half, middle, corners


@numba.njit(cache=True, nogil=True)
def _accumulate(  # noqa: PLR0917 - compiled, called from one place
    packed: NDArray[np.float64],
    poses: NDArray[np.float64],
    camera: NDArray[np.int64],
    shot: NDArray[np.int64],
    X: NDArray[np.float64],
    r: NDArray[np.float64],
    weight: NDArray[np.float64],
    middle: NDArray[np.float64],
    half: float,
    parts: NDArray[np.float64],
    scores: NDArray[np.float64],
) -> None:
    """Fill each shot's normal equations (S, n, n) and right side (S, n) of cameras and shape; its pose is eliminated.

    The rows are ordered by shot.
    """
    n = parts.shape[1]
    J, d = np.empty((2, PER_CAMERA + BOARD)), np.empty((2, 3))
    local = PER_CAMERA + SHAPE + BOARD
    row, where = np.empty(local), np.empty(local, dtype=np.int64)
    B, D, b = np.zeros((n, BOARD)), np.zeros((BOARD, BOARD)), np.zeros(BOARD)
    for i in range(len(X)):
        s, at = shot[i], camera[i] * PER_CAMERA
        if i == 0 or shot[i - 1] != s:
            B[:], D[:], b[:] = 0.0, 0.0, 0.0
        corner_jacobian(packed[camera[i]], poses[s], X[i], J, d)
        x, y = (X[i, 0] - middle[0]) / half, (X[i, 1] - middle[1]) / half
        for k in range(PER_CAMERA):
            where[k] = at + k
        for k in range(SHAPE):
            where[PER_CAMERA + k] = n - SHAPE + k
        m = PER_CAMERA + SHAPE
        for axis in range(2):
            q0, q1, q2 = J[axis, PER_CAMERA + 3], J[axis, PER_CAMERA + 4], J[axis, PER_CAMERA + 5]
            bx = q0 * poses[s, 0] + q1 * poses[s, 3] + q2 * poses[s, 6]
            by = q0 * poses[s, 1] + q1 * poses[s, 4] + q2 * poses[s, 7]
            bz = q0 * poses[s, 2] + q1 * poses[s, 5] + q2 * poses[s, 8]
            for k in range(PER_CAMERA):
                row[k] = J[axis, k]
            row[PER_CAMERA] = bz * x * x * half
            row[PER_CAMERA + 1] = bz * x * y * half
            row[PER_CAMERA + 2] = bz * y * y * half
            row[PER_CAMERA + 3] = 0.5 * (bx * x - by * y) * half
            row[PER_CAMERA + 4] = 0.5 * (bx * y + by * x) * half
            w = weight[i] * weight[i]
            for p in range(m):
                scores[s, where[p]] += w * row[p] * r[i, axis]
                for q in range(m):
                    parts[s, where[p], where[q]] += w * row[p] * row[q]
                for q in range(BOARD):
                    B[where[p], q] += w * row[p] * J[axis, PER_CAMERA + q]
            for p in range(BOARD):
                b[p] += w * J[axis, PER_CAMERA + p] * r[i, axis]
                for q in range(BOARD):
                    D[p, q] += w * J[axis, PER_CAMERA + p] * J[axis, PER_CAMERA + q]
        if i == len(X) - 1 or shot[i + 1] != s:
            BD = B @ np.linalg.pinv(D)
            parts[s] -= BD @ B.T
            scores[s] -= BD @ b
