"""How far corners are from the truth on rendered pictures; bounds are about twice what docs/boards.md states."""

import numpy as np
import pytest

from triskel.calibration.boards import Charuco, Chessboard, MarkerGrid
from triskel.calibration.boards.edge_lines import refine_quads
from triskel.calibration.boards.markers import find_markers

SIZE = (640, 480)
BOARDS = {
    "charuco": Charuco(squares_xy=(7, 5), square_m=0.03, marker_m=0.022),
    "inverted": Charuco(squares_xy=(7, 5), square_m=0.03, marker_m=0.022, inverted=True),
    "chessboard": Chessboard(corners_xy=(6, 5), square_m=0.03),
    "aprilgrid": MarkerGrid(markers_xy=(5, 3), tag_m=0.03, gap_m=0.009),
}


def errors(pictures, board, cam, where, **options):
    seen = board.detect(pictures.picture(board, cam, where, **options))
    assert len(np.unique(seen.ids)) == len(seen.ids)
    return np.linalg.norm(seen.xy - pictures.truth(board, cam, where)[seen.ids], axis=1)


@pytest.mark.parametrize("kind", list(BOARDS))
@pytest.mark.parametrize(
    ("what", "most_px"),
    [("plain", 0.08), ("sharp", 0.08), ("blurred", 0.4), ("noisy", 0.25), ("oblique", 0.2)],
)
def test_every_corner_is_found_close_to_the_truth(pictures, kind, what, most_px):
    cam = pictures.camera(SIZE, focal=800)
    where = pictures.pose(0.6, tilt=12, about=30, turn=7)
    options = {
        "plain": {},
        "sharp": {"blur_px": 0, "noise": 0},
        "blurred": {"blur_px": 1.5},
        "noisy": {"noise": 8.0},
        "oblique": {},
    }[what]
    if what == "oblique":
        where = pictures.pose(0.6, tilt=50, about=20, turn=30)
    off = errors(pictures, BOARDS[kind], cam, where, **options)
    assert len(off) == len(BOARDS[kind].corners)
    assert np.sqrt((off**2).mean()) < most_px


@pytest.mark.parametrize("kind", list(BOARDS))
@pytest.mark.parametrize("lens", ["barrel", "fisheye"])
def test_a_wide_lens_bends_the_board_and_hides_nothing(pictures, kind, lens):
    cam = (
        pictures.camera(SIZE, focal=330, dist=(-0.28, 0.08, 0, 0, -0.01))
        if lens == "barrel"
        else pictures.camera(SIZE, focal=240, dist=(0.02, -0.005, 0.001, 0), model="fisheye")
    )
    off = errors(pictures, BOARDS[kind], cam, pictures.pose(0.25, tilt=10, about=50, turn=5, shift=(0.06, 0.02)))
    assert len(off) == len(BOARDS[kind].corners)
    assert np.sqrt((off**2).mean()) < 0.2


@pytest.mark.parametrize("kind", ["charuco", "inverted", "chessboard"])
def test_boards_with_squares_of_15_px_are_found(pictures, kind):
    off = errors(
        pictures, BOARDS[kind], pictures.camera(SIZE, focal=800), pictures.pose(1.6, tilt=10, about=70, turn=9)
    )
    assert len(off) >= 0.9 * len(BOARDS[kind].corners)
    assert np.sqrt((off**2).mean()) < 0.2


def test_corners_whose_markers_are_covered_are_found_from_their_neighbours(pictures):
    board, cam, where = BOARDS["charuco"], pictures.camera(SIZE, focal=800), pictures.pose(0.6, tilt=12, turn=7)
    image = pictures.picture(board, cam, where)
    # Blots in the middle of two neighbouring markers: they cannot be read, and no corner is hidden.
    xy = pictures.truth(board, cam, where)
    for a, b in ((7, 14), (8, 15)):
        x, y = np.round((xy[a] + xy[b]) / 2).astype(int)
        image[y - 8 : y + 9, x - 8 : x + 9] = 120
    seen = board.detect(image)
    assert len(seen.ids) == len(board.corners)
    assert np.linalg.norm(seen.xy - xy[seen.ids], axis=1).max() < 0.3


def test_a_hand_over_the_board_leaves_only_corners_that_are_there(pictures):
    board, cam, where = BOARDS["charuco"], pictures.camera(SIZE, focal=800), pictures.pose(0.6, tilt=12, turn=7)
    image = pictures.picture(board, cam, where)
    xy = pictures.truth(board, cam, where)
    hand = np.round(xy[8] - 25).astype(int)
    image[hand[1] : hand[1] + 90, hand[0] : hand[0] + 70] = (170, 130, 110)
    under = ((xy > hand - 1) & (xy < hand + np.array([70, 90]))).all(axis=1)
    seen = board.detect(image)
    assert under.sum() >= 3
    assert not under[seen.ids].any()
    assert len(seen.ids) >= 0.8 * (~under).sum()
    assert np.linalg.norm(seen.xy - xy[seen.ids], axis=1).max() < 0.5


def test_lines_through_sides_beat_the_corners_of_the_finder(pictures):
    board, cam, where = BOARDS["aprilgrid"], pictures.camera(SIZE, focal=800), pictures.pose(0.6, tilt=20, turn=7)
    grey = pictures.picture(board, cam, where, blur_px=1.0)[..., 0].copy()
    found = find_markers(grey, board.dictionary, first_marker=0, count=15)
    truth = pictures.truth(board, cam, where).reshape(-1, 4, 2)[found.ids]
    rough = np.linalg.norm(found.xy - truth, axis=-1)
    fine = np.linalg.norm(refine_quads(grey, found.xy, 8, gap_cells=2.4) - truth, axis=-1)
    assert np.sqrt((rough**2).mean()) > 0.4
    assert np.sqrt((fine**2).mean()) < 0.1


def test_lines_of_nothing_are_nothing():
    grey = np.full((50, 60), 128, np.uint8)
    square = np.array([[[20.0, 20.0], [40.0, 20.0], [40.0, 40.0], [20.0, 40.0]]])
    assert np.isnan(refine_quads(grey, square, 6, gap_cells=2)).all()
    assert refine_quads(grey, np.zeros((0, 4, 2)), 6, gap_cells=2).shape == (0, 4, 2)
