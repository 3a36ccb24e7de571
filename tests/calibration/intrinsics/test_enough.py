"""Each refusal with views that provoke it, and views that must not be refused."""

import numpy as np
import pytest

from triskel.calibration import BoardView, calibrate_intrinsics
from triskel.errors import InputError

SIZE = (1280, 720)


def frontal(lab, n=20, *, noise_px=0.3):
    rng = np.random.default_rng(1)
    places = rng.uniform([-0.4, -0.25, 0.8], [0.4, 0.25, 1.5], (n, 3))
    turns = rng.uniform(-1, 1, n)
    camera = lab.camera()
    return [lab.look(camera, [0.0, 0.0, a], t, rng, noise_px=noise_px) for a, t in zip(turns, places, strict=True)]


def one_pose(lab, n=20):
    rng, camera = np.random.default_rng(1), lab.camera()
    return [lab.look(camera, [0.4, 0.3, 0.0], [0.1, 0.0, 1.2], rng) for _ in range(n)]


def in_the_middle(lab, n=20):
    return lab.tilted(lab.camera(), n, z=(4, 6), aside=(0.05, 0.05))


def far_from_the_corners_of_a_wide_lens(lab, n=15):
    wide = lab.camera(f=300, dist=(-0.05, 0.004, 0, 0, 0))
    return lab.tilted(wide, n, z=(1.0, 1.8), aside=(0.45, 0.45), noise_px=0.6)


def two_views(lab):
    return [*lab.tilted(lab.camera(), 2), BoardView.empty()]


CASES = [
    (frontal, "focal length is uncertain by .*all boards face the camera .*tilt it by 30 to 45 degrees"),
    (one_pose, "the 20 views show the board in the same pose; move and tilt it"),
    (in_the_middle, "the board was seen in 7% of the image only; bring it closer and everywhere"),
    (
        far_from_the_corners_of_a_wide_lens,
        "lens is uncertain by .* px in the image's corners: no board came near any of them; show it there",
    ),
    (two_views, "2 of 3 views show at least 8 corners of the board, 3 are needed"),
]


@pytest.mark.parametrize(("make", "reason"), CASES, ids=[make.__name__ for make, _ in CASES])
def test_views_that_cannot_carry_a_calibration_are_refused_with_the_reason(lab, make, reason):
    with pytest.raises(InputError, match=f"camera 'left': .*{reason}") as refusal:
        calibrate_intrinsics(make(lab), lab.board, size_wh=SIZE, name="left")
    assert "\n" not in str(refusal.value)
    forced = calibrate_intrinsics(make(lab), lab.board, size_wh=SIZE, name="left", force=True)
    assert forced.warnings
    assert all(warning.startswith("camera 'left': ") for warning in forced.warnings)


def test_boards_that_face_the_camera_are_refused_even_without_noise(lab):
    with pytest.raises(InputError, match="all boards face the camera"):
        calibrate_intrinsics(frontal(lab, noise_px=0.0), lab.board, size_wh=SIZE)


def test_no_views_at_all_are_refused_with_the_count(lab):
    for force in (False, True):
        with pytest.raises(InputError, match="0 of 0 views"):
            calibrate_intrinsics([], lab.board, size_wh=SIZE, force=force)
        with pytest.raises(InputError, match="0 of 2 views"):
            calibrate_intrinsics([BoardView.empty()] * 2, lab.board, size_wh=SIZE, force=force)


def test_corners_that_are_not_numbers_make_a_view_unusable(lab):
    views = lab.tilted(lab.camera(), 12)
    views[3].xy[0] = np.nan
    result = calibrate_intrinsics(views, lab.board, size_wh=SIZE)
    assert np.isnan(result.view_rms_px[3])
    assert result.n_views == 11


def test_good_views_are_taken_without_a_warning(lab):
    for f, n in ((900, 20), (2500, 30)):
        camera = lab.camera(f=f)
        views = lab.tilted(camera, n, z=(0.7 * f / 900, 1.4 * f / 900), aside=(450 / f, 225 / f))
        result = calibrate_intrinsics(views, lab.board, size_wh=SIZE)
        assert result.warnings == ()
        assert result.camera.K[0, 0] == pytest.approx(f, rel=0.01)


def test_half_of_the_image_determines_a_lens_that_is_round_so_it_is_not_refused(lab):
    camera = lab.camera()
    views = [view for view in lab.tilted(camera, 60) if view.xy[:, 0].max() < 660]
    result = calibrate_intrinsics(views, lab.board, size_wh=SIZE)
    assert {"top right", "bottom right", "right"} <= set(result.coverage.unseen)
    assert "left" not in result.coverage.unseen
    assert lab.lens_error_px(camera, result.camera) < 3


def test_few_views_are_taken_with_a_warning(lab):
    result = calibrate_intrinsics(lab.tilted(lab.camera(), 4, seed=1), lab.board, size_wh=SIZE)
    assert any("the 4 views show the board in only 4 poses" in warning for warning in result.warnings)
    assert result.camera.K[0, 0] == pytest.approx(900, rel=0.02)


def test_one_view_repeated_counts_as_one_pose(lab):
    views = [view for view in lab.tilted(lab.camera(), 7) for _ in range(5)]
    result = calibrate_intrinsics(views, lab.board, size_wh=SIZE)
    assert (result.coverage.n_poses, result.n_views) == (7, 35)
