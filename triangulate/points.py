"""Robust triangulation of any number of points: the front door of this folder."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from triskel.camera import Rig
from triskel.keypoints import Points3D
from triskel.lens import pack
from triskel.projection import project_rig
from triskel.triangulate.kernel import triangulate_many

REFERENCE_PIXELS = 1280 * 1024
"""Image area for which `widest_px` is meant; it grows with the image's side."""


LEAST_NOISE_PX = 0.01
"""Of the best detections there are: exact ones, as in tests, would be infinitely certain."""

NOISE_SAMPLE = 2000
"""Points whose errors say how noisy the detections are."""


@dataclass(frozen=True, kw_only=True)
class TriangulateOptions:
    """What counts as agreement between views.

    Attributes:
        max_reproj_px: largest reprojection error of a view that is used, px; None finds it from the data: six times
            the spread of the errors, between `tightest_px` and `widest_px`.
        least_views: fewest views of a point, at least 2.
        least_score: views with a lower score are not used.
        tightest_px: lower end of the automatic bound.
        widest_px: upper end of the automatic bound, px in a 1280 x 1024 image.
        max_sigma_mm: a point less certain than this, mm (root of the covariance's trace), is missing: its rays are so
            nearly parallel that its distance is a guess.
        device: `cpu`, or a device of torch such as `cuda`, which does the same in batches: for long recordings.
    """

    max_reproj_px: float | None = None
    least_views: int = 2
    least_score: float = 0.05
    tightest_px: float = 4.0
    widest_px: float = 80.0
    max_sigma_mm: float = 300.0
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.least_views < 2:
            raise ValueError(f"least_views is at least 2, got {self.least_views}")
        if not 0 <= self.least_score <= 1:
            raise ValueError(f"least_score is 0 to 1, got {self.least_score}")
        if not 0 < self.tightest_px <= self.widest_px:
            raise ValueError(f"tightest_px is positive and at most widest_px, got {self.tightest_px}, {self.widest_px}")
        if self.max_reproj_px is not None and not self.max_reproj_px > 0:
            raise ValueError(f"max_reproj_px is positive, got {self.max_reproj_px}")
        if not self.max_sigma_mm > 0:
            raise ValueError(f"max_sigma_mm is positive, got {self.max_sigma_mm}")


def triangulate_points(
    rig: Rig, xy: ArrayLike, score: ArrayLike | None = None, *, options: TriangulateOptions | None = None
) -> Points3D:
    """Triangulate points from the views that agree, refined on the raw images.

    The views of one point must be of the same thing: no search across people is done here. Lens distortion is always
    applied. Method: two-view hypotheses and consensus weighted by the scores, weighted linear start, then
    Levenberg-Marquardt with Tukey's loss (Hartley & Zisserman, 2nd ed., sections 12.2-12.3 and A6.8).

    Args:
        rig: C cameras.
        xy: (C, ..., 2) raw (distorted) px, NaN where missing.
        score: (C, ...) in [0, 1]; all 1 when None.
        options: what counts as agreement; the defaults when None.

    Returns:
        `Points3D` of leading shape (...). A point is NaN with score 0 where fewer than `least_views` views agree, all
        rays are parallel, or it would lie behind a camera; its `missing` says which.

    Raises:
        ValueError: the shapes do not fit the rig or each other.
        InputError: the device that the options name is not there.
    """
    options = options or TriangulateOptions()
    xy = np.asarray(xy, dtype=np.float64)
    if xy.ndim < 2 or xy.shape[0] != len(rig) or xy.shape[-1] != 2:
        raise ValueError(f"xy is ({len(rig)}, ..., 2) for this rig of {len(rig)} cameras, got {xy.shape}")
    weights = np.ones(xy.shape[:-1]) if score is None else np.asarray(score, dtype=np.float64)
    if weights.shape != xy.shape[:-1]:
        raise ValueError(f"score is {xy.shape[:-1]} like xy, got {weights.shape}")
    shape = xy.shape[1:-1]
    points = np.ascontiguousarray(np.moveaxis(xy.reshape(len(rig), -1, 2), 0, 1))
    weights = np.moveaxis(weights.reshape(len(rig), -1), 0, 1)
    # Some networks give a little more than 1; what is no number says nothing.
    weights = np.where(np.isfinite(weights) & (weights >= options.least_score), np.minimum(weights, 1.0), 0.0)
    weights = np.ascontiguousarray(weights)
    cameras = np.stack([pack(camera) for camera in rig])
    origins = np.stack([camera.centre for camera in rig])

    least, max_sigma = options.least_views, float(options.max_sigma_mm)
    many: Callable[..., tuple[NDArray[Any], ...]] = (
        triangulate_many if options.device == "cpu" else _on_device(options.device)
    )

    def run(bound: float, noise_px: float, chosen: slice | NDArray[np.intp]) -> tuple[NDArray[np.float64], ...]:
        # Contiguous and float: the kernel is compiled once for each kind of argument, which takes seconds.
        some, scores = np.ascontiguousarray(points[chosen]), np.ascontiguousarray(weights[chosen])
        return many(cameras, origins, some, scores, float(bound), float(noise_px), least, max_sigma)

    widest = options.widest_px * np.sqrt(max(np.prod(camera.size_wh) for camera in rig) / REFERENCE_PIXELS)
    if options.max_reproj_px is not None:
        bound, noise = options.max_reproj_px, options.max_reproj_px / 6
    else:
        # Points stand in the order of frames and joints, so every so-and-so-many-th may be the same joint each time.
        sample = np.random.default_rng(0).permutation(len(points))[:NOISE_SAMPLE]
        noise = max(_noise_px(rig, points[sample], run(widest, 1.0, sample)), LEAST_NOISE_PX)
        bound = float(np.clip(6 * noise, options.tightest_px, widest))
    X, point_score, error, views, cov_mm2, missing = run(bound, noise, slice(None))
    return Points3D(
        X=X.reshape(*shape, 3),
        score=point_score.reshape(shape),
        reproj_px=error.reshape(shape),
        views=np.asarray(views, dtype=bool).reshape(*shape, len(rig)),
        cov_mm2=np.asarray(cov_mm2, dtype=np.float32).reshape(*shape, 3, 3),
        missing=np.asarray(missing, dtype=np.uint8).reshape(shape),
    )


def _on_device(device: str) -> Callable[..., tuple[NDArray[Any], ...]]:
    """Return the kernel for a device of torch, which costs seconds to import."""
    from triskel.triangulate.torch_kernel import triangulate_many

    return partial(triangulate_many, device=device)


def _noise_px(rig: Rig, xy: NDArray[np.float64], result: tuple[NDArray[Any], ...]) -> float:
    """Estimate the standard deviation of a detection along one axis from points (P, C, 2) with redundant views.

    The squared errors of a point fitted to n views are chi-squared with 2 n - 3 degrees of freedom, times the
    variance. The median over points keeps outliers out; that of chi-squared is Wilson and Hilferty's.
    """
    X, views = result[0], result[3]
    n = views.sum(axis=1)
    redundant = n >= 3 if (n >= 3).any() else n >= 2
    if not redundant.any():
        return 0.0
    errors = np.moveaxis(project_rig(rig, X[redundant]), 0, 1) - xy[redundant]
    squares = np.where(views[redundant], (errors**2).sum(axis=-1), 0).sum(axis=1)
    freedom = 2 * n[redundant] - 3
    return float(np.sqrt(np.median(squares / (freedom * (1 - 2 / (9 * freedom)) ** 3))))
