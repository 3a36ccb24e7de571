"""What came out of a session, in numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.camera import Rig
from triskel.motion import Motion3D
from triskel.projection import project_rig


class CameraError(NamedTuple):
    """Reprojection error in one camera: Euclidean distance, raw px; NaN where `points` is 0."""

    camera: str
    median_px: float
    p95_px: float
    points: int


class JointFound(NamedTuple):
    """How often one joint has a position, % of frames times people, and which share of that was interpolated."""

    joint: str
    found_percent: float
    gap_percent: float


class LimbLength(NamedTuple):
    """One limb of one person: mean length, cm, and standard deviation as % of it; NaN where never seen."""

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
        found_percent: joints with a position, % of those of each person's frames between first and last appearance.
        cameras: one row a camera, in the rig's order.
        joints: one row a joint.
        limbs: one row for each person and limb.
        stage_seconds: (stage, seconds), in the order run.
        warnings: one line each.
    """

    frames: int
    fps: float
    duration_s: float
    people: tuple[int, ...]
    found_percent: float
    cameras: tuple[CameraError, ...]
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
    present = _present(motion)
    found = motion.found[present]
    return Summary(
        frames=F,
        fps=fps,
        duration_s=span + (1 / fps if np.isfinite(fps) else 0.0),
        people=tuple(int(i) for i in motion.ids),
        found_percent=100 * float(found.mean()) if found.size else 0.0,
        cameras=_camera_errors(motion, rig.select(list(motion.cameras)), observed),
        joints=_joints_found(motion, present),
        limbs=_limb_lengths(motion),
        stage_seconds=tuple(stage_seconds.items()),
        warnings=tuple(warnings),
    )


def _present(motion: Motion3D) -> NDArray[np.bool_]:
    """Return (F, N) True from the first to the last frame in which each person has a joint."""
    seen = np.asarray(motion.found.any(axis=-1))
    begun = np.logical_or.accumulate(seen, axis=0)
    ends_later = np.logical_or.accumulate(seen[::-1], axis=0)[::-1]
    return np.asarray(begun & ends_later)


def _camera_errors(motion: Motion3D, rig: Rig, observed: NDArray[np.float64]) -> tuple[CameraError, ...]:
    """Compare with the views used only; what was interpolated has no observation to be compared with."""
    distance = np.linalg.norm(project_rig(rig, motion.points.X) - np.moveaxis(observed[..., :2], 1, 0), axis=-1)
    used = np.moveaxis(motion.points.views, -1, 0) & ~motion.gap
    rows = []
    for camera, every_px, mask in zip(rig, distance, used, strict=True):
        px = every_px[mask & np.isfinite(every_px)]
        median, p95 = np.percentile(px, [50, 95]) if len(px) else (np.nan, np.nan)
        rows.append(CameraError(camera.name, float(median), float(p95), len(px)))
    return tuple(rows)


def _joints_found(motion: Motion3D, present: NDArray[np.bool_]) -> tuple[JointFound, ...]:
    found, gap = motion.found[present], (motion.gap & motion.found)[present]
    share = 100 * (found.mean(axis=0) if len(found) else np.zeros(len(motion.skeleton)))
    gaps = 100 * gap.sum(axis=0) / np.maximum(found.sum(axis=0), 1)
    names = motion.skeleton.joints
    return tuple(JointFound(*row) for row in zip(names, share.tolist(), gaps.tolist(), strict=True))


def _limb_lengths(motion: Motion3D) -> tuple[LimbLength, ...]:
    rows = []
    for n, identity in enumerate(motion.ids):
        for a, b in motion.skeleton.limbs:
            X = motion.points.X[:, n]
            length = np.linalg.norm(X[:, a] - X[:, b], axis=-1)
            length = length[np.isfinite(length)]
            mean = float(length.mean()) if len(length) else float("nan")
            variation = 100 * float(length.std()) / mean if mean > 0 else float("nan")
            limb = f"{motion.skeleton.joints[a]}-{motion.skeleton.joints[b]}"
            rows.append(LimbLength(int(identity), limb, 100 * mean, variation))
    return tuple(rows)
