import numpy as np
import pytest

from triskel import Rig
from triskel.calibration.formats import load_rig, write_rig
from triskel.errors import ConfigError

IMAGES = "# comment\n7 0.5 0.5 0.5 0.5 1 2 3 4 east.jpg\n10 20 -1 30 40 5\n9 1 0 0 0 0 0 5 4 west 2.jpg\n\n"


def model(folder, camera="4 PINHOLE 1280 720 900 901 640 360", images=IMAGES):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cameras.txt").write_text(f"# comment\n{camera}\n")
    (folder / "images.txt").write_text(images)
    return folder


def test_quaternion_world_to_camera_and_half_a_pixel(tmp_path):
    """0.5 0.5 0.5 0.5 turns x to y, y to z and z to x; the middle of a 1280 px wide image is 640 there, 639.5 here."""
    rig = load_rig(model(tmp_path / "sparse" / "0").parents[1])
    assert rig.names == ["east", "west 2"]
    np.testing.assert_allclose(rig["east"].cam_from_world.apply([1.0, 0, 0]), [1, 3, 3])
    np.testing.assert_allclose(rig["east"].cam_from_world.apply([0, 0, 1.0]), [2, 2, 3])
    np.testing.assert_array_equal(rig["east"].K, [[900, 0, 639.5], [0, 901, 359.5], [0, 0, 1]])
    assert rig["west 2"].size_wh == (1280, 720)


@pytest.mark.parametrize(
    ("line", "fy", "dist", "lens"),
    [
        ("SIMPLE_PINHOLE 1280 720 900 640 360", 900, [0, 0, 0, 0], "pinhole"),
        ("SIMPLE_RADIAL 1280 720 900 640 360 -0.1", 900, [-0.1, 0, 0, 0], "pinhole"),
        ("RADIAL 1280 720 900 640 360 -0.1 0.02", 900, [-0.1, 0.02, 0, 0], "pinhole"),
        ("OPENCV 1280 720 900 910 640 360 -0.1 0.02 0.003 0.004", 910, [-0.1, 0.02, 0.003, 0.004], "pinhole"),
        ("FULL_OPENCV 1280 720 900 910 640 360 1 2 3 4 5 6 7 8", 910, [1, 2, 3, 4, 5, 6, 7, 8], "pinhole"),
        ("FULL_OPENCV 1280 720 900 910 640 360 1 2 3 4 5 0 0 0", 910, [1, 2, 3, 4, 5], "pinhole"),
        ("OPENCV_FISHEYE 1280 720 900 910 640 360 0.1 0.2 0.3 0.4", 910, [0.1, 0.2, 0.3, 0.4], "fisheye"),
        ("RADIAL_FISHEYE 1280 720 900 640 360 0.1 0.2", 900, [0.1, 0.2, 0, 0], "fisheye"),
    ],
)
def test_lens_models_that_are_opencvs(line, fy, dist, lens, tmp_path):
    camera = load_rig(model(tmp_path, camera=f"4 {line}")).cameras[0]
    assert camera.K[1, 1] == fy
    assert camera.model == lens
    np.testing.assert_array_equal(camera.dist, dist)


@pytest.mark.parametrize(
    ("camera", "images", "what"),
    [
        ("4 FOV 1280 720 900 901 640 360 0.9", IMAGES, "'FOV' is not supported"),
        ("4 PINHOLE 1280 720 900 901 640", IMAGES, "PINHOLE has 4 parameters, got 3"),
        ("5 PINHOLE 1280 720 900 901 640 360", IMAGES, "no camera 4; it has 5"),
        ("4 PINHOLE 1280 720 900 901 640 360\n4 PINHOLE 1 1 9 9 1 1", IMAGES, "stands there twice"),
        ("4 PINHOLE 1280 720 900 901 640 nan", IMAGES, "finite"),
        (
            "4 PINHOLE 1280 720 900 901 640 360",
            "7 1 0 0 0 1 2 3 4 a.jpg\n8 1 0 0 0 1 2 3 4 b.jpg\n",
            "a line of points",
        ),
        ("4 PINHOLE 1280 720 900 901 640 360", "7 2 0 0 0 1 2 3 4 a.jpg\n\n", "length of its quaternion is 2"),
        ("4 PINHOLE 1280 720 900 901 640 360", "7 1 0 0 0 1 2\n\n", "10 fields, got 7"),
        ("4 PINHOLE 1280 720 900 901 640 360", "# nothing\n", "holds no image"),
        ("4 PINHOLE 1280 720 900 901 640 360", "7 1 0 0 0 1 2 3 4 a.jpg\n\n8 1 0 0 0 1 2 3 4 a.png\n\n", "called 'a'"),
    ],
)
def test_what_is_broken_is_named(camera, images, what, tmp_path):
    with pytest.raises(ConfigError, match=what) as caught:
        load_rig(model(tmp_path, camera=camera, images=images))
    assert "\n" not in str(caught.value)


def test_cameras_with_a_folder_each_are_named_like_it(tmp_path):
    images = "7 1 0 0 0 1 2 3 4 east/0001.jpg\n\n8 1 0 0 0 1 2 3 4 west/0001.jpg\n\n"
    assert load_rig(model(tmp_path, images=images)).names == ["east", "west"]


def test_a_binary_model_says_how_to_export_it(tmp_path):
    for name in ("cameras", "images"):
        (tmp_path / f"{name}.bin").write_bytes(b"\x01\x00")
    with pytest.raises(ConfigError, match="--output_type TXT"):
        load_rig(tmp_path)


def test_a_name_that_colmap_would_split_is_refused(rig_of, tmp_path):
    (camera,) = rig_of(1)
    with pytest.raises(ConfigError, match="no spaces"):
        write_rig(Rig((camera.replace(name="cam 1"),)), tmp_path / "rig", format="colmap")


def test_an_ideal_lens_is_written_as_pinhole_and_a_full_one_as_full_opencv(rig_of, tmp_path):
    for dist, name in (((), "PINHOLE"), ((0.1, 0, 0, 0), "OPENCV"), ((0, 0, 0, 0, 0.1), "FULL_OPENCV")):
        write_rig(rig_of(1, dist=dist), tmp_path / "rig", format="colmap")
        assert (tmp_path / "rig" / "cameras.txt").read_text().splitlines()[1].split()[1] == name
