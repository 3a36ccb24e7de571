import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from triskel import Camera, InputError, JobError, Motion3D, Rig, project
from triskel.projection import project_rig
from triskel.skeleton import make_skeleton
from triskel.tables import missing_points
from triskel.viewer import figures, overlay, render, report, scene, solids, summary, video, view, window

STICK = make_skeleton("stick", ("A", "B", "C"), ((0, 1), (1, 2)), ((255, 0, 0), (0, 255, 0), (0, 0, 255)))


def make_rig(names=("left", "right")):
    K = np.array([[700.0, 0, 320], [0, 700, 240], [0, 0, 1]])
    eyes = ((4.0, -1.0, 1.6), (1.0, 4.0, 1.6))
    made = [view.camera_at(eye, np.array((0, 0, 1.0)) - eye, (640, 480)) for eye in eyes]
    return Rig(
        tuple(
            Camera(name=n, size_wh=(640, 480), K=K, cam_from_world=c.cam_from_world)
            for n, c in zip(names, made, strict=True)
        )
    )


def make_motion(F=4, N=1, cameras=("left", "right")):
    points = missing_points((F, N, 3), 2)
    points.X[:] = np.array([[0, 0, 0.1], [0, 0, 1.0], [0, 0.7, 1.5]])
    points.X[..., 0] += 0.1 * np.arange(F)[:, None, None] + np.arange(N)[:, None]
    points.score[:], points.views[:] = 1, True
    return Motion3D(STICK, cameras, np.arange(F) / 25, np.arange(N) + 1, points, np.zeros((F, N, 3), bool))


@pytest.fixture(scope="module")
def picture():
    pytest.importorskip("open3d", exc_type=ImportError)
    motion, rig = make_motion(), make_rig()
    cameras = render.view_cameras(motion, rig, [1], camera="still", size_wh=(640, 360))
    try:
        first, second = (next(iter(render.render_frames(motion, rig, [1], cameras))) for _ in range(2))
    except JobError as error:
        pytest.skip(str(error))
    return motion, cameras[0], first, second


def test_limbs_appear_in_their_colours_where_they_project(picture):
    motion, camera, image, _ = picture
    for (a, b), channel in zip(STICK.limbs, (1, 2), strict=True):
        x, y = np.round(project(camera, motion.points.X[1, 0, [a, b]].mean(axis=0))).astype(int)
        r = image[y - 2 : y + 3, x - 2 : x + 3].reshape(-1, 3).astype(int)
        others = [c for c in range(3) if c != channel]
        assert (r[:, channel] > 100).any()
        assert (r[:, channel] - r[:, others].max(axis=1)).max() > 60


def test_rendering_is_reproducible_to_the_byte(picture):
    np.testing.assert_array_equal(picture[2], picture[3])


def test_each_picture_is_of_its_own_frame_and_camera(picture):
    """What is drawn once must not be of the frame, or through the camera, before."""
    motion, rig = make_motion(), make_rig()
    cameras = render.view_cameras(motion, rig, [0, 3], camera="orbit", size_wh=(320, 180))
    pairs = [(0, 0), (3, 0), (3, 1), (0, 0)]
    together = [*render.render_frames(motion, rig, [f for f, _ in pairs], [cameras[c] for _, c in pairs])]
    for (frame, c), image in zip(pairs, together, strict=True):
        alone = next(iter(render.render_frames(motion, rig, [frame], [cameras[c]])))
        assert np.abs(image.astype(int) - alone).max() <= 40
        assert (image != alone).any(axis=-1).mean() < 1e-3
    assert (together[0] != together[1]).any(axis=-1).mean() > 0.002
    assert (together[1] != together[2]).any(axis=-1).mean() > 0.002


