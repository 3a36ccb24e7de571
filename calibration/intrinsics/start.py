"""Where to start: focal lengths tried on a grid, each with the poses that a plane's homography gives.

A grid survives what closed forms (Zhang 2000) do not: few views, boards that face the camera, strong distortion.
"""

import numpy as np
from numpy.typing import NDArray

from triskel import lens
from triskel.calibration.intrinsics import kernel
from triskel.calibration.intrinsics.models import LensSpec, one_focal
from triskel.calibration.intrinsics.solve import Corners, Fit, adjust, error_px
from triskel.camera import LensModel

_Array = NDArray[np.float64]

_FOCALS = {"pinhole": np.geomspace(0.25, 5.0, 11), "fisheye": np.geomspace(0.15, 1.5, 9)}
"""Focal lengths to try, in image diagonals."""
_TRIED = 2
_START_VIEWS = 24
_START_HUBER_PX = 3.0
_POSE_STEPS = 8


def first_fit(corners: Corners, model: LensModel, *, size_wh: tuple[int, int]) -> Fit:
    """Return a lens of one focal length and one coefficient, with all poses."""
    some = _some_views(corners)
    starts = [_posed(some, _ideal(f * np.hypot(*size_wh), model, size_wh)) for f in _FOCALS[model]]
    order = np.argsort([_loss(fit, some) for fit in starts], kind="stable")
    spec = one_focal(model)
    fits = [_settled(starts[i], some, spec) for i in order[:_TRIED]]
    best = min(fits, key=lambda fit: _loss(fit, some))
    return _settled(_posed(corners, best.packed), corners, spec)


def _settled(fit: Fit, corners: Corners, spec: LensSpec) -> Fit:
    """Return the fit refined, with every pose turned over where that fits better, and refined again."""
    use = np.ones(len(corners.X), dtype=bool)
    fit = adjust(fit, corners, spec, use=use, huber_px=_START_HUBER_PX, steps=15)
    fit = best_of_two_poses(fit, corners, use=use, huber_px=_START_HUBER_PX)
    return adjust(fit, corners, spec, use=use, huber_px=_START_HUBER_PX, steps=15)


def best_of_two_poses(fit: Fit, corners: Corners, *, use: NDArray[np.bool_], huber_px: float) -> Fit:
    """Return the fit with each view's better pose: a small flat board looks almost the same tilted the other way."""
    towards = fit.t / np.maximum(np.linalg.norm(fit.t, axis=1, keepdims=True), 1e-12)
    about_sight = 2 * towards[:, :, None] * towards[:, None, :] - np.eye(3)
    other = about_sight @ fit.R @ np.diag([-1.0, -1.0, 1.0])
    R, t = kernel.fit_poses(
        fit.packed, np.ascontiguousarray(other), fit.t, *corners[:2], corners.starts, use, huber_px, _POSE_STEPS
    )
    now = kernel.view_losses(*fit, *corners[:3], use, huber_px)
    flipped = kernel.view_losses(fit.packed, R, t, *corners[:3], use, huber_px)
    better = flipped < now
    return Fit(fit.packed, np.where(better[:, None, None], R, fit.R), np.where(better[:, None], t, fit.t))


def _some_views(corners: Corners) -> Corners:
    """Return at most 24 views, evenly taken: enough to choose a focal length."""
    if corners.n_views <= _START_VIEWS:
        return corners
    chosen = np.unique(np.linspace(0, corners.n_views - 1, _START_VIEWS).astype(np.int64))
    rows = np.isin(corners.view, chosen)
    view = np.searchsorted(chosen, corners.view[rows])
    starts = np.searchsorted(view, np.arange(len(chosen) + 1)).astype(np.int64)
    return Corners(corners.X[rows], corners.xy[rows], view, starts, corners.id[rows], corners.given[chosen])


def _ideal(focal_px: float, model: LensModel, size_wh: tuple[int, int]) -> _Array:
    """Return a packed lens without distortion, its principal point in the middle of the image."""
    packed = np.zeros(lens.PACKED)
    packed[[lens.FX, lens.FY]] = focal_px
    packed[[lens.CX, lens.CY]] = (size_wh[0] - 1) / 2, (size_wh[1] - 1) / 2
    packed[lens.IS_FISHEYE] = model == "fisheye"
    packed[lens.TILT : lens.POSE] = packed[lens.POSE : lens.POSE + 9] = np.eye(3).ravel()
    return packed


def _posed(corners: Corners, packed: _Array) -> Fit:
    """Return the poses that each view's homography from the board to the viewing rays gives.

    Rays rather than pixels: then it works for any lens, also beyond 90 degrees off the axis.
    """
    rays = lens.rays_many(packed, corners.xy)
    seen = np.isfinite(rays[:, 0])
    rays = np.where(seen[:, None], rays, 0.0)  # a row of zeros says nothing
    size = float(np.abs(corners.X).max())
    plane = np.c_[corners.X[:, :2] / size, np.ones(len(rays))]
    cross = np.zeros((len(rays), 3, 3))
    cross[:, 0, 1], cross[:, 0, 2], cross[:, 1, 2] = -rays[:, 2], rays[:, 1], -rays[:, 0]
    cross -= np.swapaxes(cross, 1, 2)
    # ray x (H plane) = 0, linear in H, row by row.
    rows = (cross[:, :, :, None] * plane[:, None, None, :]).reshape(len(rays), 3, 9)
    normal = np.add.reduceat(np.swapaxes(rows, 1, 2) @ rows, corners.starts[:-1], axis=0)
    H = np.linalg.eigh(normal)[1][:, :, 0].reshape(-1, 3, 3)
    forward = np.einsum("ni,nij,nj->n", rays, H[corners.view], plane)
    H *= np.where(np.add.reduceat(forward, corners.starts[:-1]) < 0, -1.0, 1.0)[:, None, None]
    scale = np.linalg.norm(H[:, :, :2], axis=1).mean(axis=1)
    H /= np.maximum(scale, 1e-12)[:, None, None]
    third = np.cross(H[:, :, 0], H[:, :, 1])
    U, _, Vt = np.linalg.svd(np.stack([H[:, :, 0], H[:, :, 1], third], axis=2))
    U[:, :, 2] *= np.linalg.det(U @ Vt)[:, None]
    return Fit(packed, np.ascontiguousarray(U @ Vt), np.ascontiguousarray(H[:, :, 2] * size))


def _loss(fit: Fit, corners: Corners) -> float:
    """Return the mean error, px, with no corner counting more than 100."""
    return float(np.minimum(error_px(fit, corners), 100.0).mean())
