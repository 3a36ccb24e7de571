import numpy as np
import pytest

from triskel import Rig
from triskel.calibration.rig import calibrate_rig
from triskel.calibration.rig.uncertainty import centre_jacobian
from triskel.projection import project_rig
from triskel.rigid import Rigid
from triskel.triangulate import triangulate_points

RUNS = 20
NOISE_PX = 0.3


def forget_poses(rig):
    return [camera.replace(cam_from_world=Rigid.identity()) for camera in rig]


def laid_over(A, B):
    """Return the rigid motion that brings A (n, 3) closest to B."""
    a, b = A - A.mean(axis=0), B - B.mean(axis=0)
    U, _, Vt = np.linalg.svd(a.T @ b)
    R = (U @ np.diag([1, 1, np.linalg.det(U @ Vt)]) @ Vt).T
    return Rigid(R, B.mean(axis=0) - R @ A.mean(axis=0))


def rms(values):
    return float(np.sqrt(np.mean(np.square(values))))


def test_derivative_of_the_centre_agrees_with_differences():
    pose = Rigid.from_rotvec([0.3, -0.5, 0.8], [0.2, -0.1, 3.0])
    J = centre_jacobian(pose.R, pose.t)
    for k, delta in enumerate(np.eye(6) * 1e-6):
        turn = Rigid.from_rotvec(delta[:3], np.zeros(3)).R
        moved = Rigid(pose.R @ turn, pose.t + delta[3:])
        np.testing.assert_allclose(J[:, k], (moved.centre - pose.centre) / 1e-6, atol=1e-5)


def test_standard_errors_predict_the_errors_of_many_calibrations(rig, scene):
    found = {"centre": ([], []), "point": ([], []), "seen": ([], [])}
    exact = scene.shots_of(rig, 30)
    truth = calibrate_rig(exact, forget_poses(rig), scene.BOARD)
    # Places where boards were: the frame in which the standard errors hold is laid over them.
    X = np.concatenate([board.apply(scene.BOARD.corners) for board in truth.world_from_board.values()])[::7]
    clean, rng = project_rig(truth.rig, X), np.random.default_rng(11)
    for _ in range(RUNS):
        shots = [
            {n: v._replace(xy=v.xy + rng.normal(0, NOISE_PX, v.xy.shape)) for n, v in shot.items()} for shot in exact
        ]
        result = calibrate_rig(shots, forget_poses(rig), scene.BOARD)
        Y = triangulate_points(result.rig, clean).X
        align = laid_over(X, Y)
        centres = np.array([c.centre for c in result.rig]) - align.apply([c.centre for c in truth.rig])
        noisy = triangulate_points(result.rig, clean + rng.normal(0, NOISE_PX, clean.shape)).X
        sigma = result.uncertainty
        for key, error, predicted in (
            ("centre", 1000 * centres, sigma.centre_sigma_mm),
            ("point", 1000 * (Y - align.apply(X)), sigma.point_sigma_mm(Y)),
            ("seen", 1000 * (noisy - align.apply(X)), sigma.point_sigma_mm(Y, NOISE_PX)),
        ):
            found[key][0].append(rms(error))
            found[key][1].append(rms(predicted))
        assert sigma.noise_px == pytest.approx(NOISE_PX, rel=0.03)
    for key, (errors, predictions) in found.items():
        assert rms(predictions) / rms(errors) == pytest.approx(1, abs=0.2), key


def test_no_camera_is_privileged(rig, scene):
    """With another first camera, and so another world, the standard errors are the same."""
    shots = scene.shots_of(rig, 30, noise_px=0.3)
    turned = Rig((*rig.cameras[2:], *rig.cameras[:2]))
    a = calibrate_rig(shots, forget_poses(rig), scene.BOARD).uncertainty
    b = calibrate_rig(shots, forget_poses(turned), scene.BOARD).uncertainty
    lengths_a, lengths_b = (np.linalg.norm(u.centre_sigma_mm, axis=1) for u in (a, b))
    np.testing.assert_allclose(lengths_a, np.roll(lengths_b, 2), rtol=0.02)
    np.testing.assert_allclose(a.angle_sigma_deg, np.roll(b.angle_sigma_deg, 2), rtol=0.02)
    assert lengths_a.min() > 0.05


def test_points_that_fewer_than_two_cameras_see_are_nan_and_shapes_are_kept(rig, scene):
    result = calibrate_rig(scene.shots_of(rig, 30, noise_px=0.3, flat_first=True), rig, scene.BOARD, floor_shot=0)
    far = result.uncertainty.point_sigma_mm(np.array([[[0.0, 0.0, 1.0], [0.0, 0.0, 500.0]]]))
    assert far.shape == (1, 2)
    assert 0 < far[0, 0] < 2
    assert np.isnan(far[0, 1])
    assert np.isnan(result.uncertainty.point_sigma_mm([np.nan] * 3))


def test_more_shots_and_less_noise_mean_smaller_errors(rig, scene):
    few, many, sharp = (
        rms(
            calibrate_rig(
                scene.shots_of(rig, n, noise_px=noise), forget_poses(rig), scene.BOARD
            ).uncertainty.centre_sigma_mm
        )
        for n, noise in ((10, 0.4), (40, 0.4), (40, 0.1))
    )
    assert many < 0.7 * few
    assert sharp == pytest.approx(many / 4, rel=0.1)


def test_errors_of_a_held_lens_pass_on_to_the_lenses_that_were_refined(rig, scene):
    dist = np.r_[rig.cameras[0].dist, np.zeros(7)]  # longer lenses are held
    mixed = Rig((rig.cameras[0].replace(dist=dist), *rig.cameras[1:3]))
    shots = [
        {name: view for name, view in shot.items() if name in mixed.names}
        for shot in scene.shots_of(mixed, 25, near=4, noise_px=NOISE_PX)
    ]
    wrong_px = 1.0
    covariance = np.zeros((9, 9))
    covariance[0, 0] = wrong_px**2
    wrong = mixed.cameras[0].replace(K=mixed.cameras[0].K + np.diag([wrong_px, 0, 0]))
    unknown, known, changed = (
        calibrate_rig(shots, forget_poses(cameras), scene.BOARD, refine_intrinsics=True, lens_covariance=told)
        for cameras, told in ((mixed, {"cam01": covariance}), (mixed, None), ([wrong, *mixed.cameras[1:]], None))
    )
    more = np.diagonal(unknown.uncertainty.covariance - known.uncertainty.covariance)
    for i in (1, 2):
        at = 18 * i + 6
        moved = (changed.rig.cameras[i].K - known.rig.cameras[i].K)[[0, 1, 0, 1], [0, 1, 2, 2]]
        assert np.abs(moved).max() > 0.02
        np.testing.assert_allclose(np.sqrt(more[at : at + 4]), np.abs(moved), rtol=0.1, atol=0.05)
