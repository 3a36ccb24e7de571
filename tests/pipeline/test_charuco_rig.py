"""A real recording without synchronization: four webcams, a board waved by hand, 57 frames at 6 a second.

One camera delivers its pictures about one frame late, and takes every third one 50 ms apart from the others. The
reference beside the recording is another program's result on the pictures paired as they came, with lenses calibrated
from other recordings. Where it has cam_3, every calibration of ours disagrees, by 4 to 7 % of its 0.42 m from cam_0:
with the reference's lenses or our own, those held or refined, in step or not, and from the six slowest shots alone,
which no timing touches; squares measure 0.3 to 0.4 % short with the reference, and have their size with ours. Our lens
of cam_3 is uncertain by 2 % too, since the board covered 12 % of its image. So what is asked is agreement within what
the calibration says of its own uncertainty, and 2 % of the distances that cam_3 is not in.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from triskel.calibration.boards import load_boards
from triskel.calibration.footage import calibrate_in_step, choose_shots, in_sync, lags_from_motion
from triskel.calibration.formats import load_rig
from triskel.calibration.rig import held_out
from triskel.pipeline.calibrating.footage import find_boards
from triskel.pipeline.calibrating.lenses import lenses_from_boards

RECORDING = Path(__file__).resolve().parents[3] / "shared" / "data" / "rigs" / "charuco_4cam"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not RECORDING.is_dir(), reason=f"needs the shared data, and {RECORDING} is missing"),
]


@pytest.fixture(scope="module")
def seen():
    return find_boards(RECORDING / "calibration" / "extrinsic", load_boards(RECORDING / "charuco.toml"))


@pytest.fixture(scope="module")
def reference():
    return load_rig(RECORDING / "camera_array.toml")


@pytest.fixture(scope="module", params=["lenses as given", "lenses from the same videos"])
def found(request, seen, reference):
    if request.param == "lenses as given":
        cameras = reference.cameras
    else:
        lenses = lenses_from_boards(seen)
        cameras = tuple(lenses[name].camera for name in reference.names)
    footage = in_sync(seen, lags_from_motion(seen))
    return cameras, calibrate_in_step(footage, choose_shots(footage).shots(), cameras)


def distances_m(rig):
    centres = np.array([camera.centre for camera in rig])
    return np.linalg.norm(centres[:, None] - centres[None], axis=2)[np.triu_indices(len(centres), 1)]


def test_the_camera_that_lags_a_frame_behind_is_found(seen):
    lags = lags_from_motion(seen)
    assert lags.late(least_sets=0.5) == ["cam_1"]
    assert -1.2 < lags.lag_sets[1] < -0.6


def test_half_of_the_corners_are_within_half_a_pixel(found):
    errors = found[1].calibration.errors
    size = np.hypot(*errors.residual_px.T)
    assert np.median(size) < 0.3  # of all corners, kept or not
    assert np.percentile(size, 90) < 0.8


def test_squares_that_were_not_used_have_their_size(found):
    cameras, result = found
    left_out = held_out(result.shots.shots, cameras, result.shots.boards)
    percent = 100 * left_out.distance_error_mm / left_out.distance_mm
    assert len(percent) > 300
    assert abs(np.median(percent)) < 0.2
    assert np.median(np.abs(percent)) < 0.5


def off_percent(rig, reference):
    """Return by how much distances between cameras differ, and which of them do not have cam_3 in them."""
    a, b = np.triu_indices(len(reference), 1)
    return 100 * np.abs(distances_m(rig) / distances_m(reference) - 1), (a != 3) & (b != 3)


def test_cameras_stand_about_where_the_reference_has_them(found, reference):
    cameras, result = found
    off, trusted = off_percent(result.calibration.rig, reference)
    assert np.median(off) < 2.0
    assert off[trusted].max() < (2.5 if cameras is reference.cameras else 2.0)
    assert off.max() < 8.0


def test_the_command_needs_no_hand_work(run, tmp_path, reference):
    """From the videos alone; the standard error of cam_3's place is 17 mm."""
    status, out, err = run(
        "calibrate", "rig", RECORDING / "calibration" / "extrinsic", "--board", RECORDING / "charuco.toml",
        "--out", tmp_path,
    )  # fmt: skip
    assert status == 0, err
    assert "cam_1: is 0.8" in out  # late, in frames
    report = json.loads((tmp_path / "report.json").read_text())
    assert all(camera["median_px"] < 0.5 for camera in report["cameras"])
    assert report["held_out"]["median_percent"] < 0.5
    assert abs(report["held_out"]["mean_mm"]) < 0.005 * 54
    rig = load_rig(tmp_path / "rig.yaml")
    off, trusted = off_percent(rig, reference)
    assert off[trusted].max() < 2.0
    sigma_mm = np.array([camera["centre_sigma_mm"] for camera in report["cameras"]])
    a, b = np.triu_indices(len(rig), 1)
    sigma_of_gap = np.sqrt((sigma_mm**2).max(axis=1)[a] + (sigma_mm**2).max(axis=1)[b])
    assert (np.abs(distances_m(rig) - distances_m(reference)) * 1000 < 2.5 * sigma_of_gap).all()
