"""OpenPose's camera folder: one OpenCV FileStorage file `{serial}.xml` for each camera.

`CameraMatrix` is [R | t], world to camera, metres; `Intrinsics` is K; `Distortion` holds 4, 5, 8, 12 or 14
coefficients. The files are ordered by name. The image size is not part of the format and is guessed from the
principal point with a warning (`match_image_sizes` against the videos then tells the truth). No fisheye.
"""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.formats.base import build_camera, numbers, peek_text, pose, refuse, size_from_principal_point
from triskel.calibration.formats.xml_tree import parse_xml
from triskel.camera import DIST_LENGTHS, Camera, Rig
from triskel.errors import ConfigError
from triskel.files import atomic_folder

_SAFE_NAME = re.compile(r"^[\w.-]+$")


class OpenPose:
    """A folder of `{serial}.xml`, or one such file for a rig of a single camera."""

    name = "openpose"
    title = "OpenPose folder of {serial}.xml"
    suffixes: tuple[str, ...] = ()

    def can_read(self, path: Path) -> bool:
        """Say whether the folder (or file) holds FileStorage XML with a `CameraMatrix`."""
        return any(_is_camera(file) for file in _files(path))

    def read(self, path: Path) -> Rig:
        """Read every camera file in the folder, ordered by name; other XML files in it are passed over."""
        files = [file for file in _files(path) if _is_camera(file)]
        if not files:
            raise ConfigError(f"{path}: expected {{serial}}.xml files with a CameraMatrix, got none")
        return Rig(tuple(_camera(file) for file in files))

    def write(self, rig: Rig, path: Path) -> None:
        """Write a folder of pinhole cameras; a folder that holds anything but camera files is left alone."""
        if path.exists() and (not path.is_dir() or any(not _is_camera(file) for file in path.iterdir())):
            raise ConfigError(f"{path}: exists and holds other things than OpenPose cameras; name a new folder")
        for camera in rig:
            if camera.model != "pinhole":
                raise refuse(camera, "a fisheye lens", format_name="openpose")
            if not _SAFE_NAME.match(camera.name) or camera.name.startswith("."):
                raise ConfigError(f"camera {camera.name!r}: its name becomes a file's, so letters, digits, . _ - only")
        with atomic_folder(path) as folder:
            for camera in rig:
                (folder / f"{camera.name}.xml").write_text(_text(camera), encoding="utf-8")


def _files(path: Path) -> list[Path]:
    """Return the XML files in question, by name."""
    if path.is_dir():
        return sorted(file for file in path.glob("*.xml") if file.is_file())
    return [path] if path.is_file() else []


def _is_camera(path: Path) -> bool:
    """Say whether one file is FileStorage XML of a camera."""
    text = peek_text(path)
    return text.lstrip().startswith("<") and "<opencv_storage" in text and "<CameraMatrix" in text


def _matrix(root: ET.Element, tag: str, *, where: str) -> NDArray[np.float64]:
    """Return an `opencv-matrix` element as an array (rows, cols)."""
    node = root.find(tag)
    if node is None:
        raise ConfigError(f"{where}: <{tag}> is missing")
    rows, cols, data = (node.findtext(key, "") for key in ("rows", "cols", "data"))
    if not (rows.strip().isdigit() and cols.strip().isdigit()):
        raise ConfigError(f"{where}: <{tag}> needs whole numbers of rows and cols, got {rows!r} and {cols!r}")
    flat = numbers(data.split(), where=f"{where}: <{tag}>")
    if len(flat) != int(rows) * int(cols):
        raise ConfigError(f"{where}: <{tag}> is {rows} x {cols} but holds {len(flat)} numbers")
    return flat.reshape(int(rows), int(cols))


def _camera(path: Path) -> Camera:
    """Return the camera in one file."""
    root, where = parse_xml(path), str(path)
    matrix = numbers(_matrix(root, "CameraMatrix", where=where), where=f"{where}: <CameraMatrix>", shape=(3, 4))
    K = numbers(_matrix(root, "Intrinsics", where=where), where=f"{where}: <Intrinsics>", shape=(3, 3))
    dist = _matrix(root, "Distortion", where=where).reshape(-1)
    if len(dist) not in DIST_LENGTHS["pinhole"]:
        raise ConfigError(f"{where}: <Distortion> holds {DIST_LENGTHS['pinhole']} numbers, got {len(dist)}")
    size_wh = size_from_principal_point(K, where=where)
    cam_from_world = pose(matrix[:, :3], matrix[:, 3], where=where)
    return build_camera(where=where, name=path.stem, size_wh=size_wh, K=K, dist=dist, cam_from_world=cam_from_world)


def _element(tag: str, matrix: NDArray[np.float64]) -> str:
    """Return a matrix as FileStorage XML."""
    data = " ".join(repr(float(value)) for value in matrix.ravel())
    rows, cols = matrix.shape
    return (
        f'<{tag} type_id="opencv-matrix">\n  <rows>{rows}</rows>\n  <cols>{cols}</cols>\n  <dt>d</dt>\n'
        f"  <data>{data}</data>\n</{tag}>\n"
    )


def _text(camera: Camera) -> str:
    """Return one camera's file."""
    dist = camera.dist if len(camera.dist) else np.zeros(8)
    body = _element("CameraMatrix", np.c_[camera.cam_from_world.R, camera.cam_from_world.t])
    body += _element("Intrinsics", camera.K) + _element("Distortion", dist[:, None])
    return f'<?xml version="1.0"?>\n<opencv_storage>\n{body}</opencv_storage>\n'
