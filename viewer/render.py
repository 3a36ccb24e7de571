"""Pictures and videos of a scene in 3D, made without a display."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from triskel.camera import Camera, Rig
from triskel.errors import InputError, JobError
from triskel.images import write_image_bgr
from triskel.motion import Motion3D
from triskel.projection import project
from triskel.viewer import scene, solids, view
from triskel.viewer.figures import figures
from triskel.viewer.scene import Label
from triskel.viewer.solids import Mesh
from triskel.viewer.video import write_video

APT_PACKAGES = "libegl1 libgl1 libgl1-mesa-dri libusb-1.0-0"
SHADOW = (0.022, 0.027, 0.038)
FLOOR_TOLERANCE_M = 0.35
"""Shadows are drawn only where the lowest joints come this near to z = 0: else z = 0 is not the floor."""

Progress = Callable[[int, int], None]


class Stage:
    """The meshes of one motion in an Open3D visualizer; the people move, everything else stands still."""

    def __init__(self, visualizer: Any, motion: Motion3D, rig: Rig | None) -> None:  # noqa: ANN401 - Open3D is untyped
        import open3d as o3d

        self.motion, self.rig = motion, rig
        self._figures = figures(motion)
        self._visualizer = visualizer
        low = scene.people_bounds(motion)[0, 2]
        self._shadows = abs(low) < FLOOR_TOLERANCE_M
        self._people = o3d.geometry.TriangleMesh()
        still = solids.tubes(scene.surroundings(motion, rig), sides=6)
        self._still = o3d.geometry.TriangleMesh()
        _fill(self._still, still)
        people = self._mesh(0)
        _fill(self._people, people)
        self._people.triangles = o3d.utility.Vector3iVector(people.triangles)
        self._still.triangles = o3d.utility.Vector3iVector(still.triangles)
        visualizer.add_geometry(self._still)
        if len(motion.ids):
            visualizer.add_geometry(self._people)
        options = visualizer.get_render_option()
        options.background_color = np.array(scene.BACKGROUND)
        options.light_on = True
        options.mesh_show_back_face = True
        options.mesh_color_option = o3d.visualization.MeshColorOption.Color
        options.mesh_shade_option = o3d.visualization.MeshShadeOption.Color

    def _mesh(self, frame: int) -> Mesh:
        parts = []
        for one in self._figures:
            tubes = solids.tubes(one.lines(frame), sides=one.sides)
            balls = solids.spheres(one.balls(frame), rings=one.sides // 2 + 2, sides=one.sides)
            parts += [tubes, balls]
            if self._shadows and one.part != "face":  # too thin to cast one
                parts += [solids.shadow(tubes, SHADOW), solids.shadow(balls, SHADOW)]
        return solids.join(*parts)

    def show(self, frame: int) -> None:
        """Put the people where they were in `frame`."""
        if len(self.motion.ids):
            _fill(self._people, self._mesh(frame))
            self._visualizer.update_geometry(self._people)

    def look(self, camera: Camera) -> None:
        """Look through an ideal camera whose image size is the visualizer's."""
        import open3d as o3d

        parameters = o3d.camera.PinholeCameraParameters()
        w, h = camera.size_wh
        K = camera.K
        parameters.intrinsic = o3d.camera.PinholeCameraIntrinsic(w, h, K[0, 0], K[1, 1], K[0, 2], K[1, 2])
        cam_from_world = np.eye(4)
        cam_from_world[:3, :3], cam_from_world[:3, 3] = camera.cam_from_world.R, camera.cam_from_world.t
        parameters.extrinsic = cam_from_world
        control = self._visualizer.get_view_control()
        control.convert_from_pinhole_camera_parameters(parameters, allow_arbitrary=True)
        # By default the depth range follows the geometry's box, which the hidden vertices stretch.
        control.set_constant_z_near(0.05)
        control.set_constant_z_far(200.0)


def _fill(target: Any, mesh: Mesh) -> None:  # noqa: ANN401 - Open3D is untyped
    import open3d as o3d

    target.vertices = o3d.utility.Vector3dVector(mesh.vertices)
    target.vertex_normals = o3d.utility.Vector3dVector(mesh.normals)
    target.vertex_colors = o3d.utility.Vector3dVector(mesh.colours)


