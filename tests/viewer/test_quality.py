import json

import cv2
import numpy as np
import pytest

from triskel import Motion3D, Rig
from triskel.keypoints import Missing, missing_points
from triskel.motion import Detections2D
from triskel.projection import project_rig
from triskel.skeleton import WHOLE_BODY_135, get_skeleton
from triskel.triangulate import triangulate_points
from triskel.viewer import quality, quality_plots, quality_text, report, summary, verdict, view
from triskel.viewer.camera_quality import leave_one_out
from triskel.viewer.joint_rows import joint_rows

BODY = get_skeleton("body_25")
FPS = 50.0


def make_rig(C=5):
    angles = 2 * np.pi * np.arange(C) / C + 0.3
    eyes = np.c_[4 * np.cos(angles), 4 * np.sin(angles), 1.6 + 0.3 * np.cos(3 * angles)]
    cameras = [view.camera_at(eye, np.array((0, 0, 1.0)) - eye, (1280, 960)) for eye in eyes]
    return Rig(tuple(camera.replace(name=f"cam{i + 1:02d}") for i, camera in enumerate(cameras)))


def make_positions(F, N=1, J=25, seed=0, rate=FPS):
    """People that walk to and fro at up to 1.5 m/s, whose limbs keep their length."""
    rng = np.random.default_rng(seed)
    body = rng.uniform((-0.3, -0.2, 0.1), (0.3, 0.2, 1.8), (J, 3))
    time_s = np.arange(F) / rate
    path = np.stack([0.5 * np.sin(3 * time_s), 0.4 * np.sin(2 * time_s + 1), 0.05 * np.sin(9 * time_s)], axis=-1)
    return path[:, None, None] + body + np.array([0, 0.7, 0]) * np.arange(N)[:, None, None]


def see(rig, X, *, noise_px=0.0, seed=1):
    """Return (F, C, N, J, 3) what perfect detectors with some noise see."""
    xy = np.moveaxis(project_rig(rig, X), 0, 1)
    xy = xy + np.random.default_rng(seed).normal(0, noise_px, xy.shape)
    return np.concatenate([xy, np.ones((*xy.shape[:-1], 1))], axis=-1)


def make_motion(rig, observed, skeleton=BODY):
    xy, score = np.moveaxis(observed[..., :2], 1, 0), np.moveaxis(observed[..., 2], 1, 0)
    points = triangulate_points(rig, np.ascontiguousarray(xy), np.ascontiguousarray(score))
    F, N, J = points.score.shape
    gap = np.zeros((F, N, J), bool)
    return Motion3D(skeleton, tuple(rig.names), np.arange(F) / FPS, np.arange(N), points, gap)


def forget(observed, *where):
    observed[where] = np.nan, np.nan, 0


def measure(rig, observed, motion=None, raw=None, **more):
    raw = make_motion(rig, observed) if raw is None else raw
    motion = raw if motion is None else motion
    return quality.measure_quality(motion, raw, rig, observed=observed, triangulate=triangulate_points, **more)


def test_perfect_data_raises_no_doubt():
    rig = make_rig()
    got = measure(rig, see(rig, make_positions(40), noise_px=0.5))
    assert verdict.camera_doubts(got) == []
    assert [person[:7] for person in got.people] == [(0, 0, 39, 100, 100, 100, 0)]
    assert got.people[0].sigma_mm < 5
    assert all(one.views_percent == (0, 0, 0, 0, 0, 100) for one in got.joints)
    assert got.nobody == ()


