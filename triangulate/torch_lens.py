"""The lens models of `triskel.lens` for many points and cameras at once, in torch: the same formulas, on any device.

Everything is float64 and (N, C): N points, C cameras. What cannot be seen is NaN.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from triskel.lens import CX, CY, DIST, FX, FY, IS_FISHEYE, POSE, SKEW, TILT

NEWTON_STEPS = 30
NEWTON_DONE = 1e-14


@dataclass(frozen=True, eq=False)
class TorchCameras:
    """Packed cameras on a device.

    Attributes:
        packed: (PACKED, C): one row a parameter, so that a row broadcasts against (N, C).
        origins: (C, 3) camera centres, m.
        pinhole: indices of the pinhole cameras.
        fisheye: indices of the others.
        tilted: whether any sensor is tilted; if none is, that step is left out.
    """

    packed: Tensor
    origins: Tensor
    pinhole: Tensor
    fisheye: Tensor
    tilted: bool

    @classmethod
    def of(cls, cameras: NDArray[np.float64], origins: NDArray[np.float64], device: torch.device) -> "TorchCameras":
        """Move packed cameras (C, PACKED) and their centres (C, 3) to a device."""
        is_fisheye = cameras[:, IS_FISHEYE] != 0
        tilts = cameras[~is_fisheye, TILT : TILT + 9]

        def to(array: NDArray[np.float64] | NDArray[np.intp]) -> Tensor:
            return torch.as_tensor(np.ascontiguousarray(array), device=device)

        return cls(
            to(cameras.T), to(origins), to(np.flatnonzero(~is_fisheye)), to(np.flatnonzero(is_fisheye)),
            bool((tilts != np.eye(3).ravel()).any()),
        )  # fmt: skip


def distort_pinhole(c: Tensor, x: Tensor, y: Tensor, tilted: bool) -> tuple[Tensor, ...]:
    """Distort normalised points; return x', y' and dx'/dx, dx'/dy, dy'/dx, dy'/dy."""
    k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4 = c[DIST : DIST + 12]
    r2 = x * x + y * y
    num = 1.0 + r2 * (k1 + r2 * (k2 + r2 * k3))
    den = 1.0 + r2 * (k4 + r2 * (k5 + r2 * k6))
    g = num / den
    dg = (k1 + r2 * (2.0 * k2 + 3.0 * r2 * k3) - g * (k4 + r2 * (2.0 * k5 + 3.0 * r2 * k6))) / den
    xd = x * g + 2.0 * p1 * x * y + p2 * (r2 + 2.0 * x * x) + r2 * (s1 + r2 * s2)
    yd = y * g + p1 * (r2 + 2.0 * y * y) + 2.0 * p2 * x * y + r2 * (s3 + r2 * s4)
    prism_x, prism_y = s1 + 2.0 * s2 * r2, s3 + 2.0 * s4 * r2
    a = g + 2.0 * x * x * dg + 2.0 * p1 * y + 6.0 * p2 * x + 2.0 * x * prism_x
    b = 2.0 * x * y * dg + 2.0 * p1 * x + 2.0 * p2 * y + 2.0 * y * prism_x
    d = 2.0 * x * y * dg + 2.0 * p1 * x + 2.0 * p2 * y + 2.0 * x * prism_y
    e = g + 2.0 * y * y * dg + 6.0 * p1 * y + 2.0 * p2 * x + 2.0 * y * prism_y
    if not tilted:
        return xd, yd, a, b, d, e
    t = c[TILT : TILT + 9]
    w = t[6] * xd + t[7] * yd + t[8]
    u, v = (t[0] * xd + t[1] * yd + t[2]) / w, (t[3] * xd + t[4] * yd + t[5]) / w
    ux, uy = (t[0] - u * t[6]) / w, (t[1] - u * t[7]) / w
    vx, vy = (t[3] - v * t[6]) / w, (t[4] - v * t[7]) / w
    return u, v, ux * a + uy * d, ux * b + uy * e, vx * a + vy * d, vx * b + vy * e


def distort_angle(c: Tensor, theta: Tensor) -> tuple[Tensor, Tensor]:
    """Return the fisheye's distorted angle, rad, and its derivative."""
    q = theta * theta
    k1, k2, k3, k4 = c[DIST : DIST + 4]
    value = theta * (1.0 + q * (k1 + q * (k2 + q * (k3 + q * k4))))
    return value, 1.0 + q * (3.0 * k1 + q * (5.0 * k2 + q * (7.0 * k3 + q * 9.0 * k4)))


