"""What the numbers of the quality of 3D mean, in sentences; and which cameras to look after."""

import math

import numpy as np

from triskel.keypoints import Missing
from triskel.viewer.camera_quality import CameraQuality
from triskel.viewer.quality import REASONS, Nobody, Quality

DISAGREEING, DISAGREEING_PX = 2.0, 5.0
"""A camera with an error of so many times that of the others, and more than so many px, was probably moved since it was
calibrated."""

OFFSET_SHARE = 0.5
"""If so much of the typical error is an offset that all joints of a camera share, it is not the detections' but the
calibration's."""

LATE_FRAMES, LATEST_FRAMES, LATE_SIGMAS = 0.5, 5.0, 4.0
"""A camera that is late by more than half a frame could have been given a better one; by fewer standard errors than
this, it may as well not be late; by more than a few frames, its views would not have been used."""

FEWEST_FRAMES = 60
"""Frames that it takes to say that a camera is out of step."""

STEADY_PERCENT, UNSTEADY_PERCENT = 2.5, 6.0
"""Limbs vary so little where the detections are good, and no more than the second in most uses of the result."""

LONG_CM = 15.0
"""Shorter limbs, such as those between eyes and nose, vary by their noise and say little about the body."""

WHY = {
    Missing.NO_PERSON: "the person was not found in that frame",
    Missing.FEW_VIEWS: "too few cameras saw them",
    Missing.PARALLEL: "the cameras that saw them look along the same line",
    Missing.BEHIND: "the lines of sight meet behind a camera",
    Missing.DISAGREE: "the cameras disagree where they are",
    Missing.IMPLAUSIBLE: "no body has them there",
    Missing.OUTLIER: "they jumped away and back",
    Missing.UNKNOWN: "not recorded",
}
SHORT = {
    Missing.NO_PERSON: "person not found",
    Missing.FEW_VIEWS: "few cameras",
    Missing.PARALLEL: "parallel rays",
    Missing.BEHIND: "behind a camera",
    Missing.DISAGREE: "cameras disagree",
    Missing.IMPLAUSIBLE: "implausible",
    Missing.OUTLIER: "outlier in time",
    Missing.UNKNOWN: "not recorded",
}


def disagrees(camera: CameraQuality, quality: Quality) -> bool:
    """Say whether a camera fits the 3D, or the 3D without it, much worse than the others, or spoils their fit."""
    if camera.all_px > DISAGREEING_PX and camera.all_px > DISAGREEING * camera.others_px:
        return True
    if not camera.left_out_px > DISAGREEING_PX:
        return False
    rest = [one.left_out_px for one in quality.cameras if one is not camera and math.isfinite(one.left_out_px)]
    # Of three cameras, the two that are left miss the third whichever of them is wrong.
    if len(rest) >= 3 and camera.left_out_px > DISAGREEING * float(np.median(rest)):
        return True
    # One camera less makes any fit look a little better, by a third at most.
    spoils = camera.others_with_px > DISAGREEING * camera.others_without_px
    return spoils and all(not one.others_without_px < camera.others_without_px for one in quality.cameras)


def is_late(camera: CameraQuality) -> bool:
    """Say whether a camera's pictures were taken at other times than those of the others, by more than half a frame."""
    return (
        LATE_FRAMES < abs(camera.lag_frames) < LATEST_FRAMES and abs(camera.lag_ms) > LATE_SIGMAS * camera.lag_sigma_ms
    )


def is_miscalibrated(quality: Quality) -> bool:
    """Say whether most cameras see all joints aside of where the others have them: no single one is to blame."""
    known = [one for one in quality.cameras if math.isfinite(one.median_px)]
    if len(known) < 2 or any(disagrees(one, quality) for one in known):
        return False
    offset = float(np.median([math.hypot(one.bias_x_px, one.bias_y_px) for one in known]))
    return offset > max(DISAGREEING_PX, OFFSET_SHARE * _typical_px(quality))


def _typical_px(quality: Quality) -> float:
    """Return the median over the cameras of their median errors; NaN where there are none."""
    known = [one.median_px for one in quality.cameras if math.isfinite(one.median_px)]
    return float(np.median(known)) if known else float("nan")


