"""EasyMocap's folder: `intri.yml` (K_, dist_, H_, W_) and `extri.yml` (R_, Rot_, T_), OpenCV FileStorage YAML.

World to camera, metres. `R_` is a rotation vector, `Rot_` the same rotation as a matrix; the matrix is read where both
stand. Files without H_ and W_ get the image size guessed, with a warning. No fisheye.
"""

import re
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from triskel.calibration.formats.base import (
    numbers,
    one_line,
    peek_text,
    pose,
    read_text,
    refuse,
    size_from_principal_point,
)
from triskel.camera import Camera, Rig
from triskel.errors import ConfigError
from triskel.files import write_text


class EasyMocap:
    """A folder with `intri.yml` and `extri.yml`."""

    name = "easymocap"
    title = "EasyMocap folder of intri.yml and extri.yml"

    def can_read(self, path: Path) -> bool:
        """Say whether the folder holds the two files and the first lists `names`."""
        return path.is_dir() and "names" in peek_text(path / "intri.yml") and (path / "extri.yml").is_file()

    def read(self, path: Path) -> Rig:
        """Read the cameras in the order of `names`."""
        intri, extri = _storage(path / "intri.yml"), _storage(path / "extri.yml")
        names = intri.get("names")
        if not isinstance(names, list) or not names:
            raise ConfigError(f"{path / 'intri.yml'}: expected a list `names`, got {names!r}")
        return Rig(tuple(_camera(str(name), intri, extri, path=path) for name in names))

    def write(self, rig: Rig, path: Path) -> None:
        """Write the two files into the folder `path`, leaving other files there alone."""
        for camera in rig:
            if camera.model != "pinhole":
                raise refuse(camera, "a fisheye lens", format_name="easymocap")
            if not re.fullmatch(r"[\w-]+", camera.name):
                raise ConfigError(f"camera {camera.name!r}: its name becomes part of a key, so letters, digits, _ -")
        names = "names:\n" + "".join(f'  - "{name}"\n' for name in rig.names)
        intri, extri = ["%YAML:1.0\n---\n", names], ["%YAML:1.0\n---\n", names]
        for camera in rig:
            name, dist = camera.name, camera.dist if len(camera.dist) else np.zeros(5)
            intri += [_matrix(f"K_{name}", camera.K), _matrix(f"dist_{name}", dist[None])]
            intri.append(f"H_{name}: {camera.size_wh[1]}\nW_{name}: {camera.size_wh[0]}\n")
            extri.append(_matrix(f"R_{name}", camera.cam_from_world.rotvec[:, None]))
            extri.append(_matrix(f"Rot_{name}", camera.cam_from_world.R))
            extri.append(_matrix(f"T_{name}", camera.cam_from_world.t[:, None]))
        write_text(path / "intri.yml", "".join(intri))
        write_text(path / "extri.yml", "".join(extri))


def _storage(path: Path) -> dict[str, object]:
    """Return a FileStorage YAML file as plain Python: OpenCV's header and tag are not YAML 1.1, so they are removed."""
    text = re.sub(r"^%YAML:?.*$", "", read_text(path), flags=re.MULTILINE).replace("!!opencv-matrix", "")
    if re.search(r"[&*]\w", text):
        raise ConfigError(f"{path}: YAML anchors and aliases are refused; no calibration needs them")
    try:
        data = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: broken YAML: {one_line(error)[:120]}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: expected keys and values, got {type(data).__name__}")
    return data


def _value(data: dict[str, object], key: str, *, path: Path) -> NDArray[np.float64]:
    """Return a matrix (rows, cols)."""
    node = data.get(key)
    if not isinstance(node, dict) or not {"rows", "cols", "data"} <= node.keys():
        raise ConfigError(f"{path}: {key} is missing or not a matrix of rows, cols and data")
    flat = numbers(node["data"], where=f"{path}: {key}")
    rows, cols = node["rows"], node["cols"]
    if not isinstance(rows, int) or not isinstance(cols, int) or rows * cols != len(flat):
        raise ConfigError(f"{path}: {key} is {rows} x {cols} but holds {len(flat)} numbers")
    return flat.reshape(rows, cols)


def _camera(name: str, intri: dict[str, object], extri: dict[str, object], *, path: Path) -> Camera:
    """Return one camera of the pair of files."""
    inside, outside = path / "intri.yml", path / "extri.yml"
    where = f"{path}: camera {name!r}"
    K = numbers(_value(intri, f"K_{name}", path=inside), where=f"{inside}: K_{name}", shape=(3, 3))
    dist = _value(intri, f"dist_{name}", path=inside).reshape(-1)
    matrix = f"Rot_{name}" in extri
    rotation = _value(extri, f"Rot_{name}" if matrix else f"R_{name}", path=outside)
    t = numbers(_value(extri, f"T_{name}", path=outside).reshape(-1), where=f"{outside}: T_{name}", shape=(3,))
    rotation = numbers(rotation if matrix else rotation.reshape(-1), where=where, shape=(3, 3) if matrix else (3,))
    w, h = intri.get(f"W_{name}"), intri.get(f"H_{name}")
    known = isinstance(w, int | float) and isinstance(h, int | float) and w > 0 and h > 0
    size = (int(w), int(h)) if known else size_from_principal_point(K, where=where)  # type: ignore[call-overload]
    cam_from_world = pose(rotation, t, where=where)
    try:
        return Camera(name=name, size_wh=size, K=K, dist=dist, cam_from_world=cam_from_world)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def _matrix(key: str, matrix: NDArray[np.float64]) -> str:
    """Return a matrix as FileStorage YAML."""
    rows, cols = matrix.shape
    return f"{key}: !!opencv-matrix\n  rows: {rows}\n  cols: {cols}\n  dt: d\n  data: {matrix.ravel().tolist()}\n"
