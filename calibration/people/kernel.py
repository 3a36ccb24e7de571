"""Compiled parts of the bundle adjustment: sums over views, with every point eliminated as soon as it is summed up.

A camera has seven unknowns: three of a turn about its own centre, in its own axes, rad; three of its centre in the
world, m; one of the logarithm of its focal length. So steps and covariances are in the terms that are reported.
"""

import math

import numba
import numpy as np
from numpy.typing import NDArray

from triskel import lens

PER_CAMERA = 7
_RIDGE = 1e-12


@numba.njit(cache=True, nogil=True)
def robust_weight(square: float, tail: float) -> float:
    """Return the weight of a squared error in standard deviations under Cauchy's loss with its knee at `tail`."""
    return 1.0 / (1.0 + square / (tail * tail))


@numba.njit(cache=True, nogil=True)
def view_residuals(
    cameras: NDArray[np.float64],
    first: NDArray[np.int64],
    camera: NDArray[np.int64],
    xy: NDArray[np.float64],
    X: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return projected minus observed (n, 2), px; NaN where the camera cannot see the point."""
    out = np.empty((len(camera), 2))
    for p in range(len(first) - 1):
        for i in range(first[p], first[p + 1]):
            c = cameras[camera[i]]
            x, y, z = lens.to_camera(c, X[p, 0], X[p, 1], X[p, 2])
            u, v = lens.project_with_jacobian(c, x, y, z)[:2]
            out[i, 0], out[i, 1] = u - xy[i, 0], v - xy[i, 1]
    return out


@numba.njit(cache=True, nogil=True)
def _view_jacobian(
    c: NDArray[np.float64],
    X: NDArray[np.float64],
    xy: NDArray[np.float64],
    A: NDArray[np.float64],
    B: NDArray[np.float64],
    r: NDArray[np.float64],
) -> bool:
    """Fill A (2, 7) by the camera, B (2, 3) by the point and r (2,); return whether the camera sees the point."""
    x, y, z = lens.to_camera(c, X[0], X[1], X[2])
    u, v, ux, uy, uz, vx, vy, vz = lens.project_with_jacobian(c, x, y, z)
    if math.isnan(u):
        return False
    r[0], r[1] = u - xy[0], v - xy[1]
    for k in range(2):
        dx, dy, dz = (ux, uy, uz) if k == 0 else (vx, vy, vz)
        # A turn w moves x_cam by w x x_cam; the gradient by w is x_cam x d.
        A[k, 0], A[k, 1], A[k, 2] = y * dz - z * dy, z * dx - x * dz, x * dy - y * dx
        for j in range(3):
            B[k, j] = dx * c[lens.POSE + j] + dy * c[lens.POSE + 3 + j] + dz * c[lens.POSE + 6 + j]
            A[k, 3 + j] = -B[k, j]
    A[0, 6], A[1, 6] = u - c[lens.CX], v - c[lens.CY]
    return True


@numba.njit(cache=True, nogil=True)
def _inverse(V: NDArray[np.float64], out: NDArray[np.float64]) -> bool:
    """Invert a symmetric 3 x 3 matrix; False where it is singular."""
    a, b, c, d, e, f = V[0, 0], V[0, 1], V[0, 2], V[1, 1], V[1, 2], V[2, 2]
    A, B, C = d * f - e * e, c * e - b * f, b * e - c * d
    det = a * A + b * B + c * C
    if not abs(det) > 1e-30 * (a * d * f + 1e-300):
        return False
    out[0, 0], out[0, 1], out[0, 2] = A / det, B / det, C / det
    out[1, 1], out[1, 2], out[2, 2] = (a * f - c * c) / det, (b * c - a * e) / det, (a * d - b * b) / det
    out[1, 0], out[2, 0], out[2, 1] = out[0, 1], out[0, 2], out[1, 2]
    return True


@numba.njit(cache=True, nogil=True)
def reduced_equations(
    cameras: NDArray[np.float64],
    first: NDArray[np.int64],
    camera: NDArray[np.int64],
    xy: NDArray[np.float64],
    weight: NDArray[np.float64],
    X: NDArray[np.float64],
    tail: float,
    damping: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Sum up the equations of the cameras with the points eliminated (Schur complement).

    Args:
        cameras: (C, PACKED) packed cameras.
        first: (P + 1,) first view of each point.
        camera: (n,) camera of each view.
        xy: (n, 2) px.
        weight: (n,) one over the variance of a view, 1/px^2.
        X: (P, 3) m.
        tail: knee of the loss, standard deviations.
        damping: added to each point's diagonal, in units of it.

    Returns:
        H (7 C, 7 C) reduced; diagonal (7 C,) of the cameras before that; g (P, 7 C) each point's share of the reduced
        gradient; what back substitution needs: W (n, 3, 7), and -V^-1 with V^-1 g behind it (P, 3, 4).
    """
    P, C = len(first) - 1, len(cameras)
    H, diagonal = np.zeros((C * PER_CAMERA, C * PER_CAMERA)), np.zeros(C * PER_CAMERA)
    gradients, W, back = np.zeros((P, C * PER_CAMERA)), np.zeros((len(camera), 3, PER_CAMERA)), np.zeros((P, 3, 4))
    A, B, r = np.zeros((2, PER_CAMERA)), np.zeros((2, 3)), np.zeros(2)
    V, Vi, g = np.zeros((3, 3)), np.zeros((3, 3)), np.zeros(3)
    for p in range(P):
        V[:], g[:] = 0.0, 0.0
        for i in range(first[p], first[p + 1]):
            if not _view_jacobian(cameras[camera[i]], X[p], xy[i], A, B, r):
                continue
            w = weight[i] * robust_weight(weight[i] * (r[0] * r[0] + r[1] * r[1]), tail)
            at = camera[i] * PER_CAMERA
            _add_view(w, at, A, B, r, H, gradients[p], W[i], V, g)
            for a in range(PER_CAMERA):
                diagonal[at + a] += w * (A[0, a] ** 2 + A[1, a] ** 2)
        ridge = _RIDGE * (V[0, 0] + V[1, 1] + V[2, 2])
        for k in range(3):
            V[k, k] += damping * V[k, k] + ridge
        if not _inverse(V, Vi):
            gradients[p] = 0.0
            for i in range(first[p], first[p + 1]):
                W[i] = 0.0
            continue
        for k in range(3):
            for m in range(3):
                back[p, k, m] = -Vi[k, m]
                back[p, k, 3] -= Vi[k, m] * g[m]
        _eliminate(H, gradients[p], first[p], first[p + 1], camera, W, Vi, back[p, :, 3])
    return H, diagonal, gradients, W, back


@numba.njit(cache=True, nogil=True)
def _add_view(
    w: float,
    at: int,
    A: NDArray[np.float64],
    B: NDArray[np.float64],
    r: NDArray[np.float64],
    H: NDArray[np.float64],
    gradient: NDArray[np.float64],
    W: NDArray[np.float64],
    V: NDArray[np.float64],
    g: NDArray[np.float64],
) -> None:
    """Add one view of weight w, whose camera's unknowns begin at `at`, to all sums."""
    for a in range(PER_CAMERA):
        gradient[at + a] += w * (A[0, a] * r[0] + A[1, a] * r[1])
        for b in range(PER_CAMERA):
            H[at + a, at + b] += w * (A[0, a] * A[0, b] + A[1, a] * A[1, b])
        for k in range(3):
            W[k, a] = w * (B[0, k] * A[0, a] + B[1, k] * A[1, a])
    for k in range(3):
        g[k] += w * (B[0, k] * r[0] + B[1, k] * r[1])
        for m in range(3):
            V[k, m] += w * (B[0, k] * B[0, m] + B[1, k] * B[1, m])


@numba.njit(cache=True, nogil=True)
def _eliminate(
    H: NDArray[np.float64],
    gradient: NDArray[np.float64],
    begin: int,
    end: int,
    camera: NDArray[np.int64],
    W: NDArray[np.float64],
    Vi: NDArray[np.float64],
    step: NDArray[np.float64],
) -> None:
    """Take one point's part out of the cameras' equations; `step` (3,) is -V^-1 g."""
    T = np.zeros((3, PER_CAMERA))
    for i in range(begin, end):
        at = camera[i] * PER_CAMERA
        for a in range(PER_CAMERA):
            for k in range(3):
                gradient[at + a] += W[i, k, a] * step[k]
                T[k, a] = Vi[k, 0] * W[i, 0, a] + Vi[k, 1] * W[i, 1, a] + Vi[k, 2] * W[i, 2, a]
        for j in range(i, end):
            to = camera[j] * PER_CAMERA
            for a in range(PER_CAMERA):
                for b in range(PER_CAMERA):
                    part = T[0, a] * W[j, 0, b] + T[1, a] * W[j, 1, b] + T[2, a] * W[j, 2, b]
                    H[at + a, to + b] -= part
                    if j > i:
                        H[to + b, at + a] -= part


@numba.njit(cache=True, nogil=True)
def moved_points(
    first: NDArray[np.int64],
    camera: NDArray[np.int64],
    X: NDArray[np.float64],
    W: NDArray[np.float64],
    back: NDArray[np.float64],
    step: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the points (P, 3) after the cameras' step (7 C,): back substitution."""
    out = X.copy()
    right = np.zeros(3)
    for p in range(len(first) - 1):
        right[:] = 0.0
        for i in range(first[p], first[p + 1]):
            at = camera[i] * PER_CAMERA
            for k in range(3):
                for a in range(PER_CAMERA):
                    right[k] += W[i, k, a] * step[at + a]
        for k in range(3):
            out[p, k] += back[p, k, 3]
            for m in range(3):
                out[p, k] += back[p, k, m] * right[m]
    return out
