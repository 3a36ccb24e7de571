"""COCO's figures: equal to pycocotools on files written here, and to a direct evaluation of the definition."""

import contextlib
import io
import json

import numpy as np
import pytest

from triskel import InputError
from triskel.detect2d.evaluation import coco_results, score_oks
from triskel.detect2d.evaluation.oks import DEFAULT_SIGMA, joint_sigmas
from triskel.skeleton import COCO_17, make_skeleton

from .labels import SIZE_WH, annotation

NAMES = (
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow left_wrist "
    "right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle"
).split()
# The published constants of the benchmark, written out a second time.
SIGMAS = np.array([26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]) / 1000


def scene(seed, *, images=8, ignored=False):
    """Return annotations, and per image detections (keypoints (M, 17, 3), scores): near, far, missing joints, false."""
    rng = np.random.default_rng(seed)
    annotations, detections = [], []
    for image in range(1, images + 1):
        found = []
        for _ in range(rng.integers(1, 5)):
            centre, size = rng.uniform(60, SIZE_WH[1] - 60, 2), rng.uniform(15, 55)
            xy = np.clip(centre + rng.uniform(-size, size, (17, 2)), 1, np.array(SIZE_WH) - 2)
            v = rng.choice([0, 1, 2], (17, 1), p=[0.2, 0.2, 0.6])
            v[0] = 2
            labels = np.concatenate([np.where(v > 0, xy, 0), v], axis=1)
            more = {"area": float(rng.uniform(600, 16000))}
            if ignored and rng.random() < 0.3:
                more["iscrowd"] = 1
            if ignored and rng.random() < 0.2:
                box = annotation(0, image, labels)["bbox"]
                labels, more["bbox"] = np.zeros((17, 3)), box
            annotations.append(annotation(len(annotations) + 1, image, labels, **more))
            if rng.random() < 0.85:
                seen = rng.random((17, 1)) < 0.9
                seen[0] = True
                guess = np.concatenate([xy + rng.normal(0, rng.uniform(0, 9), xy.shape), np.ones((17, 1))], axis=1)
                found.append(np.where(seen, guess, 0))
        for _ in range(rng.integers(0, 3)):
            false = rng.uniform(5, SIZE_WH[1] - 5, (17, 2))
            found.append(np.concatenate([false, np.full((17, 1), 0.5)], axis=1))
        detections.append((np.array(found).reshape(-1, 17, 3), rng.uniform(0.1, 1, len(found))))
    return annotations, detections


