"""How good people in 3D are, in numbers: who is there, what was found by how many cameras, what is missing and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.camera import Rig
from triskel.keypoints import Missing
from triskel.motion import Detections2D, Motion3D
from triskel.viewer.camera_quality import CameraQuality, Reprojection, Triangulate, measure_cameras, median
from triskel.viewer.joint_rows import JointRows, count_by_row, joint_rows
from triskel.viewer.summary import LimbLength, limb_lengths, present_people
from triskel.whole_body import parts_of

TIMELINE_COLUMNS = 600
"""Frames of the time line; of longer recordings each column is the mean of several."""

REASONS = tuple(reason for reason in Missing if reason != Missing.FOUND)


class PersonQuality(NamedTuple):
    """One person, by the joints of the body.

    Attributes:
        person: the id.
        first: frame set in which the person first has a joint.
        last: the last one.
        seen_percent: frame sets in which the person has a joint, % of those from first to last.
        found_percent: joints with a position before gaps were filled, % from first to last.
        final_percent: joints with a position in the end.
        gap_percent: positions that were interpolated, % of those in the end.
        sigma_mm: median standard deviation of a position, the three axes together; NaN if nothing was found.
    """

    person: int
    first: int
    last: int
    seen_percent: float
    found_percent: float
    final_percent: float
    gap_percent: float
    sigma_mm: float


class JointQuality(NamedTuple):
    """One joint of the body, a hand or a face: over all people, from the first to the last frame of each.

    Attributes:
        joint: its name, or that of the part.
        views_percent: (C + 1) samples whose position is from 0, 1, ..., C cameras, %.
        missing_percent: samples without position for each of `REASONS`, %.
        filled_percent: samples interpolated, %.
        sigma_mm: as in `PersonQuality`.
        detected: whether any camera saw it at all; some detectors do not know all joints.
    """

    joint: str
    views_percent: tuple[float, ...]
    missing_percent: tuple[float, ...]
    filled_percent: float
    sigma_mm: float
    detected: bool


class LimbQuality(NamedTuple):
    """One limb of one person; NaN where it was never seen.

    Attributes:
        person: the id.
        limb: its ends, or what it sums up of a hand or face.
        mean_cm: length in the end.
        sd_cm: standard deviation of that over time.
        variation_percent: the same as a share of the length.
        raw_variation_percent: before filtering.
        side_percent: how much longer the left one is than the right one, % of their mean.
    """

    person: int
    limb: str
    mean_cm: float
    sd_cm: float
    variation_percent: float
    raw_variation_percent: float
    side_percent: float


class Nobody(NamedTuple):
    """Frame sets `first` to `last` have nobody in 3D; in how many of them who detected people.

    Attributes:
        first: frame set.
        last: frame set, included.
        undetected: no camera detected anybody.
        one_camera: one camera only did.
        disagree: several did, but what they saw was not the same person, or too brief.
        camera: the one of `one_camera`, if it is always the same one, else empty.
    """

    first: int
    last: int
    undetected: int
    one_camera: int
    disagree: int
    camera: str

    @property
    def frames(self) -> int:
        """Return how many frame sets these are."""
        return self.last - self.first + 1


class Timeline(NamedTuple):
    """People over time, (N, T) each, T columns of equal numbers of frame sets.

    Attributes:
        found: share of the body's joints found; NaN where the person is not there.
        filled: share of the body's joints interpolated.
        edges: (T + 1) frame sets between which the columns are.
    """

    found: NDArray[np.float64]
    filled: NDArray[np.float64]
    edges: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Quality:
    """The quality of people in 3D.

    Attributes:
        frames: number of frame sets.
        fps: per second; NaN for fewer than two frames.
        people: a row a person.
        joints: a row a joint of the body, then one each for hands and face.
        body_rows: how many of them are of the body.
        cameras: a row a camera, in the rig's order.
        reprojection: by camera and row of `joints`.
        limbs: a row for each person and limb.
        nobody: stretches of frame sets without anybody, in order; what was detected there is all 0 if not known.
        timeline: when who was there.
    """

    frames: int
    fps: float
    people: tuple[PersonQuality, ...]
    joints: tuple[JointQuality, ...]
    body_rows: int
    cameras: tuple[CameraQuality, ...]
    reprojection: Reprojection
    limbs: tuple[LimbQuality, ...]
    nobody: tuple[Nobody, ...]
    timeline: Timeline

    @property
    def empty_frames(self) -> int:
        """Return in how many frame sets nobody was found."""
        return sum(one.frames for one in self.nobody)

    @property
    def body(self) -> Sequence[JointQuality]:
        """Return the rows of the body's joints."""
        return self.joints[: self.body_rows]