def test_views_and_reasons_of_each_joint_add_up_to_all_samples():
    rig, C = make_rig(), 5
    observed = see(rig, make_positions(20))
    forget(observed, slice(0, 5), slice(1, 5), 0, 3)  # 5 of 20 frames: one camera left
    forget(observed, slice(5, 15), slice(2, 5), 0, 3)  # 10 of 20 frames: two left
    forget(observed, slice(None), slice(None), 0, 7)
    got = measure(rig, observed)
    assert got.joints[3].views_percent == (25, 0, 50, 0, 0, 25)
    assert got.joints[3].missing_percent[quality.REASONS.index(Missing.FEW_VIEWS)] == 25
    assert got.joints[7].views_percent[0] == 100
    assert [one.joint for one in got.joints if not one.detected] == [BODY.joints[7]]
    for one in got.joints:
        assert len(one.views_percent) == C + 1
        assert sum(one.views_percent) == pytest.approx(100)
        assert sum(one.missing_percent) == pytest.approx(one.views_percent[0])
    assert "no camera ever detected LWrist" in " ".join(verdict.verdict(got)).replace("No", "no")


def test_a_known_offset_of_one_camera_is_found_with_its_direction_in_every_joint():
    rig = make_rig()
    truth = make_positions(30)
    observed = see(rig, truth, noise_px=0.3)
    raw = make_motion(rig, observed)
    observed[:, 2, ..., 0] += 3
    observed[:, 2, ..., 1] -= 4
    got = measure(rig, observed, raw=raw)
    np.testing.assert_allclose(got.reprojection.bias_px[2], np.tile((3, -4), (25, 1)), atol=0.4)
    np.testing.assert_allclose(got.reprojection.median_px[2], 5, atol=0.5)
    assert (got.reprojection.points == 30).all()
    assert got.cameras[2].bias_x_px == pytest.approx(3, abs=0.1)
    assert got.cameras[2].others_px < 0.5


@pytest.mark.parametrize("C", [3, 4, 8])
def test_a_camera_that_was_turned_is_named_and_no_other(C):
    rig = make_rig(C)
    observed = see(rig, make_positions(60), noise_px=0.5)
    observed[:, 1, ..., 1] += 30
    got = measure(rig, observed)
    doubts = verdict.camera_doubts(got)
    assert [doubt.split()[1] for doubt in doubts] == ["cam02"]
    assert "calibrate it again" in doubts[0]
    assert got.cameras[1].left_out_px == pytest.approx(30, abs=1.5)
    assert got.cameras[1].others_without_px < 1
    assert "cam02 disagrees" in " ".join(verdict.verdict(got))


@pytest.mark.parametrize(("frames", "C"), [(2.0, 5), (-1.0, 4), (0.3, 5)])
def test_a_late_camera_is_found_with_the_time_it_is_late(frames, C):
    rig = make_rig(C)
    step = 10  # the scene at ten times the rate, so that a lag can be a part of a frame
    fine = make_positions(3000, rate=10 * FPS)
    seen = see(rig, fine, noise_px=1.0)
    at = np.arange(300, 2400, step)
    observed = seen[at].copy()
    observed[:, 2] = seen[at + round(step * frames), 2]
    got = measure(rig, observed)
    late = got.cameras[2]
    assert late.lag_frames == pytest.approx(frames, abs=0.12)
    assert late.lag_ms == pytest.approx(1000 * late.lag_frames / FPS)
    others = [one.lag_frames for one in got.cameras if one is not late]
    np.testing.assert_allclose(others, 0, atol=0.12)
    assert [verdict.is_late(one) for one in got.cameras] == [abs(frames) > 0.5 and one is late for one in got.cameras]


def test_the_standard_error_of_a_lag_is_that_of_repeated_measurements():
    rig, X = make_rig(3), make_positions(40)
    lags, sigmas = [], []
    for seed in range(16):
        observed = see(rig, X, noise_px=2.0, seed=seed)
        motion = make_motion(rig, observed)
        got = leave_one_out(motion, motion, rig, observed=observed, triangulate=triangulate_points)
        lags.append(got.lag_s[0])
        sigmas.append(got.lag_sigma_s[0])
    assert np.median(sigmas) == pytest.approx(np.std(lags), rel=0.5)


