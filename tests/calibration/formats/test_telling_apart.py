import logging
import shutil

import numpy as np
import pytest

from triskel.calibration.formats import FORMATS, format_of_name, load_rig, write_rig
from triskel.errors import ConfigError


@pytest.mark.parametrize("name", list(FORMATS))
def test_what_one_format_writes_no_other_claims(name, rig_of, tmp_path):
    write_rig(rig_of(3), tmp_path / "rig", format=name)
    assert [other for other, one in FORMATS.items() if one.can_read(tmp_path / "rig")] == [name]


def test_a_folder_of_two_formats_is_refused_until_one_is_named(rig_of, tmp_path):
    write_rig(rig_of(2), tmp_path / "rig", format="openpose")
    write_rig(rig_of(3), tmp_path / "easy", format="easymocap")
    for file in (tmp_path / "easy").iterdir():
        shutil.copy(file, tmp_path / "rig")
    with pytest.raises(ConfigError, match=r"looks like openpose and easymocap.*--from openpose"):
        load_rig(tmp_path / "rig")
    assert len(load_rig(tmp_path / "rig", format="openpose")) == 2
    assert len(load_rig(tmp_path / "rig", format="easymocap")) == 3


def test_a_toml_of_two_kinds_of_tables_is_refused(rig_of, tmp_path):
    write_rig(rig_of(1), tmp_path / "a", format="toml")
    write_rig(rig_of(1), tmp_path / "b", format="caliscope")
    (tmp_path / "rig").write_text((tmp_path / "a").read_text() + (tmp_path / "b").read_text())
    with pytest.raises(ConfigError, match="looks like toml and caliscope"):
        load_rig(tmp_path / "rig")


def test_a_format_that_is_named_wrongly_says_what_it_missed(rig_of, tmp_path):
    write_rig(rig_of(1), tmp_path / "rig", format="toml")
    for name in set(FORMATS) - {"toml"}:
        with pytest.raises(ConfigError) as caught:
            load_rig(tmp_path / "rig", format=name)
        assert str(tmp_path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_millimetres_are_warned_of_and_can_be_said(rig_of, tmp_path, caplog):
    write_rig(rig_of(4, radius=3000.0), tmp_path / "rig.toml", format="toml")
    with caplog.at_level(logging.WARNING):
        load_rig(tmp_path / "rig.toml")
    assert "millimetres" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        rig = load_rig(tmp_path / "rig.toml", unit="mm")
    assert not caplog.records
    np.testing.assert_allclose(np.linalg.norm(rig.cameras[0].centre[:2]), 3.0, rtol=1e-9)


def test_an_unknown_unit_lists_the_known_ones(rig_of, tmp_path):
    write_rig(rig_of(1), tmp_path / "rig")
    with pytest.raises(ConfigError, match="m, cm, mm"):
        load_rig(tmp_path / "rig", unit="ft")


def test_a_rig_of_usual_size_is_not_warned_of(rig_of, tmp_path, caplog):
    write_rig(rig_of(4, radius=20.0), tmp_path / "rig")
    with caplog.at_level(logging.WARNING):
        load_rig(tmp_path / "rig")
    assert not caplog.records


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("rig.yaml", "native"),
        ("rig.YML", "native"),
        ("a.toml", "toml"),
        ("Calib.qca.txt", "qualisys"),
        ("a.xml", "opencv"),
    ],
)
def test_a_suffix_says_the_format(file, name):
    assert format_of_name(file) == name


def test_a_suffix_of_two_formats_asks_which():
    with pytest.raises(ConfigError, match=r"multical or nerfstudio.*--to"):
        format_of_name("rig.json")


def test_no_suffix_lists_all_formats():
    with pytest.raises(ConfigError, match=", ".join(FORMATS)):
        format_of_name("folder")


HOLD_VECTORS = ("native", "toml", "caliscope", "colmap")
"""Formats of rotation vectors or quaternions, which cannot be mirrored."""


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in HOLD_VECTORS])
def test_a_mirrored_rotation_is_refused(name, rig_of, tmp_path):
    """Every format that holds a matrix; a rotation vector cannot be mirrored."""
    path = tmp_path / "rig"
    rig = rig_of(1)
    write_rig(rig, path, format=name)
    R = rig.cameras[0].cam_from_world.R
    file = {"openpose": path / "cam01.xml", "easymocap": path / "extri.yml"}.get(name, path)
    text = file.read_text()
    # Each of these formats writes its matrix row by row: change the sign of one whole row.
    row = {"nerfstudio": R.T[2] * (1, -1, -1), "qualisys": R[0]}.get(name, R[0])
    for value in row.tolist():
        assert repr(value) in text
        text = text.replace(repr(value), repr(-value))
    file.write_text(text)
    with pytest.raises(ConfigError, match="not a rotation"):
        load_rig(path)
