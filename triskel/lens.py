"""Lens models as compiled scalar kernels: what every projection in triskel goes through.

A camera is packed into one float64 vector (`pack`), so that the same kernels serve bulk projection, undistortion and
the inner loop of triangulation. Models and coefficient order are OpenCV's: pinhole with up to 14 coefficients
(k1 k2 p1 p2 k3 k4 k5 k6 s1 s2 s3 s4 tau_x tau_y) and the equidistant fisheye (k1 .. k4).
Kernels return NaN where a point cannot be seen: behind a pinhole camera, or where the lens polynomial folds back.
"""

import math

import numba
import numpy as np
from numpy.typing import NDArray

from triskel.camera import Camera

# Layout of a packed camera.
FX, FY, CX, CY, SKEW, IS_FISHEYE = 0, 1, 2, 3, 4, 5
DIST = 6  # 14 coefficients
TILT = 20  # 3 x 3, row by row: the tilted sensor's homography, identity without tilt
POSE = 29  # R row by row (9), then t (3): cam_from_world
PACKED = 41

_NEWTON_STEPS = 30
_NEWTON_DONE = 1e-14


def pack(camera: Camera) -> NDArray[np.float64]:
    """Return `camera` as the vector (PACKED,) that the kernels take."""
    packed = np.zeros(PACKED)
    K = camera.K
    packed[[FX, FY, CX, CY, SKEW]] = K[0, 0], K[1, 1], K[0, 2], K[1, 2], K[0, 1]
    packed[IS_FISHEYE] = camera.model == "fisheye"
    packed[DIST : DIST + len(camera.dist)] = camera.dist
    tilted = camera.model == "pinhole" and len(camera.dist) == 14
    packed[TILT:POSE] = (_tilt(*camera.dist[12:14]) if tilted else np.eye(3)).ravel()
    packed[POSE:] = np.r_[camera.cam_from_world.R.ravel(), camera.cam_from_world.t]
    return packed


def _tilt(tau_x: float, tau_y: float) -> NDArray[np.float64]:
    """Return the homography of a sensor tilted by two angles, rad (the Scheimpflug model in OpenCV's documentation)."""
    cx, sx, cy, sy = math.cos(tau_x), math.sin(tau_x), math.cos(tau_y), math.sin(tau_y)
    rotation = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]]) @ np.array([[1, 0, 0], [0, cx, sx], [0, -sx, cx]])
    to_plane = np.array([[rotation[2, 2], 0, -rotation[0, 2]], [0, rotation[2, 2], -rotation[1, 2]], [0, 0, 1]])
    return to_plane @ rotation


@numba.njit(cache=True, nogil=True)
def distort_pinhole(c: NDArray[np.float64], x: float, y: float) -> tuple[float, float, float, float, float, float]:
    """Distort normalised (x, y); return (x', y') and the derivatives dx'/dx, dx'/dy, dy'/dx, dy'/dy."""
    k1, k2, p1, p2, k3 = c[DIST], c[DIST + 1], c[DIST + 2], c[DIST + 3], c[DIST + 4]
    k4, k5, k6 = c[DIST + 5], c[DIST + 6], c[DIST + 7]
    s1, s2, s3, s4 = c[DIST + 8], c[DIST + 9], c[DIST + 10], c[DIST + 11]
    r2 = x * x + y * y
    num = 1.0 + r2 * (k1 + r2 * (k2 + r2 * k3))
    den = 1.0 + r2 * (k4 + r2 * (k5 + r2 * k6))
    g = num / den
    dg = (k1 + r2 * (2.0 * k2 + 3.0 * r2 * k3) - g * (k4 + r2 * (2.0 * k5 + 3.0 * r2 * k6))) / den  # dg / d(r2)
    xd = x * g + 2.0 * p1 * x * y + p2 * (r2 + 2.0 * x * x) + r2 * (s1 + r2 * s2)
    yd = y * g + p1 * (r2 + 2.0 * y * y) + 2.0 * p2 * x * y + r2 * (s3 + r2 * s4)
    prism_x, prism_y = s1 + 2.0 * s2 * r2, s3 + 2.0 * s4 * r2
    a = g + 2.0 * x * x * dg + 2.0 * p1 * y + 6.0 * p2 * x + 2.0 * x * prism_x
    b = 2.0 * x * y * dg + 2.0 * p1 * x + 2.0 * p2 * y + 2.0 * y * prism_x
    d = 2.0 * x * y * dg + 2.0 * p1 * x + 2.0 * p2 * y + 2.0 * x * prism_y
    e = g + 2.0 * y * y * dg + 6.0 * p1 * y + 2.0 * p2 * x + 2.0 * y * prism_y
    if c[TILT + 1] == 0.0 and c[TILT + 3] == 0.0 and c[TILT] == 1.0:
        return xd, yd, a, b, d, e
    w = c[TILT + 6] * xd + c[TILT + 7] * yd + c[TILT + 8]
    u = (c[TILT] * xd + c[TILT + 1] * yd + c[TILT + 2]) / w
    v = (c[TILT + 3] * xd + c[TILT + 4] * yd + c[TILT + 5]) / w
    ux, uy = (c[TILT] - u * c[TILT + 6]) / w, (c[TILT + 1] - u * c[TILT + 7]) / w
    vx, vy = (c[TILT + 3] - v * c[TILT + 6]) / w, (c[TILT + 4] - v * c[TILT + 7]) / w
    return u, v, ux * a + uy * d, ux * b + uy * e, vx * a + vy * d, vx * b + vy * e


