import json
import logging

import numpy as np
import pytest

from triskel.calibration.formats import load_rig, write_rig
from triskel.errors import ConfigError


def written(rig, path, change):
    """Write a rig, change its JSON, return its path."""
    write_rig(rig, path, format="multical")
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    return path


def relative(rig, pairs):
    """Return camera_poses of the pairs (camera, reference) as multical fills them: pose inverse(reference's)."""
    poses = {}
    for name, reference in pairs:
        one = rig[name].cam_from_world @ rig[reference].cam_from_world.inverse
        poses[f"{name}_to_{reference}"] = {"R": one.R.tolist(), "T": one.t.tolist()}
    return poses


IDENTITY = {"R": np.eye(3).tolist(), "T": [0, 0, 0]}


@pytest.mark.parametrize("pairs", [[("cam02", "cam01"), ("cam03", "cam01")], [("cam03", "cam02"), ("cam02", "cam01")]])
def test_poses_relative_to_a_master_or_in_a_chain_put_the_master_at_the_origin(pairs, rig_of, tmp_path):
    rig = rig_of(3)
    path = written(
        rig, tmp_path / "a.json", lambda data: data.update(camera_poses={"cam01": IDENTITY, **relative(rig, pairs)})
    )
    back = load_rig(path)
    for camera in rig:
        expected = camera.cam_from_world @ rig["cam01"].cam_from_world.inverse
        np.testing.assert_allclose(back[camera.name].cam_from_world.R, expected.R, atol=1e-12)
        np.testing.assert_allclose(back[camera.name].cam_from_world.t, expected.t, atol=1e-12)


def test_a_master_that_is_not_listed_is_the_origin(rig_of, tmp_path):
    rig = rig_of(2)
    poses = relative(rig, [("cam02", "cam01")])
    back = load_rig(written(rig, tmp_path / "a.json", lambda data: data.update(camera_poses=poses)))
    np.testing.assert_array_equal(back["cam01"].centre, 0)
    gap = np.linalg.norm(rig["cam01"].centre - rig["cam02"].centre)
    np.testing.assert_allclose(np.linalg.norm(back["cam02"].centre), gap)


def test_coefficients_as_a_row_are_read(rig_of, tmp_path):
    def nest(data):
        data["cameras"]["cam01"]["dist"] = [data["cameras"]["cam01"]["dist"]]

    assert len(load_rig(written(rig_of(1), tmp_path / "a.json", nest)).cameras[0].dist) == 5


def test_a_camera_without_a_pose_is_left_out_and_named(rig_of, tmp_path, caplog):
    path = written(rig_of(3), tmp_path / "a.json", lambda data: data["camera_poses"].pop("cam02"))
    with caplog.at_level(logging.WARNING):
        assert load_rig(path).names == ["cam01", "cam03"]
    assert "cam02" in caplog.text


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda data: data.pop("camera_poses"), "intrinsics only"),
        (lambda data: data["camera_poses"].update(nine=IDENTITY), "no known camera"),
        (lambda data: data["camera_poses"].update(cam02_to_cam01=IDENTITY), "two poses"),
        (
            lambda data: data.update(camera_poses={"cam01_to_cam02": IDENTITY, "cam02_to_cam01": IDENTITY}),
            "in a ring",
        ),
        (lambda data: data["cameras"]["cam01"].update(model="omni"), "lens model 'omni'"),
        (lambda data: data["cameras"]["cam01"].pop("image_size"), "image_size, K and dist"),
        (lambda data: data["camera_poses"]["cam01"].update(T=[0, 0, float("nan")]), "finite"),
        (lambda data: data["camera_poses"]["cam01"].update(R=[[1, 0, 0], [0, 1, 0], [0, 0, -1]]), "not a rotation"),
    ],
)
def test_what_is_broken_is_named(change, what, rig_of, tmp_path):
    with pytest.raises(ConfigError, match=what):
        load_rig(written(rig_of(2), tmp_path / "a.json", change))
