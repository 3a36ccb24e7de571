import dataclasses
from functools import partial

import numpy as np
import pytest

from triskel.calibration.boards import BoardView
from triskel.calibration.intrinsics import calibrate_intrinsics
from triskel.calibration.report import advise, gather_numbers
from triskel.calibration.report.advice import MOST
from triskel.calibration.report.volume import Slice, Volume

PAIR, OTHER_PAIR = ("cam01", "cam03"), ("cam02", "cam04")


def advice_on(recording, calibration=None, **parts):
    numbers = gather_numbers(calibration=calibration, boards=[recording.board], **parts)
    return {one.code: one for one in advise(numbers)}


def left_half(kept_shots, s, view):
    """Return the corners left of x = 600 px in some shots, nothing in the others."""
    left = view.xy[:, 0] < 600
    return BoardView(view.ids[left], view.xy[left]) if s in kept_shots else None


def test_nothing_is_advised_on_a_good_recording(recording):
    assert advice_on(recording, recording.calibration, held_out=recording.held_out) == {}


def test_a_camera_that_saw_the_board_seldom_and_on_one_side_is_told_how_often_and_where(recording, changed):
    seen = {s: shot["cam03"] for s, shot in enumerate(recording.shots[:40]) if "cam03" in shot}
    left = [s for s, view in seen.items() if len(left_half([s], s, view).ids) >= 12]
    shots = changed(recording.shots[:40], "cam03", partial(left_half, left[:4]))
    found = advice_on(recording, recording.calibrated(shots))
    assert found["few-views"].text == (
        "cam03 saw the board in 4 frames, all left of centre: show it 20 more, on the right of its image"
    )
    assert found["few-views"].cameras == ("cam03",)


def test_two_groups_that_share_few_shots_are_told_which_cameras_to_show_the_board_to(recording):
    all_see_it = [s for s, shot in enumerate(recording.shots[:40]) if len(shot) >= 3]
    shots = []
    for s, shot in enumerate(recording.shots[:40]):
        # Elsewhere the two pairs see the board as if it had been shown to one pair after the other.
        pairs = [{name: shot[name] for name in pair if name in shot} for pair in (PAIR, OTHER_PAIR)]
        shots += [shot] if s in (0, *all_see_it[:2]) else pairs
    found = advice_on(recording, recording.calibrated(shots))["weak-link"]
    first, second = found.cameras
    assert {first, second} & set(PAIR)
    assert {first, second} & set(OTHER_PAIR)
    assert f"{first} and {second} saw the board together in only " in found.text
    assert "where both see it" in found.text


def test_a_camera_that_is_blurred_is_named_with_its_error_and_that_of_the_others(recording, changed):
    rng = np.random.default_rng(3)
    shots = changed(
        recording.shots[:40], "cam02", lambda _, view: BoardView(view.ids, view.xy + rng.normal(0, 2.0, view.xy.shape))
    )
    found = advice_on(recording, recording.calibrated(shots))["worse"]
    assert found.cameras == ("cam02",)
    assert "the others to 0.4 px" in found.text
    assert "synchronisation" in found.text


def test_a_lens_that_does_not_fit_is_told_from_noise_by_its_direction(recording):
    cameras = [
        camera.replace(dist=camera.dist + (0.15 if camera.name == "cam04" else 0) * np.eye(5)[0])
        for camera in recording.truth
    ]
    found = advice_on(recording, recording.calibrated(recording.shots[:40], cameras))["systematic"]
    assert found.cameras == ("cam04",)
    assert "calibrate its lens again" in found.text


def test_misdetected_corners_are_counted_and_their_causes_named(recording, changed):
    rng = np.random.default_rng(4)

    def spoilt(_, view):
        bad = rng.random(len(view.ids)) < 0.12
        return BoardView(view.ids, view.xy + bad[:, None] * rng.choice([-15, 15], view.xy.shape))

    found = advice_on(recording, recording.calibrated(changed(recording.shots[:40], "cam01", spoilt)))["left-out"]
    assert found.cameras == ("cam01",)
    assert any(f"{percent} % of the corners" in found.text for percent in (10, 11, 12, 13, 14))


def test_a_lens_that_was_never_seen_on_the_right_is_to_be_shown_the_board_there(recording):
    views = [shot["cam01"] for shot in recording.shots if "cam01" in shot]
    left = [BoardView(view.ids[view.xy[:, 0] < 800], view.xy[view.xy[:, 0] < 800]) for view in views]
    lens = calibrate_intrinsics(left, recording.board, size_wh=(1280, 720), name="cam01", force=True)
    lens = lens._replace(warnings=())  # those come first and say it in their own words
    found = advice_on(recording, intrinsics={"cam01": lens})["coverage"]
    assert found.text.startswith("cam01 hardly saw the board at the right edge of the image")
    assert "hold it there, close to the camera" in found.text


