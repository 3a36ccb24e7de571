"""How well bodies seen by different cameras fit together: compiled geometry of viewing rays, no decisions.

Errors are angles between a detection's viewing ray and a place in 3D, over the angle that counts as the bound. That is
the reprojection error in px over the bound in px to a few per cent, and needs no lens model once the rays are known.
"""

import math

import numba
import numpy as np
from numpy.typing import NDArray

from triskel.triangulate.kernel import world_ray

FEWEST_JOINTS = 4
"""Joints that two bodies must share to be compared."""

PRIOR_SPREAD = 8.0
"""How loosely a joint is held where it was expected: a bound is many standard deviations of a view's noise, what is
expected may well be off by all it is allowed. So it decides only where views do not, as along the line between two
cameras that face each other."""

TRIED_JOINTS = 6
"""A comparison is given up after so many joints if none of them fits: most pairs are of two people."""

SMALLEST_SINE2 = 2.5e-4
"""Squared sine of the angle, about 0.9 degrees, under which two rays are taken for parallel."""

THINNEST = SMALLEST_SINE2 / 32
"""The same for any number of rays: determinant over cubed trace of their normal matrix, which for two is sine^2/32."""


@numba.njit(cache=True, nogil=True)
def viewing_rays(cameras: NDArray[np.float64], people: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return unit rays and scores (C, N, J, 4) in world axes of joints (C, N, J, 3); score 0 where there is none."""
    C, N, J, _ = people.shape
    rays = np.zeros((C, N, J, 4))
    for c in range(C):
        for n in range(N):
            for j in range(J):
                if people[c, n, j, 2] > 0.0:
                    x, y, z = world_ray(cameras[c], people[c, n, j, 0], people[c, n, j, 1])
                    if math.isfinite(x):
                        rays[c, n, j, 0], rays[c, n, j, 1], rays[c, n, j, 2] = x, y, z
                        rays[c, n, j, 3] = people[c, n, j, 2]
    return rays


@numba.njit(cache=True, nogil=True)
def rays_agree(
    o1: NDArray[np.float64],
    one: NDArray[np.float64],
    bound1: float,
    o2: NDArray[np.float64],
    two: NDArray[np.float64],
    bound2: float,
) -> float:
    """Return the share, 0 to 1, of the joints of two detections (J, 4) whose rays meet; weighted, graded by error.

    Args:
        o1: (3,) where the first camera stands, m.
        one: its rays and scores.
        bound1: angle, rad, from which on its rays do not meet anything.
        o2: like `o1`, of the other camera.
        two: like `one`.
        bound2: like `bound1`.
    """
    w0, w1, w2 = o2[0] - o1[0], o2[1] - o1[1], o2[2] - o1[2]
    gained, possible, shared = 0.0, 0.0, 0
    for j in range(len(one)):
        weight = min(one[j, 3], two[j, 3])
        if weight <= 0.0:
            continue
        a0, a1, a2 = one[j, 0], one[j, 1], one[j, 2]
        b0, b1, b2 = two[j, 0], two[j, 1], two[j, 2]
        cosine = a0 * b0 + a1 * b1 + a2 * b2
        sine2 = 1.0 - cosine * cosine
        if sine2 < SMALLEST_SINE2:
            continue
        shared += 1
        possible += weight
        p, q = w0 * a0 + w1 * a1 + w2 * a2, w0 * b0 + w1 * b1 + w2 * b2
        s, t = (p - cosine * q) / sine2, (cosine * p - q) / sine2
        if s > 0.0 and t > 0.0:
            x, y, z = w0 + t * b0 - s * a0, w1 + t * b1 - s * a1, w2 + t * b2 - s * a2
            allowed = s * bound1 + t * bound2
            r2 = (x * x + y * y + z * z) / (allowed * allowed)
            if r2 < 1.0:
                gained += weight * (1.0 - r2)
        if shared >= TRIED_JOINTS and gained == 0.0:
            return 0.0
    return gained / possible if shared >= FEWEST_JOINTS else 0.0


@numba.njit(cache=True, nogil=True)
def squared_error(
    origin: NDArray[np.float64], ray: NDArray[np.float64], X: NDArray[np.float64], bound: float, slack_m: float
) -> float:
    """Return the squared distance of a place (3,) from a ray, over what is allowed there; infinite behind the camera.

    Allowed is `bound`, rad, times the distance from the camera, and `slack_m` besides.
    """
    x, y, z = X[0] - origin[0], X[1] - origin[1], X[2] - origin[2]
    along = x * ray[0] + y * ray[1] + z * ray[2]
    if along <= 0.0:
        return math.inf
    allowed = bound * along + slack_m
    return max(x * x + y * y + z * z - along * along, 0.0) / (allowed * allowed)


@numba.njit(cache=True, nogil=True)
def body_agrees(
    origin: NDArray[np.float64], seen: NDArray[np.float64], X: NDArray[np.float64], bound: float, slack_m: float
) -> tuple[float, float]:
    """Return how much a detection (J, 4) agrees with a body (J, 3), and how much it could at most.

    Args:
        origin: (3,) where the camera stands, m.
        seen: its rays and scores.
        X: joints, m, NaN = unknown.
        bound: angle, rad, from which on a joint does not agree.
        slack_m: how far off the body may be, m; widens the bound.
    """
    gained, possible, shared = 0.0, 0.0, 0
    for j in range(len(X)):
        weight = seen[j, 3]
        if weight <= 0.0 or not math.isfinite(X[j, 0]):
            continue
        shared += 1
        possible += weight
        r2 = squared_error(origin, seen[j], X[j], bound, slack_m)
        if r2 < 1.0:
            gained += weight * (1.0 - r2)
        if shared >= TRIED_JOINTS and gained == 0.0:
            return 0.0, possible
    if shared < FEWEST_JOINTS:
        return 0.0, possible
    return gained, possible


@numba.njit(cache=True, nogil=True)
def _meet(
    origins: NDArray[np.float64],
    rays: NDArray[np.float64],
    weight: NDArray[np.float64],
    prior: NDArray[np.float64],
    prior_weight: float,
    X: NDArray[np.float64],
) -> bool:
    """Fill X (3,) with the place of least weighted squared distance to rays (C, 4) and to `prior`.

    Returns:
        False if there is none: the rays are parallel and nothing else is known.
    """
    a00 = a11 = a22 = prior_weight
    a01, a02, a12 = 0.0, 0.0, 0.0
    b0, b1, b2 = prior_weight * prior[0], prior_weight * prior[1], prior_weight * prior[2]
    for c in range(len(weight)):
        w = weight[c]
        if w > 0.0:
            x, y, z = rays[c, 0], rays[c, 1], rays[c, 2]
            o0, o1, o2 = origins[c, 0], origins[c, 1], origins[c, 2]
            along = x * o0 + y * o1 + z * o2
            a00 += w * (1.0 - x * x)
            a11 += w * (1.0 - y * y)
            a22 += w * (1.0 - z * z)
            a01 -= w * x * y
            a02 -= w * x * z
            a12 -= w * y * z
            b0 += w * (o0 - x * along)
            b1 += w * (o1 - y * along)
            b2 += w * (o2 - z * along)
    c0, c1, c2 = a11 * a22 - a12 * a12, a12 * a02 - a01 * a22, a01 * a12 - a11 * a02
    determinant = a00 * c0 + a01 * c1 + a02 * c2
    trace = a00 + a11 + a22
    if not determinant > THINNEST * trace * trace * trace:
        return False
    c3, c4, c5 = a00 * a22 - a02 * a02, a01 * a02 - a00 * a12, a00 * a11 - a01 * a01
    X[0] = (c0 * b0 + c1 * b1 + c2 * b2) / determinant
    X[1] = (c1 * b0 + c3 * b1 + c4 * b2) / determinant
    X[2] = (c2 * b0 + c4 * b1 + c5 * b2) / determinant
    return True


@numba.njit(cache=True, nogil=True)
def _reweigh(
    origins: NDArray[np.float64],
    rays: NDArray[np.float64],
    bounds: NDArray[np.float64],
    X: NDArray[np.float64],
    weight: NDArray[np.float64],
) -> bool:
    """Bring weights (C,) to 1 / m^2 at X, where the nearer camera sees finer; a view far off counts nothing (Tukey).

    Returns:
        Whether two are left, with X in front of all.
    """
    left = 0
    for c in range(len(weight)):
        if weight[c] > 0.0:
            r2 = squared_error(origins[c], rays[c], X, bounds[c], 0.0)
            if r2 == math.inf:
                return False
            x, y, z = X[0] - origins[c, 0], X[1] - origins[c, 1], X[2] - origins[c, 2]
            allowed = bounds[c] * (x * rays[c, 0] + y * rays[c, 1] + z * rays[c, 2])
            # One bad view draws the first solution away from the good ones, so the loss is twice as wide here.
            rest = 1.0 - 0.25 * r2
            weight[c] = weight[c] * rest * rest / (allowed * allowed) if rest > 0.0 else 0.0
            left += weight[c] > 0.0
    return left >= 2


@numba.njit(cache=True, nogil=True)
def body_of(
    origins: NDArray[np.float64],
    rays: NDArray[np.float64],
    bounds: NDArray[np.float64],
    members: NDArray[np.int64],
    prior: NDArray[np.float64],
    prior_m: float,
    X: NDArray[np.float64],
) -> None:
    """Fill X (J, 3) with the joints of one person, NaN where the rays do not tell; a view far off is left out.

    Args:
        origins: (C, 3) where the cameras stand, m.
        rays: (C, N, J, 4) viewing rays and scores.
        bounds: (C,) angle, rad, beyond which a view is left out.
        members: (C,) the person's place in each camera's detections, -1 for none.
        prior: (J, 3) where the joints are expected, NaN = unknown.
        prior_m: how far from there they may be; counts like a bound, but see `PRIOR_SPREAD`.
        X: filled.
    """
    C, J = len(members), len(X)
    lines, weight, nowhere = np.zeros((C, 4)), np.zeros(C), np.zeros(3)
    for j in range(J):
        X[j] = math.nan
        views = 0
        for c in range(C):
            weight[c] = 0.0
            if members[c] >= 0 and rays[c, members[c], j, 3] > 0.0:
                lines[c] = rays[c, members[c], j]
                weight[c] = lines[c, 3] * lines[c, 3]
                views += 1
        if views < 2:
            continue
        known = math.isfinite(prior[j, 0])
        expected = prior[j] if known else nowhere
        if not _meet(origins, lines, weight, expected, 1e-4 if known else 0.0, X[j]):
            X[j] = math.nan
            continue
        if not _reweigh(origins, lines, bounds, X[j], weight) or not _meet(
            origins, lines, weight, expected, 1.0 / (PRIOR_SPREAD * prior_m) ** 2 if known else 0.0, X[j]
        ):
            X[j] = math.nan
