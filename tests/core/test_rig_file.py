import numpy as np
import pytest
import yaml

from triskel import ConfigError, Rig, Rigid, load_rig, save_rig
from triskel.projection import project


@pytest.fixture
def rig(camera_of):
    return Rig(
        (
            camera_of(name="left", n=14, size_wh=(1920, 1080)),
            camera_of(name="right", n=0, cam_from_world=Rigid.from_rotvec([0.0, np.pi - 1e-3, 0.1], [1 / 3, 0, 2])),
            camera_of("fisheye", name="wide"),
        )
    )


@pytest.fixture
def data(rig, tmp_path):
    save_rig(rig, tmp_path / "good.yaml")
    return yaml.safe_load((tmp_path / "good.yaml").read_text())


def test_a_rig_returns_from_its_file_as_it_was(rig, in_front, tmp_path):
    save_rig(rig, tmp_path / "rig.yaml")
    back = load_rig(tmp_path / "rig.yaml")
    assert back.names == rig.names
    for old, new in zip(rig, back, strict=True):
        assert (new.size_wh, new.model) == (old.size_wh, old.model)
        np.testing.assert_array_equal(new.K, old.K)
        np.testing.assert_array_equal(new.dist, old.dist)
        np.testing.assert_allclose(new.cam_from_world.R, old.cam_from_world.R, rtol=0, atol=1e-12)
        np.testing.assert_allclose(new.cam_from_world.t, old.cam_from_world.t, rtol=0, atol=1e-12)
        X = in_front(old)
        np.testing.assert_allclose(project(new, X), project(old, X), rtol=0, atol=1e-9)


def edit(data, *path, value):
    for key in path[:-1]:
        data = data[key]
    data[path[-1]] = value


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("cameras", 1, "focal"), 5, "cameras.1.focal"),
        (("units",), "m", "units"),
        (("version",), 2, "version"),
        (("cameras", 0, "K"), [[1, 2, 3]], "cameras.0.K"),
        (("cameras", 2, "cam_from_world", "t"), [1, 2], "cameras.2.cam_from_world.t"),
        (("cameras", 0, "model"), "brown", "cameras.0.model"),
        (("cameras", 0, "dist"), [0.1], "'left'.*coefficients"),
        (("cameras", 1, "name"), "left", "got twice: left"),
        (("cameras",), [], "at least one camera"),
    ],
)
def test_a_mistake_in_a_rig_file_is_named_by_its_key(data, tmp_path, path, value, words):
    edit(data, *path, value=value)
    file = tmp_path / "bad.yaml"
    file.write_text(yaml.safe_dump(data))
    with pytest.raises(ConfigError, match=words) as caught:
        load_rig(file)
    assert "\n" not in str(caught.value)


def test_a_missing_key_is_named(data, tmp_path):
    del data["cameras"][1]["size_wh"]
    (tmp_path / "bad.yaml").write_text(yaml.safe_dump(data))
    with pytest.raises(ConfigError, match=r"cameras\.1\.size_wh: Field required"):
        load_rig(tmp_path / "bad.yaml")


def test_saving_a_rig_replaces_the_file_and_leaves_nothing_beside_it(rig, tmp_path):
    file = tmp_path / "rig.yaml"
    file.write_text("old")
    save_rig(rig, file)
    assert load_rig(file).names == rig.names
    assert list(tmp_path.iterdir()) == [file]
