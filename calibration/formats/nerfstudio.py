"""Nerfstudio's `transforms.json` (instant-ngp's is read as well).

    {"camera_model": "OPENCV", "frames": [{"file_path": "images/cam01.png", "w": 1920, "h": 1080, "fl_x": ..,
     "fl_y": .., "cx": .., "cy": .., "k1": .., "k2": .., "k3": .., "p1": .., "p2": .., "transform_matrix": 4 x 4}]}

- `transform_matrix` is world from camera, with camera axes x right, y UP, z BACKWARD (OpenGL).
- Intrinsics stand in each frame, or at the top for all of them.
- Pixels: nerfstudio looks through the middle of a pixel by adding 0.5 to its index, and takes COLMAP's principal points
  unchanged; so the centre of the first pixel is at (0.5, 0.5), and half a pixel comes off.
- `k4` of OPENCV is the coefficient of r^8 and not OpenCV's, so only 0 is taken. With OPENCV_FISHEYE, k1 to k4 are
  OpenCV's.
- The world is that of the file, whose z points up. `applied_transform` says how it came from the world of the pictures'
  source, which may have any axis up; it is not undone. `applied_scale` is: lengths are then the source's.
- A frame is a camera, named like its picture, or like the folder where the pictures of all cameras are called alike.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.formats.base import (
    build_camera,
    names_of_images,
    numbers,
    parse_json,
    peek_text,
    pose,
    refuse,
    trimmed_dist,
)
from triskel.camera import Camera, LensModel, Rig
from triskel.errors import ConfigError
from triskel.files import write_text

HALF_PX = 0.5
"""Where the centre of the first pixel is in the file, from the image's edge, px."""

_FLIP = np.array([1.0, -1.0, -1.0])  # our camera axes from OpenGL's
_PINHOLE = ("k1", "k2", "p1", "p2", "k3")
_FISHEYE = ("k1", "k2", "k3", "k4")
_MODELS: dict[str, LensModel] = {
    "OPENCV": "pinhole",
    "PINHOLE": "pinhole",
    "SIMPLE_PINHOLE": "pinhole",
    "OPENCV_FISHEYE": "fisheye",
}


class Nerfstudio:
    """The JSON file of poses that nerfstudio and instant-ngp read."""

    name = "nerfstudio"
    title = "nerfstudio transforms.json"
    suffixes: tuple[str, ...] = (".json",)

    def can_read(self, path: Path) -> bool:
        """Say whether the text is a JSON object of `frames` with a `transform_matrix`."""
        text = peek_text(path)
        return text.lstrip().startswith("{") and '"frames"' in text and '"transform_matrix"' in text

    def read(self, path: Path) -> Rig:
        """Read one camera for each frame, in the order of the file."""
        data = parse_json(path)
        frames = data.get("frames")
        if not isinstance(frames, list) or not frames or not all(isinstance(frame, dict) for frame in frames):
            raise ConfigError(f"{path}: expected a list `frames` of objects, got {type(frames).__name__}")
        scale = float(numbers([data.get("applied_scale", 1.0)], where=f"{path}: applied_scale")[0])
        if scale <= 0:
            raise ConfigError(f"{path}: applied_scale is positive, got {scale:g}")
        names = names_of_images([str(frame.get("file_path", "")) for frame in frames], where=str(path))
        shared = {key: value for key, value in data.items() if key != "frames"}
        return Rig(
            tuple(
                _camera(name, {**shared, **frame}, scale=scale, path=path)
                for name, frame in zip(names, frames, strict=True)
            )
        )

    def write(self, rig: Rig, path: Path) -> None:
        """Write the rig; at most k1 k2 p1 p2 k3, or fisheye, the same model for all cameras."""
        models = {camera.model for camera in rig}
        if len(models) > 1:
            raise ConfigError(
                "the nerfstudio format has one lens model for all cameras; this rig mixes two: use native"
            )
        data = {
            "camera_model": "OPENCV_FISHEYE" if models == {"fisheye"} else "OPENCV",
            "frames": [_frame(camera) for camera in rig],
        }
        write_text(path, json.dumps(data, indent=2) + "\n")


