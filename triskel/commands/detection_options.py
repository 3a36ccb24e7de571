"""The options of detection, shared by `triskel detect`, `process`, `evaluate`: their names, and what they become."""

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, TypeVar

import typer

from triskel.errors import InputError

if TYPE_CHECKING:
    from triskel.detect2d import DetectOptions, ParseOptions, Quality, WholeBodyOptions

Name = TypeVar("Name", bound=str)
PRECISIONS: tuple[Literal["auto", "float32", "bfloat16"], ...] = ("auto", "float32", "bfloat16")

_SWITCHES = "Parts"

ModelOption = Annotated[
    str, typer.Option(help="body, other weights of 'triskel weights list', or a .safetensors file of your training.")
]
QualityOption = Annotated[
    str | None,
    typer.Option(
        help="fast, balanced or best: size, scales and second look together, measured in docs/quality.md. Pictures "
        "get balanced, a session one scale and the better second look; the options below change one thing of it.",
    ),
]
NetSizeOption = Annotated[
    str | None,
    typer.Option(
        "--net-size",
        help="Network's input, px: its shorter side, or a box such as 656x368 or -1x368. Larger sees more.",
    ),
]
ScalesOption = Annotated[
    str | None, typer.Option(help="Scales averaged, around --net-size: 0.7,1,1.3 for people near and far.")
]
RotationsOption = Annotated[
    str, typer.Option(help="Turns of the image that are searched, degrees: 0,90,180,270 for people upside down.")
]
MirrorOption = Annotated[
    bool | None,
    typer.Option("--mirror/--no-mirror", help="Average with the mirrored picture: steadier, twice the time."),
]
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
KeepOption = Annotated[float, typer.Option("--keep-threshold", help="Body joints below this score count as missing.")]
_ALIKE = "MediaPipe gives all its points the same score."
HandKeepOption = Annotated[
    float,
    typer.Option(
        "--hand-keep-threshold",
        help=f"Hands below this score count as missing. {_ALIKE}",
    ),
]
FaceKeepOption = Annotated[
    float,
    typer.Option(
        "--face-keep-threshold",
        help=f"Faces below this score count as missing. {_ALIKE}",
    ),
]
FirstOption = Annotated[int, typer.Option("--frame-first", help="First frame looked at, from 0.")]
LastOption = Annotated[int | None, typer.Option("--frame-last", help="Last frame looked at; the end by default.")]
StepOption = Annotated[int, typer.Option("--frame-step", help="Look at every one of so many frames.")]
RefineOption = Annotated[
    bool | None,
    typer.Option(
        "--refine/--no-refine",
        help="Look at each person again with a network for one person; on for 'body', off for other models.",
        rich_help_panel=_SWITCHES,
    ),
]
BodyOption = Annotated[
    bool, typer.Option("--body/--no-body", help="Keep the body's joints.", rich_help_panel=_SWITCHES)
]
FeetOption = Annotated[bool, typer.Option("--feet/--no-feet", help="Keep toes and heels.", rich_help_panel=_SWITCHES)]
HandsOption = Annotated[
    bool | None,
    typer.Option("--hands/--no-hands", help="Hands; on for 'body', off for others.", rich_help_panel=_SWITCHES),
]
FaceOption = Annotated[
    bool | None,
    typer.Option("--face/--no-face", help="Faces; on for 'body', off for others.", rich_help_panel=_SWITCHES),
]
HandModelOption = Annotated[
    str,
    typer.Option(help="mediapipe_hand, imported 'hand', or a .safetensors file of hands.", rich_help_panel=_SWITCHES),
]
FaceModelOption = Annotated[
    str,
    typer.Option(help="mediapipe_face, imported 'face', or a .safetensors file of faces.", rich_help_panel=_SWITCHES),
]
HandScalesOption = Annotated[
    int,
    typer.Option(help="Box sizes tried for each hand by a heat-map network; 6 is best.", rich_help_panel=_SWITCHES),
]


class Detection(NamedTuple):
    """How people are found: the body network's options, and what is done with each person."""

    options: "DetectOptions"
    parts: "WholeBodyOptions"


