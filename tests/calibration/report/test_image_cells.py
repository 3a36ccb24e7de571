import numpy as np
import pytest

from triskel.calibration.report.image_cells import CELLS, into_cells, joined, side_words, unseen_edges

SIZE = (1200, 700)


def test_cells_are_about_square_and_count_every_corner_once():
    rng = np.random.default_rng(1)
    xy = rng.uniform(0, (1199, 699), (500, 2))
    cells = into_cells(xy, np.ones((500, 2)), SIZE)
    assert cells.counts.shape == (7, CELLS)
    assert cells.counts.sum() == 500
    assert cells.counts[2, 5] == ((xy // 100) == (5, 2)).all(axis=1).sum()


def test_the_first_cell_begins_half_a_pixel_before_the_first_pixel():
    cells = into_cells(np.array([[-0.5, -0.5], [99.4, 99.4], [99.6, 0.0]]), np.zeros((3, 2)), SIZE)
    assert cells.counts[0, 0] == 2
    assert cells.counts[0, 1] == 1


def test_mean_residuals_are_those_of_each_cell_and_nan_where_nothing_was_seen():
    xy = np.array([[50.0, 50.0], [60.0, 50.0], [1150.0, 650.0]])
    cells = into_cells(xy, np.array([[1.0, 0.0], [3.0, 2.0], [np.nan, np.nan]]), SIZE)
    assert cells.mean_px[0, 0].tolist() == [2.0, 1.0]
    assert np.isnan(cells.mean_px[3, 3]).all()
    assert cells.counts[6, 11] == 1  # seen, though nobody knows how wrong
    assert np.isnan(cells.mean_px[6, 11]).all()


def test_no_corners_leave_empty_cells():
    cells = into_cells(np.zeros((0, 2)), np.zeros((0, 2)), (480, 640))
    assert cells.counts.shape == (CELLS, 9)
    assert cells.seen_share == 0


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        ((0, 0), (590, 699), ("left of centre", "on the right")),
        ((610, 0), (1199, 699), ("right of centre", "on the left")),
        ((0, 0), (1199, 340), ("in the upper half", "in the lower half")),
        ((0, 360), (590, 699), ("in the lower left", "on the right and in the upper half")),
        ((0, 0), (1199, 699), ("", "")),
    ],
)
def test_words_say_where_corners_are_and_where_to_go(low, high, words):
    xy = np.random.default_rng(2).uniform(low, high, (200, 2))
    assert side_words(xy, SIZE) == words


def test_words_need_a_corner():
    assert side_words(np.full((3, 2), np.nan), SIZE) == ("", "")


def test_an_edge_without_corners_is_named_and_a_corner_only_where_its_edges_were_seen():
    counts = np.full((7, 12), 5)
    assert unseen_edges(counts) == []
    counts[:2, :3] = 0
    assert unseen_edges(counts) == ["top left corner"]
    counts[:, :2] = 0
    assert unseen_edges(counts) == ["left edge"]


@pytest.mark.parametrize(
    ("names", "text"),
    [([], ""), (["a"], "a"), (list("abcd"), "a, b, c and d"), (list("abcdef"), "a, b, c and 3 more")],
)
def test_long_lists_are_cut(names, text):
    assert joined(names) == text
