"""What is not the board, or is not where it seems, is not taken for it."""

import numpy as np
import pytest

from triskel.calibration.boards import Charuco, Chessboard, MarkerGrid
from triskel.calibration.boards.consistency import lattice_outliers, surprising
from triskel.calibration.boards.local_maps import agreeing, mapped, nearby_maps, px_per_m, quad_maps

SIZE = (640, 480)
CHARUCO = Charuco(squares_xy=(7, 5), square_m=0.03, marker_m=0.022)
CHESS = Chessboard(corners_xy=(6, 5), square_m=0.03)
TAGS = MarkerGrid(markers_xy=(5, 3), tag_m=0.03, gap_m=0.009)
H = np.array([[900.0, 60, 100], [-50, 1000, 80], [0.4, 0.2, 1.0]])


@pytest.mark.parametrize("board", [CHARUCO, TAGS])
def test_a_mirrored_picture_of_markers_shows_no_board(pictures, board):
    cam, where = pictures.camera(SIZE, focal=800), pictures.pose(0.6, tilt=12, turn=7)
    assert len(board.detect(pictures.picture(board, cam, where)).ids) == len(board.corners)
    assert len(board.detect(pictures.picture(board, cam, where, mirrored=True)).ids) == 0


def test_a_mirrored_picture_of_a_chessboard_is_numbered_as_a_print_would_be(pictures):
    """One picture cannot tell it; that its numbers turn the right way round is what lets other cameras contradict."""
    cam, where = pictures.camera(SIZE, focal=800), pictures.pose(0.6, tilt=12, turn=7)
    for mirrored in (False, True):
        seen = CHESS.detect(pictures.picture(CHESS, cam, where, mirrored=mirrored))
        table = seen.xy.reshape(5, 6, 2)
        right, down = table[0, -1] - table[0, 0], table[-1, 0] - table[0, 0]
        assert right[0] * down[1] - right[1] * down[0] > 0


def test_markers_in_another_order_than_described_are_no_board(pictures):
    printed = MarkerGrid(markers_xy=(5, 3), tag_m=0.03, gap_m=0.009, bottom_up=True)
    image = pictures.picture(printed, pictures.camera(SIZE, focal=800), pictures.pose(0.6, tilt=12, turn=7))
    assert len(printed.detect(image).ids) == 60
    # The rows are exchanged: within a row markers still agree, and two rows apart none do.
    seen = TAGS.detect(image)
    assert len(seen.ids) == 0


def test_two_boards_of_one_kind_are_told_apart_by_their_markers(pictures):
    other = Charuco(squares_xy=(7, 5), square_m=0.03, marker_m=0.022, first_marker=17, name="other")
    cam = pictures.camera(SIZE, focal=600)
    here, there = pictures.pose(0.6, shift=(-0.13, 0)), pictures.pose(0.6, shift=(0.13, 0.02), turn=4)
    left, right = pictures.picture(CHARUCO, cam, here), pictures.picture(other, cam, there)
    image = np.concatenate([left[:, :320], right[:, 320:]], axis=1)
    for board, where in ((CHARUCO, here), (other, there)):
        seen = board.detect(image)
        assert len(seen.ids) == 24
        assert np.linalg.norm(seen.xy - pictures.truth(board, cam, where)[seen.ids], axis=1).max() < 0.3


def test_a_board_that_is_there_twice_is_not_guessed(pictures):
    cam = pictures.camera(SIZE, focal=600)
    left = pictures.picture(CHARUCO, cam, pictures.pose(0.6, shift=(-0.13, 0)))
    right = pictures.picture(CHARUCO, cam, pictures.pose(0.6, shift=(0.13, 0.02)))
    assert len(CHARUCO.detect(np.concatenate([left[:, :320], right[:, 320:]], axis=1)).ids) == 0


@pytest.mark.parametrize("board", [CHARUCO, CHESS, TAGS])
@pytest.mark.parametrize("shape", [(480, 640, 3), (1, 1, 3), (7, 300, 3)])
def test_noise_and_tiny_pictures_hold_no_board(board, shape):
    image = np.random.default_rng(3).integers(0, 255, shape, dtype=np.uint8)
    assert board.detect(image).ids.shape == (0,)
    assert board.detect(np.zeros(shape, np.uint8)).xy.shape == (0, 2)


def test_a_marker_that_its_neighbours_expect_elsewhere_is_left_out():
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * 0.03
    quads = corners + np.array([[x, y] for y in range(3) for x in range(4)])[:, None] * 0.04
    xy = mapped(np.tile(H, (12, 1, 1))[:, None], quads)
    assert agreeing(quads, xy, 0.04).all()
    xy[5] += 60
    assert np.flatnonzero(~agreeing(quads, xy, 0.04)).tolist() == [5]
    assert agreeing(quads[:1], xy[:1], 0.04).tolist() == [False]


def test_local_maps_recover_the_homography_and_its_scale():
    points = np.array([[x, y] for y in range(4) for x in range(5)]) * 0.03
    xy = mapped(np.tile(H, (20, 1, 1)), points)
    near = nearby_maps(points, xy, points, 0.03, trust=np.ones(20))
    assert np.abs(mapped(near, points) - xy).max() < 1e-6
    quads = points[[0, 1, 6, 5]][None]
    found = quad_maps(quads, xy[[0, 1, 6, 5]][None])[0]
    assert np.allclose(found / found[2, 2], H, rtol=1e-6, atol=1e-9)
    # A plain scale of 500 px per m across and 200 down: the smaller counts.
    assert px_per_m(np.diag([500.0, 200.0, 1.0])[None], np.zeros((1, 2)), 0.01)[0] == pytest.approx(200)
    assert np.isnan(nearby_maps(points[:5], xy[:5], points[:1], 0.03, trust=np.ones(5))).all()  # all on a line


@pytest.mark.parametrize("off_px", [(9.0, 0.0), (-5.0, 8.0)])
def test_the_corner_that_is_off_is_named_and_no_other(off_px):
    points = CHARUCO.corners[:, :2]
    xy = mapped(np.tile(H, (24, 1, 1)), points)
    assert not lattice_outliers(points, xy, 0.03).any()
    assert not surprising(points, xy, 0.03).any()
    xy[[8, 17]] += off_px
    assert np.flatnonzero(lattice_outliers(points, xy, 0.03)).tolist() == [8, 17]
    assert np.flatnonzero(surprising(points, xy, 0.03)).tolist() == [8, 17]


def test_corners_too_few_to_judge_are_kept():
    none = np.zeros((0, 2))
    assert lattice_outliers(none, none, 0.03).shape == surprising(none, none, 0.03).shape == (0,)
    two = np.array([[0.0, 0], [0.03, 0]])
    assert not lattice_outliers(two, two * 1000, 0.03).any()
