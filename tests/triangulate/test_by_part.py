import numpy as np
import pytest

from triskel import Detections2D, Rig, Rigid
from triskel.projection import project, project_rig
from triskel.skeleton import BODY_25, WHOLE_BODY_135
from triskel.triangulate import PeopleOptions, TriangulateOptions, triangulate_people, triangulate_points
from triskel.triangulate.by_part import triangulate_by_part
from triskel.whole_body import parts_of

F, FPS = 20, 30.0
TIME = np.arange(F) / FPS
PARTS = parts_of(WHOLE_BODY_135)
LEFT, RIGHT, FACE, BODY = (PARTS[part] for part in ("left_hand", "right_hand", "face", "body"))
TWO = PeopleOptions(most_people=2)


@pytest.fixture
def seen(ring, whole_people):
    """Return four cameras, two whole people (F, 2, 135, 3), and what is seen of them (C, F, 2, 135, 3), 1 px noise."""
    rig, X = ring(4), whole_people(F, FPS)
    xy = project_rig(rig, X) + np.random.default_rng(0).normal(0, 1, (4, F, 2, 135, 2))
    return rig, X, np.concatenate([xy, np.full((*xy.shape[:-1], 1), 0.8)], axis=-1)


def error_m(points, X):
    return np.linalg.norm(points.X - X, axis=-1)


def people(rig, observed, *, skeleton=WHOLE_BODY_135):
    detections = Detections2D(skeleton, tuple(rig.names), np.ascontiguousarray(np.moveaxis(observed, 1, 0)))
    return triangulate_people(rig, detections, TIME, options=TWO).motion


def in_order(motion, X):
    """Return the people of `motion` in the order of the truth, (F, 2, J, 3)."""
    first = np.nanmedian(np.linalg.norm(motion.points.X[:, 0] - X[:, 0], axis=-1))
    return motion.points.X if first < 0.3 else motion.points.X[:, ::-1]


def test_whole_people_are_found_with_every_point(seen):
    rig, X, observed = seen
    motion = people(rig, observed)
    error = np.linalg.norm(in_order(motion, X) - X, axis=-1)
    assert np.isfinite(error).all()
    assert error.mean() < 0.006
    assert error.max() < 0.03


def test_fine_points_do_not_set_the_bound_of_the_body(seen):
    """With hands and face 15 px off on average, one bound for all lets in joints of the body that are 40 px off."""
    rig, X, observed = seen
    rng = np.random.default_rng(1)
    observed[..., 25:, :2] += rng.normal(0, 12, observed[..., 25:, :2].shape)
    some = BODY[::3]
    observed[0][..., some, 0] += 40
    by_part = triangulate_by_part(rig, WHOLE_BODY_135, observed, TriangulateOptions())
    at_once = triangulate_points(rig, observed[..., :2], observed[..., 2])
    assert by_part.views[..., some, 0].mean() < 0.05
    assert at_once.views[..., some, 0].mean() > 0.9
    assert np.median(error_m(by_part, X)[..., some]) < 0.008
    assert np.median(error_m(at_once, X)[..., some]) > 0.05


def test_a_hand_taken_for_the_other_in_one_view_is_left_out_there(seen):
    rig, X, observed = seen
    observed[1][..., np.r_[LEFT, RIGHT], :] = observed[1][..., np.r_[RIGHT, LEFT], :]
    points = triangulate_by_part(rig, WHOLE_BODY_135, observed, TriangulateOptions())
    assert not points.views[..., np.r_[LEFT, RIGHT], 1].any()
    assert error_m(points, X)[..., np.r_[LEFT, RIGHT]].max() < 0.03


def test_hands_near_the_edge_of_what_a_lens_shows_are_kept(ring, whole_people):
    """At 1.6 m, a metre beside the hands this lens shows nothing any more."""
    X = whole_people(F, FPS)[:, :1] + (0, 0.8, 0)
    near = [c.replace(cam_from_world=Rigid(c.cam_from_world.R, 0.4 * c.cam_from_world.t)) for c in ring(4)]
    near = [c.replace(cam_from_world=c.cam_from_world @ Rigid(np.eye(3), [0, 0, -0.6])) for c in near]
    rig = Rig(tuple(c.replace(dist=np.array([-0.7, 0, 0, 0])) for c in near))
    xy = project_rig(rig, X)
    hands = np.r_[LEFT, RIGHT]
    assert np.isfinite(xy[..., hands, 0]).all()
    assert all(np.isnan(project(c, X[..., hands, :] + c.cam_from_world.R[0])).any() for c in rig)
    observed = np.concatenate([xy, np.where(np.isnan(xy[..., :1]), 0, 0.8)], axis=-1)
    points = triangulate_by_part(rig, WHOLE_BODY_135, observed, TriangulateOptions())
    assert points.views[..., hands, :].all()


def test_two_views_of_the_wrong_hand_do_not_outvote_two_of_the_right(seen):
    """The wrong pair even scores higher. It looks across the body; from the side both hands are at one place."""
    rig, X, observed = seen
    for c in (1, 3):
        observed[c][..., LEFT, :2] = observed[c][..., RIGHT, :2]
        observed[c][..., LEFT, 2] = 0.95
    points = triangulate_by_part(rig, WHOLE_BODY_135, observed, TriangulateOptions())
    assert not points.views[..., LEFT, 1::2].any()
    assert error_m(points, X)[..., LEFT].max() < 0.06


def test_somebody_else_s_face_does_not_become_the_person_s(seen):
    rig, X, observed = seen
    observed[:, :, 0, FACE] = observed[:, :, 1, FACE]
    motion = people(rig, observed)
    first = in_order(motion, X)[:, 0]
    assert np.isnan(first[:, FACE]).all()
    assert np.isfinite(first[:, BODY]).all()


def test_a_part_whose_place_on_the_body_is_unknown_is_missing(seen):
    rig, _, observed = seen
    wrist = WHOLE_BODY_135.index("RWrist")
    observed[..., wrist, :] = np.nan, np.nan, 0
    points = triangulate_by_part(rig, WHOLE_BODY_135, observed, TriangulateOptions())
    assert np.isnan(points.X[..., RIGHT, 0]).all()
    assert not points.views[..., RIGHT, :].any()
    assert np.isfinite(points.X[..., LEFT, 0]).all()


def test_hands_and_faces_do_not_say_who_is_who(seen):
    """In two of four views all fine points of the two people are exchanged: 220 against 50 joints of the bodies."""
    rig, X, observed = seen
    mixed = observed.copy()
    mixed[1::2, ..., 25:, :] = observed[1::2, :, ::-1, 25:]
    motion = people(rig, mixed)
    bodies = people(rig, observed[..., BODY, :], skeleton=BODY_25)
    np.testing.assert_array_equal(motion.points.X[..., BODY, :], bodies.points.X)
    assert np.linalg.norm(in_order(motion, X)[..., BODY, :] - X[..., BODY, :], axis=-1).max() < 0.03


def test_a_detection_without_a_body_is_nobody(seen):
    rig, _, observed = seen
    observed[..., BODY, :] = np.nan, np.nan, 0
    assert people(rig, observed).ids.tolist() == []
