import logging

import cv2
import numpy as np
import pytest

from triskel.calibration.formats import load_rig, write_rig
from triskel.errors import ConfigError

K = np.array([[900.5, 0, 640.25], [0, 901.0, 355.5], [0, 0, 1]])
D = np.array([[-0.1, 0.02, 0.001, -0.002, 0.03]])
R = np.array([[0, -1.0, 0], [1, 0, 0], [0, 0, 1]])
T = np.array([[0.1], [0.2], [3.0]])


def storage(path, **values):
    """Write a file as OpenCV does."""
    file = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    for key, value in values.items():
        file.write(key, value)
    file.release()
    return path


def test_opencv_reads_what_is_written(rig_of, tmp_path):
    rig = rig_of(3)
    write_rig(rig, tmp_path / "rig.yml", format="opencv")
    file = cv2.FileStorage(str(tmp_path / "rig.yml"), cv2.FILE_STORAGE_READ)
    cameras = file.getNode("cameras")
    assert cameras.size() == 3
    node, camera = cameras.at(1), rig["cam02"]
    assert node.getNode("name").string() == "cam02"
    assert (node.getNode("image_width").real(), node.getNode("image_height").real()) == (1280, 720)
    np.testing.assert_array_equal(node.getNode("camera_matrix").mat(), camera.K)
    np.testing.assert_array_equal(node.getNode("distortion_coefficients").mat().ravel(), camera.dist)
    np.testing.assert_array_equal(node.getNode("R").mat(), camera.cam_from_world.R)
    np.testing.assert_array_equal(node.getNode("T").mat().ravel(), camera.cam_from_world.t)


@pytest.mark.parametrize("suffix", ["yml", "yaml", "xml"])
def test_the_calibration_samples_file_is_one_camera_at_the_origin(suffix, tmp_path, caplog):
    path = storage(
        tmp_path / f"out_camera_data.{suffix}", calibration_time="Tue Nov 24", image_width=1280, image_height=720,
        camera_matrix=K, distortion_coefficients=D.T, avg_reprojection_error=0.31,
    )  # fmt: skip
    with caplog.at_level(logging.WARNING):
        (camera,) = load_rig(path)
    assert (camera.name, camera.size_wh, camera.model) == ("out_camera_data", (1280, 720), "pinhole")
    np.testing.assert_array_equal(camera.K, K)
    np.testing.assert_array_equal(camera.dist, D[0])
    np.testing.assert_array_equal(camera.centre, 0)
    assert "no pose" in caplog.text


def test_the_samples_fisheye_flag_is_heeded(tmp_path):
    path = storage(
        tmp_path / "a.yml", image_width=1280, image_height=720, fisheye_model=1, camera_matrix=K,
        distortion_coefficients=D[:, :4],
    )  # fmt: skip
    assert load_rig(path).cameras[0].model == "fisheye"


def test_a_folder_is_one_camera_a_file_and_needs_poses(tmp_path):
    for name in ("right", "left"):
        values = {"image_width": 1280, "image_height": 720, "camera_matrix": K, "distortion_coefficients": D}
        storage(tmp_path / f"{name}.yml", **values, R=R, T=T)
    rig = load_rig(tmp_path)
    assert rig.names == ["left", "right"]
    np.testing.assert_array_equal(rig["left"].cam_from_world.R, R)
    storage(tmp_path / "right.yml", **values)
    with pytest.raises(ConfigError, match=r"right\.yml: no pose"):
        load_rig(tmp_path)


def test_the_stereo_samples_two_files_are_left_and_right(tmp_path, caplog):
    storage(tmp_path / "intrinsics.yml", M1=K, D1=D, M2=K, D2=D)
    storage(tmp_path / "extrinsics.yml", R=R, T=T, R1=np.eye(3), R2=np.eye(3), Q=np.eye(4))
    for path in (tmp_path, tmp_path / "intrinsics.yml"):
        with caplog.at_level(logging.WARNING):
            rig = load_rig(path)
        assert rig.names == ["left", "right"]
        np.testing.assert_array_equal(rig["left"].centre, 0)
        np.testing.assert_allclose(rig["right"].cam_from_world.apply([1.0, 0, 0]), (R @ [1.0, 0, 0]) + T[:, 0])
    assert "1280 x 712 px is a guess" in caplog.text
    assert "no pose" not in caplog.text


def test_stereo_intrinsics_without_extrinsics_are_refused(tmp_path):
    storage(tmp_path / "intrinsics.yml", M1=K, D1=D, M2=K, D2=D)
    with pytest.raises(ConfigError, match=r"no R and T in it, and no extrinsics\.yml"):
        load_rig(tmp_path)


def test_mappings_by_name_and_rotation_vectors_are_read(tmp_path):
    file = cv2.FileStorage(str(tmp_path / "rig.yml"), cv2.FILE_STORAGE_WRITE)
    for name in ("east", "west"):
        file.startWriteStruct(name, cv2.FileNode_MAP)
        for key, value in {"image_width": 1280, "image_height": 720, "K": K, "dist": D}.items():
            file.write({"K": "camera_matrix"}.get(key, key), value)
        file.write("rvec", np.array([[0, 0, np.pi / 2]]))
        file.write("tvec", T)
        file.endWriteStruct()
    file.release()
    rig = load_rig(tmp_path / "rig.yml")
    assert rig.names == ["east", "west"]
    np.testing.assert_allclose(rig["west"].cam_from_world.R, R, atol=1e-12)


def test_ros_camera_info_is_read(tmp_path):
    (tmp_path / "ost.yaml").write_text(
        "image_width: 640\nimage_height: 480\ncamera_name: narrow\ncamera_matrix:\n  rows: 3\n  cols: 3\n"
        "  data: [500, 0, 320.5, 0, 500, 240.5, 0, 0, 1]\ndistortion_model: plumb_bob\n"
        "distortion_coefficients:\n  rows: 1\n  cols: 5\n  data: [0.1, 0, 0, 0, 0]\n"
        "rectification_matrix:\n  rows: 3\n  cols: 3\n  data: [1, 0, 0, 0, 1, 0, 0, 0, 1]\n"
    )
    (camera,) = load_rig(tmp_path / "ost.yaml")
    assert camera.size_wh == (640, 480)
    assert camera.K[0, 2] == 320.5


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("rows: 3", "rows: 4", "4 x 3 but holds 9 numbers"),
        ("camera_matrix", "matrix", "camera_matrix"),
        ("    R:", "    Q:", "a pose is R and T, got T only"),
        ("model: pinhole", "model: omnidirectional", "omnidirectional"),
        ('name: "cam01"', 'name: "cam02"', "got twice: cam02"),
        ("image_width: 1280", "image_width: 1280\n    image_width: 1281", "image_width stands there twice"),
        ("1280", "-3", "size_wh"),
        ("1280", "wide", "expected numbers"),
        ("    T:", "    T: &a", "aliases"),
        ('name: "cam01"', 'title: "cam01"', "needs a name"),
    ],
)
def test_what_is_broken_is_named(old, new, what, rig_of, tmp_path):
    path = tmp_path / "rig.yml"
    write_rig(rig_of(2), path, format="opencv")
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigError, match=what) as caught:
        load_rig(path)
    assert str(path) in str(caught.value)