def test_the_view_moves_where_there_is_nobody(picture):
    """Nothing in the scene has changed then, yet it is to be drawn anew."""
    motion = make_motion(N=0)
    cameras = [make_rig()[name] for name in ("left", "right")]
    together = [*render.render_frames(motion, None, [0, 1, 2], [cameras[c] for c in (0, 1, 0)])]
    np.testing.assert_array_equal(together[2], together[0])
    assert (together[0] != together[1]).any(axis=-1).mean() > 0.001


def test_rendered_video_has_every_frame_at_the_asked_size(picture, tmp_path):
    import av

    calls = []
    path = tmp_path / "v.mp4"
    render.render_video(
        make_motion(), make_rig(), path, size_wh=(320, 180), progress=lambda done, total: calls.append((done, total))
    )
    with av.open(str(path)) as file:
        images = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
        assert float(file.streams.video[0].average_rate) == 25
    assert [image.shape for image in images] == [(180, 320, 3)] * 4
    assert calls == [(i, 4) for i in range(1, 5)]


@pytest.mark.parametrize("size_wh", [(1280, 720), (720, 1280)])
def test_the_view_keeps_people_and_cameras_inside_the_picture(size_wh):
    motion, rig = make_motion(F=20, N=2), make_rig()
    X = view.points_of_interest(motion, rig)
    for camera in render.view_cameras(motion, rig, list(range(20)), camera="orbit", size_wh=size_wh):
        xy = project(camera, X)
        assert (xy >= 0).all()
        assert (xy < size_wh).all()


def test_an_unknown_view_lists_the_known():
    with pytest.raises(InputError, match="orbit, still, people, left, right"):
        render.view_cameras(make_motion(), make_rig(), [0], camera="top", size_wh=(64, 64))


