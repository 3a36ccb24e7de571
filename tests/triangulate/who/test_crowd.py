"""Many people at once, and everything that goes wrong with cameras: claims about `find_people` and what follows it."""

import runpy
import time
from pathlib import Path

import numpy as np
import pytest

from triskel import Camera, Detections2D, Rig, Rigid
from triskel.calibration import load_rig
from triskel.exchange import read_openpose_json
from triskel.samples import is_installed, sample_folder
from triskel.skeleton import BODY_25, BODY_25B
from triskel.triangulate import PeopleOptions, triangulate_people
from triskel.triangulate.who.whole_session import find_people

CROWD = runpy.run_path(str(Path(__file__).with_name("crowd.py")))  # tests are not a package
make_crowd, score_people, observe_people = (CROWD[name] for name in ("make_crowd", "score_people", "observe_people"))
BOUND_PX = 75.0
DETECTIONS = Path(__file__).resolve().parents[4] / "shared/data/rigs/pose2sim_openpose_json"


def follow(rig, keypoints, time_s, *, least_views=None, least_seen_s=0.25):
    """Return the tracks, and their joints (F, M, J, 3)."""
    least_views = least_views or max(2, min(3, len(rig) - 1))
    tracks = find_people(rig, keypoints, time_s, bound_px=BOUND_PX, least_views=least_views, least_seen_s=least_seen_s)
    X = np.full((len(time_s), len(tracks), keypoints.shape[3], 3), np.nan)
    for n, one in enumerate(tracks):
        for f, sighting in one.items():
            X[f, n] = sighting.X
    return tracks, X


def unseen(crowd, person, frames, cameras):
    """Return the crowd's keypoints without those of a person in some frames and cameras."""
    keypoints = crowd.keypoints.copy()
    gone = np.zeros(crowd.who.shape, bool)
    gone[frames, cameras] = crowd.who[frames, cameras] == person
    keypoints[gone] = np.nan
    keypoints[gone, :, 2] = 0
    return keypoints


