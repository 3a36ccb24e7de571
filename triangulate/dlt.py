"""Linear triangulation (DLT): the textbook start, and a reference for everything else.

Hartley & Zisserman, Multiple View Geometry, 2nd ed., section 12.2.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from triskel.camera import Rig
from triskel.projection import pixel_rays


def triangulate_dlt(rig: Rig, xy: ArrayLike, weight: ArrayLike | None = None) -> NDArray[np.float64]:
    """Triangulate by the null vector of the stacked projection equations, each view scaled by its weight.

    Lens distortion is removed first. No view is rejected and nothing is refined: `triangulate_points` does both.

    Args:
        rig: C cameras.
        xy: (C, ..., 2) raw (distorted) px, NaN where missing.
        weight: (C, ...) weight of each view, such as its score; all 1 when None. 0 leaves a view out.

    Returns:
        (..., 3) world points, m; NaN where fewer than two views are left or the rays are parallel.
    """
    xy = np.asarray(xy, dtype=np.float64)
    if xy.shape[0] != len(rig) or xy.shape[-1] != 2:
        raise ValueError(f"xy is ({len(rig)}, ..., 2) for this rig, got {xy.shape}")
    weights = np.ones(xy.shape[:-1]) if weight is None else np.asarray(weight, dtype=np.float64)
    rows = []
    for camera, points, w in zip(rig, xy, weights, strict=True):
        rays = pixel_rays(camera, points)
        seen = np.isfinite(rays[..., 0]) & (w > 0)
        rays = np.where(seen[..., None], rays, 0.0)
        P = np.c_[camera.cam_from_world.R, camera.cam_from_world.t]
        # A ray times the projected point vanishes; written with the ray itself it also holds beyond 90 degrees.
        rows.append(w[..., None] * seen[..., None] * (rays[..., 0:1] * P[2] - rays[..., 2:3] * P[0]))
        rows.append(w[..., None] * seen[..., None] * (rays[..., 1:2] * P[2] - rays[..., 2:3] * P[1]))
    A = np.stack(rows, axis=-2)
    views = (np.abs(A).sum(axis=-1) > 0).reshape(*A.shape[:-2], len(rig), 2).any(axis=-1).sum(axis=-1)
    _, singular, Vt = np.linalg.svd(A, full_matrices=True) if A.shape[-2] >= 4 else (None, None, None)
    if Vt is None or singular is None:
        return np.full((*xy.shape[1:-1], 3), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        X = Vt[..., 3, :3] / Vt[..., 3, 3:]
    good = (views >= 2) & (singular[..., 2] > 1e-9 * np.maximum(singular[..., 0], 1e-300)) & np.isfinite(X).all(-1)
    good &= np.abs(Vt[..., 3, 3]) > 1e-9  # else the rays meet at infinity
    return np.where(good[..., None], X, np.nan)
