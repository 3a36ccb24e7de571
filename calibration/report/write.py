"""A calibration's report on disk: one HTML page that carries its pictures, JSON, plain text, and the pictures."""

import base64
import io
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from jinja2 import Environment, FunctionLoader, StrictUndefined

from triskel.calibration.boards import Board
from triskel.calibration.checks import Finding
from triskel.calibration.intrinsics import IntrinsicsResult
from triskel.calibration.report.advice import MINOR, Advice, advise, systematic_px
from triskel.calibration.report.from_people import error_rows, move_rows
from triskel.calibration.report.image_plots import FEWEST, draw_coverage, draw_residuals
from triskel.calibration.report.links import FEW_SHARED
from triskel.calibration.report.look import PAPER
from triskel.calibration.report.numbers import CalibrationNumbers, gather_numbers
from triskel.calibration.report.people_plots import draw_people
from triskel.calibration.report.rig_plots import draw_held_out, draw_links, draw_volume
from triskel.calibration.report.texts import number, place_mm, report_json, report_text
from triskel.calibration.report.verdict import Verdict, judge
from triskel.calibration.report.volume import DETECTOR_PX
from triskel.errors import InputError
from triskel.files import atomic_path, write_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from triskel.calibration.footage import BoardFootage
    from triskel.calibration.people import PeopleCalibration
    from triskel.calibration.rig import HeldOut, RigCalibration

TEMPLATE = "page.html.j2"
PLOTS = ("coverage", "residuals", "links", "volume", "held_out", "people")


class Plot(NamedTuple):
    """A picture of the report: its PNG file's bytes, and what it shows."""

    png: bytes
    caption: str


def write_calibration_report(
    folder: str | Path,
    *,
    intrinsics: Mapping[str, IntrinsicsResult] | None = None,
    calibration: "RigCalibration | None" = None,
    held_out: "HeldOut | None" = None,
    boards: Sequence[Board] = (),
    findings: Sequence[Finding] = (),
    people: "PeopleCalibration | None" = None,
    footage: "BoardFootage | None" = None,
    title: str = "Calibration",
) -> Path:
    """Write `report.html`, `report.json`, `summary.txt` and the pictures as PNG into a folder.

    Every part is optional, and what is missing is left out; it needs intrinsics, a rig, or a refinement from people.

    Args:
        folder: where to; created when missing.
        intrinsics: what was found for each lens, by camera name.
        calibration: the rig.
        held_out: errors on boards that were not used.
        boards: the boards, described in the report.
        findings: of the checks.
        people: a refinement from people.
        footage: what the calibration was made from; says in how many images the board was found.
        title: heading of the page.

    Returns:
        The page.

    Raises:
        InputError: there is nothing to report.
    """
    if not intrinsics and calibration is None and people is None:
        raise InputError("a calibration report needs intrinsics, a rig or a refinement from people, and got none")
    folder = Path(folder)
    numbers = gather_numbers(
        intrinsics=intrinsics, calibration=calibration, held_out=held_out, boards=boards, findings=findings,
        people=people, footage=footage,
    )  # fmt: skip
    advice = advise(numbers)
    verdict = judge(numbers, advice)
    plots = draw_plots(numbers)
    for name in PLOTS:
        path = folder / f"{name}.png"
        if name in plots:
            with atomic_path(path) as temporary:
                temporary.write_bytes(plots[name].png)
        else:
            path.unlink(missing_ok=True)  # an older report's picture would be taken for this one's
    as_json = report_json(numbers, verdict, advice, title=title)
    write_text(folder / "report.json", json.dumps(as_json, ensure_ascii=False, indent=1, allow_nan=False) + "\n")
    write_text(folder / "summary.txt", report_text(numbers, verdict, advice, title=title))
    write_text(folder / "report.html", render_html(numbers, verdict, advice, plots=plots, title=title))
    return folder / "report.html"


