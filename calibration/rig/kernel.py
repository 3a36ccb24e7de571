"""Compiled inner loops of the rig's adjustment: errors, exact derivatives and normal equations of rigid flat boards.

The unknowns of a camera are 6 of its pose, (R exp(delta[:3]), t + delta[3:]), then fx fy cx cy and 8 lens
coefficients; those of a board are 6 of its pose. A board appears only in the views of its own shot, so cross blocks
are kept one a view, and eliminating the boards (the Schur complement of Triggs et al. 2000, "Bundle adjustment - a
modern synthesis", section 6.1) costs in proportion to the views.
"""

import math

import numba
import numpy as np
from numpy.typing import NDArray

from triskel import lens

POSE, LENS, BOARD = 6, 12, 6
REFINED_DIST = 8
"""Lenses with more coefficients than this keep them as they are."""
PER_CAMERA = POSE + LENS
_COLUMNS = PER_CAMERA + BOARD


@numba.njit(cache=True, nogil=True)
def corner_jacobian(
    c: NDArray[np.float64],
    board: NDArray[np.float64],
    X: NDArray[np.float64],
    J: NDArray[np.float64],
    d: NDArray[np.float64],
) -> tuple[float, float]:
    """Return the projection (u, v) of a corner X (3,) of a board (12: R, t); fill J (2, 24), and d (2, 3) as scratch.

    J has camera pose, lens and board pose; NaN where the camera cannot see the corner.
    """
    world = np.empty(3)
    for k in range(3):
        world[k] = board[3 * k] * X[0] + board[3 * k + 1] * X[1] + board[3 * k + 2] * X[2] + board[9 + k]
    px, py, pz = lens.to_camera(c, world[0], world[1], world[2])
    u, v, d[0, 0], d[0, 1], d[0, 2], d[1, 0], d[1, 1], d[1, 2] = lens.project_with_jacobian(c, px, py, pz)
    for k in range(2):
        # Along the world's axes, then along the board's; the derivative of R exp(delta) p by delta is -R [p]_x.
        q0 = d[k, 0] * c[lens.POSE] + d[k, 1] * c[lens.POSE + 3] + d[k, 2] * c[lens.POSE + 6]
        q1 = d[k, 0] * c[lens.POSE + 1] + d[k, 1] * c[lens.POSE + 4] + d[k, 2] * c[lens.POSE + 7]
        q2 = d[k, 0] * c[lens.POSE + 2] + d[k, 1] * c[lens.POSE + 5] + d[k, 2] * c[lens.POSE + 8]
        J[k, 0] = q2 * world[1] - q1 * world[2]
        J[k, 1] = q0 * world[2] - q2 * world[0]
        J[k, 2] = q1 * world[0] - q0 * world[1]
        J[k, 3], J[k, 4], J[k, 5] = d[k, 0], d[k, 1], d[k, 2]
        b0 = q0 * board[0] + q1 * board[3] + q2 * board[6]
        b1 = q0 * board[1] + q1 * board[4] + q2 * board[7]
        b2 = q0 * board[2] + q1 * board[5] + q2 * board[8]
        J[k, 18] = b2 * X[1] - b1 * X[2]
        J[k, 19] = b0 * X[2] - b2 * X[0]
        J[k, 20] = b1 * X[0] - b0 * X[1]
        J[k, 21], J[k, 22], J[k, 23] = q0, q1, q2
    lens.lens_derivatives(c, REFINED_DIST, px, py, pz, J[:, POSE:PER_CAMERA])
    return u, v