def _pinhole(c: Tensor, X_cam: Tensor, tilted: bool) -> tuple[Tensor, ...]:
    """Return distorted normalised x, y and their derivatives by camera coordinates (3, N, c): eight (N, c)."""
    X, Y, Z = X_cam
    Z = torch.where(Z > 1e-9, Z, torch.nan)
    x, y = X / Z, Y / Z
    xd, yd, a, b, d, e = distort_pinhole(c, x, y, tilted)
    # Where the polynomial folds back into the image, or mirrors it.
    folded = (a * e - b * d <= 0.0) | (a + e <= 0.0)
    xd, yd = torch.where(folded, torch.nan, xd), torch.where(folded, torch.nan, yd)
    return xd, yd, a / Z, b / Z, -(a * x + b * y) / Z, d / Z, e / Z, -(d * x + e * y) / Z


def _fisheye(c: Tensor, X_cam: Tensor) -> tuple[Tensor, ...]:
    """Return the same of equidistant cameras."""
    X, Y, Z = X_cam
    r = torch.hypot(X, Y)
    value, slope = distort_angle(c, torch.atan2(r, Z))
    n2 = r * r + Z * Z
    s = value / r
    along, across = (slope * Z / n2 - s) / (r * r), -slope / n2
    s = torch.where(slope > 0.0, s, torch.nan)
    off = (X * s, Y * s, s + X * X * along, X * Y * along, X * across, X * Y * along, s + Y * Y * along, Y * across)
    z = torch.where(Z > 0.0, Z, torch.nan)
    none = torch.zeros_like(z)
    on_axis = (X / z, Y / z, 1.0 / z, none, -X / (z * z), none, 1.0 / z, -Y / (z * z))
    near = r < 1e-12 * Z.abs().clamp(min=1e-300)
    return tuple(torch.where(near, axis, other) for axis, other in zip(on_axis, off, strict=True))


