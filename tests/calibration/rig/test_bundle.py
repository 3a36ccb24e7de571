import numpy as np
import pytest

from triskel import lens
from triskel.calibration.rig import bundle, kernel
from triskel.calibration.rig.bundle import BundleState, CornerTable, Weights, free_columns
from triskel.projection import project
from triskel.rigid import Rigid

LENSES = [
    ("pinhole", ()),
    ("pinhole", (-0.1, 0.05, 0.001, -0.002)),
    ("pinhole", (-0.1, 0.05, 0.001, -0.002, 0.01)),
    ("pinhole", (-0.1, 0.05, 0.001, -0.002, 0.01, 0.2, -0.03, 0.02)),
    ("fisheye", (0.05, -0.01, 0.002, -0.0005)),
]


def one_view(X, xy):
    ids, zero = np.arange(len(X)), np.zeros(1, dtype=np.int64)
    return CornerTable(zero, zero, np.array([0, len(X)]), ids, X, xy, 1)


def table_of(cameras, boards, X):
    """Return the table of exact projections of every board into every camera."""
    pairs = [(c, s) for s in range(len(boards)) for c in range(len(cameras))]
    xy = np.concatenate([project(cameras[c], boards[s].apply(X)) for c, s in pairs])
    first = np.arange(len(pairs) + 1) * len(X)
    camera, shot = (np.array(column, dtype=np.int64) for column in zip(*pairs, strict=True))
    ids = np.tile(np.arange(len(X)), len(pairs))
    return CornerTable(camera, shot, first, ids, np.tile(X, (len(pairs), 1)), xy, len(boards))


@pytest.mark.parametrize(("model", "dist"), LENSES)
def test_derivatives_agree_with_central_differences(rig_of, scene, model, dist):
    camera = rig_of(1, model=model, dist=dist).cameras[0]
    board = Rigid.from_rotvec([0.4, -0.3, 0.2], [0.1, -0.1, 1.1])
    state = BundleState.of((camera,), (board,))
    table = one_view(scene.BOARD.corners, np.zeros((40, 2)))
    J, scratch = np.zeros((40, 2, 24)), np.empty((2, 3))
    for i, X in enumerate(table.X):
        uv = kernel.corner_jacobian(state.packed[0], state.boards[0], X, J[i], scratch)
        np.testing.assert_allclose(uv, project(camera, board.apply(X)), atol=1e-9)
    refined = free_columns((camera,), refine_intrinsics=True)[0]
    assert refined.sum() == 4 + len(dist)  # the first camera's pose is the world
    refined[:6] = True
    for column in np.flatnonzero(np.r_[refined, np.ones(6, dtype=bool)]):
        delta = np.zeros(24)
        delta[column] = 1e-6
        plus = bundle._moved(state, delta[None, :18], delta[None, 18:])
        minus = bundle._moved(state, -delta[None, :18], -delta[None, 18:])
        numeric = (bundle.residuals(minus, table) - bundle.residuals(plus, table)) / 2e-6
        np.testing.assert_allclose(J[:, :, column], numeric, atol=3e-4, rtol=1e-6)


def test_gradient_is_that_of_the_loss_with_bend_and_view_noise(rig, scene):
    boards = (Rigid.from_rotvec([0.2, 0.1, 0], [0, 0, 1.0]), Rigid.from_rotvec([0.3, -0.4, 0.1], [0.1, 0, 1.1]))
    exact = table_of(rig.cameras, boards, scene.BOARD.corners)
    xy = exact.xy + np.random.default_rng(3).normal(0, 1, exact.xy.shape)
    table = CornerTable(exact.view_camera, exact.view_shot, exact.first, exact.corner, exact.X, xy, 2)
    state = BundleState.of(rig.cameras, boards)
    weights = Weights(np.linspace(0.5, 2, len(table.view_camera)), 1.0)
    free = free_columns(rig.cameras, refine_intrinsics=True)
    blocks = bundle.normal_equations(state, table, weights, free=free)
    for at, analytic in (((1, 2), blocks.a[1, 2]), ((3, 4), blocks.a[3, 4]), ((2, 6), blocks.a[2, 6])):
        cameras = np.zeros((4, 18))
        cameras[at] = 1e-6
        costs = [
            bundle._cost(bundle._moved(state, sign * cameras, np.zeros((2, 6))), table, weights, None)
            for sign in (1, -1)
        ]
        assert analytic == pytest.approx((costs[0] - costs[1]) / 2e-6, rel=1e-4, abs=1e-3)