def render_html(
    numbers: CalibrationNumbers, verdict: Verdict, advice: list[Advice], *, plots: Mapping[str, Plot], title: str
) -> str:
    """Return the page. All text is escaped."""
    environment = Environment(
        loader=FunctionLoader(_template), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["number"] = number
    worst = max([c.p95_px for c in numbers.cameras if c.n_corners], default=1.0) or 1.0
    return environment.get_template(TEMPLATE).render(
        title=title,
        numbers=numbers,
        verdict=verdict,
        advice=advice,
        suspects={name for one in advice if one.code not in MINOR for name in one.cameras},
        plots={name: (plot.caption, _data_uri(plot.png)) for name, plot in plots.items()},
        people_rows=error_rows(numbers.people) if numbers.people else [],
        people_moves=move_rows(numbers.people) if numbers.people else [],
        models=lens_models(numbers),
        place_mm=place_mm,
        systematic_px=systematic_px,
        longest_px=worst,
        looked=any(c.looked_at for c in numbers.cameras),
        detector_px=DETECTOR_PX,
    )


def draw_plots(numbers: CalibrationNumbers) -> dict[str, Plot]:
    """Draw the pictures for which there are numbers."""
    plots = {}
    if any(c.n_corners for c in numbers.cameras):
        lens = any(c.lens for c in numbers.cameras)
        what = "the views that the lens was calibrated from" if lens else "the rig's shots"
        plots["coverage"] = Plot(
            png_of(draw_coverage(numbers.cameras)),
            f"Corners of the board in {what}, by part of the image; the darker the more, and pink where none was "
            "ever seen.",
        )
        figure, factor = draw_residuals(numbers.cameras)
        plots["residuals"] = Plot(
            png_of(figure),
            f"Mean of observed minus projected over the corners in each part of the image, arrows {factor:,.4g} "
            "times as long "
            f"as they are (parts with {FEWEST} corners or more); dark where it is more than chance.",
        )
    if numbers.plan and len(numbers.cameras) > 1 and numbers.links:
        plots["links"] = Plot(
            png_of(draw_links(numbers, numbers.plan)),
            "Left: the wider a line, the more shots two cameras share; the rig hangs on the dark blue lines, and "
            "red dashes "
            f"are those of them with fewer than {FEW_SHARED} shots; + is the middle of the volume. Right: how far "
            "off each "
            "camera may stand, along the axes of the world.",
        )
    if numbers.plan and numbers.volume:
        plots["volume"] = Plot(
            png_of(draw_volume(numbers, numbers.plan)),
            "Standard error of a 3D point due to the calibration alone, mm (per axis, RMS of the three), seen from "
            "above; "
            "dots are cameras. Left out: what fewer than two cameras see, and what lies behind them where they "
            "stand all around.",
        )
    if numbers.plan and numbers.people:
        figure, factor = draw_people(numbers, numbers.people, numbers.plan)
        scale = f", both drawn {factor:,.3g} times as large as they are" if factor else ""
        plots["people"] = Plot(
            png_of(figure),
            "Left: where the cameras stood (dots), which way they look (grey), how far they went (arrows) and one "
            f"standard error of that (circles){scale}; red moved, orange perhaps; what goes up or "
            "down does not show. Right: errors of joints.",
        )
    if numbers.held_out:
        plots["held_out"] = Plot(
            png_of(draw_held_out(numbers.held_out)),
            "Distances between neighbouring corners of boards that the calibration was not made from, triangulated.",
        )
    return plots


def lens_models(numbers: CalibrationNumbers) -> list[str]:
    """Return the names of all lens models that were tried for any camera, in the order of trial."""
    return list(dict.fromkeys(one.model for c in numbers.cameras if c.lens for one in c.lens.scores))


def _template(name: str) -> str:
    return resources.files("triskel.calibration.report").joinpath(name).read_text(encoding="utf-8")


def png_of(figure: "Figure") -> bytes:
    """Return a picture as the bytes of a PNG file."""
    out = io.BytesIO()
    # Without the writer's version, the same numbers make the same file.
    figure.savefig(out, format="png", facecolor=PAPER, metadata={"Software": None})
    return out.getvalue()


def _data_uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