@numba.njit(cache=True, nogil=True)
def distort_angle(c: NDArray[np.float64], theta: float) -> tuple[float, float]:
    """Return the fisheye's distorted angle for `theta`, rad, and its derivative."""
    q = theta * theta
    k1, k2, k3, k4 = c[DIST], c[DIST + 1], c[DIST + 2], c[DIST + 3]
    value = theta * (1.0 + q * (k1 + q * (k2 + q * (k3 + q * k4))))
    slope = 1.0 + q * (3.0 * k1 + q * (5.0 * k2 + q * (7.0 * k3 + q * 9.0 * k4)))
    return value, slope


@numba.njit(cache=True, nogil=True)
def project_with_jacobian(
    c: NDArray[np.float64], X: float, Y: float, Z: float
) -> tuple[float, float, float, float, float, float, float, float]:
    """Project a point in camera coordinates, m; return (u, v) px and du/dX du/dY du/dZ dv/dX dv/dY dv/dZ."""
    nan = math.nan
    if c[IS_FISHEYE] != 0.0:
        r = math.hypot(X, Y)
        if r < 1e-12 * max(abs(Z), 1e-300):
            if Z <= 0.0:
                return nan, nan, nan, nan, nan, nan, nan, nan
            xd, yd = X / Z, Y / Z
            xX, xY, xZ, yX, yY, yZ = 1.0 / Z, 0.0, -X / (Z * Z), 0.0, 1.0 / Z, -Y / (Z * Z)
        else:
            value, slope = distort_angle(c, math.atan2(r, Z))
            if slope <= 0.0:
                return nan, nan, nan, nan, nan, nan, nan, nan
            n2 = r * r + Z * Z
            s = value / r
            along = (slope * Z / n2 - s) / (r * r)  # d(value / r) / dr, over r
            across = -slope / n2  # d(value / r) / dZ
            xd, yd = X * s, Y * s
            xX, xY, xZ = s + X * X * along, X * Y * along, X * across
            yX, yY, yZ = X * Y * along, s + Y * Y * along, Y * across
    else:
        if not Z > 1e-9:
            return nan, nan, nan, nan, nan, nan, nan, nan
        x, y = X / Z, Y / Z
        xd, yd, a, b, d, e = distort_pinhole(c, x, y)
        # Beyond the radius where the polynomial folds back into the image, or further out, where it mirrors it.
        if a * e - b * d <= 0.0 or a + e <= 0.0:
            return nan, nan, nan, nan, nan, nan, nan, nan
        xX, xY, xZ = a / Z, b / Z, -(a * x + b * y) / Z
        yX, yY, yZ = d / Z, e / Z, -(d * x + e * y) / Z
    fx, fy, skew = c[FX], c[FY], c[SKEW]
    return (
        fx * xd + skew * yd + c[CX],
        fy * yd + c[CY],
        fx * xX + skew * yX,
        fx * xY + skew * yY,
        fx * xZ + skew * yZ,
        fy * yX,
        fy * yY,
        fy * yZ,
    )


