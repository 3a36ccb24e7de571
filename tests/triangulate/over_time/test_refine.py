from dataclasses import replace

import numpy as np
import pytest

from triskel.errors import InputError
from triskel.keypoints import Missing
from triskel.skeleton import BODY_25, WHOLE_BODY_135
from triskel.triangulate.over_time import FILTERS, OverTimeOptions, refine_over_time

WRIST, KNEE = BODY_25.index("RWrist"), BODY_25.index("LKnee")
NOTHING = OverTimeOptions(repair_swaps=False, drop_outliers=False, longest_gap_s=0, filter="none", bones=False)


def error_mm(motion, X):
    return 1000 * float(np.nanmean(np.linalg.norm(motion.points.X - X, axis=-1)))


@pytest.fixture
def raw(walker, as_motion):
    """Four seconds of a walk with 3 mm of noise, the true positions, gaps and two outliers."""
    X = walker()
    seen = X + np.random.default_rng(0).normal(0, 0.003, X.shape)
    seen[100:104, 0, WRIST] = np.nan
    seen[50:80, 0, KNEE] = np.nan
    seen[:5] = np.nan
    seen[150:152, 0, WRIST] += 0.2
    return as_motion(seen), X


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("bones", [True, False])
def test_no_filter_makes_a_walk_worse(raw, name, bones):
    motion, X = raw
    refined = refine_over_time(motion, OverTimeOptions(filter=name, bones=bones))
    assert error_mm(refined, X) < error_mm(motion, X)


def test_the_defaults_leave_less_than_half_of_the_error(raw):
    """Measured: 4.8 mm before, 1.7 after; jerk a fiftieth."""
    motion, X = raw
    refined = refine_over_time(motion)
    assert error_mm(refined, X) < 0.45 * error_mm(motion, X)
    before, after = (np.nanmedian(np.abs(np.diff(m.points.X, 3, axis=0))) for m in (motion, refined))
    assert after < 0.05 * before


def test_gaps_outliers_and_what_is_missing_are_told_apart(raw):
    motion, X = raw
    refined = refine_over_time(motion)
    points, gap = refined.points, refined.gap
    assert gap[100:104, 0, WRIST].all()
    assert gap[150:152, 0, WRIST].all()  # dropped, then bridged
    assert gap.sum() == 6
    assert (points.missing[50:80, 0, KNEE] == Missing.FEW_VIEWS).all()
    assert np.isnan(points.X[:5]).all()
    assert np.linalg.norm(points.X[150:152, 0, WRIST] - X[150:152, 0, WRIST], axis=-1).max() < 0.01
    kept = refine_over_time(motion, replace(OverTimeOptions(), longest_gap_s=0.0)).points
    assert (kept.missing[150:152, 0, WRIST] == Missing.OUTLIER).all()
    assert np.isnan(kept.X[150:152, 0, WRIST]).all()
    assert (kept.score[150:152, 0, WRIST] == 0).all()


def test_what_was_seen_keeps_its_score_views_and_error(raw):
    motion, _ = raw
    refined = refine_over_time(motion)
    same = motion.found & ~refined.gap
    for name in ("score", "reproj_px", "views", "missing"):
        np.testing.assert_array_equal(getattr(refined.points, name)[same], getattr(motion.points, name)[same])
    found = refined.found
    np.testing.assert_array_equal(found, refined.points.missing == Missing.FOUND)
    np.testing.assert_array_equal(found, refined.points.score > 0)
    np.testing.assert_array_equal(found, np.isfinite(refined.points.cov_mm2).all(axis=(-1, -2)))
    assert (np.linalg.eigvalsh(refined.points.cov_mm2[found].astype(float)) > 0).all()
    assert refined.points.cov_mm2.dtype == np.float32


def test_raw_is_not_changed_and_twice_gives_the_same(raw):
    motion, _ = raw
    before = [field.copy() for field in motion.points]
    one, other = refine_over_time(motion), refine_over_time(motion)
    for a, b in zip(before, motion.points, strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(one.points, other.points, strict=True):
        np.testing.assert_array_equal(a, b)


def test_with_every_step_off_nothing_changes(raw):
    motion, _ = raw
    for a, b in zip(refine_over_time(motion, NOTHING).points, motion.points, strict=True):
        np.testing.assert_array_equal(a, b)


def test_hands_and_faces_are_smoothed_as_the_body_is(walker, as_motion):
    X = walker(skeleton=WHOLE_BODY_135)
    motion = as_motion(X + np.random.default_rng(0).normal(0, 0.003, X.shape), skeleton=WHOLE_BODY_135)
    refined = refine_over_time(motion)
    after = 1000 * np.linalg.norm(refined.points.X - X, axis=-1).mean(axis=(0, 1))
    assert after[25:65].mean() < 2.2  # 4.8 before
    assert after[65:].mean() < 2.2


def test_two_people_do_not_touch_each_other(raw, as_motion):
    motion, _ = raw
    both = as_motion(np.concatenate([motion.points.X, motion.points.X[::-1] + 2], axis=1))
    refined = refine_over_time(both).points.X[:, :1]
    np.testing.assert_allclose(refined, refine_over_time(motion).points.X, rtol=0, atol=1e-9)


@pytest.mark.parametrize("shape", [(0, 1), (1, 1), (2, 1), (4, 2), (30, 0)])
def test_short_and_empty_recordings_pass(as_motion, shape):
    X = np.random.default_rng(0).uniform(0, 1, (*shape, 25, 3))
    refined = refine_over_time(as_motion(X))
    assert refined.points.X.shape == X.shape
    np.testing.assert_array_equal(refined.found, np.ones((*shape, 25), bool))


def test_people_who_were_never_found_pass(as_motion):
    refined = refine_over_time(as_motion(np.full((30, 2, 25, 3), np.nan)))
    assert not refined.found.any()
    assert not refined.gap.any()


def test_times_that_do_not_rise_are_an_error_that_names_them(raw):
    motion, _ = raw
    time_s = motion.time_s.copy()
    time_s[7] = time_s[6]
    with pytest.raises(InputError, match="frame set 6"):
        refine_over_time(replace(motion, time_s=time_s))