def test_eliminating_the_boards_gives_the_step_of_the_whole_system(rig, scene):
    boards = (Rigid.from_rotvec([0.2, 0.1, 0], [0, 0, 1.0]), Rigid.from_rotvec([0.3, -0.4, 0.1], [0.1, 0, 1.1]))
    exact = table_of(rig.cameras, boards, scene.BOARD.corners)
    xy = exact.xy + np.random.default_rng(4).normal(0, 0.5, exact.xy.shape)
    table = CornerTable(exact.view_camera, exact.view_shot, exact.first, exact.corner, exact.X, xy, 2)
    state, weights = BundleState.of(rig.cameras, boards), Weights(np.ones(8))
    free = free_columns(rig.cameras, refine_intrinsics=False)
    blocks = bundle.normal_equations(state, table, weights, free=free)
    n = 4 * 18
    H, g = np.zeros((n + 12, n + 12)), np.r_[blocks.a.ravel(), blocks.b.ravel()]
    for c in range(4):
        H[c * 18 : c * 18 + 18, c * 18 : c * 18 + 18] = blocks.A[c]
    for s in range(2):
        at = slice(n + 6 * s, n + 6 * s + 6)
        H[at, at] = blocks.D[s]
    for v, (c, s) in enumerate(zip(table.view_camera, table.view_shot, strict=True)):
        H[c * 18 : c * 18 + 18, n + 6 * s : n + 6 * s + 6] = blocks.B[v]
        H[n + 6 * s : n + 6 * s + 6, c * 18 : c * 18 + 18] = blocks.B[v].T
    moving = np.r_[np.flatnonzero(free.ravel()), np.arange(n, n + 12)]
    whole = np.linalg.solve(H[np.ix_(moving, moving)], -g[moving])
    cameras, moved = bundle._step(state, table, blocks, free=free, prior=None, damping=0.0)
    np.testing.assert_allclose(cameras.ravel()[free.ravel()], whole[:-12], rtol=1e-6, atol=1e-10)
    np.testing.assert_allclose(moved.ravel(), whole[-12:], rtol=1e-6, atol=1e-10)


def test_first_camera_keeps_its_pose_and_fixed_intrinsics_stay(rig, scene):
    board = Rigid(np.eye(3), np.array([0, 0, 1.0]))
    table = table_of(rig.cameras, (board,), scene.BOARD.corners)
    shifted = tuple(
        c.replace(cam_from_world=Rigid.from_rotvec([0.01, 0, 0.01], [0, 0.02, 0]) @ c.cam_from_world) if i else c
        for i, c in enumerate(rig)
    )
    start = BundleState.of(shifted, (Rigid.from_rotvec([0.02, 0, 0], [0, 0.01, 1.0]),))
    free = free_columns(rig.cameras, refine_intrinsics=False)
    done = bundle.refine(start, table, Weights(np.ones(4), 1.0), free=free).cameras(rig.cameras)
    np.testing.assert_allclose(done[0].centre, rig.cameras[0].centre, atol=1e-13)
    for a, b in zip(done, rig, strict=True):
        np.testing.assert_array_equal(a.K, b.K)
        np.testing.assert_array_equal(a.dist, b.dist)
        np.testing.assert_allclose(a.centre, b.centre, atol=1e-7)


def test_corners_behind_a_camera_are_left_out_instead_of_spoiling_the_rest(rig, scene):
    X = scene.BOARD.corners
    boards = (Rigid(np.eye(3), np.array([0, 0, 1.0])), Rigid(np.eye(3), np.array([0, 0, 1.2])))
    exact = table_of(rig.cameras, boards, X)
    behind = BundleState.of(rig.cameras, (boards[0], Rigid(np.eye(3), 3 * rig.cameras[0].centre)))
    assert np.isnan(bundle.residuals(behind, exact)).any()
    done = bundle.refine(
        behind, exact, Weights(np.ones(8), 1.0), free=free_columns(rig.cameras, refine_intrinsics=False)
    )
    assert np.isfinite(done.packed).all()
    assert np.isfinite(done.boards).all()


def test_packing_and_unpacking_a_camera_changes_nothing(rig_of):
    for model, dist in LENSES:
        cameras = rig_of(2, model=model, dist=dist).cameras
        for a, b in zip(BundleState.of(cameras, ()).cameras(cameras), cameras, strict=True):
            np.testing.assert_array_equal(a.K, b.K)
            np.testing.assert_array_equal(a.dist, b.dist)
            np.testing.assert_allclose(lens.pack(a), lens.pack(b), atol=1e-15)
