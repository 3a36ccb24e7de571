"""From the world to pixels and back: projection, viewing rays, undistortion, reprojection error."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from triskel import lens
from triskel.camera import Camera, Rig


def project(camera: Camera, X: ArrayLike) -> NDArray[np.float64]:
    """Project world points to raw (distorted) pixels.

    It does not clip to the image: a point outside it still has coordinates.

    Args:
        camera: the camera.
        X: (..., 3) world points, m.

    Returns:
        (..., 2) px; NaN for NaN points, points behind the camera, and points so far off the axis that the lens model
        no longer describes them (its polynomial folds back into the image there).
    """
    X = np.asarray(X, dtype=np.float64)
    flat = lens.project_many(lens.pack(camera), np.ascontiguousarray(X.reshape(-1, 3)))
    return np.asarray(flat).reshape(*X.shape[:-1], 2)


def project_rig(rig: Rig, X: ArrayLike) -> NDArray[np.float64]:
    """Project world points (..., 3), m, into every camera: (C, ..., 2) px; NaN as in `project`."""
    return np.stack([project(camera, X) for camera in rig])


def pixel_rays(camera: Camera, xy: ArrayLike) -> NDArray[np.float64]:
    """Return unit viewing rays in camera coordinates for raw pixels: the inverse of the lens.

    Args:
        camera: the camera; its pose does not matter here.
        xy: (..., 2) raw px.

    Returns:
        (..., 3) unit vectors; NaN for NaN pixels and pixels that no ray reaches under the lens model.
    """
    xy = np.asarray(xy, dtype=np.float64)
    flat = lens.rays_many(lens.pack(camera), np.ascontiguousarray(xy.reshape(-1, 2)))
    return np.asarray(flat).reshape(*xy.shape[:-1], 3)


def undistort(camera: Camera, xy: ArrayLike) -> NDArray[np.float64]:
    """Return where an ideal pinhole camera with the same K would see the raw pixels.

    Args:
        camera: the camera.
        xy: (..., 2) raw px.

    Returns:
        (..., 2) ideal px; NaN where there is no ray, or the ray points 90 degrees or more off the axis (fisheye).
    """
    rays = pixel_rays(camera, xy)
    with np.errstate(divide="ignore", invalid="ignore"):
        ideal = rays / np.where(rays[..., 2:] > 1e-9, rays[..., 2:], np.nan) @ camera.K.T
    return np.asarray(ideal[..., :2])


def reprojection_error(rig: Rig, X: ArrayLike, xy: ArrayLike) -> NDArray[np.float64]:
    """Return the Euclidean distance in the raw image between observed and reprojected points.

    Args:
        rig: C cameras.
        X: (..., 3) world points, m.
        xy: (C, ..., 2) observed raw px.

    Returns:
        (C, ...) px; NaN where either is missing.
    """
    return np.asarray(np.linalg.norm(project_rig(rig, X) - np.asarray(xy, dtype=np.float64), axis=-1))
