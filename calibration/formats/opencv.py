"""OpenCV's own YAML (FileStorage), as its calibration and stereo samples write it, and for whole rigs.

    %YAML:1.0
    ---
    cameras:
      - name: "cam01"
        model: pinhole                      (or fisheye)
        image_width: 1920
        image_height: 1080
        camera_matrix: !!opencv-matrix ...
        distortion_coefficients: !!opencv-matrix ...
        R: !!opencv-matrix ...              3 x 3 or a rotation vector, world to camera
        T: !!opencv-matrix ...              metres

That is what is written. Read are also mappings `cam01: {camera_matrix: ...}`, a file for each camera in a folder, a
single camera without a pose (of the calibration sample, or ROS's), the stereo sample's M1 D1 M2 D2 and R T, in one file
or two, and all of it as FileStorage XML. The stereo sample's first camera is the world; the image size is not in it.
"""

import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import numpy as np

from triskel.calibration.formats.base import build_camera, numbers, peek_text, pose, size_from_principal_point
from triskel.calibration.formats.opencv_storage import HEADER, Node, matrix_of, matrix_text, read_storage
from triskel.camera import Camera, LensModel, Rig
from triskel.errors import ConfigError
from triskel.files import write_text
from triskel.rigid import Rigid

_K = ("camera_matrix", "Camera_Matrix", "cameraMatrix", "K")
_DIST = ("distortion_coefficients", "Distortion_Coefficients", "distCoeffs", "dist_coeffs", "dist", "D")
_R = ("R", "rotation_matrix", "rvec", "rotation")
_T = ("T", "tvec", "translation")
_SIZES = (("image_width", "image_height"), ("image_Width", "image_Height"), ("width", "height"))
_PINHOLE = ("pinhole", "plumb_bob", "rational_polynomial", "radtan")
_FISHEYE = ("fisheye", "equidistant")
_CLAIM = re.compile(r"(^|[\s<])(camera_matrix|Camera_Matrix|cameraMatrix|M1)(\s*:|[\s>])", re.MULTILINE)
_SUFFIXES = (".yml", ".yaml", ".xml")

_log = logging.getLogger(__name__)


class OpenCv:
    """OpenCV's YAML: one file for the rig, or a folder with one for each camera."""

    name = "opencv"
    title = "OpenCV YAML, a file or a folder of one a camera"
    suffixes: tuple[str, ...] = (".yml", ".xml")

    def can_read(self, path: Path) -> bool:
        """Say whether the file, or one in the folder, names a camera matrix as OpenCV does."""
        return any(_claims(file) for file in _files(path))

    def read(self, path: Path) -> Rig:
        """Read the rig; a folder's cameras by file name."""
        files = [file for file in _files(path) if _claims(file)]
        if not files:
            raise ConfigError(f"{path}: expected OpenCV YAML with a camera_matrix, got none")
        if len(files) == 1:
            data = read_storage(files[0])
            if "M1" in data:
                return _stereo({**data, **_stereo_pose(files[0], data)}, where=str(files[0]))
            return _one_file(data, files[0])
        stereo = [file for file in files if "M1" in read_storage(file)]
        if stereo:
            raise ConfigError(f"{path}: holds a stereo calibration ({stereo[0].name}) beside others; name one file")
        cameras = (_camera(read_storage(file), file.stem, where=str(file), alone=False) for file in files)
        return Rig(tuple(cameras))

    def write(self, rig: Rig, path: Path) -> None:
        """Write one file; every lens, size and name survives."""
        write_text(path, HEADER + "cameras:\n" + "".join(_entry(camera) for camera in rig))


def _entry(camera: Camera) -> str:
    """Return one camera of the list."""
    dist = camera.dist if len(camera.dist) else np.zeros(5)
    head = (
        f"  - name: {json.dumps(camera.name)}\n    model: {camera.model}\n"
        f"    image_width: {camera.size_wh[0]}\n    image_height: {camera.size_wh[1]}\n"
    )
    body = matrix_text("camera_matrix", camera.K, indent=4)
    body += matrix_text("distortion_coefficients", dist[None], indent=4)
    body += matrix_text("R", camera.cam_from_world.R, indent=4)
    return head + body + matrix_text("T", camera.cam_from_world.t[:, None], indent=4)


def _files(path: Path) -> list[Path]:
    """Return the files in question, by name."""
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.suffix.lower() in _SUFFIXES and file.is_file())
    return [path] if path.is_file() else []


def _claims(path: Path) -> bool:
    """Say whether a file's text names a camera matrix, and is neither JSON nor TOML."""
    text = peek_text(path)
    start = text.lstrip()[:1]
    if start in ("", "{", "["):
        return False
    return (start != "<" or "<opencv_storage" in text) and bool(_CLAIM.search(text))


