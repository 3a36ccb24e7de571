"""`triskel evaluate`: how good a model is on labelled images."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from triskel.commands.detect import (
    DeviceOption,
    MaximiseOption,
    MirrorOption,
    NetSizeOption,
    PrecisionOption,
    RotationsOption,
    ThreadsOption,
    detect_options,
)
from triskel.commands.show import OUT, progress_bars, say, table
from triskel.errors import InputError
from triskel.files import check_folder

if TYPE_CHECKING:
    from triskel.detect2d import DetectOptions
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
    net_size: NetSizeOption = "304",
    scales: Annotated[
        list[str] | None, typer.Option(help="Scales averaged; repeat it for settings side by side: 1 and 0.7,1,1.3.")
    ] = None,
    rotations: RotationsOption = "0",
    mirror: MirrorOption = True,
    precision: PrecisionOption = "auto",
    device: DeviceOption = None,
    threads: ThreadsOption = None,
    method: Annotated[
        list[str] | None,
        typer.Option(help="How joints become people; repeat it for methods side by side: greedy, bipartite, ..."),
    ] = None,
    maximise_positives: MaximiseOption = False,
    first: Annotated[int | None, typer.Option(help="Only that many images that have labelled people.")] = None,
    metric: Annotated[str, typer.Option(help="Which figures, with commas: oks, pck, pckh.")] = "oks,pck,pckh",
) -> None:
    """Score a model on COCO-format labels: AP and AR by OKS, PCK, mAP by PCKh; writes a report, figures and curves."""
    from triskel.detect2d import load_detector
    from triskel.detect2d.datasets import read_dataset
    from triskel.detect2d.evaluation import EvaluationFacts, write_evaluation
    from triskel.detect2d.evaluation import evaluate as run

    metrics = _metrics(metric)
    if first is not None and first < 1:
        raise InputError(f"--first is 1 or more, got {first}")
    options = {
        "model": model,
        "net_size": net_size,
        "rotations": rotations,
        "mirror": mirror,
        "precision": precision,
        "device": device,
        "threads": threads,
        "maximise_positives": maximise_positives,
    }
    settings = _settings(scales or ["1", "0.7,1,1.3"], method or ["greedy"], options)
    check_folder(out or Path("evaluation"))
    read = read_dataset(dataset, images, first=first)
    detectors = [(name, load_detector(model, options=options)) for name, options in settings.items()]
    with progress_bars() as progress:
        evaluation = run(detectors, read, metrics=metrics, progress=progress)
    where = Path(dataset).resolve()
    named = where.parent.name if where.name == "keypoints.json" else where.stem
    facts = EvaluationFacts(
        model=_name(model),
        dataset=named,
        settings={name: asdict(options) for name, options in settings.items()},
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


def _settings(scales: list[str], methods: list[str], options: dict[str, Any]) -> "dict[str, DetectOptions]":
    """Return the options of each setting by its name: `3 scales`, with what tells it from others of that name."""
    wanted = [(given, method) for given in scales for method in methods]
    made = {(given, method): detect_options(scales=given, method=method, **options) for given, method in wanted}
    if len({(one.scales, method) for (_, method), one in made.items()}) != len(wanted):
        raise InputError(f"--scales and --method: each is given once, got {', '.join([*scales, *methods])}")
    factors = {given: made[given, methods[0]].scales for given in scales}
    counts = [len(factor) for factor in factors.values()]
    named = {}
    for (given, method), one in made.items():
        count = len(factors[given])
        name = f"{count} scale{'s' if count > 1 else ''}"
        if counts.count(count) > 1:
            name = f"scale{'s' if count > 1 else ''} {','.join(f'{factor:g}' for factor in factors[given])}"
        named[name if len(methods) == 1 else f"{name}, {method}"] = one
    return named


def _show(evaluation: "Evaluation") -> None:
    """Print the settings side by side, and what a reader must know."""
    from triskel.detect2d.evaluation.report import percent
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
    for note in notes_on(evaluation):
        say(note)
