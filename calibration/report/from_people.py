"""What a refinement from people says, as rows for tables and sentences."""

import math
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from triskel.calibration.people import CameraMove, ErrorSummary, PeopleCalibration


class ErrorRow(NamedTuple):
    """Reprojection errors of people before and after, px; `label` says of which views and joints."""

    label: str
    before: "ErrorSummary"
    after: "ErrorSummary"


class MoveRow(NamedTuple):
    """How far a camera went, its median errors, px (NaN where it saw nobody), and where it stands now, m."""

    move: "CameraMove"
    before_px: float
    after_px: float
    centre_m: tuple[float, float, float]


def error_rows(people: "PeopleCalibration") -> list[ErrorRow]:
    """Return the errors, those of frames that were not used last; rows without any view are left out."""
    rows = []
    for label, change in (("used", people.used), ("held out", people.held_out)):
        if change is not None:
            rows.append(ErrorRow(f"frames {label}, all cameras", change.before, change.after))
            rows.append(ErrorRow(f"frames {label}, others alone", change.left_out_before, change.left_out_after))
    return [row for row in rows if row.before.n]


def move_rows(people: "PeopleCalibration") -> list[MoveRow]:
    """Return a row for each camera. Errors come without the cameras that saw nobody."""
    seen = [move.camera for move in people.moves if move.verdict != "not seen"]
    before, after = people.used.before.camera_median_px, people.used.after.camera_median_px
    known = {}
    if len(seen) == len(before):
        known = {name: (float(b), float(a)) for name, b, a in zip(seen, before, after, strict=True)}
    rows = []
    for move in people.moves:
        x, y, z = people.rig[move.camera].centre.tolist()
        rows.append(MoveRow(move, *known.get(move.camera, (math.nan, math.nan)), (x, y, z)))
    return rows


def people_sentence(people: "PeopleCalibration") -> str:
    """Say in a line what the refinement has done."""
    change, where = (people.held_out, " in frames that were not used") if people.held_out else (people.used, "")
    if people.from_nothing:
        return (
            f"{len(people.moves)} cameras were placed by people; the median reprojection error of these is "
            f"{change.after.median_px:.1f} px{where}."
        )
    perhaps = ", ".join(row.camera for row in people.moves if row.verdict == "perhaps")
    named = any(row.verdict in ("moved", "bumped") for row in people.moves)
    if not change.median_change and not named:
        if perhaps:
            return f"The rig was left as it was: perhaps {perhaps} moved, but these people tell too little of it."
        return "No camera moved by more than chance since the rig was calibrated."
    px = f"from {change.before.median_px:.1f} to {change.after.median_px:.1f} px ({100 * change.median_change:+.0f} %)"
    doubt = "" if named else " Which camera moved cannot be said for certain."
    return f"The median reprojection error of people went {px}{where}.{doubt}"


def people_advice(people: "PeopleCalibration") -> list[tuple[str, tuple[str, ...], str]]:
    """Return (code, cameras, text) of what should be done about cameras that moved."""
    found: list[tuple[str, tuple[str, ...], str]] = []
    for row in people.moves:
        if row.verdict == "bumped":
            text = (
                f"{row.camera} was bumped: it stands {row.moved_mm:.0f} mm and {row.turned_deg:.1f} degrees from "
                "where it was "
                "calibrated; use the refined rig from that moment on, and fasten the camera"
            )
            found.append(("bumped", (row.camera,), text))
    perhaps = tuple(row.camera for row in people.moves if row.verdict == "perhaps")
    if perhaps:
        text = (
            f"{', '.join(perhaps)} may have moved, but these people tell too little to be sure: look at "
            f"{'it' if len(perhaps) == 1 else 'them'}, and record somebody who walks through the whole volume"
        )
        found.append(("perhaps-moved", perhaps, text))
    for name in dict.fromkeys(event.camera for event in people.events):
        at = next(event.time_s for event in people.events if event.camera == name)
        text = (
            f"{name} moved during the recording, at about {at:.1f} s: refine the parts before and after by themselves"
        )
        found.append(("moved-during", (name,), text))
    return found


def people_json(people: "PeopleCalibration") -> dict[str, Any]:
    """Return the refinement for programs; the keys are those of its types."""

    def summary(one: "ErrorSummary") -> dict[str, Any]:
        return {
            "views": one.n,
            "median_px": one.median_px,
            "mean_px": one.mean_px,
            "rms_px": one.rms_px,
            "p95_px": one.p95_px,
        }

    return {
        "frames": people.n_frames,
        "points": people.n_points,
        "people": people.n_people,
        "errors": [
            {"what": row.label, "before": summary(row.before), "after": summary(row.after)}
            for row in error_rows(people)
        ],
        "moves": [row._asdict() for row in people.moves],
        "bumped": people.bumped,
        "drift": [row._asdict() for row in people.drift],
        "events": [row._asdict() for row in people.events],
    }