def test_two_cameras_are_reported_without_leaving_one_out():
    rig = make_rig(2)
    got = measure(rig, see(rig, make_positions(20), noise_px=0.5))
    assert all(np.isnan(one.left_out_px) and np.isnan(one.lag_ms) for one in got.cameras)
    assert got.cameras[0].median_px < 1
    assert "–" in quality_text.quality_text(got)  # noqa: RUF001 - the dash for what is not known


def test_frames_without_anybody_say_who_saw_people_there():
    rig = make_rig(3)
    observed = see(rig, make_positions(30))
    seen = observed.copy()
    forget(observed, slice(0, 12))
    forget(seen, slice(0, 4))
    forget(seen, slice(4, 9), slice(1, 3))
    forget(observed, slice(20, 21))
    got = measure(rig, observed, detections=Detections2D(BODY, tuple(rig.names), seen))
    assert [one[:5] for one in got.nobody] == [(0, 11, 4, 5, 3), (20, 20, 0, 0, 1)]
    assert got.nobody[0].camera == "cam01"
    assert got.empty_frames == 13
    assert verdict.why(got.nobody[0]).count(" in ") == 3
    assert "only cam01 detected somebody" in verdict.why(got.nobody[0])
    assert got.people[0][:4] == (0, 12, 29, pytest.approx(100 * 17 / 18))


def test_limbs_have_their_length_their_spread_and_the_difference_of_the_sides():
    rig = make_rig()
    X = make_positions(40)
    at = BODY.index
    X[..., at("LElbow"), :] = X[..., at("LShoulder"), :] + (0.33, 0, 0)
    X[..., at("RElbow"), :] = X[..., at("RShoulder"), :] + (0.30, 0, 0)
    wobble = np.where(np.arange(40) % 2, 0.01, -0.01)
    raw = make_motion(rig, see(rig, X))
    raw.points.X[:, 0, at("LElbow"), 0] += wobble
    motion = make_motion(rig, see(rig, X))
    got = measure(rig, see(rig, X), motion=motion, raw=raw)
    limbs = {one.limb: one for one in got.limbs}
    left, right = limbs["LShoulder-LElbow"], limbs["RShoulder-RElbow"]
    assert left.mean_cm == pytest.approx(33, abs=1e-3)
    assert left.variation_percent == pytest.approx(0, abs=1e-3)
    assert left.raw_variation_percent == pytest.approx(100 / 33, rel=1e-3)
    assert left.side_percent == right.side_percent == pytest.approx(100 * 0.03 / 0.315, abs=0.01)
    assert np.isnan(limbs["Neck-MidHip"].side_percent)


def test_filled_gaps_are_counted_and_drawn_apart_from_what_was_found():
    rig = make_rig()
    observed = see(rig, make_positions(20))
    motion = make_motion(rig, observed)
    forget(observed, slice(8, 12), slice(None), 0, slice(0, 5))
    raw = make_motion(rig, observed)
    motion.gap[8:12, 0, :5] = True
    got = measure(rig, observed, motion=motion, raw=raw)
    assert got.people[0].found_percent == pytest.approx(96)
    assert got.people[0].final_percent == 100
    assert got.people[0].gap_percent == pytest.approx(4)
    assert [one.filled_percent for one in got.joints[:6]] == [20] * 5 + [0]
    np.testing.assert_allclose(got.timeline.filled[0, 8:12], 0.2)
    assert got.timeline.filled.sum() == pytest.approx(0.8)
    np.testing.assert_allclose(got.timeline.found[0, 8:12], 0.8)


