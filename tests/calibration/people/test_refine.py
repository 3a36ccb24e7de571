from dataclasses import replace

import numpy as np
import pytest

from triskel import InputError
from triskel.calibration.people import RefineOptions, refine_from_people
from triskel.motion import Detections2D
from triskel.projection import project


def centre_errors_mm(rig, truth):
    return [1000 * np.linalg.norm(a.centre - b.centre) for a, b in zip(rig, truth, strict=True)]


def test_a_bumped_camera_is_found_named_and_repaired(walker, bump):
    """30 mm and 1 degree, 1.5 px of noise: measured within 1 mm of the truth."""
    true, detections, time_s, _ = walker()
    found = refine_from_people(bump(true, 2, 30, 1.0), detections, time_s)
    assert found.bumped == ("cam02",)
    assert [row.verdict for row in found.moves] == ["stayed", "stayed", "bumped", "stayed"]
    row = found.moves[2]
    assert row.moved_mm == pytest.approx(30, abs=3)
    assert row.turned_deg == pytest.approx(1.0, abs=0.05)
    assert row.moved_sigma_mm < 4
    errors = centre_errors_mm(found.rig, true)
    assert errors[2] < 3
    assert errors[0] == errors[1] == errors[3] == 0  # held, since they had not moved
    assert found.held_out.median_change < -0.6
    assert found.held_out.left_out_after.median_px < 0.4 * found.held_out.left_out_before.median_px


def test_a_good_rig_is_returned_as_it_was(walker):
    true, detections, time_s, _ = walker()
    found = refine_from_people(true, detections, time_s)
    assert {row.verdict for row in found.moves} == {"stayed"}
    assert found.events == ()
    assert found.bumped == ()
    assert found.rig.cameras == true.cameras
    assert found.held_out.median_change == 0
    for row in found.moves:  # what it would have moved is what chance does: 3 standard errors
        assert row.moved_mm < 3 * row.moved_sigma_mm


def test_a_wrong_scale_stays_since_people_do_not_tell_it(walker):
    from triskel.calibration.people.gauge import Similarity

    true, detections, time_s, _ = walker(4, 60)
    larger = Similarity(np.eye(3), np.zeros(3), 1.1).rig(true)
    found = refine_from_people(larger, detections, time_s)
    assert centre_errors_mm(found.rig, larger) == [0, 0, 0, 0]


@pytest.mark.slow
def test_a_camera_that_moves_while_recording_is_named_with_the_time(walker, bump):
    true, detections, time_s, X = walker(5, 160)
    moved = bump(true, 1, 20, 0.8)
    shift = project(moved["cam01"], X) - project(true["cam01"], X)
    keypoints = detections.keypoints.copy()
    keypoints[100:, 1, 0, :, :2] += shift[100:]
    found = refine_from_people(true, replace(detections, keypoints=keypoints), time_s)
    (event,) = found.events
    assert event.camera == "cam01"
    assert event.time_s == pytest.approx(time_s[100], abs=0.3)
    assert event.turned_deg == pytest.approx(0.8, abs=0.2)
    assert any("cam01" in line and "moved at" in line for line in found.warnings)
    late = {row.camera: row.verdict for row in found.drift if row.start_s > time_s[100] + 0.3}
    early = {row.verdict for row in found.drift if row.end_s < time_s[100] - 0.3}
    assert late["cam01"] == "moved"
    assert [verdict for name, verdict in late.items() if name != "cam01"] == ["stayed"] * 4
    assert early == {"stayed"}
    assert max(centre_errors_mm(found.rig, true)) == 0  # that of the longer part, which had not moved


def test_a_camera_without_people_stays_and_is_named(walker, bump):
    true, detections, time_s, _ = walker(5, 60)
    keypoints = detections.keypoints.copy()
    keypoints[:, 4] = (np.nan, np.nan, 0)
    start = bump(true, 2, 30, 1.0)
    found = refine_from_people(start, replace(detections, keypoints=keypoints), time_s)
    assert found.rig.cameras[4] is start.cameras[4]
    assert found.moves[4].verdict == "not seen"
    assert any("cam04" in line for line in found.warnings)
    assert found.bumped == ("cam02",)


def test_a_camera_that_was_carried_away_is_found_again(walker, bump):
    """60 cm and 25 degrees: none of its people are where the others have them."""
    true, detections, time_s, _ = walker(4, 60)
    found = refine_from_people(bump(true, 1, 600, 25.0), detections, time_s)
    assert found.bumped == ("cam01",)
    assert found.moves[1].moved_mm == pytest.approx(600, abs=10)
    assert max(centre_errors_mm(found.rig, true)) < 5
    assert any("cam01" in line and "found anew" in line for line in found.warnings)


def test_cameras_that_the_recording_lacks_stay(walker):
    true, detections, time_s, _ = walker(5, 40)
    found = refine_from_people(true, detections.select(true.names[:4]), time_s)
    assert found.rig.names == true.names
    assert len(found.moves) == 4


