"""Is the board flat, and as wide for its height as it says: the shape that all shots ask for together.

A board that bends makes lenses from it wrong (1 mm over 350 mm: focal lengths by 4 %) and still fits, as a bend looks
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
from triskel.calibration.rig.bundle import free_columns, pack_boards
from triskel.calibration.rig.calibrate import RigCalibration
from triskel.calibration.rig.kernel import BOARD, PER_CAMERA, POSE, corner_jacobian

FEWEST_SHOTS = 8
"""Shots seen by two cameras or more, below which nobody can say how a board bends."""
CERTAIN_SIGMAS = 6.0
BENT, STRETCHED = 0.001, 0.003
"""Shares of the board's length that matter: half of this bend changed focal lengths by 1 %. Printers stretch by less
than the other, and what is stretched moves nothing by more than its share."""
FOCAL_MOVED = 0.01
"""Share by which a bent board has to have changed the focal lengths for the rig to be wrong."""

_SHAPE = 5
_MIN_NOISE_PX = 0.02
_HUBER_SIGMAS = 2.0


class BoardShape(NamedTuple):
    """How a board differs from what is said of it; certainties are in standard errors.

    Attributes:
        board: the board.
        length_m: the longer side of its corners.
        bow_m: from the lowest to the highest corner, once the board's tilt is taken off.
        bow_sigmas: how certain it is that there is a bow.
        stretch: share by which x is too long for its y, or the square's angle is off (rad), whichever way that is.
        stretch_sigmas: how certain it is that there is any.
        focal: share by which focal lengths are too long if the board has that shape, the median over cameras.
        focal_sigmas: how certain that is for the median camera.
    """

    board: Board
    length_m: float
    bow_m: float
    bow_sigmas: float
    stretch: float
    stretch_sigmas: float
    focal: float
    focal_sigmas: float


def check_flatness(calibration: RigCalibration, boards: Board | Sequence[Board]) -> list[Finding]:
    """Return a finding for each board that is bent, or longer one way than the other.

    Args:
        calibration: the rig and its errors.
        boards: the board, or one for each of the shots that were given, as for `calibrate_rig`.
    """
    shapes = board_shapes(calibration, boards)
    found = []
    for shape in shapes:
        name = f"the board {shape.board.name!r}" if len(shapes) > 1 else "the board"
        length = f"{1000 * shape.length_m:.0f} mm of its corners"
        if shape.bow_sigmas > CERTAIN_SIGMAS and shape.bow_m > BENT * shape.length_m:
            moved = abs(shape.focal) > FOCAL_MOVED and shape.focal_sigmas > CERTAIN_SIGMAS
            longer = "long" if shape.focal > 0 else "short"
            why = f", which made the focal lengths {100 * abs(shape.focal):.0f} % too {longer}" if moved else ""
            message = (
                f"{name} is bent by about {1000 * shape.bow_m:.1f} mm over the {length}{why}: glue it onto something "
                "flat and stiff, and record again"
            )
            found.append(Finding("error" if moved else "warning", "", message, "bent-board"))
        if shape.stretch_sigmas > CERTAIN_SIGMAS and shape.stretch > STRETCHED:
            message = (
                f"{name} is stretched: {100 * shape.stretch:.1f} % longer one way than the other, or not square, for "
                "what its description says; measure its squares both ways, and print it at 100 %"
            )
            found.append(Finding("warning", "", message, "stretched-board"))
    return found


def board_shapes(calibration: RigCalibration, boards: Board | Sequence[Board]) -> list[BoardShape]:
    """Estimate the shape of each board that enough shots show, with poses and lenses free to answer.

    It is one step of least squares from where the calibration stopped, and too short by a sixth for 1 mm in 350.

    Args:
        calibration: the rig and its errors.
        boards: as for `check_flatness`.
    """
    errors, n_shots = calibration.errors, len(calibration.shot_rms_px)
    of_shot = list(boards) if isinstance(boards, Sequence) else [boards] * n_shots
    seen = np.zeros((len(calibration.rig), n_shots), dtype=bool)
    seen[errors.camera[errors.kept], errors.shot[errors.kept]] = True
    views = seen.sum(axis=0)
    found = []
    for board in {id(one): one for one in of_shot}.values():
        mine = np.array([s for s in np.flatnonzero(views) if of_shot[s] is board], dtype=np.int64)
        if (views[mine] >= 2).sum() >= FEWEST_SHOTS:
            found.append(_shape(calibration, board, mine))
    return found


class _Rows(NamedTuple):
    """Corners, ordered by shot: camera, shot among those taken, place on the board, residual, weight 1/px."""

    camera: NDArray[np.int64]
    shot: NDArray[np.int64]
    X: NDArray[np.float64]
    r: NDArray[np.float64]
    weight: NDArray[np.float64]


def _rows(calibration: RigCalibration, board: Board, shots: NDArray[np.int64]) -> _Rows:
    """Return what is kept of some shots, each view weighted by its own noise."""
    errors = calibration.errors
    index = np.full(len(calibration.shot_rms_px), -1, dtype=np.int64)
    index[shots] = np.arange(len(shots))
    taken = np.flatnonzero(errors.kept & (index[errors.shot] >= 0) & np.isfinite(errors.residual_px).all(axis=1))
    taken = taken[np.argsort(index[errors.shot[taken]], kind="stable")]
    camera, shot, r = errors.camera[taken], index[errors.shot[taken]], errors.residual_px[taken]
    _, view = np.unique(shot * len(calibration.rig) + camera, return_inverse=True)
    noise = np.sqrt(np.bincount(view, (r**2).sum(axis=1)) / (2 * np.bincount(view)))
    # A view of few corners fits too well by chance, and would count for more than it knows.
    sigma = np.maximum(np.maximum(noise, 0.5 * np.median(noise)), _MIN_NOISE_PX)[view]
    size = np.hypot(r[:, 0], r[:, 1]) / sigma
    weight = np.sqrt(np.minimum(1.0, _HUBER_SIGMAS / np.maximum(size, 1e-12))) / sigma
    return _Rows(camera, shot, np.ascontiguousarray(board.corners[errors.corner[taken]], dtype=np.float64), r, weight)


def _shape(calibration: RigCalibration, board: Board, shots: NDArray[np.int64]) -> BoardShape:
    """Return the shape of one board from the shots that show it."""
    rig, rows = calibration.rig, _rows(calibration, board, shots)
    corners = np.asarray(board.corners, dtype=np.float64)
    middle, half = (corners.max(axis=0) + corners.min(axis=0)) / 2, float(np.ptp(corners[:, :2], axis=0).max()) / 2
    packed = np.array([lens.pack(camera) for camera in rig])
    poses = pack_boards(tuple(calibration.world_from_board[int(s)] for s in shots))
    n = len(rig) * PER_CAMERA + _SHAPE

    def equations(step: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        H, scores = np.zeros((n, n)), np.zeros((len(shots), n))
        _accumulate(packed, poses, *rows, middle, half, step, H, scores)
        return H, scores

    H, scores = equations(np.zeros(n))
    free = np.r_[free_columns(rig.cameras, refine_intrinsics=True).ravel(), np.ones(_SHAPE, dtype=bool)]
    moving = np.flatnonzero(free & (np.diagonal(H) > 0))
    scale = 1 / np.sqrt(np.diagonal(H)[moving])
    inverse = np.zeros((n, n))
    inverse[np.ix_(moving, moving)] = np.outer(scale, scale) * np.linalg.pinv(
        H[np.ix_(moving, moving)] * np.outer(scale, scale), hermitian=True, rcond=1e-12
    )
    step = inverse @ scores.sum(axis=0)
    # Corners of a shot err together; what they explain alone is the least that the variance can be.
    spread = inverse @ equations(step)[1].T
    clustered = spread @ spread.T
    shape = slice(n - _SHAPE, n)
    bow, stretch = step[shape][:3], step[shape][3:]
    at = np.arange(len(rig)) * PER_CAMERA + POSE
    focal_px = np.array([camera.K[0, 0] for camera in rig])
    focal = -step[at] / focal_px
    sigma = np.sqrt(np.maximum(np.diagonal(inverse)[at], np.diagonal(clustered)[at])) / focal_px
    known = sigma > 0
    return BoardShape(
        board=board,
        length_m=2 * half,
        bow_m=_bow_m(corners, middle, half, bow),
        bow_sigmas=min(_sigmas(bow, C[shape, shape][:3, :3]) for C in (inverse, clustered)),
        stretch=float(np.hypot(*stretch)),
        stretch_sigmas=min(_sigmas(stretch, C[shape, shape][3:, 3:]) for C in (inverse, clustered)),
        focal=float(np.median(focal[known])) if known.any() else 0.0,
        focal_sigmas=float(np.median(np.abs(focal[known]) / sigma[known])) if known.any() else 0.0,
    )


def _bow_m(corners: NDArray[np.float64], middle: NDArray[np.float64], half: float, bow: NDArray[np.float64]) -> float:
    """Return how far apart the lowest and the highest corner are, in heights above the plane that fits them best."""
    x, y = ((corners - middle)[:, :2] / half).T
    z = half * (bow[0] * x**2 + bow[1] * x * y + bow[2] * y**2)
    plane = np.c_[np.ones(len(x)), x, y]
    return float(np.ptp(z - plane @ np.linalg.lstsq(plane, z, rcond=None)[0]))


def _sigmas(value: NDArray[np.float64], covariance: NDArray[np.float64]) -> float:
    """Return how many standard errors some numbers are from all being zero."""
    return float(np.sqrt(max(0.0, float(value @ np.linalg.pinv(covariance, hermitian=True) @ value))))


@numba.njit(cache=True, nogil=True)
def _accumulate(  # noqa: PLR0912, PLR0917 - compiled, called from one place
    packed: NDArray[np.float64],
    poses: NDArray[np.float64],
    camera: NDArray[np.int64],
    shot: NDArray[np.int64],
    X: NDArray[np.float64],
    r: NDArray[np.float64],
    weight: NDArray[np.float64],
    middle: NDArray[np.float64],
    half: float,
    step: NDArray[np.float64],
    H: NDArray[np.float64],
    scores: NDArray[np.float64],
) -> None:
    """Add up the normal equations (n, n) of cameras and shape, and each shot's right side (S, n) after a step (n,).

    The shape is out of the plane by x^2, x y and y^2, and in it a stretch of x against y and a shear; x and y are from
    the middle in halves of the length. The rows are ordered by shot, and the poses of the shots are eliminated.
    """
    n = len(H)
    J, d = np.empty((2, PER_CAMERA + BOARD)), np.empty((2, 3))
    local = PER_CAMERA + _SHAPE + BOARD
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
        for k in range(_SHAPE):
            where[PER_CAMERA + k] = n - _SHAPE + k
        m = PER_CAMERA + _SHAPE
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
            w, left = weight[i] * weight[i], r[i, axis]
            for p in range(m):
                left -= row[p] * step[where[p]]
            for p in range(m):
                scores[s, where[p]] += w * row[p] * left
                for q in range(m):
                    H[where[p], where[q]] += w * row[p] * row[q]
                for q in range(BOARD):
                    B[where[p], q] += w * row[p] * J[axis, PER_CAMERA + q]
            for p in range(BOARD):
                b[p] += w * J[axis, PER_CAMERA + p] * left
                for q in range(BOARD):
                    D[p, q] += w * J[axis, PER_CAMERA + p] * J[axis, PER_CAMERA + q]
        if i == len(X) - 1 or shot[i + 1] != s:
            BD = B @ np.linalg.pinv(D)
            H -= BD @ B.T
            scores[s] -= BD @ b
