"""One point refined on raw pixels, compiled: Levenberg-Marquardt with Tukey's loss, and what noise does to the result.

Everything is in scalars: a heap allocation in here costs more than the arithmetic.
"""

import math

import numba
import numpy as np
from numpy.typing import NDArray

from triskel.lens import POSE, project_with_jacobian, to_camera

MOST_STEPS = 20
DONE_M = 1e-10

PRIOR_FREEDOM = 10.0
"""How many degrees of freedom the noise of all points weighs against a point's own errors, of which n views leave
2 n - 3. A point whose views agree less than others do is less certain, however many they are."""

Matrix = tuple[float, float, float, float, float, float]
"""A symmetric 3 x 3: xx, xy, xz, yy, yz, zz."""


@numba.njit(cache=True, nogil=True)
def inverse(a: Matrix) -> tuple[bool, Matrix]:
    """Return whether a symmetric 3 x 3 has an inverse, and that."""
    xx, xy, xz, yy, yz, zz = a
    c0, c1, c2 = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
    det = xx * c0 + xy * c1 + xz * c2
    if not abs(det) > 1e-300:
        return False, a
    d = 1.0 / det
    return True, (c0 * d, c1 * d, c2 * d, (xx * zz - xz * xz) * d, (xy * xz - xx * yz) * d, (xx * yy - xy * xy) * d)


@numba.njit(cache=True, nogil=True)
def times(a: Matrix, x: float, y: float, z: float) -> tuple[float, float, float]:
    """Return a symmetric 3 x 3 times a vector."""
    return a[0] * x + a[1] * y + a[2] * z, a[1] * x + a[3] * y + a[4] * z, a[2] * x + a[4] * y + a[5] * z


@numba.njit(cache=True, nogil=True)
def normal_equations(
    cameras: NDArray[np.float64],
    xy: NDArray[np.float64],
    weight: NDArray[np.float64],
    index: NDArray[np.int64],
    x: float,
    y: float,
    z: float,
    bound: float,
) -> tuple[float, Matrix, tuple[float, float, float], Matrix]:
    """Return Tukey's loss at a point, px^2, its J^T W J and J^T W r, and J^T W^2 J, which noise makes of the latter.

    A view beyond the bound adds bound^2 / 3 to the loss and nothing else.
    """
    loss = 0.0
    outside = bound * bound / 3.0
    a0 = a1 = a2 = a3 = a4 = a5 = 0.0
    n0 = n1 = n2 = n3 = n4 = n5 = 0.0
    b0 = b1 = b2 = 0.0
    for k in range(len(index)):
        c = cameras[index[k]]
        cx, cy, cz = to_camera(c, x, y, z)
        u, v, ux, uy, uz, vx, vy, vz = project_with_jacobian(c, cx, cy, cz)
        ru, rv = xy[index[k], 0] - u, xy[index[k], 1] - v
        r2 = (ru * ru + rv * rv) / (bound * bound)
        if not r2 < 1.0:
            loss += weight[index[k]] * outside
            continue
        rest = 1.0 - r2
        loss += weight[index[k]] * outside * (1.0 - rest * rest * rest)
        w = weight[index[k]] * rest * rest
        ju0 = ux * c[POSE] + uy * c[POSE + 3] + uz * c[POSE + 6]
        ju1 = ux * c[POSE + 1] + uy * c[POSE + 4] + uz * c[POSE + 7]
        ju2 = ux * c[POSE + 2] + uy * c[POSE + 5] + uz * c[POSE + 8]
        jv0 = vx * c[POSE] + vy * c[POSE + 3] + vz * c[POSE + 6]
        jv1 = vx * c[POSE + 1] + vy * c[POSE + 4] + vz * c[POSE + 7]
        jv2 = vx * c[POSE + 2] + vy * c[POSE + 5] + vz * c[POSE + 8]
        m0, m1, m2 = w * (ju0 * ju0 + jv0 * jv0), w * (ju0 * ju1 + jv0 * jv1), w * (ju0 * ju2 + jv0 * jv2)
        m3, m4, m5 = w * (ju1 * ju1 + jv1 * jv1), w * (ju1 * ju2 + jv1 * jv2), w * (ju2 * ju2 + jv2 * jv2)
        a0, a1, a2, a3, a4, a5 = a0 + m0, a1 + m1, a2 + m2, a3 + m3, a4 + m4, a5 + m5
        n0, n1, n2, n3, n4, n5 = n0 + w * m0, n1 + w * m1, n2 + w * m2, n3 + w * m3, n4 + w * m4, n5 + w * m5
        b0 += w * (ju0 * ru + jv0 * rv)
        b1 += w * (ju1 * ru + jv1 * rv)
        b2 += w * (ju2 * ru + jv2 * rv)
    return loss, (a0, a1, a2, a3, a4, a5), (b0, b1, b2), (n0, n1, n2, n3, n4, n5)