@numba.njit(cache=True, nogil=True)
def lens_derivatives(
    c: NDArray[np.float64], n_dist: int, X: float, Y: float, Z: float, out: NDArray[np.float64]
) -> None:
    """Fill out (2, 4 + n_dist): derivatives of (u, v) by fx fy cx cy and the first n_dist (at most 8) coefficients.

    The point is in camera coordinates, in front of a lens that sees it. Coefficients that a fisheye does not have get
    zeros. A tilted sensor is not taken into account.
    """
    out[:] = 0.0
    if c[IS_FISHEYE] != 0.0:
        r = math.hypot(X, Y)
        theta = math.atan2(r, Z)
        value, _ = distort_angle(c, theta)
        ux, uy = (X / r, Y / r) if r > 1e-12 else (0.0, 0.0)
        xd, yd = ux * value, uy * value
        power = theta
        for i in range(min(n_dist, 4)):
            power *= theta * theta
            out[0, 4 + i], out[1, 4 + i] = ux * power, uy * power
    else:
        x, y = X / Z, Y / Z
        xd, yd, _, _, _, _ = distort_pinhole(c, x, y)
        r2 = x * x + y * y
        num = 1.0 + r2 * (c[DIST] + r2 * (c[DIST + 1] + r2 * c[DIST + 4]))
        den = 1.0 + r2 * (c[DIST + 5] + r2 * (c[DIST + 6] + r2 * c[DIST + 7]))
        power = 1.0 / den
        for above, below in ((0, 5), (1, 6), (4, 7)):  # k1 k4, k2 k5, k3 k6
            power *= r2
            if above < n_dist:
                out[0, 4 + above], out[1, 4 + above] = x * power, y * power
            if below < n_dist:
                out[0, 4 + below], out[1, 4 + below] = -x * power * num / den, -y * power * num / den
        if n_dist > 2:
            out[0, 6], out[1, 6] = 2.0 * x * y, r2 + 2.0 * y * y
        if n_dist > 3:
            out[0, 7], out[1, 7] = r2 + 2.0 * x * x, 2.0 * x * y
    for i in range(4, 4 + n_dist):
        out[0, i] = c[FX] * out[0, i] + c[SKEW] * out[1, i]
        out[1, i] = c[FY] * out[1, i]
    out[0, 0], out[1, 1], out[0, 2], out[1, 3] = xd, yd, 1.0, 1.0


@numba.njit(cache=True, nogil=True)
def to_camera(c: NDArray[np.float64], X: float, Y: float, Z: float) -> tuple[float, float, float]:
    """Map a world point to camera coordinates, m."""
    return (
        c[POSE] * X + c[POSE + 1] * Y + c[POSE + 2] * Z + c[POSE + 9],
        c[POSE + 3] * X + c[POSE + 4] * Y + c[POSE + 5] * Z + c[POSE + 10],
        c[POSE + 6] * X + c[POSE + 7] * Y + c[POSE + 8] * Z + c[POSE + 11],
    )


@numba.njit(cache=True, nogil=True)
def pixel_ray(c: NDArray[np.float64], u: float, v: float) -> tuple[float, float, float]:
    """Return the unit viewing ray of a pixel in camera coordinates; NaN where no ray reaches that pixel."""
    nan = math.nan
    yd = (v - c[CY]) / c[FY]
    xd = (u - c[CX] - c[SKEW] * yd) / c[FX]
    if c[IS_FISHEYE] != 0.0:
        target = math.hypot(xd, yd)
        if target < 1e-15:
            return 0.0, 0.0, 1.0
        theta = min(target, 1.5)
        for _ in range(_NEWTON_STEPS):
            value, slope = distort_angle(c, theta)
            if slope <= 0.0:
                return nan, nan, nan
            step = (value - target) / slope
            theta -= step
            if abs(step) < _NEWTON_DONE:
                break
        value, slope = distort_angle(c, theta)
        if not (0.0 <= theta <= math.pi) or slope <= 0.0 or abs(value - target) > 1e-9:
            return nan, nan, nan
        s = math.sin(theta) / target
        return xd * s, yd * s, math.cos(theta)
    x, y = xd, yd
    for _ in range(_NEWTON_STEPS):
        px, py, a, b, d, e = distort_pinhole(c, x, y)
        det = a * e - b * d
        if det <= 0.0:  # left the part of the image that the polynomial describes: restart closer to the axis
            x, y = 0.5 * x, 0.5 * y
            continue
        ex, ey = px - xd, py - yd
        dx, dy = (e * ex - b * ey) / det, (a * ey - d * ex) / det
        x, y = x - dx, y - dy
        if abs(dx) + abs(dy) < _NEWTON_DONE:
            break
    px, py, a, b, d, e = distort_pinhole(c, x, y)
    if not (abs(px - xd) + abs(py - yd) < 1e-9) or a * e - b * d <= 0.0 or a + e <= 0.0:
        return nan, nan, nan
    n = 1.0 / math.sqrt(x * x + y * y + 1.0)
    return x * n, y * n, n


@numba.njit(cache=True, nogil=True)
def project_many(c: NDArray[np.float64], X: NDArray[np.float64]) -> NDArray[np.float64]:
    """Project world points (N, 3), m, to raw pixels (N, 2)."""
    xy = np.empty((len(X), 2))
    for i in range(len(X)):
        x, y, z = to_camera(c, X[i, 0], X[i, 1], X[i, 2])
        xy[i, 0], xy[i, 1] = project_with_jacobian(c, x, y, z)[:2]
    return xy


@numba.njit(cache=True, nogil=True)
def rays_many(c: NDArray[np.float64], xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return unit rays (N, 3) in camera coordinates for raw pixels (N, 2)."""
    rays = np.empty((len(xy), 3))
    for i in range(len(xy)):
        rays[i, 0], rays[i, 1], rays[i, 2] = pixel_ray(c, xy[i, 0], xy[i, 1])
    return rays