@contextmanager
def offscreen(size_wh: tuple[int, int]) -> Iterator[Any]:
    """Yield an Open3D visualizer of `size_wh` px that needs no display.

    Raises:
        JobError: no OpenGL context can be made; the message names the packages that help.
    """
    try:
        import open3d as o3d
    except ImportError as error:
        raise JobError(f"3D pictures need Open3D ({error}); on Debian: apt install {APT_PACKAGES}") from error
    with o3d.utility.VerbosityContextManager(o3d.utility.VerbosityLevel.Error):
        visualizer = o3d.visualization.Visualizer()
        if not visualizer.create_window(width=size_wh[0], height=size_wh[1], visible=False):
            raise JobError(
                f"3D pictures need OpenGL, and no context can be made; on Debian: apt install {APT_PACKAGES}"
            )
        try:
            yield visualizer
        finally:
            visualizer.destroy_window()


def render_frames(
    motion: Motion3D, rig: Rig | None, frames: list[int], cameras: list[Camera], *, supersample: float = 2
) -> Iterator[NDArray[np.uint8]]:
    """Yield the picture of each of `frames` through the camera beside it, (H, W, 3) uint8 RGB.

    Args:
        motion: people in 3D.
        rig: cameras to draw, or None.
        frames: frame indices.
        cameras: one ideal camera a frame, all of one image size.
        supersample: render this many times larger and average: smooth edges for time.
    """
    if not frames:
        return
    w, h = cameras[0].size_wh
    large_wh = (round(w * supersample), round(h * supersample))
    fixed = scene.camera_labels(rig) if rig is not None else []
    with offscreen(large_wh) as visualizer:
        stage = Stage(visualizer, motion, rig)
        for frame, camera in zip(frames, cameras, strict=True):
            stage.show(frame)
            stage.look(camera.resized(large_wh))
            visualizer.update_renderer()
            visualizer.poll_events()
            # Polling has drawn what was marked as changed; drawing it once more took half of all the time.
            large = np.asarray(visualizer.capture_screen_float_buffer(do_render=False))
            small = cv2.resize(large, (w, h), interpolation=cv2.INTER_AREA) if supersample > 1 else large
            image = (small * 255 + 0.5).astype(np.uint8)
            draw_labels(image, camera, [*fixed, *scene.people_labels(motion, frame)])
            yield image


