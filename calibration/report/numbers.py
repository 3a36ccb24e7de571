"""All that a calibration report says, as numbers: gathered once, then drawn, judged and written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.boards import Board
from triskel.calibration.checks import Finding, common_look_at
from triskel.calibration.intrinsics import IntrinsicsResult
from triskel.calibration.intrinsics.coverage import CELLS as COVERAGE_CELLS
from triskel.calibration.report.image_cells import Cells, into_cells
from triskel.calibration.report.links import Link, links_of
from triskel.calibration.report.volume import Plan, Volume, measure_volume, plan_of
from triskel.camera import Camera, Rig

if TYPE_CHECKING:
    from triskel.calibration.footage import BoardFootage
    from triskel.calibration.people import PeopleCalibration
    from triskel.calibration.rig import CornerErrors, HeldOut, RigCalibration

NAN = float("nan")


class LensScore(NamedTuple):
    """How well a lens model predicts images that it was not fitted to, px, and why it was taken or not."""

    model: str
    held_out_px: float
    chosen: bool
    why: str


class LensNumbers(NamedTuple):
    """One camera's intrinsics.

    Attributes:
        n_views, n_outliers, rms_px: views used, corners left out, and how well the others fit.
        focal_px: fx and fy.
        sigma_px: (4,) standard errors of fx fy cx cy; NaN where held.
        tilt_deg: least and most tilted board.
        corner_sigma_px: standard error of the lens in the worst corner of the image; NaN where nobody knows.
        scores: the lens models that were tried.
        warnings: one line each.
    """

    n_views: int
    n_outliers: int
    rms_px: float
    focal_px: tuple[float, float]
    sigma_px: NDArray[np.float64]
    tilt_deg: tuple[float, float]
    corner_sigma_px: float
    scores: tuple[LensScore, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class CameraNumbers:
    """What is said about one camera; numbers that do not exist are NaN.

    Attributes:
        name: the camera's name.
        size_wh: of its images, px.
        n_views: images in which it saw the board: shots of the rig, or views of the lens where there is no rig.
        n_corners: corners used in them.
        n_left_out: corners left out as misdetected.
        found, looked_at: images in which the board was found, of so many looked at; 0 of 0 where nobody knows.
        rms_px, median_px, p95_px: reprojection error (Euclidean) of the corners used.
        bias_px: (2,) mean residual, observed minus projected.
        errors: the residuals over the image.
        coverage: where corners were seen in the views that the lens was calibrated from, else in the rig's shots; in
            the cells by which the lens is judged, so that one share is told.
        xy: (n, 2) all corners used in `n_views`, px.
        centre_m: (3,) its place in the world.
        centre_sigma_mm: (3,) standard errors of it.
        angle_sigma_deg: standard error of its direction.
        lens: its intrinsics, if they were calibrated.
    """

    name: str
    size_wh: tuple[int, int]
    n_views: int
    n_corners: int
    n_left_out: int
    found: int
    looked_at: int
    rms_px: float
    median_px: float
    p95_px: float
    bias_px: NDArray[np.float64]
    errors: Cells
    coverage: Cells
    xy: NDArray[np.float64]
    centre_m: NDArray[np.float64]
    centre_sigma_mm: NDArray[np.float64]
    angle_sigma_deg: float
    lens: LensNumbers | None


class HeldOutNumbers(NamedTuple):
    """Known distances between neighbouring corners of boards that were not used, as triangulated.

    Attributes:
        error_mm: (n,) signed, measured minus true.
        percent: (n,) the same as a share of the distance.
        median_mm, p95_mm: of the absolute error.
        mean_mm: of the signed error: not zero where the scale is off.
        median_percent, p95_percent: of the absolute error.
        board_percent, board_p95_percent: of the absolute mean error over each board, in which the noise of single
            corners averages out and an error of the cameras does not.
        shape_mm: median over the shots of the RMS distance between the corners and the rigid board.
        n_shots: boards measured.
        lenses_held_out: whether the lenses, too, did not know these boards.
    """

    error_mm: NDArray[np.float64]
    percent: NDArray[np.float64]
    median_mm: float
    p95_mm: float
    mean_mm: float
    median_percent: float
    p95_percent: float
    board_percent: float
    board_p95_percent: float
    shape_mm: float
    n_shots: int
    lenses_held_out: bool


@dataclass(frozen=True, eq=False, kw_only=True)
class CalibrationNumbers:
    """All numbers of a report; what was not calibrated or measured is None or empty.

    Attributes:
        cameras: in the rig's order, then those with intrinsics only.
        has_rig: poses were calibrated; otherwise it is about lenses alone.
        rms_px: over all cameras.
        n_shots: shots used for the rig.
        links: pairs of cameras that shared shots.
        held_out: errors of distances on boards that were not used.
        plan: how the rig is drawn from above.
        volume: uncertainty of 3D points.
        boards: one line for each board.
        findings: of the checks, errors first.
        warnings: what the calibration itself warned of.
        people: the refinement from people, where that is what was done.
    """

    cameras: tuple[CameraNumbers, ...]
    has_rig: bool
    rms_px: float
    n_shots: int
    links: tuple[Link, ...]
    held_out: HeldOutNumbers | None
    plan: Plan | None
    volume: Volume | None
    boards: tuple[str, ...]
    findings: tuple[Finding, ...]
    warnings: tuple[str, ...]
    people: "PeopleCalibration | None" = None


def gather_numbers(
    *,
    intrinsics: Mapping[str, IntrinsicsResult] | None = None,
    calibration: "RigCalibration | None" = None,
    held_out: "HeldOut | None" = None,
    boards: Sequence[Board] = (),
    findings: Sequence[Finding] = (),
    people: "PeopleCalibration | None" = None,
    footage: "BoardFootage | None" = None,
) -> CalibrationNumbers:
    """Compute all numbers of a report; see `write_calibration_report` for the arguments."""
    lenses = intrinsics or {}
    rig = calibration.rig if calibration else people.rig if people else None
    names = [*(rig.names if rig else ()), *(name for name in lenses if rig is None or name not in rig.names)]
    cameras = tuple(_camera(name, rig, calibration, lenses.get(name), footage) for name in names)
    places = _board_places(calibration, boards)
    plan = plan_of(rig, places, common_look_at(rig)) if rig else None
    volume = None
    if calibration and plan and len(calibration.rig) > 1:
        volume = measure_volume(calibration.rig, plan, places, calibration.uncertainty.point_sigma_mm)
    lens_warnings = [
        text if c.name in text else f"{c.name}: {text}" for c in cameras if c.lens for text in c.lens.warnings
    ]
    used = [c.rms_px**2 * c.n_corners for c in cameras if c.n_corners and np.isfinite(c.rms_px)]
    corners = sum(c.n_corners for c in cameras if np.isfinite(c.rms_px))
    return CalibrationNumbers(
        cameras=cameras,
        has_rig=rig is not None,
        rms_px=float(np.sqrt(sum(used) / corners)) if corners else NAN,
        n_shots=len(calibration.world_from_board) if calibration else 0,
        links=links_of(calibration.shared) if calibration else (),
        held_out=_held_out(held_out),
        plan=plan,
        volume=volume,
        boards=tuple(board.describe() for board in boards),
        findings=tuple(sorted(findings, key=lambda finding: finding.severity != "error")),
        warnings=(*(calibration.warnings if calibration else ()), *(people.warnings if people else ()), *lens_warnings),
        people=people,
    )


def _camera(
    name: str,
    rig: Rig | None,
    calibration: "RigCalibration | None",
    lens: IntrinsicsResult | None,
    footage: "BoardFootage | None",
) -> CameraNumbers:
    """Return one camera's numbers, from the rig's corners where there is a rig, else from its lens's."""
    in_rig = rig is not None and name in rig.names
    if rig is not None and in_rig:
        camera: Camera = rig[name]
    elif lens is not None:
        camera = lens.camera
    else:
        raise ValueError(f"camera {name!r} is neither in the rig nor among the lenses")
    lens_errors = _rows(lens.residuals, None) if lens else None
    errors, centre_sigma, angle_sigma = lens_errors, np.full(3, NAN), NAN
    if calibration and in_rig:
        c = calibration.rig.names.index(name)
        errors = _rows(calibration.errors, c)
        centre_sigma = np.asarray(calibration.uncertainty.centre_sigma_mm[c], dtype=np.float64)
        angle_sigma = float(calibration.uncertainty.angle_sigma_deg[c])
    if errors is None:
        errors = _Rows(np.zeros((0, 2)), np.zeros((0, 2)), 0, 0)
    length = np.linalg.norm(errors.residual_px, axis=1)
    length = length[np.isfinite(length)]
    seen = lens_errors if lens_errors is not None and len(lens_errors.xy) else errors
    mine = [one for one in footage.cameras if one.camera == name] if footage else []
    lens_size = lens.camera.size_wh if lens and seen is lens_errors else camera.size_wh
    return CameraNumbers(
        name=name,
        size_wh=camera.size_wh,
        n_views=errors.n_views,
        n_corners=len(errors.xy),
        n_left_out=errors.n_left_out,
        found=len({int(frame) for one in mine for frame in one.frames}),
        looked_at=max([one.looked_at for one in mine], default=0),
        rms_px=float(np.sqrt(np.mean(length**2))) if len(length) else NAN,
        median_px=float(np.median(length)) if len(length) else NAN,
        p95_px=float(np.percentile(length, 95)) if len(length) else NAN,
        bias_px=np.nanmean(errors.residual_px, axis=0) if len(length) else np.full(2, NAN),
        errors=into_cells(errors.xy, errors.residual_px, camera.size_wh),
        coverage=into_cells(seen.xy, seen.residual_px, lens_size, longer=COVERAGE_CELLS),
        xy=errors.xy,
        centre_m=camera.centre if in_rig else np.full(3, NAN),
        centre_sigma_mm=centre_sigma,
        angle_sigma_deg=angle_sigma,
        lens=_lens(lens) if lens else None,
    )


