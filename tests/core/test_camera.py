import numpy as np
import pytest

from triskel import ConfigError, Rig
from triskel.projection import project


@pytest.mark.parametrize("size_wh", [(640, 360), (1920, 1080), (500, 720)])
def test_resized_camera_sees_points_at_the_resampled_pixel_centres(camera_of, in_front, size_wh):
    camera = camera_of()
    X = in_front(camera)
    scale = np.array(size_wh) / camera.size_wh
    expected = (project(camera, X) + 0.5) * scale - 0.5
    np.testing.assert_allclose(project(camera.resized(size_wh), X), expected, rtol=0, atol=1e-9)
    assert camera.resized(size_wh).size_wh == size_wh


def test_resizing_with_skew_and_back_returns_the_camera(camera_of):
    camera = camera_of(K=np.array([[900.0, 3, 642.5], [0, 905, 355.25], [0, 0, 1]]))
    np.testing.assert_allclose(camera.resized((333, 777)).resized(camera.size_wh).K, camera.K, rtol=0, atol=1e-9)


def test_cropped_camera_sees_points_relative_to_the_window(camera_of, in_front):
    camera = camera_of()
    X = in_front(camera)
    window = camera.cropped(left=100, top=40, size_wh=(300, 200))
    np.testing.assert_allclose(project(window, X), project(camera, X) - [100, 40], rtol=0, atol=1e-9)


def test_projection_matrix_projects_like_an_ideal_lens(camera_of, in_front):
    camera = camera_of(n=0)
    X = in_front(camera)
    x = np.c_[X, np.ones(len(X))] @ camera.P.T
    np.testing.assert_allclose(x[:, :2] / x[:, 2:], project(camera, X), rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": ""}, "needs a name"),
        ({"model": "brown"}, "model is one of .*'brown'"),
        ({"size_wh": (1280, 0)}, "size_wh is two positive"),
        ({"size_wh": (1280.5, 720)}, "size_wh is two positive"),
        ({"K": np.eye(4)}, "3 x 3"),
        ({"K": np.array([[900.0, 0, 1], [0.1, 900, 1], [0, 0, 1]])}, "upper triangular"),
        ({"K": np.diag([900.0, 900, 2])}, "ending in 0 0 1"),
        ({"K": np.diag([-900.0, 900, 1])}, "focal lengths are positive, got -900"),
        ({"dist": np.zeros(6)}, r"pinhole lens takes \(0, 4, 5, 8, 12, 14\)"),
        ({"dist": [0, 0, 0, np.nan]}, "coefficients"),
        ({"model": "fisheye", "dist": np.zeros(5)}, r"fisheye lens takes \(4,\)"),
    ],
)
def test_what_is_no_camera_is_refused_by_name(camera_of, changes, words):
    with pytest.raises(ConfigError, match=words):
        camera_of(**changes)


def test_a_rig_finds_selects_and_orders_its_cameras(camera_of):
    rig = Rig((camera_of(name="a"), camera_of(name="b"), camera_of(name="c")))
    assert rig.select(["c", "a"]).names == ["c", "a"]
    assert rig["b"].name == "b"
    with pytest.raises(ConfigError, match="no camera 'd'; it has a, b, c"):
        rig["d"]


def test_a_rig_refuses_equal_names_and_no_cameras(camera_of):
    with pytest.raises(ConfigError, match="got twice: a"):
        Rig((camera_of(name="a"), camera_of(name="a")))
    with pytest.raises(ConfigError, match="at least one camera"):
        Rig(())
