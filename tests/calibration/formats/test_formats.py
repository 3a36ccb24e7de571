import logging
import re
import tomllib

import cv2
import numpy as np
import pytest

from triskel import Camera, Rig
from triskel.calibration import FORMATS, load_rig, write_rig
from triskel.errors import ConfigError
from triskel.rigid import Rigid


def build_rig(*, model="pinhole", dist=(-0.1, 0.05, 0.001, -0.0005, 0.01)):
    cameras = []
    for i, rotvec in enumerate([[1.9, 0.3, -0.2], [0.1, -2.5, 1.2], [np.pi, 0, 0]]):
        cameras.append(
            Camera(
                name=f"cam{i + 1:02d}",
                size_wh=(1280, 720),
                K=np.array([[901.3 + i / 7, 0, 640.2 - i / 3], [0, 900.1, 359.7 + i / 3], [0, 0, 1]]),
                dist=np.array(dist),
                model=model,
                cam_from_world=Rigid.from_rotvec(rotvec, [0.1 * i, -1 / 3, 3.7]),
            )
        )
    return Rig(tuple(cameras))


@pytest.mark.parametrize("name", list(FORMATS))
def test_round_trip_keeps_everything_the_format_holds(name, tmp_path):
    rig, path = build_rig(), tmp_path / "whatever.bin"
    write_rig(rig, path, format=name)
    back = load_rig(path)
    assert back.names == rig.names
    for a, b in zip(rig, back, strict=True):
        assert a.size_wh == b.size_wh
        assert a.model == b.model
        np.testing.assert_allclose(a.K, b.K, rtol=1e-14)
        np.testing.assert_allclose(a.dist, b.dist, rtol=1e-15)
        np.testing.assert_allclose(a.cam_from_world.R, b.cam_from_world.R, atol=1e-9)
        np.testing.assert_allclose(a.cam_from_world.t, b.cam_from_world.t, atol=1e-9)


@pytest.mark.parametrize("name", ["native", "toml"])
def test_fisheye_survives_where_the_format_can_hold_it(name, tmp_path):
    rig = build_rig(model="fisheye", dist=(0.1, -0.01, 0.002, 0.0))
    write_rig(rig, tmp_path / "rig", format=name)
    back = load_rig(tmp_path / "rig")
    assert [camera.model for camera in back] == ["fisheye"] * 3
    np.testing.assert_array_equal(back.cameras[0].dist, rig.cameras[0].dist)


@pytest.mark.parametrize("name", ["qualisys", "openpose", "easymocap"])
def test_fisheye_is_refused_where_the_format_cannot_hold_it(name, tmp_path):
    with pytest.raises(ConfigError, match=r"cam01.*fisheye"):
        write_rig(build_rig(model="fisheye", dist=(0, 0, 0, 0)), tmp_path / "rig", format=name)
    assert not (tmp_path / "rig").exists()


def test_lens_without_coefficients_survives_every_format_as_zeros(tmp_path):
    for name in FORMATS:
        write_rig(build_rig(dist=()), tmp_path / name, format=name)
        assert not load_rig(tmp_path / name).cameras[0].dist.any()


def test_qualisys_refuses_a_lens_with_eight_coefficients(tmp_path):
    with pytest.raises(ConfigError, match="5 coefficients"):
        write_rig(build_rig(dist=(0.1, 0, 0, 0, 0, 0.2, 0, 0)), tmp_path / "rig", format="qualisys")


QCA = """<?xml version='1.0' encoding='ASCII'?>
<calibration><cameras><camera active="1" serial="east">
<fov_video left="0" top="0" right="1087" bottom="1919"/>
<transform x="1000" y="2000" z="3000" r11="1" r12="0" r13="0" r21="0" r22="0" r23="1" r31="0" r32="-1" r33="0"/>
<intrinsic focalLengthU="64000" focalLengthV="128000" centerPointU="34784" centerPointV="61408" skew="0.0"
 radialDistortion1="-0.05" radialDistortion2="0.14" radialDistortion3="0.01" tangentalDistortion1="0.002"
 tangentalDistortion2="0.003"/></camera><camera active="0" serial="off"/></cameras></calibration>"""


