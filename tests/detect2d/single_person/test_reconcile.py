import numpy as np
import pytest

from triskel import InputError
from triskel.detect2d.crops import Crops
from triskel.detect2d.single_person import (
    ReconcileOptions,
    SinglePoses,
    can_be_reconciled,
    reconcile,
    to_body_25,
    unlike,
)
from triskel.keypoints import People2D
from triskel.skeleton import BODY_25, BODY_25B, COCO_18, HAND_21, MPII_15

WH = (640, 480)
REACH = 100.0


@pytest.fixture
def person(standing_person):
    """One person in BODY_25 out of COCO-18, all joints at score 0.35: both opinions weigh the same."""
    xy = standing_person(300, 250)
    keypoints = np.concatenate([xy, np.full((18, 1), 0.35)], axis=1)[None]
    return to_body_25(People2D(COCO_18, keypoints, np.array([0.8])))


def poses_of(xy, *, visibility=1.0, presence=0.9):
    """The second opinion (25, 2) on one person; small toes are not known."""
    xy = np.array(xy, dtype=float)[None]
    seen = np.where(np.isfinite(xy[..., 0]), visibility, 0.0)
    crops = Crops.upright(np.array([0]), np.array([[300.0, 264.0]]), np.array([250.0]))
    return SinglePoses(xy, seen, np.array([presence]), np.array([REACH]), crops)


def opinion(person, shift=(0.0, 0.0)):
    """The first opinion, shifted, with feet below the ankles."""
    xy = person.keypoints[0, :, :2] + shift
    for side in "LR":
        ankle = xy[BODY_25.index(f"{side}Ankle")]
        xy[BODY_25.index(f"{side}Heel")] = ankle + np.array([0, 10])
        xy[BODY_25.index(f"{side}BigToe")] = ankle + np.array([15, 10])
    return xy


ONE = np.array([0])


def test_joints_of_equal_weight_meet_halfway_and_feet_are_new(person):
    joined = reconcile(person, poses_of(opinion(person, (6, -2))), ONE, image_wh=WH)
    ears = [BODY_25.index(name) for name in ("LEar", "REar")]
    body = [i for i in range(19) if i not in ears]
    moved = joined.keypoints[0, :, :2] - person.keypoints[0, :, :2]
    np.testing.assert_allclose(moved[body], np.tile((3, -1), (len(body), 1)), atol=1e-9)
    assert np.linalg.norm(moved[ears], axis=1).max() < 1.0  # ears are the first opinion's
    for name in ("LHeel", "RBigToe"):
        i = BODY_25.index(name)
        np.testing.assert_allclose(joined.keypoints[0, i, :2], opinion(person, (6, -2))[i])
    assert np.isnan(joined.keypoints[0, BODY_25.index("LSmallToe"), 0])
    np.testing.assert_allclose(joined.keypoints[0, body, 2], (0.35 + 1.0) / 2)
    np.testing.assert_allclose(joined.keypoints[0, BODY_25.index("LHeel"), 2], 0.5)


def test_the_surer_opinion_weighs_more(person):
    keypoints = person.keypoints.copy()
    keypoints[0, :19, 2] = 0.9
    sure = People2D(BODY_25, keypoints, person.scores)
    moved = reconcile(sure, poses_of(opinion(person, (6, 0))), ONE, image_wh=WH).keypoints[0, 4, 0] - keypoints[0, 4, 0]
    weight = 0.9**2 / (0.9**2 + 0.35**2)
    np.testing.assert_allclose(moved, 6 * (1 - weight), rtol=1e-9)


def test_positions_far_apart_are_not_averaged(person):
    xy = opinion(person)
    wrist = BODY_25.index("LWrist")
    xy[wrist] += (0.25 * REACH, 0)
    for score, expected in ((0.2, xy[wrist]), (0.8, person.keypoints[0, wrist, :2])):
        keypoints = person.keypoints.copy()
        keypoints[0, wrist, 2] = score
        one = People2D(BODY_25, keypoints, person.scores)
        joined = reconcile(one, poses_of(xy, visibility=0.7), ONE, image_wh=WH).keypoints[0, wrist]
        np.testing.assert_allclose(joined[:2], expected)
        np.testing.assert_allclose(joined[2], score if score == 0.8 else 0.7)  # of the opinion that was taken


