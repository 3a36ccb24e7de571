import contextlib
import csv
import io
import json
import re

import cv2
import numpy as np
import pytest

from triskel import InputError
from triskel.detect2d.datasets import read_dataset
from triskel.detect2d.evaluation import (
    Evaluation,
    EvaluationFacts,
    Run,
    read_ground_truth,
    score,
    write_evaluation,
)
from triskel.detect2d.evaluation.plots import _apart
from triskel.keypoints import People2D
from triskel.skeleton import COCO_17

from .labels import annotation, write

NAMES = [*COCO_17.joints]
FACTS = EvaluationFacts(
    model="<body>", dataset="set & more", settings={"1 scale": {"scales": (1.0,), "device": None}}, notes=("by hand",)
)


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory):
    """Two settings, the second noisier, on four people who stand far apart."""
    rng = np.random.default_rng(11)
    labels = [
        np.concatenate([rng.uniform([10 + 75 * i, 20], [70 + 75 * i, 200], (17, 2)), np.full((17, 1), 2)], axis=1)
        for i in range(4)
    ]
    annotations = [annotation(i + 1, 1, one, area=9000.0) for i, one in enumerate(labels)]
    truth = read_ground_truth(read_dataset(write(tmp_path_factory.mktemp("set"), NAMES, annotations, images=1)))
    runs = []
    for name, noise in (("1 scale", 2.0), ("3 scales", 9.0)):
        keypoints = np.stack(labels) + np.pad(rng.normal(0, noise, (4, 17, 2)), ((0, 0), (0, 0), (0, 1)))
        keypoints[..., 2] = 0.5
        keypoints[0, 3] = np.nan, np.nan, 0
        people = (People2D(COCO_17, keypoints, np.array([0.9, 0.8, 0.7, 0.6])),)
        runs.append(Run(name, people, 12.0, score(people, truth, COCO_17)))
    return Evaluation(truth, COCO_17, tuple(runs))


@pytest.fixture(scope="module")
def written(evaluation, tmp_path_factory):
    """Return the folder of results."""
    return write_evaluation(tmp_path_factory.mktemp("results") / "out", evaluation, FACTS).parent


def test_the_folder_holds_the_page_the_numbers_the_curves_and_the_detections(written):
    assert sorted(path.name for path in written.iterdir()) == [
        "detections-1-scale.json", "detections-3-scales.json", "pck_curves.png", "per_joint.csv", "pr_curves.png",
        "report.html", "summary.json",
    ]  # fmt: skip


def test_the_summary_holds_all_figures_and_null_where_there_is_none(evaluation, written):
    summary = json.loads((written / "summary.json").read_text())
    assert (summary["model"], summary["people"], summary["images"]) == ("<body>", 4, 1)
    assert summary["joints"]["body"] == NAMES
    assert summary["runs"][0]["options"] == {"scales": [1.0], "device": None}
    assert summary["versions"]["pycocotools"]
    for run, one in zip(evaluation.runs, summary["runs"], strict=True):
        assert one["ms_per_image"] == 12
        assert one["oks"]["body"]["AP"] == run.scores.oks["body"].ap
        assert one["headline"]["PCK@0.2"] == run.scores.pck.at()
        assert one["headline"]["PCKh@0.5"] is None
        assert np.interp(0.2, one["pck"]["torso_shares"], one["pck"]["curve"]) == pytest.approx(run.scores.pck.at())
    assert summary["notes"] == [
        "by hand", "PCKh: the data set does not tell the size of any head, so there is no PCKh"
    ]  # fmt: skip


def test_others_get_the_same_figures_from_the_detections_written(evaluation, written):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    summary = json.loads((written / "summary.json").read_text())
    for run, name in zip(summary["runs"], ("detections-1-scale.json", "detections-3-scales.json"), strict=True):
        with contextlib.redirect_stdout(io.StringIO()):
            truth = COCO(str(evaluation.truth.annotations))
            theirs = COCOeval(truth, truth.loadRes(str(written / name)), "keypoints")
            theirs.evaluate()
            theirs.accumulate()
            theirs.summarize()
        expected = [None if value < 0 else pytest.approx(value, abs=1e-6) for value in theirs.stats]
        assert list(run["oks"]["body"].values())[:10] == expected
    assert summary["runs"][0]["headline"]["AP"] > summary["runs"][1]["headline"]["AP"] > 0


def test_the_table_of_joints_has_a_row_for_each_joint_and_setting(evaluation, written):
    rows = list(csv.DictReader((written / "per_joint.csv").open()))
    assert [(row["setting"], row["joint"]) for row in rows] == [
        (run.name, joint) for run in evaluation.runs for joint in NAMES
    ]
    assert (rows[3]["labelled"], rows[3]["found"], rows[3]["pckh_0.5_ap"]) == ("4", "0.7500", "")
    assert float(rows[0]["pck_0.2"]) == pytest.approx(evaluation.runs[0].scores.pck.share[20, 0], abs=1e-4)


def test_the_page_stands_by_itself_and_escapes_names(evaluation, written):
    page = (written / "report.html").read_text()
    assert "&lt;body&gt; on set &amp; more" in page
    assert f"{100 * evaluation.runs[0].scores.oks['body'].ap:.1f}" in page
    sources = re.findall(r'(?:src|href)="([^"]{0,40})', page)
    assert [one for one in sources if not one.startswith("data:image/png;base64,")] == [
        "summary.json", "per_joint.csv", "detections-1-scale.json", "detections-3-scales.json"
    ]  # fmt: skip
    assert sum(one.startswith("data:") for one in sources) == 2
    assert "http" not in page


@pytest.mark.parametrize(("name", "panels"), [("pr_curves.png", 2), ("pck_curves.png", 2)])
def test_curves_are_drawn_in_their_colours(name, panels, written):
    image = cv2.imread(str(written / name))
    assert image.shape[1] > 700 * panels
    saturation = image.max(axis=2).astype(int) - image.min(axis=2)
    for half in np.array_split(saturation > 80, panels, axis=1):
        assert half.sum() > 500


def test_curves_that_were_not_asked_for_have_no_picture(evaluation, tmp_path):
    runs = tuple(
        Run(run.name, run.people, 1.0, score(run.people, evaluation.truth, COCO_17, metrics=("pckh",)))
        for run in evaluation.runs
    )
    write_evaluation(tmp_path, Evaluation(evaluation.truth, COCO_17, runs), FACTS)
    assert not list(tmp_path.glob("*.png"))
    assert "–" in (tmp_path / "report.html").read_text()  # noqa: RUF001 - the dash of the page


def test_a_file_in_the_place_of_the_folder_is_an_error(evaluation, tmp_path):
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(InputError, match="taken: is a file; give the name of a folder"):
        write_evaluation(tmp_path / "taken", evaluation, FACTS)
    assert (tmp_path / "taken").read_text() == "mine"


def test_names_beside_lines_are_kept_apart_in_their_order():
    rng = np.random.default_rng(5)
    for count in (1, 2, 5, 12):
        heights = rng.uniform(0.7, 0.8, count)
        placed = np.array(_apart(heights, gap=0.05))
        assert (np.argsort(placed) == np.argsort(heights)).all()
        assert (np.diff(np.sort(placed)) > 0.05 - 1e-9).all()
        assert placed.min() >= 0
        assert placed.max() <= 1
    assert _apart([0.1, 0.9], gap=0.05) == [0.1, 0.9]
