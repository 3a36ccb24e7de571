"""One point from many views, compiled: consensus, weighted linear start, Levenberg-Marquardt on raw pixels.

For each point: the midpoint of a pair of rays is a hypothesis; the one that most views agree with, weighted by their
scores, wins; the agreeing views give a score-weighted linear solution; Levenberg-Marquardt with Tukey's loss minimises
the reprojection error in the raw, distorted image; the views within the bound at the end are the ones used.
"""

import math

import numba
import numpy as np
from numpy.typing import NDArray

from triskel.keypoints import Missing
from triskel.lens import POSE, pixel_ray, project_with_jacobian, to_camera
from triskel.triangulate.refinement import PRIOR_FREEDOM, covariance, inverse, normal_equations, refine, times

MOST_HYPOTHESES = 66
"""Pairs of views that are tried, those of the best scores first: all of twelve views'. With the number of views only
the cost of each grows, so that the work stays linear in it."""

GOOD_ENOUGH = 0.75
FEWEST_VIEWS_TO_STOP = 5
"""Agreement, as a share of the most there can be, that ends the search among so many views: none of the rest could be
much better. Among four, of which three agree, another three may agree more."""

MOST_FOR_TWO = 3
TIGHT_FOR_TWO = 9.0
"""Two views that agree are believed against a third if their squared errors together are at most so many times the
noise's variance: three standard deviations of their one degree of freedom. Of more than three, three must agree."""

SMALLEST_SINE2 = 2.5e-4
"""Squared sine of the angle, about 0.9 degrees, under which two rays are taken for parallel."""

FOUND, FEW_VIEWS, PARALLEL = int(Missing.FOUND), int(Missing.FEW_VIEWS), int(Missing.PARALLEL)
BEHIND, DISAGREE = int(Missing.BEHIND), int(Missing.DISAGREE)


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
    best_X: NDArray[np.float64],
) -> int:
    """Write the two-view hypothesis that the most weight agrees with, sum of w * (1 - (error/bound)^2), to `best_X`.

    Args:
        cameras: (C, PACKED).
        xy: (C, 2) raw px.
        weight: (C,) scores.
        index: the views that saw the point, best first.
        origins: (C, 3) camera centres, m.
        rays: (C, 3) unit viewing rays.
        bound: error from which on a view does not agree, px.
        best_X: (3,) m, written.

    Returns:
        FOUND, or why there is no hypothesis: PARALLEL, BEHIND or DISAGREE.
    """
    n = len(index)
    total = 0.0
    for k in range(n):
        total += weight[index[k]]
    X = np.empty(3)
    best, tried, any_angle, any_meet = 0.0, 0, False, False
    for j in range(1, n):
        for i in range(j):
            tried += 1
            if tried > MOST_HYPOTHESES:
                break
            a, b = index[i], index[j]
            meet, X[0], X[1], X[2] = midpoint(origins[a], rays[a], origins[b], rays[b])
            if not meet:
                along = rays[a, 0] * rays[b, 0] + rays[a, 1] * rays[b, 1] + rays[a, 2] * rays[b, 2]
                any_angle |= 1.0 - along * along > SMALLEST_SINE2
                continue
            any_meet = True
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
                if n >= FEWEST_VIEWS_TO_STOP and support > GOOD_ENOUGH * total:
                    return FOUND
    if best > 0.0:
        return FOUND
    if any_meet:
        return DISAGREE
    return BEHIND if any_angle else PARALLEL


@numba.njit(cache=True, nogil=True)
def linear(
    origins: NDArray[np.float64],
    rays: NDArray[np.float64],
    weight: NDArray[np.float64],
    used: NDArray[np.bool_],
    X: NDArray[np.float64],
) -> bool:
    """Write the point with the least weighted squared distance to the rays used to X; say whether there is one."""
    a0 = a1 = a2 = a3 = a4 = a5 = 0.0
    b0 = b1 = b2 = 0.0
    for c in range(len(used)):
        if not used[c]:
            continue
        d, o, w = rays[c], origins[c], weight[c] * weight[c]
        along = d[0] * o[0] + d[1] * o[1] + d[2] * o[2]
        a0, a1, a2 = a0 + w * (1.0 - d[0] * d[0]), a1 - w * d[0] * d[1], a2 - w * d[0] * d[2]
        a3, a4, a5 = a3 + w * (1.0 - d[1] * d[1]), a4 - w * d[1] * d[2], a5 + w * (1.0 - d[2] * d[2])
        b0 += w * (o[0] - d[0] * along)
        b1 += w * (o[1] - d[1] * along)
        b2 += w * (o[2] - d[2] * along)
    known, inverted = inverse((a0, a1, a2, a3, a4, a5))
    if known:
        X[0], X[1], X[2] = times(inverted, b0, b1, b2)
    return known


