import numpy as np

from triskel import Camera, Rig
from triskel.calibration.report.volume import DETECTOR_PX, height_words, measure_volume, plan_of
from triskel.rigid import Rigid

NOWHERE = np.full(3, np.nan)
NO_BOARDS = np.zeros((0, 3))


def in_first(rig):
    """Return the rig with its first camera as the world, which is not upright then."""
    world = rig.cameras[0].cam_from_world.inverse
    return Rig(tuple(camera.replace(cam_from_world=camera.cam_from_world @ world) for camera in rig))


def same_everywhere(X, noise_px=None):
    return np.full(np.shape(X)[:-1], 3.0 if noise_px is None else np.hypot(3.0, noise_px))


def test_a_world_without_floor_is_seen_along_the_cameras_own_up(rig):
    turned = in_first(rig)
    plan = plan_of(turned, NO_BOARDS, NOWHERE)
    assert not plan.is_world
    up_of_truth = rig.cameras[0].cam_from_world.R @ [0, 0, 1]
    np.testing.assert_allclose(plan.plan_from_world[2], up_of_truth, atol=0.02)
    np.testing.assert_allclose(plan.plan_from_world @ plan.plan_from_world.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(plan.plan_from_world) > 0


def test_heights_are_said_from_the_floor_or_from_the_middle(rig):
    boards = np.array([[0.0, 0.0, 1.0]])
    assert height_words(plan_of(rig, boards, NOWHERE), 0.1) == "0.1 m above the floor"
    turned = in_first(rig)
    plan = plan_of(turned, rig.cameras[0].cam_from_world.apply(boards), NOWHERE)
    middle = float(plan.middle @ plan.plan_from_world[2])
    assert height_words(plan, middle) == "at the height of the middle"
    assert height_words(plan, middle - 0.5) == "0.50 m below the middle"


def test_calibration_and_detector_are_told_apart(rig):
    boards = np.random.default_rng(1).uniform([-0.5, -0.5, 0.5], [0.5, 0.5, 1.5], (20, 3))
    volume = measure_volume(rig, plan_of(rig, boards, NOWHERE), boards, same_everywhere)
    np.testing.assert_allclose([volume.typical_mm, volume.detector_mm], [3.0, DETECTOR_PX], rtol=1e-12)


def test_places_that_one_camera_sees_have_no_number(rig):
    boards = np.array([[0.0, 0.0, 1.0]])
    volume = measure_volume(rig, plan_of(rig, boards, NOWHERE), boards, same_everywhere)
    for one in volume.slices:
        assert set(np.unique(one.sigma_mm[np.isfinite(one.sigma_mm)])) == {3.0}
    alone = Rig(rig.cameras[:1])
    volume = measure_volume(alone, plan_of(alone, boards, NOWHERE), boards, same_everywhere)
    assert all(np.isnan(one.sigma_mm).all() and np.isnan(one.typical_mm) for one in volume.slices)


def test_cameras_that_look_straight_down_in_a_row_still_make_a_map():
    down = np.diag([1.0, -1.0, -1.0])
    cameras = [
        Camera(
            name=f"cam{i}",
            size_wh=(640, 480),
            K=np.array([[500.0, 0, 319.5], [0, 500, 239.5], [0, 0, 1]]),
            cam_from_world=Rigid(down, -down @ [0.5 * i, 0.0, 2.5]),
        )
        for i in range(3)
    ]
    plan = plan_of(Rig(tuple(cameras)), NO_BOARDS, NOWHERE)
    assert (plan.high - plan.low > 0.3).all()
    volume = measure_volume(Rig(tuple(cameras)), plan, NO_BOARDS, same_everywhere)
    assert len(volume.slices) == 3
    assert np.isnan([volume.board_low_m, volume.board_high_m]).all()


def test_the_map_ends_at_cameras_that_stand_all_around_and_not_at_those_on_one_side(rig):
    boards = np.array([[0.0, 0.0, 1.0]])
    plan = plan_of(rig, boards, NOWHERE)
    (_, around, _) = measure_volume(rig, plan, boards, same_everywhere).slices
    assert np.isnan(around.sigma_mm[0, 0])
    assert np.isfinite(around.sigma_mm).mean() < 0.55
    half = Rig(rig.cameras[:2])
    aside = np.array([[-0.5, -0.5, 1.0]])
    (_, beyond, _) = measure_volume(half, plan_of(half, aside, NOWHERE), aside, same_everywhere).slices
    assert np.isfinite(beyond.sigma_mm[0]).any()
