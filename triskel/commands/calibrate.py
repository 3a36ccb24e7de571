"""`triskel calibrate`: lenses and rigs from boards, where the world is, and rigs from people."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from triskel.commands.calibration_text import say_findings, say_lenses, say_people, say_placed, say_rig
from triskel.commands.show import collected_warnings, progress_bars, say
from triskel.errors import InputError, JobError
from triskel.files import check_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from triskel.calibration.boards import Board
    from triskel.calibration.checks import Finding
    from triskel.calibration.intrinsics import Choice
    from triskel.camera import Rig

app = typer.Typer(
    no_args_is_help=True,
    help="Calibrate: lenses and rigs from a board, where the floor is, and rigs from people who walk.\n\n"
    "The usual way: print a board ('triskel board make'), film it with all cameras, 'triskel calibrate rig'.",
)

FootageArgument = Annotated[
    Path,
    typer.Argument(
        help="Videos <camera>.mp4, folders of pictures <camera>/*.jpg, a session, or boards.parquet of an earlier run."
    ),
]
BoardOption = Annotated[
    Path | None,
    typer.Option(
        "--board",
        help="The board's YAML, as 'triskel board make' writes it. boards.parquet knows its "
        "boards; give one to put their sizes right.",
    ),
]
OutOption = Annotated[Path, typer.Option("--out", help="Folder for the calibration and its report.")]
ModelOption = Annotated[
    str,
    typer.Option(
        "--model",
        help="Lens: auto (chosen by errors on views left out), fisheye, pinhole, or that with so many "
        "coefficients: pinhole0, pinhole1, pinhole4, pinhole5, pinhole8.",
    ),
]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Take what the recording cannot carry, and write a rig that failed a check.")
]
CamerasOption = Annotated[str | None, typer.Option("--cameras", help="Only these, as cam01,cam02; all by default.")]
MODELS: "tuple[Choice, ...]" = (
    "auto",
    "pinhole0",
    "pinhole1",
    "pinhole4",
    "pinhole5",
    "pinhole8",
    "pinhole",
    "fisheye",
)


@app.command("intrinsics")
def intrinsics(
    footage: FootageArgument,
    *,
    board: BoardOption = None,
    cameras: CamerasOption = None,
    out: OutOption = Path("calibration"),
    model: ModelOption = "auto",
    force: ForceOption = False,
) -> None:
    """Calibrate each camera's lens: show it the board close up, tilted, and in every corner of the image."""
    from triskel.pipeline import calibrating

    choice = _model(model)
    check_folder(out)
    with collected_warnings(), progress_bars() as progress:
        seen = calibrating.open_footage(footage, _boards(board), cameras=_names(cameras), progress=progress)
        calibrating.keep_footage(out, seen)
        lenses = calibrating.lenses_from_boards(seen, model=choice, force=force, progress=progress)
        calibrating.say_warnings(lenses)
        page, file = calibrating.write_lenses(out, seen, lenses)
    say_lenses(lenses)
    say(f"lenses: {file}")
    say(f"report: {page}")


