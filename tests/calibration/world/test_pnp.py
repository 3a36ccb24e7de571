import numpy as np
import pytest

from triskel import project
from triskel.calibration.world import ScenePoint, place_cameras
from triskel.errors import ConfigError, InputError
from triskel.rigid import Rigid

PLACES = np.array(
    [
        [0, 0, 0],
        [1, 0, 0.2],
        [0, 1, 0],
        [0.5, 0.5, 1.4],
        [-0.8, 0.3, 0.9],
        [0.2, -0.9, 0.4],
        [-0.5, -0.5, 1.2],
        [0.7, 0.6, 0],
    ]
)
FLAT = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0], [0.4, -0.7, 0]])


def points_of(rig, places, noise_px=0.0):
    rng = np.random.default_rng(2)
    return [
        ScenePoint(f"p{i}", tuple(X), {c.name: tuple(project(c, X) + rng.normal(0, 1, 2) * noise_px) for c in rig})
        for i, X in enumerate(places)
    ]


def lost(rig):
    return [camera.replace(cam_from_world=Rigid.identity()) for camera in rig]


@pytest.mark.parametrize("places", [PLACES, PLACES[:6], FLAT, FLAT[:4]])
@pytest.mark.parametrize("model", ["pinhole", "fisheye"])
def test_cameras_are_found_exactly_from_exact_points(rig_of, places, model):
    rig = rig_of(
        model=model, dist=(-0.1, 0.05, 0.001, -0.0005, 0.01) if model == "pinhole" else (0.02, -0.01, 0.0, 0.0)
    )
    placed = place_cameras(lost(rig), points_of(rig, places))
    for found, true in zip(placed.rig, rig, strict=True):
        np.testing.assert_allclose(found.centre, true.centre, atol=1e-4)
        np.testing.assert_allclose(found.cam_from_world.R, true.cam_from_world.R, atol=1e-4)
    assert (placed.rms_px < 0.01).all()
    assert placed.messages == ()


def test_point_picked_wrongly_in_one_camera_is_left_out_there_alone(rig):
    points = points_of(rig, PLACES, noise_px=0.5)
    px = dict(points[4].px)
    px["cam02"] = (px["cam02"][0] + 60, px["cam02"][1] - 40)
    points[4] = points[4]._replace(px=px)
    placed = place_cameras(lost(rig), points)
    assert np.argwhere(~placed.kept).tolist() == [[1, 4]]
    assert placed.residual_px[1, 4] == pytest.approx(72, abs=5)
    np.testing.assert_allclose(placed.rig["cam02"].centre, rig["cam02"].centre, atol=0.02)
    assert any(message.startswith("cam02: p4 left out") for message in placed.messages)


def test_wrong_intrinsics_show_in_the_residuals(rig):
    wrong = [camera.replace(K=camera.K * np.array([[1.2, 1, 1], [1, 0.9, 1], [1, 1, 1]])) for camera in lost(rig)]
    placed = place_cameras(wrong[:1], points_of(rig.select(["cam01"]), PLACES))
    assert any("intrinsics" in message for message in placed.messages)


def test_too_few_points_and_points_on_a_line_are_refused(rig):
    for places, message in [
        (PLACES[:5], "5 scene points, 6 are needed"),
        (FLAT[:3], "3 scene points"),
        (PLACES[:0], "0 scene points"),
        (np.array([[x, 0, 0] for x in np.linspace(0, 1, 8)]), "on one line"),
    ]:
        with pytest.raises(InputError, match=message):
            place_cameras(lost(rig), points_of(rig, places))
    with pytest.raises(ConfigError, match="no camera 'cam09'"):
        place_cameras(lost(rig), [ScenePoint("a", (0, 0, 0), {"cam09": (1, 2)})])
    with pytest.raises(ConfigError, match="far outside"):
        place_cameras(lost(rig), [ScenePoint("a", (0, 0, 0), {"cam01": (1e6, 2)})])
