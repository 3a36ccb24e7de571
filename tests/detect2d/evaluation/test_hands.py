"""PCK of hands against a direct computation, and whose hand is whose."""

import numpy as np
import pytest

from triskel.detect2d.evaluation.hands import hand_pck, score_hands
from triskel.keypoints import People2D
from triskel.skeleton import BODY_25, COCO_17, WHOLE_BODY_135

from .labels import annotation
from .whole_body import FIELDS, PARTS, annotated, detected, labels_of, without

SIDES = {"left": ("lefthand", "left_hand", 7), "right": ("righthand", "right_hand", 4)}


@pytest.fixture
def truth_of(ground_truth):
    """Return the function that gives the ground truth of annotations with COCO's 17 joints of the body."""
    return lambda annotations, **options: ground_truth(COCO_17.joints, annotations, **options)


def slow_pck(truth, people, side, reach):
    """Point by point; every person's detection is the one of the same place in the list."""
    field, part, wrist = SIDES[side]
    names = [*truth.joints]
    columns = [names.index(joint) for joint in FIELDS[field]]
    near = total = 0
    for image, found in zip(truth.images, people, strict=True):
        for n in range(len(image.keypoints)):
            labels = image.keypoints[n, columns]
            if not (labels[1:, 2] > 0).any():
                continue
            xs, ys = labels[labels[:, 2] > 0, 0], labels[labels[:, 2] > 0, 1]
            size = max(xs.max() - xs.min(), ys.max() - ys.min())
            for label, joint in zip(labels, [wrist, *PARTS[part]], strict=True):
                if label[2] > 0:
                    total += 1
                    x, y, score = found.keypoints[n, joint]
                    if score > 0 and ((x - label[0]) ** 2 + (y - label[1]) ** 2) ** 0.5 <= reach * size:
                        near += 1
    return near / total


@pytest.mark.parametrize("side", SIDES)
def test_pck_is_that_of_a_direct_computation(truth_of, side):
    people = [[labels_of(1), labels_of(2, at=(200, 60))], [labels_of(3)]]
    people[0][1]["lefthand"][5:9] = 0
    truth = truth_of([annotated(1, 1, people[0][0]), annotated(2, 1, people[0][1]), annotated(3, 2, people[1][0])])
    found = [detected(one, noise=4.0, seed=i) for i, one in enumerate(people)]
    keypoints = found[1].keypoints
    keypoints[0, PARTS["left_hand"][3:6]] = keypoints[0, PARTS["right_hand"][7:9]] = np.nan, np.nan, 0
    scores = score_hands(found, truth, WHOLE_BODY_135)
    for reach in (0.05, 0.1, 0.2, 0.3, 0.5):
        assert scores[side].pck.at(reach) == pytest.approx(slow_pck(truth, found, side, reach), abs=1e-12)
    assert 0.1 < scores[side].pck.at(0.05) < 0.9  # neither all nor nothing, so that the comparison can fail
    assert (scores[side].pck.people, scores[side].found, scores[side].pck.unmeasured) == (3, 3, 0)
    both = np.average(
        [one.pck.at() for one in scores.values()], weights=[one.pck.labelled.sum() for one in scores.values()]
    )
    assert hand_pck(scores) == pytest.approx(both)


@pytest.mark.parametrize(("dx", "within"), [(9.9, 1), (10.1, 0)])
def test_the_box_of_a_hand_goes_before_its_labels(truth_of, dx, within):
    """A box of 30 x 50 px: a fifth of its longer side is 10 px."""
    labels = labels_of(1)
    truth = truth_of(
        [annotated(1, 1, labels, lefthand_box=[100.5, 80.0, 30.0, 50.0], righthand_box=[0, 0, 0, 0])], images=1
    )
    found = detected([labels])
    found.keypoints[0, PARTS["left_hand"][4], 0] += dx
    scores = score_hands([found], truth, WHOLE_BODY_135)
    assert scores["left"].pck.at(0.2) == pytest.approx((20 + within) / 21)
    assert scores["right"].pck.at(0.2) == 1  # an empty box is none


