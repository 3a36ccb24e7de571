"""`triskel evaluate`: how good a model is on labelled images."""

from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from triskel.commands.detection_options import (
    Detection,
    DeviceOption,
    FaceModelOption,
    FaceOption,
    FeetOption,
    HandModelOption,
    HandScalesOption,
    HandsOption,
    MaximiseOption,
    MirrorOption,
    NetSizeOption,
    PrecisionOption,
    RefineOption,
    RotationsOption,
    ThreadsOption,
    detection,
)
from triskel.commands.show import OUT, progress_bars, say, table
from triskel.errors import InputError
from triskel.files import check_folder

if TYPE_CHECKING:
    from triskel.detect2d.evaluation import Evaluation, Metric


def evaluate(
    model: Annotated[
        str, typer.Argument(help="body, mobilenet_thin, imported weights by name, or a .safetensors file.")
    ],
    dataset: Annotated[Path, typer.Argument(help="COCO-format JSON, or a folder with keypoints.json and images/.")],
    *,
    images: Annotated[
        Path | None, typer.Option(help="Folder of the images; images/ beside the JSON by default.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the results; evaluation/MODEL-DATASET by default.")
    ] = None,
    quality: Annotated[
        list[str] | None, typer.Option(help="fast, balanced or best; repeat it for settings side by side.")
    ] = None,
    network_alone: Annotated[
        bool, typer.Option("--network-alone", help="Also score each setting without second look, hands and face.")
    ] = False,
    refine: RefineOption = None,
    feet: FeetOption = True,
    hands: HandsOption = None,
    face: FaceOption = None,
    hand_model: HandModelOption = "mediapipe_hand",
    face_model: FaceModelOption = "mediapipe_face",
    hand_scales: HandScalesOption = 1,
    net_size: NetSizeOption = None,
    scales: Annotated[
        list[str] | None, typer.Option(help="Scales averaged; repeat it for settings side by side: 1 and 0.7,1,1.3.")
    ] = None,
    rotations: RotationsOption = "0",
    mirror: MirrorOption = None,
    precision: PrecisionOption = "auto",
    device: DeviceOption = None,
    threads: ThreadsOption = None,
    method: Annotated[
        list[str] | None,
        typer.Option(help="How joints become people; repeat it for methods side by side: greedy, bipartite, ..."),
    ] = None,
    maximise_positives: MaximiseOption = False,
    first: Annotated[int | None, typer.Option(help="Only that many images that have labelled people.")] = None,
    metric: Annotated[
        str, typer.Option(help="Which figures, with commas: oks, pck, pckh, hand, face; the last two where labelled.")
    ] = "oks,pck,pckh,hand,face",
) -> None:
    """Score a model on COCO-format labels: AP and AR by OKS, PCK, PCKh, hands, faces; writes a report and curves."""
    from triskel.detect2d import load_whole_body
    from triskel.detect2d.datasets import read_dataset
    from triskel.detect2d.evaluation import EvaluationFacts, write_evaluation
    from triskel.detect2d.evaluation import evaluate as run

    metrics = _metrics(metric)
    if first is not None and first < 1:
        raise InputError(f"--first is 1 or more, got {first}")
    options = {
        "model": model,
        "refine": refine,
        "feet": feet,
        "hands": hands,
        "face": face,
        "hand_model": hand_model,
        "face_model": face_model,
        "hand_scales": hand_scales,
        "net_size": net_size,
        "rotations": rotations,
        "mirror": mirror,
        "precision": precision,
        "device": device,
        "threads": threads,
        "maximise_positives": maximise_positives,
    }
    settings = _settings(quality or [], scales or [], method or ["greedy"], options)
    if network_alone:
        settings = {name: how for both in map(_with_alone, settings.items()) for name, how in both}
    check_folder(out or Path("evaluation"))
    read = read_dataset(dataset, images, first=first)
    detectors = [(name, load_whole_body(model, options=how.options, parts=how.parts)) for name, how in settings.items()]
    with progress_bars() as progress:
        evaluation = run(detectors, read, metrics=metrics, progress=progress)
    where = Path(dataset).resolve()
    named = where.parent.name if where.name == "keypoints.json" else where.stem
    facts = EvaluationFacts(
        model=_name(model),
        dataset=named,
        settings={name: {**asdict(how.options), "parts": asdict(how.parts)} for name, how in settings.items()},
    )
    report = write_evaluation(out or Path("evaluation") / f"{facts.model}-{named}", evaluation, facts)
    _show(evaluation)
    say(f"report: {report}")


