import numpy as np
import pytest

from triskel.detect2d.training.augment import random_colour, random_view
from triskel.detect2d.training.config import AugmentConfig

STILL = AugmentConfig(focus="image", scale=(1, 1), rotation_deg=0, shift_px=0, flip=0)


def spot(size_wh, xy, sigma):
    """Return an image with a bright Gaussian at xy, px."""
    x, y = np.meshgrid(np.arange(size_wh[0]), np.arange(size_wh[1]))
    value = 250 * np.exp(-((x - xy[0]) ** 2 + (y - xy[1]) ** 2) / (2 * sigma**2))
    return np.repeat(value.round().astype(np.uint8)[..., None], 3, axis=-1)


def centre_of_light(image):
    light = image[..., 0].astype(float)
    light[light < 140] = 0  # the border is 128
    x, y = np.meshgrid(np.arange(image.shape[1]), np.arange(image.shape[0]))
    return np.array([(light * x).sum(), (light * y).sum()]) / light.sum()


def view(config, *, size_wh=(640, 480), box=None, crop=256, seed=0):
    return random_view(size_wh, box, crop=crop, config=config, rng=np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("scale", [(0.2, 0.4), (0.8, 1.2), (2, 3)])
def test_pixels_and_points_move_together(seed, scale):
    """A spot is found where its label goes, within a fifth of a pixel, however the image is turned or shrunk."""
    config = AugmentConfig(scale=scale, target=0.5, shift_px=20, flip=0.5)
    place, box = np.array([300.0, 220.0]), np.array([250.0, 180.0, 90, 100])
    seen = view(config, box=box, seed=seed)
    image = spot((640, 480), place, sigma=max(3, 4 / seen.scale))
    np.testing.assert_allclose(centre_of_light(seen.pixels(image)), seen.points(place), rtol=0, atol=0.2)


def test_the_whole_image_is_fitted_as_resizing_would():
    """`focus: image` at scale 1 maps edges to edges: (x + 0.5) s - 0.5 along the longer side."""
    seen = view(STILL, size_wh=(640, 480), crop=320)
    np.testing.assert_allclose(seen.points(np.array([[0.0, 0], [639, 479]])), [[-0.25, -0.25], [319.25, 239.25]])


def test_the_person_in_focus_has_its_share_of_the_crop():
    config = AugmentConfig(scale=(1, 1), rotation_deg=0, shift_px=0, flip=0, target=0.6)
    box = np.array([100.0, 50.0, 80, 200])
    seen = view(config, box=box, crop=368)
    low, high = seen.points(np.array([box[:2], box[:2] + box[2:]]))
    np.testing.assert_allclose((high - low)[1], 0.6 * 368)
    np.testing.assert_allclose((low + high) / 2, (368 - 1) / 2)


def test_ranges_are_kept_and_used():
    config = AugmentConfig(scale=(0.5, 1.1), rotation_deg=45, shift_px=40, flip=0.5)
    views = [view(config, size_wh=(200, 200), crop=200, seed=seed) for seed in range(400)]
    scale = np.array([one.scale for one in views])
    linear = np.array([one.crop_from_image[:, :2] for one in views])
    mirrored = np.array([one.mirrored for one in views])
    assert 0.5 <= scale.min() < 0.52
    assert 1.08 < scale.max() <= 1.1
    assert (np.sign(np.linalg.det(linear)) == np.where(mirrored, -1, 1)).all()
    assert 0.4 < mirrored.mean() < 0.6
    sign = np.where(mirrored, -1, 1)
    angle = np.rad2deg(np.arctan2(sign * linear[:, 1, 0], sign * linear[:, 0, 0]))
    assert 40 < np.abs(angle).max() <= 45
    centre = np.array([one.points(np.array([99.5, 99.5])) for one in views]) - 99.5
    assert 35 < np.abs(centre).max() <= 40


def test_one_setting_does_not_change_the_randomness_of_the_others():
    one, other = view(AugmentConfig(flip=0), seed=4), view(AugmentConfig(flip=1), seed=4)
    assert one.scale == other.scale
    assert (one.mirrored, other.mirrored) == (False, True)


def test_colour_changes_within_its_share_and_not_at_all_without():
    image = np.full((4, 4, 3), 100, np.uint8)
    rng = np.random.default_rng(0)
    assert random_colour(image, 0.0, rng) is image
    changed = np.array([random_colour(image, 0.2, rng)[0, 0, 0] for _ in range(100)])
    assert 100 * 0.8 - 25.5 <= changed.min() < 90
    assert 110 < changed.max() <= 100 * 1.2 + 25.5
