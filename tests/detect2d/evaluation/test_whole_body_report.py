"""Hands and faces in the scores, the page, the numbers and the files of an evaluation."""

import csv
import json

import cv2
import numpy as np
import pytest

from triskel.detect2d.datasets import read_dataset
from triskel.detect2d.evaluation import Evaluation, EvaluationFacts, Run, read_ground_truth, score, write_evaluation
from triskel.detect2d.evaluation.score import joints_left_out
from triskel.keypoints import People2D
from triskel.skeleton import BODY_25, COCO_17, WHOLE_BODY_135

from .labels import write
from .whole_body import FIELDS, annotated, detected, labels_of

FACTS = EvaluationFacts(model="body", dataset="set")


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory):
    """Two people of COCO-WholeBody's kind, found exactly and with noise."""
    people = [labels_of(1), labels_of(2, at=(200, 60))]
    annotations = [annotated(i + 1, 1, one) for i, one in enumerate(people)]
    folder = write(tmp_path_factory.mktemp("set"), COCO_17.joints, annotations, images=1)
    truth = read_ground_truth(read_dataset(folder))
    found = [("exact", detected(people)), ("noisy", detected(people, noise=3.0))]
    runs = [Run(name, (one,), 5.0, score([one], truth, WHOLE_BODY_135)) for name, one in found]
    return Evaluation(truth, WHOLE_BODY_135, tuple(runs))


@pytest.fixture(scope="module")
def written(evaluation, tmp_path_factory):
    return write_evaluation(tmp_path_factory.mktemp("results") / "out", evaluation, FACTS).parent


def test_body_and_feet_keep_their_figures_and_hands_and_faces_have_their_own(evaluation):
    exact, noisy = (run.scores for run in evaluation.runs)
    assert list(exact.oks) == ["body", "foot"]
    assert (len(exact.oks["body"].joints), len(exact.oks["foot"].joints)) == (17, 6)
    assert exact.headline()["hand PCK@0.2"] == 1
    assert exact.headline()["face NME"] == pytest.approx(0, abs=1e-12)
    assert noisy.hand["left"].pck.at(0.05) < 1
    assert noisy.face.nme > 0.05


def test_the_summary_and_the_page_hold_them(evaluation, written):
    noisy = json.loads((written / "summary.json").read_text())["runs"][1]
    scores = evaluation.runs[1].scores
    assert noisy["hand"]["left"]["PCK@0.1"] == pytest.approx(scores.hand["left"].pck.at(0.1))
    assert noisy["hand"]["right"]["found"] == 2
    assert noisy["face"]["NME"] == pytest.approx(scores.face.nme)
    assert noisy["face"]["groups"] == pytest.approx(dict(scores.face.groups))
    page = (written / "report.html").read_text()
    assert "noisy, left" in page
    assert f"<td>{100 * scores.face.groups['mouth']:.1f}</td>" in page
    picture = cv2.imread(str(written / "part_curves.png"))
    coloured = picture.max(axis=2).astype(int) - picture.min(axis=2) > 80
    assert all(panel.sum() > 300 for panel in np.array_split(coloured, 3, axis=1))
    rows = list(csv.DictReader((written / "per_joint.csv").open()))
    assert len(rows) == 2 * 23  # PCK by the torso is of body and feet


def test_the_detections_have_the_benchmark_s_fields(evaluation, written):
    results = json.loads((written / "detections-exact.json").read_text())
    labels = evaluation.truth.images[0].keypoints[0]
    assert [len(results[0][f"{name}_kpts"]) for name in FIELDS] == [18, 204, 63, 63]
    everything = [results[0]["keypoints"], *(results[0][f"{name}_kpts"] for name in FIELDS)]
    got = np.concatenate([np.reshape(one, (-1, 3)) for one in everything])
    np.testing.assert_allclose(got[:, :2], labels[:, :2], atol=1e-9)


def test_files_without_hands_and_faces_have_no_word_of_them(evaluation, tmp_path):
    truth = evaluation.truth.select(range(17))
    people = evaluation.runs[0].people
    runs = (Run("one", people, 5.0, score(people, truth, WHOLE_BODY_135)),)
    page = write_evaluation(tmp_path, Evaluation(truth, WHOLE_BODY_135, runs), FACTS).read_text()
    assert "face NME" not in page
    assert not (tmp_path / "part_curves.png").exists()
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert not {"hand", "face"} & set(summary["runs"][0])
    assert "20 points of the left hand, 20 points of the right hand, 70 points of the face" in summary["notes"][0]


def test_a_set_of_hands_and_faces_alone_is_scored_without_a_body(write_dataset):
    labels = labels_of(1, body=False)
    truth = read_ground_truth(read_dataset(write_dataset(COCO_17.joints, [annotated(1, 1, labels)], images=1)))
    scores = score([detected([labels_of(1)])], truth, WHOLE_BODY_135)
    assert scores.oks == {}
    assert scores.headline()["hand PCK@0.2"] > 0.95
    assert np.isnan(scores.headline()["AP"])


def test_metrics_that_were_not_asked_for_are_not_computed(evaluation):
    people = evaluation.runs[0].people
    scores = score(people, evaluation.truth, WHOLE_BODY_135, metrics=("face",))
    assert (scores.hand, scores.oks, scores.pck) == ({}, {}, None)
    assert scores.face.labelled == 2


def test_a_body_model_has_no_figures_of_hands_and_the_joints_it_lacks_are_said(evaluation):
    scores = score([People2D.empty(BODY_25)], evaluation.truth, BODY_25)
    assert (scores.hand, scores.face) == ({}, None)
    ours, theirs = joints_left_out(BODY_25, evaluation.truth)
    assert ours == ("Neck", "MidHip")
    assert len(theirs) == 68 + 21 + 21
    assert joints_left_out(WHOLE_BODY_135, evaluation.truth) == (("Neck", "MidHip", "Face68", "Face69"), ())
