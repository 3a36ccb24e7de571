"""`triskel rig`: looking at calibrations, and from one tool's format to another's."""

from pathlib import Path
from typing import Annotated

import typer

from triskel.commands.show import OUT, say, table
from triskel.errors import InputError

app = typer.Typer(no_args_is_help=True, help="Look at a calibration, check it, convert it.")
RigArgument = Annotated[Path, typer.Argument(help="Native YAML, Qualisys, OpenPose, Pose2Sim/anipose TOML, EasyMocap.")]
FORMAT_OF_SUFFIX = {".yaml": "native", ".yml": "native", ".toml": "toml", ".txt": "qualisys", ".qca": "qualisys"}


@app.command("show")
def show(rig: RigArgument) -> None:
    """Show each camera: size, focal length, field of view, where it stands."""
    from triskel.calibration import describe_rig
    from triskel.pipeline import load_rig

    rows = table("camera", "size px", "focal px", "field of view", "stands at (m)", "looks at from", "lens")
    for row in describe_rig(load_rig(rig)):
        centre = "  ".join(f"{value:7.3f}" for value in row.centre_m)
        rows.add_row(
            row.name,
            f"{row.size_wh[0]} x {row.size_wh[1]}",
            f"{row.focal_px:.1f}",
            f"{row.fov_deg:.1f} deg",
            centre,
            f"{row.look_at_distance_m:.2f} m",
            row.model,
        )
    OUT.print(rows)


@app.command("check")
def check(rig: RigArgument) -> None:
    """Look for what is wrong with a calibration: cameras under the floor, inside each other, impossible lenses."""
    from triskel.calibration import check_rig
    from triskel.pipeline import load_rig

    findings = check_rig(load_rig(rig))
    for finding in findings:
        say(f"{finding.severity}: {finding.camera or 'rig'}: {finding.message}")
    if not findings:
        say("nothing wrong was found (this does not measure accuracy)")
    if any(finding.severity == "error" for finding in findings):
        raise typer.Exit(1)


@app.command("convert")
def convert(
    source: RigArgument,
    target: Annotated[Path, typer.Argument(help="File or folder to write.")],
    to: Annotated[
        str | None, typer.Option(help="native, qualisys, openpose, toml, easymocap; by suffix if left out.")
    ] = None,
) -> None:
    """Convert a calibration to another tool's format."""
    from triskel.calibration import write_rig
    from triskel.pipeline import load_rig

    name = to or FORMAT_OF_SUFFIX.get(target.suffix.lower())
    if name is None:
        raise InputError(f"{target}: its suffix does not say the format; give it with --to")
    write_rig(load_rig(source), target, format=name)
    say(str(target))