def test_hands_that_are_not_valid_are_not_labels(truth_of):
    labels = labels_of(1)
    truth = truth_of([annotated(1, 1, labels, lefthand_valid=False)], images=1)
    assert list(score_hands([detected([labels])], truth, WHOLE_BODY_135)) == ["right"]


def test_missing_hands_and_missing_people_are_points_not_found(truth_of):
    people = [labels_of(1), labels_of(2, at=(200, 60))]
    truth = truth_of([annotated(1, 1, people[0]), annotated(2, 2, people[1])])
    found = without(detected(people[:1]), "left_hand")
    scores = score_hands([found, People2D.empty(WHOLE_BODY_135)], truth, WHOLE_BODY_135)
    assert (scores["left"].found, scores["right"].found) == (0, 1)
    assert scores["left"].pck.at() == pytest.approx(1 / 42)  # the wrist, which is the body's
    assert scores["right"].pck.at() == pytest.approx(21 / 42)


def test_a_hand_on_somebody_else_s_arm_is_not_found(truth_of):
    """Both bodies are right and their hands are swapped: all of them exist, none is in its place."""
    people = [labels_of(1), labels_of(2, at=(200, 60))]
    truth = truth_of([annotated(i + 1, 1, one) for i, one in enumerate(people)], images=1)
    swapped = [one | {hand: other[hand] for hand in ("lefthand", "righthand")} for one, other in (people, people[::-1])]
    for one, own in zip(swapped, people, strict=True):
        one["keypoints"] = own["keypoints"]
    scores = score_hands([detected(swapped)], truth, WHOLE_BODY_135)
    assert scores["left"].found == 2
    assert scores["left"].pck.at() == pytest.approx(2 / 42)  # the wrists
    assert score_hands([detected(people)], truth, WHOLE_BODY_135)["left"].pck.at() == 1


def test_people_whose_body_nobody_labelled_are_told_by_the_hand_itself(truth_of):
    people = [labels_of(1, body=False), labels_of(2, at=(200, 60), body=False)]
    truth = truth_of([annotated(i + 1, 1, one) for i, one in enumerate(people)], images=1)
    found = detected([labels_of(2, at=(200, 60)), labels_of(1)])  # the other order
    scores = score_hands([found], truth, WHOLE_BODY_135)
    assert scores["left"].pck.at() == scores["right"].pck.at() == 1
    far = detected([labels_of(1, at=(60, 150))])
    assert score_hands([far], truth, WHOLE_BODY_135)["left"].found == 0


def test_a_plain_file_may_list_the_points_of_hands_among_its_keypoints(ground_truth):
    names = ["left_wrist", *(f"left_{finger}_{i}" for finger in ("thumb", "index") for i in range(1, 5))]
    labels = np.c_[labels_of(5)["lefthand"][:9]]
    truth = ground_truth(names, [annotation(1, 1, labels)], images=1)
    assert truth.joints == tuple(names)
    scores = score_hands(
        [detected([{"lefthand": labels_of(5)["lefthand"], "keypoints": np.zeros((17, 3))}])], truth, WHOLE_BODY_135
    )
    assert list(scores) == ["left"]
    assert scores["left"].pck.at() == pytest.approx(8 / 9)  # there is no wrist in the detection
    assert scores["left"].pck.joints == tuple(names)


def test_crowds_and_models_without_hands_have_no_figures(truth_of):
    labels = labels_of(1)
    person, crowd = annotated(1, 1, labels | {"lefthand": labels["lefthand"] * 0}), annotated(2, 1, labels, iscrowd=1)
    truth = truth_of([person, crowd], images=1)
    assert list(score_hands([detected([labels])], truth, WHOLE_BODY_135)) == ["right"]
    assert score_hands([People2D.empty(BODY_25)], truth, BODY_25) == {}


def test_hands_of_a_single_label_cannot_be_measured(truth_of):
    labels = labels_of(1)
    labels["lefthand"][[0, *range(2, 21)]] = 0
    scores = score_hands([detected([labels])], truth_of([annotated(1, 1, labels)], images=1), WHOLE_BODY_135)
    assert (scores["left"].pck.people, scores["left"].pck.unmeasured) == (0, 1)
    assert np.isnan(scores["left"].pck.at())
    assert hand_pck({"left": scores["left"]}) != hand_pck({"left": scores["left"]})  # NaN
