"""Test a rig against a recording of people: is it the rig of these videos, and are its metres metres?"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.checks.fit import (
    LEAST_SCORE,
    Fit,
    at_frames,
    best_exchange,
    exchanged,
    fit_people,
    is_better,
    some_frames,
)
from triskel.calibration.checks.geometry import Finding, common_look_at, has_floor
from triskel.calibration.checks.one_camera import Fault, corrected, distance_px, examine_camera
from triskel.calibration.world.body import body_axis, foot_joints, measure_bodies
from triskel.calibration.world.placed import moved_rig
from triskel.calibration.world.scale import statures
from triskel.camera import Camera, Rig
from triskel.errors import InputError
from triskel.motion import Detections2D, Motion3D
from triskel.rigid import Rigid

HEIGHT_RANGE_M = (1.2, 2.1)
"""Heights of people; where all are outside, the scale is."""
SURE_RANGE_M = (0.8, 2.6)
WORKING_DISTANCE_M = 4.0
"""From the cameras to what they look at: rigs of another scale are brought to this before people are looked for."""
VIDEO_SCALES = (0.25, 1 / 3, 0.5, 2 / 3, 0.75, 4 / 3, 1.5, 2.0, 3.0, 4.0)
"""By how much videos are commonly smaller or larger than what was calibrated."""
POOR = 0.45
"""Share explained below which the rig as a whole is in question."""
LEAST_RISE = 0.02
"""How much more a rig must explain once a camera is put right, or else the fault is not believed."""
STANDS_OUT = 2.5
"""How many times further off than the others a camera is that was moved."""
MIN_OUTSIDE = 0.02
UPRIGHT_DEG = 35.0
FLOOR_OFF_M = 0.3


class _Case(NamedTuple):
    """A rig of workable size and what its cameras saw; `scale` is what its lengths were multiplied by."""

    rig: Rig
    detections: Detections2D
    time_s: NDArray[np.float64]
    frames: NDArray[np.intp]
    scale: float

    def fit(self, rig: Rig | None = None, detections: Detections2D | None = None) -> Fit:
        some = at_frames(detections or self.detections, self.frames)
        return fit_people(rig or self.rig, some, self.time_s[self.frames])


def check_against_people(rig: Rig, detections: Detections2D, time_s: NDArray[np.float64]) -> list[Finding]:
    """Compare a rig with people detected by its cameras; an empty list means that nothing was found.

    It names exchanged videos, a camera that was moved, is late, or whose image was resized, turned or mirrored, a scale
    that makes people dwarfs or giants, and a floor that nobody walks on. With two cameras no single one can be blamed.

    Args:
        rig: holds the cameras of `detections`, perhaps more.
        detections: of the whole recording; of a long one some pieces are looked at.
        time_s: (F,) time of each frame set, s.

    Returns:
        The findings, errors first.

    Raises:
        ConfigError: the rig lacks a camera.
        InputError: fewer than two cameras, times that do not fit, or nobody detected by two cameras.
    """
    case = _case(rig, detections, np.asarray(time_s, dtype=np.float64))
    findings = _check_extent(case)
    fit = case.fit()
    if not findings:
        found, case, fit = _check_whole(case, fit)
        findings += found
    if not findings:
        found, fit = _check_cameras(case, fit)
        findings += found
    findings += _check_bodies(case, fit.people.motion, world=rig)
    return sorted(findings, key=lambda finding: finding.severity != "error")


def _case(rig: Rig, detections: Detections2D, time_s: NDArray[np.float64]) -> _Case:
    """Return what to work on, after refusing what cannot be."""
    names = list(detections.cameras)
    if len(names) < 2:
        raise InputError(f"a rig is tested with two cameras or more, got {', '.join(names) or 'none'}")
    if time_s.shape != (len(detections.keypoints),):
        raise InputError(f"there are {len(detections.keypoints)} frame sets but times of shape {time_s.shape}")
    rig = rig.select(names)
    there = (detections.keypoints[..., 2] >= LEAST_SCORE).sum(axis=(2, 3)) >= 5 if len(time_s) else np.zeros((0, 2))
    if not (there.sum(axis=1) >= 2).any():
        raise InputError("people are nowhere seen by two cameras at once: there is nothing to test the rig with")
    target = common_look_at(rig)
    away = float(np.median([np.linalg.norm(camera.centre - target) for camera in rig]))
    scale = 1.0
    if np.isfinite(away) and away > 0 and not 0.25 < away / WORKING_DISTANCE_M < 6:
        scale = WORKING_DISTANCE_M / away
        rig = moved_rig(rig, Rigid.identity(), scale=scale)
    return _Case(rig, detections, time_s, some_frames(detections), scale)


def _check_extent(case: _Case) -> list[Finding]:
    """Return cameras whose detections lie outside the image that was calibrated."""
    findings = []
    for c, camera in enumerate(case.rig):
        keypoints = case.detections.keypoints[:, c].reshape(-1, 3)
        xy = keypoints[keypoints[:, 2] >= LEAST_SCORE, :2]
        w, h = camera.size_wh
        outside = (xy > (1.01 * w, 1.01 * h)).any(axis=1)
        if not len(xy) or outside.mean() <= MIN_OUTSIDE:
            continue
        reach = np.percentile(xy, 99.5, axis=0)
        turned = w != h and (reach <= (1.1 * h, 1.1 * w)).all() and bool(reach[int(h > w)] <= min(w, h) * 1.1)
        why = "the video is turned by 90 degrees" if turned else "the video is larger than what was calibrated"
        message = (
            f"people are detected at up to {reach[0]:.0f}, {reach[1]:.0f} px, outside of the calibrated {w} x {h} px: "
            f"{why}"
        )
        findings.append(Finding("error", camera.name, message, "turned-video" if turned else "image-size"))
    return findings


def _check_whole(case: _Case, fit: Fit) -> tuple[list[Finding], _Case, Fit]:
    """Look for exchanged videos and videos that were all resized, where the rig explains little of one camera or all.

    Returns the findings with the case and fit that are right, so that what follows is not misled.
    """
    explained = np.nan_to_num(fit.cameras)
    poor = [name for name, share in zip(case.rig.names, explained, strict=True) if share < POOR]
    if not poor:
        return [], case, fit
    pairs, value = best_exchange(case.rig, case.rig.names, lambda rig: case.fit(rig).explained, fit.explained)
    options: list[tuple[float, float]] = []
    for factor in VIDEO_SCALES:
        resized = Rig(tuple(_resized(camera, factor) for camera in case.rig))
        options.append((case.fit(resized).explained, factor))
    best, factor = max(options)
    if best > value and is_better(best, fit.explained):
        size = _resized(case.rig.cameras[0], factor).size_wh
        message = (
            f"the videos are {factor:.3g} times as large as what was calibrated ({case.rig.cameras[0].name}: "
            f"{size[0]} x {size[1]} px): what the rig explains rises from {fit.explained:.0%} to {best:.0%}"
        )
        right = case._replace(rig=Rig(tuple(_resized(camera, factor) for camera in case.rig)))
        return [Finding("error", "", message, "image-size")], right, right.fit()
    if pairs and is_better(value, fit.explained):
        rise = f"what the rig explains of the people rises from {fit.explained:.0%} to {value:.0%} if they are put back"
        right = case
        for first, second in pairs:
            right = right._replace(rig=exchanged(right.rig, first, second))
        findings = [
            Finding("error", f"{a}, {b}", f"their videos are exchanged: {rise}", "swapped-cameras") for a, b in pairs
        ]
        return findings, right, right.fit()
    return [], case, fit


def _check_cameras(case: _Case, fit: Fit) -> tuple[list[Finding], Fit]:
    """Return what is wrong with single cameras, and the fit when that is undone.

    A wrong camera spoils what the others are compared with, so that they look wrong too. Whichever, put right, lets the
    rig explain most is to blame; it is put right before the others are judged.
    """
    findings: list[Finding] = []
    names = list(case.detections.cameras)
    while len(names) > 1 and len(case.rig) >= 3:
        trials = []
        for name in names:
            fault = examine_camera(case.rig, case.detections, case.time_s, name, case.frames)
            if fault is not None:
                rig, detections = corrected(case.rig, case.detections, name, fault)
                trials.append((case.fit(rig, detections), name, fault, rig, detections))
        trials = [trial for trial in trials if trial[0].explained > fit.explained + LEAST_RISE]
        trials = [trial for trial in trials if trial[2].kind != "moved" or _stands_out(case, *trial[1:])]
        if not trials:
            break
        better, name, fault, rig, detections = max(trials, key=lambda trial: trial[0].explained)
        rate = 1 / float(np.median(np.diff(case.time_s)))
        findings.append(_finding(name, fault, case.rig[name], rate, case.scale))
        case, fit = case._replace(rig=rig, detections=detections), better
        names.remove(name)
    if not findings:
        findings += _unexplained(case, fit)
    return findings, fit


def _stands_out(case: _Case, name: str, fault: Fault, rig: Rig, detections: Detections2D) -> bool:
    """Say whether a camera is far worse than the others once it is put right: a poor rig is poor in all of them."""
    others = [other for other in detections.cameras if other != name]
    usual = [distance_px(rig, detections, case.time_s, other, case.frames) for other in others]
    known = [px for px in usual if np.isfinite(px)]
    return bool(known) and fault.before_px > STANDS_OUT * float(np.median(known))


def _unexplained(case: _Case, fit: Fit) -> list[Finding]:
    """Return a word about cameras that hardly ever agree with the rest, for a reason that is not known."""
    shares = np.nan_to_num(fit.cameras)
    usual = float(np.median(shares))
    if usual < 0.15:
        message = (
            f"the rig explains {fit.explained:.0%} of the people in the videos: it is not the rig of this recording"
        )
        return [Finding("error", "", message, "does-not-fit")]
    return [
        Finding(
            "warning",
            name,
            f"agrees with {share:.0%} of what it sees of people, the others with {usual:.0%}",
            "does-not-fit",
        )
        for name, share in zip(case.rig.names, shares, strict=True)
        if share < 0.35 * usual and share < 0.25
    ]


def _finding(name: str, fault: Fault, camera: Camera, rate: float, scale: float) -> Finding:
    """Return a fault in words."""
    drop = f"its distance from what the other cameras see falls from {fault.before_px:.1f} to {fault.after_px:.1f} px"
    if fault.kind == "late":
        word = "late" if fault.amount > 0 else "early"
        message = f"its video is about {abs(fault.amount):.1f} frames ({abs(fault.amount) / rate:.3f} s) {word}: {drop}"
        return Finding("error", name, message, "late-camera")
    if fault.kind == "resized":
        w, h = camera.size_wh
        message = f"its images are about {fault.amount:.2f} times as large as the calibrated {w} x {h} px: {drop}"
        return Finding("error", name, message, "image-size")
    if fault.kind == "turned":
        return Finding(
            "error", name, f"its images are turned by about {fault.amount:.0f} degrees: {drop}", "turned-video"
        )
    if fault.kind == "mirrored":
        return Finding("error", name, f"its images are mirrored, left for right: {drop}", "mirrored-video")
    gone = 1000 * fault.distance_m / scale
    message = f"was moved since the calibration, by about {fault.amount:.1f} degrees and {gone:.0f} mm: {drop}"
    return Finding("error", name, message, "bumped-camera")


def _check_bodies(case: _Case, motion: Motion3D, *, world: Rig) -> list[Finding]:
    """Return what the sizes of the people, their posture and their feet say about scale, up and floor."""
    height, sigma = statures(motion)
    known = np.isfinite(height)
    if not known.any():
        return []
    # Who stands tells more than who was only seen in pieces.
    best = int(np.nanargmin(sigma))
    height = height / case.scale
    findings = []
    low, high = HEIGHT_RANGE_M
    if not ((height[known] >= low) & (height[known] <= high)).any():
        middle = float(height[best])
        sure = not SURE_RANGE_M[0] <= middle <= SURE_RANGE_M[1]
        message = (
            f"people are {middle:.3g} m tall: lengths are about {middle / 1.7:.3g} times the true ones; was the size "
            "of the board's squares, or the unit of the file, wrong?"
        )
        findings.append(Finding("error" if sure else "warning", "", message, "wrong-scale"))
    bodies = measure_bodies(motion.skeleton, motion.points.X)
    up = body_axis(bodies)
    if np.isnan(up).any() or not has_floor(world):
        return findings
    lean = float(np.degrees(np.arccos(np.clip(up[2], -1, 1))))
    if lean > UPRIGHT_DEG:
        axis = int(np.argmax(np.abs(up)))
        name = f"{'-' if up[axis] < 0 else ''}{'xyz'[axis]}"
        message = f"people stand along {name}, {lean:.0f} degrees off z: the world's z is not up; place the floor first"
        return [*findings, Finding("error", "", message, "not-z-up")]
    feet = motion.points.X[:, :, foot_joints(motion.skeleton)[0], 2]
    lowest = np.where(np.isfinite(feet), feet, np.inf).min(axis=2)
    lowest = lowest[np.isfinite(lowest) & bodies.upright] / case.scale
    tall = float(height[best])
    if len(lowest) >= 10:
        off = float(np.percentile(lowest, 10))
        if abs(off) > FLOOR_OFF_M * tall / 1.7:
            where = "above" if off > 0 else "under"
            message = f"people's feet are {abs(off):.2f} m {where} the floor (z = 0): place the floor anew"
            findings.append(Finding("warning", "", message, "floor-height"))
    return findings


def _resized(camera: Camera, factor: float) -> Camera:
    w, h = camera.size_wh
    return camera.resized((max(1, round(w * factor)), max(1, round(h * factor))))
