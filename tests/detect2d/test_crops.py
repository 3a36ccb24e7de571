import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from triskel.detect2d.crops import Crops, cut


@pytest.fixture
def crops():
    return Crops.upright(
        np.array([0, 0, 1]),
        np.array([[60.0, 40.0], [33.3, 51.7], [5.0, 90.0]]),
        np.array([40.0, 61.5, 50.0]),
        angle_rad=np.array([0.0, 0.7, -2.0]),
        mirrored=np.array([False, True, False]),
    )


def smooth_image(width=120, height=100):
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    waves = [np.sin(x / 9) * np.cos(y / 11), np.cos(x / 13 + y / 17), np.sin(y / 8)]
    return np.round(128 + 100 * np.stack(waves, axis=-1)).astype(np.uint8)


def test_points_come_back_from_the_piece(crops):
    rng = np.random.default_rng(0)
    xy = rng.uniform(0, 63, (3, 5, 2))
    assert np.allclose(crops.to_crop(crops.to_image(xy, 64), 64), xy, atol=1e-9)


def test_the_middle_of_the_piece_is_the_centre_and_its_upper_edge_points_along_the_angle(crops):
    middle_and_top = np.broadcast_to([[31.5, 31.5], [31.5, -0.5]], (3, 2, 2))
    middle, top = np.moveaxis(crops.to_image(middle_and_top, 64), 1, 0)
    assert np.allclose(middle, crops.centre)
    up = np.stack([np.sin(crops.angle_rad), -np.cos(crops.angle_rad)], axis=-1)
    assert np.allclose(top - middle, up * crops.side[:, None] / 2)


def test_a_square_of_whole_pixels_is_cut_without_change():
    image = smooth_image()
    one = Crops.upright(np.array([0]), np.array([[31.5, 41.5]]), np.array([24.0]))
    assert np.array_equal(cut([image], one, 24)[0], image[30:54, 20:44])
    mirrored = Crops.upright(np.array([0]), np.array([[31.5, 41.5]]), np.array([24.0]), mirrored=True)
    assert np.array_equal(cut([image], mirrored, 24)[0], image[30:54, 20:44][:, ::-1])


def test_a_turned_mirrored_piece_agrees_with_scipys_sampling(crops):
    images = [smooth_image(), smooth_image()]
    pieces = cut(images, crops, 64)
    x, y = np.meshgrid(np.arange(64.0), np.arange(64.0))
    xy = crops.to_image(np.broadcast_to(np.stack([x.ravel(), y.ravel()], axis=-1), (3, 4096, 2)), 64)
    for b, piece in enumerate(pieces):
        inside = ((xy[b] >= 1) & (xy[b] <= (118, 98))).all(axis=1)
        for channel in range(3):
            expected = map_coordinates(
                images[crops.image[b]][..., channel].astype(float), xy[b][inside].T[::-1], order=1
            )
            assert np.abs(piece[..., channel].ravel()[inside] - expected).max() < 2.5


def test_beyond_the_image_is_black_and_a_square_outside_is_all_black():
    image = np.full((20, 20, 3), 200, np.uint8)
    two = Crops.upright(np.array([0, 0]), np.array([[0.0, 10.0], [500.0, 500.0]]), np.array([16.0, 16.0]))
    half, none = cut([image], two, 16)
    assert (half[:, :7] == 0).all()
    assert (half[:, 9:] == 200).all()
    assert not none.any()


def test_no_crops_make_no_pieces():
    none = Crops.upright(np.zeros(0, int), np.zeros((0, 2)), np.zeros(0))
    assert cut([], none, 32).shape == (0, 32, 32, 3)
    assert none.to_image(np.zeros((0, 4, 2)), 32).shape == (0, 4, 2)


@pytest.mark.parametrize(
    ("centre", "side", "angle"),
    [((5, 5), 0, 0), ((5, 5), -3, 0), ((5, 5), np.nan, 0), ((5, 5), np.inf, 0), ((5, 5), 1e300, 0), ((np.nan, 5), 9, 0),
     ((1e12, 5), 9, 0), ((5, 5), 9, np.nan)],
)  # fmt: skip
def test_a_square_that_is_none_shows_nothing(centre, side, angle):
    image = np.full((20, 20, 3), 200, np.uint8)
    crops = Crops.upright(np.array([0]), np.array([centre], float), np.array([float(side)]), angle_rad=float(angle))
    assert not cut([image], crops, 16).any()
