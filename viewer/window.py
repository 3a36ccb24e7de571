"""Playback in a window: keys to play, step, reset and quit."""

import logging
import os
import sys
import time
from dataclasses import dataclass, replace
from typing import Any, Self

from triskel.camera import Rig
from triskel.errors import InputError, JobError
from triskel.motion import Motion3D
from triskel.viewer.render import APT_PACKAGES, Stage, view_cameras

logger = logging.getLogger(__name__)

HELP = "space play or pause, left and right one frame, r reset the view, h this help, q quit"
KEY_RIGHT, KEY_LEFT = 262, 263
"""GLFW's key codes."""


@dataclass(frozen=True)
class Playback:
    """Where playback stands: `position` in frames (fractional while playing), of `frames`, at `fps`."""

    frames: int
    fps: float
    position: float = 0.0
    playing: bool = True
    loops: int = 0

    @property
    def frame(self) -> int:
        """Return the frame to show."""
        return int(self.position)

    def advance(self, seconds: float) -> Self:
        """Return the playback `seconds` later; after the last frame it starts over and counts a loop."""
        if not self.playing:
            return self
        position = self.position + seconds * self.fps
        return replace(self, position=position % self.frames, loops=self.loops + int(position // self.frames))

    def step(self, frames: int) -> Self:
        """Return the playback paused, `frames` on or back, around the ends."""
        return replace(self, position=float((self.frame + frames) % self.frames), playing=False)

    def toggle(self) -> Self:
        """Return the playback paused if it plays, playing if not."""
        return replace(self, playing=not self.playing)


def has_display() -> bool:
    """Return whether a window can be expected to open: always outside Linux, by the environment on it."""
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def show(
    motion: Motion3D,
    rig: Rig | None = None,
    *,
    size_wh: tuple[int, int] = (1280, 720),
    speed: float = 1.0,
    max_loops: int | None = None,
) -> int:
    """Play a motion in a window until it is closed; the mouse turns, moves and zooms the view.

    Args:
        motion: people in 3D.
        rig: cameras to draw, or None.
        size_wh: of the window, px.
        speed: 1 is real time.
        max_loops: close after so many rounds; None plays on.

    Returns:
        How many times the picture was drawn.

    Raises:
        InputError: the motion has no frames, or `speed` is not positive.
        JobError: there is no display, or no window can be opened on it.
    """
    if not len(motion.time_s) or not speed > 0:
        raise InputError(f"playback needs frames and a positive speed, got {len(motion.time_s)} and {speed}")
    if not has_display():
        raise JobError(
            "no display to open a window on (DISPLAY is not set); have it drawn into a file instead: "
            "--render FILE.mp4 for a session, --png FILE.png for a rig"
        )
    try:
        import open3d as o3d
    except ImportError as error:
        raise JobError(f"the window needs Open3D ({error}); on Debian: apt install {APT_PACKAGES}") from error
    rate = motion.fps if motion.fps > 0 else 1.0
    with o3d.utility.VerbosityContextManager(o3d.utility.VerbosityLevel.Error):
        window = o3d.visualization.VisualizerWithKeyCallback()
        if not window.create_window("triskel", size_wh[0], size_wh[1]):
            raise JobError("the display refuses a window with OpenGL; write a video instead: --render FILE.mp4")
        try:
            return _Player(window, motion, rig, size_wh, Playback(len(motion.time_s), rate * speed)).run(max_loops)
        finally:
            window.destroy_window()


class _Player:
    """The loop of an open window; keys replace its `playback`."""

    def __init__(
        self,
        window: Any,  # noqa: ANN401 - Open3D is untyped
        motion: Motion3D,
        rig: Rig | None,
        size_wh: tuple[int, int],
        playback: Playback,
    ) -> None:
        self.window, self.playback, self.closing = window, playback, False
        self.stage = Stage(window, motion, rig)
        self.camera = view_cameras(motion, rig, [0], camera="still", size_wh=size_wh)[0]
        self.stage.look(self.camera)
        keys = {ord(" "): self._toggle, ord("R"): self._reset, ord("Q"): self._quit, ord("H"): self._help}
        keys |= {KEY_RIGHT: self._forward, KEY_LEFT: self._back}
        for key, action in keys.items():
            window.register_key_callback(key, action)
        self._help(window)

    def run(self, max_loops: int | None) -> int:
        """Draw until the window is closed or the rounds are played; return how many pictures were drawn."""
        drawn, shown, last = 0, -1, time.monotonic()
        while not self.closing and (max_loops is None or self.playback.loops < max_loops):
            now = time.monotonic()
            self.playback, last = self.playback.advance(now - last), now
            if self.playback.frame != shown:
                shown = self.playback.frame
                self.stage.show(shown)
            if not self.window.poll_events():
                break
            self.window.update_renderer()
            drawn += 1
        return drawn

    # Open3D hands the window to each callback; what they return says whether the geometry must be redrawn.
    def _toggle(self, _window: Any) -> bool:  # noqa: ANN401
        self.playback = self.playback.toggle()
        return False

    def _forward(self, _window: Any) -> bool:  # noqa: ANN401
        self.playback = self.playback.step(1)
        return False

    def _back(self, _window: Any) -> bool:  # noqa: ANN401
        self.playback = self.playback.step(-1)
        return False

    def _reset(self, _window: Any) -> bool:  # noqa: ANN401
        self.stage.look(self.camera)
        return False

    def _quit(self, _window: Any) -> bool:  # noqa: ANN401
        self.closing = True
        return False

    def _help(self, _window: Any) -> bool:  # noqa: ANN401
        logger.info("keys: %s", HELP)
        return False