def draw_labels(image_rgb: NDArray[np.uint8], camera: Camera, labels: list[Label]) -> None:
    """Write each label centred on its place in the picture, in place; those behind the camera are left out."""
    scale = max(0.4, image_rgb.shape[0] / 720 * 0.48)
    for label in labels:
        xy = project(camera, label.at)
        if not np.isfinite(xy).all():
            continue
        (w, h), _ = cv2.getTextSize(label.text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
        at = (round(float(xy[0]) - w / 2), round(float(xy[1]) + h / 2))
        for colour, thickness in ((scene.BACKGROUND, 4), (label.colour, 1)):
            rgb = [255 * value for value in colour]
            cv2.putText(image_rgb, label.text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, rgb, thickness, cv2.LINE_AA)


def view_cameras(
    motion: Motion3D, rig: Rig | None, frames: list[int], *, camera: str, size_wh: tuple[int, int]
) -> list[Camera]:
    """Return the camera for each frame.

    Args:
        motion: people in 3D.
        rig: the recording cameras, or None.
        frames: frame indices.
        camera: `orbit` circles slowly around people and cameras, `still` shows the same without moving, `people`
            circles around the people alone; any other is the name of a recording camera to look through.
        size_wh: picture size, px.

    Raises:
        InputError: the name is none of these.
    """
    if camera in ("orbit", "still", "people"):
        X = view.points_of_interest(motion, rig if camera != "people" else None)
        front = view.front_azimuth(motion)
        if camera == "still" or len(frames) == 1:
            return view.orbit(X, np.array([front]), size_wh) * len(frames)
        times = motion.time_s[frames] - motion.time_s[frames].mean()
        return view.orbit(X, front + view.ORBIT_RAD_PER_S * times, size_wh)
    if rig is None or camera not in rig.names:
        names = ", ".join(["orbit", "still", "people", *(rig.names if rig is not None else [])])
        raise InputError(f"no view is called {camera!r}; there are {names}")
    recording = rig[camera]
    scale = min(size_wh[0] / recording.size_wh[0], size_wh[1] / recording.size_wh[1])
    K = recording.K * scale
    K[0, 1], K[2] = 0, (0, 0, 1)
    # Open3D's windows have their principal point in the middle, so the view is that camera's up to a small shift.
    K[:2, 2] = size_wh[0] / 2 - 0.5, size_wh[1] / 2 - 0.5
    one = Camera(name=camera, size_wh=size_wh, K=K, dist=np.zeros(0), cam_from_world=recording.cam_from_world)
    return [one] * len(frames)


def _drawn_rig(rig: Rig | None, camera: str) -> Rig | None:
    """Return the rig to draw: none in the close view, where the frusta would stand in front of the people."""
    return None if camera == "people" else rig


def render_image(
    motion: Motion3D,
    rig: Rig | None,
    path: str | Path,
    *,
    frame: int | None = None,
    size_wh: tuple[int, int] = (1280, 720),
    camera: str = "orbit",
) -> None:
    """Write one frame as PNG.

    Args:
        motion: people in 3D.
        rig: cameras to draw, or None.
        path: the `.png` file.
        frame: frame index; None takes the one with the most joints, the nearest to the middle of the recording.
        size_wh: picture size, px.
        camera: see `view_cameras`.

    Raises:
        InputError: the motion has no frame, or no such one, or the view is unknown.
        JobError: no OpenGL context can be made, or the picture cannot be written.
    """
    F = len(motion.time_s)
    if F == 0:
        raise InputError(f"{path}: nothing to draw, the motion has no frames")
    if frame is None:
        found = motion.found.sum(axis=(1, 2))
        best = np.flatnonzero(found == found.max())
        frame = int(best[np.abs(best - F // 2).argmin()])
    if not 0 <= frame < F:
        raise InputError(f"{path}: there is no frame {frame}; the motion has 0 to {F - 1}")
    cameras = view_cameras(motion, rig, [frame], camera=camera, size_wh=size_wh)
    (image,) = render_frames(motion, _drawn_rig(rig, camera), [frame], cameras)
    write_image_bgr(Path(path), np.ascontiguousarray(image[..., ::-1]))


def render_video(
    motion: Motion3D,
    rig: Rig | None,
    path: str | Path,
    *,
    size_wh: tuple[int, int] = (1280, 720),
    fps: float | None = None,
    camera: str = "orbit",
    supersample: float = 1.5,
    progress: Progress | None = None,
) -> int:
    """Write all frames as an H.264 video.

    Args:
        motion: people in 3D.
        rig: cameras to draw, or None.
        path: the `.mp4` file.
        size_wh: picture size, px.
        fps: pictures a second; None takes the motion's own rate, 30 for a single frame.
        camera: see `view_cameras`.
        supersample: 1 for speed, 2 for the smoothest edges, at half as much time again.
        progress: called with (frames done, frames in all).

    Returns:
        The number of frames written.

    Raises:
        InputError: the motion has no frame, or the view is unknown.
        JobError: no OpenGL context can be made, or the encoder failed.
    """
    frames = list(range(len(motion.time_s)))
    rate = fps if fps is not None else motion.fps if np.isfinite(motion.fps) else 30.0
    cameras = view_cameras(motion, rig, frames, camera=camera, size_wh=size_wh) if frames else []

    pictures = render_frames(motion, _drawn_rig(rig, camera), frames, cameras, supersample=supersample)

    def counted() -> Iterator[NDArray[np.uint8]]:
        for done, image in enumerate(pictures, start=1):
            yield image
            if progress is not None:
                progress(done, len(frames))

    return write_video(path, counted(), fps=rate)
