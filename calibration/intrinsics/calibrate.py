"""One camera's intrinsics from views of a board."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.boards import Board, BoardView
from triskel.calibration.corners import (
    MIN_CORNERS,
    CornerErrors,
    bad_views,
    is_usable,
    noise_px,
    outlier_limit_px,
)
from triskel.calibration.intrinsics.belief import belief_in
from triskel.calibration.intrinsics.certainty import LensCertainty, certainty_of
from triskel.calibration.intrinsics.choose import ModelScore, choose, pose_groups
from triskel.calibration.intrinsics.coverage import Coverage, coverage_of
from triskel.calibration.intrinsics.enough import MIN_VIEWS, doubts_about
from triskel.calibration.intrinsics.models import Choice, LensSpec, as_camera, by_name, candidates
from triskel.calibration.intrinsics.solve import (
    Corners,
    Fit,
    adjust,
    collect,
    error_px,
    huber_limit_px,
    residual_px,
)
from triskel.calibration.intrinsics.start import best_of_two_poses, first_fit
from triskel.camera import Camera
from triskel.errors import InputError, JobError

_FIRST_NOISE_PX = 0.7
MAX_NOISE_DIAGONALS = 0.005
"""Corners further off than this, in image diagonals, are numbered wrongly; at 1280 x 720 it is 7 px."""
WARN_RMS_PX = 1.5
OUTSIDE_DIAGONALS = 0.01
_MIN_LEFT = 0.5
"""A view that loses more than this share of its corners as misdetected is left out whole."""


class IntrinsicsResult(NamedTuple):
    """A camera's intrinsics, how well they fit, and how far they can be trusted.

    Attributes:
        camera: the camera; its pose is the identity.
        rms_px: RMS reprojection error over the corners that were kept.
        view_rms_px: (V,) the same for each view given, in order; NaN for views of which no corner was kept.
        n_views: number of views used.
        n_outliers: corners left out as misdetected, those of bad views included.
        models: every lens model that was tried, simplest first.
        coverage: where the board was seen.
        certainty: standard errors of the lens.
        residuals: every corner of the usable views; `shot` is the index of the view given, `camera` 0.
        warnings: what makes the result weaker than it could be, one line each.
    """

    camera: Camera
    rms_px: float
    view_rms_px: NDArray[np.float64]
    n_views: int
    n_outliers: int
    models: tuple[ModelScore, ...]
    coverage: Coverage
    certainty: LensCertainty
    residuals: CornerErrors
    warnings: tuple[str, ...]

    @property
    def sigma(self) -> NDArray[np.float64]:
        """Return the standard errors (4,) of fx fy cx cy, px."""
        return self.certainty.sigma


def calibrate_intrinsics(
    views: Sequence[BoardView],
    board: Board,
    *,
    size_wh: tuple[int, int],
    name: str = "camera",
    model: Choice = "auto",
    force: bool = False,
) -> IntrinsicsResult:
    """Calibrate one camera from views of a flat board (Zhang 2000, refined robustly).

    Misdetected corners and bad views are found with the richest lens and left out; the lens models are then compared
    on the same corners. Coverage matters more than the number of views: tilt the board, and bring it close enough to
    fill the image.

    Args:
        views: what `board.detect` returned, one for each image; empty ones are passed over.
        board: the board.
        size_wh: image size (width, height), px.
        name: the camera's name.
        model: `auto` compares pinholes with 0, 1, 4, 5 and 8 coefficients and the fisheye, `pinhole` only the former;
            `pinhole5` and so on take that one.
        force: give a result, with warnings, where the views do not suffice for one that can be trusted.

    Returns:
        The camera, its errors, and how far it can be trusted.

    Raises:
        InputError: too few views, or views that leave the focal length or the lens towards the image's corners open.
        JobError: no lens fits the views.
    """
    corners = _usable_corners(views, board, size_wh=size_wh, name=name, at_least=2 if force else MIN_VIEWS)
    specs = candidates(model)
    starts, use, noise = _cleaned(corners, specs, size_wh=size_wh)
    if noise > MAX_NOISE_DIAGONALS * np.hypot(*size_wh) or not use.any():
        raise JobError(
            f"camera {name!r}: no lens fits the {corners.n_views} views, corners are off by {noise:.0f} px; "
            "is the board the one described, and flat?"
        )
    spec, fit, scores = choose(starts, corners, specs, size_wh=size_wh, use=use, noise_px=noise)
    camera = as_camera(fit.packed, spec, name=name, size_wh=size_wh)
    groups = pose_groups(fit, corners, size_wh=size_wh)
    coverage = coverage_of(fit, corners, use=use, size_wh=size_wh, groups=groups)
    grid = coverage.counts.shape
    certainty = certainty_of(
        fit, corners, spec, use=use, noise_px=noise, size_wh=size_wh, grid=(grid[0], grid[1]), groups=groups
    )
    doubts = doubts_about(camera, certainty, coverage)
    if not force and doubts and doubts[0].refuses:
        raise InputError(f"camera {name!r}: {doubts[0].message}")
    errors = error_px(fit, corners)
    rms = float(np.sqrt(np.mean(errors[use] ** 2)))
    warnings = [*_about_fit(scores, rms), *(doubt.message for doubt in doubts)]
    return IntrinsicsResult(
        camera=camera,
        rms_px=rms,
        view_rms_px=_view_rms(errors, corners, use, n_given=len(views)),
        n_views=len(np.unique(corners.view[use])),
        n_outliers=int((~use).sum()),
        models=scores,
        coverage=coverage,
        certainty=certainty,
        residuals=_residuals(fit, corners, use),
        warnings=tuple(f"camera {name!r}: {warning}" for warning in warnings),
    )


def _usable_corners(
    views: Sequence[BoardView], board: Board, *, size_wh: tuple[int, int], name: str, at_least: int
) -> Corners:
    """Return the corners of the usable views, or refuse when those are too few."""
    board_corners = board.corners
    usable = [i for i, view in enumerate(views) if is_usable(view, board_corners)]
    if len(usable) < at_least:
        raise InputError(
            f"camera {name!r}: {len(usable)} of {len(views)} views show at least {MIN_CORNERS} corners of the board, "
            f"{at_least} are needed; show it larger, tilted, and without glare"
        )
    corners = collect(views, usable, board_corners)
    # Detectors may place a corner a little beyond the border; with the size of other images many lie far outside.
    margin = OUTSIDE_DIAGONALS * np.hypot(*size_wh)
    outside = ((corners.xy < -margin) | (corners.xy > size_wh + margin)).any(axis=1)
    if outside.any():
        x, y = corners.xy[outside][0]
        raise InputError(
            f"camera {name!r}: a corner at ({x:.0f}, {y:.0f}) lies outside an image of {size_wh[0]} x {size_wh[1]} px; "
            "give the size of the images in which the board was found"
        )
    return corners


def _cleaned(
    corners: Corners, specs: tuple[LensSpec, ...], *, size_wh: tuple[int, int]
) -> tuple[dict[str, Fit], NDArray[np.bool_], float]:
    """Return a rich fit of each lens model wanted, the corners to use (N,), and the noise of a coordinate, px.

    What is misdetected is decided by the lens that fits best, so that a lens too simple to fit does not drop corners.
    """
    use = np.ones(len(corners.X), dtype=bool)
    rich = {
        model: by_name("fisheye" if model == "fisheye" else "pinhole5")
        for model in dict.fromkeys(spec.model for spec in specs)
    }
    fits: dict[str, Fit] = {model: first_fit(corners, spec.model, size_wh=size_wh) for model, spec in rich.items()}
    noise = _FIRST_NOISE_PX
    for last in (False, False, True):
        huber_px = huber_limit_px(noise)
        for model, spec in rich.items():
            belief = belief_in(fits[model].packed, size_wh=size_wh, noise_px=noise)
            fits[model] = adjust(fits[model], corners, spec, use=use, huber_px=huber_px, belief=belief)
            if not last:
                fits[model] = best_of_two_poses(fits[model], corners, use=use, huber_px=huber_px)
        errors = min((error_px(fit, corners) for fit in fits.values()), key=lambda e: float(np.median(e[use])))
        noise = noise_px(errors[use])
        if not last:
            use = _kept(errors, use, corners)
    return fits, use, noise


def _kept(errors: NDArray[np.float64], use: NDArray[np.bool_], corners: Corners) -> NDArray[np.bool_]:
    """Return the corners (N,) that were neither misdetected nor in a bad view."""
    kept = errors <= outlier_limit_px(errors[use])
    counts = np.bincount(corners.view, minlength=corners.n_views)
    left = np.bincount(corners.view[kept], minlength=corners.n_views)
    bad = bad_views(errors, corners.view, n_views=corners.n_views) | (left < _MIN_LEFT * counts)
    return np.asarray(kept & ~bad[corners.view])


def _view_rms(
    errors: NDArray[np.float64], corners: Corners, use: NDArray[np.bool_], *, n_given: int
) -> NDArray[np.float64]:
    """Return the RMS (n_given,), px, over each view's corners used; NaN where there are none."""
    squares = np.bincount(corners.view[use], weights=errors[use] ** 2, minlength=corners.n_views)
    counts = np.bincount(corners.view[use], minlength=corners.n_views)
    rms = np.full(n_given, np.nan)
    seen = counts > 0
    rms[corners.given[seen]] = np.sqrt(squares[seen] / counts[seen])
    return rms


def _about_fit(scores: tuple[ModelScore, ...], rms_px: float) -> list[str]:
    """Return warnings about a lens that cannot be right, or does not fit well."""
    chosen = next(score for score in scores if score.chosen)
    warnings = []
    if np.isnan(chosen.held_out_px) and chosen.why:
        warnings.append(f"the lens model {chosen.name} cannot be right: {chosen.why}")
    if rms_px > WARN_RMS_PX:
        warnings.append(
            f"the corners are off by {rms_px:.1f} px (RMS): try another lens model, check the pictures and the board"
        )
    return warnings


def _residuals(fit: Fit, corners: Corners, use: NDArray[np.bool_]) -> CornerErrors:
    """Return the table of all corners."""
    return CornerErrors(
        camera=np.zeros(len(use), dtype=np.int64),
        shot=corners.given[corners.view],
        corner=corners.id,
        xy=corners.xy,
        residual_px=residual_px(fit, corners),
        kept=use,
    )
