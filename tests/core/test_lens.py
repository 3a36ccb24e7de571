import cv2
import numpy as np
import pytest

from triskel import Camera, Rig, Rigid, lens
from triskel.projection import pixel_rays, project, reprojection_error, undistort

LENSES = [("pinhole", n) for n in (0, 4, 5, 8, 12, 14)] + [("fisheye", 4)]


@pytest.mark.parametrize("n", [0, 4, 5, 8, 12, 14])
def test_pinhole_projection_equals_opencv(camera_of, in_front, n):
    camera = camera_of(n=n)
    X = in_front(camera)
    pose = camera.cam_from_world
    expected, _ = cv2.projectPoints(X, pose.rotvec, pose.t, camera.K, camera.dist if n else None)
    np.testing.assert_allclose(project(camera, X), expected[:, 0], rtol=0, atol=1e-9)


def test_fisheye_projection_equals_opencv(camera_of, in_front):
    camera = camera_of("fisheye")
    X = in_front(camera, spread=1.5)
    pose = camera.cam_from_world
    expected, _ = cv2.fisheye.projectPoints(X[:, None], pose.rotvec, pose.t, camera.K, camera.dist)
    np.testing.assert_allclose(project(camera, X), expected[:, 0], rtol=0, atol=1e-9)


@pytest.mark.parametrize(("model", "n"), LENSES)
def test_rays_invert_projection(camera_of, in_front, model, n):
    camera = camera_of(model, n)
    X = in_front(camera)
    local = camera.cam_from_world.apply(X)
    expected = local / np.linalg.norm(local, axis=1, keepdims=True)
    np.testing.assert_allclose(pixel_rays(camera, project(camera, X)), expected, rtol=0, atol=1e-10)


def test_skew_shifts_x_by_its_share_of_y_and_rays_undo_it(camera_of, in_front):
    plain = camera_of()
    K = plain.K.copy()
    K[0, 1] = 7.0
    skewed, X = plain.replace(K=K), in_front(plain)
    shift = (project(plain, X)[:, 1] - K[1, 2]) / K[1, 1] * 7.0
    np.testing.assert_allclose(project(skewed, X)[:, 0], project(plain, X)[:, 0] + shift, rtol=0, atol=1e-9)
    np.testing.assert_allclose(
        pixel_rays(skewed, project(skewed, X)), pixel_rays(plain, project(plain, X)), rtol=0, atol=1e-10
    )


@pytest.mark.parametrize(("model", "n"), LENSES)
def test_analytic_jacobian_equals_central_differences(camera_of, in_front, model, n):
    camera = camera_of(model, n)
    packed, h = lens.pack(camera), 1e-5
    for point in camera.cam_from_world.apply(in_front(camera, 20)):
        analytic = np.reshape(lens.project_with_jacobian(packed, *point)[2:], (2, 3))
        steps = np.eye(3) * h
        numeric = [
            np.subtract(
                lens.project_with_jacobian(packed, *(point + step))[:2],
                lens.project_with_jacobian(packed, *(point - step))[:2],
            )
            / (2 * h)
            for step in steps
        ]
        np.testing.assert_allclose(analytic, np.transpose(numeric), rtol=1e-6, atol=1e-5)


def test_fisheye_jacobian_is_continuous_through_the_axis(camera_of):
    packed = lens.pack(camera_of("fisheye"))
    on, beside = (lens.project_with_jacobian(packed, x, 0.0, 2.0) for x in (0.0, 1e-7))
    np.testing.assert_allclose(on[2:], beside[2:], rtol=0, atol=1e-3)
    np.testing.assert_allclose(on[:2], (642.5, 355.25), rtol=0, atol=1e-12)


@pytest.mark.parametrize("z", [-2.0, 0.0])
def test_pinhole_sees_nothing_behind_or_beside_itself(camera_of, z):
    camera = camera_of(cam_from_world=Rigid.identity())
    assert np.isnan(project(camera, [0.1, 0.2, z])).all()


def test_fisheye_sees_beyond_ninety_degrees_and_knows_the_ray(camera_of):
    camera = camera_of("fisheye", cam_from_world=Rigid.identity(), dist=np.zeros(4))
    X = np.array([1.0, 0.0, -0.2])
    theta = np.arctan2(1.0, -0.2)
    np.testing.assert_allclose(project(camera, X), [642.5 + 900 * theta, 355.25], rtol=0, atol=1e-9)
    np.testing.assert_allclose(pixel_rays(camera, project(camera, X)), X / np.linalg.norm(X), rtol=0, atol=1e-10)
    assert np.isnan(undistort(camera, project(camera, X))).all()


