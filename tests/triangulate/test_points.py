import warnings
from dataclasses import replace

import cv2
import numba
import numpy as np
import pytest

from triskel import Camera, Rig, Rigid
from triskel.keypoints import Missing
from triskel.projection import project_rig, undistort
from triskel.triangulate import TriangulateOptions, triangulate_dlt, triangulate_points


@pytest.mark.parametrize("model", ["pinhole", "fisheye"])
@pytest.mark.parametrize("n", [2, 4, 10])
def test_noise_free_points_are_recovered_exactly(ring, points_inside, model, n):
    rig, X = ring(n, model=model), points_inside(30, 5)
    found = triangulate_points(rig, project_rig(rig, X))
    np.testing.assert_allclose(found.X, X, rtol=0, atol=1e-6)
    np.testing.assert_allclose(found.reproj_px, 0, rtol=0, atol=1e-4)
    np.testing.assert_allclose(triangulate_dlt(rig, project_rig(rig, X)), X, rtol=0, atol=1e-6)
    assert found.views.all()


def test_dlt_of_two_views_equals_opencv_on_undistorted_points(ring, points_inside):
    """Both are linear, yet weigh rows differently: they agree to the order of the noise squared, here 1e-9 m."""
    rig, X = ring(2), points_inside(50)
    xy = project_rig(rig, X) + np.random.default_rng(1).normal(0, 1e-3, (2, 50, 2))
    ideal = [undistort(camera, points).T for camera, points in zip(rig, xy, strict=True)]
    x = cv2.triangulatePoints(rig.cameras[0].P, rig.cameras[1].P, *ideal)
    np.testing.assert_allclose(triangulate_dlt(rig, xy), (x[:3] / x[3]).T, rtol=0, atol=1e-6)


def test_a_point_seen_once_is_missing(ring, points_inside):
    rig, X = ring(3), points_inside(4)
    xy = project_rig(rig, X)
    xy[1:, 2] = np.nan
    found = triangulate_points(rig, xy)
    assert np.isnan(found.X[2]).all()
    assert (found.score[2], found.n_views[2]) == (0, 0)
    assert np.isnan([found.reproj_px[2], *found.sigma_mm[2]]).all()
    np.testing.assert_allclose(found.X[[0, 1, 3]], X[[0, 1, 3]], rtol=0, atol=1e-6)
    assert np.isnan(triangulate_dlt(rig, xy)[2]).all()


def test_a_view_of_too_low_score_does_not_count(ring, points_inside):
    rig, X = ring(2), points_inside(2)
    found = triangulate_points(rig, project_rig(rig, X), [[0.9, 0.9], [0.9, 0.04]])
    assert np.isfinite(found.X[0]).all()
    assert np.isnan(found.X[1]).all()


def side_by_side(**second):
    K = np.array([[900.0, 0, 640], [0, 900, 512], [0, 0, 1]])
    first = Camera(name="a", size_wh=(1280, 1024), K=K)
    pose = {"cam_from_world": Rigid(np.eye(3), [-1.0, 0, 0])}
    return Rig((first, first.replace(name="b", **(pose | second))))


def test_parallel_rays_meet_nowhere():
    rig = side_by_side()
    xy = np.array([[[640.0, 512], [700, 500]]] * 2)
    assert np.isnan(triangulate_points(rig, xy).X).all()
    assert np.isnan(triangulate_dlt(rig, xy)).all()


def test_rays_that_meet_behind_the_cameras_give_nothing():
    """The left camera looks left of the axis and the right one right: the lines cross at z = -9 m."""
    rig = side_by_side()
    found = triangulate_points(rig, np.array([[[590.0, 512]], [[690.0, 512]]]))
    assert np.isnan(found.X).all()
    in_front = triangulate_points(rig, np.array([[[690.0, 512]], [[590.0, 512]]]))
    np.testing.assert_allclose(in_front.X[0], [0.5, 0, 9], rtol=0, atol=1e-6)


def test_an_outlier_of_100_px_is_rejected_and_left_out_of_the_views(ring, points_inside):
    rig, X = ring(5), points_inside(200)
    xy = project_rig(rig, X) + np.random.default_rng(2).normal(0, 0.5, (5, 200, 2))
    wrong = np.arange(200) % 5
    angle = np.random.default_rng(3).uniform(0, 2 * np.pi, 200)
    xy[wrong, np.arange(200)] += 100 * np.c_[np.cos(angle), np.sin(angle)]
    found = triangulate_points(rig, xy)
    assert not found.views[np.arange(200), wrong].any()
    np.testing.assert_array_equal(found.n_views, 4)
    assert np.linalg.norm(found.X - X, axis=-1).max() < 0.01


