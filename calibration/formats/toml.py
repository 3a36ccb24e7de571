"""The TOML of anipose, Pose2Sim and FreeMoCap; Caliscope's is in `caliscope.py`.

    [cam_0]
    name = "cam01"
    size = [1920.0, 1080.0]
    matrix = [[..], [..], [..]]
    distortions = [k1, k2, p1, p2]
    rotation = [rx, ry, rz]          or 3 x 3
    translation = [tx, ty, tz]
    fisheye = false

World to camera throughout, metres. `[metadata]` and keys not listed here are passed over: each tool adds its own.
"""

import json
import re
import tomllib
from pathlib import Path

import numpy as np

from triskel.calibration.formats.base import build_camera, numbers, one_line, peek_text, pose, read_text, trimmed_dist
from triskel.camera import DIST_LENGTHS, Camera, LensModel, Rig
from triskel.errors import ConfigError
from triskel.files import write_text

_NEEDED = ("matrix", "distortions", "rotation", "translation", "size")


class Toml:
    """Pose2Sim / anipose / FreeMoCap TOML: a table for each camera."""

    name = "toml"
    title = "Pose2Sim, anipose or FreeMoCap TOML"
    suffixes: tuple[str, ...] = (".toml",)

    def can_read(self, path: Path) -> bool:
        """Say whether the text is TOML in which a table holds `matrix` and `rotation`."""
        return claims_tables(path, nested=False)

    def read(self, path: Path) -> Rig:
        """Read the cameras in the order of the file."""
        try:
            data = tomllib.loads(read_text(path))
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise ConfigError(f"{path}: broken TOML: {one_line(error)}") from error
        tables = tables_of(data, nested=False)
        if not tables:
            raise ConfigError(f"{path}: expected tables with matrix, rotation and translation, got none")
        return Rig(tuple(camera_of_table(key, table, path=path) for key, table in tables.items()))

    def write(self, rig: Rig, path: Path) -> None:
        """Write the rig; every lens and size survives."""
        blocks = [_block(i, camera) for i, camera in enumerate(rig)]
        write_text(path, "\n".join([*blocks, "[metadata]\nadjusted = false\nerror = 0.0\n"]))


def claims_tables(path: Path, *, nested: bool) -> bool:
    """Say whether a file is TOML whose tables hold `matrix` and `rotation`: under `cameras` if nested, else at the top.

    A file that cannot be parsed is claimed by the headings of its tables, so that reading it says what is broken.
    """
    text = peek_text(path)
    if text.lstrip().startswith(("<", "%", "{")) or not ("matrix" in text and "rotation" in text):
        return False
    try:
        return bool(tables_of(tomllib.loads(text), nested=nested))
    except (tomllib.TOMLDecodeError, RecursionError):
        headings = re.findall(r"^\s*\[([^\[\]]+)\]\s*$", text, flags=re.MULTILINE)
        return any(heading.strip().startswith("cameras.") == nested for heading in headings if heading != "metadata")


def tables_of(data: dict[str, object], *, nested: bool) -> dict[str, dict[str, object]]:
    """Return the tables that look like cameras at the top, or all tables under Caliscope's `cameras` if one does."""
    level = data.get("cameras") if nested else data
    if not isinstance(level, dict):
        return {}
    tables = {key: table for key, table in level.items() if key != "metadata" and isinstance(table, dict)}
    like = {key: table for key, table in tables.items() if any(need in table for need in ("matrix", "rotation"))}
    return tables if nested and like else like


def camera_of_table(key: str, table: dict[str, object], *, path: Path) -> Camera:
    """Return the camera of one table, named by `name`, else by Caliscope's `cam_id`, else by the table.

    Raises:
        ConfigError: a key is missing or makes no camera.
    """
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
    model: LensModel = "fisheye" if table.get("fisheye") else "pinhole"
    dist = numbers(table["distortions"], where=f"{where}: distortions")
    if model == "fisheye" and len(dist) > 4 and not dist[4:].any():
        dist = dist[:4]  # some writers pad to five
    return build_camera(
        where=where,
        name=str(table.get("name", f"cam_{table['cam_id']}" if "cam_id" in table else key)),
        size_wh=size,
        K=numbers(table["matrix"], where=f"{where}: matrix", shape=(3, 3)),
        dist=dist,
        model=model,
        cam_from_world=pose(rotation, translation, where=where),
    )


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
