import numpy as np
import pytest

from triskel.keypoints import Missing, missing_points
from triskel.skeleton import BODY_25, WHOLE_BODY_135
from triskel.triangulate.fine_parts import bad_fine_points
from triskel.triangulate.plausible import drop_implausible
from triskel.whole_body import parts_of

F = 40
TIME = np.arange(F) / 60
PARTS = parts_of(WHOLE_BODY_135)
LEFT, RIGHT, FACE = (PARTS[part] for part in ("left_hand", "right_hand", "face"))


@pytest.fixture
def X(whole_people):
    """One whole person who walks (F, 1, 135, 3), with 3 mm of noise."""
    clean = whole_people(F, 60.0)[:, :1]
    return clean + np.random.default_rng(2).normal(0, 0.003, clean.shape)


def bad(X):
    return bad_fine_points(WHOLE_BODY_135, X, TIME)


def test_a_real_person_loses_nothing(X):
    assert not bad(X).any()


def test_a_waving_hand_loses_nothing(X):
    """Three times a second, 0.1 m to either side at the knuckles, twice that at the fingertips: fast for a person."""
    angle = 0.8 * np.sin(2 * np.pi * 3 * TIME)
    wrist = X[:, :, [WHOLE_BODY_135.index("RWrist")]]
    arm = X[:, :, RIGHT] - wrist
    c, s = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    swung = np.stack([arm[..., 0], c * arm[..., 1] - s * arm[..., 2], s * arm[..., 1] + c * arm[..., 2]], axis=-1)
    X[:, :, RIGHT] = wrist + swung
    assert not bad(X).any()


def test_a_hand_that_is_not_at_its_wrist_goes_as_a_whole(X):
    X[5, 0, LEFT] = X[5, 0, RIGHT]
    found = bad(X)
    assert found[5, 0, LEFT].all()
    assert found.sum() == 20


def test_a_hand_whose_knuckles_are_away_from_its_wrist_goes_though_every_point_is_within_reach(X):
    X[:, 0, LEFT] += (0, 0, -0.11)
    found = bad(X)
    assert found[:, 0, LEFT].all()
    assert found.sum() == 20 * F


def test_a_fingertip_half_a_metre_away_goes_alone(X):
    X[:, 0, RIGHT[7]] += (0.5, 0, 0)
    found = bad(X)
    assert found[:, 0, RIGHT[7]].all()
    assert found.sum() == F


def test_what_hangs_on_a_finger_bone_of_impossible_length_goes(X):
    X[:, 0, RIGHT[9:12]] += (0.12, 0.0, 0)  # the middle finger from its second joint on, still within reach
    found = bad(X)
    assert found[:, 0, RIGHT[9:12]].all()
    assert found.sum() == 3 * F


def test_a_fingertip_that_jumps_and_comes_back_goes_for_that_moment(X):
    X[20, 0, LEFT[3]] += (0.0, 0.06, 0.08)
    found = bad(X)
    assert np.argwhere(found).tolist() == [[20, 0, LEFT[3]]]


@pytest.mark.parametrize(("part", "fewest"), [(LEFT, 5), (FACE, 10)])
def test_a_handful_of_points_is_no_part(X, part, fewest):
    X[3, 0, part[fewest - 1 :]] = np.nan
    X[9, 0, part[fewest:]] = np.nan
    found = bad(X)
    assert found[3, 0, part[: fewest - 1]].all()
    assert not found[9].any()


def test_parts_without_their_place_on_the_body_go(X):
    X[4, 0, WHOLE_BODY_135.index("LWrist")] = np.nan
    for joint in ("Nose", "LEye", "REye", "LEar", "REar"):
        X[7, 0, WHOLE_BODY_135.index(joint)] = np.nan
    found = bad(X)
    assert found[4, 0, LEFT].all()
    assert found[7, 0, FACE].all()
    assert found.sum() == 20 + 70


def test_a_face_away_from_the_head_goes_as_a_whole(X):
    X[8, 0, FACE] += (0.0, 0.3, 0.0)
    found = bad(X)
    assert found[8, 0, FACE].all()
    assert found.sum() == 70


def test_a_point_that_leaves_its_place_in_the_face_goes_and_an_open_mouth_stays(X):
    X[10:20, 0, FACE[12]] += (0, 0.0, 0.07)
    X[25:35, 0, FACE[:9]] += (0, 0, -0.03)
    found = bad(X)
    assert found[10:20, 0, FACE[12]].all()
    assert found.sum() == 10


def test_what_is_dropped_is_missing_in_every_field(X):
    points = missing_points((F, 1, 135), 4)
    points.X[:], points.score[:], points.reproj_px[:], points.cov_mm2[:] = X, 0.8, 1.0, 9 * np.eye(3)
    points.missing[:] = Missing.FOUND
    points.views[..., :3] = True
    points.X[5, 0, LEFT] += (0.6, 0, 0)
    kept = drop_implausible(WHOLE_BODY_135, points, TIME)
    gone = np.isnan(kept.X[..., 0])
    assert np.flatnonzero(gone[5, 0]).tolist() == LEFT.tolist()
    assert gone.sum() == 20
    assert (kept.score[gone] == 0).all()
    assert np.isnan(kept.reproj_px[gone]).all()
    assert not kept.views[gone].any()


def test_a_hand_goes_with_the_wrist_that_the_body_loses(X):
    points = missing_points((F, 1, 135), 4)
    points.X[:], points.score[:], points.views[:] = X, 0.8, True
    points.X[12, 0, WHOLE_BODY_135.index("RWrist")] += (0, 0, 3.0)
    kept = drop_implausible(WHOLE_BODY_135, points, TIME)
    assert np.isnan(kept.X[12, 0, RIGHT, 0]).all()
    assert np.isnan(kept.X[..., 0]).sum() == 21


def test_nobody_a_body_without_parts_and_a_single_frame_pass_through(X):
    assert bad_fine_points(WHOLE_BODY_135, np.zeros((F, 0, 135, 3)), TIME).shape == (F, 0, 135)
    assert not bad_fine_points(BODY_25, X[:, :, :25] * 9, TIME).any()
    assert not bad_fine_points(WHOLE_BODY_135, X[:1], TIME[:1]).any()
