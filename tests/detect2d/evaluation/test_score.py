import numpy as np
import pytest

from triskel import ConfigError
from triskel.detect2d.evaluation import joint_groups, score
from triskel.detect2d.evaluation.score import joints_left_out
from triskel.keypoints import People2D
from triskel.skeleton import BODY_25, COCO_18, HAND_21

from .labels import annotation

LSP = "RAnkle RKnee RHip LHip LKnee LAnkle RWrist RElbow RShoulder LShoulder LElbow LWrist Neck HeadTop".split()
COCO = (
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow left_wrist "
    "right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle"
).split()
FEET = ["left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel"]


def person(names, *, x=60.0, y=40.0):
    """Joints on a grid, 14 px apart."""
    return np.array([[x + 14 * (i % 6), y + 14 * (i // 6), 2] for i in range(len(names))], float)


def detection(skeleton, names, labels, *, scores=(0.8,)):
    """The labels (N, J, 3) as a model with that skeleton would find them; what has no label is missing."""
    keypoints = np.full((len(labels), len(skeleton), 3), np.nan)
    keypoints[..., 2] = 0
    plain = [name.replace("left_", "L").replace("right_", "R").replace("_", "").lower() for name in names]
    for i, joint in enumerate(skeleton.joints):
        if joint.lower() in plain:
            keypoints[:, i] = [one[plain.index(joint.lower())] for one in labels]
            keypoints[:, i, 2] = 0.7
    return People2D(skeleton, keypoints, np.array(scores))


def test_joints_in_the_style_of_lsp_meet_those_of_the_model(ground_truth):
    truth = ground_truth(LSP, [annotation(1, 1, person(LSP))], images=1)
    (body,) = joint_groups(COCO_18, truth)
    assert body.name == "body"
    assert {COCO_18.joints[i]: LSP[j] for i, j in body.joints.items()} == {joint: joint for joint in LSP[:-1]}
    ours, theirs = joints_left_out(COCO_18, truth)
    assert ours == ("Nose", "REye", "LEye", "REar", "LEar")
    assert theirs == ("HeadTop",)
    scores = score([detection(COCO_18, LSP, [person(LSP)])], truth, COCO_18)
    assert scores.oks["body"].ap == pytest.approx(1)
    assert scores.pckh.at() == scores.pck.at() == 1  # the head is measured by a label that the model does not know
    assert len(scores.pck.joints) == 13


def test_feet_are_scored_apart_from_the_body(ground_truth):
    names = [*COCO, *FEET]
    labels = person(names)
    without_feet = person(names, x=160)
    without_feet[17:] = 0
    truth = ground_truth(names, [annotation(1, 1, labels), annotation(2, 1, without_feet)], images=1)
    guess = np.stack([labels, person(names, x=160)])
    guess[0, 17:, 0] += 60  # far off, so that only the body is right
    scores = score([detection(BODY_25, names, guess, scores=(0.8, 0.6))], truth, BODY_25)
    assert list(scores.oks) == ["body", "foot"]
    assert scores.oks["body"].ap == pytest.approx(1)
    assert (scores.oks["foot"].people, scores.oks["foot"].ap) == (1, 0.0)
    assert scores.oks["foot"].joints == tuple(FEET)
    assert scores.headline()["AP"] == scores.oks["body"].ap


def test_a_data_set_with_body_joints_alone_has_no_feet(ground_truth):
    truth = ground_truth(COCO, [annotation(1, 1, person(COCO))], images=1)
    assert [group.name for group in joint_groups(BODY_25, truth)] == ["body"]


def test_what_was_not_asked_for_is_not_computed(ground_truth):
    truth = ground_truth(COCO, [annotation(1, 1, person(COCO))], images=1)
    scores = score([detection(COCO_18, COCO, [person(COCO)])], truth, COCO_18, metrics=("pck",))
    assert scores.oks == {}
    assert scores.pckh is None
    row = scores.headline()
    assert row["PCK@0.2"] == 1
    assert np.isnan([row["AP"], row["AR"], row["PCKh@0.5"]]).all()


def test_no_joint_in_common_is_an_error_that_lists_both_sides(ground_truth):
    truth = ground_truth(("front", "back"), [annotation(1, 1, [[5, 5, 2], [9, 9, 2]])], images=1)
    with pytest.raises(
        ConfigError, match=r"no joint of the model \(hand_21\); the data set has front, back, the model W"
    ):
        score([People2D.empty(HAND_21)], truth, HAND_21)
