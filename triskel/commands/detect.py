"""`triskel detect`: people in a session, an image, a folder of images or a video."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from triskel.commands.data import fetch_weights
from triskel.commands.detection_options import (
    BodyOption,
    Detection,
    DeviceOption,
    FaceKeepOption,
    FaceModelOption,
    FaceOption,
    FeetOption,
    FirstOption,
    HandKeepOption,
    HandModelOption,
    HandScalesOption,
    HandsOption,
    KeepOption,
    LastOption,
    MaximiseOption,
    MethodOption,
    MirrorOption,
    ModelOption,
    NetSizeOption,
    PeopleMaxOption,
    PrecisionOption,
    QualityOption,
    RefineOption,
    RotationsOption,
    ScalesOption,
    StepOption,
    ThreadsOption,
    detection,
)
from triskel.commands.show import progress_bars, say
from triskel.errors import InputError
from triskel.pipeline.frames import FrameRange

if TYPE_CHECKING:
    from triskel.pipeline.picture_files import PictureOutputs


def detect(
    target: Annotated[Path, typer.Argument(help="A session, an image, a folder of images, or a video.")],
    *,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results of images and videos; NAME-detections by default.")
    ] = None,
    model: ModelOption = "body",
    quality: QualityOption = None,
    refine: RefineOption = None,
    body: BodyOption = True,
    feet: FeetOption = True,
    hands: HandsOption = None,
    face: FaceOption = None,
    hand_model: HandModelOption = "mediapipe_hand",
    face_model: FaceModelOption = "mediapipe_face",
    hand_scales: HandScalesOption = 1,
    net_size: NetSizeOption = None,
    scales: ScalesOption = None,
    rotations: RotationsOption = "0",
    mirror: MirrorOption = None,
    precision: PrecisionOption = "auto",
    device: DeviceOption = None,
    threads: ThreadsOption = None,
    method: MethodOption = "greedy",
    maximise_positives: MaximiseOption = False,
    people_max: PeopleMaxOption = 0,
    keep_threshold: KeepOption = 0.0,
    hand_keep_threshold: HandKeepOption = 0.0,
    face_keep_threshold: FaceKeepOption = 0.0,
    render_threshold: Annotated[float, typer.Option(help="Body joints below this score are not drawn.")] = 0.1,
    hand_render_threshold: Annotated[float, typer.Option(help="Hand points below this score are not drawn.")] = 0.2,
    face_render_threshold: Annotated[float, typer.Option(help="Face points below this score are not drawn.")] = 0.4,
    frame_first: FirstOption = 0,
    frame_last: LastOption = None,
    frame_step: StepOption = 1,
    heatmaps: Annotated[
        bool, typer.Option("--heatmaps", help="Also write the body network's maps, drawn and as .npz.")
    ] = False,
    part_candidates: Annotated[
        bool, typer.Option("--part-candidates", help="Also write every joint candidate into the JSON.")
    ] = False,
    coco_json: Annotated[
        bool, typer.Option("--coco-json", help="Also write all people of all images as COCO(-WholeBody) results.")
    ] = False,
    keypoint_scale: Annotated[
        str, typer.Option(help="Coordinates in the JSON: source px, net px, unit (0 to 1), signed (-1 to 1).")
    ] = "source",
) -> None:
    """Find people in 2D: of a session into keypoints2d.parquet, of images and videos into JSON and overlays."""
    from triskel.pipeline.picture_files import PictureOutputs
    from triskel.pipeline.pictures import kind_of

    kind = kind_of(target)
    how = detection(
        model=model,
        recording=kind == "session",
        quality=quality,
        refine=refine,
        body=body,
        feet=feet,
        hands=hands,
        face=face,
        hand_model=hand_model,
        face_model=face_model,
        hand_scales=hand_scales,
        net_size=net_size,
        scales=scales,
        rotations=rotations,
        mirror=mirror,
        precision=precision,
        device=device,
        threads=threads,
        maximise_positives=maximise_positives,
        people_max=people_max,
        method=method,
        keep_threshold=keep_threshold,
        hand_keep_threshold=hand_keep_threshold,
        face_keep_threshold=face_keep_threshold,
    )
    frames = FrameRange(first=frame_first, last=frame_last, step=frame_step)
    outputs = PictureOutputs(
        part_candidates=part_candidates,
        heatmaps=heatmaps,
        coco_json=coco_json,
        keypoint_scale=keypoint_scale,  # type: ignore[arg-type] # checked by the class
        render_threshold=render_threshold,
        hand_render_threshold=hand_render_threshold,
        face_render_threshold=face_render_threshold,
    )
    if kind != "session":
        _detect_pictures(target, out or Path(f"{target.resolve().stem}-detections"), model, how, outputs, frames)
        return
    if not body:
        raise InputError(
            f"{target}: is a session, where hands and faces in 3D hang on the body: --no-body is for pictures"
        )
    if out is not None or heatmaps or part_candidates or coco_json or keypoint_scale != "source":
        raise InputError(
            f"{target}: is a session, which keeps its keypoints in itself; --out, --heatmaps, --part-candidates, "
            "--coco-json and --keypoint-scale are for images and videos"
        )
    _detect_session(target, model, how, frames)


def _detect_session(path: Path, model: str, how: Detection, frames: FrameRange) -> None:
    from triskel import pipeline

    opened = pipeline.open_or_adopt(path)
    how = how._replace(parts=fetch_weights(model, how.parts))
    with progress_bars() as progress:
        done = pipeline.detect(
            opened, model=model, options=how.options, parts=how.parts, frames=frames, progress=progress
        )
    found = (done.detections().keypoints[..., 2] > 0).any(axis=-1).sum()
    sets = len(frames.of(len(done.frames()[0]), str(path)))
    say(f"{path}: {found} people in {sets} frame sets of {len(done.cameras)} cameras")


def _detect_pictures(
    target: Path, out: Path, model: str, how: Detection, outputs: "PictureOutputs", frames: FrameRange
) -> None:
    from triskel.detect2d import load_whole_body
    from triskel.pipeline.pictures import detect_pictures, plan_pictures

    job = plan_pictures(target, out, frames)
    how = how._replace(parts=fetch_weights(model, how.parts))
    detector = load_whole_body(model, options=how.options, parts=how.parts)
    with progress_bars() as progress:
        done = detect_pictures(job, detector, outputs=outputs, progress=progress)
    say(f"{out}: {done.people} people in {done.pictures} {'images' if job.images else 'frames'}")
