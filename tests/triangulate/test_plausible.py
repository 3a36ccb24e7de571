import numpy as np
import pytest

from triskel.keypoints import Missing, missing_points
from triskel.skeleton import BODY_25
from triskel.triangulate.plausible import drop_implausible

F = 40
TIME = np.arange(F) / 60


@pytest.fixture
def walking():
    """One rigid person who moves at 1 m/s, seen by three of four cameras."""
    rng = np.random.default_rng(1)
    body = rng.uniform([-0.3, -0.3, 0], [0.3, 0.3, 1.7], (len(BODY_25), 3))
    points = missing_points((F, 1, len(BODY_25)), 4)
    points.X[:, 0] = body + TIME[:, None, None] * np.array([1.0, 0, 0])
    points.score[:] = 0.8
    points.reproj_px[:] = 1.0
    points.views[..., :3] = True
    points.cov_mm2[:] = 9 * np.eye(3)
    points.missing[:] = Missing.FOUND
    return points


def test_a_real_body_loses_nothing(walking):
    kept = drop_implausible(BODY_25, walking, TIME)
    np.testing.assert_array_equal(kept.X, walking.X)
    np.testing.assert_array_equal(kept.views, walking.views)


def test_a_joint_metres_away_becomes_missing_in_every_field(walking):
    wrist = BODY_25.index("RWrist")
    walking.X[7, 0, wrist] += 3.0
    kept = drop_implausible(BODY_25, walking, TIME)
    assert np.isnan(kept.X[7, 0, wrist]).all()
    assert kept.score[7, 0, wrist] == 0
    assert np.isnan(kept.reproj_px[7, 0, wrist])
    assert not kept.views[7, 0, wrist].any()
    assert np.isfinite(kept.X[..., 0]).sum() == F * len(BODY_25) - 1


def test_of_a_stretched_limb_the_end_seen_worse_goes(walking):
    elbow, wrist = BODY_25.index("RElbow"), BODY_25.index("RWrist")
    span = walking.X[:, 0, wrist] - walking.X[:, 0, elbow]
    walking.X[10:14, 0, wrist] += span[10:14]  # twice as long
    walking.views[10:14, 0, wrist, 2] = False
    kept = drop_implausible(BODY_25, walking, TIME)
    assert np.isnan(kept.X[10:14, 0, wrist]).all()
    assert np.isfinite(kept.X[:, 0, elbow]).all()


def test_a_punch_of_the_whole_arm_is_what_a_body_does(walking):
    """What leaves its path and comes back is for `over_time` to judge, where it can be switched off."""
    arm = [BODY_25.index(joint) for joint in ("RElbow", "RWrist")]
    walking.X[20:24, 0, arm[0], 1] += 0.05
    walking.X[20:24, 0, arm[1], 1] += 0.1
    np.testing.assert_array_equal(drop_implausible(BODY_25, walking, TIME).X, walking.X)


def test_nobody_and_a_single_frame_pass_through():
    nobody = missing_points((F, 0, len(BODY_25)), 4)
    assert drop_implausible(BODY_25, nobody, TIME).X.shape == (F, 0, len(BODY_25), 3)
    one = missing_points((1, 1, len(BODY_25)), 4)
    one.X[:] = 0.5
    assert np.isfinite(drop_implausible(BODY_25, one, TIME[:1]).X).all()


@pytest.fixture
def feet(whole_people):
    """A person who walks, and the places of toe, heel and ankle of the right foot."""
    points = missing_points((F, 1, len(BODY_25)), 4)
    points.X[:] = whole_people(F, 60.0)[:, :1, : len(BODY_25)]
    points.score[:], points.reproj_px[:], points.views[:] = 0.8, 1.0, True
    return points, *(BODY_25.index(joint) for joint in ("RBigToe", "RHeel", "RAnkle"))


def test_a_sole_of_impossible_length_loses_the_end_seen_worse(feet):
    """Ankle to toe and ankle to heel can both keep their length while the foot is folded together."""
    points, toe, heel, ankle = feet
    aside = points.X[:, 0, toe] - points.X[:, 0, ankle]
    length = np.linalg.norm(points.X[:, 0, heel] - points.X[:, 0, ankle], axis=-1, keepdims=True)
    points.X[15:18, 0, heel] = (points.X[:, 0, ankle] + length * aside / np.linalg.norm(aside, axis=-1)[:, None])[15:18]
    points.views[15:18, 0, heel, 3] = False
    kept = drop_implausible(BODY_25, points, TIME)
    assert np.flatnonzero(np.isnan(kept.X[:, 0, heel, 0])).tolist() == [15, 16, 17]
    assert np.isnan(kept.X[..., 0]).sum() == 3


@pytest.mark.parametrize(("by_m", "lost"), [(0.049, 0), (0.06, 3)])
def test_a_short_limb_may_be_off_by_the_noise_of_its_ends(feet, by_m, lost):
    """From ankle to heel there are 0.078 m: 0.049 m more is 1.63 times as long."""
    points, _, heel, ankle = feet
    outwards = points.X[15:18, 0, heel] - points.X[15:18, 0, ankle]
    points.X[15:18, 0, heel] += by_m * outwards / np.linalg.norm(outwards, axis=-1, keepdims=True)
    points.views[15:18, 0, heel, 3] = False
    assert np.isnan(drop_implausible(BODY_25, points, TIME).X[..., 0]).sum() == lost
