import cv2
import numpy as np
import pytest

from triskel.calibration import BoardView, calibrate_intrinsics
from triskel.errors import InputError, JobError

FISHEYE = (0.03, -0.01, 0.002, -0.0005)


def chosen(result):
    return next(score.name for score in result.models if score.chosen)


@pytest.mark.parametrize(
    ("model", "dist"),
    [
        ("pinhole0", ()),
        ("pinhole1", (-0.1, 0, 0, 0)),
        ("pinhole4", (-0.1, 0.05, 0.001, -0.0005)),
        ("pinhole5", (-0.1, 0.05, 0.001, -0.0005, 0.01)),
        ("pinhole8", (-0.1, 0.05, 0.001, -0.0005, 0.01, 0.05, -0.02, 0.01)),
    ],
)
def test_every_pinhole_is_recovered_without_noise(lab, model, dist):
    true = lab.camera(dist=dist)
    views = lab.tilted(true, 25, noise_px=0.0)
    result = calibrate_intrinsics(views, lab.board, size_wh=true.size_wh, name="x", model=model)
    assert result.rms_px < 1e-3
    assert lab.lens_error_px(true, result.camera) < 0.02
    np.testing.assert_allclose(result.camera.K, true.K, atol=0.05)
    assert len(result.camera.dist) == len(dist)
    assert (result.n_outliers, result.camera.name, result.warnings) == (0, "x", ())


def test_fisheye_is_recovered_without_noise(lab):
    true = lab.camera(f=300, dist=FISHEYE, model="fisheye", size_wh=(1280, 960))
    views = lab.around(true, 40, noise_px=0.0)
    result = calibrate_intrinsics(views, lab.board, size_wh=true.size_wh, model="fisheye")
    np.testing.assert_allclose(result.camera.K, true.K, atol=0.02)
    np.testing.assert_allclose(result.camera.dist, true.dist, atol=1e-3)
    assert result.rms_px < 1e-3


def test_auto_takes_a_fisheye_for_a_lens_of_180_degrees(lab):
    true = lab.camera(f=300, dist=FISHEYE, model="fisheye", size_wh=(1280, 960))
    result = calibrate_intrinsics(lab.around(true, 60), lab.board, size_wh=true.size_wh)
    assert chosen(result) == result.camera.model == "fisheye"
    np.testing.assert_allclose(result.camera.K, true.K, atol=2)
    pinhole = calibrate_intrinsics(lab.around(true, 60), lab.board, size_wh=true.size_wh, model="pinhole", force=True)
    assert pinhole.camera.model == "pinhole"
    assert pinhole.rms_px > 3 * result.rms_px
    assert any("try another lens model" in warning for warning in pinhole.warnings)


def test_auto_takes_a_rational_lens_only_where_five_coefficients_do_not_do(lab):
    strong = lab.camera(f=520, dist=(2.2, 0.6, 0.0005, -0.0003, 0.02, 2.5, 1.1, 0.1))
    views = lab.tilted(strong, 60, z=(0.4, 1.0), aside=(1.2, 0.65))
    assert chosen(calibrate_intrinsics(views, lab.board, size_wh=strong.size_wh, model="pinhole")) == "pinhole8"
    ordinary = lab.camera()
    views = lab.tilted(ordinary, 30)
    assert chosen(calibrate_intrinsics(views, lab.board, size_wh=ordinary.size_wh)) in ("pinhole4", "pinhole5")


def test_scores_are_of_corners_held_out_and_tell_why(lab):
    true = lab.camera(dist=(-0.2, 0.1, 0, 0, 0))
    result = calibrate_intrinsics(lab.tilted(true, 25), lab.board, size_wh=true.size_wh)
    scores = {score.name: score for score in result.models}
    assert list(scores) == ["pinhole0", "pinhole1", "pinhole4", "pinhole5", "fisheye", "pinhole8"]
    # A pose from half of the corners adds its own error to the noise of 0.3 px in each of two coordinates.
    best = min(score.held_out_px for score in result.models)
    assert 0.3 * np.sqrt(2) < best < 1.25 * 0.3 * np.sqrt(2)
    assert scores["pinhole0"].held_out_px > 2 * best
    assert sum(score.chosen for score in result.models) == 1
    assert all(score.why for score in result.models)


