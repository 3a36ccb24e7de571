import numpy as np
import pytest

from triskel.calibration.rig.bundle import CornerTable
from triskel.calibration.rig.noise import BEND, find_outliers, view_weights

VIEWS_A_SHOT = 4


def table_of(n_shots, corners=30):
    views = n_shots * VIEWS_A_SHOT
    camera, shot = np.tile(np.arange(VIEWS_A_SHOT), n_shots), np.repeat(np.arange(n_shots), VIEWS_A_SHOT)
    n = views * corners
    ids = np.tile(np.arange(corners), views)
    return CornerTable(camera, shot, np.arange(views + 1) * corners, ids, np.zeros((n, 3)), np.zeros((n, 2)), n_shots)


def residuals(table, sigma, seed=0):
    """Return noise (n, 2) of the given size a view, with the degrees of freedom of a board's pose taken out."""
    r = np.random.default_rng(seed).normal(0, 1, (len(table.X), 2)) * np.repeat(sigma, np.diff(table.first))[:, None]
    return r * np.sqrt(1 - 6 / (2 * 30 * VIEWS_A_SHOT))


def test_equally_noisy_views_get_exactly_equal_weights():
    table = table_of(50)
    weights = view_weights(residuals(table, np.full(200, 0.3)), np.ones(len(table.X), dtype=bool), table)
    assert len(np.unique(weights.sigma_px)) == 1
    assert weights.sigma_px[0] == pytest.approx(0.3, rel=0.02)
    assert weights.bend == BEND


def test_blurred_views_count_by_their_own_noise():
    table = table_of(50)
    sigma = np.where(np.arange(200) % 10 == 0, 3.0, 0.3)
    found = view_weights(residuals(table, sigma), np.ones(len(table.X), dtype=bool), table).sigma_px
    np.testing.assert_allclose(found[sigma == 3.0], 3.0, rtol=0.35)
    np.testing.assert_allclose(found[sigma == 0.3], 0.3, rtol=0.35)


def test_views_without_corners_left_get_a_finite_weight():
    table = table_of(5)
    kept = np.ones(len(table.X), dtype=bool)
    kept[:30] = False
    weights = view_weights(residuals(table, np.full(20, 0.3)), kept, table)
    assert np.isfinite(weights.sigma_px).all()
    assert (view_weights(np.full((len(table.X), 2), np.nan), np.zeros_like(kept), table).sigma_px == 1).all()


def test_outliers_are_found_and_a_view_blurred_as_a_whole_is_kept():
    table = table_of(10)
    sigma = np.full(40, 0.3)
    sigma[7] = 1.2
    r = residuals(table, sigma)
    r[100] += 8.0
    r[200] = np.nan
    assert np.flatnonzero(find_outliers(r, table)).tolist() == [100, 200]


def test_no_finite_error_means_nothing_can_be_kept():
    table = table_of(1)
    assert find_outliers(np.full((len(table.X), 2), np.nan), table).all()
