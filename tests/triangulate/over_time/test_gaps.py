import numpy as np
import pytest

from triskel.keypoints import Missing
from triskel.triangulate.over_time.gaps import fill_gaps

F = 120
TIME = np.arange(F) / 60


@pytest.fixture
def moving(as_motion):
    """The function that makes points of one joint on a gentle curve, with gaps (first, end) in frames."""

    def build(*gaps, sigma_mm=1.0):
        X = np.stack([np.sin(3 * TIME), np.cos(2 * TIME), TIME**2], axis=-1)
        seen = X.copy()
        for first, end in gaps:
            seen[first:end] = np.nan
        points = as_motion(np.repeat(seen[:, None, None], 25, axis=2), sigma_mm=sigma_mm).points
        return X, points

    return build


def test_a_short_gap_is_filled_and_marked_in_every_field(moving):
    X, points = moving((50, 55))
    points.score[49] = 0.4
    filled, gap = fill_gaps(points, TIME, longest_gap_s=0.2)
    assert np.flatnonzero(gap[:, 0, 3]).tolist() == [50, 51, 52, 53, 54]
    np.testing.assert_allclose(filled.X[50:55, 0, 3], X[50:55], rtol=0, atol=5e-3)
    assert (filled.score[50:55] == 0.2).all()
    assert not filled.views[50:55].any()
    assert np.isnan(filled.reproj_px[50:55]).all()
    assert (filled.missing[50:55] == Missing.FOUND).all()
    sigma = filled.sigma_mm[48:57, 0, 3, 0]
    assert sigma.argmax() == 4
    assert (np.diff(sigma[1:5]) > 0).all()


def test_what_was_seen_stays_as_it_was(moving):
    _, points = moving((50, 55), (70, 100))
    before = points.X.copy()
    filled, gap = fill_gaps(points, TIME, longest_gap_s=0.2)
    np.testing.assert_array_equal(filled.X[~gap], before[~gap])
    np.testing.assert_array_equal(points.X, before)
    np.testing.assert_array_equal(filled.cov_mm2[~gap], points.cov_mm2[~gap])


@pytest.mark.parametrize(("missing", "filled"), [(11, True), (12, False)])
def test_a_gap_as_long_as_allowed_is_bridged_and_a_longer_one_is_not(moving, missing, filled):
    """Eleven missing at 60 a second: 0.2 s from the last before to the first after."""
    _, points = moving((40, 40 + missing))
    _, gap = fill_gaps(points, TIME, longest_gap_s=0.2)
    assert gap.any() == filled


def test_the_time_counts_not_the_frames(moving):
    _, points = moving((40, 42))
    late = TIME + np.where(np.arange(F) >= 41, 1.0, 0.0)
    assert not fill_gaps(points, late, longest_gap_s=0.2)[1].any()


def test_nothing_is_invented_before_the_first_sample_and_after_the_last(moving):
    _, points = moving((0, 3), (115, F))
    filled, gap = fill_gaps(points, TIME, longest_gap_s=0.5)
    assert not gap.any()
    assert np.isnan(filled.X[:3]).all()
    assert np.isnan(filled.X[115:]).all()
    assert (filled.missing[:3] == Missing.FEW_VIEWS).all()


def test_single_samples_between_gaps_do_not_make_curves(moving):
    X, points = moving((30, 33), (34, 37), (38, 41))
    filled, _ = fill_gaps(points, TIME, longest_gap_s=0.2)
    np.testing.assert_allclose(filled.X[30:41, 0, 0], X[30:41], rtol=0, atol=0.02)


def test_a_gap_of_0_seconds_and_no_people_pass(moving, as_motion):
    _, points = moving((50, 55))
    assert not fill_gaps(points, TIME, longest_gap_s=0.0)[1].any()
    nobody = as_motion(np.zeros((5, 0, 25, 3))).points
    assert fill_gaps(nobody, TIME[:5], longest_gap_s=0.2)[1].shape == (5, 0, 25)


@pytest.mark.parametrize("missing", [2, 5, 9])
def test_the_covariance_of_a_filled_sample_covers_its_error(moving, missing):
    """On a walk; generous for long gaps, since no gap says how much the movement bent in it."""
    X, points = moving(*((a, a + missing) for a in range(10, 100, 20)))
    noisy = points._replace(X=points.X + np.random.default_rng(0).normal(0, 1e-3, points.X.shape))
    filled, gap = fill_gaps(noisy, TIME, longest_gap_s=0.2)
    e = 1000 * (filled.X - X[:, None, None])[gap]
    squares = np.einsum("ni,nij,nj->n", e, np.linalg.inv(filled.cov_mm2[gap].astype(float)), e) / 3
    assert 0.05 < squares.mean() < 2
