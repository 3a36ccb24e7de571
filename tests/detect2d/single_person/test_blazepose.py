import numpy as np
import pytest

from triskel.detect2d.crops import Crops
from triskel.detect2d.single_person import BlazePose
from triskel.detect2d.single_person.blazepose import HIPS, LEAST_PEAK, POINTS, TOP, refine
from triskel.skeleton import BODY_25

SIZE, CELLS = 256, 64


def refined_slowly(xy, heatmaps):
    """One point after the other, as the heat-map refinement of the network is described."""
    out = xy.copy()
    for b, k in np.ndindex(xy.shape[:2]):
        column, row = np.floor(xy[b, k] / 4).astype(int)
        if not (0 <= column < CELLS and 0 <= row < CELLS):
            continue
        total, moment = 0.0, np.zeros(2)
        peak = 0.0
        for y in range(max(0, row - 3), min(CELLS, row + 4)):
            for x in range(max(0, column - 3), min(CELLS, column + 4)):
                weight = 1 / (1 + np.exp(-float(heatmaps[b, y, x, k])))
                total, moment, peak = total + weight, moment + weight * np.array([x, y]), max(peak, weight)
        if peak >= LEAST_PEAK:
            out[b, k] = 4 * moment / total
    return out


def test_points_move_to_the_centre_of_their_heat_maps():
    rng = np.random.default_rng(0)
    xy = rng.uniform(-20, 280, (3, 7, 2))
    heatmaps = rng.normal(-3, 2, (3, CELLS, CELLS, 7)).astype(np.float32)
    np.testing.assert_allclose(refine(xy, heatmaps, SIZE), refined_slowly(xy, heatmaps), atol=1e-9)


def test_a_map_that_shows_nothing_leaves_the_point_alone():
    xy = np.array([[[100.0, 50.0]]])
    heatmaps = np.full((1, CELLS, CELLS, 1), -0.1, np.float32)  # just below a half
    assert refine(xy, heatmaps, SIZE).tolist() == xy.tolist()


def test_points_outside_the_square_are_left_alone():
    xy = np.array([[[-1.0, 10.0], [300.0, 10.0], [10.0, 256.0], [np.nan, 3.0]]])
    refined = refine(xy, np.full((1, CELLS, CELLS, 4), 5, np.float32), SIZE)
    np.testing.assert_array_equal(refined, xy)


class Painted:
    """Sees the centre of what is red and puts every point there; a person is there if there is enough of it."""

    name, size, outputs = "painted", SIZE, ("landmarks", "presence", "heatmaps")

    def __init__(self):
        self.looks = []

    def __call__(self, pieces):
        self.looks.append(pieces)
        landmarks = np.zeros((len(pieces), 39, 5), np.float32)
        for one, piece in zip(landmarks, pieces, strict=True):
            y, x = np.nonzero(piece[..., 0] > 128)
            # Edges count here, so the centre of the first pixel is at a half.
            one[:, :2] = (x.mean() + 0.5, y.mean() + 0.5) if len(x) else (SIZE / 2, SIZE / 2)
            one[:, 3] = 2.0
            one[TOP, 1] = one[HIPS, 1] - 80
        presence = (pieces[..., 0] > 128).any(axis=(1, 2)).astype(np.float32)[:, None]
        return {
            "landmarks": landmarks.reshape(len(pieces), 195),
            "presence": presence,
            "heatmaps": np.full((len(pieces), CELLS, CELLS, 39), -9, np.float32),
        }


def dot_image(x, y, size_wh=(320, 240)):
    image = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
    image[y - 4 : y + 5, x - 4 : x + 5, 0] = 255
    return image


@pytest.mark.parametrize(("angle", "mirrored"), [(0.0, False), (0.7, False), (-2.0, True)])
def test_points_come_back_in_image_pixels_whatever_the_square(angle, mirrored):
    crops = Crops.upright(
        np.array([0]), np.array([[170.0, 110.0]]), np.array([200.0]), angle_rad=angle, mirrored=mirrored
    )
    poses = BlazePose(Painted())([dot_image(180, 100)], crops)
    known = np.isfinite(poses.xy[0, :, 0])
    assert known.sum() == len(POINTS) + 2  # neck and mid-hip are means
    np.testing.assert_allclose(poses.xy[0, known], np.tile((180, 100), (known.sum(), 1)), atol=0.35)
    assert not known[[BODY_25.index("LSmallToe"), BODY_25.index("RSmallToe")]].any()
    assert (poses.visibility[0] > 0).tolist() == known.tolist()
    np.testing.assert_allclose(poses.presence, 1)


def test_the_second_pass_looks_at_the_square_that_the_first_one_asked_for():
    network = Painted()
    crops = Crops.upright(np.array([0]), np.array([[150.0, 120.0]]), np.array([200.0]))
    once = BlazePose(network)([dot_image(180, 100)], crops, passes=1)
    network.looks.clear()
    BlazePose(network)([dot_image(180, 100)], crops, passes=2)
    assert len(network.looks) == 2
    np.testing.assert_allclose(once.crops.centre[0], (180, 100), atol=0.35)
    np.testing.assert_allclose(once.crops.side, 2 * 1.25 * 80 * 200 / 256, rtol=1e-6)
    y, x = np.nonzero(network.looks[1][0, ..., 0] > 128)
    np.testing.assert_allclose((x.mean(), y.mean()), (127.5, 127.5), atol=0.6)


def test_nobody_is_no_work():
    poses = BlazePose(Painted())(
        [dot_image(50, 50)], Crops.upright(np.zeros(0, np.intp), np.zeros((0, 2)), np.zeros(0))
    )
    assert (poses.xy.shape, len(poses.presence)) == ((0, 25, 2), 0)