def test_two_cameras_are_refined_and_the_doubt_is_said(walker, bump):
    true, detections, time_s, _ = walker(4, 80)
    two = ["cam00", "cam01"]
    found = refine_from_people(bump(true, 1, 30, 1.0).select(two), detections.select(two), time_s)
    assert found.bumped == ()
    assert any("two cameras" in line for line in found.warnings)
    assert found.held_out.after.median_px < found.held_out.before.median_px


def test_nobody_there_is_refused(walker):
    true, detections, time_s, _ = walker(3, 30)
    empty = np.full_like(detections.keypoints, np.nan)
    empty[..., 2] = 0
    with pytest.raises(InputError, match="nobody is seen by two cameras"):
        refine_from_people(true, replace(detections, keypoints=empty), time_s)
    nothing = Detections2D(detections.skeleton, detections.cameras, empty[:, :, :0])
    with pytest.raises(InputError, match="nobody is seen by two cameras"):
        refine_from_people(true, nothing, time_s)


def test_a_rig_of_another_place_is_refused(walker, rig_of):
    _, detections, time_s, _ = walker(4, 40)
    other = rig_of(4, radius=30.0)
    other = type(other)(tuple(b.replace(name=a) for a, b in zip(detections.cameras, other, strict=True)))
    with pytest.raises(InputError, match=r"belong together|too few"):
        refine_from_people(other, detections, time_s)


def test_people_in_one_place_and_few_frames_are_warned_of(walker):
    true, detections, time_s, _ = walker(4, 40, every=1)
    found = refine_from_people(true, detections, time_s)
    assert any("one place" in line for line in found.warnings)
    assert any("frame sets" in line for line in found.warnings)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d, t: (d.select(["cam00"]), t), "two cameras up"),
        (lambda d, t: (d, t[:-1]), "times"),
        (lambda d, t: (d, t[::-1]), "rise"),
        (lambda d, t: (d, np.full_like(t, np.nan)), "finite"),
    ],
)
def test_bad_input_is_refused_in_a_line(walker, change, message):
    true, detections, time_s, _ = walker(3, 20)
    with pytest.raises(InputError, match=message) as caught:
        refine_from_people(true, *change(detections, time_s))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [np.inf, 1e12])
def test_absurd_coordinates_do_no_harm(walker, bump, value):
    true, detections, time_s, _ = walker(4, 40)
    keypoints = detections.keypoints.copy()
    keypoints[np.random.default_rng(0).random(keypoints.shape[:4]) < 0.03, 0] = value  # the score stays
    found = refine_from_people(bump(true, 0, 30, 1.0), replace(detections, keypoints=keypoints), time_s)
    assert max(centre_errors_mm(found.rig, true)) < 8


@pytest.mark.parametrize("options", [{"most_frames": 3}, {"held_out": 0.9}, {"rounds": 0}, {"association_px": 0.0}])
def test_absurd_options_are_refused(options):
    with pytest.raises(InputError):
        RefineOptions(**options)


@pytest.mark.slow
def test_the_same_people_give_the_same_rig(walker, bump):
    true, detections, time_s, _ = walker(3, 40)
    start = bump(true, 0, 30, 1.0)
    first, second = (refine_from_people(start, detections, time_s) for _ in range(2))
    for a, b in zip(first.rig, second.rig, strict=True):
        assert np.array_equal(a.cam_from_world.R, b.cam_from_world.R)
        assert np.array_equal(a.cam_from_world.t, b.cam_from_world.t)


def seen_in_one_place(walker, seed):
    """Return what a walker gives who is seen for a second by a detector that errs alike in every frame."""
    true, detections, time_s, _ = walker(4, 60, every=1, noise_px=1.0)
    keypoints = detections.keypoints.copy()
    keypoints[..., :2] += np.random.default_rng(seed).normal(0, 6, (*keypoints.shape[1:4], 2))
    options = RefineOptions(most_blocks=1)
    return refine_from_people(true, replace(detections, keypoints=keypoints), time_s, options=options)


@pytest.mark.parametrize(("seed", "doubted"), [(9, "90 +- 51 mm at a significance of 1.05"), (13, "303 +- 60 at 0.5")])
def test_words_are_those_that_a_reader_of_the_numbers_would_use(walker, seed, doubted):
    """Nothing was moved. Where only one of significance and standard errors says so, the word is `perhaps`."""
    found = seen_in_one_place(walker, seed)
    for row in found.moves:
        shown = row.moved_mm > 3 * row.moved_sigma_mm or row.turned_deg > 3 * row.turned_sigma_deg
        assert row.verdict == ("perhaps" if shown != (row.significance > 1) else "stayed"), row
    assert any(row.verdict == "perhaps" for row in found.moves), doubted
    assert found.bumped == ()
    said = "no camera can be named" if found.rig.cameras != found.old.cameras else "the rig stays as it was"
    assert any(said in line and "perhaps cam0" in line for line in found.warnings)


def test_no_camera_is_certain_only_because_the_others_were_laid_by_it(walker):
    """The least sum of moves pins cam01 here: its error was 1.8 mm in that world, that of cam02 113 mm."""
    sigma = np.array([row.moved_sigma_mm for row in seen_in_one_place(walker, 13).moves])
    assert sigma.min() > 0.4 * sigma.max()
    assert sigma.max() < 80