def test_a_long_recording_is_drawn_in_few_columns_that_keep_the_mean():
    rig = make_rig(2)
    shape = (3001, 1, 25)
    points = missing_points(shape, 2)
    points.X[1000:2000] = 0.0
    raw = Motion3D(BODY, tuple(rig.names), np.arange(3001) / FPS, np.array([4]), points, np.zeros(shape, bool))
    got = measure(rig, np.full((3001, 2, 1, 25, 3), np.nan), raw=raw)
    line = got.timeline
    assert line.found.shape == (1, quality.TIMELINE_COLUMNS)
    assert line.edges[-1] == 3001
    assert np.nansum(line.found[0] * np.diff(np.r_[line.edges[:-1].astype(int), 3001])) == pytest.approx(1000)
    assert got.people[0].first == 1000


def test_hands_and_face_are_a_row_each():
    rows = joint_rows(WHOLE_BODY_135)
    assert rows.names[25:] == ("left hand", "right hand", "face")
    assert [len(rows.joints(row)) for row in range(28)] == [1] * 25 + [20, 20, 70]
    rig = make_rig(3)
    observed = see(rig, make_positions(6, J=135))
    forget(observed, slice(0, 3), slice(None), 0, slice(25, 35))
    raw = make_motion(rig, observed, WHOLE_BODY_135)
    got = measure(rig, observed, raw=raw)
    assert got.joints[25].views_percent == (25, 0, 0, 75)
    assert got.people[0].found_percent == 100


def test_nobody_at_all_still_makes_a_report_that_says_so(tmp_path):
    rig = make_rig(3)
    for F in (0, 10):
        shape = (F, 0, 25)
        gap = np.zeros(shape, bool)
        raw = Motion3D(BODY, tuple(rig.names), np.arange(F) / FPS, np.zeros(0, int), missing_points(shape, 3), gap)
        observed = np.zeros((F, 3, 0, 25, 3))
        seen = Detections2D(BODY, tuple(rig.names), np.zeros((F, 3, 0, 25, 3)))
        got = measure(rig, observed, raw=raw, detections=seen)
        assert verdict.verdict(got)[0] == f"Nobody was found in 3D in {F} frames."
        assert quality_plots.write_quality_plots(got, tmp_path) == []
        numbers = summary.summarise(raw, rig, observed=observed, stage_seconds={})
        page = report.write_report(tmp_path, numbers, title="empty", quality=got).read_text()
        assert "Nobody was found in 3D" in page
        assert ("No camera detected anybody" in page) == (F > 0)
        json.dumps(quality_text.quality_json(got), allow_nan=False)


def test_page_text_and_json_hold_the_same_numbers(tmp_path):
    rig = make_rig(4)
    observed = see(rig, make_positions(20, N=2), noise_px=1.0)
    forget(observed, slice(0, 5), slice(None), 1)
    raw = make_motion(rig, observed)
    got = measure(rig, observed, raw=raw)
    plots = quality_plots.write_quality_plots(got, tmp_path)
    numbers = summary.summarise(raw, rig, observed=observed, stage_seconds={}, warnings=["a < b"])
    page = report.write_report(tmp_path, numbers, title="T & U", quality=got, plots=plots).read_text()
    text = (tmp_path / "summary.txt").read_text()
    data = json.loads(json.dumps(quality_text.quality_json(got), allow_nan=False))
    for sentence in data["verdict"]:
        assert sentence.replace("'", "&#39;") in page
        assert sentence in text
    cell = f"{data['cameras'][2]['left_out_px']:.1f}"
    assert f"<td>{cell}</td>" in page
    assert cell in next(line for line in text.splitlines() if line.startswith("cam03"))
    assert data["people"][1]["first"] == 5
    assert "<td>5–19</td>" in page  # noqa: RUF001 - the dash of a range
    error = data["reprojection"]["by_camera"]["cam02"]["RKnee"]
    assert error["points"] == 35
    assert 0 < error["median_px"] < error["p95_px"]
    assert page.count("data:image/png;base64,") == 4
    assert "T &amp; U" in page
    assert "a &lt; b" in page
    assert "http" not in page