@numba.njit(cache=True, nogil=True)
def residuals(
    packed: NDArray[np.float64],
    boards: NDArray[np.float64],
    view_camera: NDArray[np.int64],
    view_shot: NDArray[np.int64],
    first: NDArray[np.int64],
    X: NDArray[np.float64],
    xy: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return observed minus projected (n, 2), px; NaN behind the camera. View v has the rows first[v]:first[v + 1]."""
    out = np.empty((len(X), 2))
    for v in range(len(view_camera)):
        c, b = packed[view_camera[v]], boards[view_shot[v]]
        for i in range(first[v], first[v + 1]):
            p = lens.to_camera(
                c,
                b[0] * X[i, 0] + b[1] * X[i, 1] + b[2] * X[i, 2] + b[9],
                b[3] * X[i, 0] + b[4] * X[i, 1] + b[5] * X[i, 2] + b[10],
                b[6] * X[i, 0] + b[7] * X[i, 1] + b[8] * X[i, 2] + b[11],
            )
            projected = lens.project_with_jacobian(c, p[0], p[1], p[2])
            out[i, 0], out[i, 1] = xy[i, 0] - projected[0], xy[i, 1] - projected[1]
    return out


@numba.njit(cache=True, nogil=True)
def normal_equations(  # noqa: PLR0917 - compiled, called from one place
    packed: NDArray[np.float64],
    boards: NDArray[np.float64],
    view_camera: NDArray[np.int64],
    view_shot: NDArray[np.int64],
    first: NDArray[np.int64],
    X: NDArray[np.float64],
    xy: NDArray[np.float64],
    sigma: NDArray[np.float64],
    bend: float,
    free: NDArray[np.bool_],
    A: NDArray[np.float64],
    B: NDArray[np.float64],
    D: NDArray[np.float64],
    a: NDArray[np.float64],
    b: NDArray[np.float64],
) -> None:
    """Fill the blocks of J^T W J (A by camera, B by view, D by shot) and of J^T W r (a, b), r projected - observed.

    sigma (V,) is the noise of each view, px; beyond `bend` sigmas the loss is linear (Huber). Columns that are not
    `free` (C, 18) stay zero.
    """
    A[:], B[:], D[:], a[:], b[:] = 0.0, 0.0, 0.0, 0.0, 0.0
    J, d = np.empty((2, _COLUMNS)), np.empty((2, 3))
    columns = np.empty(_COLUMNS, dtype=np.int64)
    H, g = np.empty((_COLUMNS, _COLUMNS)), np.empty(_COLUMNS)
    for v in range(len(view_camera)):
        camera, shot = view_camera[v], view_shot[v]
        n = 0
        for k in range(_COLUMNS):
            if k >= PER_CAMERA or free[camera, k]:
                columns[n] = k
                n += 1
        H[:], g[:] = 0.0, 0.0
        for i in range(first[v], first[v + 1]):
            pu, pv = corner_jacobian(packed[camera], boards[shot], X[i], J, d)
            ru, rv = (pu - xy[i, 0]) / sigma[v], (pv - xy[i, 1]) / sigma[v]
            e = math.hypot(ru, rv)
            w = 1.0 if e <= bend else bend / e
            for p in range(n):
                k = columns[p]
                Ju, Jv = w * J[0, k] / sigma[v], w * J[1, k] / sigma[v]
                g[k] += Ju * ru + Jv * rv
                Ju, Jv = Ju / sigma[v], Jv / sigma[v]
                for q in range(p, n):
                    m = columns[q]
                    H[k, m] += Ju * J[0, m] + Jv * J[1, m]
        for p in range(n):
            for q in range(p):
                H[columns[p], columns[q]] = H[columns[q], columns[p]]
        A[camera] += H[:PER_CAMERA, :PER_CAMERA]
        B[v] = H[:PER_CAMERA, PER_CAMERA:]
        D[shot] += H[PER_CAMERA:, PER_CAMERA:]
        a[camera] += g[:PER_CAMERA]
        b[shot] += g[PER_CAMERA:]


@numba.njit(cache=True, nogil=True)
def eliminate_boards(
    A: NDArray[np.float64],
    B: NDArray[np.float64],
    D_inverse: NDArray[np.float64],
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    view_camera: NDArray[np.int64],
    view_shot: NDArray[np.int64],
    views_of: NDArray[np.int64],
    shot_first: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the matrix (C * 18, C * 18) and the right side (C * 18,) of the cameras alone.

    views_of lists the views ordered by shot; those of shot s stand at shot_first[s]:shot_first[s + 1].
    """
    n = len(A) * PER_CAMERA
    reduced, right = np.zeros((n, n)), np.zeros(n)
    for camera in range(len(A)):
        at = camera * PER_CAMERA
        reduced[at : at + PER_CAMERA, at : at + PER_CAMERA] = A[camera]
        right[at : at + PER_CAMERA] = -a[camera]
    for s in range(len(shot_first) - 1):
        for i in range(shot_first[s], shot_first[s + 1]):
            v = views_of[i]
            BD = B[v] @ D_inverse[s]
            at = view_camera[v] * PER_CAMERA
            right[at : at + PER_CAMERA] += BD @ b[s]
            for j in range(shot_first[s], shot_first[s + 1]):
                w = views_of[j]
                to = view_camera[w] * PER_CAMERA
                reduced[at : at + PER_CAMERA, to : to + PER_CAMERA] -= BD @ B[w].T
    return reduced, right
