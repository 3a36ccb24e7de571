"""A rig on disk in triskel's own format: `rig.yaml`.

    format: triskel-rig
    version: 1
    cameras:
      - name: cam01
        model: pinhole
        size_wh: [1920, 1080]
        K: [[1200.0, 0.0, 960.0], [0.0, 1200.0, 540.0], [0.0, 0.0, 1.0]]
        dist: [-0.1, 0.05, 0.0, 0.0, 0.0]
        cam_from_world: {rotvec: [1.2, 0.0, 0.0], t: [0.0, 0.0, 3.0]}

Rotations are rotation vectors in radians, lengths metres. Other tools' formats: `triskel.calibration.formats`.
"""

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from triskel.camera import Camera, LensModel, Rig
from triskel.errors import ConfigError
from triskel.files import write_text
from triskel.rigid import Rigid
from triskel.schema import first_problem

FORMAT = "triskel-rig"

Vector3 = Annotated[list[float], Field(min_length=3, max_length=3)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _PoseEntry(_Strict):
    rotvec: Vector3
    t: Vector3


class _CameraEntry(_Strict):
    name: str
    model: LensModel = "pinhole"
    size_wh: tuple[int, int]
    K: Annotated[list[Vector3], Field(min_length=3, max_length=3)]
    dist: list[float] = []
    cam_from_world: _PoseEntry


class _RigEntry(_Strict):
    format: Literal["triskel-rig"]
    version: Literal[1]
    cameras: list[_CameraEntry]


def is_native_rig(data: object) -> bool:
    """Say whether parsed YAML claims to be a rig of triskel's own format."""
    return isinstance(data, dict) and data.get("format") == FORMAT


def parse_native_rig(data: object, *, source: str) -> Rig:
    """Build a rig from parsed YAML.

    Args:
        data: what `yaml.safe_load` returned.
        source: the file's name, for messages.

    Raises:
        ConfigError: a key is missing, unknown or of the wrong kind; the message names it.
    """
    try:
        entry = _RigEntry.model_validate(data)
    except ValidationError as error:
        raise ConfigError(f"{source}: not a valid {FORMAT} file: {first_problem(error)}") from error
    return Rig(
        tuple(
            Camera(
                name=camera.name,
                size_wh=camera.size_wh,
                K=np.array(camera.K),
                dist=np.array(camera.dist),
                model=camera.model,
                cam_from_world=Rigid.from_rotvec(camera.cam_from_world.rotvec, camera.cam_from_world.t),
            )
            for camera in entry.cameras
        )
    )


def load_native_rig(path: str | Path) -> Rig:
    """Read a rig in triskel's own format.

    Raises:
        ConfigError: the file is missing, is not YAML, or not a rig.
    """
    try:
        data = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read as a rig: {str(error).splitlines()[0]}") from error
    return parse_native_rig(data, source=str(path))


def save_rig(rig: Rig, path: str | Path) -> None:
    """Write a rig in triskel's own format, atomically; what stood at `path` is replaced."""
    cameras = [
        {
            "name": camera.name,
            "model": camera.model,
            "size_wh": list(camera.size_wh),
            "K": camera.K.tolist(),
            "dist": camera.dist.tolist(),
            "cam_from_world": {
                "rotvec": camera.cam_from_world.rotvec.tolist(),
                "t": camera.cam_from_world.t.tolist(),
            },
        }
        for camera in rig
    ]
    data = {"format": FORMAT, "version": 1, "cameras": cameras}
    write_text(path, yaml.safe_dump(data, sort_keys=False, default_flow_style=None, width=120))