def test_misdetected_corners_and_bad_views_are_left_out(lab):
    true = lab.camera()
    views = lab.tilted(true, 30, seed=3)
    rng = np.random.default_rng(5)
    wrong = 0
    for i, view in enumerate(views):
        bad = np.flatnonzero(rng.random(len(view.ids)) < 0.05)
        angle = rng.uniform(0, 2 * np.pi, len(bad))
        view.xy[bad] += rng.uniform(5, 20, len(bad))[:, None] * np.c_[np.cos(angle), np.sin(angle)]
        wrong += len(bad)
        if i == 4:  # numbered from the wrong end
            views[i] = BoardView(view.ids, view.xy[::-1].copy())
        if i == 9:  # half of the board moved while it was scanned
            views[i] = BoardView(view.ids, view.xy + np.outer(np.linspace(0, 1, len(view.ids)) > 0.5, [20, 8]))
    views = [BoardView(v.ids, np.clip(v.xy, 0, np.array(true.size_wh) - 1.0)) for v in views]
    result = calibrate_intrinsics(views, lab.board, size_wh=true.size_wh)
    assert np.isnan(result.view_rms_px[[4, 9]]).all()
    assert result.n_views == 28
    assert 0.9 * wrong < result.n_outliers < wrong + 2 * 40 + 10
    assert (~result.residuals.kept).sum() == result.n_outliers
    assert result.rms_px == pytest.approx(0.3 * np.sqrt(2), rel=0.1)
    assert lab.lens_error_px(true, result.camera) < 1.0


def test_with_outliers_it_beats_opencv_and_without_it_is_as_good(lab):
    """OpenCV alone has no defence against a wrong corner."""
    true = lab.camera()
    for outliers, factor in ((0.0, 1.1), (0.02, 0.5)):
        views = lab.tilted(true, 30, seed=2)
        rng = np.random.default_rng(0)
        for view in views:
            bad = rng.random(len(view.ids)) < outliers
            view.xy[bad] = np.clip(view.xy[bad] + rng.uniform(-15, 15, (bad.sum(), 2)), 0, (1279, 719))
        X = [lab.board.corners[view.ids].astype(np.float32) for view in views]
        xy = [view.xy.astype(np.float32) for view in views]
        _, K, dist, _, _ = cv2.calibrateCamera(X, xy, true.size_wh, None, None)
        theirs = lab.lens_error_px(true, true.replace(K=K, dist=dist.ravel()))
        result = calibrate_intrinsics(views, lab.board, size_wh=true.size_wh, model="pinhole5")
        assert lab.lens_error_px(true, result.camera) < factor * theirs


def test_residuals_are_observed_minus_projected_in_the_given_order(lab):
    true = lab.camera()
    views = [BoardView.empty(), *lab.tilted(true, 12)]
    views.append(BoardView(np.arange(8), np.tile([1.0, 2.0], (8, 1))))  # one row of the board: a line
    result = calibrate_intrinsics(views, lab.board, size_wh=true.size_wh)
    assert np.isnan(result.view_rms_px[[0, -1]]).all()
    assert result.n_views == 12
    assert np.unique(result.residuals.shot).tolist() == list(range(1, 13))
    third = result.residuals.shot == 3
    np.testing.assert_array_equal(result.residuals.corner[third], views[3].ids)
    np.testing.assert_array_equal(result.residuals.xy[third], views[3].xy)
    rms = np.sqrt((result.residuals.residual_px[third & result.residuals.kept] ** 2).sum(axis=1).mean())
    assert result.view_rms_px[3] == pytest.approx(rms)