def test_a_rig_whose_cameras_are_all_off_is_told_apart_from_noisy_detections():
    rig, X = make_rig(4), make_positions(40)
    noisy = see(rig, X, noise_px=12.0)
    aside = see(rig, X, noise_px=0.5)
    aside[..., 0] += np.array([-14, 13, -12, 14])[:, None, None]
    aside[..., 1] += np.array([14, 12, -14, -13])[:, None, None]
    got = measure(rig, aside)
    assert verdict.is_miscalibrated(got)
    assert "calibrate the rig again" in verdict.camera_doubts(got)[0]
    assert "do NOT agree well" in " ".join(verdict.verdict(got))
    assert not verdict.is_miscalibrated(measure(rig, noisy))


def test_pictures_draw_the_numbers():
    rig = make_rig(4)
    observed = see(rig, make_positions(20), noise_px=0.4)
    raw = make_motion(rig, observed)
    observed[:, 1, ..., 1] += 3  # one camera sees all 3 px lower
    forget(observed, slice(0, 5), slice(None), 0, 3)
    raw = raw.__class__(*(getattr(raw, name) for name in ("skeleton", "cameras", "time_s", "ids")), raw.points.without(
        np.arange(25) == np.where(np.arange(20) < 5, 3, -1)[:, None, None], Missing.FEW_VIEWS), raw.gap)  # fmt: skip
    got = measure(rig, observed, raw=raw)
    top, bottom = quality_plots.draw_errors(got).axes[:2]
    assert [text.get_text() for text in top.texts[25:50]] == [f"{px:.1f}" for px in got.reprojection.median_px[1]]
    arrows = bottom.collections[0]
    down = arrows.V.reshape(4, 25)[1]
    assert (down < -0.8).all()  # as long as a cell, and downward on the screen
    left, right = quality_plots.draw_joints(got).axes[:2]
    ends = [
        max(bar.get_x() + bar.get_width() for bar in left.patches if round(bar.get_y() + 0.41) == row) for row in (2, 3)
    ]
    np.testing.assert_allclose(ends, [100, 75])
    assert max(bar.get_width() for bar in right.patches) == 25
    assert right.get_legend().get_texts()[0].get_text() == "few cameras"
    (people, *_) = quality_plots.draw_people(got).axes
    np.testing.assert_allclose(people.images[0].get_array()[0], [0.96] * 5 + [1.0] * 15)


@pytest.mark.slow
def test_one_frame_of_the_whole_body_in_many_cameras_can_be_drawn(tmp_path):
    rig = make_rig(17)
    observed = see(rig, make_positions(1, J=135))
    got = measure(rig, observed, raw=make_motion(rig, observed, WHOLE_BODY_135))
    paths = [plot.path for plot in quality_plots.write_quality_plots(got, tmp_path)]
    sizes = [cv2.imread(str(path)).shape for path in paths]
    assert all(width == pytest.approx(quality_plots.WIDTH_IN * quality_plots.DPI, abs=2) for _, width, _ in sizes)
    assert sizes[2][0] > 2 * 17 * 20  # a row a camera, twice
    assert [label for label, _, _ in quality_text.view_bins(17)] == [*"2345678", "9-16", "17"]


def test_of_very_many_people_the_first_are_drawn_and_the_rest_counted():
    rig = make_rig(2)
    got = measure(rig, see(rig, make_positions(3, N=43)))
    (ax, *_) = quality_plots.draw_people(got).axes
    assert len(ax.get_yticklabels()) == quality_plots.MOST_PEOPLE
    assert ax.get_xlabel() == "frame set; 3 more people"


def test_arrays_that_do_not_fit_are_refused():
    rig = make_rig(3)
    observed = see(rig, make_positions(4))
    with pytest.raises(ValueError, match=r"\(4, 3, 1, 25, 3\), got \(4, 1, 25\), \(4, 3, 1, 24, 3\)"):
        measure(rig, observed[:, :, :, 1:], raw=make_motion(rig, observed))
