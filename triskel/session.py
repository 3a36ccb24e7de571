"""A recorded session on disk: one folder, documented files, each written atomically.

SESSION/
  session.yaml          cameras, nominal fps, sync method, software version, what ran with which settings
  rig.yaml              the calibration
  videos/<camera>.*     every frame received
  frames.parquet        one row a frame set
  keypoints2d.parquet   what the detector saw
  keypoints3d.parquet   people in 3D, and keypoints3d_raw.parquet: the same before anything was done over time
"""

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from triskel import tables
from triskel.camera import Rig
from triskel.errors import SessionError
from triskel.files import atomic_path, write_text
from triskel.motion import Detections2D, Motion3D
from triskel.rig_file import load_native_rig, save_rig
from triskel.schema import first_problem

SESSION_FILE, RIG_FILE, FRAMES_FILE = "session.yaml", "rig.yaml", "frames.parquet"
KEYPOINTS_2D_FILE, KEYPOINTS_3D_FILE, VIDEOS = "keypoints2d.parquet", "keypoints3d.parquet", "videos"
KEYPOINTS_3D_RAW_FILE = "keypoints3d_raw.parquet"
SESSION_FILES = (SESSION_FILE, RIG_FILE, FRAMES_FILE, KEYPOINTS_2D_FILE, KEYPOINTS_3D_FILE, KEYPOINTS_3D_RAW_FILE)

SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""Camera names become file names, so they are kept to what every file system takes."""

Setting = str | int | float | bool | None | list[str] | list[int] | list[float]


class CameraEntry(BaseModel):
    """One camera of a session; `video` is relative to the session's folder, None where only detections came in."""

    model_config = ConfigDict(extra="forbid")
    name: str
    video: str | None = None
    size_wh: tuple[int, int] | None = None
    frames: int | None = None


class Run(BaseModel):
    """One stage that ran: when, for how long, with which settings."""

    model_config = ConfigDict(extra="forbid")
    stage: str
    finished: str
    seconds: float
    triskel: str
    settings: dict[str, Setting] = {}


class SessionInfo(BaseModel):
    """The contents of `session.yaml`."""

    model_config = ConfigDict(extra="forbid")
    format: Literal["triskel-session"] = "triskel-session"
    version: Literal[1] = 1
    fps: Annotated[float, Field(ge=0.001, le=100_000, allow_inf_nan=False)]
    sync: str = "frame index"
    cameras: Annotated[list[CameraEntry], Field(min_length=1)]
    runs: list[Run] = []