def _one_file(data: Node, path: Path) -> Rig:
    """Return the rig of one file: a list of cameras, a mapping of them, or a single one."""
    where = str(path)
    entries = data.get("cameras")
    if isinstance(entries, list) and entries:
        if not all(isinstance(entry, dict) and entry.get("name") is not None for entry in entries):
            raise ConfigError(f"{where}: each of `cameras` needs a name")
        named = [(str(entry["name"]), entry) for entry in entries]
    else:
        level = entries if isinstance(entries, dict) else data
        named = [(name, entry) for name, entry in level.items() if isinstance(entry, dict) and _key(entry, _K)]
    if named and _key(data, _K):
        raise ConfigError(f"{where}: has a camera matrix of its own beside those of {', '.join(n for n, _ in named)}")
    if not named:
        return Rig((_camera(data, path.stem, where=where, alone=True),))
    alone = len(named) == 1
    return Rig(tuple(_camera(entry, name, where=f"{where}: {name}", alone=alone) for name, entry in named))


def _key(node: Mapping[str, object], known: tuple[str, ...]) -> str:
    """Return the first of the known keys that the node has, or an empty string."""
    return next((key for key in known if key in node), "")


def _camera(node: Node, name: str, *, where: str, alone: bool) -> Camera:
    """Return one camera; where it is alone, it may have no pose."""
    k_key, d_key = _key(node, _K), _key(node, _DIST)
    if not k_key:
        raise ConfigError(f"{where}: no camera_matrix; it has {', '.join(map(str, node))[:120]}")
    K = numbers(matrix_of(node, k_key, where=where), where=f"{where}: {k_key}", shape=(3, 3))
    dist = matrix_of(node, d_key, where=where).reshape(-1) if d_key else np.zeros(0)
    w_key, h_key = next((pair for pair in _SIZES if all(key in node for key in pair)), ("", ""))
    size = numbers([node[w_key], node[h_key]], where=f"{where}: {w_key}, {h_key}") if w_key else None
    return build_camera(
        where=where,
        name=name,
        size_wh=size if size is not None else size_from_principal_point(K, where=where),
        K=K,
        dist=dist,
        model=_model(node, where=where),
        cam_from_world=_pose(node, where=where, alone=alone),
    )


def _pose(node: Node, *, where: str, alone: bool) -> Rigid:
    """Return `cam_from_world`; the origin for a camera that is alone and has none."""
    r_key, t_key = _key(node, _R), _key(node, _T)
    if not r_key and not t_key:
        if not alone:
            raise ConfigError(f"{where}: no pose (R and T): only intrinsics; calibrate the rig first")
        _log.warning("%s: holds no pose (R and T); the camera is put at the origin", where)
        return Rigid.identity()
    if not r_key or not t_key:
        raise ConfigError(f"{where}: a pose is R and T, got {r_key or t_key} only")
    R, T = matrix_of(node, r_key, where=where), matrix_of(node, t_key, where=where).reshape(-1)
    rotation = R if R.shape == (3, 3) else R.reshape(-1)
    if rotation.shape not in ((3, 3), (3,)):
        raise ConfigError(f"{where}: {r_key} is 3 x 3 or a rotation vector of 3, got {R.shape[0]} x {R.shape[1]}")
    return pose(rotation, numbers(T, where=f"{where}: {t_key}", shape=(3,)), where=where)


def _model(node: Node, *, where: str) -> LensModel:
    """Return the lens model: the sample's flag `fisheye_model`, or a name."""
    flag = node.get("fisheye_model", 0)
    named = [str(node[key]) for key in ("model", "distortion_model", "camera_model") if key in node]
    unknown = [name for name in named if name not in (*_PINHOLE, *_FISHEYE)]
    if unknown:
        known = ", ".join((*_PINHOLE, *_FISHEYE))
        raise ConfigError(f"{where}: lens model {unknown[0]!r} is not supported; supported are {known}")
    fisheye = any(name in _FISHEYE for name in named) or flag not in (0, "0")
    return "fisheye" if fisheye else "pinhole"


def _stereo_pose(path: Path, data: Node) -> Node:
    """Return R and T of the stereo sample's other file, where they are not in this one."""
    if "R" in data:
        return {}
    for name in ("extrinsics.yml", "extrinsics.yaml", "extrinsics.xml"):
        if (path.parent / name).is_file():
            other = read_storage(path.parent / name)
            return {key: other[key] for key in ("R", "T") if key in other}
    raise ConfigError(f"{path}: no R and T in it, and no extrinsics.yml beside it")


def _stereo(data: Node, *, where: str) -> Rig:
    """Return the two cameras of the stereo sample, named left and right; the left one is the world."""
    sizes = {key: data[key] for key in ("image_width", "image_height") if key in data}
    cameras = []
    for name, i in (("left", 1), ("right", 2)):
        node = cast("Node", {"camera_matrix": data.get(f"M{i}"), "distortion_coefficients": data.get(f"D{i}"), **sizes})
        node |= {"R": np.eye(3).tolist(), "T": [0, 0, 0]} if i == 1 else {key: data.get(key) for key in ("R", "T")}
        cameras.append(_camera(node, name, where=f"{where}: M{i} D{i}", alone=False))
    return Rig(tuple(cameras))
