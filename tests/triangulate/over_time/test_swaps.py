import numpy as np
import pytest

from triskel.keypoints import Points3D
from triskel.projection import project_rig
from triskel.skeleton import BODY_25, BODY_25B, COCO_17, FACE_70, WHOLE_BODY_135, make_skeleton
from triskel.triangulate import triangulate_points
from triskel.triangulate.over_time import repair_motion, repair_views
from triskel.triangulate.over_time.limb_groups import limb_groups


def exchanged(motion, skeleton, frames, names):
    """The motion with left and right of the groups `names` exchanged in `frames`, and where that is."""
    order = np.tile(np.arange(len(skeleton)), (len(motion.time_s), 1))
    for group in limb_groups(skeleton):
        if group.name in names:
            for i, j in group.all_pairs:
                order[frames, i], order[frames, j] = j, i
    at = np.arange(len(order))[:, None]
    points = Points3D(*(field[at, 0, order][:, None] for field in motion.points))
    moved = type(motion)(skeleton, motion.cameras, motion.time_s, motion.ids, points, motion.gap)
    return moved, (order != np.arange(len(skeleton)))[:, None]


@pytest.fixture
def noisy(walker, as_motion):
    def build(frames=200, fps=60.0, skeleton=BODY_25):
        X = walker(frames, fps, skeleton=skeleton)
        X = X + np.random.default_rng(0).normal(0, 0.004, X.shape)
        return as_motion(X, fps=fps, skeleton=skeleton)

    return build


@pytest.mark.parametrize("skeleton", [BODY_25, BODY_25B, COCO_17, WHOLE_BODY_135])
def test_every_pair_of_the_body_is_in_one_group(skeleton):
    pairs = np.concatenate([group.all_pairs for group in limb_groups(skeleton)])
    assert len(np.unique(pairs)) == pairs.size
    assert all(skeleton.flips[i] == j for i, j in pairs[: len(pairs)] if i < 25)
    assert {i for pair in pairs.tolist() for i in pair if i < 25} == {
        i for i, j in enumerate(skeleton.flips[:25]) if i != j
    }


def test_pairs_that_are_not_a_body_s_form_a_group():
    animal = make_skeleton("animal", ("left_paw", "right_paw", "nose"), ((0, 2), (1, 2)))
    assert [(group.name, group.pairs.tolist()) for group in limb_groups(animal)] == [("others", [[0, 1]])]
    assert limb_groups(FACE_70)[0].name == "others"


@pytest.mark.parametrize("names", [{"arms"}, {"legs"}, {"head"}, {"trunk", "arms", "legs", "head"}])
@pytest.mark.parametrize("fps", [60.0, 25.0])
def test_exchanged_frames_are_found_and_put_right(noisy, names, fps):
    motion = noisy(fps=fps)
    wrong, where = exchanged(motion, BODY_25, np.r_[20:21, 60:75, 120:124], names)
    repaired, swapped = repair_motion(wrong)
    np.testing.assert_array_equal(swapped, where)
    for got, expected in zip(repaired.points, motion.points, strict=True):
        np.testing.assert_array_equal(got, expected)


def test_nothing_is_exchanged_where_nothing_is_wrong(noisy):
    motion = noisy()
    for first in range(10, 180, 23):
        for j in range(25):
            motion.points.X[first + j % 7 : first + j % 7 + 10, 0, j] = np.nan
    repaired, swapped = repair_motion(motion)
    assert not swapped.any()
    assert repaired is motion


def test_a_person_who_turns_round_in_a_long_gap_keeps_the_sides(noisy):
    motion = noisy()
    motion.points.X[80:120] = np.nan
    motion.points.X[120:, ..., :2] *= -1
    assert not repair_motion(motion)[1].any()


def test_hands_go_with_their_wrists(noisy):
    motion = noisy(skeleton=WHOLE_BODY_135)
    wrong, where = exchanged(motion, WHOLE_BODY_135, np.r_[50:60], {"arms"})
    assert where[55, 0, 25:65].all()
    repaired, swapped = repair_motion(wrong)
    np.testing.assert_array_equal(swapped, where)
    np.testing.assert_array_equal(repaired.points.X, motion.points.X)


@pytest.fixture
def views(ring, walker):
    """Six cameras, a walker, and what they see: (C, F, 1, 25, 3) with 1 px of noise."""
    rig, X = ring(6), walker(60)
    observed = np.full((6, 60, 1, 25, 3), 0.9)
    observed[..., :2] = project_rig(rig, X) + np.random.default_rng(0).normal(0, 1, (6, 60, 1, 25, 2))
    return rig, X, observed


def test_a_view_with_left_and_right_exchanged_is_put_right(views):
    rig, X, observed = views
    wrong, where = observed.copy(), np.zeros(observed.shape[:-1], bool)
    for name, c, frames in (("arms", 1, slice(5, 20)), ("legs", 3, slice(10, 40)), ("trunk", 4, slice(30, 31))):
        for i, j in next(group for group in limb_groups(BODY_25) if group.name == name).all_pairs:
            wrong[c, frames, :, [i, j]] = wrong[c, frames, :, [j, i]]
            where[c, frames, :, [i, j]] = True
    places = triangulate_points(rig, wrong[..., :2], wrong[..., 2]).X
    repaired, swapped = repair_views(rig, BODY_25, wrong, places)
    # Where both sides are nearly on one line of sight the exchange neither shows nor matters.
    assert (swapped & where).sum() >= 0.98 * where.sum()
    assert not (swapped & ~where).any()
    np.testing.assert_array_equal(repaired[swapped], observed[swapped])
    assert np.linalg.norm(triangulate_points(rig, repaired[..., :2], repaired[..., 2]).X - X, axis=-1).mean() < 0.005


def test_a_side_seen_alone_goes_to_the_other(views):
    rig, X, observed = views
    left, right = BODY_25.index("LWrist"), BODY_25.index("RWrist")
    observed[2, :, :, left] = observed[2, :, :, right]
    observed[2, :, :, right] = np.nan, np.nan, 0
    repaired, swapped = repair_views(rig, BODY_25, observed, X)
    clear = np.linalg.norm(np.diff(project_rig(rig, X)[2][:, 0, [left, right]], axis=1)[:, 0], axis=-1) > 20
    assert clear.sum() > 20
    assert swapped[2, clear, 0, left].all()
    assert np.isnan(repaired[2, clear, 0, left, 0]).all()
    assert np.isfinite(repaired[2, clear, 0, right, 0]).all()


def test_views_that_are_right_stay_and_so_does_nobody(views):
    rig, X, observed = views
    assert not repair_views(rig, BODY_25, observed, X)[1].any()
    unknown = repair_views(rig, BODY_25, observed, np.full_like(X, np.nan))
    assert not unknown[1].any()
    nobody = repair_views(rig, BODY_25, observed[:, :, :0], X[:, :0])
    assert nobody[0].shape == (6, 60, 0, 25, 3)
