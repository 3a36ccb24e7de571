import logging
import tomllib

import numpy as np
import pytest

from triskel import Rig
from triskel.calibration.formats import load_rig, write_rig
from triskel.errors import ConfigError

BLOCK = (
    "[cameras.{0}]\ncam_id = {0}\nrotation_count = 0\nsize = [640, 480]\n"
    "matrix = [[500.0, 0.0, 320.0], [0.0, 500.0, 240.0], [0.0, 0.0, 1.0]]\ndistortions = [0.1, 0, 0, 0, 0]\n"
)
POSE = "translation = [1, 2, 3]\nrotation = [0.0, 0.0, 1.5707963267948966]\n"


def test_cameras_are_numbered_by_the_end_of_their_names(rig_of, tmp_path):
    rig = rig_of(3)
    write_rig(rig, tmp_path / "rig", format="caliscope")
    data = tomllib.loads((tmp_path / "rig").read_text())["cameras"]
    assert [(key, table["cam_id"]) for key, table in data.items()] == [("1", 1), ("2", 2), ("3", 3)]
    named = Rig(tuple(camera.replace(name=name) for camera, name in zip(rig, ("east", "west", "1"), strict=True)))
    write_rig(named, tmp_path / "rig", format="caliscope")
    assert list(tomllib.loads((tmp_path / "rig").read_text())["cameras"]) == ["0", "1", "2"]
    assert load_rig(tmp_path / "rig").names == ["east", "west", "1"]


def test_cameras_that_are_ignored_or_not_placed_are_left_out_and_named(tmp_path, caplog):
    (tmp_path / "rig").write_text(
        BLOCK.format(0) + POSE + BLOCK.format(1) + BLOCK.format(2) + POSE + "ignore = true\n" + BLOCK.format(4)
        + 'translation = "null"\nrotation = "null"\n'
    )  # fmt: skip
    with caplog.at_level(logging.WARNING):
        rig = load_rig(tmp_path / "rig")
    assert rig.names == ["cam_0"]
    np.testing.assert_allclose(rig["cam_0"].cam_from_world.apply([1.0, 0, 0]), [1, 3, 3], atol=1e-12)
    assert "1, 2, 4" in caplog.text


def test_intrinsics_alone_are_refused(tmp_path):
    (tmp_path / "rig").write_text(BLOCK.format(0) + "# rotation comes later\n")
    with pytest.raises(ConfigError, match="none of its cameras has a rotation"):
        load_rig(tmp_path / "rig")


def test_the_shared_rig_is_read(shared):
    rig = load_rig(shared / "data" / "rigs" / "charuco_4cam" / "camera_array.toml")
    assert rig.names == ["cam_0", "cam_1", "cam_2", "cam_3"]
    np.testing.assert_allclose(
        rig["cam_1"].cam_from_world.t, [-0.29266714687789375, 0.028837530720896648, 0.8219194275993559]
    )