def _frame(camera: Camera) -> dict[str, object]:
    """Return one camera's frame."""
    dist = camera.dist if camera.model == "fisheye" else trimmed_dist(camera.dist, (5,))
    if dist is None:
        raise refuse(camera, "more than 5 coefficients", format_name="nerfstudio")
    if camera.K[0, 1] != 0:
        raise refuse(camera, "skew", format_name="nerfstudio")
    if not re.fullmatch(r"[^/\\]+", camera.name):
        raise ConfigError(f"camera {camera.name!r}: its name becomes a picture's, so without slashes")
    world_from_cam = np.eye(4)
    world_from_cam[:3, :3] = camera.cam_from_world.R.T * _FLIP
    world_from_cam[:3, 3] = camera.centre
    keys = _FISHEYE if camera.model == "fisheye" else _PINHOLE
    frame: dict[str, object] = {
        "file_path": f"images/{camera.name}.png",
        "w": camera.size_wh[0],
        "h": camera.size_wh[1],
        "fl_x": float(camera.K[0, 0]),
        "fl_y": float(camera.K[1, 1]),
        "cx": float(camera.K[0, 2]) + HALF_PX,
        "cy": float(camera.K[1, 2]) + HALF_PX,
    }
    frame |= dict(zip(keys, dist.tolist(), strict=True))
    return frame | {"transform_matrix": world_from_cam.tolist()}


def _camera(name: str, frame: Mapping[str, object], *, scale: float, path: Path) -> Camera:
    """Return the camera of one frame."""
    where = f"{path}: frame {name!r}"
    size_wh = _values(frame, ("w", "h"), where=where)
    matrix = numbers(frame.get("transform_matrix"), where=f"{where}: transform_matrix")
    if len(matrix) not in (12, 16) or (len(matrix) == 16 and not np.array_equal(matrix[12:], (0, 0, 0, 1))):
        raise ConfigError(f"{where}: transform_matrix is 3 x 4, or 4 x 4 ending in 0 0 0 1, got {len(matrix)} numbers")
    world_from_cam = matrix.reshape(-1, 4)[:3]
    R = (world_from_cam[:, :3] * _FLIP).T
    model = _model(frame, where=where)
    return build_camera(
        where=where,
        name=name,
        size_wh=size_wh,
        K=_K(frame, size_wh, where=where),
        dist=_dist(frame, model, where=where),
        model=model,
        cam_from_world=pose(R, -R @ world_from_cam[:, 3] / scale, where=where),
    )


def _values(frame: Mapping[str, object], keys: tuple[str, ...], *, where: str) -> NDArray[np.float64]:
    """Return numbers that must be there."""
    missing = [key for key in keys if key not in frame]
    if missing:
        raise ConfigError(f"{where}: {', '.join(missing)} missing, in the frame and at the top of the file")
    return numbers([frame[key] for key in keys], where=f"{where}: {', '.join(keys)}")


def _model(frame: Mapping[str, object], *, where: str) -> LensModel:
    """Return the lens model, which instant-ngp marks by `is_fisheye`."""
    named = frame.get("camera_model", "OPENCV_FISHEYE" if frame.get("is_fisheye") is True else "OPENCV")
    if named not in _MODELS:
        raise ConfigError(f"{where}: camera_model {named!r} is not supported; supported are {', '.join(_MODELS)}")
    return _MODELS[str(named)]


def _K(frame: Mapping[str, object], size_wh: NDArray[np.float64], *, where: str) -> NDArray[np.float64]:
    """Return K from focal lengths or angles of view; without a principal point it is the image's middle."""
    if "fl_x" in frame:
        fx = _values(frame, ("fl_x",), where=where)[0]
    else:
        angle = _values(frame, ("camera_angle_x",), where=f"{where}: fl_x or its stand-in")[0]
        if not 0 < angle < np.pi:
            raise ConfigError(f"{where}: camera_angle_x is between 0 and pi, got {angle:g}")
        fx = 0.5 * size_wh[0] / np.tan(0.5 * angle)
    fy = _values(frame, ("fl_y",), where=where)[0] if "fl_y" in frame else fx
    middle = {"cx": 0.5 * size_wh[0], "cy": 0.5 * size_wh[1]}
    cx, cy = _values({**middle, **frame}, ("cx", "cy"), where=where) - HALF_PX
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])


def _dist(frame: Mapping[str, object], model: LensModel, *, where: str) -> NDArray[np.float64]:
    """Return the coefficients; what is not given is zero."""
    if frame.get("camera_model") in ("PINHOLE", "SIMPLE_PINHOLE"):
        return np.zeros(0)
    zeros = dict.fromkeys((*_PINHOLE, *_FISHEYE), 0.0)
    if model == "pinhole" and float(_values({**zeros, **frame}, ("k4",), where=where)[0]) != 0:
        raise ConfigError(
            f"{where}: k4 with camera_model OPENCV is an r^8 term, which OpenCV's lens model does not have"
        )
    return _values({**zeros, **frame}, _FISHEYE if model == "fisheye" else _PINHOLE, where=where)
