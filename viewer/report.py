"""A session's summary as one self-contained HTML page and as plain text."""

import base64
import math
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from triskel.errors import InputError
from triskel.files import write_text
from triskel.viewer.summary import JointFound, Summary

TEMPLATE = "report.html.j2"
MEDIA_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}


def write_report(
    folder: str | Path,
    summary: Summary,
    *,
    title: str,
    pictures: Mapping[str, Path] | None = None,
    files: Sequence[Path] = (),
) -> Path:
    """Write `report.html` and `summary.txt` into a folder.

    Args:
        folder: where to; created when missing.
        summary: the numbers.
        title: the session's name.
        pictures: caption -> PNG or JPEG, embedded into the page, the first one large.
        files: results to link, inside `folder` (or elsewhere: then by absolute address).

    Returns:
        The page.

    Raises:
        InputError: a picture cannot be read.
    """
    folder = Path(folder)
    embedded = [(caption, _data_uri(path)) for caption, path in (pictures or {}).items()]
    html = render_html(summary, title=title, pictures=embedded, links=[_link(path, folder) for path in files])
    write_text(folder / "report.html", html)
    write_text(folder / "summary.txt", summary_text(summary, title=title))
    return folder / "report.html"


def render_html(
    summary: Summary,
    *,
    title: str,
    pictures: Sequence[tuple[str, str]] = (),
    links: Sequence[tuple[str, str]] = (),
) -> str:
    """Return the page; `pictures` are (caption, address), `links` (text, address). All text is escaped."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["number"] = number
    source = resources.files("triskel.viewer").joinpath(TEMPLATE).read_text(encoding="utf-8")
    return environment.from_string(source).render(
        summary=summary,
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


def number(value: float, decimals: int = 1) -> str:
    """Return a number for readers; a dash where there is none."""
    return f"{value:,.{decimals}f}" if math.isfinite(value) else "–"  # noqa: RUF001 - a dash is meant


def summary_text(summary: Summary, *, title: str) -> str:
    """Return the same numbers as plain text."""
    people = ", ".join(map(str, summary.people)) or "none"
    lines = [
        title,
        "=" * len(title),
        f"frames          {summary.frames} at {number(summary.fps, 2)} fps, {number(summary.duration_s, 2)} s",
        f"people          {len(summary.people)} (ids {people})",
        f"joints found    {number(summary.found_percent)} %{' of the body' if _whole_body(summary) else ''}",
        *[f"warning         {warning}" for warning in summary.warnings],
        "",
        f"{'camera':<20}{'median px':>12}{'p95 px':>12}{'points':>12}",
    ]
    for camera in summary.cameras:
        cells = (number(camera.median_px, 2), number(camera.p95_px, 2), f"{camera.points:,}")
        lines.append(f"{camera.camera:<20}" + "".join(f"{cell:>12}" for cell in cells))
    if len(summary.parts) > 1:
        lines += ["", f"{'part':<20}{'frames %':>12}{'points %':>12}{'median px':>12}"]
        for part in summary.parts:
            values = (number(part.there_percent), number(part.found_percent), number(part.median_px, 2))
            lines.append(f"{part.part:<20}" + "".join(f"{value:>12}" for value in values))
    lines += ["", f"{'joint':<20}{'found %':>12}{'of it gaps %':>14}"]
    for joint in joints_of(summary, fine=False):
        lines.append(f"{joint.joint:<20}{number(joint.found_percent):>12}{number(joint.gap_percent):>14}")
    lines += ["", f"{'limb':<30}{'person':>8}{'mean cm':>12}{'variation %':>14}"]
    for limb in summary.limbs:
        cells_text = f"{number(limb.mean_cm):>12}{number(limb.variation_percent):>14}"
        lines.append(f"{limb.limb:<30}{limb.person:>8}{cells_text}")
    lines += ["", f"{'stage':<20}{'seconds':>12}"]
    lines += [f"{stage:<20}{number(seconds, 2):>12}" for stage, seconds in summary.stage_seconds]
    return "\n".join(lines) + "\n"


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