def test_qualisys_axes_units_and_coefficient_order(tmp_path):
    """A camera 3 m up whose own axes (x right, y up, z backward) are the world's x, z and -y looks along +y."""
    (tmp_path / "rig").write_text(QCA)
    (camera,) = load_rig(tmp_path / "rig")
    assert (camera.name, camera.size_wh) == ("east", (1088, 1920))
    np.testing.assert_array_equal(camera.K, [[1000, 0, 543.5], [0, 2000, 959.5], [0, 0, 1]])
    np.testing.assert_array_equal(camera.dist, [-0.05, 0.14, 0.002, 0.003, 0.01])
    np.testing.assert_allclose(camera.centre, [1, 2, 3])
    np.testing.assert_allclose(camera.cam_from_world.apply([1, 7, 3]), [0, 0, 5], atol=1e-12)
    np.testing.assert_allclose(camera.cam_from_world.apply([1, 7, 4]), [0, -1, 5], atol=1e-12)


def test_qualisys_window_moves_the_principal_point(tmp_path):
    (tmp_path / "rig").write_text(QCA.replace('left="0" top="0"', 'left="8" top="20"'))
    (camera,) = load_rig(tmp_path / "rig")
    assert camera.size_wh == (1080, 1900)
    np.testing.assert_array_equal(camera.K[:2, 2], [535.5, 939.5])


def test_openpose_files_are_what_opencv_reads(tmp_path):
    rig = build_rig()
    write_rig(rig, tmp_path / "rig", format="openpose")
    storage = cv2.FileStorage(str(tmp_path / "rig" / "cam02.xml"), cv2.FILE_STORAGE_READ)
    camera = rig["cam02"]
    np.testing.assert_array_equal(storage.getNode("Intrinsics").mat(), camera.K)
    np.testing.assert_array_equal(storage.getNode("Distortion").mat().ravel(), camera.dist)
    matrix = storage.getNode("CameraMatrix").mat()
    np.testing.assert_array_equal(matrix, np.c_[camera.cam_from_world.R, camera.cam_from_world.t])


def test_openpose_files_that_opencv_wrote_are_read(tmp_path):
    storage = cv2.FileStorage(str(tmp_path / "7.xml"), cv2.FILE_STORAGE_WRITE)
    storage.write("CameraMatrix", np.c_[np.eye(3), [1, 2, 3.0]])
    storage.write("Intrinsics", np.array([[500, 0, 320.4], [0, 501, 239.7], [0, 0, 1]]))
    storage.write("Distortion", np.zeros((8, 1)))
    storage.release()
    for path in (tmp_path, tmp_path / "7.xml"):
        (camera,) = load_rig(path)
        assert (camera.name, camera.size_wh, len(camera.dist)) == ("7", (640, 480), 8)
        np.testing.assert_array_equal(camera.cam_from_world.t, [1, 2, 3])


def test_openpose_says_that_the_image_size_is_a_guess(tmp_path, caplog):
    write_rig(build_rig(), tmp_path / "rig", format="openpose")
    with caplog.at_level(logging.WARNING):
        load_rig(tmp_path / "rig")
    assert "1280 x 720 px is a guess" in caplog.text


def test_openpose_does_not_overwrite_a_folder_of_other_things(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigError, match="other things"):
        write_rig(build_rig(), tmp_path, format="openpose")
    assert (tmp_path / "thesis.txt").exists()


def test_easymocap_files_are_what_opencv_reads(tmp_path):
    rig = build_rig()
    write_rig(rig, tmp_path, format="easymocap")
    storage = cv2.FileStorage(str(tmp_path / "extri.yml"), cv2.FILE_STORAGE_READ)
    np.testing.assert_array_equal(storage.getNode("Rot_cam02").mat(), rig["cam02"].cam_from_world.R)
    np.testing.assert_array_equal(storage.getNode("T_cam02").mat().ravel(), rig["cam02"].cam_from_world.t)


def test_easymocap_files_that_opencv_wrote_are_read(tmp_path):
    rig = build_rig()
    write_rig(rig, tmp_path, format="easymocap")
    for name in ("intri.yml", "extri.yml"):  # through OpenCV and back
        old = cv2.FileStorage(str(tmp_path / name), cv2.FILE_STORAGE_READ)
        keys = [key for key in list(old.root().keys()) if key[:2] in ("K_", "di", "R_", "Ro", "T_")]
        values = {key: old.getNode(key).mat() for key in keys}
        old.release()
        new = cv2.FileStorage(str(tmp_path / name), cv2.FILE_STORAGE_WRITE)
        new.startWriteStruct("names", cv2.FileNode_SEQ)
        for camera in rig.names:
            new.write("", camera)
        new.endWriteStruct()
        for key, value in values.items():
            new.write(key, value)
        new.release()
    back = load_rig(tmp_path)
    assert back.names == rig.names
    np.testing.assert_allclose(back["cam03"].K, rig["cam03"].K, rtol=1e-12)


