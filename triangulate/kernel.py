"""One point from many views, compiled: consensus, weighted linear start, Levenberg-Marquardt on raw pixels.

For each point: the midpoint of every pair of rays is a hypothesis; the one that most views agree with, weighted by
their scores, wins; the agreeing views give a score-weighted linear solution; Levenberg-Marquardt with Tukey's loss
minimises the reprojection error in the raw, distorted image; the views within the bound at the end are the ones used.
"""

import math

import numba
import numpy as np
from numpy.typing import NDArray

from triskel.lens import POSE, pixel_ray, project_with_jacobian, to_camera

ALL_PAIRS_UP_TO = 8
"""Views up to which every pair is a hypothesis; beyond, each view is paired with this many / 2 others, so that the
work stays linear in the number of views."""

MOST_STEPS = 20
SMALLEST_SINE2 = 2.5e-4
"""Squared sine of the angle, about 0.9 degrees, under which two rays are taken for parallel."""


@numba.njit(cache=True, nogil=True)
def world_ray(c: NDArray[np.float64], u: float, v: float) -> tuple[float, float, float]:
    """Return the unit viewing ray of a raw pixel in world axes; NaN where there is none."""
    x, y, z = pixel_ray(c, u, v)
    return (
        c[POSE] * x + c[POSE + 3] * y + c[POSE + 6] * z,
        c[POSE + 1] * x + c[POSE + 4] * y + c[POSE + 7] * z,
        c[POSE + 2] * x + c[POSE + 5] * y + c[POSE + 8] * z,
    )


@numba.njit(cache=True, nogil=True)
def midpoint(
    o1: NDArray[np.float64], d1: NDArray[np.float64], o2: NDArray[np.float64], d2: NDArray[np.float64]
) -> tuple[bool, float, float, float]:
    """Return whether two rays meet in front of both cameras, and the point halfway between them there."""
    b = d1[0] * d2[0] + d1[1] * d2[1] + d1[2] * d2[2]
    sine2 = 1.0 - b * b
    if not sine2 > SMALLEST_SINE2:
        return False, 0.0, 0.0, 0.0
    w0, w1, w2 = o2[0] - o1[0], o2[1] - o1[1], o2[2] - o1[2]
    p = w0 * d1[0] + w1 * d1[1] + w2 * d1[2]
    q = w0 * d2[0] + w1 * d2[1] + w2 * d2[2]
    s, t = (p - b * q) / sine2, (b * p - q) / sine2
    if s <= 0.0 or t <= 0.0:
        return False, 0.0, 0.0, 0.0
    return (
        True,
        0.5 * (o1[0] + s * d1[0] + o2[0] + t * d2[0]),
        0.5 * (o1[1] + s * d1[1] + o2[1] + t * d2[1]),
        0.5 * (o1[2] + s * d1[2] + o2[2] + t * d2[2]),
    )


@numba.njit(cache=True, nogil=True)
def residual(c: NDArray[np.float64], X: NDArray[np.float64], u: float, v: float) -> float:
    """Return the reprojection error in px; infinite where the camera cannot see the point."""
    x, y, z = to_camera(c, X[0], X[1], X[2])
    pu, pv = project_with_jacobian(c, x, y, z)[:2]
    r = math.hypot(pu - u, pv - v)
    return math.inf if math.isnan(r) else r


@numba.njit(cache=True, nogil=True)
def consensus(
    cameras: NDArray[np.float64],
    xy: NDArray[np.float64],
    weight: NDArray[np.float64],
    index: NDArray[np.int64],
    origins: NDArray[np.float64],
    rays: NDArray[np.float64],
    bound: float,
) -> tuple[float, NDArray[np.float64]]:
    """Return how much weight agrees with the best two-view hypothesis, and that: sum of w * (1 - (error/bound)^2)."""
    n = len(index)
    best, best_X = 0.0, np.full(3, np.nan)
    X = np.empty(3)
    reach = n - 1 if n <= ALL_PAIRS_UP_TO else ALL_PAIRS_UP_TO // 2
    for i in range(n):
        for offset in range(1, reach + 1):
            j = i + offset
            if n <= ALL_PAIRS_UP_TO and j >= n:
                break
            j = j % n
            a, b = index[i], index[j]
            meet, X[0], X[1], X[2] = midpoint(origins[a], rays[a], origins[b], rays[b])
            if not meet:
                continue
            support, views = 0.0, 0
            for k in range(n):
                c = index[k]
                r = residual(cameras[c], X, xy[c, 0], xy[c, 1]) / bound
                if r < 1.0:
                    support += weight[c] * (1.0 - r * r)
                    views += 1
            if views >= 2 and support > best:
                best = support
                best_X[:] = X
    return best, best_X


