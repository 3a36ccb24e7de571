"""An evaluation as plain numbers: what `summary.json` and `per_joint.csv` hold and the page shows."""

import math
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triskel.detect2d.datasets.part_labels import part_columns
from triskel.detect2d.evaluation.oks import DEFAULT_SIGMA, joint_sigmas
from triskel.detect2d.evaluation.part_summary import part_figures, part_notes
from triskel.detect2d.evaluation.pck import PCK_REACH, PCKH_REACH
from triskel.detect2d.evaluation.run import Evaluation, Run
from triskel.detect2d.evaluation.score import joint_groups, joints_left_out
from triskel.whole_body import PARTS

MOST_NAMES = 4  # of points of a hand or face, which are called by number
_LIBRARIES = ("triskel", "torch", "numpy", "pycocotools", "opencv-contrib-python")


@dataclass(frozen=True, kw_only=True)
class JointRow:
    """One joint in one setting: shares 0 to 1, NaN where they were not computed or nothing could be measured.

    Attributes:
        joint: as the data set calls it.
        labelled: labels of people with a measured torso (with a head, if PCK was not computed).
        found: the share that the paired detection has, near or far.
        pck: the share within 0.2 of the torso.
        pckh_ap: average precision within 0.5 of the head.
    """

    setting: str
    joint: str
    labelled: int
    found: float
    pck: float
    pckh_ap: float


@dataclass(frozen=True, kw_only=True)
class EvaluationFacts:
    """What the figures are about.

    Attributes:
        model: name or file.
        dataset: name or file.
        settings: options of each run, by its name.
        notes: lines for whoever reads the figures: joints left out, sizes that could not be measured.
    """

    model: str
    dataset: str
    settings: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def notes_on(evaluation: Evaluation) -> tuple[str, ...]:
    """Return what a reader of the figures must know: joints not compared, people not measured."""
    ours, theirs = joints_left_out(evaluation.skeleton, evaluation.truth)
    notes = []
    if theirs:
        notes.append(f"not compared, the model lacks them: {_listed(theirs)}")
    if ours:
        notes.append(f"not compared, the data set does not label them: {_listed(ours)}")
    scores = evaluation.runs[0].scores
    if scores.oks and evaluation.skeleton.sigmas is None:
        notes.append(f"OKS takes a spread of {DEFAULT_SIGMA:g} for every joint: the skeleton has no sigmas")
    if "foot" in scores.oks and len(scores.oks) > 1:
        notes.append("feet are scored apart from the body, as foot AP")
    for name, size, result in (("PCK", "torso", scores.pck), ("PCKh", "head", scores.pckh)):
        if result and not result.people:
            notes.append(f"{name}: the data set does not tell the size of any {size}, so there is no {name}")
        elif result and result.unmeasured:
            notes.append(f"{name}: {result.unmeasured} of {evaluation.truth.people} people have no {size} to measure")
    return (*notes, *part_notes(scores))


def _listed(joints: Sequence[str]) -> str:
    """Return joints by name, but how many of a hand or a face where there are many."""
    words, rest = [], set(range(len(joints)))
    for part in PARTS[1:]:
        columns = {i for k, i in part_columns(joints, part).items() if k or part == "face"}
        if len(columns) > MOST_NAMES:
            words.append(f"{len(columns)} points of the {part.replace('_', ' ')}")
            rest -= columns
    return ", ".join([*(joints[i] for i in sorted(rest)), *words])


def joint_rows(run: Run) -> list[JointRow]:
    """Return the figures of each joint, by PCK and PCKh; no rows where neither was computed."""
    pck, pckh = run.scores.pck, run.scores.pckh
    known = pck or pckh
    if known is None:
        return []

    def at(curves: NDArray[np.float64], reaches: NDArray[np.float64], reach: float) -> list[float]:
        return [float(np.interp(reach, reaches, column)) for column in curves.T]

    nothing = [math.nan] * len(known.joints)
    shares = at(pck.share, pck.reaches, PCK_REACH) if pck else nothing
    precisions = at(pckh.ap, pckh.reaches, PCKH_REACH) if pckh else nothing
    return [
        JointRow(
            setting=run.name,
            joint=joint,
            labelled=int(known.labelled[j]),
            found=float(pck.present[j] / pck.labelled[j]) if pck and pck.labelled[j] else math.nan,
            pck=shares[j],
            pckh_ap=precisions[j],
        )
        for j, joint in enumerate(known.joints)
    ]


def per_joint_csv(evaluation: Evaluation) -> str:
    """Return the joints' figures as CSV; blank where there is none."""
    lines = ["setting,joint,labelled,found,pck_0.2,pckh_0.5_ap"]
    for run in evaluation.runs:
        for row in joint_rows(run):
            cells = ("" if math.isnan(value) else f"{value:.4f}" for value in (row.found, row.pck, row.pckh_ap))
            lines.append(",".join((f'"{row.setting}"', row.joint, str(row.labelled), *cells)))
    return "\n".join(lines) + "\n"


def summary_json(evaluation: Evaluation, facts: EvaluationFacts) -> dict[str, Any]:
    """Return everything as JSON knows it: figures 0 to 1, null where there is none."""
    truth, skeleton = evaluation.truth, evaluation.skeleton
    groups = joint_groups(skeleton, truth)
    ignored = sum(int(image.ignored.sum()) for image in truth.images)
    summary = {
        "model": facts.model,
        "skeleton": skeleton.name,
        "dataset": facts.dataset,
        "annotations": str(truth.annotations),
        "images": len(truth.images),
        "people": truth.people,
        "people_ignored": ignored,
        "joints": {group.name: [truth.joints[i] for i in group.joints.values()] for group in groups},
        "sigmas": {
            truth.joints[theirs]: float(sigma)
            for group in groups
            for theirs, sigma in zip(group.joints.values(), joint_sigmas(skeleton, group.joints), strict=True)
        },
        "notes": list(facts.notes),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"system": platform.platform(), "python": platform.python_version()},
        "versions": dict(_versions()),
        "runs": [_run(run) | {"options": dict(facts.settings.get(run.name, {}))} for run in evaluation.runs],
    }
    return dict(_plain(summary))


def _run(run: Run) -> dict[str, Any]:
    scores = run.scores
    made: dict[str, Any] = {
        "name": run.name,
        "ms_per_image": run.ms_per_image,
        "people_found": sum(map(len, run.people)),
        "headline": scores.headline(),
        "oks": {group: {**oks.figures, "people": oks.people} for group, oks in scores.oks.items()},
    }
    if scores.pck:
        pck = scores.pck
        made["pck"] = {"people": pck.people, "unmeasured": pck.unmeasured, "PCK@0.2": pck.at()}
        made["pck"] |= {"torso_shares": pck.reaches, "curve": pck.curve}
    if scores.pckh:
        pckh = scores.pckh
        made["pckh"] = {"people": pckh.people, "unmeasured": pckh.unmeasured, "PCKh@0.5": pckh.at()}
        made["pckh"] |= {"head_shares": pckh.reaches, "curve": pckh.curve}
    made |= part_figures(scores)
    made["joints"] = [
        {"joint": row.joint, "labelled": row.labelled, "found": row.found, "PCK@0.2": row.pck, "PCKh@0.5": row.pckh_ap}
        for row in joint_rows(run)
    ]
    return made


def _versions() -> Iterator[tuple[str, str]]:
    for name in _LIBRARIES:
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:  # another build of the same module
            continue


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a summary holds
    """Return arrays as lists, NaN as None, and what JSON does not know as text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, np.ndarray):
        return [_plain(one) for one in value.tolist()]
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)
