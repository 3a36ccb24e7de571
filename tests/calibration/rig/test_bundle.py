import numpy as np
import pytest

from triskel import lens
from triskel.calibration.rig import bundle
from triskel.calibration.rig.bundle import BundleState, CornerView
from triskel.projection import project
from triskel.rigid import Rigid


def residuals(state, view):
    projected = lens.project_many(lens.pack(state.cameras[0]), state.boards[0].apply(view.X))
    return (projected - view.xy).ravel()


@pytest.mark.parametrize(
    ("model", "dist"), [("pinhole", (-0.1, 0.05, 0.001, -0.002, 0.01)), ("fisheye", (0.05, -0.01, 0.002, -0.0005))]
)
def test_derivatives_agree_with_central_differences(rig_of, scene, model, dist):
    camera = rig_of(1, model=model, dist=dist).cameras[0]
    board = Rigid.from_rotvec([0.4, -0.3, 0.2], [0.1, -0.1, 1.1])
    state = BundleState((camera,), (board,))
    view = CornerView(0, 0, scene.BOARD.corners, np.zeros((40, 2)))
    J, r = bundle._view_jacobian(lens.pack(camera), board.R.copy(), board.t.copy(), view.X, view.xy)
    np.testing.assert_allclose(r, residuals(state, view))
    for column in range(15 + 6):
        delta = np.zeros(21)
        delta[column] = 1e-6
        plus = bundle._moved(state, delta[:15], delta[None, 15:])
        minus = bundle._moved(state, -delta[:15], -delta[None, 15:])
        numeric = (residuals(plus, view) - residuals(minus, view)) / 2e-6
        if model == "fisheye" and column == 14:
            assert not J[:, column].any()
            continue
        np.testing.assert_allclose(J[:, column], numeric, atol=2e-4, rtol=1e-6)


def test_first_camera_keeps_its_pose_and_fixed_intrinsics_stay(rig, scene):
    board = Rigid(np.eye(3), np.array([0, 0, 1.0]))
    X = scene.BOARD.corners
    views = [CornerView(i, 0, X, project(camera, board.apply(X))) for i, camera in enumerate(rig)]
    shifted = tuple(
        c.replace(cam_from_world=Rigid.from_rotvec([0.01, 0, 0.01], [0, 0.02, 0]) @ c.cam_from_world) if i else c
        for i, c in enumerate(rig)
    )
    start = BundleState(shifted, (Rigid.from_rotvec([0.02, 0, 0], [0, 0.01, 1.0]),))
    done = bundle.refine(start, views, huber_px=1.0, refine_intrinsics=False)
    np.testing.assert_allclose(done.cameras[0].centre, rig.cameras[0].centre, atol=1e-13)
    for a, b in zip(done.cameras, rig, strict=True):
        np.testing.assert_array_equal(a.K, b.K)
        np.testing.assert_allclose(a.centre, b.centre, atol=1e-7)