def test_scores_pull_the_point_towards_the_surer_views(ring, points_inside):
    rig, X = ring(4), points_inside(300)
    noise = np.array([0.2, 0.2, 3.0, 3.0])[:, None, None]
    xy = project_rig(rig, X) + np.random.default_rng(4).normal(0, 1, (4, 300, 2)) * noise
    surer = np.repeat([[1.0], [1.0], [0.1], [0.1]], 300, axis=1)
    options = TriangulateOptions(max_reproj_px=30)
    even, weighed = (
        np.linalg.norm(triangulate_points(rig, xy, score, options=options).X - X, axis=-1).mean()
        for score in (None, surer)
    )
    assert weighed < 0.6 * even
    dlt = [np.linalg.norm(triangulate_dlt(rig, xy, score) - X, axis=-1).mean() for score in (None, surer)]
    assert dlt[1] < 0.6 * dlt[0]


def test_the_score_of_a_point_is_the_mean_of_the_views_used(ring, points_inside):
    rig, X = ring(4), points_inside(1)
    xy = project_rig(rig, X)
    xy[3] += 100
    found = triangulate_points(rig, xy, [[0.9], [0.6], [0.3], [0.8]])
    np.testing.assert_allclose(found.score, 0.6, rtol=0, atol=1e-12)


def test_permuting_the_cameras_permutes_the_views_only(ring, points_inside):
    rig, X = ring(5), points_inside(100)
    rng = np.random.default_rng(5)
    xy = project_rig(rig, X) + rng.normal(0, 1, (5, 100, 2))
    xy[rng.random((5, 100)) < 0.1] += 80
    score = rng.uniform(0.3, 1, (5, 100))
    order = [3, 0, 4, 2, 1]
    shuffled = Rig(tuple(rig.cameras[i] for i in order))
    one, other = triangulate_points(rig, xy, score), triangulate_points(shuffled, xy[order], score[order])
    np.testing.assert_array_equal(other.views, one.views[:, order])
    for name in ("X", "score", "reproj_px"):
        np.testing.assert_allclose(getattr(other, name), getattr(one, name), rtol=0, atol=1e-6, err_msg=name)


