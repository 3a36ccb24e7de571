"""Caliscope's `camera_array.toml`.

    [cameras.0]
    cam_id = 0
    size = [1280, 720]
    matrix = [[..], [..], [..]]
    distortions = [k1, k2, p1, p2, k3]      4 with fisheye = true
    rotation = [rx, ry, rz]                 older files: 3 x 3
    translation = [x, y, z]

World to camera, metres. Cameras are numbers there, called `cam_0` in its folders and here; what this writes has a
`name` as well, which Caliscope passes over. Cameras that it ignores or has not placed are left out, with a warning.
"""

import json
import logging
import re
import tomllib
from pathlib import Path

from triskel.calibration.formats.base import one_line, read_text, refuse, trimmed_dist
from triskel.calibration.formats.toml import camera_of_table, claims_tables, tables_of
from triskel.camera import Camera, Rig
from triskel.errors import ConfigError
from triskel.files import write_text

_log = logging.getLogger(__name__)


class Caliscope:
    """Caliscope's TOML, in which all cameras are in a table `cameras`."""

    name = "caliscope"
    title = "Caliscope camera_array.toml"
    suffixes: tuple[str, ...] = ()

    def can_read(self, path: Path) -> bool:
        """Say whether the text is TOML with a table `cameras` of cameras."""
        return claims_tables(path, nested=True)

    def read(self, path: Path) -> Rig:
        """Read the cameras that are placed, in the order of the file."""
        try:
            data = tomllib.loads(read_text(path))
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise ConfigError(f"{path}: broken TOML: {one_line(error)}") from error
        tables = tables_of(data, nested=True)
        used = {key: table for key, table in tables.items() if table.get("ignore") is not True and _is_placed(table)}
        if not used:
            raise ConfigError(f"{path}: none of its cameras has a rotation and translation; calibrate the rig first")
        lost = [key for key in tables if key not in used]
        if lost:
            _log.warning("%s: ignored there or without a pose, left out: %s", path, ", ".join(lost))
        return Rig(tuple(camera_of_table(key, table, path=path) for key, table in used.items()))

    def write(self, rig: Rig, path: Path) -> None:
        """Write the rig; pinhole with at most 5 coefficients, or fisheye."""
        numbers = _numbers(rig)
        write_text(path, "\n".join(_block(i, camera) for i, camera in zip(numbers, rig, strict=True)))


def _is_placed(table: dict[str, object]) -> bool:
    """Say whether a camera has a lens and a pose; Caliscope writes none, or the text null, before it knows them."""
    return all(table.get(key) not in (None, "null", []) for key in ("matrix", "rotation", "translation"))


def _numbers(rig: Rig) -> list[int]:
    """Return the number at the end of each name where they tell the cameras apart, else their places."""
    ends = [re.search(r"(\d{1,9})$", name) for name in rig.names]
    numbers = [int(end[1]) for end in ends if end]
    return numbers if len(set(numbers)) == len(rig) else list(range(len(rig)))


def _block(number: int, camera: Camera) -> str:
    """Return one camera's table."""
    dist = camera.dist if camera.model == "fisheye" else trimmed_dist(camera.dist, (5,))
    if dist is None:
        raise refuse(camera, "more than 5 coefficients", format_name="caliscope")
    lines = [
        f"[cameras.{number}]",
        f"cam_id = {number}",
        f"name = {json.dumps(camera.name)}",
        "rotation_count = 0",
        f"size = {list(camera.size_wh)}",
        f"matrix = {camera.K.tolist()}",
        f"distortions = {dist.tolist()}",
        f"rotation = {camera.cam_from_world.rotvec.tolist()}",
        f"translation = {camera.cam_from_world.t.tolist()}",
        f"fisheye = {'true' if camera.model == 'fisheye' else 'false'}",
    ]
    return "\n".join(lines) + "\n"
