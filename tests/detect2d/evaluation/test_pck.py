"""PCK and PCKh on people small enough to count by hand."""

import numpy as np
import pytest

from triskel.detect2d.evaluation import score_pck, score_pckh
from triskel.detect2d.evaluation.pck import average_precision, pair_people

from .labels import annotation

JOINTS = ("HeadTop", "Neck", "LShoulder", "RHip", "LWrist")
# Head 20 px, torso 50 px.
PERSON = np.array([[100, 60, 2], [100, 80, 2], [115, 80, 2], [85, 120, 2], [140, 130, 2]], float)


def moved(dx, joint=None):
    out = PERSON.copy()
    out[..., 0][slice(None) if joint is None else joint] += dx
    return out


def test_exact_people_have_all_joints_at_any_reach(ground_truth, people_of):
    truth = ground_truth(JOINTS, [annotation(1, 1, PERSON), annotation(2, 1, moved(120))], images=1)
    people = [people_of(JOINTS, [moved(120), PERSON])]
    assert score_pck(people, truth).share.min() == 1
    assert score_pckh(people, truth).ap.min() == 1


@pytest.mark.parametrize(("dx", "within"), [(9.9, 1), (10.1, 0)])
def test_pck_allows_a_fifth_of_the_torso(dx, within, ground_truth, people_of):
    truth = ground_truth(JOINTS, [annotation(1, 1, PERSON)], images=1)
    pck = score_pck([people_of(JOINTS, [moved(dx, joint=4)])], truth)
    assert pck.at(0.2) == pytest.approx((4 + within) / 5)
    assert pck.at(0.5) == 1
    assert pck.present.tolist() == [1] * 5


@pytest.mark.parametrize(("dx", "within"), [(9.9, 1), (10.1, 0)])
def test_pckh_allows_half_of_the_head(dx, within, ground_truth, people_of):
    truth = ground_truth(JOINTS, [annotation(1, 1, PERSON)], images=1)
    pckh = score_pckh([people_of(JOINTS, [moved(dx, joint=4)])], truth)
    assert pckh.at(0.5) == pytest.approx((4 + within) / 5)
    assert pckh.at(1.0) == 1


def test_a_box_of_the_head_goes_before_the_joints(ground_truth, people_of):
    """The box's diagonal is 50, so that the head is 30 and half of it 15 px."""
    truth = ground_truth(JOINTS, [annotation(1, 1, PERSON, head_bbox=[80, 50, 30, 40])], images=1)
    for dx, within in ((14.9, 1), (15.1, 0)):
        pckh = score_pckh([people_of(JOINTS, [moved(dx, joint=4)])], truth)
        assert pckh.at(0.5) == pytest.approx((4 + within) / 5)


def test_missing_joints_and_missing_people_are_joints_not_found(ground_truth, people_of):
    truth = ground_truth(JOINTS, [annotation(1, 1, PERSON), annotation(2, 2, PERSON)])
    guess = PERSON.copy()
    guess[4] = 0
    pck = score_pck([people_of(JOINTS, [guess]), people_of(JOINTS, [])], truth)
    assert pck.at() == pytest.approx(4 / 10)
    assert pck.labelled.tolist() == [2] * 5
    assert pck.present.tolist() == [1, 1, 1, 1, 0]


def test_unlabelled_joints_do_not_count(ground_truth, people_of):
    labels = PERSON.copy()
    labels[4] = 0
    truth = ground_truth(JOINTS, [annotation(1, 1, labels)], images=1)
    people = [people_of(JOINTS, [moved(50, joint=4)])]
    pck, pckh = score_pck(people, truth), score_pckh(people, truth)
    assert pck.at() == pckh.at() == 1
    assert np.isnan(pck.share[:, 4]).all()
    assert np.isnan(pckh.ap[:, 4]).all()


def test_a_false_person_costs_precision_only_where_it_ranks_first(ground_truth, people_of):
    truth = ground_truth(JOINTS, [annotation(1, 1, PERSON)], images=1)
    for score, expected in ((1.0, 0.5), (0.1, 1.0)):
        false = moved(150)
        false[:, 2] = score
        guess = PERSON.copy()
        guess[:, 2] = 0.5
        pckh = score_pckh([people_of(JOINTS, [guess, false])], truth)
        assert pckh.at() == pytest.approx(expected)
        assert score_pck([people_of(JOINTS, [guess, false])], truth).at() == 1


def test_detections_in_somebody_ignored_are_not_judged(ground_truth, people_of):
    crowd = annotation(2, 1, np.zeros((5, 3)), bbox=[200.0, 40.0, 110.0, 120.0], iscrowd=1)
    truth = ground_truth(JOINTS, [annotation(1, 1, PERSON), crowd], images=1)
    inside = moved(150)
    guess = PERSON.copy()
    guess[:, 2] = 0.5
    assert score_pckh([people_of(JOINTS, [guess, inside])], truth).at() == 1


def test_sizes_that_nothing_tells_give_no_figure(ground_truth, people_of):
    labels = PERSON.copy()
    labels[[0, 3]] = 0
    truth = ground_truth(JOINTS, [annotation(1, 1, labels)], images=1)
    people = [people_of(JOINTS, [PERSON])]
    pck, pckh = score_pck(people, truth), score_pckh(people, truth)
    assert (pck.people, pck.unmeasured, pckh.people, pckh.unmeasured) == (0, 1, 0, 1)
    assert np.isnan([pck.at(), pckh.at()]).all()


def test_average_precision_by_hand():
    """Hits at ranks 1, 3, 4 of 4 people: precision 1, then 3/4 over two quarters; the last quarter is not reached."""
    ranked = average_precision(np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, False, True, True]), 4)
    assert ranked == pytest.approx(0.25 * (1 + 0.75 + 0.75))
    assert average_precision(np.zeros(0), np.zeros(0, bool), 3) == 0


def test_pairs_go_to_the_best_match_and_are_taken_once():
    near, far = PERSON.copy(), moved(6)
    partner = pair_people(np.array([far, near]), np.array([PERSON, moved(300)]), np.array([10.0, 10.0]))
    assert partner.tolist() == [0, -1]  # both are within reach with all joints: the better ranked one is taken
    spoiled = far.copy()
    spoiled[4, 0] += 100
    assert pair_people(np.array([spoiled, near]), PERSON[None], np.array([10.0])).tolist() == [1]
    assert pair_people(near[None], np.array([PERSON, PERSON]), np.array([10.0, 10.0])).tolist() == [0, -1]


def test_curves_grow_with_the_distance_allowed(ground_truth, people_of):
    rng = np.random.default_rng(7)
    labels = [annotation(i, 1 + i % 2, moved(30 * i)) for i in range(1, 6)]
    truth = ground_truth(JOINTS, labels)
    noisy = [[moved(30 * i) + np.pad(rng.normal(0, 6, (5, 2)), ((0, 0), (0, 1))) for i in range(1, 6) if 1 + i % 2 == k]
             for k in (1, 2)]  # fmt: skip
    people = [people_of(JOINTS, one) for one in noisy]
    for curve in (score_pck(people, truth).curve, score_pckh(people, truth).curve):
        assert (np.diff(curve) >= 0).all()
        assert curve[0] < 0.1
        assert curve[-1] > 0.9