def test_moving_the_world_moves_the_points_with_it(ring, points_inside):
    rig, X = ring(4), points_inside(50)
    xy = project_rig(rig, X) + np.random.default_rng(6).normal(0, 1, (4, 50, 2))
    new_from_old = Rigid.from_rotvec([0.3, 1.0, -0.4], [5.0, -2, 1])
    moved = Rig(tuple(c.replace(cam_from_world=c.cam_from_world @ new_from_old.inverse) for c in rig))
    expected = new_from_old.apply(triangulate_points(rig, xy).X)
    np.testing.assert_allclose(triangulate_points(moved, xy).X, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("xy", "score", "words"),
    [
        ((3, 5, 2), None, r"\(4, ..., 2\) for this rig of 4 cameras, got \(3, 5, 2\)"),
        ((4, 5, 3), None, r"got \(4, 5, 3\)"),
        ((4,), None, r"got \(4,\)"),
        ((4, 5, 2), (4, 6), r"score is \(4, 5\) like xy, got \(4, 6\)"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(ring, xy, score, words):
    with pytest.raises(ValueError, match=words):
        triangulate_points(ring(4), np.zeros(xy), None if score is None else np.ones(score))


def test_options_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="least_views is at least 2, got 1"):
        TriangulateOptions(least_views=1)
    with pytest.raises(ValueError, match="max_reproj_px is positive, got 0"):
        TriangulateOptions(max_reproj_px=0)


def test_no_points_give_no_points(ring):
    found = triangulate_points(ring(3), np.zeros((3, 0, 4, 2)))
    assert found.X.shape == (0, 4, 3)
    assert found.views.shape == (0, 4, 3)


@pytest.mark.parametrize("noise_px", [0.5, 6.0])
@pytest.mark.parametrize("n", [2, 3, 6, 12])
def test_errors_are_as_spread_as_their_covariances_say(ring, points_inside, n, noise_px):
    """Whitened by the covariance the errors have unit variance along every axis, whatever the views' weights."""
    rig = ring(n) if n > 2 else ring(5).select(["c0", "c1"])  # two of a ring look at each other
    X = points_inside(6000)
    rng = np.random.default_rng(7)
    xy = project_rig(rig, X) + rng.normal(0, noise_px, (n, 6000, 2))
    found = triangulate_points(rig, xy, rng.uniform(0.2, 1, (n, 6000)))
    there = np.isfinite(found.X[:, 0])
    assert there.mean() > 0.995
    errors_mm = (found.X - X)[there] * 1000
    np.testing.assert_allclose(np.std(errors_mm / found.sigma_mm[there], axis=0), 1, rtol=0, atol=0.08)
    white = np.linalg.solve(np.linalg.cholesky(found.cov_mm2[there].astype(float)), errors_mm[..., None])[..., 0]
    np.testing.assert_allclose(white.T @ white / len(white), np.eye(3), rtol=0, atol=0.16)


def test_a_point_whose_views_agree_less_is_less_certain(ring, points_inside):
    rig, X = ring(6), points_inside(500)
    xy = project_rig(rig, X)
    noise = np.random.default_rng(8).normal(0, 1, xy.shape)
    noise[:, :50] *= 5
    sigma = np.linalg.norm(triangulate_points(rig, xy + noise).sigma_mm, axis=-1)
    assert np.nanmedian(sigma[:50]) > 1.6 * np.nanmedian(sigma[50:])


def test_joints_of_every_kind_say_how_noisy_the_detections_are(ring, points_inside):
    """A frame has 25 joints and a recording any number of frames: one joint that is exact must not stand for all."""
    rig, X = ring(4), points_inside(2000, 25)
    noise = np.random.default_rng(11).normal(0, 4, (4, 2000, 25, 2))
    noise[:, :, 0] /= 100
    found = triangulate_points(rig, project_rig(rig, X) + noise)
    assert found.n_views.mean() > 3.9
    sigmas = (found.X[:, 1:] - X[:, 1:]) * 1000 / found.sigma_mm[:, 1:]
    np.testing.assert_allclose(np.nanstd(sigmas, axis=(0, 1)), 1, rtol=0, atol=0.08)


def test_two_of_three_views_are_believed_only_if_they_agree_closely_and_two_of_five_never(ring, points_inside):
    rig, X = ring(5), points_inside(400)
    xy = project_rig(rig, X) + np.random.default_rng(12).normal(0, 1, (5, 400, 2))
    xy[2, :] += 150
    three = triangulate_points(rig.select(["c0", "c1", "c2"]), xy[:3], options=TriangulateOptions(max_reproj_px=6))
    assert (three.n_views == 2).mean() > 0.9
    xy[3] -= (200, 60)
    xy[4] += (-80, 170)
    five = triangulate_points(rig, xy, options=TriangulateOptions(max_reproj_px=6))
    assert (five.n_views != 2).all()
    assert (five.missing == Missing.DISAGREE).mean() > 0.8


def test_what_is_missing_says_why(ring, points_inside):
    rig, X = ring(3), points_inside(5)
    xy = project_rig(rig, X)
    xy[1:, 1] = np.nan
    xy[:, 2] += [[0, 0], [0, 300], [0, -300]]
    found = triangulate_points(rig, xy, options=TriangulateOptions(max_reproj_px=10))
    assert found.missing.tolist() == [Missing.FOUND, Missing.FEW_VIEWS, Missing.DISAGREE, Missing.FOUND, Missing.FOUND]
    assert np.isnan(found.X[[1, 2]]).all()
    assert np.isnan(found.cov_mm2[[1, 2]]).all()


def looking_along_y(gap_m, *, turned_deg=0.0):
    """Return two cameras that look along +y, `gap_m` apart, the second turned outwards."""
    K = np.array([[1000.0, 0, 640], [0, 1000, 512], [0, 0, 1]])
    made = []
    for i, (x, angle) in enumerate([(0.0, 0.0), (gap_m, np.deg2rad(turned_deg))]):
        forward = np.array([np.sin(angle), np.cos(angle), 0])
        R = np.stack([np.cross(forward, [0, 0, 1]), [0, 0, -1], forward])
        pose = Rigid(R, -R @ np.array([x, 0, 1.5]))
        made.append(Camera(name=f"c{i}", size_wh=(1280, 1024), K=K, cam_from_world=pose))
    return Rig(tuple(made))


def test_rays_that_meet_behind_the_cameras_give_no_point():
    found = triangulate_points(looking_along_y(1.0, turned_deg=20), np.full((2, 4, 2), (640.0, 512.0)))
    assert (found.missing == Missing.BEHIND).all()
    assert np.isnan(found.X).all()


def test_parallel_rays_give_no_point():
    found = triangulate_points(looking_along_y(1.0), np.full((2, 4, 2), (640.0, 512.0)))
    assert (found.missing == Missing.PARALLEL).all()
    assert np.isnan(found.X).all()


def test_a_distance_that_is_a_guess_is_no_result():
    """Seen from two cameras 30 cm apart, 5 px of noise are 3 cm at 2 m, and 0.7 m at 10 m."""
    rig = looking_along_y(0.3)
    X = np.array([[0.1, 2.0, 1.5], [0.1, 10.0, 1.5]])
    xy = project_rig(rig, np.repeat(X, 500, axis=0)) + np.random.default_rng(3).normal(0, 5, (2, 1000, 2))
    missing = triangulate_points(rig, xy).missing.reshape(2, 500)
    assert (missing[0] == Missing.FOUND).mean() > 0.95
    assert (missing[1] == Missing.PARALLEL).mean() > 0.95


def test_two_cameras_that_look_at_each_other_know_nothing_on_the_line_between_them(ring):
    facing = ring(4).select(["c0", "c2"])
    middle = 0.5 * sum(camera.centre for camera in facing)
    aside = middle + np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.8]])
    found = triangulate_points(facing, project_rig(facing, aside))
    assert found.missing.tolist() == [Missing.PARALLEL, Missing.FOUND]
    np.testing.assert_allclose(found.X[1], aside[1], rtol=0, atol=1e-6)


