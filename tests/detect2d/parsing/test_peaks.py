import numpy as np
import pytest

from triskel.detect2d.parsing.peaks import MOST_PEAKS, find_peaks


def test_gaussian_centres_between_the_cells_are_recovered(gaussians):
    rng = np.random.default_rng(0)
    centres = np.array([[x, y] for y in range(5, 42, 9) for x in range(5, 42, 9)]) + rng.uniform(-0.5, 0.5, (25, 2))
    xy, score, start = find_peaks(gaussians(centres)[None], 0.1)
    assert start.tolist() == [0, 25]
    found = xy[np.linalg.norm(xy[None] - centres[:, None], axis=-1).argmin(axis=1)]
    assert np.linalg.norm(found - centres, axis=1).max() < 0.02
    assert ((score > 0.7) & (score <= 0.9)).all()


def test_candidates_of_a_part_come_strongest_first_and_parts_in_order(gaussians):
    first = np.maximum(gaussians([(5, 5)], height=0.5), gaussians([(30, 30)], height=0.8))
    xy, score, start = find_peaks(np.stack([first, np.zeros_like(first), gaussians([(8, 9)])]), 0.1)
    assert start.tolist() == [0, 2, 2, 3]
    np.testing.assert_allclose(xy, [[30, 30], [5, 5], [8, 9]], rtol=0, atol=1e-3)
    np.testing.assert_allclose(score, [0.8, 0.5, 0.9], rtol=0, atol=1e-6)


def test_of_equal_neighbours_one_candidate_is_left_halfway():
    part = np.zeros((1, 9, 9), np.float32)
    part[0, 4, 4:6] = 0.8
    xy, score, _ = find_peaks(part, 0.1)
    assert score.tolist() == pytest.approx([0.8])
    np.testing.assert_allclose(xy, [[4.5, 4]], rtol=0, atol=1e-6)


def test_a_flat_map_gives_one_candidate_not_one_for_each_cell():
    _, score, _ = find_peaks(np.full((1, 6, 6), 0.5, np.float32), 0.1)
    assert len(score) == 1


@pytest.mark.parametrize("corner", [(0, 0), (45, 0), (0, 45), (45, 45)])
def test_a_peak_on_the_border_stays_on_its_cell(gaussians, corner):
    xy, _, _ = find_peaks(gaussians([corner])[None], 0.1)
    np.testing.assert_array_equal(xy, [corner])


def test_a_peak_along_the_border_is_still_placed_between_the_cells(gaussians):
    xy, _, _ = find_peaks(gaussians([(20.3, 0)])[None], 0.1)
    np.testing.assert_allclose(xy, [[20.3, 0]], rtol=0, atol=0.02)


@pytest.mark.parametrize(("threshold", "found"), [(0.79, 1), (0.81, 0)])
def test_candidates_exceed_the_threshold(gaussians, threshold, found):
    assert len(find_peaks(gaussians([(10, 10)], height=0.8)[None], threshold)[0]) == found


def test_of_too_many_candidates_the_strongest_are_kept():
    part = np.zeros((1, 60, 60), np.float32)
    values = np.random.default_rng(1).permutation(np.linspace(0.2, 1, 400)).reshape(20, 20)
    part[0, 1::3, 1::3] = values
    _, score, _ = find_peaks(part, 0.1)
    np.testing.assert_allclose(score, np.sort(values.ravel())[::-1][:MOST_PEAKS], rtol=0, atol=1e-6)


def test_empty_maps_give_no_candidates():
    xy, score, start = find_peaks(np.zeros((3, 5, 5), np.float32), 0.05)
    assert (xy.shape, len(score), start.tolist()) == ((0, 2), 0, [0, 0, 0, 0])
