"""What a calibration is good for, in a few sentences."""

import math
import re
from typing import Literal, NamedTuple

import numpy as np

from triskel.calibration.report.advice import MINOR, Advice
from triskel.calibration.report.from_people import people_sentence
from triskel.calibration.report.image_cells import joined
from triskel.calibration.report.numbers import CalibrationNumbers
from triskel.calibration.report.volume import DETECTOR_PX

Grade = Literal["good", "usable", "poor"]

NEGLIGIBLE = 1 / 3
"""An error of a third of another's adds 5 % to the two together: it does not limit anything."""

GOOD_PERCENT, USABLE_PERCENT = 0.5, 2.0
"""Error of distances that were not used, the mean over each board, % of the distance: as boards are printed, and as
joints are found."""

GOOD_PX, USABLE_PX = 0.7, 2.0
"""RMS reprojection error of board corners."""

CARE_PERCENT, POOR_PERCENT = 1.0, 3.0
"""Standard error of a camera's place, % of its distance from the boards, or of its focal length, above which a
calibration is to be used with care, and not at all: lengths away from the boards err by as much."""

_SIZE = re.compile(r" of (\d+(?:\.\d+)? mm)")
"""The size of squares, or of the markers of a grid, in a board's own line."""


class Verdict(NamedTuple):
    """A grade, what it means in a line, and the sentences that give the reasons."""

    grade: Grade
    headline: str
    sentences: tuple[str, ...]


HEADLINES: dict[Grade, str] = {
    "good": "Good: use it.",
    "usable": "Usable, and it can be better: see what to do.",
    "poor": "Poor: do not measure with it before you have seen to what is said below.",
}

WITH_CARE = "Usable with care: the cameras are known less well than points near the boards; see below."


class Weakness(NamedTuple):
    """What is known least well: a camera's place, or its focal length.

    Attributes:
        percent: standard error, % of the camera's distance from the boards or of its focal length.
        what: the words for it.
    """

    percent: float
    what: str


def judge(numbers: CalibrationNumbers, advice: list[Advice]) -> Verdict:
    """Return the verdict. It is as bad as the worst of: the checks, distances, volume, cameras and fit."""
    serious = [one for one in advice if one.code not in MINOR]
    grades: list[Grade] = ["usable" if serious or numbers.warnings else "good"]
    sentences: list[str] = []
    errors = [one for one in numbers.findings if one.severity == "error"]
    if errors:
        grades.append("poor")
        sentences.append(f"{len(errors)} of the checks failed: the results cannot be right before that is resolved.")
    elif any(one.code != "no-floor" for one in numbers.findings):  # without a floor, distances are no worse
        grades.append("usable")
    if numbers.people:
        sentences.append(people_sentence(numbers.people))
    weakness = weakest(numbers)
    others = [_cameras(weakness), _held_out(numbers), _fit(numbers), _lenses(numbers)]
    fits = all(grade != "poor" for grade, _ in others[1:])
    for grade, sentence in (_volume(numbers, fits=fits, weak=bool(weakness)), *others):
        grades.append(grade)
        sentences += [sentence] if sentence else []
    sentences += _scale(numbers)
    grade = max(grades, key=("good", "usable", "poor").index)
    if weakness and grade == "usable":
        return Verdict(grade, WITH_CARE, tuple(sentences))
    better = " It can be better still: see what to do." if grade == "good" and advice else ""
    return Verdict(grade, HEADLINES[grade] + better, tuple(sentences))


def weakest(numbers: CalibrationNumbers) -> Weakness | None:
    """Return the camera's place or focal length that is known least well; None where all are known to 1 %.

    Points among the boards come out right with cameras that do not: those stand too far away by as much as their
    lenses are too long, and only elsewhere does it show.
    """
    found = []
    for c in numbers.cameras:
        if numbers.plan is not None and numbers.n_shots:
            away_mm = 1000 * float(np.linalg.norm(c.centre_m - numbers.plan.middle))
            sigma_mm = float(np.linalg.norm(c.centre_sigma_mm))
            what = f"where {c.name} stands is known to {mm(sigma_mm)}, {{:.1f}} % of its distance from the boards"
            found.append(Weakness(100 * sigma_mm / max(away_mm, 1e-9), what))
        if numbers.has_rig and c.lens:
            percent = 100 * float(np.fmax(*c.lens.sigma_px[:2])) / c.lens.focal_px[0]
            found.append(Weakness(percent, f"the focal length of {c.name} is known to {{:.1f}} %"))
    found = [one for one in found if one.percent > CARE_PERCENT]  # NaN is not
    if not found:
        return None
    worst = max(found, key=lambda one: one.percent)
    return Weakness(worst.percent, worst.what.format(worst.percent))


