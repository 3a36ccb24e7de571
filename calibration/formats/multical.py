"""Multical's `calibration.json`.

    "cameras":      {"cam1": {"model": "standard", "image_size": [w, h], "K": 3 x 3, "dist": [k1 k2 p1 p2 k3 ...]}}
    "camera_poses": {"cam1": {"R": 3 x 3, "T": [x, y, z]}, "cam2_to_cam1": {...}}

Poses are world to camera, metres. Against what its name says, `cam2_to_cam1` takes points FROM cam1 TO cam2: multical
fills it with `pose2 inverse(pose1)`, both world to camera; so with cam1 as the world it is cam2's pose. References may
form a chain. A camera without a pose was not placed by multical and is left out with a warning.
"""

import json
import logging
from pathlib import Path

from triskel.calibration.formats.base import build_camera, numbers, parse_json, peek_text, pose
from triskel.camera import Camera, LensModel, Rig
from triskel.errors import ConfigError
from triskel.files import write_text
from triskel.rigid import Rigid

_JOIN = "_to_"
_MODELS = {"standard": 5, "rational": 8, "thin_prism": 12, "tilted": 14, "fisheye": 4}
"""Multical's lens models and the most coefficients of each."""

_log = logging.getLogger(__name__)


class Multical:
    """The JSON file that multical writes."""

    name = "multical"
    title = "multical calibration.json"
    suffixes: tuple[str, ...] = (".json",)

    def can_read(self, path: Path) -> bool:
        """Say whether the text is a JSON object that speaks of `cameras` and their `image_size`."""
        text = peek_text(path)
        return text.lstrip().startswith("{") and '"cameras"' in text and '"image_size"' in text

    def read(self, path: Path) -> Rig:
        """Read the cameras that have a pose, in the order of `cameras`."""
        data = parse_json(path)
        cameras, poses = data.get("cameras"), data.get("camera_poses")
        if not isinstance(cameras, dict) or not cameras:
            raise ConfigError(f"{path}: expected an object `cameras`, got {type(cameras).__name__}")
        if not isinstance(poses, dict) or not poses:
            raise ConfigError(f"{path}: has no camera_poses; it holds intrinsics only, so calibrate the rig first")
        placed = _placed(poses, list(cameras), path=path)
        lost = [name for name in cameras if name not in placed]
        if lost:
            _log.warning("%s: without a pose, left out: %s", path, ", ".join(lost))
        return Rig(tuple(_camera(name, cameras[name], placed[name], path=path) for name in cameras if name in placed))

    def write(self, rig: Rig, path: Path) -> None:
        """Write the rig with one world for all; every lens and size survives."""
        data = {
            "cameras": {camera.name: _entry(camera) for camera in rig},
            "camera_poses": {
                camera.name: {"R": camera.cam_from_world.R.tolist(), "T": camera.cam_from_world.t.tolist()}
                for camera in rig
            },
        }
        write_text(path, json.dumps(data, indent=2) + "\n")


def _entry(camera: Camera) -> dict[str, object]:
    """Return a camera's intrinsics."""
    model = "fisheye" if camera.model == "fisheye" else _model_of(len(camera.dist))
    return {
        "model": model,
        "image_size": list(camera.size_wh),
        "K": camera.K.tolist(),
        "dist": camera.dist.tolist() or [0.0] * 5,
    }


def _model_of(coefficients: int) -> str:
    """Return the name of the smallest pinhole model with so many coefficients."""
    return next(name for name, most in _MODELS.items() if coefficients <= most)


def _placed(poses: dict[str, object], names: list[str], *, path: Path) -> dict[str, Rigid]:
    """Return `cam_from_world` of each camera that has one, references followed to the camera they start from."""
    placed: dict[str, Rigid] = {}
    waiting: dict[str, tuple[str, Rigid]] = {}
    for key, value in poses.items():
        where = f"{path}: camera_poses: {key}"
        if not isinstance(value, dict) or not {"R", "T"} <= value.keys():
            raise ConfigError(f"{where}: expected R and T")
        R, T = numbers(value["R"], where=f"{where}: R", shape=(3, 3)), numbers(value["T"], where=f"{where}: T")
        one = pose(R, numbers(T, where=f"{where}: T", shape=(3,)), where=where)
        if key in names:
            name, reference = key, ""
        else:
            name, reference = _split(key, names, where=where)
        if name in placed or name in waiting:
            raise ConfigError(f"{where}: camera {name!r} has two poses")
        if reference:
            waiting[name] = (reference, one)
        else:
            placed[name] = one
    _follow(placed, waiting, path=path)
    return placed


def _follow(placed: dict[str, Rigid], waiting: dict[str, tuple[str, Rigid]], *, path: Path) -> None:
    """Move to `placed` what refers to a camera in it; with no camera of its own the first reference is the world."""
    if not placed:
        for reference in [reference for reference, _ in waiting.values() if reference not in waiting][:1]:
            placed[reference] = Rigid.identity()
    while waiting:
        ready = [name for name, (reference, _) in waiting.items() if reference in placed]
        if not ready:
            raise ConfigError(
                f"{path}: camera_poses: {', '.join(waiting)} refer to cameras without a pose, or in a ring"
            )
        for name in ready:
            reference, cam_from_reference = waiting.pop(name)
            placed[name] = cam_from_reference @ placed[reference]


def _split(key: str, names: list[str], *, where: str) -> tuple[str, str]:
    """Return the two cameras of a key like `cam2_to_cam1`; names may hold `_to_` themselves."""
    pairs = [(a, key[len(a) + len(_JOIN) :]) for a in names if key.startswith(a + _JOIN)]
    pairs = [(a, b) for a, b in pairs if b in names]
    if len(pairs) != 1:
        what = "can be read in two ways" if pairs else "names no known camera or pair of them"
        raise ConfigError(f"{where}: {what}; cameras are {', '.join(names)}")
    return pairs[0]


def _camera(name: str, entry: object, cam_from_world: Rigid, *, path: Path) -> Camera:
    """Return one camera."""
    where = f"{path}: camera {name!r}"
    if not isinstance(entry, dict) or not {"image_size", "K", "dist"} <= entry.keys():
        raise ConfigError(f"{where}: expected image_size, K and dist")
    named = entry.get("model", "standard")
    if named not in _MODELS:
        raise ConfigError(f"{where}: lens model {named!r} is unknown; known are {', '.join(_MODELS)}")
    model: LensModel = "fisheye" if named == "fisheye" else "pinhole"
    return build_camera(
        where=str(path),
        name=name,
        size_wh=numbers(entry["image_size"], where=f"{where}: image_size"),
        K=numbers(entry["K"], where=f"{where}: K", shape=(3, 3)),
        dist=numbers(entry["dist"], where=f"{where}: dist"),
        model=model,
        cam_from_world=cam_from_world,
    )