def plain_pycocotools(folder, results):
    """Return the ten figures as anybody gets them from two files."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    (folder / "results.json").write_text(json.dumps(results))
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(folder / "keypoints.json"))
        evaluation = COCOeval(truth, truth.loadRes(str(folder / "results.json")), "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("ignored", [False, True])
def test_figures_equal_a_plain_run_of_pycocotools_on_files(seed, ignored, ground_truth, people_of):
    """With crowds, people without labels, joints that were not found and false people."""
    annotations, detections = scene(seed, ignored=ignored)
    truth = ground_truth(NAMES, annotations, images=len(detections))
    people = [people_of(COCO_17.joints, *one) for one in detections]
    scores = score_oks(coco_results(people, truth), truth, joint_sigmas(COCO_17, {i: i for i in range(17)}))
    independent = [
        {"image_id": i + 1, "category_id": 1, "keypoints": k.ravel().tolist(), "score": float(s)}
        for i, (keypoints, values) in enumerate(detections)
        for k, s in zip(keypoints, values, strict=True)
    ]
    expected = plain_pycocotools(truth.annotations.parent, independent)
    expected = np.where(expected < 0, np.nan, expected)
    assert 0.05 < expected[0] < 0.9
    np.testing.assert_allclose(list(scores.figures.values()), expected, rtol=0, atol=1e-6)


def direct_ap(annotations, detections, threshold):
    """Average precision straight from the definition, for people none of whom is ignored."""
    outcome, people = [], len(annotations)
    for image, (keypoints, scores) in enumerate(detections, start=1):
        labels = [a for a in annotations if a["image_id"] == image]
        free = set(range(len(labels)))
        for m in np.argsort(-scores, kind="stable"):
            similarity = {}
            for n in free:
                g = np.array(labels[n]["keypoints"]).reshape(17, 3)
                d2 = ((keypoints[m, :, :2] - g[:, :2]) ** 2).sum(axis=1)
                similarity[n] = np.exp(-d2 / (8 * SIGMAS**2 * labels[n]["area"]))[g[:, 2] > 0].mean()
            best = max(similarity, key=similarity.get, default=None)
            hit = best is not None and similarity[best] >= threshold
            free -= {best} if hit else set()
            outcome.append((scores[m], hit))
    hits = np.array([hit for _, hit in sorted(outcome, key=lambda one: -one[0])])
    recall = hits.cumsum() / people
    precision = hits.cumsum() / np.arange(1, len(hits) + 1)
    # No tolerance for rounding at 7/20 and 0.35: pycocotools has none.
    reached = [precision[recall >= r].max(initial=0) for r in np.linspace(0, 1, 101)]
    return np.mean(reached), recall[-1]


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_figures_equal_a_direct_evaluation_of_the_definition(seed, ground_truth, people_of):
    annotations, detections = scene(seed)
    truth = ground_truth(NAMES, annotations, images=len(detections))
    scores = score_oks(coco_results([people_of(COCO_17.joints, *one) for one in detections], truth), truth, SIGMAS)
    thresholds = np.linspace(0.5, 0.95, 10)
    direct = np.array([direct_ap(annotations, detections, threshold) for threshold in thresholds])
    np.testing.assert_allclose([scores.ap, scores.figures["AR"]], direct.mean(axis=0), rtol=0, atol=1e-6)
    np.testing.assert_allclose([scores.figures["AP50"], scores.figures["AP75"]], direct[[0, 5], 0], rtol=0, atol=1e-6)
    np.testing.assert_allclose(scores.precision.mean(axis=1), direct[:, 0], rtol=0, atol=1e-6)


def body(x=100.0, y=100.0):
    return np.array([[x + 7 * (i % 5), y + 9 * (i // 5), 2] for i in range(17)], float)


def test_exact_detections_are_perfect(ground_truth, people_of):
    truth = ground_truth(NAMES, [annotation(1, 1, body()), annotation(2, 1, body(180)), annotation(3, 2, body(60, 40))])
    people = [people_of(COCO_17.joints, [body(180), body()]), people_of(COCO_17.joints, [body(60, 40)])]
    scores = score_oks(coco_results(people, truth), truth, SIGMAS)
    assert (scores.people, scores.ap, scores.figures["AR"]) == (3, pytest.approx(1), 1.0)
    assert scores.figures["APM"] == pytest.approx(1)  # 4000 px^2
    assert np.isnan(scores.figures["APL"])  # nobody is


@pytest.mark.parametrize(("similarity", "passed"), [(0.49, 0), (0.52, 1), (0.72, 5), (0.94, 9), (0.97, 10)])
def test_a_shift_passes_as_many_thresholds_as_its_similarity_says(similarity, passed, ground_truth, people_of):
    """One labelled joint, moved by the distance at which exp(-d^2 / (8 sigma^2 area)) is the similarity."""
    one = np.zeros((17, 3))
    one[9] = 150, 120, 2
    truth = ground_truth(NAMES, [annotation(1, 1, one, area=2500.0)], images=1)
    moved = one.copy()
    moved[9, 0] += np.sqrt(-np.log(similarity) * 8 * 0.062**2 * 2500)
    scores = score_oks(coco_results([people_of(COCO_17.joints, [moved])], truth), truth, SIGMAS)
    assert scores.ap == pytest.approx(passed / 10, abs=1e-9)
    assert scores.figures["AR"] == pytest.approx(passed / 10, abs=1e-9)


def test_joints_without_a_label_do_not_count(ground_truth, people_of):
    labels, guess = body(), body()
    labels[5:] = 0
    guess[5:, :2] += 90
    truth = ground_truth(NAMES, [annotation(1, 1, labels)], images=1)
    assert score_oks(coco_results([people_of(COCO_17.joints, [guess])], truth), truth, SIGMAS).ap == pytest.approx(1)


@pytest.mark.parametrize("more", [{"iscrowd": 1}, {}])
def test_people_to_ignore_are_neither_missed_nor_false(more, ground_truth, people_of):
    nothing = annotation(2, 1, np.zeros((17, 3)), bbox=[180.0, 100.0, 60.0, 60.0], **more)
    truth = ground_truth(NAMES, [annotation(1, 1, body()), nothing], images=1)
    without = [people_of(COCO_17.joints, [body()])]
    inside = [people_of(COCO_17.joints, [body(190), body()])]
    for people in (without, inside):
        scores = score_oks(coco_results(people, truth), truth, SIGMAS)
        assert (scores.people, scores.ap) == (1, pytest.approx(1))
    elsewhere = [people_of(COCO_17.joints, [body(10, 10), body()])]
    assert score_oks(coco_results(elsewhere, truth), truth, SIGMAS).ap == pytest.approx(0.5)


def test_nobody_found_is_zero(ground_truth, people_of):
    truth = ground_truth(NAMES, [annotation(1, 1, body())], images=1)
    scores = score_oks(coco_results([people_of(COCO_17.joints, [])], truth), truth, SIGMAS)
    assert (scores.ap, scores.figures["AR"]) == (0.0, 0.0)


def test_results_have_zeros_for_missing_joints_and_no_people_without_any(ground_truth, people_of):
    truth = ground_truth(NAMES, [annotation(1, 1, body())], images=1).select([0, 5, 6])
    hands_only, guess = np.zeros((17, 3)), body()
    hands_only[9] = 5, 5, 1
    guess[5] = 0
    results = coco_results([people_of(COCO_17.joints, [hands_only, guess], [0.9, 0.7])], truth)
    assert results == [
        {"image_id": 1, "category_id": 1, "keypoints": [100, 100, 2, 0, 0, 0, 107, 109, 2], "score": 0.7}
    ]


def test_nobody_with_a_label_is_an_error(ground_truth):
    labels = body()
    labels[:5] = 0
    truth = ground_truth(NAMES, [annotation(1, 1, labels)], images=1).select([0, 1])
    with pytest.raises(InputError, match="nobody has a label of nose, left_eye"):
        score_oks([], truth, SIGMAS[:2])


def test_a_skeleton_without_sigmas_takes_the_default():
    skeleton = make_skeleton("car", ("Front", "Back"), ((0, 1),))
    assert joint_sigmas(skeleton, {0: 1, 1: 0}).tolist() == [DEFAULT_SIGMA] * 2
    np.testing.assert_allclose(joint_sigmas(COCO_17, {i: i for i in range(17)}), SIGMAS, rtol=0, atol=1e-12)
