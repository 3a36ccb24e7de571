import numpy as np
import pytest

from triskel.skeleton import BODY_25, BODY_25B, COCO_17, FACE_70, WHOLE_BODY_135
from triskel.triangulate.over_time.bones import held_limbs, hold_lengths, limb_lengths

ELBOW, WRIST = BODY_25.index("RElbow"), BODY_25.index("RWrist")


def lengths_m(X, limbs):
    return np.linalg.norm(X[..., limbs[:, 0], :] - X[..., limbs[:, 1], :], axis=-1)


@pytest.fixture
def noisy(walker, as_motion):
    """True positions, and the same with 3 mm of noise in each axis as a motion."""
    X = walker()
    return X, as_motion(X + np.random.default_rng(0).normal(0, 0.003, X.shape))


def test_bones_are_told_from_what_gives_way():
    limbs, rigid = held_limbs(BODY_25)
    names = {frozenset(BODY_25.joints[i] for i in limb): bone for limb, bone in zip(limbs, rigid, strict=True)}
    assert names[frozenset({"RElbow", "RWrist"})]
    assert names[frozenset({"LHeel", "LBigToe"})]
    assert names[frozenset({"LEye", "REye"})]
    assert not names[frozenset({"Neck", "MidHip"})]
    assert not names[frozenset({"Neck", "LShoulder"})]


@pytest.mark.parametrize("skeleton", [BODY_25, BODY_25B, COCO_17, WHOLE_BODY_135])
def test_no_limb_is_held_twice_and_none_of_hands_and_faces(skeleton):
    limbs, _ = held_limbs(skeleton)
    assert len({frozenset(limb) for limb in limbs.tolist()}) == len(limbs)
    assert limbs.max() < 25


def test_a_joint_set_without_known_bones_is_left_alone(as_motion):
    limbs, rigid = held_limbs(FACE_70)
    assert len(limbs) == len(rigid) > 0
    assert not rigid.any()


def test_lengths_of_noisy_bones_are_found_within_their_standard_error(noisy):
    X, motion = noisy
    found = limb_lengths(BODY_25, motion.points.X, motion.points.cov_mm2)
    off = (found.length_m[0] - lengths_m(X[0, 0], found.limbs)) / found.sigma_m[0]
    assert 0.5 < np.sqrt(np.mean(off**2)) < 1.5
    assert found.sigma_m.max() < 0.0005


def test_a_limb_that_gives_way_says_by_how_much(noisy):
    X, motion = noisy
    neck = BODY_25.index("Neck")
    points = motion.points.X.copy()
    points[:, 0, neck, 2] += 0.02 * np.sin(np.arange(len(X)) / 10)
    found = limb_lengths(BODY_25, points, motion.points.cov_mm2)
    spread = {tuple(limb): value for limb, value in zip(found.limbs.tolist(), found.spread_m[0], strict=True)}
    torso = tuple(sorted((neck, BODY_25.index("MidHip"))))
    assert 0.012 < spread[torso] < 0.025
    assert spread[ELBOW, WRIST] < 0.003


def test_one_frame_in_ten_far_off_does_not_change_a_length(noisy):
    X, motion = noisy
    points = motion.points.X.copy()
    points[::10, 0, WRIST] += 0.3
    found = limb_lengths(BODY_25, points, motion.points.cov_mm2)
    limb = found.limbs.tolist().index([ELBOW, WRIST])
    assert abs(found.length_m[0, limb] - np.linalg.norm(X[0, 0, ELBOW] - X[0, 0, WRIST])) < 0.002


def test_a_limb_seen_too_seldom_or_shorter_than_its_noise_is_not_held(noisy):
    _, motion = noisy
    points = motion.points.X.copy()
    points[10:, 0, WRIST] = np.nan
    found = limb_lengths(BODY_25, points, motion.points.cov_mm2)
    assert np.isnan(found.length_m[0, found.limbs.tolist().index([ELBOW, WRIST])])
    rng = np.random.default_rng(1)
    eyes = BODY_25.index("REye"), BODY_25.index("LEye")
    blurred = motion.points.X + rng.normal(0, 0.03, motion.points.X.shape)
    found = limb_lengths(BODY_25, blurred, np.broadcast_to(900 * np.eye(3), (*blurred.shape, 3)))
    assert np.isnan(found.length_m[0, found.limbs.tolist().index(list(eyes))])