def test_toml_is_valid_and_world_to_camera(tmp_path):
    rig = build_rig()
    write_rig(rig, tmp_path / "rig", format="toml")
    table = tomllib.loads((tmp_path / "rig").read_text())["cam_1"]
    assert table["name"] == "cam02"
    np.testing.assert_allclose(table["translation"], rig["cam02"].cam_from_world.t)


def test_caliscope_toml_is_read(tmp_path):
    (tmp_path / "rig").write_text(
        "[cameras.3]\ncam_id = 3\nrotation_count = 0\nsize = [640, 480]\n"
        "matrix = [[500.0, 0.0, 320.0], [0.0, 500.0, 240.0], [0.0, 0.0, 1.0]]\ndistortions = [0.1, 0, 0, 0, 0]\n"
        "translation = [1, 2, 3]\nrotation = [[1, 0, 0], [0, 0, -1], [0, 1, 0]]\n"
    )
    (camera,) = load_rig(tmp_path / "rig")
    assert camera.name == "cam_3"
    np.testing.assert_array_equal(camera.cam_from_world.R, [[1, 0, 0], [0, 0, -1], [0, 1, 0]])


def test_unknown_format_name_lists_the_known_ones(tmp_path):
    with pytest.raises(ConfigError, match="native, qualisys, openpose, toml, easymocap"):
        write_rig(build_rig(), tmp_path / "rig", format="vicon")


def one_line_error(path):
    with pytest.raises(ConfigError) as caught:
        load_rig(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_missing_path_is_one_line_with_the_known_formats(tmp_path):
    assert "qualisys" in one_line_error(tmp_path / "nowhere.toml")


def test_empty_folder_and_empty_file_are_in_no_known_format(tmp_path):
    assert "known are" in one_line_error(tmp_path)
    (tmp_path / "empty.yaml").write_text("")
    assert "known are" in one_line_error(tmp_path / "empty.yaml")


def test_binary_garbage_is_in_no_known_format(tmp_path):
    path = tmp_path / "rig.yaml"
    path.write_bytes(np.random.default_rng(0).integers(0, 256, 5000, dtype=np.uint8).tobytes())
    assert "known are" in one_line_error(path)


@pytest.mark.parametrize("name", ["native", "qualisys", "toml"])
@pytest.mark.parametrize("share", [0.4, 0.6, 0.9])
def test_file_cut_short_is_one_line(name, share, tmp_path):
    path = tmp_path / "rig"
    write_rig(build_rig(), path, format=name)
    whole = path.read_text()
    path.write_text(whole[: int(len(whole) * share)] + ("" if name != "native" else "\n  : ["))
    one_line_error(path)


@pytest.mark.parametrize("name", ["openpose", "easymocap"])
def test_folder_with_a_file_cut_short_is_one_line(name, tmp_path):
    write_rig(build_rig(), tmp_path / "rig", format=name)
    file = tmp_path / "rig" / {"openpose": "cam02.xml", "easymocap": "extri.yml"}[name]
    file.write_text(file.read_text()[:500])
    one_line_error(tmp_path / "rig")


def test_wrong_key_in_native_yaml_is_named(tmp_path):
    path = tmp_path / "rig.yaml"
    write_rig(build_rig(), path)
    path.write_text(path.read_text().replace("size_wh", "sizewh", 1))
    assert "sizewh" in one_line_error(path) or "size_wh" in one_line_error(path)


def test_native_file_with_an_impossible_camera_names_the_path(tmp_path):
    path = tmp_path / "rig.yaml"
    write_rig(build_rig(), path)
    path.write_text(path.read_text().replace("901.3", "-901.3", 1))
    assert "focal" in one_line_error(path)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('r11="1"', 'r11="-1"', "not a rotation"),
        ('r11="1"', 'r11="one"', "expected numbers"),
        ('x="1000"', 'x="nan"', "finite"),
        ('focalLengthU="64000"', "", "focalLengthU"),
        ('right="1087"', 'right="-5"', "size_wh"),
        ('skew="0.0"', 'skew="1.5"', "skew"),
        ('active="1"', 'active="0"', "active"),
    ],
)
def test_broken_qualisys_values_are_named(old, new, what, tmp_path):
    assert old in QCA
    (tmp_path / "rig").write_text(QCA.replace(old, new))
    assert what in one_line_error(tmp_path / "rig")