@app.command("rig")
def rig(
    footage: FootageArgument,
    *,
    board: BoardOption = None,
    cameras: CamerasOption = None,
    intrinsics: Annotated[
        Path | None,
        typer.Option(
            "--intrinsics",
            help="Known lenses: a rig file in any format. Or close-ups of the board to find them from, as FOOTAGE. "
            "Without it they come from FOOTAGE itself.",
        ),
    ] = None,
    out: OutOption = Path("calibration"),
    model: ModelOption = "auto",
    refine_intrinsics: Annotated[
        bool | None,
        typer.Option(
            "--refine-intrinsics/--keep-intrinsics",
            help="Adjust the lenses together with the poses; by default those that were not given.",
        ),
    ] = None,
    floor: Annotated[
        int | None, typer.Option("--floor", help="Number of a frame, from 0, in which the board lies on the floor.")
    ] = None,
    origin: Annotated[
        str, typer.Option(help="With --floor: the world's origin at the board's corner or middle.")
    ] = "corner",
    still: Annotated[
        bool, typer.Option("--still-board", help="The boards stand still throughout: average over the frames.")
    ] = False,
    synchronise: Annotated[
        bool,
        typer.Option("--synchronise/--no-synchronise", help="Put cameras in step that are late; else only name them."),
    ] = True,
    distance: Annotated[
        list[str] | None,
        typer.Option(help="A measured distance between two lenses, m, as cam01,cam02,1.85; tells a wrong board size."),
    ] = None,
    force: ForceOption = False,
) -> None:
    """Calibrate a rig: all cameras film one board (or several) that is moved through the volume."""
    from triskel.pipeline import calibrating

    choice = _model(model)
    if origin not in ("corner", "middle"):
        raise InputError(f"--origin is corner or middle, got {origin!r}")
    if origin != "corner" and floor is None:
        raise InputError("--origin goes with --floor, the frame in which the board lies on the floor")
    if floor is not None and floor < 0:
        raise InputError(f"--floor is the number of a frame, from 0, got {floor}")
    measured = _distances(distance or [])
    check_folder(out)
    with collected_warnings(), progress_bars() as progress:
        boards = _boards(board)
        wanted, also = _names(cameras), [] if floor is None else [floor]
        seen = calibrating.open_footage(footage, boards, cameras=wanted, also=also, progress=progress)
        calibrating.keep_footage(out, seen)
        given, source = _intrinsics(intrinsics)
        close_ups = calibrating.open_footage(source, boards or seen.boards, progress=progress) if source else None
        request = calibrating.RigRequest(
            given=given,
            close_ups=close_ups,
            model=choice,
            refine_intrinsics=refine_intrinsics,
            floor_set=floor,
            floor_origin="middle" if origin == "middle" else "corner",
            still=still,
            synchronise=synchronise,
            distances_m=measured,
            force=force,
        )
        done = calibrating.rig_from_boards(seen, request, progress=progress)
        page, file = calibrating.write_board_calibration(out, done, force=force)
    say_rig(done)
    say(f"report: {page}")
    _refuse_held_back(file, done.findings)
    say(f"rig: {file}")


@app.command("world")
def world(
    rig: Annotated[Path, typer.Argument(help="The rig, in any format 'triskel rig' knows.")],
    *,
    out: Annotated[Path, typer.Option("--out", help="The rig in its new world, native YAML.")],
    floor_board: Annotated[
        Path | None, typer.Option(help="Pictures or videos of a board that lies on the floor; with --board.")
    ] = None,
    board: BoardOption = None,
    floor_points: Annotated[
        Path | None, typer.Option(help="YAML: pixels of an origin, a point on the x axis, a point on the floor.")
    ] = None,
    scene_points: Annotated[
        Path | None, typer.Option(help="YAML: points with known places and their pixels; gives the scale too.")
    ] = None,
    keep_scale: Annotated[bool, typer.Option("--keep-scale", help="With --scene-points: do not scale.")] = False,
    place_cameras: Annotated[
        bool, typer.Option("--place-cameras", help="With --scene-points: take only the lenses, find every pose anew.")
    ] = False,
    people: Annotated[
        Path | None, typer.Option(help="A session in which people stand and walk: floor and up come from them.")
    ] = None,
    height: Annotated[float | None, typer.Option(help="With --people: the person's height, m, for the scale.")] = None,
    person: Annotated[int | None, typer.Option(help="Whose height that is, where there are several.")] = None,
    wand: Annotated[
        Path | None, typer.Option(help="CSV with frame, camera, marker, x_px, y_px of a wand: gives the scale.")
    ] = None,
    wand_length: Annotated[float | None, typer.Option(help="Distance of the wand's two markers, m.")] = None,
    origin: Annotated[str, typer.Option(help="corner or middle of a board; person or cameras with --people.")] = "",
) -> None:
    """Say where a rig's floor is, which way is up and how large a metre is."""
    from triskel.pipeline import calibrating, load_rig
    from triskel.rig_file import save_rig

    request = calibrating.WorldRequest(
        floor_board=floor_board,
        boards=tuple(_boards(board)),
        floor_points=floor_points,
        scene_points=scene_points,
        keep_scale=keep_scale,
        place_cameras=place_cameras,
        people=people,
        height_m=height,
        person=person,
        wand=wand,
        wand_length_m=wand_length,
        origin=origin,
    )
    with collected_warnings(), progress_bars() as progress:
        steps = calibrating.change_world(load_rig(rig), request, progress=progress)
    for placed in steps:
        say_placed(placed)
    save_rig(steps[-1].rig, out)
    say(f"rig: {out}")


