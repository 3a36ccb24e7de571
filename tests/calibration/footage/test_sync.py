import numpy as np
import pytest

from triskel.calibration.footage import (
    CameraLags,
    calibrate_in_step,
    choose_shots,
    in_sync,
    lags_from_motion,
    lags_from_residuals,
)
from triskel.calibration.rig import calibrate_rig


def lengths_off_mm(rig, truth):
    a, b = (np.array([camera.centre for camera in one]) for one in (rig, truth))
    apart = [np.linalg.norm(x[:, None] - x[None], axis=2) for x in (a, b)]
    return 1000 * np.abs(apart[0] - apart[1]).max()


@pytest.mark.parametrize("late", [0.0, 0.5, 3.0, 20.0])
def test_the_motion_of_the_board_tells_how_late_a_camera_is(rig_of, wave_at, late):
    lags = lags_from_motion(wave_at(rig_of(4, radius=2.0), lags=[0, late, 0, 0]))
    assert np.abs(lags.lag_sets - [0, late, 0, 0]).max() < 0.35
    assert (np.abs(lags.lag_sets - [0, late, 0, 0]) < 3 * lags.sigma_sets).all()
    assert ("cam02" in lags.late()) == (late >= 3)


def test_every_third_frame_is_enough_to_see_a_lag(rig_of, wave_at):
    footage = wave_at(rig_of(2, radius=2.0), 480, lags=[0, 12], speed=0.5)
    thinned = type(footage)(
        cameras=tuple(one[one.frames % 3 == 0] for one in footage.cameras), boards=footage.boards, fps=footage.fps
    )
    lags = lags_from_motion(thinned)
    assert abs(np.diff(lags.lag_sets)[0] - 12) < 1.0


def test_a_board_that_nobody_moves_tells_no_lag(rig_of, wave_at):
    lags = lags_from_motion(wave_at(rig_of(3, radius=2.0), speed=0.0))
    assert np.isnan(lags.lag_sets).all()
    assert lags.late() == []
    assert lags.describe() == []


def test_a_camera_that_sees_another_board_gets_no_lag(rig_of, wave_at):
    rig = rig_of(3, radius=2.0)
    footage, other = wave_at(rig, seed=3), wave_at(rig, seed=8)
    mixed = type(footage)(cameras=(*footage.cameras[:2], other.cameras[2]), boards=footage.boards)
    lags = lags_from_motion(mixed)
    assert np.isfinite(lags.lag_sets[:2]).all()
    assert np.isnan(lags.lag_sets[2])


def test_whole_frames_of_lag_are_taken_out(rig_of, wave_at):
    rig = rig_of(3, radius=2.0)
    footage = wave_at(rig, lags=[0, 0, -7])
    moved = in_sync(footage, lags_from_motion(footage))
    assert np.abs(lags_from_motion(moved).lag_sets).max() < 0.35
    assert (moved.of("cam03").sets == moved.of("cam03").frames - 7).all()
    assert (moved.of("cam01").sets == moved.of("cam01").frames).all()
    assert moved.of("cam03").sets.min() == 0
    assert in_sync(moved, lags_from_motion(moved)) is moved


@pytest.mark.parametrize("late", [0.0, 0.02, 0.2])
def test_residuals_tell_small_lags_exactly(rig_of, wave_at, late):
    rig = rig_of(4, radius=2.0)
    footage = wave_at(rig, lags=[0, late, 0, 0])
    shots = choose_shots(footage, most=60).shots()
    result = calibrate_rig(shots.shots, rig, shots.boards)
    lags = lags_from_residuals(footage, shots, result.rig, result.world_from_board)
    assert np.abs(lags.lag_sets - [0, late, 0, 0]).max() < 0.005 + 0.05 * late  # some of it is in the poses
    assert lags.sigma_sets.max() < 0.01
    assert lags.late() == (["cam02"] if late == 0.2 else [])


def test_a_late_camera_is_named_with_frames_and_milliseconds():
    lags = CameraLags(("left", "right"), np.array([0.0, -2.5]), np.array([0.01, 0.05]))
    (line,) = lags.describe(fps=50.0)
    assert line.startswith("camera right is 2.50 ± 0.05 frames (50 ms) early")


def test_free_running_cameras_calibrate_as_if_they_were_triggered(rig_of, wave_at):
    rig = rig_of(4, radius=2.0)
    footage = wave_at(rig, 160, jitter=0.15)
    shots = choose_shots(footage, most=24).shots()
    plain = calibrate_rig(shots.shots, rig, shots.boards)
    found = calibrate_in_step(footage, shots, rig)
    assert plain.rms_px > 0.7
    # The noise is 0.28 px; the rest is that the frames beside, which give the velocity, are out of step too.
    assert found.calibration.rms_px < 0.6
    assert lengths_off_mm(found.calibration.rig, rig) < 0.8 * lengths_off_mm(plain.rig, rig)
    assert "not take their pictures together" in found.describe()[0]


def test_cameras_in_step_are_left_alone(rig_of, wave_at):
    rig = rig_of(3, radius=2.0)
    footage = wave_at(rig, n=120)
    shots = choose_shots(footage, most=30).shots()
    found = calibrate_in_step(footage, shots, rig)
    assert found.describe() == []
    assert found.shots is shots
    assert found.left_out == 0
