"""Many points from many views in torch: the method of `triskel.triangulate.kernel`, on the CPU or on CUDA.

All points of a chunk go through each step together; loops run over pairs of views and over steps of the minimiser, and
points that have their answer leave early. The same input gives what the compiled kernel gives, but for rounding: sums
over cameras run in another order. On the CPU the compiled kernel is two to five times faster; this one is for CUDA, and
its CPU path is the same code, which is how it is tested where there is no card.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from triskel.errors import InputError
from triskel.triangulate.kernel import (
    BEHIND,
    DISAGREE,
    FEW_VIEWS,
    FEWEST_VIEWS_TO_STOP,
    FOUND,
    GOOD_ENOUGH,
    MOST_FOR_TWO,
    MOST_HYPOTHESES,
    PARALLEL,
    SMALLEST_SINE2,
    TIGHT_FOR_TWO,
)
from triskel.triangulate.refinement import DONE_M, MOST_STEPS, PRIOR_FREEDOM
from triskel.triangulate.torch_lens import TorchCameras, project, world_rays

CHUNK_BYTES = {"cpu": 64 << 20, "cuda": 512 << 20}
"""Memory that the arrays of one chunk take together. Measured on two cores: a quarter of it is ten times slower there,
since arrays too short to share are shared all the same; four times as much, a quarter slower."""

ARRAYS_ALIVE = 60
"""Arrays (N, C) of float64 that live at the same time in `normal_equations`, the largest step, about."""


class Views(NamedTuple):
    """What the cameras saw of N points.

    Attributes:
        xy: (N, C, 2) raw px.
        weight: (N, C) scores; 0 for a view that does not count.
        rays: (N, C, 3) unit viewing rays in world axes.
        seen: (N, C) which views count.
    """

    xy: Tensor
    weight: Tensor
    rays: Tensor
    seen: Tensor

    def at(self, index: Tensor) -> "Views":
        """Return the views of the points at `index`."""
        return Views(*(one[index] for one in self))


class Normal(NamedTuple):
    """Normal equations of N points: loss (N,) px^2, A = J^T W J, b = J^T W r, noisy = J^T W^2 J.

    Symmetric matrices are (N, 6): xx, xy, xz, yy, yz, zz; `b` is (N, 3).
    """

    loss: Tensor
    A: Tensor
    b: Tensor
    noisy: Tensor


def inverse(a: Tensor) -> tuple[Tensor, Tensor]:
    """Return which symmetric matrices (N, 6) have an inverse (N,), and those (N, 6)."""
    xx, xy, xz, yy, yz, zz = a.unbind(-1)
    c0, c1, c2 = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
    det = xx * c0 + xy * c1 + xz * c2
    known = det.abs() > 1e-300
    rest = (c0, c1, c2, xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy)
    return known, torch.stack(rest, dim=-1) * (1.0 / torch.where(known, det, torch.nan))[:, None]


def full(a: Tensor) -> Tensor:
    """Return symmetric matrices (N, 6) as (N, 3, 3)."""
    return a[:, [0, 1, 2, 1, 3, 4, 2, 4, 5]].reshape(-1, 3, 3)


def times(a: Tensor, x: Tensor) -> Tensor:
    """Return symmetric matrices (N, 6) times vectors (N, 3)."""
    return (full(a) * x[:, None]).sum(dim=-1)


def residuals(cameras: TorchCameras, views: Views, X: Tensor) -> Tensor:
    """Return the reprojection errors (N, C), px; infinite where a camera cannot see the point or did not."""
    u, v, _ = project(cameras, X)
    r = torch.hypot(u - views.xy[..., 0], v - views.xy[..., 1])
    return torch.where(views.seen & ~torch.isnan(r), r, torch.inf)


def midpoints(cameras: TorchCameras, views: Views, i: Tensor, j: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return for views i and j (N,) of N points: whether their rays meet in front, where (N, 3), and at an angle."""
    here = torch.arange(len(i), device=i.device)
    o1, d1, o2, d2 = cameras.origins[i], views.rays[here, i], cameras.origins[j], views.rays[here, j]
    b = (d1 * d2).sum(dim=-1)
    sine2 = 1.0 - b * b
    w = o2 - o1
    p, q = (w * d1).sum(dim=-1), (w * d2).sum(dim=-1)
    s, t = (p - b * q) / sine2, (b * p - q) / sine2
    angle = sine2 > SMALLEST_SINE2
    X = 0.5 * (o1 + s[:, None] * d1 + o2 + t[:, None] * d2)
    return angle & (s > 0.0) & (t > 0.0), X, angle


