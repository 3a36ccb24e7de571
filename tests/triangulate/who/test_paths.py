import numpy as np
import pytest

from triskel.triangulate.who.paths import FASTEST_M_S, FORGOTTEN_S, NOISE_M, SPEED_CHANGE_M_S, Paths

BODY = np.random.default_rng(0).uniform(-0.5, 0.5, (8, 3))
STEP = np.array([0.05, 0.0, 0.0])
ONE = np.array([0])


def walked(steps, *, dt=0.05):
    """Return the paths of one person who walks 1 m/s along x and was seen so many times, the last at time 0."""
    paths = Paths(joints=8)
    paths.add((BODY - (steps - 1) * STEP)[None], -(steps - 1) * dt)
    for k in range(steps - 2, -1, -1):
        paths.observe(ONE, (BODY - k * STEP)[None], -k * dt)
    return paths


def test_a_walker_is_expected_straight_on():
    X, slack_m = walked(6).expected(0.1)
    np.testing.assert_allclose(X[0], BODY + 2 * STEP, rtol=0, atol=1e-9)
    assert slack_m == pytest.approx([NOISE_M + SPEED_CHANGE_M_S * 0.1])


def test_someone_seen_once_may_be_anywhere_near():
    X, slack_m = walked(1).expected(0.05)
    np.testing.assert_array_equal(X[0], BODY)
    assert slack_m[0] > 0.2


def test_a_limb_goes_its_own_way_only_for_a_moment():
    paths = walked(6)
    paths.velocity[0, 3] += (0, 4.0, 0)
    X, _ = paths.expected(0.5)
    assert X[0, 3, 1] - BODY[3, 1] == pytest.approx(0.4)  # 0.1 s of 4 m/s, then along with the body
    assert X[0, 3, 0] - BODY[3, 0] == pytest.approx(0.5)


def test_a_joint_that_went_unseen_moves_along_and_is_forgotten_later():
    paths = walked(6)
    for k in range(1, 15):
        seen = BODY + k * STEP
        seen[5] = np.nan
        paths.observe(ONE, seen[None], k * 0.05)
        X, _ = paths.expected(k * 0.05)
        if k * 0.05 <= FORGOTTEN_S:
            np.testing.assert_allclose(X[0, 5], BODY[5] + k * STEP, rtol=0, atol=1e-6)
    assert np.isnan(X[0, 5]).all()
    assert np.isfinite(X[0, :5]).all()


def test_time_may_run_backwards_and_stand_still():
    paths = Paths(joints=8)
    paths.add(BODY[None], 10.0)
    paths.observe(ONE, (BODY - STEP)[None], 9.95)
    X, _ = paths.expected(9.9)
    np.testing.assert_allclose(X[0], BODY - 2 * STEP, rtol=0, atol=1e-9)
    paths.observe(ONE, BODY[None], 9.95)
    assert np.isfinite(paths.expected(9.95)[0]).all()


def test_a_jump_does_not_become_a_speed():
    paths = Paths(joints=8)
    paths.add(BODY[None], 0.0)
    paths.observe(ONE, (BODY + np.array([5.0, 0, 0]))[None], 0.01)
    assert np.abs(paths.velocity).max() == FASTEST_M_S


def test_people_are_kept_apart_and_forgotten_one_by_one():
    paths = walked(4)
    paths.add((BODY + 1.0)[None], 0.0)
    assert len(paths) == 2
    assert paths.sightings.tolist() == [4, 1]
    paths.select(np.array([False, True]))
    np.testing.assert_array_equal(paths.expected(0.0)[0][0], BODY + 1.0)