def test_the_result_is_the_same_every_time(lab):
    views = lab.tilted(lab.camera(), 15)
    first, second = (calibrate_intrinsics(views, lab.board, size_wh=(1280, 720)) for _ in range(2))
    np.testing.assert_array_equal(first.camera.K, second.camera.K)
    np.testing.assert_array_equal(first.camera.dist, second.camera.dist)


def test_corners_outside_the_image_are_refused(lab):
    views = lab.tilted(lab.camera(), 10)
    with pytest.raises(InputError, match=r"lies outside an image of 640 x 360 px; give the size of the images"):
        calibrate_intrinsics(views, lab.board, size_wh=(640, 360))


def test_a_board_that_is_not_the_one_described_fits_no_lens(lab):
    rng = np.random.default_rng(0)
    views = [BoardView(rng.permutation(view.ids), view.xy) for view in lab.tilted(lab.camera(), 12)]
    with pytest.raises(JobError, match=r"no lens fits the 12 views.*is the board the one described"):
        calibrate_intrinsics(views, lab.board, size_wh=(1280, 720))


@pytest.mark.parametrize(("outlier", "share"), [(0.0, 1.05), (0.05, 0.5)])
def test_on_the_bench_auto_takes_four_or_five_coefficients_and_is_no_worse_than_opencv(
    bench_views, lab, outlier, share
):
    cameras, views = bench_views(n_cameras=3, outlier=outlier)
    ours, theirs = [], []
    for camera, seen in zip(cameras, views, strict=True):
        result = calibrate_intrinsics(seen, lab.board, size_wh=camera.size_wh)
        assert chosen(result) in ("pinhole4", "pinhole5")
        assert np.abs(result.camera.K - camera.K).max() < 5
        usable = [view for view in seen if len(view.ids) >= 8]
        X = [lab.board.corners[view.ids].astype(np.float32) for view in usable]
        _, K, dist, _, _ = cv2.calibrateCamera(X, [v.xy.astype(np.float32) for v in usable], camera.size_wh, None, None)
        ours.append(lab.lens_error_px(camera, result.camera))
        theirs.append(lab.lens_error_px(camera, camera.replace(K=K, dist=dist.ravel())))
    assert np.mean(ours) < share * np.mean(theirs)


def test_on_the_bench_without_close_shots_it_warns_of_the_corners_but_does_not_refuse(bench_views, lab):
    cameras, views = bench_views(n_cameras=2, near=0, outlier=0.01)
    for camera, seen in zip(cameras, views, strict=True):
        result = calibrate_intrinsics(seen, lab.board, size_wh=camera.size_wh)
        assert abs(result.camera.K[0, 0] / camera.K[0, 0] - 1) < 0.02
        assert any("no board came near any of them" in warning for warning in result.warnings)


@pytest.mark.network
@pytest.mark.slow
def test_few_photographs_of_a_chessboard_give_the_focal_length_of_a_laboratory_system():
    """Seven pictures a camera, in some of which the board is not found; the reference is Qualisys' own calibration."""
    from triskel.calibration import Chessboard, load_rig
    from triskel.images import read_image_bgr
    from triskel.samples import get_sample

    board = Chessboard(corners_xy=(4, 7), square_m=0.06)
    pictures, rig = get_sample("lab"), load_rig(get_sample("single") / "Calib.qca.txt")
    for camera in rig:
        images = [
            np.ascontiguousarray(read_image_bgr(path)[..., ::-1])
            for path in sorted((pictures / "intrinsics" / camera.name).glob("*.jpg"))
        ]
        views = [board.detect(image) for image in images]
        size_wh = (images[0].shape[1], images[0].shape[0])
        result = calibrate_intrinsics(views, board, size_wh=size_wh, name=camera.name)
        np.testing.assert_allclose(result.camera.K[[0, 1], [0, 1]], camera.K[[0, 1], [0, 1]], rtol=0.015)
