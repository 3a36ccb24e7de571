import numpy as np
import pytest

from triskel.triangulate.over_time.outliers import outliers, path_of


def found(X, time_s, sigma_m=0.003):
    return outliers(X, time_s, np.full(X.shape[:2], sigma_m), n_sigma=6.0, least_m=0.03)


@pytest.fixture
def walk(walker):
    """One second and a half of a walk with 3 mm of noise, (F, 25, 3), and its times."""

    def build(fps=60.0, frames=180):
        X = walker(frames, fps)[:, 0]
        return X + np.random.default_rng(0).normal(0, 0.003, X.shape), np.arange(frames) / fps

    return build


@pytest.mark.parametrize("fps", [25.0, 60.0, 120.0])
def test_samples_off_their_path_are_found_and_no_others(walk, fps):
    X, time_s = walk(fps)
    off = np.zeros(X.shape[:2], bool)
    off[40, 4] = off[80:82, 7] = off[120, 19] = True
    X[off] += (0.15, -0.1, 0.1)
    np.testing.assert_array_equal(found(X, time_s), off)


@pytest.mark.parametrize("fps", [25.0, 60.0])
def test_beside_gaps_nothing_is_taken_for_off(walk, fps):
    X, time_s = walk(fps)
    for j in range(25):
        for first in range(10 + j % 5, 170, 17):
            X[first : first + 5, j] = np.nan
    assert not found(X, time_s).any()


@pytest.mark.parametrize("fps", [30.0, 60.0])
def test_a_punch_is_no_outlier(walk, fps):
    """Half a metre in a quarter of a second from rest to rest: up to 46 m/s^2."""
    X, time_s = walk(fps)
    u = np.clip((time_s - 1.5) / 0.25, 0, 1)
    X[:, 4, 1] += 0.5 * (10 * u**3 - 15 * u**4 + 6 * u**5)
    assert not found(X, time_s).any()


def test_off_by_less_than_matters_or_than_the_noise_stays(walk):
    X, time_s = walk()
    X[50, 4] += 0.02
    assert not found(X, time_s).any()
    X[50, 4] += 0.1
    assert found(X, time_s)[50, 4]
    assert not found(X, time_s, sigma_m=0.05).any()


def test_a_steady_movement_at_uneven_times_is_its_own_path():
    time_s = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.03, 50))
    X = time_s[:, None, None] * np.array([1.0, -2.0, 0.5])
    path, usual_m = path_of(X, time_s)
    np.testing.assert_allclose(path, X, rtol=0, atol=1e-12)
    assert usual_m.max() < 1e-12


@pytest.mark.parametrize("frames", [0, 1, 2, 3])
def test_of_few_frames_nothing_is_said(frames):
    X = np.random.default_rng(0).uniform(-1, 1, (frames, 2, 3))
    assert not found(X, np.arange(frames) / 60).any()


@pytest.mark.parametrize("break_s", [0.5, 5.0])
def test_nothing_is_dropped_beside_a_break_of_the_recording(walk, break_s):
    X, time_s = walk()
    later = time_s >= 1.5
    assert not found(X[: later.sum() + 90], np.where(later, time_s + break_s, time_s)[: later.sum() + 90]).any()


def test_steps_of_nearly_no_time_take_no_memory(walk):
    X, time_s = walk()
    assert found(X, time_s * 1e-9).shape == X.shape[:2]
