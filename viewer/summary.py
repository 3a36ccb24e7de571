"""What came out of a session, in numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.camera import Rig
from triskel.motion import Motion3D
from triskel.projection import project_rig
from triskel.viewer.camera_quality import MOST_RESIDUALS, spread
from triskel.whole_body import Part, part_names, parts_of

FEET = tuple(f"{side}{joint}" for side in "LR" for joint in ("BigToe", "SmallToe", "Heel"))


class CameraError(NamedTuple):
    """Reprojection error of the body in one camera: Euclidean distance, raw px; NaN where `points` is 0.

    Of a long recording it is that of frames spread over it.
    """

    camera: str
    median_px: float
    p95_px: float
    points: int


class JointFound(NamedTuple):
    """How often one joint of a part has a position, % of frames times people, and which share was interpolated."""

    joint: str
    found_percent: float
    gap_percent: float
    part: Part = "body"


class PartFound(NamedTuple):
    """One part of the people: body, feet (not in the body here), left hand, right hand, face.

    Attributes:
        part: its name, for readers.
        there_percent: frames times people in which any of its points has a position, %.
        found_percent: points times frames times people with a position, %.
        median_px: reprojection error of the views used, raw px; NaN where there are none.
    """

    part: str
    there_percent: float
    found_percent: float
    median_px: float


class LimbLength(NamedTuple):
    """One limb of one person: mean length, cm, and standard deviation as % of it; NaN where never seen.

    The limbs of a hand or face are one row, with the medians of their lengths and variations.
    """

    person: int
    limb: str
    mean_cm: float
    variation_percent: float


@dataclass(frozen=True)
class Summary:
    """The numbers of a report.

    Attributes:
        frames: number of frame sets.
        fps: per second; NaN for fewer than two frames.
        duration_s: from the first frame to the end of the last.
        people: their ids.
        found_percent: joints of the body (feet included, hands and face not) with a position, % of those of each
            person's frames between first and last appearance.
        cameras: one row a camera, in the rig's order; of the body.
        parts: one row a part that the skeleton has.
        joints: one row a joint.
        limbs: one row for each person and limb of the body, then one for each person's hands and face.
        stage_seconds: (stage, seconds), in the order run.
        warnings: one line each.
    """

    frames: int
    fps: float
    duration_s: float
    people: tuple[int, ...]
    found_percent: float
    cameras: tuple[CameraError, ...]
    parts: tuple[PartFound, ...]
    joints: tuple[JointFound, ...]
    limbs: tuple[LimbLength, ...]
    stage_seconds: tuple[tuple[str, float], ...]
    warnings: tuple[str, ...]


def summarise(
    motion: Motion3D,
    rig: Rig,
    *,
    observed: NDArray[np.float64],
    stage_seconds: Mapping[str, float],
    warnings: Sequence[str] = (),
) -> Summary:
    """Compute a session's numbers.

    Args:
        motion: people in 3D.
        rig: cameras; those of `motion` are used, in the order of `motion.cameras`.
        observed: (F, C, N, J, 3) px and score of the 2D joints assigned to each 3D person, aligned with
            `motion.ids` and `motion.cameras`; NaN = missing. (The person axis of detections has no such meaning.)
        stage_seconds: how long each stage took, s.
        warnings: what the user should know, one line each.

    Raises:
        ValueError: `observed` does not fit.
    """
    F, N, J = motion.gap.shape
    expected = (F, len(motion.cameras), N, J, 3)
    if observed.shape != expected:
        raise ValueError(f"observed is (F, C, N, J, 3) = {expected}, got {observed.shape}")
    fps = motion.fps
    span = float(motion.time_s[-1] - motion.time_s[0]) if F else 0.0
    present = present_people(motion)
    body = parts_of(motion.skeleton)["body"]
    found = motion.found[present][:, body]
    error_px = _used_errors(motion, rig.select(list(motion.cameras)), observed)
    return Summary(
        frames=F,
        fps=fps,
        duration_s=span + (1 / fps if np.isfinite(fps) else 0.0),
        people=tuple(int(i) for i in motion.ids),
        found_percent=100 * float(found.mean()) if found.size else 0.0,
        cameras=_camera_errors(motion.cameras, error_px[..., body]),
        parts=_parts_found(motion, present, error_px),
        joints=_joints_found(motion, present),
        limbs=limb_lengths(motion),
        stage_seconds=tuple(stage_seconds.items()),
        warnings=tuple(warnings),
    )


def present_people(motion: Motion3D) -> NDArray[np.bool_]:
    """Return (F, N) True from the first to the last frame in which each person has a joint."""
    seen = np.asarray(motion.found.any(axis=-1))
    begun = np.logical_or.accumulate(seen, axis=0)
    ends_later = np.logical_or.accumulate(seen[::-1], axis=0)[::-1]
    return np.asarray(begun & ends_later)


def _used_errors(motion: Motion3D, rig: Rig, observed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (C, S, N, J) px, NaN for views not used; what was interpolated has no observation to be compared with.

    Of a long recording, S frames evenly spread.
    """
    most = MOST_RESIDUALS // max(observed[0].size // 3, 1) if len(observed) else 0
    frames = spread(np.asarray(motion.found.any(axis=(1, 2))), most)
    seen = np.moveaxis(observed[frames][..., :2], 1, 0)
    distance = np.linalg.norm(project_rig(rig, motion.points.X[frames]) - seen, axis=-1)
    used = motion.points.views[frames] & ~motion.gap[frames][..., None]
    return np.where(np.moveaxis(used, -1, 0), distance, np.nan)