def test_one_camera_gives_nothing(ring, points_inside):
    rig = ring(4).select(["c1"])
    found = triangulate_points(rig, project_rig(rig, points_inside(6)))
    assert (found.missing == Missing.FEW_VIEWS).all()


def test_nothing_seen_is_nothing_found_and_no_warning(ring):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = triangulate_points(ring(4), np.full((4, 5, 3, 2), np.nan))
    assert (found.missing == Missing.FEW_VIEWS).all()
    assert not found.views.any()


def test_cameras_of_different_size_work_together(ring, points_inside):
    rig, X = ring(4), points_inside(40)
    scaled = [
        replace(camera, K=np.diag([s, s, 1]) @ camera.K, size_wh=(int(1280 * s), int(1024 * s)))
        for camera, s in zip(rig, (1, 0.25, 2, 0.5), strict=True)
    ]
    mixed = Rig(tuple(scaled))
    found = triangulate_points(mixed, project_rig(mixed, X))
    np.testing.assert_allclose(found.X, X, rtol=0, atol=1e-6)


def test_threads_do_not_change_the_result(ring, points_inside):
    rig, X = ring(5), points_inside(3000)
    rng = np.random.default_rng(9)
    xy = project_rig(rig, X) + rng.normal(0, 2, (5, 3000, 2))
    score = rng.uniform(0, 1, (5, 3000))
    many = triangulate_points(rig, xy, score)
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        one = triangulate_points(rig, xy, score)
    finally:
        numba.set_num_threads(before)
    for a, b in zip(many, one, strict=True):
        np.testing.assert_array_equal(a, b)


def test_many_views_find_the_truth_though_half_of_them_are_wrong(ring, points_inside):
    """Only some pairs of 24 views are tried; a third of them is of two true ones."""
    rig, X = ring(24), points_inside(300)
    xy = project_rig(rig, X)
    rng = np.random.default_rng(10)
    for p in range(300):
        wrong = rng.choice(24, 12, replace=False)
        xy[wrong, p] += rng.uniform(50, 300, (12, 2)) * rng.choice([-1, 1], (12, 2))
    found = triangulate_points(rig, xy, options=TriangulateOptions(max_reproj_px=6))
    assert (np.linalg.norm(found.X - X, axis=-1) < 1e-3).all()


def test_scores_that_are_no_scores_neither_win_nor_lose_a_point(ring, points_inside):
    rig, X = ring(4), points_inside(20)
    score = np.ones((4, 20))
    score[0], score[1] = np.inf, 5.0
    found = triangulate_points(rig, project_rig(rig, X), score)
    np.testing.assert_allclose(found.X, X, rtol=0, atol=1e-6)
    assert not found.views[:, 0].any()
    assert (found.score == 1).all()
