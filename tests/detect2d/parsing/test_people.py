import numpy as np
import pytest

from triskel.detect2d.parsing.people import keep_people

COUNTED = np.array([True] * 6 + [False] * 2)  # six parts and two feet


def keep(members, *, score=0.8, total=None, limbs=None, fewest=3, least=0.4, xy=None):
    """Keep people whose candidates lie on a diagonal, or at `xy`."""
    members = np.array(members, np.int64)
    count = int(members.max()) + 1
    xy = np.stack([np.arange(count), np.arange(count)], axis=-1).astype(float) if xy is None else xy
    parts = (members >= 0).sum(axis=1)
    limbs = parts - 1 if limbs is None else np.array(limbs)
    total = 0.9 * limbs if total is None else np.array(total, float)
    scores = np.full(count, score) if np.isscalar(score) else np.array(score, float)
    return keep_people(members, total, limbs, xy, scores, COUNTED, fewest, least, 8.0)


def test_the_score_is_the_mean_over_parts_and_limbs():
    keypoints, scores = keep([[0, 1, 2, -1, -1, -1, -1, -1]], score=0.6, total=[1.0], limbs=[2])
    assert scores.tolist() == pytest.approx([(3 * 0.6 + 1.0) / 5])
    np.testing.assert_allclose(keypoints[0, 2], [2.5 * 8 - 0.5, 2.5 * 8 - 0.5, 0.6])
    assert np.isnan(keypoints[0, 3:, :2]).all()
    assert (keypoints[0, 3:, 2] == 0).all()


@pytest.mark.parametrize(("total", "kept"), [(0.30, 0), (0.31, 1)])
def test_least_score_is_compared_with_the_sum_over_the_parts(total, kept):
    assert len(keep([[0, 1, 2, -1, -1, -1, -1, -1]], score=0.3, total=[total], limbs=[2])[1]) == kept


def test_feet_do_not_count_toward_the_fewest_parts_of_a_person():
    body = [0, 1, 2, 3, 4, 5, 6, 7]
    two_and_feet = [8, 9, -1, -1, -1, -1, 10, 11]
    keypoints, _ = keep([body, two_and_feet])
    assert len(keypoints) == 1
    assert np.isfinite(keypoints[0, :, 0]).all()


def test_somebody_with_feet_and_four_other_parts_or_fewer_is_dropped_beside_a_person():
    body = [0, 1, 2, 3, 4, 5, -1, -1]
    assert len(keep([body, [6, 7, 8, 9, -1, -1, 10, -1]])[1]) == 1
    assert len(keep([body, [6, 7, 8, 9, 10, -1, 11, -1]])[1]) == 2
    assert len(keep([body, [6, 7, 8, 9, -1, -1, -1, -1]])[1]) == 2


def test_where_only_feet_are_in_the_picture_they_are_found():
    keypoints, _ = keep([[0, -1, -1, -1, -1, -1, 1, 2]])
    assert len(keypoints) == 1


def test_of_equal_scores_the_larger_person_comes_first():
    xy = np.array([[0, 0], [1, 1], [2, 1], [10, 10], [15, 20], [20, 30]], float)
    keypoints, _ = keep([[0, 1, 2, -1, -1, -1, -1, -1], [3, 4, 5, -1, -1, -1, -1, -1]], xy=xy)
    assert keypoints[0, 0, 0] == pytest.approx(10.5 * 8 - 0.5)


def test_faint_joints_do_not_make_a_person_large():
    xy = np.array([[0, 0], [4, 4], [6, 6], [10, 10], [12, 12], [60, 60]], float)
    score = [0.8, 0.8, 0.8, 0.8, 0.8, 0.04]
    people = [[0, 1, 2, -1, -1, -1, -1, -1], [3, 4, 5, -1, -1, -1, -1, -1]]
    keypoints, _ = keep(people, xy=xy, score=score, total=[1.8, 2.56])  # both have a sum of 4.2
    assert keypoints[0, 0, 0] == pytest.approx(0.5 * 8 - 0.5)
