"""`triskel session`, `triangulate`, `process`, `export`, `view`: a session, stage by stage or in a row."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from triskel.commands.data import fetch_weights
from triskel.commands.detection_options import (
    DeviceOption,
    FaceOption,
    FeetOption,
    FirstOption,
    HandsOption,
    LastOption,
    MaximiseOption,
    MirrorOption,
    ModelOption,
    NetSizeOption,
    PrecisionOption,
    QualityOption,
    RefineOption,
    RotationsOption,
    ScalesOption,
    StepOption,
    ThreadsOption,
    detection,
)
from triskel.commands.show import collected_warnings, progress_bars, say
from triskel.commands.triangulation_options import (
    BonesOption,
    CutoffOption,
    FeedbackOption,
    FilterOption,
    LongestGapOption,
    OutliersOption,
    PeopleOption,
    ReprojOption,
    SwapsOption,
    TriangulateDeviceOption,
    WindowOption,
    triangulation,
)
from triskel.errors import InputError
from triskel.pipeline.frames import FrameRange, frames_looked_at
from triskel.session import Session
from triskel.whole_body import parts_of

if TYPE_CHECKING:
    from triskel.triangulate import People3D

session_app = typer.Typer(no_args_is_help=True, help="Make a session of videos that were recorded together.")

SessionArgument = Annotated[Path, typer.Argument(help="The session's folder.")]
RigOption = Annotated[
    Path | None, typer.Option("--rig", help="The calibration, in any format 'triskel rig' knows; kept in the session.")
]


def check_fps(fps: float | None) -> None:
    """Refuse frame rates that no camera has."""
    if fps is not None and not 0.001 <= fps <= 100_000:
        raise InputError(f"--fps is 0.001 to 100000 frames/s, got {fps:g}")


@session_app.command("new")
def session_new(
    session: SessionArgument,
    videos: Annotated[Path, typer.Option(help="Folder with one video a camera, named like the rig's cameras.")],
    rig: RigOption = None,
    fps: Annotated[float | None, typer.Option(help="Frame rate, where the videos are wrong about it.")] = None,
) -> None:
    """Make a session from videos that started together; they are copied into it."""
    from triskel.pipeline import load_rig, new_session

    check_fps(fps)
    made = new_session(session, videos, rig=load_rig(rig) if rig else None, fps=fps)
    say(f"{made.path}: {len(made.cameras)} cameras, {len(made.frames()[0])} frame sets at {made.info.fps:g}/s")


def triangulate(
    session: SessionArgument,
    *,
    rig: RigOption = None,
    detections: Annotated[
        Path | None, typer.Option(help="OpenPose JSON, one folder a camera; SESSION may be new then.")
    ] = None,
    fps: Annotated[float | None, typer.Option(help="Frame rate of a new session.")] = None,
    skeleton: Annotated[
        str, typer.Option(help="body_25, body_25b, coco_18, ...; auto tells it from the files.")
    ] = "auto",
    people: PeopleOption = 0,
    max_reproj_px: ReprojOption = None,
    triangulate_on: TriangulateDeviceOption = "cpu",
    filter_: FilterOption = None,
    cutoff_hz: CutoffOption = None,
    window_s: WindowOption = None,
    longest_gap_s: LongestGapOption = None,
    swaps: SwapsOption = True,
    outliers: OutliersOption = True,
    bones: BonesOption = True,
) -> None:
    """Reconstruct people in 3D from a session's 2D keypoints, and report how good they are."""
    from triskel import get_skeleton, pipeline

    check_fps(fps)
    options = triangulation(
        people=people,
        max_reproj_px=max_reproj_px,
        triangulate_on=triangulate_on,
        filter_=filter_,
        cutoff_hz=cutoff_hz,
        window_s=window_s,
        longest_gap_s=longest_gap_s,
        swaps=swaps,
        outliers=outliers,
        bones=bones,
    )
    loaded = pipeline.load_rig(rig) if rig else None
    if detections is not None:
        joints = None if skeleton == "auto" else get_skeleton(skeleton)
        opened = pipeline.import_detections(session, detections, rig=loaded, fps=fps, skeleton=joints)
    else:
        opened = pipeline.open_or_adopt(session)
    with collected_warnings() as warnings, progress_bars() as progress:
        done, result = pipeline.triangulate(opened, rig=loaded, options=options, progress=progress)
    written = pipeline.write_triangulation_report(done, result, done.rig().select(done.cameras), warnings=warnings)
    _say_found(done, result)
    say(f"report: {written[0]}")


