import numpy as np
import pytest

from triskel import Rig
from triskel.calibration.rig.adjust import adjust
from triskel.calibration.rig.calibrate import first_state
from triskel.calibration.rig.graph import collect
from triskel.calibration.rig.shared_lens import _spread_precision


def fit_of(rig, scene, **noise):
    shots = scene.shots_of(rig, 20, near=6, **noise)
    table, _ = collect(shots, rig, [scene.BOARD] * len(shots), keep_single=True)
    return adjust(rig.cameras, first_state(rig, table), table, huber_px=1.0, refine_intrinsics=True)


def test_prior_never_pulls_on_what_the_cameras_share(rig, scene):
    fit = fit_of(rig, scene, noise_px=0.3)
    prior = fit.prior.reshape(4, 12, 4, 12)
    np.testing.assert_allclose(prior, np.swapaxes(prior.reshape(48, 48), 0, 1).reshape(4, 12, 4, 12), rtol=1e-9)
    common = np.zeros((4, 12))
    common[:, 4] = 1.0  # the same change of k1 in all cameras
    pull = fit.prior @ common.ravel()
    assert np.abs(pull).max() < 1e-9 * np.abs(fit.prior[4, 4])


def test_equal_coefficients_are_drawn_together_and_different_ones_are_not(rig, scene):
    same = fit_of(rig, scene, noise_px=0.3)
    k1 = slice(4, 48, 12)
    spread = np.std(same.state.packed[:, 6])
    assert spread < 0.002  # alone, each k1 is known to 0.002 to 0.005
    unlike = Rig(tuple(c.replace(dist=[-0.3 + 0.15 * i, 0.05, 0.001, -0.0005, 0.0]) for i, c in enumerate(rig)))
    other = fit_of(unlike, scene, noise_px=0.3)
    np.testing.assert_allclose(other.state.packed[:, 6], [-0.3, -0.15, 0.0, 0.15], atol=0.02)
    assert other.prior[k1, k1].max() < 0.05 * same.prior[k1, k1].max()


def test_two_cameras_are_too_few_to_tell_a_spread(rig_of, scene):
    assert fit_of(rig_of(2), scene, noise_px=0.3).prior is None


def test_spread_is_found_from_scattered_estimates():
    rng = np.random.default_rng(2)
    n, spread, error = 200, 0.5, 0.3
    values = 7.0 + rng.normal(0, spread, n) + rng.normal(0, error, n)
    precision = _spread_precision(np.eye(n) / error**2, values, np.zeros(n, dtype=np.int64))
    assert 1 / np.sqrt(precision[0, 0]) == pytest.approx(spread, rel=0.15)