def consensus(cameras: TorchCameras, views: Views, bound: float) -> tuple[Tensor, Tensor]:
    """Return `Missing` (N,) and the two-view hypotheses (N, 3) that the most weight agrees with.

    A point leaves the search with the first hypothesis that beats the earlier ones and is good enough.
    """
    N, C = views.weight.shape
    count = views.seen.sum(dim=-1)
    # Best scores first, and of equal ones the earlier camera.
    order = torch.argsort(torch.where(views.seen, views.weight, -1.0), dim=-1, descending=True, stable=True)
    total = torch.where(views.seen, views.weight, 0.0).sum(dim=-1)
    best, best_X = torch.zeros_like(total), torch.full((N, 3), torch.nan, dtype=total.dtype, device=total.device)
    any_angle, any_meet = torch.zeros_like(count, dtype=torch.bool), torch.zeros_like(count, dtype=torch.bool)
    searching = torch.arange(N, device=total.device)
    pairs = [(first, second) for second in range(1, C) for first in range(second)]
    for i, j in pairs[:MOST_HYPOTHESES]:
        searching = searching[count[searching] > j]
        if len(searching) == 0:
            break
        some = views.at(searching)
        meet, X, angle = midpoints(cameras, some, order[searching, i], order[searching, j])
        any_angle[searching] |= angle
        any_meet[searching] |= meet
        r = residuals(cameras, some, X) / bound
        agree = (r < 1.0) & meet[:, None]
        support = torch.where(agree, some.weight * (1.0 - r * r), 0.0).sum(dim=-1)
        better = (agree.sum(dim=-1) >= 2) & (support > best[searching])
        improved = searching[better]
        best[improved], best_X[improved] = support[better], X[better]
        good = (support > GOOD_ENOUGH * total[searching]) & (count[searching] >= FEWEST_VIEWS_TO_STOP)
        searching = searching[~(better & good)]
    why = torch.full_like(count, int(PARALLEL))
    why[any_angle] = int(BEHIND)
    why[any_meet] = int(DISAGREE)
    why[best > 0.0] = int(FOUND)
    return why, best_X


def linear(cameras: TorchCameras, views: Views, used: Tensor) -> tuple[Tensor, Tensor]:
    """Return where there is (N,) a point with the least weighted squared distance to the rays used, and it (N, 3)."""
    w = torch.where(used, views.weight * views.weight, 0.0)[..., None]
    d = torch.where(used[..., None], views.rays, 0.0)
    o = cameras.origins
    along = (d * o).sum(dim=-1, keepdim=True)
    x, y, z = d.unbind(-1)
    parts = torch.stack([1.0 - x * x, -x * y, -x * z, 1.0 - y * y, -y * z, 1.0 - z * z], dim=-1)
    known, inverted = inverse((w * parts).sum(dim=1))
    return known, times(inverted, (w * (o - d * along)).sum(dim=1))


