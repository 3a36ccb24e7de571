"""One camera's intrinsics from views of a board."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from triskel.calibration.boards import Board, BoardView
from triskel.camera import Camera, LensModel
from triskel.errors import InputError, JobError

MIN_VIEWS = 5
MIN_CORNERS = 8
"""Fewer corners say too little about a pose and a lens at once."""
OUTLIER_SIGMAS = 6.0
"""A corner further off than this many robust standard deviations is left out of the second pass."""
MIN_OUTLIER_PX = 1.0

_Points = list[NDArray[np.float64]]


class IntrinsicsResult(NamedTuple):
    """A camera's intrinsics and how well they fit.

    Attributes:
        camera: the camera; its pose is the identity.
        rms_px: RMS reprojection error over the corners that were kept.
        view_rms_px: (V,) the same for each view given, in order; NaN for views that were not usable.
        n_views: number of usable views.
        n_outliers: corners left out as misdetected.
    """

    camera: Camera
    rms_px: float
    view_rms_px: NDArray[np.float64]
    n_views: int
    n_outliers: int


def calibrate_intrinsics(
    views: Sequence[BoardView],
    board: Board,
    *,
    size_wh: tuple[int, int],
    name: str = "camera",
    model: LensModel = "pinhole",
) -> IntrinsicsResult:
    """Calibrate one camera from views of a board (Zhang 2000, as OpenCV implements it).

    Two passes: the second leaves out corners that the first found to be misdetected. Coverage matters more than the
    number of views: tilt the board, and bring it close enough to fill the image.

    Args:
        views: what `board.detect` returned, one for each image; empty ones are passed over.
        board: the board.
        size_wh: image size (width, height), px.
        name: the camera's name.
        model: `pinhole` (5 coefficients) or `fisheye` (4).

    Returns:
        The camera and its errors.

    Raises:
        InputError: fewer than 5 views with at least 8 corners that do not lie on one line.
        JobError: OpenCV found no solution.
    """
    corners = board.corners
    usable = [i for i, view in enumerate(views) if is_usable(view, corners)]
    if len(usable) < MIN_VIEWS:
        raise InputError(
            f"camera {name!r}: {len(usable)} of {len(views)} views show at least {MIN_CORNERS} corners of the board, "
            f"{MIN_VIEWS} are needed; show it larger, tilted, and without glare"
        )
    object_points = [corners[views[i].ids] for i in usable]
    image_points = [np.asarray(views[i].xy, dtype=np.float64) for i in usable]
    errors = [np.zeros(0)]
    kept, n_outliers = [np.ones(len(xy), dtype=bool) for xy in image_points], 0
    for last in (False, True):
        X = [points[keep] for points, keep in zip(object_points, kept, strict=True)]
        xy = [points[keep] for points, keep in zip(image_points, kept, strict=True)]
        K, dist, errors = _solve(X, xy, size_wh=size_wh, model=model, name=name)
        if last:
            break
        limit = outlier_limit_px(np.concatenate(errors))
        kept = [error <= limit if (error <= limit).sum() >= MIN_CORNERS else error < np.inf for error in errors]
        n_outliers = sum(int((~keep).sum()) for keep in kept)
        if n_outliers == 0:
            break
    view_rms = np.full(len(views), np.nan)
    view_rms[usable] = [_rms(error) for error in errors]
    camera = Camera(name=name, size_wh=size_wh, K=K, dist=dist, model=model)
    return IntrinsicsResult(camera, _rms(np.concatenate(errors)), view_rms, len(usable), n_outliers)


def is_usable(view: BoardView, corners: NDArray[np.float64], *, min_corners: int = MIN_CORNERS) -> bool:
    """Say whether a view has enough corners, not all on one line, to fix a pose."""
    if len(view.ids) < min_corners or not np.isfinite(view.xy).all():
        return False
    spread = corners[view.ids] - corners[view.ids].mean(axis=0)
    singular = np.linalg.svd(spread, compute_uv=False)
    return bool(singular[1] > 0.05 * singular[0])


def outlier_limit_px(errors: NDArray[np.float64]) -> float:
    """Return the error, px, above which a corner counts as misdetected; from the median, so outliers do not move it."""
    # For 2D Gaussian noise the median distance is 1.1774 sigma (Rayleigh distribution).
    return max(MIN_OUTLIER_PX, OUTLIER_SIGMAS * float(np.median(errors)) / 1.1774)


def _rms(errors: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(errors**2)))


def _solve(
    X: _Points, xy: _Points, *, size_wh: tuple[int, int], model: LensModel, name: str
) -> tuple[NDArray[np.float64], NDArray[np.float64], _Points]:
    """Return K, dist and each view's corner errors, px."""
    view_3d: list[NDArray[np.floating]]
    view_2d: list[NDArray[np.floating]]
    try:
        if model == "fisheye":
            flags = cv2.fisheye.CALIB_RECOMPUTE_EXTRINSIC | cv2.fisheye.CALIB_FIX_SKEW
            view_3d, view_2d = [points[None] for points in X], [points[None] for points in xy]
            _, K, dist, rvecs, tvecs = cv2.fisheye.calibrate(view_3d, view_2d, size_wh, None, None, flags=flags)
        else:
            view_3d = [points.astype(np.float32)[:, None] for points in X]
            view_2d = [points.astype(np.float32)[:, None] for points in xy]
            _, K, dist, rvecs, tvecs = cv2.calibrateCamera(view_3d, view_2d, size_wh, None, None)
    except cv2.error as error:
        reason = " ".join(str(error).split())
        raise JobError(
            f"camera {name!r}: no calibration fits {len(X)} views ({reason[-120:]}); take other ones"
        ) from error
    project = cv2.fisheye.projectPoints if model == "fisheye" else cv2.projectPoints
    errors = []
    for points, pixels, rvec, tvec in zip(X, xy, rvecs, tvecs, strict=True):
        projected, _ = project(points[None], rvec, tvec, K, dist)
        errors.append(np.linalg.norm(projected.reshape(-1, 2) - pixels, axis=1))
    return np.asarray(K, dtype=np.float64), np.asarray(dist, dtype=np.float64).reshape(-1), errors
