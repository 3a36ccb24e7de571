import cv2
import numpy as np
import pytest

from triskel import Camera, Rig
from triskel.rigid import Rigid
from triskel.viewer.rig_picture import (
    Extent,
    draw_rig,
    extent_of,
    nice_step_m,
    seen_at,
    still_motion,
    write_rig_picture,
)


def look_at(centre, target=(0, 0, 1.0)):
    centre, target = np.asarray(centre, float), np.asarray(target, float)
    z = (target - centre) / np.linalg.norm(target - centre)
    x = np.cross(z, [0, 0, 1.0])
    x /= np.linalg.norm(x)
    R = np.stack([x, np.cross(z, x), z])
    return Rigid(R, -R @ centre)


def ring(n, *, radius=3.0, height=2.0, target=(0, 0, 1.0), dist=(), model="pinhole"):
    K = np.array([[900.0, 0, 639.5], [0, 900, 359.5], [0, 0, 1]])
    angles = 2 * np.pi * np.arange(n) / n
    centres = np.c_[radius * np.cos(angles), radius * np.sin(angles), np.full(n, height)]
    return Rig(
        tuple(
            Camera(
                name=f"cam{i}",
                size_wh=(1280, 720),
                K=K,
                dist=np.array(dist),
                model=model,
                cam_from_world=look_at(c, target),
            )
            for i, c in enumerate(centres)
        )
    )


def texts(figure):
    return [text.get_text() for ax in figure.axes for text in ax.texts]


@pytest.mark.parametrize("n", [1, 2, 4, 16])
def test_every_camera_is_named_and_the_cameras_are_in_the_picture(n):
    rig = ring(n)
    figure = draw_rig(rig)
    above = figure.axes[0]
    assert set(rig.names) <= {text.get_text() for text in above.texts}
    (left, right), (bottom, top) = above.get_xlim(), above.get_ylim()
    for camera in rig:
        assert left < camera.centre[0] < right
        assert bottom < camera.centre[1] < top


@pytest.mark.parametrize("radius", [0.2, 3.0, 30.0, 4000.0])
def test_rigs_of_any_size_are_drawn_with_a_round_grid(radius, tmp_path):
    write_rig_picture(ring(4, radius=radius, height=radius / 2, target=(0, 0, radius / 8)), tmp_path / "rig.png")
    image = cv2.imread(str(tmp_path / "rig.png"))
    assert image.shape[1] == 1690
    assert (image < 128).any(axis=-1).mean() > 0.002
    step = next(float(text.split()[1]) for text in texts(draw_rig(ring(4, radius=radius))) if "grid" in text)
    assert 2 * radius / 14 < step < 2 * radius


def test_a_rig_in_its_first_cameras_frame_is_drawn():
    (a, b) = ring(2).cameras
    rig = Rig(
        (
            a.replace(cam_from_world=Rigid.identity()),
            b.replace(cam_from_world=Rigid(np.eye(3), np.array([-0.12, 0, 0]))),
        )
    )
    extent = extent_of(rig)
    width, depth = (extent.high - extent.low)[:2]
    assert depth > 0.5 * width  # two cameras side by side are no line
    assert len(draw_rig(rig).axes) == 3


def test_cameras_in_one_place_are_drawn_with_names_apart():
    rig = ring(1)
    rig = Rig(tuple(rig.cameras[0].replace(name=name) for name in ("a", "b", "c")))
    places = [text.get_position() for text in draw_rig(rig).axes[0].texts if text.get_text() in "abc"]
    assert len(set(places)) == 3


def test_the_area_that_cameras_share_is_measured():
    """A camera 10 m up sees 1280/900 x 10 by 720/900 x 10 m of the floor; another one, 5 m along, half of that."""
    K = np.array([[900.0, 0, 639.5], [0, 900, 359.5], [0, 0, 1]])
    down = np.diag([1.0, -1, -1])
    cameras = [
        Camera(
            name=str(x),
            size_wh=(1280, 720),
            K=K,
            dist=np.zeros(0),
            cam_from_world=Rigid(down, -down @ np.array([x, 0, 10.0])),
        )
        for x in (0.0, 7.1111)
    ]
    extent = Extent(np.array([-12.0, -12, 0]), np.array([20.0, 20, 10]), 0.0)
    seen = seen_at(Rig(tuple(cameras)), extent)
    both = (1280 / 900 * 10 - 7.1111) * 720 / 900 * 10
    assert seen.area2_m2 == pytest.approx(both, rel=0.05)
    assert seen.area3_m2 == 0
    assert seen.cameras.max() == 2


def test_coverage_is_at_body_height_for_rooms_and_where_they_look_for_tables():
    assert extent_of(ring(4)).height_m == 1.0
    assert extent_of(ring(4, radius=0.3, height=0.2, target=(0, 0, 0.05))).height_m == pytest.approx(0.05, abs=1e-6)


def test_a_fisheye_camera_is_drawn():
    figure = draw_rig(ring(3, dist=(0.1, 0.01, 0, 0), model="fisheye"))
    assert "cam2" in texts(figure)


def test_grid_steps_are_1_2_or_5_times_a_power_of_ten():
    for size in np.geomspace(0.01, 1e5, 60):
        step = nice_step_m(size)
        assert size / step * (1 + 1e-9) >= 5
        assert size / step <= 12.6
        assert round(step / 10 ** np.floor(np.log10(step * (1 + 1e-9)))) in (1, 2, 5)


def test_the_same_rig_gives_the_same_picture(tmp_path):
    for name in ("a.png", "b.png"):
        write_rig_picture(ring(3), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_window_can_show_a_rig_without_people():
    motion = still_motion()
    assert len(motion.time_s) == 1
    assert not motion.found.any()
