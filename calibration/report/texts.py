"""The report as JSON for programs and as plain text for people without a browser."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from triskel.calibration.report.advice import Advice, systematic_px
from triskel.calibration.report.from_people import error_rows, move_rows, people_json
from triskel.calibration.report.numbers import CalibrationNumbers, CameraNumbers
from triskel.calibration.report.verdict import Verdict
from triskel.calibration.report.volume import DETECTOR_PX, Slice

if TYPE_CHECKING:
    from triskel.calibration.people import PeopleCalibration

FORMAT = "triskel-calibration-report 1"


def report_json(numbers: CalibrationNumbers, verdict: Verdict, advice: list[Advice], *, title: str) -> dict[str, Any]:
    """Return the numbers for programs: plain dicts and lists, None for NaN.

    Keys: `format`, `title`, `verdict` (`grade` good, usable or poor; `headline`, `sentences`), `advice` (`code`,
    `cameras`, `text`), `findings` (`severity`, `camera`, `code`, `message`), `warnings`, `boards`, `rms_px`, `shots`,
    `cameras` (see below), `links` (`cameras`, `shots`, `carries`, `weak`), `held_out` (absolute errors in mm and % of
    the distance; `mean_mm` is signed; `board_percent` of the mean over each board; `lenses_held_out`: nor did the
    lenses know the boards), `volume` (`typical_mm`: standard error per axis of a point where the boards were, due to
    the calibration; `detector_mm` that due to `detector_px` alone; `slices` over heights, those that two
    cameras see) and `people` (`errors` before and after, `moves`, `bumped`, `drift`, `events`).

    A camera has `name`, `size_wh`, `views`, `corners`, `left_out`, `found_in` (images, of so many looked at), `rms_px`,
    `median_px`, `p95_px`, `bias_px` (mean of observed minus projected), `systematic_px`, `seen_share` and `coverage`
    (corners in each cell of the image, rows from the top), `centre_m`, `centre_sigma_mm`, `angle_sigma_deg` and `lens`
    (`views`, `left_out`, `rms_px`, `focal_px`, `sigma_px` of fx fy cx cy, `tilt_deg` least and most, `corner_sigma_px`
    in the worst corner of the image, `models`: held-out error of each, `warnings`).
    """
    held, volume = numbers.held_out, numbers.volume
    names = [c.name for c in numbers.cameras]
    return _plain(
        {
            "format": FORMAT,
            "title": title,
            "verdict": verdict._asdict(),
            "advice": [one._asdict() for one in advice],
            "findings": [one._asdict() for one in numbers.findings],
            "warnings": numbers.warnings,
            "boards": numbers.boards,
            "rms_px": numbers.rms_px,
            "shots": numbers.n_shots,
            "cameras": [_camera(c) for c in numbers.cameras],
            "links": [
                {
                    "cameras": [names[one.first], names[one.second]],
                    "shots": one.shots,
                    "carries": one.carries,
                    "weak": one.is_weak,
                }
                for one in numbers.links
            ],
            "held_out": None
            if held is None
            else {
                "distances": len(held.error_mm),
                "shots": held.n_shots,
                "median_mm": held.median_mm,
                "p95_mm": held.p95_mm,
                "mean_mm": held.mean_mm,
                "median_percent": held.median_percent,
                "p95_percent": held.p95_percent,
                "board_percent": held.board_percent,
                "board_p95_percent": held.board_p95_percent,
                "shape_mm": held.shape_mm,
                "lenses_held_out": held.lenses_held_out,
            },
            "volume": None
            if volume is None or numbers.plan is None
            else {
                "middle_m": numbers.plan.middle,
                "typical_mm": volume.typical_mm,
                "detector_px": DETECTOR_PX,
                "detector_mm": volume.detector_mm,
                "boards_between_m": [volume.board_low_m, volume.board_high_m],
                "slices": [_slice(one) for one in volume.slices],
            },
            "people": None if numbers.people is None else people_json(numbers.people),
        }
    )


def _camera(c: CameraNumbers) -> dict[str, Any]:
    return {
        "name": c.name,
        "size_wh": c.size_wh,
        "views": c.n_views,
        "corners": c.n_corners,
        "left_out": c.n_left_out,
        "found_in": [c.found, c.looked_at],
        "rms_px": c.rms_px,
        "median_px": c.median_px,
        "p95_px": c.p95_px,
        "bias_px": c.bias_px,
        "systematic_px": systematic_px(c),
        "seen_share": c.coverage.seen_share,
        "coverage": c.coverage.counts,
        "centre_m": c.centre_m,
        "centre_sigma_mm": c.centre_sigma_mm,
        "angle_sigma_deg": c.angle_sigma_deg,
        "lens": None
        if c.lens is None
        else {
            "views": c.lens.n_views,
            "left_out": c.lens.n_outliers,
            "rms_px": c.lens.rms_px,
            "focal_px": c.lens.focal_px,
            "sigma_px": c.lens.sigma_px,
            "tilt_deg": c.lens.tilt_deg,
            "corner_sigma_px": c.lens.corner_sigma_px,
            "models": [one._asdict() for one in c.lens.scores],
            "warnings": c.lens.warnings,
        },
    }


def _slice(one: Slice) -> dict[str, Any]:
    seen = one.sigma_mm[np.isfinite(one.sigma_mm)]
    median, p95 = (float(np.percentile(seen, p)) if len(seen) else math.nan for p in (50, 95))
    return {
        "height_m": one.height_m,
        "typical_mm": one.typical_mm,
        "median_mm": median,
        "p95_mm": p95,
        "seen_share": len(seen) / max(one.sigma_mm.size, 1),
    }


def report_text(numbers: CalibrationNumbers, verdict: Verdict, advice: list[Advice], *, title: str) -> str:
    """Return the report for a terminal: verdict, what to do, what the checks found, a table of the cameras."""
    lines = [title, "=" * len(title), verdict.headline, *verdict.sentences]
    lines += _block("What to do", [one.text for one in advice] or ["nothing that the recording shows"])
    lines += _block("Checks", [finding_line(one.severity, one.camera, one.message) for one in numbers.findings])
    lines += _block("Warnings", numbers.warnings)
    lines += _block("Boards", numbers.boards)
    if numbers.people:
        lines += _people_lines(numbers.people)
    if any(c.n_corners for c in numbers.cameras):
        lines += _camera_lines(numbers)
    held = numbers.held_out
    if held:
        lines += ["", f"held-out distances  median {number(held.median_mm)} mm, 95 % within {number(held.p95_mm)} mm"]
    return "\n".join(lines) + "\n"


def _camera_lines(numbers: CalibrationNumbers) -> list[str]:
    """Return a table of the cameras."""
    columns = ("views", "corners", "left out", "RMS px", "median px", "95 % px", "seen %", "place mm")
    lines = ["", f"{'camera':<20}" + "".join(f"{name:>11}" for name in columns)]
    for c in numbers.cameras:
        cells = (
            f"{c.n_views:,}", f"{c.n_corners:,}", f"{c.n_left_out:,}", number(c.rms_px), number(c.median_px),
            number(c.p95_px), number(100 * c.coverage.seen_share, 0), number(place_mm(c)),
        )  # fmt: skip
        lines.append(f"{c.name:<20}" + "".join(f"{cell:>11}" for cell in cells))
    return lines


def _people_lines(people: "PeopleCalibration") -> list[str]:
    """Return tables of the errors before and after, and of how far the cameras moved."""
    first = "joined" if people.from_nothing else "before"
    lines = ["", f"{'median px of people':<36}{first:>11}{'after':>11}"]
    for row in error_rows(people):
        lines.append(f"{row.label:<36}{number(row.before.median_px):>11}{number(row.after.median_px):>11}")
    if people.from_nothing:
        lines += ["", f"{'camera':<20}{'x m':>9}{'y m':>9}{'z m':>9}{'± mm':>9}{'± deg':>9}"]
        for move, _, _, centre_m in move_rows(people):
            place = "".join(f"{number(value, 3):>9}" for value in centre_m)
            lines.append(
                f"{move.camera:<20}{place}{number(move.moved_sigma_mm, 1):>9}{number(move.turned_sigma_deg):>9}"
            )
        return lines
    lines += ["", f"{'camera':<20}{'moved mm':>16}{'turned deg':>16}{'significance':>14}  verdict"]
    for move, _, _, _ in move_rows(people):
        moved = f"{number(move.moved_mm, 1)} ± {number(move.moved_sigma_mm, 1)}"
        turned = f"{number(move.turned_deg)} ± {number(move.turned_sigma_deg)}"
        lines.append(f"{move.camera:<20}{moved:>16}{turned:>16}{number(move.significance, 1):>14}  {move.verdict}")
    return lines


def _block(title: str, items: "list[str] | tuple[str, ...]") -> list[str]:
    return ["", title, *(f"- {item}" for item in items)] if items else []


def finding_line(severity: str, camera: str, message: str) -> str:
    """Return a finding in one line."""
    return f"{severity}: {f'{camera}: ' if camera else ''}{message}"


def place_mm(c: CameraNumbers) -> float:
    """Return the standard error of a camera's place, the three axes together, mm."""
    return float(np.sqrt(np.sum(c.centre_sigma_mm**2)))


def number(value: float, decimals: int = 2) -> str:
    """Return a number for readers; a dash where there is none."""
    return f"{value:,.{decimals}f}" if math.isfinite(value) else "–"  # noqa: RUF001 - a dash is meant


def _plain(value: Any) -> Any:  # noqa: ANN401 - any tree of numbers, strings and lists, and what JSON takes of it
    """Return a tree with arrays as lists and NaN as None."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float | np.floating):
        return round(float(value), 6) if math.isfinite(value) else None
    if isinstance(value, np.integer):
        return int(value)
    return value
