"""Prints are exact: by what the files say, and by finding the board in the picture."""

import re
import zlib

import cv2
import numpy as np
import pytest

from triskel.calibration.boards import Charuco, Chessboard, MarkerGrid
from triskel.calibration.boards.printing import lay_out, page_size_mm, pdf_bytes, png_bytes, svg_text, write_board
from triskel.errors import ConfigError

A4 = page_size_mm("a4")
BOARDS = {
    "charuco": Charuco(squares_xy=(9, 6), square_m=0.03, marker_m=0.022),
    "inverted": Charuco(squares_xy=(7, 5), square_m=0.0333, marker_m=0.025, inverted=True),
    "legacy": Charuco(squares_xy=(5, 6), square_m=0.03, marker_m=0.0225, legacy=True),
    "chessboard": Chessboard(corners_xy=(8, 5), square_m=0.03),
    "aprilgrid": MarkerGrid(markers_xy=(5, 3), tag_m=0.031, gap_m=0.009),
    "kalibr": MarkerGrid(markers_xy=(4, 3), tag_m=0.04, gap_m=0.012, bottom_up=True, border_bits=2),
}


@pytest.mark.parametrize("kind", list(BOARDS))
def test_the_printed_picture_shows_the_board_where_it_should_be(kind):
    board = BOARDS[kind]
    page = lay_out(board, page_mm=A4)
    picture = cv2.imdecode(np.frombuffer(png_bytes(page, dpi=200), np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape[1::-1] == tuple(round(side / 25.4 * 200) for side in page.size_mm)
    seen = board.detect(picture)
    assert len(seen.ids) == len(board.corners)
    expected = (board.corners[:, :2] * 1000 + page.origin_mm) / 25.4 * 200 - 0.5
    off = seen.xy - expected[seen.ids]
    assert np.abs(off).max() < 0.08
    assert np.abs(off.mean(axis=0)).max() < 0.03


@pytest.mark.parametrize("kind", ["charuco", "inverted"])
def test_opencv_draws_the_same_squares_and_markers(kind):
    board = BOARDS[kind]
    dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50)
    # Squares of 60 px with markers of 48: cells of 8 px fall on whole pixels.
    theirs = cv2.aruco.CharucoBoard(board.squares_xy, 0.06, 0.048, dictionary).generateImage(
        (board.squares_xy[0] * 60, board.squares_xy[1] * 60)
    )
    same = Charuco(squares_xy=board.squares_xy, square_m=0.06, marker_m=0.048, inverted=board.inverted)
    ours = np.full(theirs.shape, 255, np.uint8)
    for x0, y0, x1, y1 in np.round(same.ink() * 1000).astype(int):
        ours[y0:y1, x0:x1] = 0
    assert (ours == theirs).mean() > 0.999


@pytest.mark.parametrize("kind", list(BOARDS))
def test_pdf_and_svg_hold_the_rectangles_of_the_page(kind):
    page = lay_out(BOARDS[kind], page_mm=A4)
    paths = re.findall(r'd="([^"]*)"', svg_text(page))
    in_svg = np.array(re.findall(r"M(\S+) (\S+)H(\S+)V(\S+)H", " ".join(paths)), float)
    stream = pdf_bytes(page).split(b"stream\n")[1].split(b"\nendstream")[0]
    content = zlib.decompress(stream).decode("latin-1")
    in_pdf = np.array(re.findall(r"^(\S+) (\S+) (\S+) (\S+) re", content, re.MULTILINE), float)[1:] * 25.4 / 72
    x, y, w, h = in_pdf.T
    in_pdf = np.c_[x, page.size_mm[1] - y - h, x + w, page.size_mm[1] - y]
    expected = [np.array([page.background]).reshape(-1, 4)] if page.background is not None else []
    expected = np.concatenate([*expected, page.pattern, page.ruler])
    assert np.abs(in_svg - expected).max() < 2e-4
    assert np.abs(in_pdf - expected).max() < 2e-4


def test_the_ruler_is_as_long_as_it_says():
    page = lay_out(BOARDS["charuco"], page_mm=A4)
    ticks = page.ruler[:-1]
    long = ticks[(ticks[:, 3] - ticks[:, 1]) > 3.5]
    middles = (long[:, 0] + long[:, 2]) / 2
    assert np.allclose(np.diff(middles), 10)
    assert middles[-1] - middles[0] == pytest.approx(200)
    assert [text.words for text in page.texts if text.words.endswith(" mm")] == ["200 mm"]


def test_nothing_leaves_the_margins_and_the_board_stays_clear_of_the_foot():
    for board in BOARDS.values():
        page = lay_out(board, page_mm=A4, margin_mm=8)
        parts = np.concatenate([page.pattern, page.ruler])
        assert parts[:, :2].min() >= 8 - 1e-6
        assert (parts[:, 2:] <= np.array(page.size_mm) - 8 + 1e-6).all()
        assert page.pattern[:, 3].max() < page.ruler[:, 1].min()
        assert page.size_mm in (A4, A4[::-1])


@pytest.mark.parametrize(
    ("change", "says"),
    [({"square_m": 0.04}, "choose page a3"), ({"square_m": 0.4}, "give a page of at least")],
)
def test_a_board_larger_than_the_page_is_refused_with_a_page_that_would_do(change, says):
    with pytest.raises(ConfigError, match=says):
        lay_out(Charuco(squares_xy=(9, 6), marker_m=0.02, **change), page_mm=A4)


@pytest.mark.parametrize("text", ["a9", "300", "10x20", "axb", "nanx100", "100xinf"])
def test_pages_that_are_none_are_refused(text):
    with pytest.raises(ConfigError, match="page is"):
        page_size_mm(text)
    assert page_size_mm("500x700.5") == (500, 700.5)


def test_a_png_says_its_resolution_and_absurd_ones_are_refused(tmp_path):
    write_board(BOARDS["chessboard"], tmp_path / "b.png", page_mm=A4, dpi=120)
    data = (tmp_path / "b.png").read_bytes()
    at = data.index(b"pHYs")
    assert int.from_bytes(data[at + 4 : at + 8], "big") == round(120 / 0.0254)
    for dpi in (2.0, 9000.0, float("nan")):
        with pytest.raises(ConfigError, match="dpi"):
            write_board(BOARDS["chessboard"], tmp_path / "c.png", page_mm=A4, dpi=dpi)
    with pytest.raises(ConfigError, match=r"\.pdf, \.svg or \.png"):
        write_board(BOARDS["chessboard"], tmp_path / "c.doc", page_mm=A4)