def test_a_limb_with_a_missing_end_is_not_drawn_and_its_mesh_keeps_its_size():
    motion = make_motion()
    (body,) = figures.figures(motion)
    full = solids.tubes(body.lines(0))
    motion.points.X[0, 0, 2] = np.nan
    lines = body.lines(0)
    assert np.isnan(lines.ends[1]).all()
    assert np.isfinite(lines.ends[0]).all()
    mesh = solids.tubes(lines)
    assert mesh.vertices.shape == full.vertices.shape
    assert np.ptp(mesh.vertices[len(mesh.vertices) // 2 :], axis=0).max() == 0


def test_tubes_lie_at_their_radius_around_the_segment():
    ends = np.array([[[0, 0, 0], [0, 0, 2.0]]])
    mesh = solids.tubes(scene.Lines(ends, np.ones((1, 3)), np.array([0.3])))
    np.testing.assert_allclose(np.linalg.norm(mesh.vertices[:, :2], axis=1), 0.3, atol=1e-12)


def test_interpolated_joints_are_dimmer():
    motion = make_motion()
    bright = figures.joint_colours(motion, 0, np.arange(3))
    motion.gap[0, 0, 1] = True
    assert figures.joint_colours(motion, 0, np.arange(3))[0, 1].sum() < 0.6 * bright[0, 1].sum()


def test_frustum_corners_project_to_the_image_corners():
    camera = make_rig()["left"]
    xy = project(camera, scene.camera_corners(camera, 0.5))
    np.testing.assert_allclose(xy, [[-0.5, -0.5], [639.5, -0.5], [639.5, 479.5], [-0.5, 479.5]], atol=1e-9)


def test_video_drops_the_odd_row_and_leaves_nothing_behind_on_error(tmp_path):
    import av

    path = tmp_path / "v.mp4"
    assert video.write_video(path, [np.zeros((61, 81, 3), np.uint8)] * 3, fps=29.97) == 3
    with av.open(str(path)) as file:
        assert [(f.width, f.height) for f in file.decode(video=0)] == [(80, 60)] * 3
    with pytest.raises(InputError, match="at least one frame"):
        video.write_video(tmp_path / "w.mp4", [], fps=30)
    assert [p.name for p in tmp_path.iterdir()] == ["v.mp4"]


def test_a_video_of_a_single_pixel_s_width_is_refused(tmp_path):
    with pytest.raises(InputError, match="a video is of 2 x 2 px or more, got 1 x 3"):
        video.write_video(tmp_path / "v.mp4", [np.zeros((3, 1, 3), np.uint8)], fps=10)
    assert not list(tmp_path.iterdir())


def test_overlay_puts_limbs_on_their_shrunk_positions_and_leaves_the_input_alone():
    image = np.full((800, 1000, 3), 90, np.uint8)
    xy = np.array([[[200.0, 100], [600, 100], [600, 500]]])
    out = overlay.overlay_image(image, xy, None, STICK, max_width_px=500)
    assert out.shape == (400, 500, 3)
    assert out[50, 200].tolist() == [0, 255, 0]
    assert out[150, 300].tolist() == [0, 0, 255]
    assert (image == 90).all()


def test_missing_and_far_joints_are_not_drawn():
    image = np.zeros((100, 100, 3), np.uint8)
    overlay.draw_people(image, np.array([[[np.nan, np.nan], [np.nan, 5], [1e12, 5]]]), STICK)
    assert not image.any()


def test_summary_reports_the_known_error_of_the_views_used():
    motion, rig = make_motion(), make_rig()
    xy = np.moveaxis(project_rig(rig, motion.points.X), 0, 1)
    observed = np.concatenate([xy + np.array([3, 4]), np.ones((*xy.shape[:-1], 1))], axis=-1)
    motion.points.views[:, :, 0, 1] = False
    motion.gap[0, 0, 2] = True
    got = summary.summarise(motion, rig, observed=observed, stage_seconds={"detect": 1.5})
    assert [c.points for c in got.cameras] == [11, 7]
    assert got.cameras[0].median_px == pytest.approx(5)
    assert got.limbs[0].mean_cm == pytest.approx(90)
    assert got.limbs[0].variation_percent == pytest.approx(0, abs=1e-6)
    assert got.joints[2].gap_percent == 25
    assert got.duration_s == pytest.approx(4 / 25)


def test_the_report_escapes_names_and_asks_no_other_host(tmp_path):
    names = ("<script>alert(1)</script>", "b")
    motion, rig = make_motion(cameras=names), make_rig(names)
    observed = np.full((4, 2, 1, 3, 3), np.nan)
    got = summary.summarise(motion, rig, observed=observed, stage_seconds={}, warnings=["a < b"])
    cv2.imwrite(str(tmp_path / "p.png"), np.zeros((4, 4, 3), np.uint8))
    page = report.write_report(
        tmp_path, got, title="T & U", pictures={"3D": tmp_path / "p.png"}, files=[tmp_path / "p.png"]
    ).read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "http" not in page
    assert 'href="p.png"' in page
    assert "data:image/png;base64," in page
    assert "warning         a < b" in (tmp_path / "summary.txt").read_text()


def test_playback_wraps_steps_and_pauses():
    play = window.Playback(frames=10, fps=5.0)
    assert play.advance(2.1).loops == 1
    assert play.advance(1.0).frame == 5
    assert play.step(-1).frame == 9
    assert play.toggle().advance(1.0).frame == 0


def test_no_display_is_said_in_one_line(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(JobError, match="no display"):
        window.show(make_motion())


@pytest.mark.skipif(shutil.which("xvfb-run") is None, reason="needs xvfb-run (apt: xvfb xauth)")
def test_a_window_plays_its_rounds_and_closes(tmp_path):
    pytest.importorskip("open3d", exc_type=ImportError)
    script = tmp_path / "play.py"
    script.write_text(
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_viewer import make_motion, make_rig\nfrom triskel.viewer import show\n"
        "assert show(make_motion(F=25), make_rig(), size_wh=(320, 180), max_loops=1) > 5\n"
    )
    command = ["xvfb-run", "-a", "-s", "-screen 0 640x480x24", sys.executable, str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
