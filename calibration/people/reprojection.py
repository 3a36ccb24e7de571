"""How well a rig fits people: reprojection errors, with all cameras and for each camera from the others alone."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.camera import Rig
from triskel.keypoints import Points3D
from triskel.projection import project, project_rig
from triskel.triangulate import TriangulateOptions, triangulate_points
from triskel.triangulate.points import REFERENCE_PIXELS

WIDEST_PX = 80.0
"""Views farther off than this from where the rest of them agree, px in a 1280 x 1024 image, do not place a joint."""


class ErrorSummary(NamedTuple):
    """Reprojection errors of joints over views, raw px; NaN where there are none.

    Attributes:
        median_px: over all views.
        mean_px: over all views.
        rms_px: over all views; outliers of the detector make up most of it.
        p95_px: 95th percentile over all views.
        camera_median_px: (C,) of each camera.
        camera_p95_px: (C,) of each camera.
        n: number of views.
    """

    median_px: float
    mean_px: float
    rms_px: float
    p95_px: float
    camera_median_px: NDArray[np.float64]
    camera_p95_px: NDArray[np.float64]
    n: int


class ErrorChange(NamedTuple):
    """Errors of the same views with two rigs.

    Attributes:
        before: with the old rig, joints placed by all cameras.
        after: with the new one.
        left_out_before: with the old rig, each camera against joints that the others alone placed.
        left_out_after: with the new one.
    """

    before: ErrorSummary
    after: ErrorSummary
    left_out_before: ErrorSummary
    left_out_after: ErrorSummary

    @property
    def median_change(self) -> float:
        """Return by which share the median with all cameras changed; -0.3 is 30 % less."""
        return self.after.median_px / self.before.median_px - 1 if self.before.median_px > 0 else 0.0


def triangulated(rig: Rig, observed: NDArray[np.float64], *, least_score: float) -> Points3D:
    """Return the joints (F, N, J) that the views of people (F, C, N, J, 3) agree on under a wide bound."""
    by_camera = np.moveaxis(observed, 1, 0)
    bound_px = WIDEST_PX * float(np.sqrt(max(np.prod(camera.size_wh) for camera in rig) / REFERENCE_PIXELS))
    options = TriangulateOptions(max_reproj_px=bound_px, least_score=least_score, max_sigma_mm=1000.0)
    return triangulate_points(rig, by_camera[..., :2], np.nan_to_num(by_camera[..., 2]), options=options)


def place_joints(rig: Rig, observed: NDArray[np.float64], *, least_score: float) -> NDArray[np.float64]:
    """Return where those joints are (F, N, J, 3), m; NaN where the views do not agree."""
    return triangulated(rig, observed, least_score=least_score).X


def compare_errors(before: Rig, after: Rig, observed: NDArray[np.float64], *, least_score: float = 0.1) -> ErrorChange:
    """Return the errors of people (F, C, N, J, 3) with two rigs, over the views that both can say something about.

    Each joint is placed as well as the rig allows, by the views that agree with each other; then ALL its views count,
    those too that did not agree. Nothing else is left out, so the median and the mean say more than the RMS.
    """
    with_all = [_errors(rig, observed, least_score) for rig in (before, after)]
    from_others = [_left_out(rig, observed, least_score) for rig in (before, after)]
    summaries = []
    for pair in (with_all, from_others):
        both = np.isfinite(pair[0]) & np.isfinite(pair[1])
        summaries += [_summary(np.where(both, one, np.nan)) for one in pair]
    return ErrorChange(*summaries)


def _errors(rig: Rig, observed: NDArray[np.float64], least_score: float) -> NDArray[np.float64]:
    """Return (C, F, N, J) px."""
    X = place_joints(rig, observed, least_score=least_score)
    return _distance(project_rig(rig, X), np.moveaxis(observed, 1, 0), least_score)


def _left_out(rig: Rig, observed: NDArray[np.float64], least_score: float) -> NDArray[np.float64]:
    """Return (C, F, N, J) px, each camera against what at least two others say."""
    out = np.full((len(rig), len(observed), *observed.shape[2:4]), np.nan)
    for c in range(len(rig) if len(rig) > 2 else 0):
        others = [i for i in range(len(rig)) if i != c]
        X = place_joints(rig.select([rig.names[i] for i in others]), observed[:, others], least_score=least_score)
        out[c] = _distance(project(rig.cameras[c], X), observed[:, c], least_score)
    return out


def _distance(xy: NDArray[np.float64], seen: NDArray[np.float64], least_score: float) -> NDArray[np.float64]:
    px = np.linalg.norm(xy - seen[..., :2], axis=-1)
    return np.asarray(np.where(np.nan_to_num(seen[..., 2]) >= least_score, px, np.nan))


def _summary(px: NDArray[np.float64]) -> ErrorSummary:
    """Summarise errors (C, ...), px."""
    values = px[np.isfinite(px)]
    by_camera = [one[np.isfinite(one)] for one in px]
    if not len(values):
        nothing = np.full(len(px), np.nan)
        return ErrorSummary(np.nan, np.nan, np.nan, np.nan, nothing, nothing, 0)
    return ErrorSummary(
        median_px=float(np.median(values)),
        mean_px=float(values.mean()),
        rms_px=float(np.sqrt((values**2).mean())),
        p95_px=float(np.percentile(values, 95)),
        camera_median_px=np.array([np.median(one) if len(one) else np.nan for one in by_camera]),
        camera_p95_px=np.array([np.percentile(one, 95) if len(one) else np.nan for one in by_camera]),
        n=len(values),
    )
