import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from triskel.calibration.people.bundle import joint_noise, moved_rig, refine_bundle, residuals
from triskel.calibration.people.gauge import Similarity, camera_moves, lay_over
from triskel.calibration.people.kernel import PER_CAMERA, reduced_equations
from triskel.calibration.people.views import joint_views
from triskel.lens import pack
from triskel.projection import project_rig


def seen_by(rig, X, *, noise_px=0.0, seed=0):
    """Return the views of joints X (F, N, J, 3)."""
    xy = np.moveaxis(project_rig(rig, X), 0, 1)
    xy = xy + np.random.default_rng(seed).normal(0, 1, xy.shape) * noise_px
    return joint_views(np.concatenate([xy, np.ones((*xy.shape[:-1], 1))], axis=-1), least_score=0.1)


def points(frames=20, joints=6, seed=1):
    return np.random.default_rng(seed).uniform([-0.7, -0.7, 0.2], [0.7, 0.7, 1.8], (frames, 1, joints, 3))


@pytest.mark.parametrize("model", ["pinhole", "fisheye"])
def test_the_gradient_is_that_of_the_errors(rig_of, model):
    """Against differences of the cost over every unknown of the cameras, the points following as they should."""
    dist = (-0.1, 0.05, 0.001, -0.0005, 0.01) if model == "pinhole" else (0.03, -0.008, 0.002, -0.0004)
    rig = rig_of(3, dist=dist, model=model)
    X = points(4, 3)
    views = seen_by(rig, X, noise_px=2.0)
    flat = X.reshape(-1, 3)
    weight, tail = np.ones(len(views.camera)), 1e6  # so wide a loss is least squares
    cameras = np.stack([pack(camera) for camera in rig])

    def cost(step, moved):
        return 0.5 * (residuals(moved_rig(rig, step), views, moved) ** 2).sum()

    at = flat  # where the points are at their own minimum the reduced gradient is the whole one
    for _ in range(30):
        _, _, g, _, back = reduced_equations(cameras, views.first, views.camera, views.xy, weight, at, tail, 0.0)
        at = at + back[:, :, 3]
    for k in range(3 * PER_CAMERA):
        h = 1e-6
        step = np.zeros(3 * PER_CAMERA)
        step[k] = h
        slope = (cost(step, at) - cost(-step, at)) / (2 * h)
        assert g[:, k].sum() == pytest.approx(slope, rel=1e-5, abs=1e-3 * np.abs(g.sum(axis=0)).max())


def test_exact_views_bring_a_bumped_camera_back(rig_of, bump):
    rig = rig_of(4)
    X = points()
    views = seen_by(rig, X)
    free = np.array([False, True, False, False])
    found = refine_bundle(bump(rig, 1, 40, 1.5), X.reshape(-1, 3), views, noise_px=np.ones(6), free=free)
    moves = camera_moves(rig, found.rig)
    assert np.abs(moves[1, 3:]).max() < 1e-6
    assert np.abs(moves[1, :3]).max() < 1e-6
    assert np.abs(moves[[0, 2, 3]]).max() == 0


def test_the_focal_length_is_found_where_it_may_change(rig_of):
    rig = rig_of(4)
    X = points(40)
    views = seen_by(rig, X)
    K = rig.cameras[2].K.copy()
    K[[0, 1], [0, 1]] *= 1.02
    start = type(rig)((*rig.cameras[:2], rig.cameras[2].replace(K=K), rig.cameras[3]))
    free = np.array([False, False, True, False])
    held = refine_bundle(start, X.reshape(-1, 3), views, noise_px=np.ones(6), free=free)
    found = refine_bundle(start, X.reshape(-1, 3), views, noise_px=np.ones(6), free=free, focal=True)
    assert held.rig.cameras[2].K[0, 0] == K[0, 0]
    assert found.rig.cameras[2].K[0, 0] == pytest.approx(rig.cameras[2].K[0, 0], rel=1e-4)


def test_each_joint_gets_the_noise_it_has(rig_of):
    rig = rig_of(5)
    X = points(150, 3)
    xy = np.moveaxis(project_rig(rig, X), 0, 1)
    noise = np.array([0.5, 2.0, 6.0])
    xy = xy + np.random.default_rng(3).normal(0, 1, xy.shape) * noise[:, None]
    views = joint_views(np.concatenate([xy, np.ones((*xy.shape[:-1], 1))], axis=-1), least_score=0.1)
    free = np.zeros(5, bool)
    estimate = np.full(3, 3.0)
    for _ in range(4):
        found = refine_bundle(rig, X.reshape(-1, 3), views, noise_px=estimate, free=free)
        estimate = joint_noise(rig, views, found.X, joints=3)
    assert estimate == pytest.approx(noise, rel=0.2)


def test_the_world_stays_with_the_cameras_that_stayed(rig_of, bump):
    """A rig in a world of its own, one camera bumped by 20 cm: laid over the old one, the others do not move."""
    rig = rig_of(5)
    bumped = bump(rig, 3, 200, 5)
    elsewhere = Similarity(Rotation.from_rotvec([0.3, -0.2, 0.9]).as_matrix(), np.array([1.0, -2.0, 0.4]), 1.3)
    X = points().reshape(-1, 3)
    laid = lay_over(elsewhere.rig(bumped), rig, elsewhere.apply(X))
    moves = camera_moves(rig, laid.rig)
    assert np.abs(moves[[0, 1, 2, 4]]).max() < 1e-4
    assert np.linalg.norm(moves[3, 3:]) == pytest.approx(0.2, abs=1e-3)
    np.testing.assert_allclose(laid.X, X, atol=1e-4)


def test_views_are_sorted_by_point_and_poor_ones_left_out():
    observed = np.full((2, 3, 1, 2, 3), np.nan)
    observed[..., 2] = 0
    observed[0, :, 0, 1] = [[1, 2, 0.9], [3, 4, 0.05], [5, 6, 0.8]]
    observed[1, 0, 0, 0] = [7, 8, 1.0]  # seen by one camera: no point
    views = joint_views(observed, least_score=0.1)
    assert views.first.tolist() == [0, 2]
    assert views.camera.tolist() == [0, 2]
    assert views.xy.tolist() == [[1, 2], [5, 6]]
    assert (views.frame.tolist(), views.person.tolist(), views.joint.tolist()) == ([0], [0], [1])