class _Rows(NamedTuple):
    """The corners used of one camera (n, 2), px, the images they come from, and how many corners were left out."""

    xy: NDArray[np.float64]
    residual_px: NDArray[np.float64]
    n_views: int
    n_left_out: int


def _rows(errors: "CornerErrors", camera: int | None) -> _Rows:
    """Return the rows of one camera; all of them for None."""
    mine = np.ones(len(errors.camera), dtype=bool) if camera is None else errors.camera == camera
    kept = mine & errors.kept
    n_views = len(np.unique(errors.shot[kept]))
    return _Rows(errors.xy[kept], errors.residual_px[kept], n_views, int((mine & ~errors.kept).sum()))


def _lens(lens: IntrinsicsResult) -> LensNumbers:
    """Return what the report says about intrinsics."""
    tilt = np.asarray(lens.coverage.tilt_deg, dtype=np.float64)
    return LensNumbers(
        n_views=lens.n_views,
        n_outliers=lens.n_outliers,
        rms_px=lens.rms_px,
        focal_px=(float(lens.camera.K[0, 0]), float(lens.camera.K[1, 1])),
        sigma_px=np.asarray(lens.sigma, dtype=np.float64),
        tilt_deg=(float(tilt.min()), float(tilt.max())) if len(tilt) else (NAN, NAN),
        corner_sigma_px=float(np.fmax.reduce(lens.certainty.corner_px)),
        scores=tuple(LensScore(one.name, float(one.held_out_px), bool(one.chosen), one.why) for one in lens.models),
        warnings=tuple(lens.warnings),
    )