BOMB = """<?xml version="1.0"?>
<!DOCTYPE calibration [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;">
<!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;"><!ENTITY e "&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;">]>
"""


@pytest.mark.parametrize(
    "body", ["<calibration>&e;</calibration>", "<opencv_storage><CameraMatrix>&e;</CameraMatrix></opencv_storage>"]
)
def test_xml_that_declares_entities_is_refused_unparsed(body, tmp_path):
    (tmp_path / "rig.xml").write_text(BOMB + body)
    assert "DOCTYPE" in one_line_error(tmp_path / "rig.xml")


def test_yaml_alias_bomb_is_one_line(tmp_path):
    path = tmp_path / "rig.yaml"
    lines = ["format: triskel-rig", "version: 1", "a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{b}: &{b} [{', '.join(['*' + a] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=False)]
    path.write_text("\n".join([*lines, "cameras: *i"]))
    assert len(one_line_error(path)) < 1000


def test_toml_without_a_needed_key_names_it(tmp_path):
    path = tmp_path / "rig"
    write_rig(build_rig(), path, format="toml")
    path.write_text(path.read_text().replace("translation =", "shift =", 1))
    assert "translation missing" in one_line_error(path)


def test_easymocap_yaml_with_aliases_is_refused(tmp_path):
    write_rig(build_rig(), tmp_path, format="easymocap")
    lines = ["a: &a [1, 1, 1]"] + [f"{b}: &{b} [*{a}, *{a}, *{a}]" for a, b in zip("abcdefg", "bcdefgh", strict=True)]
    text = (tmp_path / "intri.yml").read_text() + "\n".join(lines)
    (tmp_path / "intri.yml").write_text(text)
    assert "aliases" in one_line_error(tmp_path)


def broken(rig, **changes):
    return Rig((rig.cameras[0].replace(**changes), *rig.cameras[1:]))


@pytest.mark.parametrize("name", list(FORMATS))
@pytest.mark.parametrize(
    ("field", "message"),
    [("t", "from the origin|no number of a calibration"), ("K", "focal length|no number of a cal")],
)
def test_numbers_that_no_camera_has_are_refused_in_every_format(name, field, message, tmp_path):
    rig = build_rig()
    if field == "t":
        changed = broken(rig, cam_from_world=Rigid(rig.cameras[0].cam_from_world.R, [0.0, 2e9, 0.0]))
    else:
        changed = broken(rig, K=np.array([[5e6, 0, 640], [0, 5e6, 360], [0, 0, 1]]))
    write_rig(changed, tmp_path / "rig", format=name)
    with pytest.raises(ConfigError, match=message) as caught:
        load_rig(tmp_path / "rig")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300 + len(str(tmp_path))


@pytest.mark.parametrize("key", ["t: [0.0, -0.3", "K:\n  - [901", "rotvec: [1.9", "dist: [-0.1"])
def test_a_number_of_300_digits_in_the_native_format_is_refused_without_a_warning(key, tmp_path):
    path = tmp_path / "rig.yaml"
    write_rig(build_rig(), path)
    text = path.read_text()
    number = {"t": "-0.3333333333333333", "K": "901.3", "r": "1.9", "d": "-0.1"}[key[0]]
    assert number in text
    path.write_text(text.replace(number, "1.0e+300", 1))
    with pytest.raises(ConfigError, match=r"rig\.yaml"):
        load_rig(path)


@pytest.mark.parametrize(
    ("name", "file"), [("opencv", "rig"), ("easymocap", "rig/intri.yml"), ("easymocap", "rig/extri.yml")]
)
@pytest.mark.parametrize("number", [r"rows: 3", r"cols: \d", r"data: \[-?[\d.e-]+"])
def test_true_in_the_place_of_a_number_is_refused(name, file, number, tmp_path):
    write_rig(build_rig(), tmp_path / "rig", format=name)
    path = tmp_path / file
    text = path.read_text()
    found = list(re.finditer(number, text))[-1]  # the last: a rotation vector beside a matrix is not read
    path.write_text(text[: found.start()] + re.sub(r"[-\d.e]+$", "true", found[0]) + text[found.end() :])
    assert "true" in path.read_text()
    with pytest.raises(ConfigError):
        load_rig(tmp_path / "rig")