def normal_equations(cameras: TorchCameras, views: Views, X: Tensor, bound: float) -> Normal:
    """Return Tukey's loss at X (N, 3) and its normal equations; a view beyond the bound adds bound^2 / 3 only."""
    u, v, J = project(cameras, X, jacobian=True)
    ru, rv = views.xy[..., 0] - u, views.xy[..., 1] - v
    r2 = (ru * ru + rv * rv) / (bound * bound)
    inside = views.seen & (r2 < 1.0)
    rest = torch.where(inside, 1.0 - r2, 0.0)
    loss = (torch.where(views.seen, views.weight, 0.0) * (1.0 - rest * rest * rest)).sum(dim=-1) * (bound * bound / 3.0)
    w = torch.where(inside, views.weight, 0.0) * rest * rest
    ju0, ju1, ju2, jv0, jv1, jv2, ru, rv = (torch.where(inside, one, 0.0) for one in (*J, ru, rv))
    pairs = (
        ju0 * ju0 + jv0 * jv0, ju0 * ju1 + jv0 * jv1, ju0 * ju2 + jv0 * jv2,
        ju1 * ju1 + jv1 * jv1, ju1 * ju2 + jv1 * jv2, ju2 * ju2 + jv2 * jv2,
    )  # fmt: skip
    A = [w * pair for pair in pairs]
    b = [w * (ju0 * ru + jv0 * rv), w * (ju1 * ru + jv1 * rv), w * (ju2 * ru + jv2 * rv)]
    return Normal(
        loss,
        torch.stack([one.sum(dim=-1) for one in A], dim=-1),
        torch.stack([one.sum(dim=-1) for one in b], dim=-1),
        torch.stack([(w * one).sum(dim=-1) for one in A], dim=-1),
    )


def refine(cameras: TorchCameras, views: Views, X: Tensor, bound: float) -> Tensor:
    """Return X (N, 3) moved to the nearest minimum of the robust reprojection error by Levenberg-Marquardt."""
    X = X.clone()
    loss, A, b, _ = normal_equations(cameras, views, X, bound)
    damping = torch.full_like(loss, 1e-4)
    moving = torch.arange(len(X), device=X.device)
    diagonal = torch.tensor([1.0, 0.0, 0.0, 1.0, 0.0, 1.0], dtype=X.dtype, device=X.device)
    for _ in range(MOST_STEPS):
        known, inverted = inverse(A[moving] * (1.0 + damping[moving, None] * diagonal) + 1e-12 * diagonal)
        step = times(inverted, b[moving])
        able = known & torch.isfinite(step).all(dim=-1)
        moving, step = moving[able], step[able]
        if len(moving) == 0:
            break
        trial = normal_equations(cameras, views.at(moving), X[moving] + step, bound)
        accepted = trial.loss <= loss[moving]
        better, worse = moving[accepted], moving[~accepted]
        X[better] += step[accepted]
        loss[better], A[better], b[better] = trial.loss[accepted], trial.A[accepted], trial.b[accepted]
        damping[better] *= 0.1
        damping[worse] *= 10.0
        still = torch.where(accepted, (step * step).sum(dim=-1).sqrt() >= DONE_M, damping[moving] <= 1e8)
        moving = moving[still]
    return X


def covariances(normal: Normal, variance_px2: Tensor) -> Tensor:
    """Return the covariances (N, 3, 3), mm^2, float32, of minima; NaN where there is none."""
    _, inverted = inverse(normal.A)
    inv = full(inverted)
    spread = torch.einsum("nij,njk,nkl->nil", inv, full(normal.noisy), inv)
    return ((1e6 * variance_px2)[:, None, None] * spread).to(torch.float32)