@numba.njit(cache=True, nogil=True)
def linear(
    origins: NDArray[np.float64], rays: NDArray[np.float64], weight: NDArray[np.float64], used: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the point with the least weighted squared distance to the rays used; NaN if they are parallel."""
    A, b = np.zeros((3, 3)), np.zeros(3)
    for c in range(len(used)):
        if not used[c]:
            continue
        d, o, w = rays[c], origins[c], weight[c] * weight[c]
        along = d[0] * o[0] + d[1] * o[1] + d[2] * o[2]
        for i in range(3):
            for j in range(3):
                A[i, j] -= w * d[i] * d[j]
            A[i, i] += w
            b[i] += w * (o[i] - d[i] * along)
    return solve3(A, b)


@numba.njit(cache=True, nogil=True)
def solve3(A: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solve a symmetric 3 x 3 system by cofactors; NaN if it is singular."""
    c0 = A[1, 1] * A[2, 2] - A[1, 2] * A[2, 1]
    c1 = A[1, 2] * A[2, 0] - A[1, 0] * A[2, 2]
    c2 = A[1, 0] * A[2, 1] - A[1, 1] * A[2, 0]
    det = A[0, 0] * c0 + A[0, 1] * c1 + A[0, 2] * c2
    x = np.full(3, np.nan)
    if abs(det) > 1e-300:
        x[0] = (
            c0 * b[0] + (A[0, 2] * A[2, 1] - A[0, 1] * A[2, 2]) * b[1] + (A[0, 1] * A[1, 2] - A[0, 2] * A[1, 1]) * b[2]
        ) / det
        x[1] = (
            c1 * b[0] + (A[0, 0] * A[2, 2] - A[0, 2] * A[2, 0]) * b[1] + (A[0, 2] * A[1, 0] - A[0, 0] * A[1, 2]) * b[2]
        ) / det
        x[2] = (
            c2 * b[0] + (A[0, 1] * A[2, 0] - A[0, 0] * A[2, 1]) * b[1] + (A[0, 0] * A[1, 1] - A[0, 1] * A[1, 0]) * b[2]
        ) / det
    return x


@numba.njit(cache=True, nogil=True)
def normal_equations(
    cameras: NDArray[np.float64],
    xy: NDArray[np.float64],
    weight: NDArray[np.float64],
    index: NDArray[np.int64],
    X: NDArray[np.float64],
    bound: float,
    A: NDArray[np.float64],
    b: NDArray[np.float64],
) -> float:
    """Fill J^T W J and J^T W r of Tukey's loss at X; return the loss, px^2 (a view beyond the bound: bound^2/3)."""
    A[:] = 0.0
    b[:] = 0.0
    loss = 0.0
    outside = bound * bound / 3.0
    for k in range(len(index)):
        c = cameras[index[k]]
        x, y, z = to_camera(c, X[0], X[1], X[2])
        u, v, ux, uy, uz, vx, vy, vz = project_with_jacobian(c, x, y, z)
        ru, rv = xy[index[k], 0] - u, xy[index[k], 1] - v
        r2 = (ru * ru + rv * rv) / (bound * bound)
        if not r2 < 1.0:
            loss += weight[index[k]] * outside
            continue
        rest = 1.0 - r2
        loss += weight[index[k]] * outside * (1.0 - rest * rest * rest)
        w = weight[index[k]] * rest * rest
        ju = np.empty(3)
        jv = np.empty(3)
        for i in range(3):
            ju[i] = ux * c[POSE + i] + uy * c[POSE + 3 + i] + uz * c[POSE + 6 + i]
            jv[i] = vx * c[POSE + i] + vy * c[POSE + 3 + i] + vz * c[POSE + 6 + i]
        for i in range(3):
            for j in range(3):
                A[i, j] += w * (ju[i] * ju[j] + jv[i] * jv[j])
            b[i] += w * (ju[i] * ru + jv[i] * rv)
    return loss


@numba.njit(cache=True, nogil=True)
def refine(
    cameras: NDArray[np.float64],
    xy: NDArray[np.float64],
    weight: NDArray[np.float64],
    index: NDArray[np.int64],
    X: NDArray[np.float64],
    bound: float,
) -> None:
    """Move X, in place, to the nearest minimum of the robust reprojection error by Levenberg-Marquardt."""
    A, b, damped = np.empty((3, 3)), np.empty(3), np.empty((3, 3))
    loss = normal_equations(cameras, xy, weight, index, X, bound, A, b)
    damping = 1e-4
    trial_A, trial_b = np.empty((3, 3)), np.empty(3)
    for _ in range(MOST_STEPS):
        damped[:] = A
        for i in range(3):
            damped[i, i] += damping * A[i, i] + 1e-12
        step = solve3(damped, b)
        if not (math.isfinite(step[0]) and math.isfinite(step[1]) and math.isfinite(step[2])):
            return
        trial = X + step
        trial_loss = normal_equations(cameras, xy, weight, index, trial, bound, trial_A, trial_b)
        if trial_loss <= loss:
            X[:] = trial
            A[:], b[:] = trial_A, trial_b
            done = math.sqrt(step[0] ** 2 + step[1] ** 2 + step[2] ** 2) < 1e-10
            loss, damping = trial_loss, damping * 0.1
            if done:
                return
        else:
            damping *= 10.0
            if damping > 1e8:
                return


@numba.njit(cache=True, nogil=True)
def _spread(A: NDArray[np.float64], noise_px: float, out: NDArray[np.float64]) -> None:
    """Write the standard deviations, mm, of a point whose unweighted normal matrix is A, for a pixel noise."""
    for i in range(3):
        unit = np.zeros(3)
        unit[i] = 1.0
        variance = solve3(A, unit)[i]
        out[i] = 1000.0 * noise_px * math.sqrt(variance) if variance > 0.0 else math.nan


@numba.njit(cache=True, nogil=True, parallel=True)
def triangulate_many(
    cameras: NDArray[np.float64],
    origins: NDArray[np.float64],
    xy: NDArray[np.float64],
    score: NDArray[np.float64],
    bound: float,
    noise_px: float,
    least_views: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    """Triangulate N points.

    Args:
        cameras: (C, PACKED) packed cameras.
        origins: (C, 3) camera centres, m.
        xy: (N, C, 2) raw px; a view counts if it is finite and its score is above 0.
        score: (N, C) weights.
        bound: largest reprojection error of a view that is used, px.
        noise_px: standard deviation of a detection along one axis, px, for `sigma_mm`.
        least_views: fewest views of a point.

    Returns:
        X (N, 3), score (N,), mean error (N,) px, views used (N, C), sigma (N, 3) mm.
    """
    N, C = score.shape
    out_X, out_sigma = np.full((N, 3), np.nan), np.full((N, 3), np.nan)
    out_score, out_error = np.zeros(N), np.full(N, np.nan)
    out_views = np.zeros((N, C), np.bool_)
    for p in numba.prange(N):
        rays = np.zeros((C, 3))
        seen = np.zeros(C, np.bool_)
        for c in range(C):
            if score[p, c] > 0.0 and math.isfinite(xy[p, c, 0]) and math.isfinite(xy[p, c, 1]):
                rays[c, 0], rays[c, 1], rays[c, 2] = world_ray(cameras[c], xy[p, c, 0], xy[p, c, 1])
                seen[c] = math.isfinite(rays[c, 0])
        index = np.flatnonzero(seen)
        if len(index) < least_views:
            continue
        support, X = consensus(cameras, xy[p], score[p], index, origins, rays, bound)
        if support <= 0.0:
            continue
        for k in range(len(index)):
            c = int(index[k])
            seen[c] = residual(cameras[c], X, xy[p, c, 0], xy[p, c, 1]) < bound
        start = linear(origins, rays, score[p], seen)
        A, b = np.empty((3, 3)), np.empty(3)
        if math.isfinite(start[0]) and normal_equations(
            cameras, xy[p], score[p], index, start, bound, A, b
        ) < normal_equations(cameras, xy[p], score[p], index, X, bound, A, b):
            X = start
        refine(cameras, xy[p], score[p], index, X, bound)
        used, total, error = 0, 0.0, 0.0
        for k in range(len(index)):
            c = int(index[k])
            r = residual(cameras[c], X, xy[p, c, 0], xy[p, c, 1])
            seen[c] = r < bound
            if seen[c]:
                used += 1
                total += score[p, c]
                error += r
        if used < least_views:
            continue
        normal_equations(cameras, xy[p], np.ones(C), np.flatnonzero(seen), X, 1e6, A, b)
        _spread(A, noise_px, out_sigma[p])
        out_X[p], out_score[p], out_error[p] = X, total / used, error / used
        out_views[p] = seen
    return out_X, out_score, out_error, out_views, out_sigma