def _camera_errors(cameras: tuple[str, ...], error_px: NDArray[np.float64]) -> tuple[CameraError, ...]:
    rows = []
    for camera, every_px in zip(cameras, error_px, strict=True):
        px = every_px[np.isfinite(every_px)]
        median, p95 = np.percentile(px, [50, 95]) if len(px) else (np.nan, np.nan)
        rows.append(CameraError(camera, float(median), float(p95), len(px)))
    return tuple(rows)


def _parts_found(motion: Motion3D, present: NDArray[np.bool_], error_px: NDArray[np.float64]) -> tuple[PartFound, ...]:
    joints = motion.skeleton.joints
    rows = []
    for part, index in parts_of(motion.skeleton).items():
        feet = np.array([joints[j] in FEET for j in index])
        chosen = [(part.replace("_", " "), index[~feet])] + ([("feet", index[feet])] if feet.any() else [])
        for name, some in chosen:
            found, px = motion.found[present][:, some], error_px[..., some]
            px = px[np.isfinite(px)]
            there, share = (100 * float(one.mean()) if one.size else 0.0 for one in (found.any(axis=-1), found))
            rows.append(PartFound(name, there, share, float(np.median(px)) if len(px) else float("nan")))
    return tuple(rows)


def _joints_found(motion: Motion3D, present: NDArray[np.bool_]) -> tuple[JointFound, ...]:
    found, gap = motion.found[present], (motion.gap & motion.found)[present]
    share = 100 * (found.mean(axis=0) if len(found) else np.zeros(len(motion.skeleton)))
    gaps = 100 * gap.sum(axis=0) / np.maximum(found.sum(axis=0), 1)
    rows = zip(motion.skeleton.joints, share.tolist(), gaps.tolist(), part_names(motion.skeleton), strict=True)
    return tuple(JointFound(*row) for row in rows)


def limb_lengths(motion: Motion3D) -> tuple[LimbLength, ...]:
    """Return a row for each person and limb of the body, then one for each person's hands and face."""
    names, joints = part_names(motion.skeleton), motion.skeleton.joints
    rows = []
    for n, identity in enumerate(motion.ids):
        fine: dict[Part, list[tuple[float, float]]] = {}
        for a, b in motion.skeleton.limbs:
            mean_cm, variation = _length(motion.points.X[:, n, a], motion.points.X[:, n, b])
            if names[b] == "body":
                rows.append(LimbLength(int(identity), f"{joints[a]}-{joints[b]}", mean_cm, variation))
            else:
                fine.setdefault(names[b], []).append((mean_cm, variation))
        for part, lengths in fine.items():
            seen = np.array(lengths)
            seen = seen[np.isfinite(seen).all(axis=-1)]
            middle = np.median(seen, axis=0) if len(seen) else np.full(2, np.nan)
            name = f"{part.replace('_', ' ')}, {len(lengths)} lines, median"
            rows.append(LimbLength(int(identity), name, float(middle[0]), float(middle[1])))
    return tuple(rows)


def _length(a: NDArray[np.float64], b: NDArray[np.float64]) -> tuple[float, float]:
    """Return the mean distance over time, cm, and its standard deviation as % of that; NaN if never seen."""
    length = np.linalg.norm(a - b, axis=-1)
    length = length[np.isfinite(length)]
    mean = float(length.mean()) if len(length) else float("nan")
    return 100 * mean, 100 * float(length.std()) / mean if mean > 0 else float("nan")
