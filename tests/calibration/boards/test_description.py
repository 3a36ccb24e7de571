import numpy as np
import pytest

from triskel.calibration.boards import (
    Charuco,
    Chessboard,
    MarkerGrid,
    check_names,
    edges,
    load_board,
    load_boards,
    save_boards,
)
from triskel.errors import ConfigError

HAND = Charuco(squares_xy=(9, 6), square_m=0.03, marker_m=0.022, name="hand", inverted=True, first_marker=4)
FLOOR = Chessboard(corners_xy=(4, 7), square_m=0.06, name="floor")
WALL = MarkerGrid(markers_xy=(6, 4), tag_m=0.03, gap_m=0.009, name="wall", bottom_up=True, border_bits=2)
GOOD = "kind: charuco\nsquares_xy: [9, 6]\nsquare_m: 0.03\nmarker_m: 0.022\n"


@pytest.mark.parametrize("boards", [(HAND,), (FLOOR,), (WALL,), (HAND, FLOOR, WALL)])
def test_boards_come_back_as_they_were_written(tmp_path, boards):
    save_boards(boards, tmp_path / "boards.yaml")
    assert load_boards(tmp_path / "boards.yaml") == boards


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GOOD + "squares: 3\n", "unknown key squares"),
        (GOOD.replace("0.03", "30"), "in metres"),
        (GOOD.replace("charuco", "charco"), "kind is one of charuco, chessboard, markers"),
        (GOOD.replace("[9, 6]", "[9, 6.5]"), "squares_xy"),
        (GOOD.replace("[9, 6]", "[9, 600]"), "at most 200"),
        (GOOD + "first_marker: 40\n", "DICT_4X4_50 has 0 to 49"),
        (GOOD + "dictionary: DICT_9X9\n", "DICT_9X9"),
        (GOOD.replace("marker_m: 0.022\n", ""), "marker_m"),
        ("kind: markers\nmarkers_xy: [1, 1]\ntag_m: 0.1\ngap_m: 0.02\n", "at least two markers"),
        ("boards: []\n", "at least one"),
        ("boards:\n- kind: chessboard\n  corners_xy: [4, 6]\n  square_m: 0.1\n", "an odd one the other"),
        ("boards: 3\nname: x\n", "beside boards"),
        ("just words", "describes no board"),
        ("a: [", "cannot be read"),
        ("aruco_scale: 0.7\n", "charuco.toml"),
        ("", "describes no board"),
    ],
)
def test_what_is_wrong_with_a_description_is_said_in_one_line(tmp_path, text, says):
    path = tmp_path / "board.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says) as error:
        load_boards(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_two_boards_of_one_name_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="two boards are called 'hand'"):
        save_boards([HAND, HAND], tmp_path / "boards.yaml")


def test_several_boards_where_one_is_wanted_are_refused(tmp_path):
    save_boards([HAND, FLOOR], tmp_path / "boards.yaml")
    with pytest.raises(ConfigError, match="describes 2 boards"):
        load_board(tmp_path / "boards.yaml")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml"):
        load_boards(tmp_path / "none.yaml")


def test_caliscopes_file_is_read_by_its_content(shared):
    board = load_board(shared / "data/rigs/charuco_4cam/charuco.toml")
    assert board == Charuco(
        squares_xy=(4, 5), square_m=0.054, marker_m=0.0405, dictionary="DICT_4X4_1000", inverted=True
    )


def test_caliscopes_squares_fill_the_page_where_none_was_measured(tmp_path):
    path = tmp_path / "charuco.toml"
    path.write_text(
        'columns = 4\nrows = 5\nboard_height = 11.0\nboard_width = 8.5\ndictionary = "DICT_4X4_50"\n'
        'units = "inch"\naruco_scale = 0.75\ninverted = false\n'
    )
    assert load_board(path).square_m == pytest.approx(8.5 / 4 * 0.0254)


def test_neighbours_on_squares_are_one_side_apart():
    pairs = edges(HAND)
    assert len(pairs) == len(np.unique(np.sort(pairs, axis=1), axis=0)) == 7 * 5 + 8 * 4
    assert np.allclose(np.linalg.norm(np.diff(HAND.corners[pairs], axis=1), axis=-1), 0.03)


def test_neighbours_on_a_marker_grid_are_a_marker_or_a_gap_apart():
    pairs = edges(WALL)
    lengths = np.linalg.norm(np.diff(WALL.corners[pairs], axis=1), axis=-1)[:, 0]
    assert np.allclose(np.minimum(np.abs(lengths - 0.03), np.abs(lengths - 0.009)), 0, atol=1e-12)
    assert len(pairs) == 11 * 8 + 7 * 12


def test_a_marker_grid_numbers_its_corners_by_place():
    assert np.allclose(WALL.corners[:4, :2], [[0, 0], [0.03, 0], [0.03, 0.03], [0, 0.03]])
    assert np.allclose(WALL.corners[4, :2], [0.039, 0])
    assert np.allclose(WALL.corners[24, :2], [0, 0.039])


@pytest.mark.parametrize("board", [HAND, FLOOR, WALL])
def test_a_board_says_in_one_line_what_it_is(board):
    text = board.describe()
    assert text.startswith(f"{board.name}: ")
    assert "\n" not in text
    assert "30 mm" in text or "60 mm" in text


def charuco(name, first_marker, **more):
    sizes = {"squares_xy": (5, 4), "square_m": 0.04, "marker_m": 0.03}
    return Charuco(name=name, first_marker=first_marker, **(sizes | more))


def test_boards_with_the_same_markers_or_corners_are_refused():
    with pytest.raises(ConfigError, match="boards 'a' and 'b' both have markers 5 to 9; set first_marker to 10"):
        check_names([charuco("a", 0), charuco("b", 5, dictionary="DICT_4X4_100")])
    check_names([charuco("a", 0), charuco("b", 10), charuco("c", 0, dictionary="DICT_5X5_50")])
    check_names([charuco("a", 0), charuco("b", 0, inverted=True)])
    chess = [Chessboard(corners_xy=counts, square_m=0.03, name=str(counts)) for counts in ((8, 5), (5, 8), (7, 4))]
    with pytest.raises(ConfigError, match="chessboards of 5 x 8 corners both"):
        check_names(chess[:2])
    check_names(chess[1:])
