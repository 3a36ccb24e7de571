import cv2
import numpy as np
import pytest

from triskel import Rigid


def random_rigid(seed):
    rng = np.random.default_rng(seed)
    return Rigid.from_rotvec(rng.normal(0, 1, 3), rng.normal(0, 2, 3))


def test_chaining_equals_applying_one_after_the_other():
    a_from_b, b_from_c = random_rigid(1), random_rigid(2)
    X = np.random.default_rng(3).normal(size=(4, 5, 3))
    np.testing.assert_allclose((a_from_b @ b_from_c).apply(X), a_from_b.apply(b_from_c.apply(X)), rtol=0, atol=1e-13)


def test_inverse_undoes_the_transform():
    transform = random_rigid(4)
    both = transform @ transform.inverse
    np.testing.assert_allclose(both.R, np.eye(3), rtol=0, atol=1e-14)
    np.testing.assert_allclose(both.t, 0, rtol=0, atol=1e-14)


def test_centre_is_the_source_point_that_maps_to_the_origin():
    transform = random_rigid(5)
    np.testing.assert_allclose(transform.apply(transform.centre), 0, rtol=0, atol=1e-14)


def test_rotation_vector_is_opencvs_rvec():
    rvec = np.array([0.4, -1.1, 0.7])
    np.testing.assert_allclose(Rigid.from_rotvec(rvec, np.zeros(3)).R, cv2.Rodrigues(rvec)[0], rtol=0, atol=1e-14)
    np.testing.assert_allclose(Rigid.from_rotvec(rvec, np.zeros(3)).rotvec, rvec, rtol=0, atol=1e-14)


def test_missing_points_stay_missing():
    X = np.array([[1.0, 2, 3], [np.nan, np.nan, np.nan]])
    moved = random_rigid(6).apply(X)
    assert np.isfinite(moved[0]).all()
    assert np.isnan(moved[1]).all()


def test_rounding_in_a_rotation_is_repaired():
    R = random_rigid(7).R
    repaired = Rigid(R.round(5), np.zeros(3)).R
    np.testing.assert_allclose(repaired @ repaired.T, np.eye(3), rtol=0, atol=1e-14)
    np.testing.assert_allclose(repaired, R, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("R", "t", "words"),
    [
        (np.eye(3) * 1.01, np.zeros(3), "not a rotation"),
        (np.diag([1.0, 1, -1]), np.zeros(3), r"det -1.000 \(must be \+1\)"),
        (np.eye(4), np.zeros(3), r"R \(3, 3\) and t \(3,\), got \(4, 4\)"),
        (np.eye(3), np.zeros(4), r"got \(3, 3\) and \(4,\)"),
        (np.eye(3), [0, np.nan, 0], "finite"),
    ],
)
def test_what_is_no_rigid_transform_is_refused(R, t, words):
    with pytest.raises(ValueError, match=words):
        Rigid(R, t)


def test_a_transform_keeps_no_hold_on_the_arrays_it_was_given():
    R, t = np.eye(3), np.zeros(3)
    transform = Rigid(R, t)
    t[0] = 5
    assert transform.t[0] == 0
    with pytest.raises(ValueError, match="read-only"):
        transform.R[0, 0] = 2
