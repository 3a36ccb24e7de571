"""A session's summary as one self-contained HTML page and as plain text."""

import base64
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

from jinja2 import Environment, FunctionLoader, StrictUndefined

from triskel.errors import InputError
from triskel.files import write_text
from triskel.viewer.quality import REASONS, Quality
from triskel.viewer.quality_plots import Plot
from triskel.viewer.quality_text import MOST_NOBODY, number, quality_text, reasons_there, view_bins
from triskel.viewer.summary import JointFound, Summary
from triskel.viewer.verdict import SHORT, disagrees, is_late, verdict, why

TEMPLATE = "report.html.j2"
MEDIA_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}


def write_report(
    folder: str | Path,
    summary: Summary,
    *,
    title: str,
    quality: Quality | None = None,
    plots: Sequence[Plot] = (),
    pictures: Mapping[str, Path] | None = None,
    files: Sequence[Path] = (),
) -> Path:
    """Write `report.html` and `summary.txt` into a folder.

    Args:
        folder: where to; created when missing.
        summary: the numbers.
        title: the session's name.
        quality: of the people in 3D; its tables replace the summary's shorter ones.
        plots: pictures of the quality, embedded beside their tables.
        pictures: caption -> PNG or JPEG, embedded into the page, the first one large.
        files: results to link, inside `folder` (or elsewhere: then by absolute address).

    Returns:
        The page.

    Raises:
        InputError: a picture cannot be read.
    """
    folder = Path(folder)
    embedded = [(caption, _data_uri(path)) for caption, path in (pictures or {}).items()]
    html = render_html(
        summary,
        title=title,
        quality=quality,
        plots={plot.name: (plot.caption, _data_uri(plot.path)) for plot in plots},
        pictures=embedded,
        links=[_link(path, folder) for path in files],
    )
    write_text(folder / "report.html", html)
    write_text(folder / "summary.txt", summary_text(summary, title=title, quality=quality))
    return folder / "report.html"


def render_html(
    summary: Summary,
    *,
    title: str,
    quality: Quality | None = None,
    plots: Mapping[str, tuple[str, str]] | None = None,
    pictures: Sequence[tuple[str, str]] = (),
    links: Sequence[tuple[str, str]] = (),
) -> str:
    """Return the page. All text is escaped.

    Args:
        summary: the numbers.
        title: the session's name.
        quality: of the people in 3D.
        plots: name -> (caption, address).
        pictures: (caption, address).
        links: (text, address).
    """
    environment = Environment(
        loader=FunctionLoader(_template), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["number"] = number
    return environment.get_template(TEMPLATE).render(
        summary=summary,
        quality=quality,
        plots=plots or {},
        verdict=verdict(quality) if quality else [],
        reasons=[(k, SHORT[REASONS[k]]) for k in reasons_there(quality)] if quality else [],
        bins=view_bins(len(quality.cameras)) if quality else [],
        suspects=[one.camera for one in quality.cameras if disagrees(one, quality) or is_late(one)] if quality else [],
        nobody=[(one, why(one)) for one in quality.nobody[:MOST_NOBODY]] if quality else [],
        title=title,
        pictures=pictures,
        links=links,
        limb_table=limb_table(summary),
        body_joints=joints_of(summary, fine=False),
        fine_joints=joints_of(summary, fine=True),
        whole_body=_whole_body(summary),
    )


def joints_of(summary: Summary, *, fine: bool) -> list[JointFound]:
    """Return the rows of hands and face, or those of the body."""
    return [row for row in summary.joints if (row.part != "body") == fine]


def _whole_body(summary: Summary) -> bool:
    return any(row.part != "body" for row in summary.joints)


def limb_table(summary: Summary) -> list[tuple[str, list[tuple[float, float]]]]:
    """Return for each limb its (mean cm, variation %) of each person."""
    table: dict[str, list[tuple[float, float]]] = {}
    for row in summary.limbs:
        table.setdefault(row.limb, []).append((row.mean_cm, row.variation_percent))
    return list(table.items())


def _template(name: str) -> str:
    return resources.files("triskel.viewer").joinpath(name).read_text(encoding="utf-8")


def summary_text(summary: Summary, *, title: str, quality: Quality | None = None) -> str:
    """Return the same numbers as plain text."""
    people = ", ".join(map(str, summary.people)) or "none"
    lines = [
        title,
        "=" * len(title),
        f"frames          {summary.frames} at {number(summary.fps, 2)} fps, {number(summary.duration_s, 2)} s",
        f"people          {len(summary.people)} (ids {people})",
        f"joints found    {number(summary.found_percent)} %{' of the body' if _whole_body(summary) else ''}",
        *[f"warning         {warning}" for warning in summary.warnings],
    ]
    lines += _camera_lines(summary) if quality is None else ["", *quality_text(quality).splitlines()]
    if len(summary.parts) > 1:
        lines += ["", f"{'part':<20}{'frames %':>12}{'points %':>12}{'median px':>12}"]
        for part in summary.parts:
            values = (number(part.there_percent), number(part.found_percent), number(part.median_px, 2))
            lines.append(f"{part.part:<20}" + "".join(f"{value:>12}" for value in values))
    lines += _joint_and_limb_lines(summary) if quality is None else []
    lines += ["", f"{'stage':<20}{'seconds':>12}"]
    lines += [f"{stage:<20}{number(seconds, 2):>12}" for stage, seconds in summary.stage_seconds]
    return "\n".join(lines) + "\n"


def _camera_lines(summary: Summary) -> list[str]:
    lines = ["", f"{'camera':<20}{'median px':>12}{'p95 px':>12}{'points':>12}"]
    for camera in summary.cameras:
        cells = (number(camera.median_px, 2), number(camera.p95_px, 2), f"{camera.points:,}")
        lines.append(f"{camera.camera:<20}" + "".join(f"{cell:>12}" for cell in cells))
    return lines


def _joint_and_limb_lines(summary: Summary) -> list[str]:
    lines = ["", f"{'joint':<20}{'found %':>12}{'of it gaps %':>14}"]
    for joint in joints_of(summary, fine=False):
        lines.append(f"{joint.joint:<20}{number(joint.found_percent):>12}{number(joint.gap_percent):>14}")
    lines += ["", f"{'limb':<30}{'person':>8}{'mean cm':>12}{'variation %':>14}"]
    for limb in summary.limbs:
        cells_text = f"{number(limb.mean_cm):>12}{number(limb.variation_percent):>14}"
        lines.append(f"{limb.limb:<30}{limb.person:>8}{cells_text}")
    return lines


def _data_uri(path: Path) -> str:
    path = Path(path)
    if path.suffix.lower() not in MEDIA_TYPES:
        raise InputError(f"{path}: pictures of a report are {', '.join(MEDIA_TYPES)}")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: the report's picture cannot be read ({error.strerror}); render it again") from error
    return f"data:{MEDIA_TYPES[path.suffix.lower()]};base64,{base64.b64encode(data).decode()}"


def _link(path: Path, folder: Path) -> tuple[str, str]:
    """Return (text, address); relative inside the report's folder, so that the folder can be moved."""
    absolute, base = Path(path).resolve(), folder.resolve()
    if absolute.is_relative_to(base):
        from urllib.parse import quote

        relative = absolute.relative_to(base).as_posix()
        return relative, quote(relative)
    return absolute.name, absolute.as_uri()
