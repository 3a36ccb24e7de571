import numpy as np
import pytest

from triskel.triangulate.over_time.filters import Kalman, KalmanFilter, OneEuro
from triskel.triangulate.over_time.filters.state_space import smooth_series


def rauch_tung_striebel(y, R, time_s, q):
    """Smooth by the textbook's formulas, with matrices written out."""
    H, states, covs, ahead, cov_ahead, moves = np.eye(3, 9), [], [], [], [], []
    x, P = np.r_[y[0], np.zeros(6)], np.diag([1e2] * 6 + [1e4] * 3)
    for f in range(len(y)):
        if f:
            t = time_s[f] - time_s[f - 1]
            A = np.kron([[1, t, t**2 / 2], [0, 1, t], [0, 0, 1]], np.eye(3))
            Q = [[t**5 / 20, t**4 / 8, t**3 / 6], [t**4 / 8, t**3 / 3, t**2 / 2], [t**3 / 6, t**2 / 2, t]]
            x, P = A @ x, A @ P @ A.T + q * np.kron(Q, np.eye(3))
            moves.append(A)
        ahead.append(x)
        cov_ahead.append(P)
        K = P @ H.T @ np.linalg.inv(P[:3, :3] + R[f])
        x, P = x + K @ (y[f] - x[:3]), P - K @ H @ P
        states.append(x)
        covs.append(P)
    for f in range(len(y) - 2, -1, -1):
        G = covs[f] @ moves[f].T @ np.linalg.inv(cov_ahead[f + 1])
        states[f] = states[f] + G @ (states[f + 1] - ahead[f + 1])
        covs[f] = covs[f] + G @ (covs[f + 1] - cov_ahead[f + 1]) @ G.T
    return np.array(states)[:, :3], np.array(covs)[:, :3, :3]


@pytest.mark.parametrize("scale_m", [1.0, 1e-3])
def test_the_smoother_equals_rauch_tung_striebel(scale_m):
    rng = np.random.default_rng(0)
    n = 60
    y = np.cumsum(rng.normal(size=(n, 3)), axis=0) * scale_m
    half = 0.3 * rng.normal(size=(n, 3, 3))
    R = scale_m**2 * (half @ half.transpose(0, 2, 1) + np.eye(3))
    time_s = np.cumsum(rng.uniform(0.01, 0.02, n))
    begins = np.arange(n) == 0
    X, cov = smooth_series(y, R, time_s, begins, 100.0)
    expected_X, expected_cov = rauch_tung_striebel(y, R, time_s, 100.0)
    np.testing.assert_allclose(X, expected_X, rtol=0, atol=1e-8 * scale_m)
    np.testing.assert_allclose(cov, expected_cov, rtol=0, atol=1e-6 * scale_m**2)


def test_samples_count_by_their_covariance():
    """Every other sample ten times as noisy: known, that costs little; taken for as good, a lot."""
    time_s = np.arange(400) / 60
    truth = 0.2 * np.sin(2 * np.pi * time_s[:, None, None] + np.arange(6)[:, None] + np.arange(3))
    sigma_mm = np.where(np.arange(400) % 2, 20.0, 2.0)
    X = truth + 1e-3 * sigma_mm[:, None, None] * np.random.default_rng(1).normal(size=truth.shape)
    cov = np.broadcast_to((sigma_mm**2)[:, None, None, None] * np.eye(3), (400, 6, 3, 3))
    blind = np.broadcast_to(200.0 * np.eye(3), cov.shape)

    def error(cov):
        return np.linalg.norm(Kalman(cutoff_hz=5.0).smooth(X, time_s, cov).X - truth, axis=-1).mean()

    assert error(cov) < 0.4 * error(blind)


