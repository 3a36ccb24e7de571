import numpy as np
import pytest

from triskel.viewer.maps import RIPPLE, affinity_sheet, confidence_sheet, direction_colours, draw_text

PHOTO = np.full((240, 320, 3), 120, np.uint8)
COLOURS = [(255, 0, 0), (0, 255, 0)]


def one_spot(K, k, row, column, value=1.0):
    maps = np.zeros((K, 30, 40), np.float32)
    maps[k, row : row + 4, column : column + 4] = value
    return maps


def tiles_that_differ(sheet, empty):
    """Return the centre (x, y) of what differs between two sheets."""
    y, x = np.nonzero((sheet.astype(int) - empty).any(axis=-1))
    return np.array([x, y]).T


def test_a_spot_shows_in_its_own_tile_and_in_the_large_one_and_nowhere_else():
    names = ["one", "two", "rest"]
    empty = confidence_sheet(PHOTO, np.zeros((3, 30, 40), np.float32), names, COLOURS)
    sheet = confidence_sheet(PHOTO, one_spot(3, 1, 20, 10), names, COLOURS)
    changed = tiles_that_differ(sheet, empty)
    groups = {(int(x) // 308, int(y) // 254) for x, y in changed}
    hero = {(0, 0), (1, 0), (0, 1), (1, 1)}
    assert len(groups - hero) == 1
    assert groups & hero
    large = changed[(changed[:, 0] < 616) & (changed[:, 1] < 460)]
    # Cells 10 to 13 of 40 and 20 to 23 of 30 lie around these shares of the large tile.
    np.testing.assert_allclose(large.mean(axis=0) / [608, 483], [0.3, 0.73], rtol=0, atol=0.04)
    middle = sheet[tuple(np.round(large.mean(axis=0)).astype(int)[::-1])]
    assert middle.argmax() == 1  # the second joint is green
    assert middle[1] > 230


def test_the_ripple_of_an_empty_map_is_not_drawn():
    names = ["one", "two", "rest"]
    empty = confidence_sheet(PHOTO, np.zeros((3, 30, 40), np.float32), names, COLOURS)
    ripple = confidence_sheet(PHOTO, np.full((3, 30, 40), RIPPLE, np.float32), names, COLOURS)
    np.testing.assert_array_equal(ripple, empty)


def test_each_direction_has_a_colour_of_its_own_and_strength_is_brightness():
    angle = np.deg2rad(np.arange(0, 360, 10)).astype(np.float32)[None]
    colours = direction_colours(np.cos(angle), np.sin(angle))[0]
    distance = np.linalg.norm(colours[:, None] - colours[None], axis=-1) + 1e3 * np.eye(36)
    assert distance.min() > 10
    assert colours[0].argmax() == 0  # to the right is red
    fields = np.zeros((3, 2, 30, 40), np.float32)
    dark = np.zeros((240, 320, 3), np.uint8)
    levels = []
    for strength in (0.2, 0.6, 1.0):
        fields[:, 0] = strength
        levels.append(int(affinity_sheet(dark, fields, ["a", "b", "c"])[50, 50, 0]))
    assert levels == sorted(levels)
    assert levels[2] - levels[0] > 80


@pytest.mark.parametrize("size_wh", [(320, 240), (240, 320), (1920, 300), (16, 900)])
@pytest.mark.parametrize("count", [1, 3, 22])
def test_sheets_of_any_shape_and_number_hold_every_tile(size_wh, count):
    photo = np.full((size_wh[1], size_wh[0], 3), 90, np.uint8)
    maps = np.linspace(0, 1, count, dtype=np.float32)[:, None, None] * np.ones((count, 6, 8), np.float32)
    names = [f"part {k}" for k in range(count)]
    sheet = confidence_sheet(photo, maps, names, [(255, 255, 255)] * min(count, 70))
    assert sheet.dtype == np.uint8
    assert sheet.shape[2] == 3
    assert affinity_sheet(photo, np.stack([maps, maps], axis=1), names).shape == sheet.shape


def test_text_outside_a_picture_is_cut_off():
    image = np.zeros((20, 30, 3), np.uint8)
    draw_text(image, "a long line of words", (-5, 3), size_px=12)
    draw_text(image, "below", (5, 40), size_px=12)
    draw_text(image, "right", (40, 10), size_px=12)
    assert image.any()
    assert not image[8:].any()