def _held_out(held_out: "HeldOut | None") -> HeldOutNumbers | None:
    """Return the errors of distances that are finite; None where there is none."""
    if held_out is None:
        return None
    finite = np.isfinite(held_out.distance_error_mm) & (held_out.distance_mm > 0)
    error = np.asarray(held_out.distance_error_mm, dtype=np.float64)[finite]
    if not len(error):
        return None
    percent = 100 * error / held_out.distance_mm[finite]
    _, shot = np.unique(held_out.pair_shot[finite], return_inverse=True)
    board = np.abs(np.bincount(shot, weights=percent) / np.bincount(shot))
    shape = np.asarray(held_out.shape_error_mm, dtype=np.float64)
    shape = shape[np.isfinite(shape)]
    return HeldOutNumbers(
        error_mm=error,
        percent=percent,
        median_mm=float(np.median(np.abs(error))),
        p95_mm=float(np.percentile(np.abs(error), 95)),
        mean_mm=float(error.mean()),
        median_percent=float(np.median(np.abs(percent))),
        p95_percent=float(np.percentile(np.abs(percent), 95)),
        board_percent=float(np.median(board)),
        board_p95_percent=float(np.percentile(board, 95)),
        shape_mm=float(np.median(shape)) if len(shape) else NAN,
        n_shots=len(board),
        lenses_held_out=held_out.lenses_held_out,
    )


def _board_places(calibration: "RigCalibration | None", boards: Sequence[Board]) -> NDArray[np.float64]:
    """Return the middle of the board in each shot (B, 3), m in the world; of several boards, by that of the first."""
    if calibration is None or not calibration.world_from_board:
        return np.zeros((0, 3))
    middle = boards[0].corners.mean(axis=0) if len(boards) else np.zeros(3)
    return np.array([pose.apply(middle) for _, pose in sorted(calibration.world_from_board.items())])
