"""`triskel evaluate`: how good a model is on labelled images."""

import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from triskel.commands.show import OUT, progress_bars, say, table
from triskel.errors import InputError

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
    net_size: Annotated[
        str, typer.Option("--net-size", help="Shorter side of the network's input, px, or a box: 656x368, -1x368.")
    ] = "304",
    scales: Annotated[
        list[str] | None, typer.Option(help="Scales averaged; repeat it for settings side by side: 1 and 0.7,1,1.3.")
    ] = None,
    mirror: Annotated[bool, typer.Option(help="Average with the mirrored picture: steadier, twice the time.")] = True,
    precision: Annotated[str, typer.Option(help="auto, float32 or bfloat16.")] = "auto",
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1; CUDA where there is one by default.")] = None,
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
    base: dict[str, Any] = {**_net_size(net_size), "mirror": mirror, "precision": precision, "device": device}
    settings = _settings(scales or ["1", "0.7,1,1.3"], base)
    if out is not None and out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file; give the name of a folder")
    read = read_dataset(dataset, images, first=first)
    detectors = [(name, load_detector(model, options=options)) for name, options in settings.items()]
    with progress_bars() as progress:
        evaluation = run(detectors, read, metrics=metrics, progress=progress)
    where = Path(dataset).resolve()
    named = where.parent.name if where.name == "keypoints.json" else where.stem
    facts = EvaluationFacts(
        model=Path(model).stem if model.endswith(".safetensors") else model,
        dataset=named,
        settings={name: asdict(options) for name, options in settings.items()},
    )
    report = write_evaluation(out or Path("evaluation") / f"{facts.model}-{named}", evaluation, facts)
    _show(evaluation)
    say(f"report: {report}")


def _metrics(given: str) -> "tuple[Metric, ...]":
    from triskel.detect2d.evaluation import METRICS

    wanted = [part.strip() for part in given.split(",") if part.strip()]
    if not wanted or set(wanted) - set(METRICS):
        raise InputError(f"--metric is of {', '.join(METRICS)}, with commas; got {given!r}")
    return tuple(known for known in METRICS if known in wanted)


def _net_size(given: str) -> dict[str, Any]:
    """Return the options of `304` (shorter side) and `656x368` (box)."""
    found = re.fullmatch(r"(-1|\d+)(?:x(-1|\d+))?", given)
    if not found or (found[2] is None and found[1] == "-1"):
        raise InputError(
            f"--net-size is a shorter side, such as 304, or a box, such as 656x368 or -1x368; got {given!r}"
        )
    return {"short_side": int(found[1])} if found[2] is None else {"net_size": (int(found[1]), int(found[2]))}


def _settings(scales: list[str], base: dict[str, Any]) -> "dict[str, DetectOptions]":
    """Return the options of each setting by its name: `3 scales`, or the scales where two have as many."""
    from triskel.detect2d import DetectOptions
    from triskel.detect2d.options import Precision

    if base["precision"] not in get_args(Precision):
        raise InputError(f"--precision is {', '.join(get_args(Precision))}; got {base['precision']!r}")
    factors = []
    for given in scales:
        try:
            factors.append(tuple(float(part) for part in given.split(",")))
        except ValueError as error:
            raise InputError(f"--scales is numbers with commas, such as 0.7,1,1.3; got {given!r}") from error
    if len(set(factors)) != len(factors):
        raise InputError(f"--scales: each setting is given once, got {' and '.join(scales)}")
    counts = [len(factor) for factor in factors]
    made = {}
    for factor in factors:
        plural = "s" if len(factor) > 1 else ""
        name = f"{len(factor)} scale{plural}"
        if counts.count(len(factor)) > 1:
            name = f"scale{plural} {','.join(f'{one:g}' for one in factor)}"
        made[name] = DetectOptions(scales=factor, **base)
    return made


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