@pytest.fixture(scope="module")
def five(scene):
    """Five people, six cameras, 60 frames; nobody false or missed but by being covered."""
    return make_crowd(scene, people=5, frames=60, seed=4, false=0.0, missed=0.0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_ten_people_who_walk_through_each_other_are_all_found_and_keep_their_identities(scene, seed):
    """The issue's figures; the whole way from detections to motion in at most 10 ms a frame on two cores."""
    crowd = make_crowd(scene, seed=seed)
    detections = Detections2D(BODY_25, tuple(crowd.rig.names), crowd.keypoints)
    options = PeopleOptions(most_people=None)
    triangulate_people(crowd.rig, detections, crowd.time_s, options=options)  # compiles
    start = time.process_time()
    found = triangulate_people(crowd.rig, detections, crowd.time_s, options=options)
    assert (time.process_time() - start) / len(crowd.time_s) < 0.020  # of both cores together
    score = score_people(crowd.X, found.raw.points.X)
    assert score.recall >= 0.98
    assert score.precision >= 0.98
    assert score.switches <= 2
    assert score.ids == 10


@pytest.mark.parametrize(("cameras", "recall"), [(6, 0.999), (4, 0.98), (3, 0.93)])
def test_a_crowd_is_followed_by_few_cameras_too(scene, cameras, recall):
    """Of three cameras one misses a tenth, another has somebody covered: two must see a person to place them."""
    crowd = make_crowd(scene, cameras=cameras, frames=60, seed=1)
    _, X = follow(crowd.rig, crowd.keypoints, crowd.time_s)
    score = score_people(crowd.X, X)
    assert score.recall >= recall
    assert score.precision >= 0.995
    assert (score.switches, score.ids) == (0, 10)
    assert score.mean_mm < 20


def test_no_detection_is_in_two_people(scene):
    crowd = make_crowd(scene, frames=20, seed=2)
    tracks, _ = follow(crowd.rig, crowd.keypoints, crowd.time_s)
    for f in range(20):
        members = np.stack([one[f].members for one in tracks if f in one])
        for camera in members.T:
            used = camera[camera >= 0]
            assert len(used) == len(set(used))


def test_people_who_come_and_go_are_reported_only_while_they_are_there(five):
    keypoints = unseen(five, 0, slice(0, 30), slice(None))
    truth = five.X.copy()
    truth[:30, 0] = np.nan
    crowd = five._replace(keypoints=keypoints)
    keypoints = unseen(crowd, 1, slice(20, 60), slice(None))
    truth[20:, 1] = np.nan
    _, X = follow(five.rig, keypoints, five.time_s)
    score = score_people(truth, X)
    assert score.recall == score.precision == 1.0
    assert score.switches == 0


def test_somebody_unseen_for_half_a_second_is_the_same_again(five):
    keypoints = unseen(five, 2, slice(20, 35), slice(None))
    tracks, X = follow(five.rig, keypoints, five.time_s)
    score = score_people(five.X, X)
    assert (score.ids, score.switches) == (5, 0)
    assert sorted(len(one) for one in tracks) == [45, 60, 60, 60, 60]


@pytest.mark.parametrize("frames", [slice(0, 25), slice(20, 45), slice(35, 60)], ids=["first", "between", "last"])
def test_a_known_person_is_followed_by_two_of_six_cameras(five, frames):
    """Before the others see the person too, the beginning is found looking back."""
    keypoints = unseen(five, 3, frames, [1, 2, 4, 5])
    by_two = np.isfinite(five.X[frames, 3, 0, 0]) & ((five.who[frames][:, [0, 3]] == 3).any(-1).all(-1))
    _, X = follow(five.rig, keypoints, five.time_s)
    score = score_people(five.X, X)
    assert by_two.sum() > 15
    assert score.precision > 0.99
    assert score.recall > 1 - (25 - by_two.sum() + 3) / 300
    assert (score.ids, score.switches) == (5, 0)


def test_two_of_six_cameras_make_nobody_if_no_third_ever_agrees(five):
    keypoints = unseen(five, 3, slice(None), [1, 2, 4, 5])
    tracks, _ = follow(five.rig, keypoints, five.time_s)
    assert len(tracks) == 4
    assert len(follow(five.rig, keypoints, five.time_s, least_views=2)[0]) == 5


def test_two_cameras_are_enough_for_people_with_room_around_them(five):
    names = five.rig.names[:2]
    keypoints = five.keypoints[:, :2]
    _, X = follow(five.rig.select(names), np.ascontiguousarray(keypoints), five.time_s)
    by_both = np.stack([(five.who[:, :2] == n).any(-1).all(-1) for n in range(5)], axis=1)
    truth = np.where(by_both[..., None, None], five.X, np.nan)
    score = score_people(truth, X)
    assert score.recall > 0.97
    assert score.precision > 0.97
    assert score.switches == 0


def facing_rig():
    """Return two cameras at the same height, 6 m apart, that look at each other."""
    K = np.array([[1200.0, 0, 959.5], [0, 1200.0, 539.5], [0, 0, 1]])
    cameras = []
    for name, side in (("east", 1.0), ("west", -1.0)):
        R = np.array([[0.0, side, 0.0], [0.0, 0.0, -1.0], [-side, 0.0, 0.0]])
        pose = Rigid(R, -R @ np.array([3.0 * side, 0.0, 1.1]))
        cameras.append(Camera(name=name, size_wh=(1920, 1080), K=K, cam_from_world=pose))
    return Rig(tuple(cameras))


def test_two_cameras_that_look_at_each_other_give_no_nonsense(five):
    """Between them depth is known badly; a place metres off would be worse than none."""
    rig, rng = facing_rig(), np.random.default_rng(0)
    X = five.X[:, :1] * 0.5 + np.array([0, 0, 0.5])  # a child in the middle, in both images all the time
    keypoints, _ = observe_people(rig, X, noise_px=2.0, missed=0.0, false=0.0, occluded=0.0, rng=rng)
    tracks, found = follow(rig, keypoints, five.time_s)
    assert [len(one) for one in tracks] == [60]
    error = np.linalg.norm(found[:, 0] - X[:, 0], axis=-1)
    across = np.linalg.norm((found[:, 0] - X[:, 0])[..., 1:], axis=-1)
    assert np.nanmedian(across) < 0.01
    assert np.nanmedian(error) < 0.25
    assert np.nanmax(error) < 2.0


def test_cameras_of_different_size_are_held_to_their_own_pixels(five):
    """A camera of a third of the pixels sees the same people; its error in px counts three times as much."""
    cameras = [camera.resized((640, 360)) if c % 2 else camera for c, camera in enumerate(five.rig)]
    keypoints = five.keypoints.copy()
    keypoints[:, 1::2, ..., :2] = (keypoints[:, 1::2, ..., :2] + 0.5) / 3 - 0.5
    _, X = follow(Rig(tuple(cameras)), keypoints, five.time_s)
    score = score_people(five.X, X)
    assert score.recall == score.precision == 1.0
    assert score.switches == 0


def test_a_camera_that_sees_nobody_changes_nothing_for_the_others(five):
    keypoints = five.keypoints.copy()
    keypoints[:, 4] = (np.nan, np.nan, 0)
    _, X = follow(five.rig, keypoints, five.time_s)
    score = score_people(five.X, X)
    assert score.recall > 0.99
    assert score.precision == 1.0
    assert score.switches == 0


@pytest.mark.parametrize(("fps", "people"), [(5.0, 5), (2.0, 3), (0.4, 1)])
def test_frames_far_apart_in_time_still_make_one_identity_a_person(scene, fps, people):
    crowd = make_crowd(scene, people=people, frames=40, fps=fps, seed=0)
    _, X = follow(crowd.rig, crowd.keypoints, crowd.time_s)
    score = score_people(crowd.X, X)
    assert score.recall > 0.99
    assert (score.ids, score.switches) == (people, 0)


def test_two_hundred_false_people_in_one_frame_are_survived(scene):
    crowd = make_crowd(scene, people=5, frames=20, seed=3)
    F, C, P, J, _ = crowd.keypoints.shape
    rng = np.random.default_rng(0)
    keypoints = np.full((F, C, 200, J, 3), np.nan)
    keypoints[..., 2] = 0
    keypoints[:, :, :P] = crowd.keypoints
    shapes = crowd.keypoints[rng.integers(0, F, (C, 200 - P)), np.arange(C)[:, None], 0]
    shapes[..., :2] += rng.uniform(-600, 600, (C, 200 - P, 1, 2))
    keypoints[10, :, P:] = shapes
    follow(crowd.rig, crowd.keypoints[:2], crowd.time_s[:2])  # compiles
    start = time.process_time()
    _, X = follow(crowd.rig, keypoints, crowd.time_s)
    assert time.process_time() - start < 2.0
    score = score_people(crowd.X, X)
    assert score.recall > 0.99
    assert score.precision > 0.99
    assert (score.ids, score.switches) == (5, 0)


def test_doubled_detections_do_not_double_people(five):
    """A detector that finds everybody twice, a little aside, in every camera."""
    again = five.keypoints.copy()
    again[..., :2] += np.random.default_rng(0).normal(0, 3, again[..., :2].shape)
    twice = np.concatenate([five.keypoints, again], axis=2)
    _, X = follow(five.rig, twice, five.time_s)
    score = score_people(five.X, X)
    assert score.recall == score.precision == 1.0
    assert (score.ids, score.switches) == (5, 0)


def test_somebody_seen_ten_times_worse_than_the_others_is_still_one_person(five):
    """A bound that suits the others would tear this person's views apart into two people."""
    keypoints = five.keypoints.copy()
    noise = np.random.default_rng(0).normal(0, 20, keypoints[..., :2].shape)
    keypoints[..., :2] += np.where(five.who == 2, 1.0, 0.0)[..., None, None] * noise
    _, X = follow(five.rig, keypoints, five.time_s)
    score = score_people(five.X, X)
    assert score.recall > 0.98
    assert score.precision > 0.98
    assert (score.ids, score.switches) == (5, 0)


@pytest.mark.parametrize("shape", [(5, 6, 0, 25, 3), (5, 6, 2, 25, 3), (0, 6, 2, 25, 3)])
def test_nobody_gives_no_tracks(five, shape):
    keypoints = np.full(shape, np.nan)
    keypoints[..., 2] = 0
    assert follow(five.rig, keypoints, np.arange(shape[0]) / 30)[0] == []


def test_one_frame_set_is_enough(five):
    _, X = follow(five.rig, five.keypoints[:1], five.time_s[:1])
    score = score_people(five.X[:1], X)
    assert score.recall == score.precision == 1.0


def test_the_order_of_detections_does_not_matter_and_a_second_run_gives_the_same(five):
    once, X = follow(five.rig, five.keypoints, five.time_s)
    _, again = follow(five.rig, five.keypoints, five.time_s)
    np.testing.assert_array_equal(again, X)
    _, turned = follow(five.rig, np.ascontiguousarray(five.keypoints[:, :, ::-1]), five.time_s)
    np.testing.assert_allclose(turned, X, rtol=0, atol=1e-9)
    assert [len(one) for one in once] == [60] * 5


@pytest.mark.network
@pytest.mark.parametrize(("name", "people"), [("single", 1), ("multi", 2)])
def test_the_people_of_the_recordings_have_one_identity_each_over_all_frames(name, people):
    """Somebody behind the scene is in two of the four images only; with `least_views=2` she is found as well."""
    if not (DETECTIONS / name).is_dir() or not is_installed(name):
        pytest.skip(f"needs {DETECTIONS / name} and the sample {name!r}")
    cameras = ["cam01", "cam02", "cam03", "cam04"]
    rig = load_rig(sample_folder(name) / "Calib.qca.txt").select(cameras)
    detections = read_openpose_json(DETECTIONS / name, cameras, skeleton=BODY_25B)
    time_s = np.arange(len(detections.keypoints)) / 60
    found = triangulate_people(rig, detections, time_s, options=PeopleOptions(most_people=None))
    assert found.raw.ids.tolist() == list(range(people))
    assert found.raw.points.X.shape[:2] == (100, people)
    assert (np.isfinite(found.raw.points.X[..., 0]).sum(axis=-1) >= 10).all()
    tracks, _ = follow(rig, detections.keypoints, time_s, least_views=2)
    assert [len(one) for one in tracks] == [100] * (people + 1)