def measure_quality(
    motion: Motion3D,
    raw: Motion3D,
    rig: Rig,
    *,
    observed: NDArray[np.float64],
    detections: Detections2D | None = None,
    triangulate: Triangulate | None = None,
) -> Quality:
    """Compute the quality of people in 3D.

    Args:
        motion: the final result.
        raw: the same people before filtering and filling of gaps.
        rig: cameras; those of `motion` are used.
        observed: (F, C, N, J, 3) px and score of the 2D joints that each person was made of.
        detections: everybody that the cameras saw; says why there is nobody.
        triangulate: makes points of what cameras saw, so that each can be left out; None does not try that.

    Raises:
        ValueError: the arrays do not fit each other.
    """
    F, N, J = raw.gap.shape
    expected = (F, len(raw.cameras), N, J, 3)
    if motion.gap.shape != raw.gap.shape or observed.shape != expected:
        raise ValueError(
            f"raw and observed are {raw.gap.shape} and {expected}, got {motion.gap.shape}, {observed.shape}"
        )
    rows = joint_rows(raw.skeleton)
    present = present_people(raw)
    cameras = rig.select(list(raw.cameras))
    reprojection, by_camera = measure_cameras(motion, raw, cameras, rows, observed=observed, triangulate=triangulate)
    sigma = np.where(raw.found, np.linalg.norm(raw.points.sigma_mm, axis=-1), np.nan)
    return Quality(
        frames=F,
        fps=raw.fps,
        people=_people(motion, raw, present, sigma),
        joints=_joints(motion, raw, present, sigma, rows, observed),
        body_rows=rows.body,
        cameras=by_camera,
        reprojection=reprojection,
        limbs=_limbs(motion, raw),
        nobody=_nobody(raw, detections),
        timeline=_timeline(motion, raw),
    )


def _percent(mask: NDArray[np.bool_] | np.bool_) -> float:
    return 100 * float(mask.mean()) if mask.size else 0.0


def _people(
    motion: Motion3D, raw: Motion3D, present: NDArray[np.bool_], sigma: NDArray[np.float64]
) -> tuple[PersonQuality, ...]:
    body = parts_of(raw.skeleton)["body"]
    rows = []
    for n, identity in enumerate(raw.ids):
        frames = np.flatnonzero(present[:, n])
        if not len(frames):
            rows.append(PersonQuality(int(identity), -1, -1, 0.0, 0.0, 0.0, 0.0, float("nan")))
            continue
        span = slice(frames[0], frames[-1] + 1)
        found, final = raw.found[span, n][:, body], motion.found[span, n][:, body]
        rows.append(
            PersonQuality(
                int(identity),
                int(frames[0]),
                int(frames[-1]),
                _percent(raw.found[span, n].any(axis=-1)),
                _percent(found),
                _percent(final),
                _percent(motion.gap[span, n][:, body][final]),
                median(sigma[span, n][:, body]),
            )
        )
    return tuple(rows)


