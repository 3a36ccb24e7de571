"""`triskel rig`: looking at calibrations, checking them, and from one tool's format to another's."""

import math
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperOption

from triskel.commands.show import OUT, say, table
from triskel.errors import InputError

app = typer.Typer(no_args_is_help=True, help="Look at a calibration, check it, convert it.")
RigArgument = Annotated[Path, typer.Argument(help="{titles}; told apart by content.")]


class KnowsFormats(TyperCommand):
    """A command in whose help {names}, {titles} and {units} are those of the known rig formats.

    They are put in when the help is shown: importing the calibration takes longer than starting any other command.
    """

    # Any, since typer brings a click of its own in some versions and takes the installed one in others.
    def format_help(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401
        """Fill in the names and show the help."""
        from triskel.calibration.formats import FORMATS, UNITS_M

        known = {
            "{names}": ", ".join(FORMATS),
            "{titles}": "; ".join(one.title for one in FORMATS.values()),
            "{units}": ", ".join(UNITS_M),
        }
        for parameter in self.params:
            if isinstance(parameter, TyperArgument | TyperOption) and parameter.help:
                for word, text in known.items():
                    parameter.help = parameter.help.replace(word, text)
        super().format_help(*arguments, **options)


@app.command("show", cls=KnowsFormats)
def show(
    rig: RigArgument,
    png: Annotated[Path | None, typer.Option(help="Also draw the rig into this file.")] = None,
    window: Annotated[bool, typer.Option("--window", help="Also show it in a window.")] = False,
    session: Annotated[Path | None, typer.Option(help="Draw the people of this session with it.")] = None,
) -> None:
    """Show each camera: size, focal length, field of view, where it stands; draw what they see together."""
    from triskel.calibration import describe_rig
    from triskel.pipeline import load_rig

    if png is not None and png.suffix.lower() != ".png":
        raise InputError(f"{png}: --png writes .png")
    if session is not None and png is None and not window:
        raise InputError(f"{session}: --session needs a picture to be drawn into; add --png FILE or --window")
    loaded = load_rig(rig)
    motion = None
    if session is not None:
        from triskel import Session

        motion = Session.open(session).motion()
    rows = table("camera", "size px", "focal px", "field of view", "stands at (m)", "looks at from", "lens")
    for row in describe_rig(loaded):
        centre = "  ".join(f"{value:7.3f}" for value in row.centre_m)
        rows.add_row(
            row.name,
            f"{row.size_wh[0]} x {row.size_wh[1]}",
            f"{row.focal_px:.1f}",
            f"{row.fov_deg:.1f} deg",
            centre,
            "-" if math.isnan(row.look_at_distance_m) else f"{row.look_at_distance_m:.2f} m",
            row.model,
        )
    OUT.print(rows)
    if png is not None:
        from triskel.viewer.rig_picture import write_rig_picture

        write_rig_picture(loaded, png, motion=motion)
        say(str(png))
    if window:
        from triskel.viewer import show as show_window
        from triskel.viewer.rig_picture import still_motion

        show_window(motion if motion is not None else still_motion(), loaded)


@app.command("check", cls=KnowsFormats)
def check(
    rig: RigArgument,
    session: Annotated[
        Path | None, typer.Argument(help="A recording whose people were detected: does the rig fit it?")
    ] = None,
) -> None:
    """Look for what is wrong with a calibration, by itself or against a recording.

    By itself: cameras under the floor, inside each other, impossible lenses. With a session also what its people show:
    cameras exchanged or moved, videos late or resized, a wrong scale. Ends with 1 where something is certainly wrong.
    """
    from triskel.pipeline import load_rig
    from triskel.pipeline.calibrating.rig_check import check_with_session, findings_of

    loaded = load_rig(rig)
    if session is None:
        findings = findings_of(loaded)
    else:
        checked = check_with_session(loaded, session)
        findings = checked.findings
        rows = table("camera", "joints", "rejected %", "median px", "p95 px", "offset x, y px")
        for row in checked.cameras:
            rows.add_row(
                row.camera,
                f"{row.points}",
                f"{row.rejected_percent:.1f}",
                f"{row.median_px:.2f}",
                f"{row.p95_px:.2f}",
                f"{row.bias_x_px:+.2f}  {row.bias_y_px:+.2f}",
            )
        OUT.print(rows)
    for finding in findings:
        say(f"{finding.severity}: {finding.camera or 'rig'}: {finding.message}")
    if not findings:
        say("nothing wrong was found" + (" (this does not measure accuracy)" if session is None else ""))
    if any(finding.severity == "error" for finding in findings):
        raise typer.Exit(1)


@app.command("convert", cls=KnowsFormats)
def convert(
    source: RigArgument,
    target: Annotated[Path, typer.Argument(help="File or folder to write.")],
    to: Annotated[str | None, typer.Option(help="{names}; by suffix if left out.")] = None,
    source_format: Annotated[
        str | None, typer.Option("--from", help="The source's format, where it looks like several.")
    ] = None,
    unit: Annotated[str, typer.Option(help="What the source's lengths are in: {units}.")] = "m",
) -> None:
    """Convert a calibration to another tool's format."""
    from triskel.calibration.formats import format_of_name, load_rig, write_rig

    name = to or format_of_name(target)
    write_rig(load_rig(source, format=source_format, unit=unit), target, format=name)
    say(str(target))
