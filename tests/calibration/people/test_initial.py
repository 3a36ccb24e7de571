import numpy as np
import pytest

from triskel import InputError, Rigid
from triskel.calibration.people import rig_from_people
from triskel.calibration.people.gauge import camera_moves, lay_over
from triskel.calibration.people.tracks_2d import tracks_2d
from triskel.motion import Detections2D

HEIGHT_M = 1.733
"""Of the benchmark's walker by trunk, thigh and shank; that by the head is 2 % more."""


def without_poses(rig):
    return [camera.replace(cam_from_world=Rigid.identity()) for camera in rig]


def shape_error(found, true):
    """Return the largest error of a camera centre once laid over the truth (m) and the size relative to the truth."""
    apart = [np.stack([camera.centre for camera in rig]) for rig in (found, true)]
    sizes = [np.linalg.norm(centres - centres.mean(axis=0), axis=1).sum() for centres in apart]
    laid = lay_over(found, true, np.array([[0.0, 0.0, 1.0]])).rig
    return np.linalg.norm(camera_moves(true, laid)[:, 3:], axis=1).max(), sizes[0] / sizes[1]


def test_cameras_are_found_from_a_walker_alone(walker):
    """Measured: positions within 3 mm of 4 m once laid over the truth, the size within 2 %."""
    true, detections, time_s, _ = walker(4, 90)
    found = rig_from_people(without_poses(true), detections, time_s, height_m=HEIGHT_M)
    error_m, size = shape_error(found.rig, true)
    assert error_m < 0.01
    assert size == pytest.approx(1.0, abs=0.03)
    assert {row.verdict for row in found.moves} == {"placed"}
    assert max(row.moved_sigma_mm for row in found.moves) < 10
    heights = np.array([camera.centre[2] for camera in found.rig])
    np.testing.assert_allclose(heights, [camera.centre[2] for camera in true], atol=0.35)  # floor and up from bodies


@pytest.mark.slow
def test_two_people_who_change_places_in_the_lists_are_told_apart(walker):
    true, detections, time_s, _ = walker(3, 120)
    _, other, _, _ = walker(3, 120, seed=5)
    later = np.roll(other.keypoints, 45, axis=0)  # the other walks the same round elsewhere in it
    later[40:50] = (np.nan, np.nan, 0)  # where the roll would make that person jump
    both = np.concatenate([detections.keypoints, later], axis=2)
    swapped = np.random.default_rng(0).random(both.shape[:2]) < 0.5
    both[swapped] = both[swapped][:, ::-1]
    two = Detections2D(detections.skeleton, detections.cameras, both)
    found = rig_from_people(without_poses(true), two, time_s, height_m=HEIGHT_M, person=0)
    error_m, size = shape_error(found.rig, true)
    assert error_m < 0.02
    assert size == pytest.approx(1.0, abs=0.03)
    assert found.n_people == 2


@pytest.mark.slow
def test_the_height_is_what_scales(walker):
    true, detections, time_s, _ = walker(3, 60)
    small, large = (rig_from_people(without_poses(true), detections, time_s, height_m=height) for height in (1.5, 1.8))
    ratios = [
        np.linalg.norm(b.centre - large.rig.cameras[0].centre) / np.linalg.norm(a.centre - small.rig.cameras[0].centre)
        for a, b in zip(small.rig.cameras[1:], large.rig.cameras[1:], strict=True)
    ]
    assert ratios == pytest.approx([1.2, 1.2], rel=1e-6)


def test_a_camera_that_sees_nobody_of_the_others_is_refused_by_name(walker):
    true, detections, time_s, _ = walker(4, 60)
    keypoints = detections.keypoints.copy()
    keypoints[:, 3] = (np.nan, np.nan, 0)
    poor = Detections2D(detections.skeleton, detections.cameras, keypoints)
    with pytest.raises(InputError, match="cam03"):
        rig_from_people(without_poses(true), poor, time_s, height_m=1.7)


def test_cameras_in_one_place_are_refused(walker):
    true, detections, time_s, _ = walker(3, 60)
    keypoints = np.repeat(detections.keypoints[:, :1], 3, axis=1)
    one = Detections2D(detections.skeleton, detections.cameras, keypoints)
    same = [true.cameras[0].replace(name=name, cam_from_world=Rigid.identity()) for name in true.names]
    with pytest.raises(InputError, match="different directions"):
        rig_from_people(same, one, time_s, height_m=1.7)


def test_nonsense_is_refused(walker):
    true, detections, time_s, _ = walker(3, 60)
    noise = np.random.default_rng(0).uniform(0, 1000, detections.keypoints.shape)
    noise[..., 2] = 0.9
    nonsense = Detections2D(detections.skeleton, detections.cameras, noise)
    with pytest.raises(InputError):
        rig_from_people(without_poses(true), nonsense, time_s, height_m=1.7)
    with pytest.raises(InputError, match="height"):
        rig_from_people(without_poses(true), detections, time_s, height_m=170.0)


def test_bodies_are_followed_in_one_camera_though_their_order_changes():
    rng = np.random.default_rng(0)
    body = rng.uniform(0, 100, (12, 2))
    path = np.stack([np.linspace(0, 300, 40), np.full(40, 200.0)], axis=1)
    keypoints = np.ones((40, 2, 12, 3))
    first, second = body + path[:, None], body + path[::-1, None] + (0.0, 400.0)
    flip = rng.random(40) < 0.5
    keypoints[..., :2] = np.where(flip[:, None, None, None], np.stack([second, first], 1), np.stack([first, second], 1))
    keypoints[10:13, :, :, :2], keypoints[10:13, :, :, 2] = np.nan, 0
    tracks = tracks_2d(keypoints, np.arange(40) / 30)
    assert len(tracks) == 2
    seen = np.r_[0:10, 13:40]
    places = {tuple(track.place.tolist()) for track in tracks}
    assert places == {tuple(flip[seen].astype(int).tolist()), tuple((~flip[seen]).astype(int).tolist())}
    assert tracks[0].frames.tolist() == seen.tolist()
