"""`triskel detect`: people in a session, an image, a folder of images or a video; and the options of detection."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from triskel.commands.show import progress_bars, say
from triskel.errors import InputError
from triskel.pipeline.frames import FrameRange

if TYPE_CHECKING:
    from triskel.detect2d import DetectOptions
    from triskel.pipeline.picture_files import PictureOutputs

ModelOption = Annotated[
    str, typer.Option(help="body, other weights of 'triskel weights list', or a .safetensors file of your training.")
]
NetSizeOption = Annotated[
    str,
    typer.Option(
        "--net-size",
        help="Network's input, px: its shorter side, or a box such as 656x368 or -1x368. Larger sees more.",
    ),
]
ScalesOption = Annotated[
    str, typer.Option(help="Scales averaged, around --net-size: 0.7,1,1.3 for people near and far.")
]
RotationsOption = Annotated[
    str, typer.Option(help="Turns of the image that are searched, degrees: 0,90,180,270 for people upside down.")
]
MirrorOption = Annotated[bool, typer.Option(help="Average with the mirrored picture: steadier, twice the time.")]
PrecisionOption = Annotated[str, typer.Option(help="auto, float32 or bfloat16.")]
DeviceOption = Annotated[
    str | None, typer.Option(help="cpu, cuda, or several: cuda:0,cuda:1; CUDA where there is one by default.")
]
ThreadsOption = Annotated[int | None, typer.Option(help="Processor threads of the network; torch's choice by default.")]
MaximiseOption = Annotated[
    bool, typer.Option("--maximise-positives", help="Find more people and joints, and more that are wrong.")
]
PeopleMaxOption = Annotated[int, typer.Option("--people-max", help="People kept in an image, the best; 0 for all.")]
MethodOption = Annotated[
    str, typer.Option(help="How joints become people: greedy, bipartite, integer or integer_tree.")
]
KeepOption = Annotated[float, typer.Option("--keep-threshold", help="Joints below this score count as missing.")]
FirstOption = Annotated[int, typer.Option("--frame-first", help="First frame looked at, from 0.")]
LastOption = Annotated[int | None, typer.Option("--frame-last", help="Last frame looked at; the end by default.")]
StepOption = Annotated[int, typer.Option("--frame-step", help="Look at every one of so many frames.")]


def detect_options(
    *,
    model: str = "body",
    net_size: str = "304",
    scales: str = "1",
    rotations: str = "0",
    mirror: bool = True,
    precision: str = "auto",
    device: str | None = None,
    threads: int | None = None,
    maximise_positives: bool = False,
    people_max: int = 0,
    method: str = "greedy",
    keep_threshold: float = 0.0,
) -> "DetectOptions":
    """Build the detector's options from those of the command line.

    Raises:
        InputError: one of them makes no sense; the message names it.
    """
    from dataclasses import replace

    from triskel.detect2d import DetectOptions, suited_parse
    from triskel.detect2d.parsing import MAXIMISE_POSITIVES, METHODS

    short_side, box = _net_size(net_size)
    if precision not in ("auto", "float32", "bfloat16"):
        raise InputError(f"--precision is auto, float32 or bfloat16, got {precision!r}")
    if method not in METHODS:
        raise InputError(f"--method is one of {', '.join(METHODS)}, got {method!r}")
    if people_max < 0:
        raise InputError(f"--people-max is 0 (all) or more, got {people_max}")
    parse = MAXIMISE_POSITIVES if maximise_positives else suited_parse(model)
    names = tuple(name.strip() for name in device.split(",")) if device else ()
    return DetectOptions(
        short_side=short_side,
        net_size=box,
        scales=_numbers("--scales", scales, "0.7,1,1.3"),
        rotations_deg=_numbers("--rotations", rotations, "0,90,180,270"),
        mirror=mirror,
        precision=precision,  # type: ignore[arg-type] # checked above
        devices=names,
        threads=threads,
        parse=replace(parse, most_people=people_max or None, method=method),
        least_joint_score=keep_threshold,
    )


def _net_size(text: str) -> tuple[int, tuple[int, int] | None]:
    """Return the shorter side and the box that `--net-size` says; a box leaves the side at its default."""
    from triskel.detect2d import DetectOptions

    try:
        sides = [int(side) for side in text.lower().split("x")]
    except ValueError:
        sides = []
    if len(sides) == 1:
        return sides[0], None
    if len(sides) == 2:
        return DetectOptions.short_side, (sides[0], sides[1])
    raise InputError(f"--net-size is a number such as 304, or a box such as 656x368 or -1x368; got {text!r}")


def _numbers(option: str, text: str, example: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or not all(math.isfinite(number) for number in numbers):
        raise InputError(f"{option} is numbers with commas, such as {example}; got {text!r}")
    return numbers


def detect(
    target: Annotated[Path, typer.Argument(help="A session, an image, a folder of images, or a video.")],
    *,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results of images and videos; NAME-detections by default.")
    ] = None,
    model: ModelOption = "body",
    net_size: NetSizeOption = "304",
    scales: ScalesOption = "1",
    rotations: RotationsOption = "0",
    mirror: MirrorOption = True,
    precision: PrecisionOption = "auto",
    device: DeviceOption = None,
    threads: ThreadsOption = None,
    method: MethodOption = "greedy",
    maximise_positives: MaximiseOption = False,
    people_max: PeopleMaxOption = 0,
    keep_threshold: KeepOption = 0.0,
    render_threshold: Annotated[float, typer.Option(help="Joints below this score are not drawn.")] = 0.05,
    frame_first: FirstOption = 0,
    frame_last: LastOption = None,
    frame_step: StepOption = 1,
    heatmaps: Annotated[bool, typer.Option("--heatmaps", help="Also write the network's maps, drawn and as .npz.")] = (
        False
    ),
    part_candidates: Annotated[
        bool, typer.Option("--part-candidates", help="Also write every joint candidate into the JSON.")
    ] = False,
    keypoint_scale: Annotated[
        str, typer.Option(help="Coordinates in the JSON: source px, net px, unit (0 to 1), signed (-1 to 1).")
    ] = "source",
) -> None:
    """Find people in 2D: of a session into keypoints2d.parquet, of images and videos into JSON and overlays."""
    from triskel.pipeline.picture_files import PictureOutputs
    from triskel.pipeline.pictures import kind_of

    options = detect_options(
        model=model,
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
    )
    frames = FrameRange(first=frame_first, last=frame_last, step=frame_step)
    outputs = PictureOutputs(
        part_candidates=part_candidates,
        heatmaps=heatmaps,
        keypoint_scale=keypoint_scale,  # type: ignore[arg-type] # checked by the class
        render_threshold=render_threshold,
    )
    if kind_of(target) != "session":
        _detect_pictures(target, out or Path(f"{target.resolve().stem}-detections"), model, options, outputs, frames)
        return
    if out is not None or heatmaps or part_candidates or keypoint_scale != "source":
        raise InputError(
            f"{target}: is a session, which keeps its keypoints in itself; --out, --heatmaps, --part-candidates and "
            "--keypoint-scale are for images and videos"
        )
    _detect_session(target, model, options, frames)


def _detect_session(path: Path, model: str, options: "DetectOptions", frames: FrameRange) -> None:
    from triskel import pipeline

    opened = pipeline.open_or_adopt(path)
    with progress_bars() as progress:
        done = pipeline.detect(opened, model=model, options=options, frames=frames, progress=progress)
    found = (done.detections().keypoints[..., 2] > 0).any(axis=-1).sum()
    sets = len(frames.of(len(done.frames()[0]), str(path)))
    say(f"{path}: {found} people in {sets} frame sets of {len(done.cameras)} cameras")


def _detect_pictures(
    target: Path, out: Path, model: str, options: "DetectOptions", outputs: "PictureOutputs", frames: FrameRange
) -> None:
    from triskel.detect2d import load_detector
    from triskel.pipeline.pictures import detect_pictures, plan_pictures

    job = plan_pictures(target, out, frames)
    detector = load_detector(model, options=options)
    with progress_bars() as progress:
        done = detect_pictures(job, detector, outputs=outputs, progress=progress)
    say(f"{out}: {done.people} people in {done.pictures} {'images' if job.images else 'frames'}")
