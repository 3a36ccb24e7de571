"""The files of an evaluation: a page, the numbers, the curves, and the detections for others to score."""

import base64
import json
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from triskel.detect2d.evaluation.oks import results_file
from triskel.detect2d.evaluation.part_plots import plot_parts
from triskel.detect2d.evaluation.part_summary import face_rows, hand_rows, percent
from triskel.detect2d.evaluation.plots import plot_pck, plot_precision_recall
from triskel.detect2d.evaluation.run import Evaluation
from triskel.detect2d.evaluation.summary import EvaluationFacts, joint_rows, notes_on, per_joint_csv, summary_json
from triskel.errors import InputError
from triskel.files import write_text

TEMPLATE = "report.html.j2"


def write_evaluation(folder: str | Path, evaluation: Evaluation, facts: EvaluationFacts) -> Path:
    """Write `report.html`, `summary.json`, `per_joint.csv`, `detections-*.json` and the curves.

    The curves are `pr_curves.png`, `pck_curves.png` and, of hands and faces, `part_curves.png`; what was not asked for,
    or could not be measured, has no picture. Each file is complete or not there.

    Args:
        folder: where to; created when missing.
        evaluation: the figures.
        facts: model, data set and settings; their notes are added to those the figures need.

    Returns:
        The page.

    Raises:
        InputError: the folder cannot be written.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; give the name of a folder")
    for run in evaluation.runs:
        results = results_file(run.people, evaluation.truth)
        write_text(folder / f"detections-{_slug(run.name)}.json", json.dumps(results))
    summary = summary_json(evaluation, facts)
    summary["notes"] += notes_on(evaluation)
    write_text(folder / "summary.json", json.dumps(summary, indent=1, allow_nan=False) + "\n")
    write_text(folder / "per_joint.csv", per_joint_csv(evaluation))
    drawn = (
        ("Precision over recall", plot_precision_recall(evaluation, folder / "pr_curves.png")),
        ("Joints found over the distance allowed", plot_pck(evaluation, folder / "pck_curves.png")),
        ("Hands and faces over the distance allowed", plot_parts(evaluation, folder / "part_curves.png")),
    )
    pictures = [(caption, path) for caption, path in drawn if path is not None]
    write_text(folder / "report.html", _render(evaluation, facts, pictures, summary["notes"]))
    return folder / "report.html"


def figure_cells(values: Mapping[str, float]) -> dict[str, str]:
    """Return the headline for readers: percent with one decimal, a dash where there is none."""
    return {name: percent(value) for name, value in values.items()}


def _render(evaluation: Evaluation, facts: EvaluationFacts, pictures: list[tuple[str, Path]], notes: list[str]) -> str:
    """Return the page; all text is escaped, the pictures are in it."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["percent"] = percent
    source = resources.files("triskel.detect2d.evaluation").joinpath(TEMPLATE).read_text(encoding="utf-8")
    runs = evaluation.runs
    feet = {run.name: run.scores.oks["foot"] for run in runs if "foot" in run.scores.oks and len(run.scores.oks) > 1}
    return environment.from_string(source).render(
        facts=facts,
        truth=evaluation.truth,
        skeleton=evaluation.skeleton,
        columns=list(runs[0].scores.headline()),
        runs=[(run.name, figure_cells(run.scores.headline()), f"{run.ms_per_image:.0f}") for run in runs],
        feet=[(name, figure_cells(oks.figures)) for name, oks in feet.items()],
        hands=hand_rows(runs),
        faces=face_rows(runs),
        joints=[(row, [joint_rows(run)[j] for run in runs]) for j, row in enumerate(joint_rows(runs[0]))],
        with_heads=any(run.scores.pckh and run.scores.pckh.people for run in runs),
        pictures=[
            (caption, f"data:image/png;base64,{base64.b64encode(p.read_bytes()).decode()}") for caption, p in pictures
        ],
        notes=notes,
        files=["summary.json", "per_joint.csv", *(f"detections-{_slug(run.name)}.json" for run in runs)],
    )


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-")