def test_what_the_lens_calibration_warned_of_is_said_once_among_the_checks(recording):
    lens = recording.intrinsics["cam01"]._replace(warnings=("the focal length is uncertain by 2 %",))
    numbers = gather_numbers(intrinsics={"cam01": lens})
    assert numbers.warnings == ("cam01: the focal length is uncertain by 2 %",)
    (found,) = advise(numbers)
    assert found.text.startswith("The lens of cam01 is weakly determined (see below): show the board to it closer")
    assert "uncertain" not in found.text
    named = lens._replace(warnings=("camera 'cam01': the focal length is uncertain by 2 %",))
    assert gather_numbers(intrinsics={"cam01": named}).warnings == named.warnings


def test_several_weak_lenses_are_one_piece_of_advice(recording):
    lens = recording.intrinsics["cam01"]._replace(warnings=("the focal length is uncertain by 2 %",))
    lenses = {name: lens._replace(camera=lens.camera.replace(name=name)) for name in ("cam01", "cam02", "cam03")}
    (found,) = advice_on(recording, intrinsics=lenses).values()
    assert found.text.startswith("The lenses of cam01, cam02 and cam03 are weakly determined")


def test_boards_that_come_out_with_the_wrong_size_are_no_matter_of_noise(recording):
    held = recording.held_out
    wrong = held._replace(distance_error_mm=held.distance_error_mm + 0.04 * held.distance_mm)
    assert "held-out" in advice_on(recording, recording.calibration, held_out=wrong)
    noisy = np.random.default_rng(5).normal(0, 0.04, len(held.distance_mm)) * held.distance_mm
    noise = held._replace(distance_error_mm=noisy)
    assert "held-out" not in advice_on(recording, recording.calibration, held_out=noise)


def test_heights_without_boards_are_named_where_points_are_uncertain_there(numbers):
    there = np.full((2, 2), 1.0)
    slices = (Slice(0.1, 9.0, 9 * there), Slice(1.0, 1.0, there), Slice(1.8, 1.2, there))
    uneven = dataclasses.replace(numbers, volume=Volume(1.0, 8.0, slices, 0.6, 1.6))
    (found,) = [one for one in advise(uneven) if one.code == "volume"]
    assert found.text.startswith("Points 0.1 m above the floor are uncertain by 9.0 mm")
    assert "the lower part of the volume" in found.text


def test_a_camera_whose_place_is_uncertain_is_to_be_seen_together_with_its_neighbours(numbers):
    cameras = [
        dataclasses.replace(c, centre_sigma_mm=np.full(3, 12.0 if c.name == "cam02" else 0.5)) for c in numbers.cameras
    ]
    found = {one.code: one for one in advise(dataclasses.replace(numbers, cameras=tuple(cameras)))}
    assert found["uncertain-camera"].text.startswith(
        "The place of cam02 is uncertain by 20.8 mm, that of the others by"
    )
    assert "see it too" in found["uncertain-camera"].text


def test_there_are_never_more_pieces_of_advice_than_anyone_follows(numbers):
    bad = [
        dataclasses.replace(
            c,
            n_views=9 * k,
            n_left_out=c.n_corners,
            rms_px=float(3 * k + 1),
            centre_sigma_mm=np.full(3, 90.0 if k == 3 else 1.0),
        )
        for k, c in enumerate(numbers.cameras)
    ]
    links = tuple(link._replace(shots=2) for link in numbers.links)
    held = numbers.held_out._replace(board_p95_percent=9.0)
    found = advise(dataclasses.replace(numbers, cameras=tuple(bad), links=links, held_out=held))
    assert len(found) == MOST
    assert "held-out" not in {one.code for one in found}  # the last of the rules: cut
    assert found[0].code == "never-saw"
    assert found[0].cameras == ("cam01",)


@pytest.mark.parametrize("part", ["rms_px", "centre_sigma_mm"])
def test_unknown_numbers_give_no_advice(numbers, part):
    nothing = np.nan if part == "rms_px" else np.full(3, np.nan)
    cameras = tuple(dataclasses.replace(c, **{part: nothing}) for c in numbers.cameras)
    assert advise(dataclasses.replace(numbers, cameras=cameras)) == []