def test_a_joint_that_would_leave_the_image_stays_where_the_body_network_has_it(person):
    xy = opinion(person)
    ankle = BODY_25.index("LAnkle")
    keypoints = person.keypoints.copy()
    keypoints[0, ankle, :2] = (322, 478)
    xy[ankle] = (322, 481)
    joined = reconcile(People2D(BODY_25, keypoints, person.scores), poses_of(xy), ONE, image_wh=WH)
    np.testing.assert_allclose(joined.keypoints[0, ankle], keypoints[0, ankle])


def test_two_or_three_joints_that_agree_are_too_few(person):
    keypoints = np.full_like(person.keypoints, np.nan)
    keypoints[..., 2] = 0
    keypoints[0, :3] = person.keypoints[0, :3]
    few = People2D(BODY_25, keypoints, person.scores)
    joined = reconcile(few, poses_of(opinion(person)), ONE, image_wh=WH)
    np.testing.assert_array_equal(joined.keypoints, keypoints)


def test_a_better_ones_double_is_dropped_and_a_neighbour_is_not(person):
    one = person.keypoints
    two = np.concatenate([one, one + np.array([2, 1, 0]), one + np.array([25, 0, 0])])
    people = People2D(BODY_25, two, np.array([0.5, 0.9, 0.4]))
    assert unlike(people).tolist() == [1, 2]
    assert unlike(People2D.empty(BODY_25)).tolist() == []
    half = two.copy()
    half[0, 5:] = np.nan, np.nan, 0
    assert unlike(People2D(BODY_25, half, people.scores)).tolist() == [1, 0, 2]  # five joints say too little


@pytest.mark.parametrize("case", ["no person there", "somebody else"])
def test_an_opinion_of_nobody_or_somebody_else_changes_no_joint(person, case):
    if case == "no person there":
        poses = poses_of(opinion(person, (3, 3)), presence=0.4)
    else:
        poses = poses_of(opinion(person, (0.5 * REACH, 0)))
    joined = reconcile(person, poses, ONE, image_wh=WH)
    np.testing.assert_array_equal(joined.keypoints, person.keypoints)


def test_people_without_agreement_rank_lower(person):
    agree = reconcile(person, poses_of(opinion(person)), ONE, image_wh=WH)
    differ = reconcile(person, poses_of(opinion(person, (0.5 * REACH, 0))), ONE, image_wh=WH)
    np.testing.assert_allclose(agree.scores, person.scores)
    np.testing.assert_allclose(differ.scores, person.scores / 2)


def test_new_joints_lie_in_the_image_and_are_visible(person):
    xy = opinion(person)
    toe, heel = BODY_25.index("LBigToe"), BODY_25.index("LHeel")
    xy[toe] = (300, 481)
    poses = poses_of(xy)
    poses.visibility[0, heel] = 0.04
    joined = reconcile(person, poses, ONE, image_wh=WH)
    assert np.isnan(joined.keypoints[0, [toe, heel], 0]).all()
    assert (joined.keypoints[0, [toe, heel], 2] == 0).all()


def test_whoever_has_no_second_opinion_stays(person):
    none = poses_of(opinion(person)).take(np.zeros(0, np.intp))
    joined = reconcile(person, none, np.zeros(0, np.intp), image_wh=WH)
    np.testing.assert_array_equal(joined.keypoints, person.keypoints)


def test_body_25_gets_the_middle_of_the_hips_and_ranks_by_what_was_found(standing_person):
    keypoints = np.concatenate([standing_person(300, 250), np.full((18, 1), 0.5)], axis=1)[None]
    whole = to_body_25(People2D(COCO_18, keypoints, np.array([0.6])))
    np.testing.assert_allclose(whole.keypoints[0, BODY_25.index("MidHip")], (300, 264, 0.5))
    np.testing.assert_allclose(whole.scores, 0.6)
    keypoints[0, 9:] = np.nan, np.nan, 0
    half = to_body_25(People2D(COCO_18, keypoints, np.array([0.6])))
    assert np.isnan(half.keypoints[0, BODY_25.index("MidHip"), 0])
    np.testing.assert_allclose(half.scores, 0.6 * np.sqrt(0.5))


def test_only_bodies_can_be_looked_at_again():
    assert [can_be_reconciled(one) for one in (COCO_18, BODY_25, BODY_25B, MPII_15, HAND_21)] == [True] * 4 + [False]


def test_options_are_shares():
    with pytest.raises(InputError, match="least_presence is 0 to 1, got 2"):
        ReconcileOptions(least_presence=2)
