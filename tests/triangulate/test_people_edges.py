"""What no rig should be, but some are: handled without a crash, a warning, or people that are not there."""

import time
import warnings
from dataclasses import replace

import numba
import numpy as np
import pytest

from triskel import Detections2D, InputError, Rig
from triskel.keypoints import Missing
from triskel.projection import project_rig
from triskel.skeleton import BODY_25
from triskel.triangulate import PeopleOptions, triangulate_people

FPS = 30.0
ALL = PeopleOptions(most_people=None)


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.fixture(scope="module")
def two_people(whole_people):
    return whole_people(20, FPS)[:, :, :25]


def seen_by(rig, X, *, noise_px=1.0, most=None):
    """Return what the cameras see of people (F, N, 25, 3), with room for `most` a picture."""
    F, N = X.shape[:2]
    xy = np.moveaxis(project_rig(rig, X), 0, 1)
    xy = xy + np.random.default_rng(0).normal(0, noise_px, xy.shape)
    keypoints = np.full((F, len(rig), most or N, 25, 3), np.nan)
    keypoints[..., 2] = 0
    keypoints[:, :, :N] = np.concatenate([xy, np.where(np.isnan(xy[..., :1]), 0, 0.8)], axis=-1)
    return Detections2D(BODY_25, tuple(rig.names), keypoints)


def people(rig, detections):
    times = np.arange(len(detections.keypoints)) / FPS
    return triangulate_people(rig, detections, times, options=ALL).motion


def error_m(motion, X):
    """Return each joint's distance to that of the true person whom the found one follows, (F, N, J)."""
    away = np.linalg.norm(motion.points.X[:, :, None] - X[:, None], axis=-1)
    whom = np.nanmedian(away, axis=(0, 3)).argmin(axis=1)
    assert len(set(whom.tolist())) == len(whom)
    return np.stack([away[:, n, who] for n, who in enumerate(whom)], axis=1)


def test_a_camera_that_sees_nobody_does_not_matter(ring, two_people):
    rig = ring(5)
    detections = seen_by(rig, two_people)
    detections.keypoints[:, 3] = np.nan, np.nan, 0
    motion = people(rig, detections)
    assert len(motion.ids) == 2
    assert np.nanmax(error_m(motion, two_people)) < 0.05
    assert not motion.points.views[..., 3].any()


def test_nothing_but_missing_joints_is_nobody(ring):
    keypoints = np.full((10, 4, 3, 25, 3), np.nan)
    keypoints[..., 2] = 0
    assert len(people(ring(4), Detections2D(BODY_25, tuple(ring(4).names), keypoints)).ids) == 0


def test_two_cameras_that_look_at_each_other_find_who_stands_beside_the_line(ring, two_people):
    facing = ring(4).select(["c0", "c2"])
    motion = people(facing, seen_by(facing, two_people))
    wrong = error_m(motion, two_people) > 0.3
    assert motion.found.any()
    assert wrong.sum() <= 0.01 * motion.found.sum()


def test_two_cameras_find_two_people(ring, two_people):
    rig = ring(6).select(["c0", "c1"])
    motion = people(rig, seen_by(rig, two_people))
    assert len(motion.ids) == 2
    error = error_m(motion, two_people)
    assert np.isfinite(error).mean() > 0.95
    assert np.nanmedian(error) < 0.02


def test_cameras_of_different_size_find_the_same_people(ring, two_people):
    made = [
        replace(camera, K=np.diag([s, s, 1]) @ camera.K, size_wh=(int(1280 * s), int(1024 * s)))
        for camera, s in zip(ring(4), (1, 0.25, 2, 0.5), strict=True)
    ]
    rig = Rig(tuple(made))
    motion = people(rig, seen_by(rig, two_people))
    assert len(motion.ids) == 2
    assert np.nanmedian(error_m(motion, two_people)) < 0.015


def test_two_hundred_false_people_in_one_frame_become_nobody_and_take_little_time(ring, two_people):
    rig = ring(4)
    detections = seen_by(rig, two_people, most=202)
    rng = np.random.default_rng(1)
    shapes = np.nan_to_num(detections.keypoints[5, :, :1, :, :2], nan=500.0)
    middles = rng.uniform(100, 900, (4, 200, 1, 2))
    detections.keypoints[5, :, 2:, :, :2] = shapes - shapes.mean(axis=2, keepdims=True) + middles
    detections.keypoints[5, :, 2:, :, 2] = 0.6
    people(rig, seen_by(rig, two_people[:3]))  # compiled
    started = time.process_time()
    motion = people(rig, detections)
    assert time.process_time() - started < 10
    assert len(motion.ids) == 2
    assert np.nanmax(error_m(motion, two_people)) < 0.1


def test_one_frame_is_enough(ring, two_people):
    motion = people(ring(4), seen_by(ring(4), two_people[:1]))
    assert len(motion.ids) == 2
    assert np.nanmax(error_m(motion, two_people[:1])) < 0.05


def test_who_is_not_there_is_missing_for_that_reason(ring, two_people):
    X = two_people.copy()
    X[:8, 1] = np.nan
    motion = people(ring(4), seen_by(ring(4), X))
    late = int(np.argmin(motion.found.any(axis=-1)[0]))
    assert (motion.points.missing[:8, late] == Missing.NO_PERSON).all()
    assert (motion.points.missing[8:] == Missing.FOUND).mean() > 0.95


def test_people_are_the_same_on_one_thread_and_on_two(ring, two_people):
    rig = ring(4)
    detections = seen_by(rig, two_people, noise_px=3)
    several = people(rig, detections)
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        one = people(rig, detections)
    finally:
        numba.set_num_threads(before)
    for a, b in zip(several.points, one.points, strict=True):
        np.testing.assert_array_equal(a, b)


def test_somebody_who_comes_and_goes_is_kept_on_every_visit(ring, whole_people):
    """Three seconds inside, three outside, five times: each visit is a person, if under another number."""
    rig, X = ring(4), whole_people(900, FPS)[:, :1, :25].copy()
    X[..., 0] = whole_people(900, FPS)[:1, :1, :25, 0]
    inside = (np.arange(900) // 90) % 2 == 0
    X[~inside] = np.nan
    motion = people(rig, seen_by(rig, X))
    assert motion.found[inside].any(axis=1).mean() > 0.99


@pytest.mark.parametrize("fps", [3.0, 5.0, 10.0])
def test_a_walk_filmed_slowly_keeps_wrists_and_feet(ring, scene, fps):
    rig = ring(6)
    X = scene.make_motion(60, fps=fps)[:, None]
    times = np.arange(60) / fps
    motion = triangulate_people(rig, seen_by(rig, X), times, options=ALL).motion
    assert motion.found.mean() > 0.98


@pytest.mark.parametrize("times", [[0, 1, np.inf], [0, np.nan, 1], [0, 1, 1], [2, 1, 0]])
def test_times_that_no_recording_has_are_refused(ring, two_people, times):
    with pytest.raises(InputError, match="rise"):
        triangulate_people(ring(4), seen_by(ring(4), two_people[:3]), np.array(times))


@pytest.mark.parametrize("wrong", [{"most_people": 0}, {"association_px": np.nan}, {"least_seen_s": -1.0}])
def test_options_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        PeopleOptions(**wrong)