def _name(model: str) -> str:
    """Return what the results are called: of a file its training and its own name, for every training has a `best`."""
    path = Path(model)
    return f"{path.resolve().parent.name}-{path.stem}" if path.suffix == ".safetensors" else model


def _metrics(given: str) -> "tuple[Metric, ...]":
    from triskel.detect2d.evaluation import METRICS

    wanted = [part.strip() for part in given.split(",") if part.strip()]
    if not wanted or set(wanted) - set(METRICS):
        raise InputError(f"--metric is of {', '.join(METRICS)}, with commas; got {given!r}")
    return tuple(known for known in METRICS if known in wanted)


def _settings(
    qualities: list[str], scales: list[str], methods: list[str], options: dict[str, Any]
) -> dict[str, Detection]:
    """Return each setting by its name: `best`, or `3 scales`, with what tells it from others of that name.

    Without a choice it is what `triskel detect` would do, or one and three scales of a network that has no preset.
    """
    from triskel.detect2d.quality import suited_quality

    suited = suited_quality(options["model"])
    presets: list[str | None] = [*qualities] or ["balanced" if suited else None]
    factors: list[str | None] = [*scales] or ([None] if qualities or suited else ["1", "0.7,1,1.3"])
    wanted = list(product(presets, factors, methods))
    made = [detection(quality=preset, scales=given, method=one, **options) for preset, given, one in wanted]
    found = [(preset, how.options.scales, one) for (preset, _, one), how in zip(wanted, made, strict=True)]
    if len(set(found)) != len(wanted):
        listed = ", ".join([*qualities, *scales, *methods])
        raise InputError(f"--quality, --scales and --method: each is given once, got {listed}")
    counts = {given: len(how.options.scales) for (_, given, _), how in zip(wanted, made, strict=True)}
    named = {}
    for (preset, given, one), how in zip(wanted, made, strict=True):
        words = [preset or ""] if given is None or len(presets) > 1 else []
        if given is not None:
            count = counts[given]
            several = "s" if count > 1 else ""
            listed = ",".join(f"{factor:g}" for factor in how.options.scales)
            alone = list(counts.values()).count(count) == 1
            words.append(f"{count} scale{several}" if alone else f"scale{several} {listed}")
        if len(methods) > 1:
            words.append(one)
        named[", ".join(words)] = how
    return named


def _with_alone(setting: tuple[str, Detection]) -> list[tuple[str, Detection]]:
    """Return a setting, and after it the same without anything but the body network."""
    name, how = setting
    alone = replace(how.parts, refine=False, hands=False, face=False)
    return [setting, (f"{name}, network alone", how._replace(parts=alone))]


def _show(evaluation: "Evaluation") -> None:
    """Print the settings side by side, and what a reader must know."""
    from triskel.detect2d.evaluation.part_summary import face_rows, hand_rows, percent
    from triskel.detect2d.evaluation.summary import notes_on

    rows = table("", *evaluation.runs[0].scores.headline(), "ms/image")
    for column in rows.columns[1:]:
        column.justify = "right"
    for run in evaluation.runs:
        cells = [percent(value) for value in run.scores.headline().values()]
        rows.add_row(run.name, *cells, f"{run.ms_per_image:.0f}")
        foot = run.scores.oks.get("foot")
        if foot and len(run.scores.oks) > 1:
            cells = [percent(foot.figures[name]) for name in ("AP", "AP50", "AP75", "APM", "APL", "AR")]
            rows.add_row(f"{run.name}, feet", *cells)
    say(f"{evaluation.truth.people} people in {len(evaluation.truth.images)} images, percent")
    OUT.print(rows)
    for part_rows in (hand_rows(evaluation.runs), face_rows(evaluation.runs)):
        if part_rows:
            rows = table(*part_rows[0])
            for column in rows.columns[1:]:
                column.justify = "right"
            for row in part_rows:
                rows.add_row(*row.values())
            OUT.print(rows)
    for note in notes_on(evaluation):
        say(note)