def _cameras(weakness: Weakness | None) -> tuple[Grade, str]:
    """Say what is known least well, and what that means."""
    if weakness is None:
        return "good", ""
    grade: Grade = "usable" if weakness.percent <= POOR_PERCENT else "poor"
    return grade, (
        f"{weakness.what[0].upper()}{weakness.what[1:]} (one standard error): the absolute size and place of things "
        "far from where the boards were are as uncertain, however well points among the boards come out."
    )


def _scale(numbers: CalibrationNumbers) -> list[str]:
    """Say what all lengths rest on; nothing that was measured here can tell whether it is right."""
    if not (numbers.has_rig and numbers.boards and numbers.n_shots):
        return []
    sizes = [_SIZE.search(board) for board in numbers.boards]
    named = list(dict.fromkeys(size[1] for size in sizes if size))
    given = f" ({joined(named)})" if named else ""
    what = "squares or markers" if any("grid of" in board for board in numbers.boards) else "squares"
    return [
        f"All lengths are as good as the size given for the board's {what}{given}: 1 % wrong there is 1 % wrong "
        "everywhere. Measure it over many of them."
    ]


def _volume(numbers: CalibrationNumbers, *, fits: bool, weak: bool) -> tuple[Grade, str]:
    """Compare what the calibration is worth where the boards were with what the detector is.

    The calibration's own uncertainty knows of noise only; where corners do not fit, nobody should believe it.
    """
    volume = numbers.volume
    if volume is None or not (math.isfinite(volume.typical_mm) and math.isfinite(volume.detector_mm)):
        return "good", ""
    share = volume.typical_mm / max(volume.detector_mm, 1e-9)
    grade: Grade = "good" if share <= NEGLIGIBLE else "usable" if share <= 1 else "poor"
    limits = {
        "good": "calibration is not what limits you",
        "usable": "the calibration adds to the error of your results",
        "poor": "the calibration is what limits you",
    }[grade]
    if weak:
        limits = "that holds there, and not for the cameras (see below)"
    if not fits:
        limits = "but the board does not fit well enough for noise to be all that is wrong"
    return grade, (
        f"Points in the volume where the board was are uncertain by {mm(volume.typical_mm)} because of the "
        "calibration; "
        f"detector noise of {DETECTOR_PX:.0f} px, as with body joints, is worth {mm(volume.detector_mm)} there: "
        f"{limits}."
    )


def _held_out(numbers: CalibrationNumbers) -> tuple[Grade, str]:
    """Say how well known distances come out."""
    held = numbers.held_out
    if held is None:
        return "good", ""
    grade: Grade = (
        "good" if held.board_percent <= GOOD_PERCENT else "usable" if held.board_percent <= USABLE_PERCENT else "poor"
    )
    known = "" if held.lenses_held_out else " for the poses"
    return grade, (
        f"Distances between neighbouring corners of boards that were not used{known} come out right to "
        f"{mm(held.median_mm)} "
        f"(median; 95 % of them to {mm(held.p95_mm)}), the noise of the corners included; on average over a board, to "
        f"{held.board_percent:.2g} %."
    )


def _fit(numbers: CalibrationNumbers) -> tuple[Grade, str]:
    """Say how well the corners are explained, and which camera is worst."""
    if not math.isfinite(numbers.rms_px):
        return "good", ""
    grade: Grade = "good" if numbers.rms_px <= GOOD_PX else "usable" if numbers.rms_px <= USABLE_PX else "poor"
    known = [c for c in numbers.cameras if math.isfinite(c.rms_px)]
    worst = max(known, key=lambda c: c.rms_px)
    tail = f", the worst camera ({worst.name}) {worst.rms_px:.2f} px" if len(known) > 1 else ""
    return grade, f"Corners of the board are off by {numbers.rms_px:.2f} px (RMS){tail}."


def _lenses(numbers: CalibrationNumbers) -> tuple[Grade, str]:
    """Say how well focal lengths are known; only where there is no rig to judge by."""
    if numbers.has_rig:
        return "good", ""
    percent = [100 * float(np.fmax(*c.lens.sigma_px[:2])) / c.lens.focal_px[0] for c in numbers.cameras if c.lens]
    percent = [one for one in percent if math.isfinite(one)]
    if not percent:
        return "good", ""
    worst = max(percent)
    grade: Grade = "good" if worst <= 0.5 else "usable" if worst <= 2 else "poor"
    names = joined([c.name for c in numbers.cameras if c.lens])
    return grade, (
        f"Focal lengths of {names} are known to {worst:.2g} %: at 4 m that is a depth of {40 * worst:.2g} mm. These "
        "are "
        "lenses only; where the cameras stand has yet to be calibrated."
    )


def mm(value: float) -> str:
    """Return a length in mm with two significant digits, such as 0.42 mm or 13 mm."""
    if not math.isfinite(value):
        return "an unknown length"
    return f"{value:.0f} mm" if value >= 9.95 else f"{value:.1f} mm" if value >= 0.995 else f"{value:.2f} mm"
