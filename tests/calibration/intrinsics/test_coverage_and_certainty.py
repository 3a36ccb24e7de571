import numpy as np
import pytest

from triskel.calibration import calibrate_intrinsics

SIZE = (1280, 720)


def test_coverage_counts_corners_by_place(lab):
    camera = lab.camera()
    views = lab.tilted(camera, 25)
    result = calibrate_intrinsics(views, lab.board, size_wh=SIZE)
    coverage = result.coverage
    assert coverage.counts.shape == (6, 10)
    assert coverage.counts.sum() == sum(len(view.ids) for view in views) - result.n_outliers
    column, row = (int(v) for v in views[0].xy[0] // 128)
    assert coverage.counts[min(row, 5), column] > 0
    assert coverage.image_share == (coverage.counts > 0).mean()
    furthest = max(np.linalg.norm(view.xy - camera.K[:2, 2], axis=1).max() for view in views)
    assert coverage.radius_share == pytest.approx(furthest / np.hypot(643.5, 363.5), rel=0.02)


def test_coverage_tells_the_tilts_and_distances_of_the_boards(lab):
    camera, rng = lab.camera(), np.random.default_rng(0)
    tilts = np.radians([10, 20, 30, 40, 50, 35, 25, 15])
    about = [[np.cos(a), np.sin(a), 0] for a in np.arange(8) * 2.4]
    places = [[0.2 * np.cos(a), 0.1 * np.sin(a), 0.8 + 0.05 * a] for a in np.arange(8)]
    views = [
        lab.look(camera, tilt * np.array(axis), place, rng, noise_px=0.05)
        for tilt, axis, place in zip(tilts, about, places, strict=True)
    ]
    coverage = calibrate_intrinsics(views, lab.board, size_wh=SIZE).coverage
    np.testing.assert_allclose(coverage.tilt_deg, np.degrees(tilts), atol=0.5)
    np.testing.assert_allclose(coverage.distance_m, np.linalg.norm(places, axis=1), rtol=0.005)
    assert coverage.n_poses == 8


def test_standard_errors_are_those_of_repeated_calibrations(lab):
    """Twenty-four recordings, each with its own noise: what is predicted is what they scatter by, within a third."""
    camera = lab.camera()
    clean = lab.tilted(camera, 12, noise_px=0.0)
    found, predicted, off, predicted_off = [], [], [], []
    for seed in range(24):
        rng = np.random.default_rng(seed)
        views = [view._replace(xy=np.clip(view.xy + rng.normal(0, 0.3, view.xy.shape), 0, 1279)) for view in clean]
        result = calibrate_intrinsics(views, lab.board, size_wh=SIZE, model="pinhole5")
        found.append(result.camera.K[[0, 1, 0, 1], [0, 1, 2, 2]])
        predicted.append(result.sigma)
        off.append(lab.lens_error_px(camera, result.camera))
        predicted_off.append(np.sqrt(2 * np.mean(result.certainty.map_px**2)))
        assert result.certainty.noise_px == pytest.approx(0.3, rel=0.1)
    error = np.sqrt(np.mean((np.array(found) - camera.K[[0, 1, 0, 1], [0, 1, 2, 2]]) ** 2, axis=0))
    np.testing.assert_allclose(error, np.mean(predicted, axis=0), rtol=0.34)
    assert np.sqrt(np.mean(np.square(off))) == pytest.approx(np.mean(predicted_off), rel=0.34)


def test_a_board_that_is_not_flat_makes_the_standard_errors_grow(lab):
    """Corners of a bent board err together, so hundreds of them say less than hundreds of independent ones."""

    class Bent:
        corners = lab.board.corners + [0, 0, 0.004] * np.sin(lab.board.corners[:, :1] * 8)

    camera, rng = lab.camera(), np.random.default_rng(0)
    flat = lab.tilted(camera, 25, seed=4)
    straight = calibrate_intrinsics(flat, lab.board, size_wh=SIZE)
    from types import SimpleNamespace

    from triskel.projection import project
    from triskel.rigid import Rigid

    bent = []
    for view in flat:
        depth = rng.uniform(0.7, 1.4)
        pose = Rigid.from_rotvec(
            [*np.clip(rng.normal(0, 0.5, 2), -1, 1), 0.0], depth * np.array([*rng.uniform([-0.4, -0.2], [0.4, 0.2]), 1])
        )
        xy = project(camera, pose.apply(Bent.corners - Bent.corners.mean(axis=0)))
        inside = np.flatnonzero((xy > 3).all(axis=1) & (xy < np.array(SIZE) - 4).all(axis=1))
        if len(inside) >= 8:
            bent.append(view._replace(ids=inside, xy=xy[inside] + rng.normal(0, 0.3, (len(inside), 2))))
    result = calibrate_intrinsics(bent, SimpleNamespace(corners=lab.board.corners), size_wh=SIZE)
    assert result.sigma[0] > 2 * straight.sigma[0]
    assert abs(result.camera.K[0, 0] - 900) < 4 * result.sigma[0]


def test_the_map_is_less_certain_where_no_board_was(lab):
    views = [view for view in lab.tilted(lab.camera(), 80) if view.xy[:, 0].max() < 700]
    certainty = calibrate_intrinsics(views, lab.board, size_wh=SIZE).certainty
    assert certainty.map_px.shape == (6, 10)
    assert certainty.map_px[:, -1].mean() > 1.2 * certainty.map_px[:, 0].mean()
    np.testing.assert_allclose(certainty.corner_px, certainty.map_px[[0, 0, -1, -1], [0, -1, 0, -1]])