def _some_points(
    cameras: TorchCameras,
    xy: Tensor,
    score: Tensor,
    bound: float,
    noise_px: float,
    least_views: int,
    max_sigma_mm: float,
) -> tuple[Tensor, ...]:
    """Triangulate one chunk: what `triangulate_many` returns, as tensors."""
    N = len(score)
    rays = world_rays(cameras, xy)
    seen = (score > 0.0) & torch.isfinite(xy).all(dim=-1) & torch.isfinite(rays[..., 0])
    views = Views(xy, score, rays, seen)
    missing = torch.full((N,), int(FEW_VIEWS), dtype=torch.int64, device=xy.device)
    enough = torch.nonzero(seen.sum(dim=-1) >= least_views)[:, 0]
    why, start = consensus(cameras, views.at(enough), bound)
    missing[enough] = why
    found = enough[why == int(FOUND)]
    views, X = views.at(found), start[why == int(FOUND)]
    known, start = linear(cameras, views, residuals(cameras, views, X) < bound)
    start = torch.where(known[:, None], start, X)
    there, here = (normal_equations(cameras, views, at, bound).loss for at in (start, X))
    X = refine(cameras, views, torch.where((there < here)[:, None], start, X), bound)

    r = residuals(cameras, views, X)
    used = r < bound
    r = torch.where(used, r, 0.0)
    number = used.sum(dim=-1)
    variance = (PRIOR_FREEDOM * noise_px * noise_px + (r * r).sum(dim=-1)) / (PRIOR_FREEDOM + 2.0 * number - 3.0)
    cov = covariances(normal_equations(cameras, views, X, bound), variance)
    certain = torch.diagonal(cov, dim1=-2, dim2=-1).to(torch.float64).sum(dim=-1) <= max_sigma_mm * max_sigma_mm
    missing[found] = torch.where(certain, int(FOUND), int(PARALLEL))
    seen_by, tight = views.seen.sum(dim=-1), (r * r).sum(dim=-1) <= TIGHT_FOR_TWO * noise_px * noise_px
    agree = (number >= least_views) & ((number != 2) | (seen_by == 2) | ((seen_by <= MOST_FOR_TWO) & tight))
    missing[found[~agree]] = int(DISAGREE)
    good = certain & agree
    at = found[good]

    def spread_out(value: Tensor, fill: float) -> Tensor:
        out = torch.full((N, *value.shape[1:]), fill, dtype=value.dtype, device=xy.device)
        out[at] = value[good]
        return out

    total = torch.where(used, views.weight, 0.0).sum(dim=-1)
    return (
        spread_out(X, torch.nan),
        spread_out(total / number, 0.0),
        spread_out(r.sum(dim=-1) / number, torch.nan),
        spread_out(used, False),
        spread_out(cov, torch.nan),
        missing.to(torch.uint8),
    )


def device_of(name: str) -> torch.device:
    """Return a device that can do this work.

    Raises:
        InputError: there is none of that name here, or it has no float64.
    """
    try:
        device = torch.device(name)
        torch.zeros(1, dtype=torch.float64, device=device).isfinite().all().item()
    # A name unknown, a build without CUDA, a device without float64, a device that only pretends: torch has one each.
    except (RuntimeError, AssertionError, TypeError, NotImplementedError) as error:
        raise InputError(f"device {name!r} cannot be used here: {str(error).splitlines()[0]}; take cpu") from error
    return device


def triangulate_many(
    cameras: NDArray[np.float64],
    origins: NDArray[np.float64],
    xy: NDArray[np.float64],
    score: NDArray[np.float64],
    bound: float,
    noise_px: float,
    least_views: int,
    max_sigma_mm: float,
    *,
    device: str = "cpu",
) -> tuple[
    NDArray[np.float64],
    NDArray[np.float64],
    NDArray[np.float64],
    NDArray[np.bool_],
    NDArray[np.float32],
    NDArray[np.uint8],
]:
    """Triangulate N points as `triskel.triangulate.kernel.triangulate_many` does: its arguments, and its results.

    Args:
        cameras: see there, as all but the last.
        origins: (C, 3) m.
        xy: (N, C, 2) px.
        score: (N, C).
        bound: px.
        noise_px: px.
        least_views: fewest views of a point.
        max_sigma_mm: mm.
        device: of torch, such as "cpu" or "cuda"; it needs float64.

    Raises:
        InputError: the device cannot be used here.
    """
    N, C = score.shape
    on = device_of(device)
    rig = TorchCameras.of(cameras, origins, on)
    size = max(1, CHUNK_BYTES.get(on.type, CHUNK_BYTES["cpu"]) // (8 * ARRAYS_ALIVE * max(C, 1)))
    chunks = []
    with torch.inference_mode():
        for first in range(0, max(N, 1), size):
            some_xy, some_score = (torch.as_tensor(one[first : first + size], device=on) for one in (xy, score))
            chunk = _some_points(rig, some_xy, some_score, bound, noise_px, least_views, max_sigma_mm)
            chunks.append([one.cpu().numpy() for one in chunk])
    X, point_score, reproj_px, views, cov, missing = (np.concatenate(parts) for parts in zip(*chunks, strict=True))
    return X, point_score, reproj_px, views, cov, missing