@dataclass(frozen=True, eq=False)
class Session:
    """A session folder that has been opened or created; reads and writes its files.

    Attributes:
        path: the folder.
        info: what `session.yaml` said when it was opened or last written.
    """

    path: Path
    info: SessionInfo

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a session.

        Raises:
            SessionError: there is no session at `path`, or its `session.yaml` cannot be used.
        """
        path = Path(path)
        file = path / SESSION_FILE
        if not path.is_dir():
            raise SessionError(f"{path}: no such folder; a session is a folder with {SESSION_FILE} in it")
        if not file.is_file():
            raise SessionError(f"{path}: not a session, it has no {SESSION_FILE}; make one with 'triskel session new'")
        try:
            info = SessionInfo.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
        except ValidationError as error:
            raise SessionError(f"{file}: not a valid session file: {first_problem(error)}") from error
        except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
            raise SessionError(f"{file}: cannot be read: {str(error).splitlines()[0]}") from error
        session = cls(path, info)
        session.check()
        return session

    @classmethod
    def create(cls, path: str | Path, info: SessionInfo) -> Self:
        """Write `session.yaml` into a folder that is no session yet, creating the folder when missing.

        Raises:
            SessionError: there is a session at `path` already.
        """
        path = Path(path)
        if (path / SESSION_FILE).exists():
            raise SessionError(f"{path}: is a session already; open it, or choose another folder")
        session = cls(path, info)
        session.check()
        session._write_info()
        return session

    def check(self) -> None:
        """Refuse names and paths that would leave the folder or not exist on some file systems.

        Raises:
            SessionError: a name or path is one of these.
        """
        names = self.cameras
        bad = [name for name in names if not SAFE_NAME.fullmatch(name)]
        if bad:
            raise SessionError(f"{self.path}: camera names use letters, digits, '.', '_' and '-', got {bad[0]!r}")
        if len(set(names)) != len(names):
            raise SessionError(f"{self.path}: camera names are unique, got {', '.join(names)}")
        for camera in self.info.cameras:
            if camera.video is not None and (Path(camera.video).is_absolute() or ".." in Path(camera.video).parts):
                raise SessionError(f"{self.path}: video paths stay inside the session, got {camera.video!r}")

    def _write_info(self) -> None:
        data = self.info.model_dump(mode="json")
        write_text(self.path / SESSION_FILE, yaml.safe_dump(data, sort_keys=False, default_flow_style=None))

    @property
    def cameras(self) -> list[str]:
        """Return the cameras' names, in the order of the tables."""
        return [camera.name for camera in self.info.cameras]

    def video_paths(self) -> dict[str, Path]:
        """Return each camera's video.

        Raises:
            SessionError: a camera has none, or its file is gone.
        """
        paths = {}
        for camera in self.info.cameras:
            if camera.video is None:
                raise SessionError(f"{self.path}: camera {camera.name} has no video, the session holds detections only")
            paths[camera.name] = self.path / camera.video
            if not paths[camera.name].is_file():
                raise SessionError(f"{paths[camera.name]}: the video of camera {camera.name} is missing")
        return paths

    @property
    def has_videos(self) -> bool:
        """Say whether every camera has a video."""
        return all(camera.video is not None for camera in self.info.cameras)

    def rig(self) -> Rig:
        """Read the session's rig.

        Raises:
            SessionError: there is none.
            ConfigError: it cannot be used.
        """
        if not (self.path / RIG_FILE).is_file():
            raise SessionError(f"{self.path}: has no {RIG_FILE}; give the calibration with --rig")
        return load_native_rig(self.path / RIG_FILE)

    def save_rig(self, rig: Rig) -> None:
        """Write `rig.yaml`."""
        save_rig(rig, self.path / RIG_FILE)

    def frames(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Read the frame sets: times (F,) s, and frame indices (F, C), -1 where a set lacks the camera."""
        return tables.read_frames(self.path / FRAMES_FILE, self.cameras)

    def save_frames(self, time_s: NDArray[np.float64], index: NDArray[np.int64]) -> None:
        """Write the frame sets: times (F,) s, and frame indices (F, C), -1 where a set lacks the camera."""
        tables.write_frames(time_s, dict(zip(self.cameras, index.T, strict=True)), self.path / FRAMES_FILE)

    def detections(self) -> Detections2D:
        """Read what the detector saw."""
        return tables.read_keypoints2d(self.path / KEYPOINTS_2D_FILE)

    def save_detections(self, detections: Detections2D) -> None:
        """Write what the detector saw."""
        tables.write_keypoints2d(detections, self.path / KEYPOINTS_2D_FILE)

    def motion(self) -> Motion3D:
        """Read the people in 3D."""
        return tables.read_keypoints3d(self.path / KEYPOINTS_3D_FILE)

    def raw_motion(self) -> Motion3D:
        """Read the people in 3D as they were triangulated, before anything was done over time."""
        return tables.read_keypoints3d(self.path / KEYPOINTS_3D_RAW_FILE)

    def save_motion(self, motion: Motion3D, *, raw: Motion3D | None = None) -> None:
        """Write the people in 3D; `raw` is what they were before anything was done over time, `motion` if None."""
        # Both are complete before either takes its place, so that they always belong together.
        with (
            atomic_path(self.path / KEYPOINTS_3D_FILE) as final,
            atomic_path(self.path / KEYPOINTS_3D_RAW_FILE) as first,
        ):
            tables.write_keypoints3d(motion if raw is None else raw, first)
            tables.write_keypoints3d(motion, final)

    def with_run(self, stage: str, seconds: float, settings: Mapping[str, Setting]) -> Self:
        """Note in `session.yaml` that a stage ran, in place of its earlier run, and return the session as it is now."""
        run = Run(
            stage=stage,
            finished=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            seconds=round(seconds, 3),
            triskel=metadata.version("triskel"),
            settings=dict(settings),
        )
        runs = [one for one in self.info.runs if one.stage != stage] + [run]
        session = type(self)(self.path, self.info.model_copy(update={"runs": runs}))
        session._write_info()
        return session
