import numpy as np
import pytest

from triskel import ConfigError, Detections2D, InputError
from triskel.projection import project_rig
from triskel.skeleton import COCO_18
from triskel.triangulate import PeopleOptions, triangulate_people

F, C, FPS = 30, 4, 30.0
ALL = PeopleOptions(most_people=None)


def body(rng):
    """Return 18 joints, m, around a person's middle."""
    return rng.uniform([-0.35, -0.25, -0.7], [0.35, 0.25, 0.7], (18, 3))


@pytest.fixture
def crowd(ring):
    """Two people who walk past each other, in shuffled places, with one false detection a camera.

    Returns the rig, the truth (F, 2, J, 3), the detections, and which place person n has, (F, C, 2).
    """
    rng = np.random.default_rng(0)
    rig = ring(C)
    t = np.linspace(-1, 1, F)
    paths = np.stack([np.c_[0.7 * t, 0 * t - 0.5, 0 * t + 1], np.c_[-0.7 * t, 0 * t + 0.5, 0 * t + 1]], axis=1)
    X = paths[:, :, None] + np.stack([body(rng), body(rng)])
    xy = np.moveaxis(project_rig(rig, X), 0, 1) + rng.normal(0, 1, (F, C, 2, 18, 2))
    keypoints = np.full((F, C, 3, 18, 3), np.nan)
    keypoints[..., 2] = 0
    places = np.argsort(rng.random((F, C, 3)), axis=-1)
    for f in range(F):
        for c in range(C):
            for n in range(2):
                keypoints[f, c, places[f, c, n]] = np.c_[xy[f, c, n], np.full(18, 0.8)]
            keypoints[f, c, places[f, c, 2]] = np.c_[rng.uniform(0, 1024, (18, 2)), np.full(18, 0.5)]
    return rig, X, Detections2D(COCO_18, tuple(rig.names), keypoints), places[..., :2]


def test_the_detections_of_each_person_are_found_among_shuffled_and_false_ones(crowd):
    rig, X, detections, places = crowd
    found = triangulate_people(rig, detections, np.arange(F) / FPS, options=ALL)
    motion = found.motion
    assert len(motion.ids) == 2
    first = np.linalg.norm(motion.points.X[0, 0] - X[0], axis=-1).mean(axis=-1).argmin()
    order = [first, 1 - first]
    error = np.linalg.norm(motion.points.X - X[:, order], axis=-1)
    assert np.isfinite(error).all()
    assert error.mean() < 0.006
    assert error.max() < 0.03
    for n, person in enumerate(order):
        chosen = np.take_along_axis(detections.keypoints, places[..., person][..., None, None, None], axis=2)[:, :, 0]
        np.testing.assert_array_equal(found.observed[:, :, n], chosen)


def test_identities_stay_with_the_people_who_walk_past_each_other(crowd):
    rig, _, detections, _ = crowd
    middle = triangulate_people(rig, detections, np.arange(F) / FPS, options=ALL).motion.points.X.mean(axis=2)
    steps = np.linalg.norm(np.diff(middle, axis=0), axis=-1)
    assert steps.max() < 0.1  # 0.05 m a frame; to the other person it is 1 m
    assert np.sign(middle[0, :, 0]).tolist() == (-np.sign(middle[-1, :, 0])).tolist()


def test_the_best_supported_person_is_the_one_kept(crowd):
    rig, X, detections, places = crowd
    keypoints = detections.keypoints.copy()
    for f in range(F):
        for c in range(C):
            keypoints[f, c, places[f, c, 1], :, 2] = 0.4
    fewer = Detections2D(COCO_18, detections.cameras, keypoints)
    motion = triangulate_people(rig, fewer, np.arange(F) / FPS, options=PeopleOptions(most_people=1)).motion
    assert motion.ids.tolist() == [0]
    assert np.linalg.norm(motion.points.X[:, 0] - X[:, 0], axis=-1).mean() < 0.006


def test_cameras_are_matched_by_name_not_by_place(crowd):
    rig, _, detections, _ = crowd
    names = [rig.names[i] for i in (2, 0, 3, 1)]
    one = triangulate_people(rig, detections, np.arange(F) / FPS).motion
    other = triangulate_people(rig, detections.select(names), np.arange(F) / FPS).motion
    assert other.cameras == tuple(names)
    np.testing.assert_allclose(other.points.X, one.points.X, rtol=0, atol=1e-6)


@pytest.mark.parametrize("places", [0, 2])
def test_nobody_is_an_empty_result(ring, places):
    keypoints = np.full((F, C, places, 18, 3), np.nan)
    keypoints[..., 2] = 0
    detections = Detections2D(COCO_18, tuple(ring(C).names), keypoints)
    motion = triangulate_people(ring(C), detections, np.arange(F) / FPS).motion
    assert motion.points.X.shape == (F, 0, 18, 3)
    assert motion.ids.tolist() == []


def test_no_frames_are_an_empty_result(ring):
    detections = Detections2D(COCO_18, tuple(ring(C).names), np.zeros((0, C, 1, 18, 3)))
    assert triangulate_people(ring(C), detections, np.zeros(0)).motion.points.X.shape == (0, 0, 18, 3)


def test_input_that_cannot_give_people_in_3d_is_refused(crowd):
    rig, _, detections, _ = crowd
    times = np.arange(F) / FPS
    with pytest.raises(InputError, match="at least two cameras, got c0"):
        triangulate_people(rig, detections.select(["c0"]), times)
    with pytest.raises(InputError, match="30 frame sets but 29 times"):
        triangulate_people(rig, detections, times[1:])
    with pytest.raises(ConfigError, match="no camera 'c3'"):
        triangulate_people(rig.select(["c0", "c1", "c2"]), detections, times)