def project(cameras: TorchCameras, X: Tensor, *, jacobian: bool = False) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Project world points (N, 3), m, into all cameras.

    Returns:
        u and v (N, C), raw px, NaN where a camera cannot see the point, and on demand the derivatives of u, then of v,
        by the three world coordinates: six (N, C), px/m.
    """
    c = cameras.packed
    pose = c[POSE : POSE + 12]
    rows = [(pose[3 * i : 3 * i + 3], pose[9 + i]) for i in range(3)]
    X_cam = torch.stack([(X[:, 0:1] * R[0] + X[:, 1:2] * R[1]) + X[:, 2:3] * R[2] + t for R, t in rows])
    if len(cameras.fisheye) == 0:
        ideal = _pinhole(c, X_cam, cameras.tilted)
    elif len(cameras.pinhole) == 0:
        ideal = _fisheye(c, X_cam)
    else:
        some, others = cameras.pinhole, cameras.fisheye
        pinhole = _pinhole(c[:, some], X_cam[..., some], cameras.tilted)
        fisheye = _fisheye(c[:, others], X_cam[..., others])
        back = torch.argsort(torch.cat([some, others]))
        ideal = tuple(torch.cat(pair, dim=1)[:, back] for pair in zip(pinhole, fisheye, strict=True))
    xd, yd, xX, xY, xZ, yX, yY, yZ = ideal
    fx, fy, skew = c[FX], c[FY], c[SKEW]
    u, v = fx * xd + skew * yd + c[CX], fy * yd + c[CY]
    if not jacobian:
        return u, v, []
    U = (fx * xX + skew * yX, fx * xY + skew * yY, fx * xZ + skew * yZ)
    V = (fy * yX, fy * yY, fy * yZ)
    return u, v, [D[0] * pose[i] + D[1] * pose[3 + i] + D[2] * pose[6 + i] for D in (U, V) for i in range(3)]


def _pinhole_rays(c: Tensor, xd: Tensor, yd: Tensor, tilted: bool) -> Tensor:
    """Return unit rays (N, c, 3) in camera coordinates of distorted normalised points, by Newton's method."""
    x, y = xd, yd
    done = ~(torch.isfinite(xd) & torch.isfinite(yd))
    for _ in range(NEWTON_STEPS):
        px, py, a, b, d, e = distort_pinhole(c, x, y, tilted)
        det = a * e - b * d
        ex, ey = px - xd, py - yd
        dx, dy = (e * ex - b * ey) / det, (a * ey - d * ex) / det
        outside = det <= 0.0  # left the part that the polynomial describes: restart closer to the axis
        x = torch.where(done, x, torch.where(outside, 0.5 * x, x - dx))
        y = torch.where(done, y, torch.where(outside, 0.5 * y, y - dy))
        done = done | (~outside & (dx.abs() + dy.abs() < NEWTON_DONE))
        if bool(done.all()):
            break
    px, py, a, b, d, e = distort_pinhole(c, x, y, tilted)
    good = ((px - xd).abs() + (py - yd).abs() < 1e-9) & (a * e - b * d > 0.0) & (a + e > 0.0)
    n = torch.where(good, 1.0 / torch.sqrt(x * x + y * y + 1.0), torch.nan)
    return torch.stack([x * n, y * n, n], dim=-1)


def _fisheye_rays(c: Tensor, xd: Tensor, yd: Tensor) -> Tensor:
    """Return the same of equidistant cameras."""
    target = torch.hypot(xd, yd)
    theta = target.clamp(max=1.5)
    done = ~torch.isfinite(target)
    for _ in range(NEWTON_STEPS):
        value, slope = distort_angle(c, theta)
        theta = torch.where(~done & (slope <= 0.0), torch.nan, theta)
        step = (value - target) / slope
        theta = torch.where(done, theta, theta - step)
        done = done | ~(step.abs() >= NEWTON_DONE)
        if bool(done.all()):
            break
    value, slope = distort_angle(c, theta)
    good = (theta >= 0.0) & (theta <= torch.pi) & (slope > 0.0) & ((value - target).abs() <= 1e-9)
    s = torch.where(good, torch.sin(theta) / target, torch.nan)
    rays = torch.stack([xd * s, yd * s, torch.cos(theta) + 0.0 * s], dim=-1)
    axis = torch.tensor([0.0, 0.0, 1.0], dtype=rays.dtype, device=rays.device)
    return torch.where((target < 1e-15)[..., None], axis, rays)


def world_rays(cameras: TorchCameras, xy: Tensor) -> Tensor:
    """Return the unit viewing rays (N, C, 3) of raw pixels (N, C, 2) in world axes; NaN where there is none."""
    c = cameras.packed
    yd = (xy[..., 1] - c[CY]) / c[FY]
    xd = (xy[..., 0] - c[CX] - c[SKEW] * yd) / c[FX]
    rays = torch.empty((*xd.shape, 3), dtype=xd.dtype, device=xd.device)
    if len(cameras.pinhole):
        some = cameras.pinhole
        rays[:, some] = _pinhole_rays(c[:, some], xd[:, some], yd[:, some], cameras.tilted)
    if len(cameras.fisheye):
        some = cameras.fisheye
        rays[:, some] = _fisheye_rays(c[:, some], xd[:, some], yd[:, some])
    R = c[POSE : POSE + 9].T.reshape(-1, 3, 3)
    return (R[:, 0] * rays[..., 0:1] + R[:, 1] * rays[..., 1:2]) + R[:, 2] * rays[..., 2:3]