def test_held_bodies_are_nearer_to_the_truth_and_their_bones_nearly_rigid(noisy):
    X, motion = noisy
    found = limb_lengths(BODY_25, motion.points.X, motion.points.cov_mm2)
    held = hold_lengths(motion.points.X, motion.points.cov_mm2, found)
    before = np.linalg.norm(motion.points.X - X, axis=-1).mean(axis=(0, 1))
    after = np.linalg.norm(held.X - X, axis=-1).mean(axis=(0, 1))
    assert after.mean() < 0.85 * before.mean()
    assert (after < before).all()
    bones = found.limbs[found.rigid]
    assert (lengths_m(held.X, bones).std(axis=0) < 0.35 * lengths_m(motion.points.X, bones).std(axis=0)).all()
    e = 1000 * (held.X - X).reshape(-1, 3)
    squares = np.einsum("ni,nij,nj->n", e, np.linalg.inv(held.cov_mm2.reshape(-1, 3, 3)), e) / 3
    assert 0.7 < squares.mean() < 1.3


def test_the_uncertain_end_moves(noisy):
    X, motion = noisy
    cov = motion.points.cov_mm2.copy()
    cov[:, :, WRIST] *= 100
    seen = X.copy()
    along = X[50, 0, WRIST] - X[50, 0, ELBOW]
    seen[50, 0, WRIST] += 0.1 * along
    held = hold_lengths(seen, cov, limb_lengths(BODY_25, X, cov))
    moved = np.linalg.norm(held.X[50, 0] - seen[50, 0], axis=-1)
    assert moved[WRIST] > 10 * moved[ELBOW]
    assert np.linalg.norm(held.X[50, 0, WRIST] - X[50, 0, WRIST]) < 0.3 * 0.1 * np.linalg.norm(along)


def test_a_joint_far_off_does_not_bend_its_neighbours(noisy):
    X, motion = noisy
    seen = X.copy()
    seen[50, 0, WRIST] += 0.5 * (X[50, 0, WRIST] - X[50, 0, ELBOW])
    held = hold_lengths(seen, motion.points.cov_mm2, limb_lengths(BODY_25, X, motion.points.cov_mm2))
    assert np.linalg.norm(held.X[50, 0, ELBOW] - X[50, 0, ELBOW]) < 0.02


def test_missing_joints_stay_missing_and_turned_bodies_turn(noisy):
    _, motion = noisy
    seen = motion.points.X.copy()
    seen[5:9, 0, WRIST] = np.nan
    cov = np.where(np.isnan(seen[..., :1, None]), np.nan, motion.points.cov_mm2)
    found = limb_lengths(BODY_25, seen, cov)
    held = hold_lengths(seen, cov, found)
    np.testing.assert_array_equal(np.isnan(held.X), np.isnan(seen))
    R = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    turned = hold_lengths(seen @ R.T, R @ cov @ R.T, found)
    np.testing.assert_allclose(turned.X, held.X @ R.T, rtol=0, atol=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_covariances_stay_positive_where_joints_are_far_off(walker, as_motion, seed):
    rng = np.random.default_rng(seed)
    X = walker()
    X = X + rng.normal(0, 0.02, X.shape) + (rng.random((*X.shape[:-1], 1)) < 0.1) * rng.normal(0, 0.3, X.shape)
    motion = as_motion(X, sigma_mm=20)
    lengths = limb_lengths(motion.skeleton, motion.points.X, motion.points.cov_mm2)
    held = hold_lengths(motion.points.X, motion.points.cov_mm2, lengths)
    assert np.linalg.eigvalsh(held.cov_mm2).min() > 0
