import json

import numpy as np
import pytest

from triskel import Rig
from triskel.calibration.formats import load_rig, write_rig
from triskel.errors import ConfigError

LENS = {"w": 1280, "h": 720, "fl_x": 900.0, "fl_y": 901.0, "cx": 640.0, "cy": 360.0}
ABOVE = [[1, 0, 0, 1], [0, 1, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]]
"""OpenGL axes equal to the world's: at (1, 2, 3) it looks down, with the top of its image towards +y."""


def load(path, frames=None, **top):
    frames = frames or [{"file_path": "images/a.png", "transform_matrix": ABOVE}]
    path.write_text(json.dumps({**LENS, **top, "frames": frames}))
    return load_rig(path)


def test_opengl_axes_and_half_a_pixel(tmp_path):
    (camera,) = load(tmp_path / "transforms.json")
    np.testing.assert_allclose(camera.centre, [1, 2, 3])
    np.testing.assert_allclose(camera.cam_from_world.apply([1, 2, 0.0]), [0, 0, 3], atol=1e-12)
    np.testing.assert_allclose(camera.cam_from_world.apply([2, 3, 0.0]), [1, -1, 3], atol=1e-12)
    np.testing.assert_array_equal(camera.K[:2, 2], [639.5, 359.5])


def test_intrinsics_of_a_frame_go_before_those_of_the_file(tmp_path):
    frames = [
        {"file_path": "a.png", "transform_matrix": ABOVE},
        {"file_path": "b.png", "transform_matrix": ABOVE[:3], "fl_x": 500, "k1": 0.1, "p2": 0.02, "k3": 0.3},
    ]
    a, b = load(tmp_path / "transforms.json", frames, k1=-0.1)
    assert (a.K[0, 0], b.K[0, 0]) == (900, 500)
    np.testing.assert_array_equal(a.dist, [-0.1, 0, 0, 0, 0])
    np.testing.assert_array_equal(b.dist, [0.1, 0, 0, 0.02, 0.3])


@pytest.mark.parametrize("how", [{"camera_model": "OPENCV_FISHEYE"}, {"is_fisheye": True}])
def test_fisheye_takes_k1_to_k4(how, tmp_path):
    (camera,) = load(tmp_path / "t.json", k1=0.1, k2=0.2, k3=0.3, k4=0.4, **how)
    assert camera.model == "fisheye"
    np.testing.assert_array_equal(camera.dist, [0.1, 0.2, 0.3, 0.4])


def test_an_angle_of_view_stands_in_for_the_focal_length(tmp_path):
    top = {"w": 800, "h": 600, "camera_angle_x": np.pi / 2}
    frames = [{"file_path": "./r_0", "transform_matrix": ABOVE}]
    (tmp_path / "t.json").write_text(json.dumps({**top, "frames": frames}))
    (camera,) = load_rig(tmp_path / "t.json")
    np.testing.assert_allclose(camera.K, [[400, 0, 399.5], [0, 400, 299.5], [0, 0, 1]])
    assert camera.name == "r_0"


def test_applied_scale_is_undone_and_applied_transform_is_not(tmp_path):
    turned = [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, -1, 0]]
    (camera,) = load(tmp_path / "t.json", applied_scale=0.5, applied_transform=turned)
    np.testing.assert_allclose(camera.centre, [2, 4, 6])


@pytest.mark.parametrize(
    ("top", "what"),
    [
        ({"k4": 0.1}, r"k4 with camera_model OPENCV is an r\^8 term"),
        ({"camera_model": "EQUIRECTANGULAR"}, "EQUIRECTANGULAR"),
        ({"applied_scale": 0}, "applied_scale is positive"),
        ({"w": None}, "finite|numbers"),
        ({"fl_x": "long"}, "expected numbers"),
        ({"h": 720.5}, "size_wh"),
    ],
)
def test_what_is_broken_is_named(top, what, tmp_path):
    with pytest.raises(ConfigError, match=what) as caught:
        load(tmp_path / "t.json", **top)
    assert str(tmp_path) in str(caught.value)


def test_a_file_without_the_image_size_is_refused(tmp_path):
    frames = [{"file_path": "./r_0", "transform_matrix": ABOVE}]
    (tmp_path / "t.json").write_text(json.dumps({"camera_angle_x": 0.7, "frames": frames}))
    with pytest.raises(ConfigError, match="w, h missing"):
        load_rig(tmp_path / "t.json")


@pytest.mark.parametrize("matrix", [np.diag([1, 1, -1, 1.0]), np.diag([2, 2, 2, 1.0])])
def test_a_mirrored_or_scaled_matrix_is_refused(matrix, tmp_path):
    with pytest.raises(ConfigError, match="not a rotation"):
        load(tmp_path / "t.json", [{"file_path": "a.png", "transform_matrix": matrix.tolist()}])


def test_pictures_called_alike_are_refused_unless_their_folders_differ(tmp_path):
    frames = [{"file_path": f"{folder}/0001.png", "transform_matrix": ABOVE} for folder in ("east", "west")]
    assert load(tmp_path / "t.json", frames).names == ["east", "west"]
    with pytest.raises(ConfigError, match="2 pictures are called '0001'"):
        load(tmp_path / "t.json", [frames[0], frames[0]])


def test_a_rig_of_two_lens_models_is_refused(rig_of, tmp_path):
    (a,), (b,) = rig_of(1), rig_of(1, model="fisheye", dist=(0, 0, 0, 0))
    with pytest.raises(ConfigError, match="mixes two"):
        write_rig(Rig((a, b.replace(name="b"))), tmp_path / "t.json", format="nerfstudio")
