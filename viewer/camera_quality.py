"""How well each camera agrees with the people in 3D: reprojection by joint, and what happens without the camera.

A camera that was moved, or is out of step, spoils the 3D that it is measured against, the more the fewer cameras there
are. So each is also left out in turn: the others make the points again, and its rays are asked how far they miss them.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from triskel.camera import Rig
from triskel.keypoints import Points3D
from triskel.motion import Motion3D
from triskel.projection import project, project_rig
from triskel.viewer.camera_lag import camera_lags, velocities
from triskel.viewer.joint_rows import JointRows
from triskel.whole_body import parts_of

MOST_RESIDUALS = 3_000_000
"""Detections compared with the 3D; of longer recordings, frames spread evenly are taken."""

LEFT_OUT_WORK = 400_000
FEWEST_LEFT_OUT, MOST_LEFT_OUT = 600, 10_000
"""Points triangulated without each camera: this number over the square of the number of cameras, within these two."""


class Triangulate(Protocol):
    """Makes points of what a rig's cameras saw, as `triskel.triangulate.triangulate_points` does."""

    def __call__(self, rig: Rig, xy: NDArray[np.float64], score: NDArray[np.float64], /) -> Points3D:
        """Return points (...) of (C, ..., 2) px and (C, ...) scores."""


@dataclass(frozen=True, eq=False)
class Reprojection:
    """Distance of the detections from the 3D joints projected back, raw px, by camera and row of joints.

    Attributes:
        median_px: (C, R) of the views used; NaN where there are none, in all of these.
        p95_px: (C, R) 95 % are below, of the views used.
        points: (C, R) views used.
        bias_px: (C, R, 2) median of detection - reprojection, x and y, of the views used.
        frames: frame sets looked at; fewer than all of a long recording.
    """

    median_px: NDArray[np.float64]
    p95_px: NDArray[np.float64]
    points: NDArray[np.int64]
    bias_px: NDArray[np.float64]
    frames: int


class CameraQuality(NamedTuple):
    """How one camera agrees with the people's bodies; px in its raw image, NaN where not known.

    Attributes:
        camera: its name.
        points: its detections of joints that have a position, in the frames looked at.
        rejected_percent: of these, not used for that position.
        median_px: error of those used.
        p95_px: 95 % of those used are below.
        all_px: median error of all of them.
        others_px: median over the other cameras of their `all_px`.
        bias_x_px: median of detection - reprojection, to the right; of those used.
        bias_y_px: the same, downward.
        left_out_px: median error of all its detections against points made without it.
        others_with_px: median error of the other cameras' detections against points made with it.
        others_without_px: the same against points made without it.
        lag_ms: how much later its pictures are than those of the other cameras in the same frame set.
        lag_sigma_ms: standard error of that.
        lag_frames: the same as `lag_ms`, in frames.
    """

    camera: str
    points: int
    rejected_percent: float
    median_px: float
    p95_px: float
    all_px: float
    others_px: float
    bias_x_px: float
    bias_y_px: float
    left_out_px: float
    others_with_px: float
    others_without_px: float
    lag_ms: float
    lag_sigma_ms: float
    lag_frames: float


class LeftOut(NamedTuple):
    """What happens without each camera, all (C,): see the fields of `CameraQuality`; times in seconds."""

    miss_px: NDArray[np.float64]
    others_with_px: NDArray[np.float64]
    others_without_px: NDArray[np.float64]
    lag_s: NDArray[np.float64]
    lag_sigma_s: NDArray[np.float64]