def test_the_cutoff_follows_the_movement():
    """One wave of 0.5 Hz and one of 4 Hz: either alone would be filtered too little or worn down."""
    time_s = np.arange(600) / 60
    slow, fast = 0.2 * np.sin(2 * np.pi * 0.5 * time_s), 0.1 * np.sin(2 * np.pi * 4 * time_s)
    truth = np.stack([slow, fast], axis=-1)[..., None] * np.ones(3)
    X = truth + 0.002 * np.random.default_rng(0).normal(size=truth.shape)
    cov = np.broadcast_to(4.0 * np.eye(3), (600, 2, 3, 3))
    error_mm = 1000 * np.linalg.norm(Kalman().smooth(X, time_s, cov).X - truth, axis=-1).mean(axis=0)
    fixed_mm = [
        1000 * np.linalg.norm(Kalman(cutoff_hz=hz).smooth(X, time_s, cov).X - truth, axis=-1).mean(axis=0)
        for hz in (2.0, 12.0)
    ]
    assert error_mm[0] < 0.6 * fixed_mm[1][0]
    assert error_mm[1] < 0.1 * fixed_mm[0][1]


def test_noise_that_lasts_stays_in_the_covariance():
    """A sample's covariance covers what all frames share; a filter takes away what changes from frame to frame."""
    time_s = np.arange(300) / 60
    X = np.zeros((300, 1, 3)) + 0.02 + 1e-3 * np.random.default_rng(3).normal(size=(300, 1, 3))
    cov = np.broadcast_to(400.0 * np.eye(3), (300, 1, 3, 3))
    sigma_mm = np.sqrt(Kalman().smooth(X, time_s, cov).cov_mm2[150, 0, 0, 0])
    assert 15 < sigma_mm < 21


STREAMS = pytest.mark.parametrize("kind", [OneEuro, KalmanFilter])


@STREAMS
def test_a_stream_invents_nothing_and_begins_anew_after_a_long_gap(kind):
    stream = kind(longest_gap_s=0.1)
    X = np.full((2, 25, 3), 0.5)
    for f in range(30):
        stream.update(X, f / 30)
    gone = X.copy()
    gone[0, 3] = np.nan
    for f in range(30, 40):
        assert np.isnan(stream.update(gone, f / 30)[0, 3]).all()
    back = X + 1.0
    out = stream.update(back, 40 / 30)
    np.testing.assert_allclose(out[0, 3], 1.5, atol=1e-6)
    assert (np.abs(out[1] - 1.5) > 1e-3).all()


@STREAMS
def test_a_stream_steadies_a_point_at_rest_and_follows_a_step(kind):
    rng = np.random.default_rng(0)
    stream, cov = kind(), np.broadcast_to(9.0 * np.eye(3), (4, 3, 3))
    out = []
    for f in range(240):
        place = 0.0 if f < 180 else 0.3
        out.append(stream.update(place + rng.normal(0, 0.003, (4, 3)), f / 60, cov))
    out = np.array(out)
    assert out[60:180].std() < 0.0025
    assert np.abs(out[200:] - 0.3).mean() < 0.02


def test_the_stream_ends_where_the_smoother_ends():
    """At the last sample there is no future to know more from."""
    time_s = np.arange(50) / 60
    y = np.random.default_rng(0).normal(0, 0.01, (50, 3)) + time_s[:, None]
    cov = 100.0 * np.eye(3)
    stream = KalmanFilter(jerk_density=1e3)
    online = [stream.update(one, t, cov) for one, t in zip(y, time_s, strict=True)][-1]
    R = np.tile(1e-6 * cov + 1e-9 * np.eye(3), (50, 1, 1))
    np.testing.assert_allclose(online, smooth_series(y, R, time_s, np.arange(50) == 0, 1e3)[0][-1], rtol=0, atol=1e-9)


def test_a_stream_of_another_number_of_points_begins_anew():
    stream = KalmanFilter()
    stream.update(np.zeros((2, 3)), 0.0)
    np.testing.assert_allclose(stream.update(np.ones((3, 3)), 0.1), 1.0, atol=1e-6)
