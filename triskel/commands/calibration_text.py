"""How calibrations are told on the command line: tables and lines, the numbers of the reports in short."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from triskel.commands.show import OUT, say, table

if TYPE_CHECKING:
    from triskel.calibration.checks import Finding
    from triskel.calibration.intrinsics import IntrinsicsResult
    from triskel.calibration.people import PeopleCalibration
    from triskel.calibration.world import Placed
    from triskel.pipeline.calibrating import BoardCalibration


def say_lenses(lenses: "Mapping[str, IntrinsicsResult]") -> None:
    """Print how each lens was found."""
    rows = table("camera", "lens", "focal px", "RMS px", "views", "held-out px")
    for name, found in lenses.items():
        chosen = next(score for score in found.models if score.chosen)
        focal = f"{found.camera.K[0, 0]:.1f} +- {found.sigma[0]:.1f}"
        rows.add_row(name, chosen.name, focal, f"{found.rms_px:.2f}", str(found.n_views), _px(chosen.held_out_px))
    OUT.print(rows)


def _px(value: float) -> str:
    """Return a number of pixels; one model alone is not compared, so nothing was held out."""
    return "-" if math.isnan(value) else f"{value:.2f}"


def say_rig(done: "BoardCalibration") -> None:
    """Print the rig in a table, what was measured on boards that were not used, and what the checks found."""
    result = done.calibration
    rows = table("camera", "views", "RMS px", "stands at (m)", "+- mm")
    for camera, sigma in zip(done.rig, result.uncertainty.centre_sigma_mm, strict=True):
        centre = "  ".join(f"{value:7.3f}" for value in camera.centre)
        rms = f"{result.camera_rms_px[camera.name]:.2f}"
        rows.add_row(camera.name, str(result.camera_views[camera.name]), rms, centre, f"{math.hypot(*sigma):.1f}")
    OUT.print(rows)
    if done.held_out is not None:
        say(
            f"on boards that were not used, neighbouring corners are off by {done.held_out.median_mm:.2f} mm (median, "
            f"{done.held_out.median_percent:.2f} % of the distance)"
        )
    say_findings(done.findings)


def say_findings(findings: "Sequence[Finding]") -> None:
    """Print what the checks found, a line each."""
    for finding in findings:
        say(f"{finding.severity}: {finding.camera or 'rig'}: {finding.message}")


def say_people(result: "PeopleCalibration") -> None:
    """Print how far the cameras moved, or where they were placed, and what the people say before and after."""
    if result.from_nothing:
        rows = table("camera", "stands at (m)", "+- mm", "+- deg")
        for camera, move in zip(result.rig, result.moves, strict=True):
            centre = "  ".join(f"{value:7.3f}" for value in camera.centre)
            rows.add_row(move.camera, centre, f"{move.moved_sigma_mm:.1f}", f"{move.turned_sigma_deg:.2f}")
        OUT.print(rows)
    else:
        _say_moves(result)
    for words, change in (("people used", result.used), ("people not used", result.held_out)):
        if change is not None and result.from_nothing:
            say(f"{words}: median reprojection error {change.after.median_px:.1f} px")
        elif change is not None:
            say(
                f"{words}: median reprojection error {change.before.median_px:.1f} -> {change.after.median_px:.1f} px "
                f"({change.median_change:+.0%})"
            )


def _say_moves(result: "PeopleCalibration") -> None:
    """Print how far each camera moved; one that saw nobody has no numbers."""
    rows = table("camera", "moved mm", "+-", "turned deg", "+-", "significance", "verdict")
    for move in result.moves:
        shown = (
            (move.moved_mm, 1),
            (move.moved_sigma_mm, 1),
            (move.turned_deg, 2),
            (move.turned_sigma_deg, 2),
            (move.significance, 1),
        )
        cells = ["-" if math.isnan(value) else f"{value:.{digits}f}" for value, digits in shown]
        rows.add_row(move.camera, *cells, move.verdict)
    OUT.print(rows)


def say_placed(placed: "Placed") -> None:
    """Print what a change of the world was based on."""
    for message in placed.messages:
        say(message)
    if not math.isnan(placed.residual_mm):
        say(f"left over from what this step fits: {placed.residual_mm:.1f} mm RMS")
    if placed.scale != 1:
        say(f"lengths were multiplied by {placed.scale:.5g}")