def measure_cameras(
    motion: Motion3D,
    raw: Motion3D,
    rig: Rig,
    rows: JointRows,
    *,
    observed: NDArray[np.float64],
    triangulate: Triangulate | None,
) -> tuple[Reprojection, tuple[CameraQuality, ...]]:
    """Compare what each camera saw with the points made of it.

    Args:
        motion: the final result; speeds are taken from it.
        raw: the points before filtering; errors are measured against these.
        rig: the cameras of `motion`, in its order.
        rows: of the joints.
        observed: (F, C, N, J, 3) px and score of each person's joints.
        triangulate: makes points without one of the cameras; None does without that comparison.

    Returns:
        The errors by camera and joint, and a row a camera, of the body alone: of hands and faces a camera shows
        another one now and then, or the wrong side.
    """
    C, _, N, J = len(rig), *raw.gap.shape
    frames = spread(np.asarray(raw.found.any(axis=(1, 2))), MOST_RESIDUALS // max(C * N * J, 1))
    seen = np.moveaxis(observed[frames], 1, 0)
    residual = np.where(seen[..., 2:] > 0, seen[..., :2], np.nan) - project_rig(rig, raw.points.X[frames])
    used = np.moveaxis(raw.points.views[frames] & ~raw.gap[frames][..., None], -1, 0)
    reprojection = _reprojection(residual, used, rows, len(frames))
    body = parts_of(raw.skeleton)["body"]
    residual, used = residual[..., body, :], used[..., body]
    distance = np.linalg.norm(residual, axis=-1)
    every = [one[np.isfinite(one)] for one in distance]
    all_px = np.array([median(one) for one in every])
    left_out = leave_one_out(motion, raw, rig, observed=observed, triangulate=triangulate)
    cameras = []
    for c, camera in enumerate(rig):
        good = distance[c][used[c] & np.isfinite(distance[c])]
        bias_x, bias_y = (median(residual[c, ..., axis][used[c]]) for axis in (0, 1))
        lag = 1000 * float(left_out.lag_s[c])
        cameras.append(
            CameraQuality(
                camera.name,
                len(every[c]),
                100 * (1 - len(good) / len(every[c])) if len(every[c]) else float("nan"),
                median(good),
                float(np.percentile(good, 95)) if len(good) else float("nan"),
                float(all_px[c]),
                median(np.delete(all_px, c)),
                bias_x,
                bias_y,
                float(left_out.miss_px[c]),
                float(left_out.others_with_px[c]),
                float(left_out.others_without_px[c]),
                lag,
                1000 * float(left_out.lag_sigma_s[c]),
                lag / 1000 * raw.fps,
            )
        )
    return reprojection, tuple(cameras)


def leave_one_out(
    motion: Motion3D, raw: Motion3D, rig: Rig, *, observed: NDArray[np.float64], triangulate: Triangulate | None
) -> LeftOut:
    """Make the bodies' points again without each camera in turn; NaN with fewer than three cameras.

    Args:
        motion: the final result.
        raw: the points before filtering.
        rig: C cameras, those of `motion`.
        observed: (F, C, N, J, 3) px and score.
        triangulate: makes the points; None makes none.
    """
    C = len(rig)
    result = LeftOut(*np.full((5, C), np.nan))
    body = parts_of(raw.skeleton)["body"]
    there = raw.found[:, :, body].any(axis=-1)
    if triangulate is None or C < 3 or not there.any():
        return result
    wanted = int(np.clip(LEFT_OUT_WORK // C**2, FEWEST_LEFT_OUT, MOST_LEFT_OUT))
    # One person in one frame is a sample.
    frames, people = np.unravel_index(spread(there.ravel(), wanted // len(body)), there.shape)
    seen = np.moveaxis(observed[frames, :, people][:, :, body], 1, 0)
    xy, score = np.where(seen[..., 2:] > 0, seen[..., :2], np.nan), np.nan_to_num(seen[..., 2])
    X = raw.points.X[frames, people][:, body]
    with_all = np.linalg.norm(xy - project_rig(rig, X), axis=-1)
    used = np.zeros((C, *xy.shape[:-1]), bool)
    residual = np.full(xy.shape, np.nan)
    for c in range(C):
        rest = np.delete(np.arange(C), c)
        others = Rig(tuple(camera for k, camera in enumerate(rig) if k != c))
        points = triangulate(others, np.ascontiguousarray(xy[rest]), np.ascontiguousarray(score[rest]))
        without = np.linalg.norm(xy[rest] - project_rig(others, points.X), axis=-1)
        both = np.isfinite(without) & np.isfinite(with_all[rest])
        residual[c] = xy[c] - project(rig.cameras[c], points.X)
        result.miss_px[c] = median(np.linalg.norm(residual[c], axis=-1))
        result.others_with_px[c] = median(with_all[rest][both])
        result.others_without_px[c] = median(without[both])
        used[c, rest] = np.moveaxis(points.views, -1, 0)
    velocity = velocities(motion, frames, people, body)
    result.lag_s[:], result.lag_sigma_s[:] = camera_lags(rig, X, velocity, residual, used)
    return result


def spread(wanted: NDArray[np.bool_], most: int) -> NDArray[np.intp]:
    """Return at most so many, and at least one, of the places wanted (K,), evenly spread over them."""
    places = np.flatnonzero(wanted)
    if len(places) <= most:
        return places
    # By rank among those wanted: every tenth frame would miss a recording that was detected in every third.
    return np.asarray(places[np.unique(np.linspace(0, len(places) - 1, max(most, 1)).round().astype(np.intp))])


def median(values: NDArray[np.float64]) -> float:
    """Return the median of what is not NaN; NaN, without a warning, if nothing is."""
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else float("nan")


def _reprojection(residual: NDArray[np.float64], used: NDArray[np.bool_], rows: JointRows, frames: int) -> Reprojection:
    """Summarise residuals (C, S, N, J, 2) of the views used by camera and row."""
    C, R = len(residual), len(rows.names)
    middle, p95, bias = np.full((C, R), np.nan), np.full((C, R), np.nan), np.full((C, R, 2), np.nan)
    points = np.zeros((C, R), np.int64)
    joints = [rows.joints(row) for row in range(R)]
    for c in range(C):
        for row in range(R):
            some = residual[c][..., joints[row], :][used[c][..., joints[row]]]
            some = some[np.isfinite(some[:, 0])]
            points[c, row] = len(some)
            if len(some):
                middle[c, row], p95[c, row] = np.percentile(np.linalg.norm(some, axis=-1), [50, 95])
                bias[c, row] = np.median(some, axis=0)
    return Reprojection(middle, p95, points, bias, frames)