def camera_doubts(quality: Quality) -> list[str]:
    """Name the cameras that do not fit the others, one line each, with what to do."""
    doubts = []
    if is_miscalibrated(quality):
        offsets = [
            f"{one.camera} {math.hypot(one.bias_x_px, one.bias_y_px):.0f}"
            for one in sorted(quality.cameras, key=lambda one: -math.hypot(one.bias_x_px, one.bias_y_px))
            if math.isfinite(one.bias_x_px)
        ]
        more = f" and {len(offsets) - 4} more" if len(offsets) > 4 else ""
        doubts.append(
            f"the calibration does not fit: cameras see all joints aside of where the others have them, by (px) "
            f"{', '.join(offsets[:4])}{more}; calibrate the rig again"
        )
    for camera in quality.cameras:
        # Few frames of little movement, or cameras that all see things aside, say nothing about the clock.
        late = is_late(camera) and quality.frames >= FEWEST_FRAMES and not is_miscalibrated(quality)
        if late:
            word = "later" if camera.lag_ms > 0 else "earlier"
            doubts.append(
                f"camera {camera.camera} is out of step: its pictures are {abs(camera.lag_ms):.0f} ms "
                f"({abs(camera.lag_frames):.1f} frames) {word} than the others' of the same frame set; synchronize the "
                "videos again, or leave the camera out"
            )
        if disagrees(camera, quality):
            doubts.append(_disagreement(camera, late=late))
    return doubts


def _disagreement(camera: CameraQuality, *, late: bool) -> str:
    others = f"the others {camera.others_px:.1f} px" if math.isfinite(camera.others_px) else "there is no other"
    text = f"camera {camera.camera} disagrees: it misses the people by {camera.all_px:.1f} px (median), {others}"
    if math.isfinite(camera.left_out_px):
        text += f"; from the other cameras alone it misses them by {camera.left_out_px:.1f} px"
    if camera.others_without_px < 0.8 * camera.others_with_px:
        text += f", and these agree to {camera.others_without_px:.1f} instead of {camera.others_with_px:.1f} px"
    if late:
        return f"{text}; synchronize it first, that may be all"
    return f"{text}; it may have moved since it was calibrated: calibrate it again, or leave it out"


def verdict(quality: Quality) -> list[str]:
    """Return three to five sentences for somebody who will use the result."""
    if not quality.people:
        sentences = [f"Nobody was found in 3D in {quality.frames} frame{'s' * (quality.frames != 1)}."]
        return sentences + [f"{_start(why(one))}." for one in quality.nobody[:1] if why(one)]
    return [_who(quality), _joints(quality), *_cameras(quality), *_limbs(quality), *_missing(quality)]


def why(nobody: Nobody) -> str:
    """Say why there is nobody in a stretch of frame sets; nothing if that is not known."""
    who = f"only {nobody.camera}" if nobody.camera else "one camera alone"
    parts = [
        (nobody.undetected, "no camera detected anybody"),
        (nobody.one_camera, f"{who} detected somebody, and 3D needs two"),
        (nobody.disagree, "several cameras detected people, but no one whom enough of them agree on"),
    ]
    told = [(count, text) for count, text in parts if count]
    if len(told) == 1:
        return told[0][1]
    return "; ".join(f"{text} in {count}" for count, text in told)


def _start(text: str) -> str:
    return text[:1].upper() + text[1:]


def _who(quality: Quality) -> str:
    people, frames = quality.people, quality.frames
    span = f"{frames} frame{'s' * (frames != 1)}"
    if math.isfinite(quality.fps):
        span += f" ({frames / quality.fps:.1f} s)"
    if len(people) == 1:
        one = people[0]
        there = "from beginning to end" if (one.first, one.last) == (0, frames - 1) else f"in {one.first} to {one.last}"
        return f"One person in {span}, {there}; found in {one.seen_percent:.0f} % of these frames."
    whole = sum((one.first, one.last) == (0, frames - 1) for one in people)
    least = min(people, key=lambda one: one.seen_percent)
    those = "all" if whole == len(people) else f"{whole or 'none'} of them"
    text = f"{len(people)} people in {span}, {those} from beginning to end"
    if least.seen_percent > 99.5:
        return f"{text}; none is lost in between."
    return f"{text}; the one lost most often (id {least.person}) is there in {least.seen_percent:.0f} % of its frames."


