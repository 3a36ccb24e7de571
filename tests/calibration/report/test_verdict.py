import dataclasses

import numpy as np
import pytest

from triskel.calibration.checks import Finding
from triskel.calibration.report import advise, gather_numbers, judge
from triskel.calibration.report.verdict import mm


def judged(numbers):
    return judge(numbers, advise(numbers))


def test_a_good_calibration_is_not_what_limits_you(numbers):
    verdict = judged(numbers)
    assert (verdict.grade, verdict.headline) == ("good", "Good: use it.")
    assert "calibration is not what limits you" in verdict.sentences[0]
    assert f"uncertain by {mm(numbers.volume.typical_mm)} because of the calibration" in verdict.sentences[0]
    assert f"is worth {mm(numbers.volume.detector_mm)} there" in verdict.sentences[0]


@pytest.mark.parametrize(
    ("share", "grade", "words"), [(0.5, "usable", "adds to the error"), (2.0, "poor", "is what limits you")]
)
def test_an_uncertain_volume_is_compared_with_the_detector(numbers, share, grade, words):
    volume = numbers.volume._replace(typical_mm=share * numbers.volume.detector_mm)
    verdict = judged(dataclasses.replace(numbers, volume=volume))
    assert verdict.grade == grade
    assert words in verdict.sentences[0]


def test_a_failed_check_makes_the_best_numbers_poor(numbers):
    finding = Finding("error", "cam01", "stands 1.20 m under the floor (z = 0); is z up?")
    verdict = judged(dataclasses.replace(numbers, findings=(finding,)))
    assert verdict.grade == "poor"
    assert "1 of the checks failed" in verdict.sentences[0]
    assert judged(dataclasses.replace(numbers, findings=(finding._replace(severity="warning"),))).grade == "usable"


@pytest.mark.parametrize(("percent", "grade"), [(0.2, "good"), (1.0, "usable"), (5.0, "poor")])
def test_held_out_boards_of_the_wrong_size_lower_the_grade(numbers, percent, grade):
    held = dataclasses.replace(numbers, held_out=numbers.held_out._replace(board_percent=percent))
    assert judged(held).grade == grade


@pytest.mark.parametrize(("px", "grade"), [(0.5, "good"), (1.5, "usable"), (4.0, "poor")])
def test_a_poor_fit_lowers_the_grade(numbers, px, grade):
    assert judged(dataclasses.replace(numbers, rms_px=px)).grade == grade


def test_lenses_alone_are_judged_by_their_focal_lengths(recording):
    lens = recording.intrinsics["cam01"]
    verdict = judged(gather_numbers(intrinsics={"cam01": lens}))
    sigma = 100 * max(lens.sigma[:2]) / lens.camera.K[0, 0]
    assert any(f"known to {sigma:.2g} %" in one and "where the cameras stand" in one for one in verdict.sentences)


def test_unknown_numbers_are_not_spoken_of(numbers):
    unknown = dataclasses.replace(
        numbers, rms_px=np.nan, volume=numbers.volume._replace(typical_mm=np.nan), held_out=None, boards=()
    )
    assert judged(unknown).sentences == ()


@pytest.mark.parametrize(
    ("value", "text"), [(0.417, "0.42 mm"), (1.26, "1.3 mm"), (13.4, "13 mm"), (np.nan, "an unknown length")]
)
def test_lengths_have_two_digits(value, text):
    assert mm(value) == text


def test_a_small_uncertainty_is_not_believed_where_corners_do_not_fit(numbers):
    verdict = judged(dataclasses.replace(numbers, rms_px=4.0))
    assert "calibration is not what limits you" not in verdict.sentences[0]
    assert "does not fit well enough" in verdict.sentences[0]


def test_a_world_without_a_floor_measures_as_well(numbers):
    finding = Finding("warning", "", "the world is the first camera's frame", "no-floor")
    assert judged(dataclasses.replace(numbers, findings=(finding,))).grade == "good"


def test_lenses_that_know_the_boards_are_not_passed_over(numbers):
    (text,) = [one for one in judged(numbers).sentences if one.startswith("Distances")]
    assert "of boards that were not used for the poses come out right" in text
    nested = dataclasses.replace(numbers, held_out=numbers.held_out._replace(lenses_held_out=True))
    (text,) = [one for one in judged(nested).sentences if one.startswith("Distances")]
    assert "of boards that were not used come out right" in text


def uncertain(numbers, sigma_mm):
    """Return the numbers with the second camera's place known to so many mm along each axis."""
    second = dataclasses.replace(numbers.cameras[1], centre_sigma_mm=np.full(3, sigma_mm))
    return dataclasses.replace(numbers, cameras=(numbers.cameras[0], second, *numbers.cameras[2:]))


@pytest.mark.parametrize(("percent", "grade"), [(0.9, "good"), (1.6, "usable"), (3.5, "poor")])
def test_a_camera_whose_place_is_uncertain_lowers_the_grade(numbers, percent, grade):
    away_mm = 1000 * np.linalg.norm(numbers.cameras[1].centre_m - numbers.plan.middle)
    verdict = judged(uncertain(numbers, percent / 100 * away_mm / np.sqrt(3)))
    assert verdict.grade == grade
    said = [one for one in verdict.sentences if "cam02 stands" in one]
    assert len(said) == (grade != "good")
    if said:
        assert f"known to {mm(percent / 100 * away_mm)}, {percent} % of its distance from the boards" in said[0]
        assert "far from where the boards were are as uncertain" in said[0]
        assert not any("not what limits you" in one for one in verdict.sentences)


def test_usable_with_an_uncertain_camera_is_usable_with_care(numbers):
    assert judged(uncertain(numbers, 30.0)).headline.startswith("Usable with care")


def test_an_uncertain_focal_length_of_a_rig_is_named(recording):
    lens = recording.intrinsics["cam02"]
    sigma = np.array(lens.sigma)
    sigma[:2] = 0.02 * lens.camera.K[0, 0]
    weak = lens._replace(certainty=lens.certainty._replace(sigma=sigma))
    lenses = {**recording.intrinsics, "cam02": weak}
    verdict = judged(gather_numbers(intrinsics=lenses, calibration=recording.calibration))
    assert verdict.grade == "usable"
    assert any(one.startswith("The focal length of cam02 is known to 2.0 %") for one in verdict.sentences)


def test_the_size_that_all_lengths_rest_on_is_named(numbers):
    assert "as good as the size given for the board's squares (80 mm)" in judged(numbers).sentences[-1]
    assert not any("All lengths" in one for one in judged(dataclasses.replace(numbers, boards=())).sentences)