@numba.njit(cache=True, nogil=True)
def one_point(
    cameras: NDArray[np.float64],
    origins: NDArray[np.float64],
    xy: NDArray[np.float64],
    score: NDArray[np.float64],
    rays: NDArray[np.float64],
    index: NDArray[np.int64],
    bound: float,
    X: NDArray[np.float64],
    used: NDArray[np.bool_],
) -> int:
    """Write a point's position (3,) and the views used (C,); return a `Missing`. `index` has the views that saw it."""
    found = consensus(cameras, xy, score, index, origins, rays, bound, X)
    if found != FOUND:
        return found
    for k in range(len(index)):
        c = index[k]
        used[c] = residual(cameras[c], X, xy[c, 0], xy[c, 1]) < bound
    start = np.empty(3)
    if linear(origins, rays, score, used, start):
        there = normal_equations(cameras, xy, score, index, start[0], start[1], start[2], bound)[0]
        here = normal_equations(cameras, xy, score, index, X[0], X[1], X[2], bound)[0]
        if there < here:
            X[:] = start
    refine(cameras, xy, score, index, X, bound)
    for k in range(len(index)):
        c = index[k]
        used[c] = residual(cameras[c], X, xy[c, 0], xy[c, 1]) < bound
    return FOUND


@numba.njit(cache=True, nogil=True, parallel=True)
def triangulate_many(
    cameras: NDArray[np.float64],
    origins: NDArray[np.float64],
    xy: NDArray[np.float64],
    score: NDArray[np.float64],
    bound: float,
    noise_px: float,
    least_views: int,
    max_sigma_mm: float,
) -> tuple[
    NDArray[np.float64],
    NDArray[np.float64],
    NDArray[np.float64],
    NDArray[np.bool_],
    NDArray[np.float32],
    NDArray[np.uint8],
]:
    """Triangulate N points.

    Args:
        cameras: (C, PACKED) packed cameras.
        origins: (C, 3) camera centres, m.
        xy: (N, C, 2) raw px; a view counts if it is finite and its score is above 0.
        score: (N, C) weights.
        bound: largest reprojection error of a view that is used, px.
        noise_px: standard deviation of a detection along one axis, px, for the covariance.
        least_views: fewest views of a point.
        max_sigma_mm: a point whose total standard deviation is larger is missing, mm.

    Returns:
        X (N, 3), score (N,), mean error (N,) px, views used (N, C), covariance (N, 3, 3) mm^2, `Missing` (N,).
    """
    N, C = score.shape
    out_X, out_cov = np.full((N, 3), np.nan), np.full((N, 3, 3), np.nan, np.float32)
    out_score, out_error = np.zeros(N), np.full(N, np.nan)
    out_views, out_missing = np.zeros((N, C), np.bool_), np.full(N, FEW_VIEWS, np.uint8)
    for p in numba.prange(N):
        rays, X = np.empty((C, 3)), np.empty(3)
        used = np.zeros(C, np.bool_)
        index = np.empty(C, np.int64)
        n = 0
        for c in range(C):
            if score[p, c] > 0.0 and math.isfinite(xy[p, c, 0]) and math.isfinite(xy[p, c, 1]):
                rays[c, 0], rays[c, 1], rays[c, 2] = world_ray(cameras[c], xy[p, c, 0], xy[p, c, 1])
                if math.isfinite(rays[c, 0]):
                    k = n  # insertion keeps the best scores first
                    while k > 0 and score[p, index[k - 1]] < score[p, c]:
                        index[k] = index[k - 1]
                        k -= 1
                    index[k] = c
                    n += 1
        if n < least_views:
            continue
        index = index[:n]
        out_missing[p] = one_point(cameras, origins, xy[p], score[p], rays, index, bound, X, used)
        if out_missing[p] != FOUND:
            continue
        views, total, error, squared = 0, 0.0, 0.0, 0.0
        for k in range(n):
            c = index[k]
            if used[c]:
                r = residual(cameras[c], X, xy[p, c, 0], xy[p, c, 1])
                views += 1
                total += score[p, c]
                error += r
                squared += r * r
        # Two views, of which at least one is false, agree now and then, but seldom closely.
        loose = n > MOST_FOR_TWO or squared > TIGHT_FOR_TWO * noise_px * noise_px
        if views < least_views or (views == 2 and n > 2 and loose):
            out_missing[p] = DISAGREE
            continue
        _, A, _, noisy = normal_equations(cameras, xy[p], score[p], index, X[0], X[1], X[2], bound)
        prior = PRIOR_FREEDOM * noise_px * noise_px
        variance = (prior + squared) / (PRIOR_FREEDOM + 2.0 * views - 3.0)
        if not covariance(A, noisy, variance, out_cov[p]) <= max_sigma_mm * max_sigma_mm:
            out_missing[p] = PARALLEL
            out_cov[p] = np.nan
            continue
        out_X[p], out_score[p], out_error[p] = X, total / views, error / views
        out_views[p] = used
    return out_X, out_score, out_error, out_views, out_cov, out_missing
