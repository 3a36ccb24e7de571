import re

import numpy as np
import pytest

from triskel import Rig
from triskel.calibration import BoardView
from triskel.calibration.rig import calibrate_rig
from triskel.calibration.rig.graph import groups_of
from triskel.errors import InputError
from triskel.rigid import Rigid


def forget_poses(rig):
    return [camera.replace(cam_from_world=Rigid.identity()) for camera in rig]


def only(shot, names):
    return {name: view for name, view in shot.items() if name in names}


def test_groups_are_found_through_others():
    shared = np.zeros((5, 5), dtype=np.int64)
    shared[0, 2] = shared[2, 0] = shared[2, 4] = shared[4, 2] = shared[1, 3] = shared[3, 1] = 1
    assert groups_of(shared) == [[0, 2, 4], [1, 3]]


def test_three_groups_are_all_named(rig_of, scene):
    rig = rig_of(6)
    pairs = [("cam01", "cam02"), ("cam03", "cam04"), ("cam05", "cam06")]
    shots = [only(shot, pair) for shot in scene.shots_of(rig, 25) for pair in pairs]
    with pytest.raises(InputError, match=r"groups: \(cam01, cam02\); \(cam03, cam04\); \(cam05, cam06\)"):
        calibrate_rig(shots, rig, scene.BOARD)


def test_opposite_cameras_are_linked_through_the_others(rig, scene):
    """A printed board shows its corners on one side: cam01 and cam03 face each other and never see it together."""
    opposite = ({"cam01", "cam03"}, {"cam02", "cam04"})
    shots = []
    for shot in scene.shots_of(rig, 60):
        hidden = {max(pair) for pair in opposite if pair <= set(shot)}
        shots.append(only(shot, set(shot) - hidden))
    result = calibrate_rig(shots, forget_poses(rig), scene.BOARD)
    assert result.shared[0, 2] == result.shared[1, 3] == 0
    for a, b in zip(result.rig, rig, strict=True):
        expected = b.cam_from_world @ rig.cameras[0].cam_from_world.inverse
        np.testing.assert_allclose(a.cam_from_world.t, expected.t, atol=1e-6)


def test_a_camera_with_few_shared_shots_is_named_with_its_numbers(rig, scene):
    shots, left = [], 3
    for shot in scene.shots_of(rig, 30):
        hidden = {"cam04"} if left == 0 else set()
        left -= left > 0 and "cam04" in shot and len(shot) > 1
        shots.append(only(shot, set(shot) - hidden))
    warnings = calibrate_rig(shots, forget_poses(rig), scene.BOARD).warnings
    (text,) = [w for w in warnings if w.startswith("cam04 shares few shots")]
    assert "cam0" in text.removeprefix("cam04")
    assert not any(w.startswith("cam01") for w in warnings)


def test_a_good_recording_gives_no_warning(rig, scene):
    shots = scene.shots_of(rig, 40, noise_px=0.3, outliers=0.01, near=8)
    for refine in (False, True):
        assert calibrate_rig(shots, forget_poses(rig), scene.BOARD, refine_intrinsics=refine).warnings == ()


def test_parallel_boards_are_reported(rig, scene):
    rng = np.random.default_rng(5)
    shots = []
    for _ in range(12):
        world = scene.BOARD.corners + np.r_[rng.uniform(-0.5, 0.2, 2), 0.9]
        seen = {}
        for camera in rig:
            scene.look(seen, camera, world, rng, noise_px=0.2, outliers=0.0)
        shots.append(seen)
    warnings = calibrate_rig(shots, forget_poses(rig), scene.BOARD).warnings
    assert any("nearly parallel" in text for text in warnings)


def test_a_camera_out_of_step_is_named(rig, scene):
    shots = scene.shots_of(rig, 30, noise_px=0.3)
    rng = np.random.default_rng(1)
    late = [
        {
            name: view._replace(xy=view.xy + rng.normal(0, 4, 2)) if name == "cam02" else view
            for name, view in shot.items()
        }
        for shot in shots
    ]
    result = calibrate_rig(late, forget_poses(rig), scene.BOARD)
    assert any(text.startswith("cam02 fits worse than the others") for text in result.warnings)
    assert result.uncertainty.inflation > 1.5


def test_a_board_that_moved_between_images_is_reported_with_its_shot(rig, scene):
    shots = scene.shots_of(rig, 30, noise_px=0.3)
    pair = {"cam01", "cam02"}
    a, b = [s for s, shot in enumerate(shots) if pair <= set(shot)][:2]
    shots[a], shots[b] = only(shots[a], pair), only(shots[b], pair)
    shots[a]["cam02"], shots[b]["cam02"] = shots[b]["cam02"], shots[a]["cam02"]
    result = calibrate_rig(shots, forget_poses(rig), scene.BOARD)
    (text,) = [text for text in result.warnings if "do not fit what the other cameras saw" in text]
    assert f"in shot {a}" in text
    assert f"in shot {b}" in text
    assert result.rms_px < 0.6


def test_corners_of_another_board_are_refused(rig, scene):
    shots = [{"cam01": BoardView(np.arange(35, 45), np.zeros((10, 2)))}]
    with pytest.raises(InputError, match=r"shot 0, camera 'cam01': the corners do not belong to the board of 40"):
        calibrate_rig(shots, rig, scene.BOARD)


def test_a_focal_length_that_refining_changes_a_lot_is_named(rig, scene):
    wrong = [c.replace(K=c.K * np.array([[1.06], [1.06], [1]])) if c.name == "cam03" else c for c in forget_poses(rig)]
    shots = scene.shots_of(rig, 25, near=8, noise_px=0.2)
    result = calibrate_rig(shots, wrong, scene.BOARD, refine_intrinsics=True)
    (text,) = [w for w in result.warnings if w.startswith("refining changed")]
    assert re.search(r"cam03 by -5\.[5-8] %", text)


def test_a_long_lens_is_kept_and_named(rig, scene):
    dist = np.r_[-0.1, 0.05, 0.001, -0.0005, 0.01, np.zeros(7)]
    long = Rig((rig.cameras[0].replace(dist=dist), *rig.cameras[1:]))
    shots = scene.shots_of(long, 25, near=6)
    result = calibrate_rig(shots, forget_poses(long), scene.BOARD, refine_intrinsics=True)
    assert any("the intrinsics of cam01 are kept" in text for text in result.warnings)
    np.testing.assert_array_equal(result.rig.cameras[0].K, rig.cameras[0].K)


def test_a_lens_that_was_kept_is_not_said_to_be_refined_badly(rig, scene):
    weak = {name: np.diag([40.0**2, 40.0**2, *np.zeros(7)]) for name in rig.names}
    shots = scene.shots_of(rig, 25, noise_px=0.2)
    result = calibrate_rig(shots, forget_poses(rig), scene.BOARD, lens_covariance=weak)
    assert np.sqrt(result.uncertainty.covariance[6, 6]) > 30  # known, and counted
    assert not any("focal length" in text or "do not refine" in text for text in result.warnings)
