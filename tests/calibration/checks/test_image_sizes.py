import numpy as np
import pytest

from triskel.calibration import has_black_bars, match_image_sizes
from triskel.errors import ConfigError


def resize_calibration(rig, size_wh):
    return type(rig)(tuple(camera.replace(size_wh=size_wh) for camera in rig))


def test_same_size_changes_nothing_and_says_nothing(rig):
    same, warnings = match_image_sizes(rig, {"cam01": (1280, 720)})
    assert warnings == []
    assert same.cameras == rig.cameras


def test_equal_aspect_ratio_rescales_with_the_pixel_centre_convention(rig):
    half, warnings = match_image_sizes(rig, {"cam02": (640, 360)})
    np.testing.assert_allclose(half["cam02"].K[:2, 2], (rig["cam02"].K[:2, 2] + 0.5) / 2 - 0.5)
    assert half["cam01"] is rig["cam01"]
    assert len(warnings) == 1
    assert "cam02" in warnings[0]
    assert "1280 x 720" in warnings[0]
    assert "640 x 360" in warnings[0]


def test_sides_rounded_to_even_numbers_still_count_as_rescaled(rig):
    assert match_image_sizes(rig, {"cam01": (854, 480)})[0]["cam01"].size_wh == (854, 480)


@pytest.mark.parametrize(("calibrated", "real"), [((1088, 1920), (1080, 1920)), ((1920, 1088), (1920, 1080))])
def test_macroblock_padding_is_cut_off_at_the_right_and_bottom(rig, calibrated, real):
    padded = resize_calibration(rig, calibrated)
    cut, warnings = match_image_sizes(padded, {"cam01": real})
    np.testing.assert_array_equal(cut["cam01"].K, padded["cam01"].K)
    assert cut["cam01"].size_wh == real
    assert "padding" in warnings[0]


def test_letterboxed_picture_is_scaled_evenly_and_centred(rig):
    """The sample recordings that this rule was measured on: 1080 / 1088, 7.06 px bars above and below."""
    tall = resize_calibration(rig, (1088, 1920))
    fitted, warnings = match_image_sizes(tall, {"cam01": (1080, 1920)}, letterboxed=["cam01"])
    s, K, new = 1080 / 1088, tall["cam01"].K, fitted["cam01"].K
    np.testing.assert_allclose(new[[0, 1], [0, 1]], K[[0, 1], [0, 1]] * s)
    np.testing.assert_allclose(new[0, 2], (K[0, 2] + 0.5) * s - 0.5)
    np.testing.assert_allclose(new[1, 2], (K[1, 2] + 0.5) * s - 0.5 + (1920 - 1920 * s) / 2)
    assert "7.1 px" in warnings[0]


@pytest.mark.parametrize("size", [(1264, 700), (720, 1280), (1296, 720), (1280, 600)])
def test_sizes_that_no_rule_explains_are_refused_with_both_sizes(rig, size):
    with pytest.raises(ConfigError, match=rf"cam03.*1280 x 720.*{size[0]} x {size[1]}.*calibrate again"):
        match_image_sizes(rig, {"cam03": size})


def test_unknown_camera_is_refused(rig):
    with pytest.raises(ConfigError, match="no camera 'cam9'"):
        match_image_sizes(rig, {"cam9": (1, 1)})


def test_black_bars_are_seen_and_dark_scenes_are_not_taken_for_them():
    image = np.full((100, 60, 3), 120, np.uint8)
    assert not has_black_bars(image)
    barred = image.copy()
    barred[:7] = barred[-7:] = 3
    assert has_black_bars(barred)
    assert has_black_bars(barred.transpose(1, 0, 2))
    one_side = image.copy()
    one_side[:7] = 0
    assert not has_black_bars(one_side)
    assert not has_black_bars(np.zeros((100, 60, 3), np.uint8))
