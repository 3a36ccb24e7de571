"""The inner loops of one camera's calibration: derivatives by lens and pose, normal equations, poses alone.

Unknowns of a view, in this order: its pose (rotation 3, translation 3), then fx fy cx cy and the distortion
coefficients. Poses are (R, t), cam_from_board, changed as R exp(d_rotation), t + d_t.
"""

import math

import numba
import numpy as np
from numpy.typing import NDArray

from triskel import lens

POSE = 6
LOST_PX = 1000.0
"""What a corner counts as being off that the lens model cannot see; finite, so that a start may have such corners."""

_Array = NDArray[np.float64]


@numba.njit(cache=True, nogil=True)
def _huber(e: float, limit: float) -> tuple[float, float]:
    """Return the loss of an error and its weight in the normal equations."""
    if e <= limit:
        return 0.5 * e * e, 1.0
    return limit * (e - 0.5 * limit), limit / e


@numba.njit(cache=True, nogil=True)
def _corner(
    c: _Array, n_dist: int, R: _Array, t: _Array, P: _Array, p: _Array, J: _Array, r: _Array, intrinsics: bool
) -> bool:
    """Fill the derivatives J (2, 6 + 4 + n_dist) and the residual r (2,) of a corner P seen at p; False if lost."""
    X = R[0, 0] * P[0] + R[0, 1] * P[1] + R[0, 2] * P[2] + t[0]
    Y = R[1, 0] * P[0] + R[1, 1] * P[1] + R[1, 2] * P[2] + t[1]
    Z = R[2, 0] * P[0] + R[2, 1] * P[1] + R[2, 2] * P[2] + t[2]
    u, v, uX, uY, uZ, vX, vY, vZ = lens.project_with_jacobian(c, X, Y, Z)
    if math.isnan(u):
        return False
    r[0], r[1] = u - p[0], v - p[1]
    J[0, 3], J[0, 4], J[0, 5] = uX, uY, uZ
    J[1, 3], J[1, 4], J[1, 5] = vX, vY, vZ
    for k in range(2):
        q0 = J[k, 3] * R[0, 0] + J[k, 4] * R[1, 0] + J[k, 5] * R[2, 0]
        q1 = J[k, 3] * R[0, 1] + J[k, 4] * R[1, 1] + J[k, 5] * R[2, 1]
        q2 = J[k, 3] * R[0, 2] + J[k, 4] * R[1, 2] + J[k, 5] * R[2, 2]
        J[k, 0], J[k, 1], J[k, 2] = q2 * P[1] - q1 * P[2], q0 * P[2] - q2 * P[0], q1 * P[0] - q0 * P[1]
    if intrinsics:
        lens.lens_derivatives(c, n_dist, X, Y, Z, J[:, POSE:])
    return True


@numba.njit(cache=True, nogil=True)
def normal_equations(
    c: _Array,
    n_dist: int,
    R: _Array,
    t: _Array,
    X: _Array,
    xy: _Array,
    view: NDArray[np.int64],
    use: NDArray[np.bool_],
    huber_px: float,
) -> tuple[_Array, _Array]:
    """Return every view's J^T W J (V, 10 + n_dist, ...) and J^T W r over the corners used."""
    n = POSE + 4 + n_dist
    H, g = np.zeros((len(R), n, n)), np.zeros((len(R), n))
    J, r = np.zeros((2, n)), np.zeros(2)
    for i in range(len(X)):
        v = view[i]
        if not use[i] or not _corner(c, n_dist, R[v], t[v], X[i], xy[i], J, r, True):
            continue
        _, weight = _huber(math.hypot(r[0], r[1]), huber_px)
        for a in range(n):
            ja0, ja1 = J[0, a] * weight, J[1, a] * weight
            g[v, a] += ja0 * r[0] + ja1 * r[1]
            for b in range(a, n):
                H[v, a, b] += ja0 * J[0, b] + ja1 * J[1, b]
    for v in range(len(R)):
        for a in range(n):
            for b in range(a):
                H[v, a, b] = H[v, b, a]
    return H, g


@numba.njit(cache=True, nogil=True)
def residuals(c: _Array, R: _Array, t: _Array, X: _Array, xy: _Array, view: NDArray[np.int64]) -> _Array:
    """Return observed minus projected (N, 2), px; NaN for corners that the model cannot see."""
    out = np.empty((len(X), 2))
    for i in range(len(X)):
        A, b = R[view[i]], t[view[i]]
        x = A[0, 0] * X[i, 0] + A[0, 1] * X[i, 1] + A[0, 2] * X[i, 2] + b[0]
        y = A[1, 0] * X[i, 0] + A[1, 1] * X[i, 1] + A[1, 2] * X[i, 2] + b[1]
        z = A[2, 0] * X[i, 0] + A[2, 1] * X[i, 1] + A[2, 2] * X[i, 2] + b[2]
        u, v = lens.project_with_jacobian(c, x, y, z)[:2]
        out[i, 0], out[i, 1] = xy[i, 0] - u, xy[i, 1] - v
    return out