def process(
    sessions: Annotated[list[Path], typer.Argument(help="Sessions, or folders with videos/ in them.")],
    *,
    rig: RigOption = None,
    model: ModelOption = "body",
    quality: QualityOption = None,
    refine: RefineOption = None,
    feet: FeetOption = True,
    hands: HandsOption = None,
    face: FaceOption = None,
    net_size: NetSizeOption = None,
    scales: ScalesOption = None,
    rotations: RotationsOption = "0",
    mirror: MirrorOption = None,
    precision: PrecisionOption = "auto",
    device: DeviceOption = None,
    threads: ThreadsOption = None,
    maximise_positives: MaximiseOption = False,
    frame_first: FirstOption = 0,
    frame_last: LastOption = None,
    frame_step: StepOption = 1,
    people: PeopleOption = 0,
    max_reproj_px: ReprojOption = None,
    triangulate_on: TriangulateDeviceOption = "cpu",
    filter_: FilterOption = None,
    cutoff_hz: CutoffOption = None,
    window_s: WindowOption = None,
    longest_gap_s: LongestGapOption = None,
    swaps: SwapsOption = True,
    outliers: OutliersOption = True,
    bones: BonesOption = True,
    feedback: FeedbackOption = True,
) -> None:
    """Detect, triangulate, export, draw and report, for each session."""
    from triskel import pipeline

    how = detection(
        model=model,
        recording=True,
        quality=quality,
        refine=refine,
        feet=feet,
        hands=hands,
        face=face,
        net_size=net_size,
        scales=scales,
        rotations=rotations,
        mirror=mirror,
        precision=precision,
        device=device,
        threads=threads,
        maximise_positives=maximise_positives,
    )
    frames = FrameRange(first=frame_first, last=frame_last, step=frame_step)
    kept = triangulation(
        people=people,
        max_reproj_px=max_reproj_px,
        triangulate_on=triangulate_on,
        filter_=filter_,
        cutoff_hz=cutoff_hz,
        window_s=window_s,
        longest_gap_s=longest_gap_s,
        swaps=swaps,
        outliers=outliers,
        bones=bones,
    )
    how = how._replace(parts=fetch_weights(model, how.parts))
    for path in sessions:
        with collected_warnings() as warnings:
            opened = pipeline.open_or_adopt(path)
            loaded = pipeline.load_rig(rig) if rig else None
            with progress_bars() as progress:
                done, result = pipeline.process(
                    opened,
                    rig=loaded,
                    model=model,
                    detect_options=how.options,
                    parts=how.parts,
                    frames=frames,
                    people_options=kept,
                    feedback=feedback,
                    warnings=warnings,
                    progress=progress,
                )
        _say_found(done, result)
        say(f"report: {done.path / 'report.html'}")


def view(
    session: SessionArgument,
    render: Annotated[
        Path | None, typer.Option(help="Write a video (.mp4) or picture (.png); no display needed.")
    ] = None,
    camera: Annotated[str, typer.Option(help="orbit, still, people, or a camera's name.")] = "orbit",
) -> None:
    """Look at a session in 3D, in a window or rendered to a file."""
    from triskel import Session
    from triskel.viewer import render_image, render_video, show

    opened = Session.open(session)
    motion, rig = opened.motion(), opened.rig().select(opened.cameras)
    if render is None:
        show(motion, rig)
        return
    if render.suffix.lower() == ".png":
        render_image(motion, rig, render, camera=camera)
    elif render.suffix.lower() == ".mp4":
        with progress_bars() as progress:
            render_video(
                motion,
                rig,
                render,
                fps=opened.info.fps,
                camera=camera,
                progress=lambda done, total: progress("render", done, total),
            )
    else:
        raise InputError(f"{render}: --render writes .mp4 or .png")
    say(str(render))


def _say_found(session: Session, people: "People3D") -> None:
    """Print one line of what was reconstructed."""
    counted = people.take(frames_looked_at(session, len(people.motion.time_s))).motion
    frames = len(counted.time_s)
    if not len(counted.ids):
        say(f"{session.path}: nobody was found in 3D in {frames} frame sets")
        return
    body = parts_of(counted.skeleton)["body"]
    share = f"{100 * counted.found[..., body].mean():.0f} % of the body's {len(body)} joints"
    say(f"{session.path}: {len(counted.ids)} in 3D over {frames} frame sets, {share}")
