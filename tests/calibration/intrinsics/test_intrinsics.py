import numpy as np
import pytest

from triskel import Rig
from triskel.calibration import BoardView, calibrate_intrinsics
from triskel.errors import InputError

FISHEYE = (0.05, -0.01, 0.002, -0.0005)


def views_of(camera, scene, **options):
    shots = scene.shots_of(type_rig(camera), 0, near=25, **options)
    return [shot.get(camera.name, BoardView.empty()) for shot in shots]


def type_rig(camera):
    return Rig((camera,))


def test_pinhole_is_recovered_exactly_without_noise(rig, scene):
    true = rig.cameras[0]
    result = calibrate_intrinsics(views_of(true, scene), scene.BOARD, size_wh=true.size_wh, name="x")
    np.testing.assert_allclose(result.camera.K, true.K, atol=0.02)
    np.testing.assert_allclose(result.camera.dist, true.dist, atol=2e-3)
    assert result.rms_px < 1e-3
    assert result.n_outliers == 0
    assert result.camera.name == "x"


def test_fisheye_is_recovered_without_noise(rig_of, scene):
    true = rig_of(1, model="fisheye", dist=FISHEYE).cameras[0]
    result = calibrate_intrinsics(views_of(true, scene), scene.BOARD, size_wh=true.size_wh, model="fisheye")
    assert result.camera.model == "fisheye"
    np.testing.assert_allclose(result.camera.K, true.K, atol=0.05)
    assert result.rms_px < 1e-2


def test_misdetected_corners_are_left_out(rig, scene):
    true = rig.cameras[0]
    views = views_of(true, scene, noise_px=0.2, outliers=0.01)
    result = calibrate_intrinsics(views, scene.BOARD, size_wh=true.size_wh)
    np.testing.assert_allclose(result.camera.K, true.K, atol=3)
    assert result.n_outliers > 3
    assert result.rms_px == pytest.approx(0.2 * np.sqrt(2), rel=0.1)


def test_unusable_views_get_nan_and_do_not_count(rig, scene):
    true = rig.cameras[0]
    views = [BoardView.empty(), *views_of(true, scene)]
    views.append(BoardView(np.arange(8), np.tile([1.0, 2.0], (8, 1))))  # one row of the board: a line
    result = calibrate_intrinsics(views, scene.BOARD, size_wh=true.size_wh)
    assert np.isnan(result.view_rms_px[[0, -1]]).all()
    assert result.n_views == np.isfinite(result.view_rms_px).sum()


def test_fewer_than_five_views_are_refused_with_the_count(rig, scene):
    views = views_of(rig.cameras[0], scene)[:4]
    with pytest.raises(InputError, match="4 of 4 views show at least 8 corners of the board, 5 are needed"):
        calibrate_intrinsics(views, scene.BOARD, size_wh=(1280, 720))
    with pytest.raises(InputError, match="0 of 0"):
        calibrate_intrinsics([], scene.BOARD, size_wh=(1280, 720))