@numba.njit(cache=True, nogil=True)
def view_losses(
    c: _Array,
    R: _Array,
    t: _Array,
    X: _Array,
    xy: _Array,
    view: NDArray[np.int64],
    use: NDArray[np.bool_],
    huber_px: float,
) -> _Array:
    """Return every view's Huber loss (V,) over the corners used."""
    out = np.zeros(len(R))
    left = residuals(c, R, t, X, xy, view)
    for i in range(len(X)):
        if use[i]:
            e = math.hypot(left[i, 0], left[i, 1])
            out[view[i]] += _huber(LOST_PX if math.isnan(e) else min(e, LOST_PX), huber_px)[0]
    return out


@numba.njit(cache=True, nogil=True)
def turned(R: _Array, t: _Array, step: _Array, R_out: _Array, t_out: _Array) -> None:
    """Fill the poses (V, 3, 3), (V, 3) after a step (V, 6)."""
    E = np.empty((3, 3))
    for v in range(len(R)):
        x, y, z = step[v, 0], step[v, 1], step[v, 2]
        angle = math.sqrt(x * x + y * y + z * z)
        a = math.sin(angle) / angle if angle > 1e-9 else 1.0
        b = (1.0 - math.cos(angle)) / (angle * angle) if angle > 1e-5 else 0.5
        E[0, 0], E[1, 1], E[2, 2] = 1 - b * (y * y + z * z), 1 - b * (x * x + z * z), 1 - b * (x * x + y * y)
        E[0, 1], E[0, 2], E[1, 2] = b * x * y - a * z, b * x * z + a * y, b * y * z - a * x
        E[1, 0], E[2, 0], E[2, 1] = b * x * y + a * z, b * x * z - a * y, b * y * z + a * x
        for i in range(3):
            for j in range(3):
                R_out[v, i, j] = R[v, i, 0] * E[0, j] + R[v, i, 1] * E[1, j] + R[v, i, 2] * E[2, j]
            t_out[v, i] = t[v, i] + step[v, 3 + i]


@numba.njit(cache=True, nogil=True)
def _pose_loss(
    c: _Array,
    R: _Array,
    t: _Array,
    X: _Array,
    xy: _Array,
    use: NDArray[np.bool_],
    limit: float,
) -> float:
    """Return the Huber loss of one view."""
    return view_losses(c, R[None], t[None], X, xy, np.zeros(len(X), np.int64), use, limit)[0]


@numba.njit(cache=True, nogil=True)
def fit_poses(
    c: _Array,
    R: _Array,
    t: _Array,
    X: _Array,
    xy: _Array,
    starts: NDArray[np.int64],
    use: NDArray[np.bool_],
    huber_px: float,
    steps: int,
) -> tuple[_Array, _Array]:
    """Return the poses (V, 3, 3), (V, 3) that fit each view's used corners best under a fixed lens."""
    R, t = R.copy(), t.copy()
    J, r = np.zeros((2, POSE)), np.zeros(2)
    H, g = np.zeros((POSE, POSE)), np.zeros(POSE)
    R_try, t_try = np.empty((1, 3, 3)), np.empty((1, 3))
    for v in range(len(R)):
        first, last = starts[v], starts[v + 1]
        if not use[first:last].any():
            continue
        damping = 1e-4
        loss = _pose_loss(c, R[v], t[v], X[first:last], xy[first:last], use[first:last], huber_px)
        for _ in range(steps):
            H[:], g[:] = 0.0, 0.0
            for i in range(first, last):
                if not use[i] or not _corner(c, 0, R[v], t[v], X[i], xy[i], J, r, False):
                    continue
                _, weight = _huber(math.hypot(r[0], r[1]), huber_px)
                for a in range(POSE):
                    g[a] += weight * (J[0, a] * r[0] + J[1, a] * r[1])
                    for b in range(POSE):
                        H[a, b] += weight * (J[0, a] * J[0, b] + J[1, a] * J[1, b])
            gain = -1.0
            while damping < 1e6:
                A = H.copy()
                for a in range(POSE):
                    A[a, a] += damping * A[a, a] + 1e-12
                step = np.linalg.solve(A, -g)
                turned(R[v : v + 1], t[v : v + 1], step[None], R_try, t_try)
                trial = _pose_loss(c, R_try[0], t_try[0], X[first:last], xy[first:last], use[first:last], huber_px)
                if trial < loss:
                    gain = (loss - trial) / loss
                    R[v], t[v], loss = R_try[0], t_try[0], trial
                    damping = max(damping * 0.1, 1e-10)
                    break
                damping *= 10.0
            if gain < 1e-6:
                break
    return R, t