def _joints(quality: Quality) -> str:
    weights = [max(one.last - one.first + 1, 1) for one in quality.people]
    found = float(np.average([one.found_percent for one in quality.people], weights=weights))
    final = float(np.average([one.final_percent for one in quality.people], weights=weights))
    text = f"{found:.1f} % of the body's joints were found in 3D"
    if final - found >= 0.05:
        text += f", {final:.1f} % once short gaps were filled"
    sigma = [one.sigma_mm for one in quality.people if math.isfinite(one.sigma_mm)]
    if sigma:
        noise = f"{float(np.median(sigma)):.1f} mm (median standard deviation, from how far the views disagree)"
        text += f"; their noise is {noise}"
    return text + "."


def _cameras(quality: Quality) -> list[str]:
    used = [one for one in quality.cameras if math.isfinite(one.median_px)]
    if not used:
        return []
    middle = _typical_px(quality)
    bad = [one.camera for one in quality.cameras if disagrees(one, quality)]
    late = [one.camera for one in quality.cameras if is_late(one)]
    if not bad and not late:
        worst = max(used, key=lambda one: one.median_px)
        if is_miscalibrated(quality):
            return [
                f"The {len(quality.cameras)} cameras do NOT agree well: detections lie {middle:.1f} px from the "
                "projected 3D joints (median), mostly the same way for all joints of a camera: the calibration is off."
            ]
        return [
            f"The {len(quality.cameras)} cameras agree: detections lie {middle:.1f} px from the projected 3D joints "
            f"(median), {worst.median_px:.1f} px in the worst camera, {worst.camera}."
        ]
    told = []
    if bad:
        told.append(f"camera{'s' * (len(bad) > 1)} {', '.join(bad)} disagree{'s' * (len(bad) == 1)} with the others")
    if late:
        told.append(f"camera{'s' * (len(late) > 1)} {', '.join(late)} {'are' if len(late) > 1 else 'is'} out of step")
    return [f"{_start(' and '.join(told))}: see the warnings; the result is better without, or once that is put right."]


def _limbs(quality: Quality) -> list[str]:
    long = [one for one in quality.limbs if one.mean_cm >= LONG_CM]
    after = [one.variation_percent for one in long if math.isfinite(one.variation_percent)]
    before = [one.raw_variation_percent for one in long if math.isfinite(one.raw_variation_percent)]
    if not after or quality.frames < 2:
        return []
    percent = float(np.median(after))
    # What the cameras saw is judged, not what filters and fixed lengths have made of it.
    raw = float(np.median(before)) if before else percent
    word = "steady" if raw <= STEADY_PERCENT else "fairly steady" if raw <= UNSTEADY_PERCENT else "NOT steady"
    text = f"Limb lengths are {word}: they vary by {raw:.1f} % (median over limbs of {LONG_CM:.0f} cm and more)"
    return [text + (f" as triangulated, by {percent:.1f} % in the end." if abs(raw - percent) >= 0.05 else ".")]


def _missing(quality: Quality) -> list[str]:
    nothing = (0.0,) * len(REASONS)
    shares = np.mean([one.missing_percent for one in quality.body if one.detected] or [nothing], axis=0)
    texts = []
    if shares.sum() >= 0.5:
        texts.append(f"joints are missing mostly because {WHY[REASONS[int(shares.argmax())]]}")
    never = [one.joint for one in quality.body if not one.detected]
    if never:
        texts.append(f"no camera ever detected {', '.join(never[:6])}{', ...' if len(never) > 6 else ''}")
    empty = quality.empty_frames
    if empty:
        texts.append(f"nobody is there in {empty} frame{'s' * (empty != 1)}")
    return [f"{_start('; '.join(texts))}."] if texts else []
