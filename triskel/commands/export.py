"""`triskel export`: a session's results for other software."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from triskel.commands.show import say
from triskel.errors import InputError

if TYPE_CHECKING:
    from triskel.exchange import ExportOptions
    from triskel.exchange.options import Unit
    from triskel.whole_body import Part

PART_OPTIONS: dict[str, tuple["Part", ...]] = {
    "body": ("body",),
    "hands": ("left_hand", "right_hand"),
    "face": ("face",),
}
"""What `--parts` may say, and which parts it means."""


def export(
    session: Annotated[Path, typer.Argument(help="The session's folder.")],
    format_: Annotated[
        str, typer.Option("--format", help="openpose, csv, csv-tidy, parquet, trc, c3d, bvh, npz; see docs/formats.md.")
    ],
    out: Annotated[Path, typer.Option(help="File to write; a folder for openpose, trc and bvh.")],
    *,
    units: Annotated[
        str | None, typer.Option(help="mm, cm or m; mm for c3d, cm for bvh and m for the others by default.")
    ] = None,
    y_up: Annotated[
        bool | None,
        typer.Option("--y-up/--z-up", help="The axis that points up; y for trc and bvh, else z, by default."),
    ] = None,
    people: Annotated[str | None, typer.Option(help="Ids of the people wanted, as 0,2; all by default.")] = None,
    parts: Annotated[
        str | None,
        typer.Option(help="Some of body (with feet),hands,face; by default what was found, and the body."),
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Before filters, filled gaps and fixed limbs.")] = False,
) -> None:
    """Write a session's results for other software."""
    from triskel import Session
    from triskel.exchange import EXPORTERS, left_out
    from triskel.exchange import export as write
    from triskel.session import KEYPOINTS_2D_FILE, RIG_FILE

    options = export_options(units=units, y_up=y_up, people=people, parts=parts)
    opened = Session.open(session)
    _spare_the_session(opened.path, out)
    motion = opened.raw_motion() if raw else opened.motion()
    detections = rig = None
    if format_ in ("openpose", "npz"):  # the others hold nothing of them
        detections = opened.detections() if (opened.path / KEYPOINTS_2D_FILE).exists() else None
        rig = opened.rig().select(opened.cameras) if (opened.path / RIG_FILE).exists() else None
    write(motion, detections, format=format_, out=out, rig=rig, options=options)
    empty = left_out(motion, options) if EXPORTERS[format_].drops_empty else ()
    if empty:
        say(f"never found, so left out: {', '.join(part.replace('_', ' ') for part in empty)}")
    say(str(out))


def _spare_the_session(session: Path, out: Path) -> None:
    """Refuse to put an export where the session has files of its own, which nothing could bring back.

    Raises:
        InputError: `out` is such a place.
    """
    from triskel.session import SESSION_FILES, VIDEOS

    place, home = out.resolve(), session.resolve()
    if place in (home, *(home / name for name in SESSION_FILES)) or home / VIDEOS in (place, *place.parents):
        raise InputError(f"{out}: belongs to the session itself; choose another name with --out")


def export_options(*, units: str | None, y_up: bool | None, people: str | None, parts: str | None) -> "ExportOptions":
    """Build the options of an export from those of the command line.

    Raises:
        InputError: one of them names what does not exist.
    """
    from triskel.exchange import ExportOptions

    wanted = None
    if people is not None:
        try:
            wanted = tuple(int(one) for one in people.split(","))
        except ValueError as error:
            raise InputError(f"--people is ids with commas between them, as 0,2, got {people!r}") from error
    chosen: tuple[Part, ...] | None = None
    if parts is not None:
        names = [one.strip() for one in parts.split(",")]
        if unknown := [one for one in names if one not in PART_OPTIONS]:
            raise InputError(f"--parts is some of {', '.join(PART_OPTIONS)}, got {unknown[0]!r}")
        chosen = tuple(dict.fromkeys(part for name in names for part in PART_OPTIONS[name]))
    return ExportOptions(units=cast("Unit | None", units), y_up=y_up, people=wanted, parts=chosen)
