import numpy as np

from triskel.calibration.report import gather_numbers
from triskel.calibration.report.advice import systematic_px
from triskel.projection import project


def test_errors_of_each_camera_are_those_of_the_corners_projected_anew(recording):
    calibration = recording.calibration
    numbers = gather_numbers(calibration=calibration, boards=[recording.board])
    errors = []
    for s, pose in calibration.world_from_board.items():
        view = recording.shots[s].get("cam02")
        if view is not None:
            seen = project(calibration.rig["cam02"], pose.apply(recording.board.corners[view.ids]))
            errors.append(np.linalg.norm(view.xy - seen, axis=1))
    errors = np.concatenate(errors)
    camera = numbers.cameras[1]
    assert camera.n_corners + camera.n_left_out == len(errors)
    assert camera.n_left_out <= 0.01 * len(errors)
    np.testing.assert_allclose(camera.median_px, np.median(errors), rtol=0.02)
    np.testing.assert_allclose(camera.p95_px, np.percentile(errors, 95), rtol=0.03)
    np.testing.assert_allclose(numbers.rms_px, calibration.rms_px, rtol=1e-6)
    assert camera.n_views == calibration.camera_views["cam02"]


def test_lens_views_give_the_coverage_and_rig_shots_the_errors(recording, numbers):
    with_lens = gather_numbers(calibration=recording.calibration, intrinsics=recording.intrinsics).cameras[0]
    without = numbers.cameras[0]
    assert with_lens.coverage.counts.sum() > without.coverage.counts.sum() == without.n_corners
    assert with_lens.rms_px == without.rms_px
    assert without.lens is None
    assert with_lens.lens.focal_px[0] == recording.intrinsics["cam01"].camera.K[0, 0]
    assert sum(one.chosen for one in with_lens.lens.scores) == 1


def test_lenses_alone_have_no_rig(recording):
    numbers = gather_numbers(intrinsics=recording.intrinsics)
    assert not numbers.has_rig
    assert numbers.volume is None
    assert numbers.plan is None
    assert [c.n_views for c in numbers.cameras] == [one.n_views for one in recording.intrinsics.values()]
    assert np.isnan(numbers.cameras[0].centre_m).all()


def test_cameras_with_a_lens_only_come_after_those_of_the_rig(recording):
    lens = recording.intrinsics["cam01"]
    other = lens._replace(camera=lens.camera.replace(name="spare"))
    numbers = gather_numbers(calibration=recording.calibration, intrinsics={"spare": other})
    assert [c.name for c in numbers.cameras] == ["cam01", "cam02", "cam03", "cam04", "spare"]
    assert np.isnan(numbers.cameras[4].centre_sigma_mm).all()


def test_held_out_distances_that_are_not_known_do_not_count(recording):
    held = recording.held_out
    error = held.distance_error_mm.copy()
    error[::2] = np.nan
    numbers = gather_numbers(calibration=recording.calibration, held_out=held._replace(distance_error_mm=error))
    np.testing.assert_allclose(numbers.held_out.median_mm, np.median(np.abs(error[1::2])))
    assert len(numbers.held_out.error_mm) == len(error) // 2
    nothing = held._replace(distance_error_mm=np.full_like(error, np.nan))
    assert gather_numbers(calibration=recording.calibration, held_out=nothing).held_out is None


def test_noise_averages_out_over_a_board_and_a_wrong_scale_does_not(recording, numbers):
    held = recording.held_out
    fine = numbers.held_out
    scaled = held._replace(distance_error_mm=held.distance_error_mm + 0.01 * held.distance_mm)
    wrong = gather_numbers(calibration=recording.calibration, held_out=scaled).held_out
    assert fine.board_percent < 0.3 * fine.median_percent
    np.testing.assert_allclose(wrong.board_percent, 1.0, atol=0.1)
    np.testing.assert_allclose(wrong.mean_mm - fine.mean_mm, 0.8, atol=1e-9)


def test_the_volume_is_seen_from_above_over_a_floor(recording, numbers):
    assert numbers.plan.is_world
    assert [one.height_m for one in numbers.volume.slices] == [0.1, 1.0, 1.8]
    # The middle of the rig was moved through between 0.6 and 1.6 m, and one board lay on the floor.
    assert abs(numbers.volume.board_low_m) < 0.01
    assert 1.4 < numbers.volume.board_high_m < 1.7
    assert 0 < numbers.volume.typical_mm < 0.1 * numbers.volume.detector_mm
    X = np.array(
        [one.apply(recording.board.corners.mean(axis=0)) for one in recording.calibration.world_from_board.values()]
    )
    expected = recording.calibration.uncertainty.point_sigma_mm(X)
    np.testing.assert_allclose(numbers.volume.typical_mm, np.sqrt(np.nanmean(expected**2)), rtol=1e-9)


def test_noise_has_no_direction(numbers):
    assert max(systematic_px(c) for c in numbers.cameras) < 0.08


def test_the_share_of_the_image_seen_is_the_one_by_which_the_lens_was_judged(recording):
    for camera in gather_numbers(calibration=recording.calibration, intrinsics=recording.intrinsics).cameras:
        assert camera.coverage.seen_share == recording.intrinsics[camera.name].coverage.image_share
        assert camera.coverage.counts.shape == recording.intrinsics[camera.name].coverage.counts.shape