@app.command("refine")
def refine(
    session: Annotated[Path, typer.Argument(help="A session in which people walk through the whole volume.")],
    *,
    rig: Annotated[
        Path | None, typer.Option("--rig", help="The rig to start from, in any format; the session's by default.")
    ] = None,
    detections: Annotated[
        Path | None, typer.Option(help="OpenPose JSON, one folder a camera; SESSION may be new then.")
    ] = None,
    fps: Annotated[float | None, typer.Option(help="Frame rate of a new session.")] = None,
    from_people: Annotated[
        bool, typer.Option("--from-people", help="Find all poses from nothing but the lenses; needs --height.")
    ] = False,
    height: Annotated[float | None, typer.Option(help="How tall the person seen best is, m.")] = None,
    person: Annotated[int | None, typer.Option(help="Whose height that is, from 0, where there are several.")] = None,
    focal: Annotated[bool, typer.Option("--focal", help="Refine the focal lengths too.")] = False,
    use: Annotated[
        bool,
        typer.Option(
            "--use", help="Make it the session's rig; calibration/rig_before.yaml (or _2, ...) keeps the old one."
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Write a rig that failed a check.")] = False,
) -> None:
    """Improve a rig from people who walk in it, and say which camera was moved; no board needed."""
    from triskel import pipeline
    from triskel.calibration.people import RefineOptions
    from triskel.pipeline import calibrating

    if from_people and height is None:
        raise InputError("--from-people needs --height: nothing else says how large a metre is")
    if height is not None and not from_people:
        raise InputError("--height goes with --from-people; a refined rig keeps its scale (see 'calibrate world')")
    loaded = pipeline.load_rig(rig) if rig else None
    with collected_warnings():
        if detections is not None:
            opened = pipeline.import_detections(session, detections, rig=loaded, fps=fps)
        else:
            opened = pipeline.open_or_adopt(session)
        done, result, findings = calibrating.refine_session(
            opened, rig=loaded, options=RefineOptions(focal=focal), height_m=height, person=person
        )
    page, file = calibrating.write_people_calibration(done, result, findings=findings, use=use, force=force)
    say_people(result)
    say_findings(findings)
    say(f"report: {page}")
    _refuse_held_back(file, findings)
    say(f"rig: {file}" + (", which the session uses from now on" if use else ""))


def _model(name: str) -> "Choice":
    for model in MODELS:
        if model == name:
            return model
    raise InputError(f"--model is one of {', '.join(MODELS)}, got {name!r}")


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def _distances(texts: list[str]) -> dict[tuple[str, str], float]:
    """Return measured distances by pairs of cameras."""
    found = {}
    for text in texts:
        first, _, rest = text.partition(",")
        second, _, metres = rest.rpartition(",")
        try:
            found[first.strip(), second.strip()] = float(metres)
        except ValueError as error:
            raise InputError(f"--distance is two cameras and metres, as cam01,cam02,1.85, got {text!r}") from error
    return found


def _boards(path: Path | None) -> "tuple[Board, ...]":
    from triskel.calibration.boards import load_boards

    return () if path is None else load_boards(path)


def _intrinsics(path: Path | None) -> "tuple[Rig | None, Path | None]":
    """Return the rig that a path holds, or the path as a recording of close-ups."""
    from triskel.errors import ConfigError
    from triskel.pipeline import load_rig

    if path is None:
        return None, None
    if path.suffix == ".parquet":
        return None, path
    try:
        return load_rig(path), None
    except ConfigError:
        if path.is_dir():  # some formats are folders too
            return None, path
        raise


def _refuse_held_back(file: Path | None, findings: "Sequence[Finding]") -> None:
    """End with the checks' names where no rig was written."""
    if file is None:
        names = ", ".join(sorted({finding.code for finding in findings if finding.severity == "error"}))
        raise JobError(f"no rig was written, the checks failed ({names}); see the report, or write it with --force")