def detection(
    *,
    model: str = "body",
    recording: bool = False,
    quality: str | None = None,
    refine: bool | None = None,
    body: bool = True,
    feet: bool = True,
    hands: bool | None = None,
    face: bool | None = None,
    hand_model: str = "mediapipe_hand",
    face_model: str = "mediapipe_face",
    hand_scales: int = 1,
    hand_keep_threshold: float = 0.0,
    face_keep_threshold: float = 0.0,
    net_size: str | None = None,
    scales: str | None = None,
    rotations: str = "0",
    mirror: bool | None = None,
    precision: str = "auto",
    device: str | None = None,
    threads: int | None = None,
    maximise_positives: bool = False,
    people_max: int = 0,
    method: str = "greedy",
    keep_threshold: float = 0.0,
) -> Detection:
    """Build what the detector needs from the options of the command line.

    Raises:
        InputError: one of them makes no sense; the message names it.
    """
    from triskel.detect2d import suited_whole_body
    from triskel.detect2d.quality import suited_quality

    chosen = suited_quality(model, recording=recording) if quality is None else _quality(quality)
    options = _body_network(chosen, net_size, scales, mirror)
    options = replace(
        options,
        rotations_deg=_numbers("--rotations", rotations, "0,90,180,270"),
        precision=_one_of("--precision", precision, PRECISIONS),
        devices=tuple(name.strip() for name in device.split(",")) if device else (),
        threads=threads,
        parse=_parse(model, maximise_positives, people_max, method),
        least_joint_score=keep_threshold,
    )
    parts = suited_whole_body(model, quality=chosen)
    parts = replace(
        parts,
        refine=parts.refine if refine is None else refine,
        body=body,
        feet=feet,
        hands=parts.hands if hands is None else hands,
        face=parts.face if face is None else face,
        hand_model=hand_model,
        face_model=face_model,
        hand_scales=hand_scales,
        least_hand_score=hand_keep_threshold,
        least_face_score=face_keep_threshold,
    )
    return Detection(options, parts)


def _quality(name: str) -> "Quality":
    from triskel.detect2d.quality import QUALITIES, QUALITY_NAMES

    return QUALITIES[_one_of("--quality", name, QUALITY_NAMES)]


def _body_network(
    quality: "Quality | None", net_size: str | None, scales: str | None, mirror: bool | None
) -> "DetectOptions":
    """Return the preset of the body network, with what was asked for besides it."""
    from triskel.detect2d import DetectOptions

    options = DetectOptions() if quality is None else quality.detect_options()
    if net_size is not None:
        short_side, box = _net_size(net_size)
        options = replace(options, short_side=short_side or options.short_side, net_size=box)
    if scales is not None:
        options = replace(options, scales=_numbers("--scales", scales, "0.7,1,1.3"))
    return options if mirror is None else replace(options, mirror=mirror)


def _parse(model: str, maximise_positives: bool, people_max: int, method: str) -> "ParseOptions":
    from triskel.detect2d import suited_parse
    from triskel.detect2d.parsing import MAXIMISE_POSITIVES, METHODS

    if people_max < 0:
        raise InputError(f"--people-max is 0 (all) or more, got {people_max}")
    parse = MAXIMISE_POSITIVES if maximise_positives else suited_parse(model)
    return replace(parse, most_people=people_max or None, method=_one_of("--method", method, tuple(METHODS)))


def _one_of(option: str, given: str, known: tuple[Name, ...]) -> Name:
    """Return the known name that was given."""
    for name in known:
        if name == given:
            return name
    raise InputError(f"{option} is {', '.join(known[:-1])} or {known[-1]}, got {given!r}")


def _net_size(text: str) -> tuple[int | None, tuple[int, int] | None]:
    """Return the shorter side or the box that `--net-size` says."""
    try:
        sides = [int(side) for side in text.lower().split("x")]
    except ValueError:
        sides = []
    if len(sides) == 1:
        return sides[0], None
    if len(sides) == 2:
        return None, (sides[0], sides[1])
    raise InputError(f"--net-size is a number such as 304, or a box such as 656x368 or -1x368; got {text!r}")


def _numbers(option: str, text: str, example: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or not all(math.isfinite(number) for number in numbers):
        raise InputError(f"{option} is numbers with commas, such as {example}; got {text!r}")
    return numbers
