import numpy as np
import pytest

from triskel.triangulate.medians import leaves_median, nanmedian


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_the_median_without_nan_equals_numpy_s(axis):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(7, 6, 5))
    values[rng.random(values.shape) < 0.3] = np.nan
    np.testing.assert_array_equal(nanmedian(values, axis), np.nanmedian(values, axis))


def test_the_median_of_nothing_is_nan():
    assert np.isnan(nanmedian(np.full((3, 2), np.nan), 0)).all()


def test_only_what_leaves_and_comes_back_is_found():
    time_s = np.arange(60) / 30
    X = np.zeros((60, 1, 2, 3))
    X[:, 0, 0, 0] = 2 * time_s  # steady and fast
    X[30:, 0, 1, 0] = 1.0  # a step that stays
    X[10:12, 0, 1, 2] = 0.2
    found = leaves_median(X, time_s, 0.1, 0.1)
    assert np.argwhere(found).tolist() == [[10, 0, 1], [11, 0, 1]]


def test_gaps_are_no_jumps():
    X = np.zeros((20, 1, 1, 3))
    X[5:9] = np.nan
    assert not leaves_median(X, np.arange(20) / 30, 0.1, 0.1).any()