def _joints(
    motion: Motion3D,
    raw: Motion3D,
    present: NDArray[np.bool_],
    sigma: NDArray[np.float64],
    rows: JointRows,
    observed: NDArray[np.float64],
) -> tuple[JointQuality, ...]:
    C = len(raw.cameras)
    sizes = np.bincount(rows.row_of, minlength=len(rows.names))[:, None] * max(int(present.sum()), 1)
    found = raw.found[present]
    views = count_by_row(rows, np.where(found, raw.points.n_views[present], 0), C + 1)
    # Whoever made the points may not have said why; what has a position has no reason.
    why = np.where(found, Missing.FOUND, np.maximum(raw.points.missing[present], 1)).astype(np.int64)
    reasons = count_by_row(rows, why, len(Missing))
    filled = count_by_row(rows, (motion.gap & motion.found)[present].astype(np.int64), 2)[:, 1:]
    views_percent, missing, filled_percent = (100 * one / sizes for one in (views, reasons[:, 1:], filled))
    detected = np.asarray((observed[..., 2] > 0).any(axis=(0, 1, 2)))
    return tuple(
        JointQuality(
            name,
            tuple(views_percent[row].tolist()),
            tuple(missing[row].tolist()),
            float(filled_percent[row, 0]),
            median(sigma[..., rows.joints(row)]),
            bool(detected[rows.joints(row)].any()),
        )
        for row, name in enumerate(rows.names)
    )


def _limbs(motion: Motion3D, raw: Motion3D) -> tuple[LimbQuality, ...]:
    joints, flips = raw.skeleton.joints, raw.skeleton.flips
    mirrored = dict(zip(joints, (joints[j] for j in flips), strict=True))
    before, after = limb_lengths(raw), limb_lengths(motion)
    lengths = {(row.person, row.limb): row.mean_cm for row in after}
    rows = []
    for row, was in zip(after, before, strict=True):
        sd_cm = row.mean_cm * row.variation_percent / 100
        side = _side(row, lengths, mirrored)
        rows.append(LimbQuality(*row[:3], sd_cm, row.variation_percent, was.variation_percent, side))
    return tuple(rows)


def _side(row: LimbLength, lengths: dict[tuple[int, str], float], mirrored: dict[str, str]) -> float:
    """Return how much longer the left limb is than the right, % of their mean; NaN for one without a mirror image."""
    ends = row.limb.split("-")
    twins = [mirrored.get(end, end) for end in ends]
    if twins in (ends, ends[::-1]):
        return float("nan")
    names = ["-".join(twins), "-".join(twins[::-1])]
    other = next((lengths[row.person, name] for name in names if (row.person, name) in lengths), float("nan"))
    if not row.mean_cm + other > 0:
        return float("nan")
    side = next(end for end, twin in zip(ends, twins, strict=True) if end != twin)
    return (1 if side.startswith("L") else -1) * 200 * (row.mean_cm - other) / (row.mean_cm + other)


def _nobody(raw: Motion3D, detections: Detections2D | None) -> tuple[Nobody, ...]:
    empty = ~np.asarray(raw.found.any(axis=(1, 2)))
    edges = np.flatnonzero(np.diff(np.r_[False, empty, False].astype(np.int8)))
    stretches = edges.reshape(-1, 2).tolist()
    if detections is None:
        return tuple(Nobody(first, end - 1, 0, 0, 0, "") for first, end in stretches)
    seen = np.asarray((detections.keypoints[..., 2] > 0).any(axis=(2, 3)))
    cameras = seen.sum(axis=1)
    rows = []
    for first, end in stretches:
        here = cameras[first:end]
        alone = np.flatnonzero(seen[first:end][here == 1].any(axis=0))
        name = detections.cameras[alone[0]] if len(alone) == 1 else ""
        none, one, several = (int(np.count_nonzero(kind)) for kind in (here == 0, here == 1, here > 1))
        rows.append(Nobody(first, end - 1, none, one, several, name))
    return tuple(rows)


def _timeline(motion: Motion3D, raw: Motion3D) -> Timeline:
    body = parts_of(raw.skeleton)["body"]
    F, N, _ = raw.gap.shape
    T = min(F, TIMELINE_COLUMNS)
    edges = np.linspace(0, F, T + 1)
    found = raw.found[:, :, body].mean(axis=-1)
    filled = (motion.gap & motion.found)[:, :, body].mean(axis=-1)
    if not T or not N:
        return Timeline(np.zeros((N, T)), np.zeros((N, T)), edges)
    starts = edges[:-1].astype(np.intp)
    sizes = np.diff(np.r_[starts, F])[:, None]
    share, gaps = (np.add.reduceat(one, starts, axis=0) / sizes for one in (found, filled))
    return Timeline(np.where(share + gaps > 0, share, np.nan).T, gaps.T, edges)