def test_projection_is_nan_where_the_polynomial_folds_back(camera_of):
    """With k1 = -0.3, r (1 - 0.3 r^2) is largest at r = 1.054: a wider point would land inside the image again."""
    camera = camera_of(n=4, dist=np.array([-0.3, 0, 0, 0]), cam_from_world=Rigid.identity())
    fold = 1 / np.sqrt(0.9)
    assert np.isfinite(project(camera, [fold * 0.999, 0, 1])).all()
    assert np.isnan(project(camera, [fold * 1.001, 0, 1])).all()


def test_points_so_wide_that_the_polynomial_mirrors_them_are_not_seen():
    """Past r = sqrt(1 / 0.3) the factor 1 - 0.3 r^2 is negative: the Jacobian's determinant is positive again there."""
    camera = Camera(name="c", size_wh=(1280, 720), K=np.diag([900.0, 900, 1]), dist=np.array([-0.3, 0, 0, 0]))
    assert np.isnan(project(camera, [[2.0, 0, 1], [0, -2.5, 1], [2, 2, 1]])).all()


def test_fisheye_projection_is_nan_where_the_polynomial_folds_back(camera_of):
    camera = camera_of("fisheye", dist=np.array([-0.3, 0, 0, 0]), cam_from_world=Rigid.identity())
    fold = 1 / np.sqrt(0.9)
    assert np.isfinite(project(camera, [np.tan(fold * 0.999), 0, 1])).all()
    assert np.isnan(project(camera, [np.tan(fold * 1.001), 0, 1])).all()


def test_a_pixel_that_no_ray_reaches_has_no_ray(camera_of):
    camera = camera_of(n=4, dist=np.array([-0.3, 0, 0, 0]))
    widest = camera.K[0, 2] + 900 * (2 / 3) / np.sqrt(0.9)
    assert np.isfinite(pixel_rays(camera, [widest - 1, camera.K[1, 2]])).all()
    assert np.isnan(pixel_rays(camera, [widest + 1, camera.K[1, 2]])).all()
    assert np.isnan(pixel_rays(camera, [np.nan, 1.0])).all()


@pytest.mark.parametrize("n", [5, 8, 14])
def test_undistorted_pixels_are_those_of_the_ideal_camera(camera_of, in_front, n):
    camera = camera_of(n=n)
    X = in_front(camera)
    ideal = project(camera.replace(dist=np.zeros(0)), X)
    np.testing.assert_allclose(undistort(camera, project(camera, X)), ideal, rtol=0, atol=1e-7)


def test_reprojection_error_is_the_euclidean_distance(camera_of, in_front):
    rig = Rig((camera_of(), camera_of(name="other", n=0)))
    X = in_front(rig.cameras[0], 10)
    xy = np.stack([project(camera, X) for camera in rig]) + np.array([3.0, 4.0])
    xy[1, 4] = np.nan
    error = reprojection_error(rig, X, xy)
    assert np.isnan(error[1, 4])
    error[1, 4] = 5.0
    np.testing.assert_allclose(error, 5.0, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("model", "n"), [("pinhole", 0), ("pinhole", 1), ("pinhole", 5), ("pinhole", 8), ("fisheye", 8)]
)
def test_derivatives_by_the_lens_are_central_differences_and_zero_for_what_a_fisheye_lacks(model, n):
    dist = [0.05, -0.02, 0.01, -0.003] if model == "fisheye" else [0.3, -0.1, 0.002, -0.001, 0.05, 0.4, -0.05, 0.03]
    K = np.array([[800.0, 3.0, 639.5], [0, 790, 359.5], [0, 0, 1]])
    c = lens.pack(Camera(name="x", size_wh=(1280, 720), K=K, dist=np.array(dist), model=model))
    point = (0.3, -0.2, 0.9)
    found = np.full((2, 4 + n), np.nan)
    lens.lens_derivatives(c, n, *point, found)
    for k, place in enumerate([lens.FX, lens.FY, lens.CX, lens.CY, *range(lens.DIST, lens.DIST + n)]):
        up, down = c.copy(), c.copy()
        up[place] += 1e-6
        down[place] -= 1e-6
        ahead, behind = (np.array(lens.project_with_jacobian(one, *point)[:2]) for one in (up, down))
        np.testing.assert_allclose(found[:, k], (ahead - behind) / 2e-6, atol=1e-5)