@numba.njit(cache=True, nogil=True)
def refine(
    cameras: NDArray[np.float64],
    xy: NDArray[np.float64],
    weight: NDArray[np.float64],
    index: NDArray[np.int64],
    X: NDArray[np.float64],
    bound: float,
) -> None:
    """Move X (3,), in place, to the nearest minimum of the robust reprojection error by Levenberg-Marquardt."""
    loss, A, b, _ = normal_equations(cameras, xy, weight, index, X[0], X[1], X[2], bound)
    damping = 1e-4
    for _ in range(MOST_STEPS):
        d = 1.0 + damping
        known, inverted = inverse((A[0] * d + 1e-12, A[1], A[2], A[3] * d + 1e-12, A[4], A[5] * d + 1e-12))
        if not known:
            return
        sx, sy, sz = times(inverted, b[0], b[1], b[2])
        if not (math.isfinite(sx) and math.isfinite(sy) and math.isfinite(sz)):
            return
        trial_loss, trial_A, trial_b, _ = normal_equations(
            cameras, xy, weight, index, X[0] + sx, X[1] + sy, X[2] + sz, bound
        )
        if trial_loss <= loss:
            X[0] += sx
            X[1] += sy
            X[2] += sz
            # Where a step promises less than rounding, the next would only confirm it.
            done = math.sqrt(sx * sx + sy * sy + sz * sz) < DONE_M
            loss, A, b, damping = trial_loss, trial_A, trial_b, damping * 0.1
            if done:
                return
        else:
            damping *= 10.0
            if damping > 1e8:
                return


@numba.njit(cache=True, nogil=True)
def covariance(A: Matrix, noisy: Matrix, variance_px2: float, out: NDArray[np.float32]) -> float:
    """Write the covariance (3, 3), mm^2, of a minimum; return its trace.

    A view of half the weight has half the say, but the noise of any other: A^-1 (J^T W^2 J) A^-1 times the noise, which
    for equal weights is the usual inverse (Hartley & Zisserman, 2nd ed., section 5.2).
    """
    known, inv = inverse(A)
    if not known:
        out[:] = math.nan
        return math.nan
    i0, i1, i2, i3, i4, i5 = inv
    # Rows of A^-1 (J^T W^2 J).
    p0, p1, p2 = times(noisy, i0, i1, i2)
    q0, q1, q2 = times(noisy, i1, i3, i4)
    r0, r1, r2 = times(noisy, i2, i4, i5)
    s = 1e6 * variance_px2
    out[0, 0] = s * (p0 * i0 + p1 * i1 + p2 * i2)
    out[1, 1] = s * (q0 * i1 + q1 * i3 + q2 * i4)
    out[2, 2] = s * (r0 * i2 + r1 * i4 + r2 * i5)
    out[0, 1] = out[1, 0] = s * (p0 * i1 + p1 * i3 + p2 * i4)
    out[0, 2] = out[2, 0] = s * (p0 * i2 + p1 * i4 + p2 * i5)
    out[1, 2] = out[2, 1] = s * (q0 * i2 + q1 * i4 + q2 * i5)
    return float(out[0, 0]) + float(out[1, 1]) + float(out[2, 2])
