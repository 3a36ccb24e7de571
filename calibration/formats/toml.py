"""The TOML family: anipose, Pose2Sim, FreeMoCap and Caliscope.

    [cam_0]                          [cameras.0]            (Caliscope)
    name = "cam01"                   cam_id = 0
    size = [1920.0, 1080.0]          size = [1280, 720]
    matrix = [[..], [..], [..]]      ...
    distortions = [k1, k2, p1, p2]
    rotation = [rx, ry, rz]          rotation: 3 numbers (vector) or 3 x 3 (matrix)
    translation = [tx, ty, tz]
    fisheye = false

World to camera throughout, metres. `[metadata]` and keys not listed here are passed over: each tool adds its own.
"""

import json
import tomllib
from pathlib import Path
from typing import Literal

import numpy as np

from triskel.calibration.formats.base import numbers, one_line, peek_text, pose, read_text, trimmed_dist
from triskel.camera import DIST_LENGTHS, Camera, Rig
from triskel.errors import ConfigError
from triskel.files import write_text

_NEEDED = ("matrix", "distortions", "rotation", "translation", "size")


class Toml:
    """Pose2Sim / anipose / FreeMoCap TOML; reads Caliscope's as well."""

    name = "toml"
    title = "Pose2Sim, anipose, FreeMoCap or Caliscope TOML"

    def can_read(self, path: Path) -> bool:
        """Say whether the text is TOML in which a table holds `matrix` and `rotation`."""
        text = peek_text(path)
        if text.lstrip().startswith(("<", "%", "{")) or not ("matrix" in text and "rotation" in text):
            return False
        try:
            return bool(_tables(tomllib.loads(text)))
        except tomllib.TOMLDecodeError:
            return any(line.lstrip().startswith("[") and line.rstrip().endswith("]") for line in text.splitlines()[:20])

    def read(self, path: Path) -> Rig:
        """Read the cameras in the order of the file."""
        try:
            data = tomllib.loads(read_text(path))
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{path}: broken TOML: {one_line(error)}") from error
        tables = _tables(data)
        if not tables:
            raise ConfigError(f"{path}: expected tables with matrix, rotation and translation, got none")
        return Rig(tuple(_camera(key, table, path=path) for key, table in tables.items()))

    def write(self, rig: Rig, path: Path) -> None:
        """Write the rig; every lens and size survives."""
        blocks = [_block(i, camera) for i, camera in enumerate(rig)]
        write_text(path, "\n".join([*blocks, "[metadata]\nadjusted = false\nerror = 0.0\n"]))


def _tables(data: dict[str, object]) -> dict[str, dict[str, object]]:
    """Return the tables that look like cameras: at the top, or under Caliscope's `cameras`."""
    nested = data.get("cameras")
    level = nested if isinstance(nested, dict) else data
    return {
        key: table
        for key, table in level.items()
        if key != "metadata" and isinstance(table, dict) and any(need in table for need in ("matrix", "rotation"))
    }


def _camera(key: str, table: dict[str, object], *, path: Path) -> Camera:
    """Return the camera of one table."""
    where = f"{path}: [{key}]"
    missing = [need for need in _NEEDED if need not in table]
    if missing:
        raise ConfigError(f"{where}: {', '.join(missing)} missing; it has {', '.join(table)}")
    rotation = numbers(np.ravel(np.asarray(table["rotation"], dtype=object)).tolist(), where=f"{where}: rotation")
    if len(rotation) not in (3, 9):
        raise ConfigError(f"{where}: rotation is a vector of 3 or a 3 x 3 matrix, got {len(rotation)} numbers")
    rotation = rotation if len(rotation) == 3 else rotation.reshape(3, 3)
    translation = numbers(table["translation"], where=f"{where}: translation", shape=(3,))
    size = numbers(table["size"], where=f"{where}: size", shape=(2,))
    model: Literal["pinhole", "fisheye"] = "fisheye" if table.get("fisheye") else "pinhole"
    dist = numbers(table["distortions"], where=f"{where}: distortions")
    if model == "fisheye" and len(dist) > 4 and not dist[4:].any():
        dist = dist[:4]  # some writers pad to five
    try:
        return Camera(
            name=str(table.get("name", f"cam_{table['cam_id']}" if "cam_id" in table else key)),
            size_wh=(float(size[0]), float(size[1])),  # type: ignore[arg-type] # whole floats are checked by Camera
            K=numbers(table["matrix"], where=f"{where}: matrix", shape=(3, 3)),
            dist=dist,
            model=model,
            cam_from_world=pose(rotation, translation, where=where),
        )
    except ConfigError as error:
        text = str(error)
        raise ConfigError(text if text.startswith(str(path)) else f"{path}: {text}") from error


def _block(index: int, camera: Camera) -> str:
    """Return one camera's table."""
    dist = camera.dist
    if camera.model == "pinhole":  # readers of this family expect four or five; longer ones only where they say more
        short = trimmed_dist(dist, [length for length in DIST_LENGTHS["pinhole"] if length >= 4])
        dist = dist if short is None or len(dist) >= 4 else short
    lines = [
        f"[cam_{index}]",
        f"name = {json.dumps(camera.name)}",
        f"size = {[float(side) for side in camera.size_wh]}",
        f"matrix = {camera.K.tolist()}",
        f"distortions = {dist.tolist()}",
        f"rotation = {camera.cam_from_world.rotvec.tolist()}",
        f"translation = {camera.cam_from_world.t.tolist()}",
        f"fisheye = {'true' if camera.model == 'fisheye' else 'false'}",
    ]
    return "\n".join(lines) + "\n"
