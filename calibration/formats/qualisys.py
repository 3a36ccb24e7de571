"""Qualisys calibrations: one XML file, `*.qca.txt`.

Conventions, settled on a real file (four cameras, 100 frames of one person detected in all four videos): of the 96
readings made of 24 right-handed axis relabellings, R or its transpose, and x y z as camera centre or as translation,
the one below puts every joint in front of the cameras at a median reprojection error of 13 px on images 1920 px high.
The next one leaves 77 px.

- `r11 .. r33`, row by row, is camera-from-world in axes x right, y UP, z BACKWARD: R = diag(1, -1, -1) R_file.
- `x y z` is the camera centre in the world, mm. World: z up, floor at 0 (in the median frame the toes come
  out at 0.08 m, the ankles at 0.15 and 0.22 m, the top of the head at 1.61 m).
- Focal lengths and centre point are in 1/64 px. Distortion is k1 k2 p1 p2 k3 of OpenCV, NOT scaled by 64.
- Pixel origin: `sensorMaxU` is 64 (width - 1), so the first pixel's centre is 0 and the last one's width - 1, as here.
  The detections cannot tell: origins from -1 to +1 px change the refined error by less than 0.002 px.
- The image is `fov_video`, both ends included: width = right - left + 1. Coordinates are taken to count from the
  sensor's corner, so a window that starts at `left` moves the principal point by as much.
"""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np

from triskel.calibration.formats.base import numbers, peek_text, pose, refuse, trimmed_dist
from triskel.calibration.formats.xml_tree import parse_xml
from triskel.camera import Camera, Rig
from triskel.errors import ConfigError
from triskel.files import write_text

SUBPIXELS = 64
_FLIP = np.diag([1.0, -1.0, -1.0])  # our camera axes from the file's
_DIST_KEYS = (
    "radialDistortion1",
    "radialDistortion2",
    "tangentalDistortion1",
    "tangentalDistortion2",
    "radialDistortion3",
)
_FOVS = ("fov_marker", "fov_marker_max", "fov_video", "fov_video_max")


class Qualisys:
    """The calibration file that Qualisys Track Manager exports."""

    name = "qualisys"
    title = "Qualisys .qca.txt (XML)"
    suffixes: tuple[str, ...] = (".txt", ".qca")

    def can_read(self, path: Path) -> bool:
        """Say whether the text is XML with a `calibration` root."""
        text = peek_text(path)
        return text.lstrip().startswith("<") and re.search(r"<calibration[\s>]", text) is not None

    def read(self, path: Path) -> Rig:
        """Read every camera that is not marked inactive, named by its serial."""
        root = parse_xml(path)
        found = [element for element in root.iter("camera") if element.get("active", "1") != "0"]
        if root.tag != "calibration" or not found:
            raise ConfigError(f"{path}: expected a <calibration> with active <camera> elements, got none")
        return Rig(tuple(_camera(element, path=path) for element in found))

    def write(self, rig: Rig, path: Path) -> None:
        """Write the rig; pinhole cameras with at most k1 k2 p1 p2 k3 only."""
        root = ET.Element("calibration", {"created": "triskel", "source": "triskel", "type": "regular"})
        cameras = ET.SubElement(root, "cameras")
        for camera in rig:
            _append(cameras, camera)
        ET.indent(root)
        write_text(path, "<?xml version='1.0' encoding='UTF-8'?>\n" + ET.tostring(root, encoding="unicode") + "\n")


def _values(parent: ET.Element, tag: str, keys: tuple[str, ...], *, where: str) -> list[float]:
    """Return the named numeric attributes of the child `tag`."""
    child = parent.find(tag)
    if child is None:
        raise ConfigError(f"{where}: <{tag}> is missing")
    missing = [key for key in keys if key not in child.attrib]
    if missing:
        raise ConfigError(f"{where}: <{tag}> has no {', '.join(missing)}")
    return numbers([child.attrib[key] for key in keys], where=f"{where}: <{tag}>").tolist()


def _camera(element: ET.Element, *, path: Path) -> Camera:
    """Return the camera of one <camera> element."""
    name = element.get("serial") or element.get("name") or ""
    where = f"{path}: camera {name!r}"
    left, right, top, bottom = _values(element, "fov_video", ("left", "right", "top", "bottom"), where=where)
    r_keys = tuple(f"r{row}{column}" for row in (1, 2, 3) for column in (1, 2, 3))
    R = _FLIP @ np.reshape(_values(element, "transform", r_keys, where=where), (3, 3))
    centre = np.array(_values(element, "transform", ("x", "y", "z"), where=where)) / 1000
    k_keys = ("focalLengthU", "focalLengthV", "centerPointU", "centerPointV")
    fx, fy, cx, cy = np.array(_values(element, "intrinsic", k_keys, where=where)) / SUBPIXELS
    dist = _values(element, "intrinsic", _DIST_KEYS, where=where)
    skew = _skew(element, where=where)
    try:
        return Camera(
            name=name,
            size_wh=(round(right - left + 1), round(bottom - top + 1)),
            K=np.array([[fx, skew, cx - left], [0, fy, cy - top], [0, 0, 1]]),
            dist=np.array(dist),
            cam_from_world=pose(R, -R @ centre, where=where),
        )
    except ConfigError as error:
        text = str(error)
        raise ConfigError(text if text.startswith(str(path)) else f"{path}: {text}") from error


def _skew(element: ET.Element, *, where: str) -> float:
    """Return the skew, which older files lack; its unit is undocumented, so only zero is taken."""
    intrinsic = element.find("intrinsic")
    text = "0" if intrinsic is None else intrinsic.get("skew", "0")
    skew = float(numbers([text], where=f"{where}: skew")[0])
    if skew != 0:
        raise ConfigError(f"{where}: skew is {skew}; only 0 is supported, since its unit is undocumented")
    return 0.0


def _append(cameras: ET.Element, camera: Camera) -> None:
    """Append one camera's elements."""
    dist = trimmed_dist(camera.dist, (5,)) if camera.model == "pinhole" else None
    if dist is None:
        raise refuse(camera, "a fisheye lens or more than 5 coefficients", format_name="qualisys")
    if camera.K[0, 1] != 0:
        raise refuse(camera, "skew", format_name="qualisys")
    element = ET.SubElement(cameras, "camera", {"active": "1", "serial": camera.name, "viewrotation": "0"})
    w, h = camera.size_wh
    for tag in _FOVS:
        ET.SubElement(element, tag, {"left": "0", "top": "0", "right": str(w - 1), "bottom": str(h - 1)})
    R = _FLIP @ camera.cam_from_world.R
    transform = {axis: repr(float(v) * 1000) for axis, v in zip("xyz", camera.centre, strict=True)}
    transform |= {f"r{i + 1}{j + 1}": repr(float(R[i, j])) for i in range(3) for j in range(3)}
    ET.SubElement(element, "transform", transform)
    K = camera.K * SUBPIXELS
    intrinsic = {
        "focalLengthU": repr(float(K[0, 0])),
        "focalLengthV": repr(float(K[1, 1])),
        "centerPointU": repr(float(K[0, 2])),
        "centerPointV": repr(float(K[1, 2])),
        "skew": "0.0",
        "sensorMinU": "0",
        "sensorMinV": "0",
        "sensorMaxU": str((w - 1) * SUBPIXELS),
        "sensorMaxV": str((h - 1) * SUBPIXELS),
    }
    intrinsic |= {key: repr(float(value)) for key, value in zip(_DIST_KEYS, dist, strict=True)}
    ET.SubElement(element, "intrinsic", intrinsic)
