import numpy as np
import pytest

from triskel.detect2d.parsing.peaks import MOST_PEAKS, find_peaks, strongest_peaks

RELEASED, PRINTED = 7 / 8, 7 / 8 / 2**0.5  # cells: exp(-d^2 / 2 sigma^2), and equation 7 without the 2


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


@pytest.mark.parametrize("sigma", [RELEASED, PRINTED])
@pytest.mark.parametrize(("noise", "rms_px"), [(0, 0.01), (0.01, 0.2), (0.03, 0.6)])
def test_sub_cell_error_stays_within_a_fraction_of_an_input_pixel(gaussians, sigma, noise, rms_px):
    """One joint a map, anywhere between the cells; noise is normal, of that deviation. A cell is 8 px."""
    rng = np.random.default_rng(2)
    centres = rng.uniform(5, 15, (200, 2))
    maps = np.stack([gaussians([centre], size_wh=(21, 21), height=1.0, sigma=sigma) for centre in centres])
    maps += rng.normal(0, noise, maps.shape).astype(np.float32)
    xy, score, start = find_peaks(maps, 0.3)
    np.testing.assert_array_equal(np.diff(start), 1)
    error_px = 8 * np.linalg.norm(xy - centres, axis=1)
    assert np.sqrt(np.mean(error_px**2)) < rms_px
    assert score.min() > 0.3


@pytest.mark.parametrize(
    ("apart_px", "told_apart", "rms_px"), [(12, 0.4, 1.5), (14, 0.65, 1.5), (16, 0.9, 1.5), (20, 1, 0.3)]
)
def test_two_joints_near_each_other_are_told_apart(gaussians, apart_px, told_apart, rms_px):
    """In any direction from each other and at any place between the cells; nearer than 1.5 cells many look like one."""
    rng = np.random.default_rng(3)
    both, errors = 0, []
    for angle, x, y in zip(rng.uniform(0, 2 * np.pi, 200), *rng.uniform(9, 11, (2, 200)), strict=True):
        centres = np.array([[x, y], [x + apart_px / 8 * np.cos(angle), y + apart_px / 8 * np.sin(angle)]])
        xy, _, _ = find_peaks(gaussians(centres, size_wh=(21, 21), height=1.0, sigma=RELEASED)[None], 0.3)
        assert len(xy) in (1, 2)
        if len(xy) == 2:
            both += 1
            errors.append(8 * np.linalg.norm(xy[:, None] - centres, axis=-1).min(axis=0))
    assert both >= told_apart * 200
    assert np.sqrt(np.mean(np.square(errors))) < rms_px


def test_noise_does_not_double_a_joint_between_four_cells(gaussians):
    """There the four highest cells are nearly equal, and noise lifts cells across the corner from each other."""
    rng = np.random.default_rng(4)
    part = gaussians([(10.5, 10.5)], size_wh=(22, 22), height=1.0, sigma=RELEASED)
    maps = (part + rng.normal(0, 0.03, (500, 22, 22))).astype(np.float32)
    _, _, start = find_peaks(maps, 0.3)
    assert (np.diff(start) == 1).mean() >= 0.99


def test_the_strongest_peak_has_no_threshold_and_lies_between_the_cells(gaussians):
    maps = np.stack([gaussians([(10.3, 20.8)], height=0.02), gaussians([(5, 5), (30.4, 7)], height=0.7)])
    maps[1, :, 20:] *= 1.1
    xy, score = strongest_peaks(maps)
    np.testing.assert_allclose(xy, [[10.3, 20.8], [30.4, 7]], rtol=0, atol=0.02)
    np.testing.assert_allclose(score, [maps[0].max(), maps[1].max()])


def test_a_map_that_is_nowhere_positive_has_no_strongest_peak():
    xy, score = strongest_peaks(np.full((2, 5, 5), -0.1, np.float32))
    assert np.isnan(xy).all()
    assert score.tolist() == [0, 0]
