"""COLMAP's text model: a folder of `cameras.txt` and `images.txt`, and `points3D.txt`, which is not read.

    # CAMERA_ID MODEL WIDTH HEIGHT PARAMS...             # IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME
    1 OPENCV 1920 1080 fx fy cx cy k1 k2 p1 p2           1 1.0 0.0 0.0 0.0 0.1 0.2 3.0 1 cam01.png
                                                         (a line of 2D points, which may be empty)

World to camera, Hamilton quaternions with w first. COLMAP puts the CENTRE of the first pixel at (0.5, 0.5), so half a
pixel comes off its principal points. A COLMAP image is a camera here, named like the picture; where each camera has a
folder, like the folder. The size of the world is what COLMAP was given: taken for metres.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from triskel.calibration.formats.base import (
    build_camera,
    names_of_images,
    numbers,
    peek_text,
    pose,
    read_text,
    refuse,
    trimmed_dist,
)
from triskel.camera import Camera, LensModel, Rig
from triskel.errors import ConfigError
from triskel.files import write_text

HALF_PX = 0.5
"""Where the centre of the first pixel is in COLMAP, from the image's edge, px."""

_SUBFOLDERS = ("", "sparse/0", "sparse", "0")
"""Where COLMAP puts a model below its workspace."""


class Lens(NamedTuple):
    """A lens model of COLMAP: how many focal lengths it has, and the place of its other parameters in `dist`."""

    focals: int
    places: tuple[int, ...]
    model: LensModel = "pinhole"


LENSES = {
    "SIMPLE_PINHOLE": Lens(1, ()),
    "PINHOLE": Lens(2, ()),
    "SIMPLE_RADIAL": Lens(1, (0,)),
    "RADIAL": Lens(1, (0, 1)),
    "OPENCV": Lens(2, (0, 1, 2, 3)),
    "FULL_OPENCV": Lens(2, (0, 1, 2, 3, 4, 5, 6, 7)),
    "SIMPLE_RADIAL_FISHEYE": Lens(1, (0,), "fisheye"),
    "RADIAL_FISHEYE": Lens(1, (0, 1), "fisheye"),
    "OPENCV_FISHEYE": Lens(2, (0, 1, 2, 3), "fisheye"),
}
"""COLMAP's models that are OpenCV's; the others (FOV, THIN_PRISM_FISHEYE ...) have no equal here."""


class Colmap:
    """A folder with `cameras.txt` and `images.txt`."""

    name = "colmap"
    title = "COLMAP folder of cameras.txt and images.txt"
    suffixes: tuple[str, ...] = ()

    def can_read(self, path: Path) -> bool:
        """Say whether there is a model in the folder, or where COLMAP puts it below; also one that is binary."""
        return _folder(path) is not None

    def read(self, path: Path) -> Rig:
        """Read one camera for each image, in the order of the file."""
        folder = _folder(path)
        if folder is None or not (folder / "images.txt").is_file():
            raise ConfigError(f"{path}: a binary COLMAP model; export it: colmap model_converter --output_type TXT")
        lenses = {fields[0]: fields[1:] for fields in _rows(folder / "cameras.txt")}
        images = _images(folder / "images.txt")
        names = names_of_images([image[9] for image in images], where=str(folder / "images.txt"))
        return Rig(tuple(_camera(n, image, lenses, folder=folder) for n, image in zip(names, images, strict=True)))

    def write(self, rig: Rig, path: Path) -> None:
        """Write the folder, each camera as an image `NAME.png`; pinhole with at most 8 coefficients, or fisheye."""
        cameras, images = [], []
        for i, camera in enumerate(rig, start=1):
            if not re.fullmatch(r"[^\s/\\]+", camera.name):
                raise ConfigError(f"camera {camera.name!r}: colmap names have no spaces and no slashes")
            cameras.append(f"{i} {_lens_text(camera)}\n")
            w_last = Rotation.from_matrix(camera.cam_from_world.R).as_quat()
            values = [*np.roll(w_last, 1).tolist(), *camera.cam_from_world.t.tolist()]
            images.append(f"{i} {' '.join(map(repr, values))} {i} {camera.name}.png\n\n")
        write_text(path / "cameras.txt", "# CAMERA_ID MODEL WIDTH HEIGHT PARAMS[]\n" + "".join(cameras))
        write_text(
            path / "images.txt", "# IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME\n# POINTS2D[]\n" + "".join(images)
        )
        write_text(path / "points3D.txt", "# POINT3D_ID X Y Z R G B ERROR TRACK[]\n")


def _folder(path: Path) -> Path | None:
    """Return the folder of the model at or below `path`, or of which `path` is a file."""
    if path.is_file():
        text = peek_text(path) if path.name in ("cameras.txt", "images.txt") else ""
        return path.parent if text.strip() and _is_model(path.parent, "txt") else None
    found = [path / below for below in _SUBFOLDERS if _is_model(path / below, "txt")]
    found += [path / below for below in _SUBFOLDERS if _is_model(path / below, "bin")]
    return found[0] if found else None


def _is_model(folder: Path, suffix: str) -> bool:
    return all((folder / f"{name}.{suffix}").is_file() for name in ("cameras", "images"))


def _rows(path: Path) -> list[list[str]]:
    """Return the fields of each line of `cameras.txt`."""
    rows = [line.split() for line in read_text(path).splitlines() if line.strip() and not line.startswith("#")]
    ids = [row[0] for row in rows]
    twice = sorted({one for one in ids if ids.count(one) > 1})
    if twice:
        raise ConfigError(f"{path}: camera {', '.join(twice)} stands there twice")
    return rows


def _images(path: Path) -> list[list[str]]:
    """Return the 10 fields of each image; between them stands a line of points, empty or not."""
    lines = [line for line in read_text(path).splitlines() if not line.startswith("#")]
    while lines and not lines[0].strip():
        lines.pop(0)
    images = []
    for number, line in enumerate(lines):
        if number % 2:
            if not _is_points(line):
                raise ConfigError(f"{path}: expected a line of points after each image, got {line[:60]!r}")
            continue
        fields = line.split(maxsplit=9)
        if not fields and not any(rest.strip() for rest in lines[number:]):
            break
        if len(fields) < 10:
            raise ConfigError(f"{path}: an image has 10 fields, got {len(fields)}: {line[:60]!r}")
        images.append([*fields[:9], fields[9].strip()])
    if not images:
        raise ConfigError(f"{path}: holds no image, and so no camera")
    return images


def _is_points(line: str) -> bool:
    """Say whether a line is x y id, x y id ... or empty."""
    fields = line.split()
    try:
        np.array(fields, dtype=np.float64)
    except ValueError:
        return False
    return len(fields) % 3 == 0


def _camera(name: str, image: list[str], lenses: Mapping[str, list[str]], *, folder: Path) -> Camera:
    """Return the camera of one image."""
    where = f"{folder}: camera {name!r}"
    values = numbers(image[1:8], where=f"{where}: quaternion and translation")
    length = float(np.linalg.norm(values[:4]))
    if abs(length - 1) > 1e-3:
        raise ConfigError(f"{where}: the length of its quaternion is {length:.4g}, not 1")
    if image[8] not in lenses:
        raise ConfigError(f"{where}: cameras.txt has no camera {image[8]}; it has {', '.join(lenses)}")
    fields = lenses[image[8]]
    size_wh, K, dist, model = _lens(fields, where=where)
    R = Rotation.from_quat(np.roll(values[:4], -1)).as_matrix()
    return build_camera(
        where=where,
        name=name,
        size_wh=size_wh,
        K=K,
        dist=dist,
        model=model,
        cam_from_world=pose(R, values[4:], where=where),
    )


def _lens(
    fields: list[str], *, where: str
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], LensModel]:
    """Return the image size, K, coefficients and model of a line of `cameras.txt`."""
    if len(fields) < 3 or fields[0] not in LENSES:
        model = fields[0] if fields else ""
        raise ConfigError(f"{where}: lens model {model!r} is not supported; supported are {', '.join(LENSES)}")
    lens = LENSES[fields[0]]
    size_wh = numbers(fields[1:3], where=f"{where}: image size")
    params = numbers(fields[3:], where=f"{where}: parameters")
    if len(params) != lens.focals + 2 + len(lens.places):
        expected = lens.focals + 2 + len(lens.places)
        raise ConfigError(f"{where}: {fields[0]} has {expected} parameters, got {len(params)}")
    fx, fy = params[0], params[lens.focals - 1]
    cx, cy = params[lens.focals : lens.focals + 2] - HALF_PX
    dist = np.zeros(4 if lens.model == "fisheye" else 8)
    dist[list(lens.places)] = params[lens.focals + 2 :]
    if lens.model == "pinhole":
        shorter = trimmed_dist(dist, (4, 5, 8))
        dist = dist if shorter is None else shorter
    return size_wh, np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]), dist, lens.model


def _lens_text(camera: Camera) -> str:
    """Return the line of `cameras.txt`, after its number, with the smallest model that holds the lens."""
    if camera.K[0, 1] != 0:
        raise refuse(camera, "skew", format_name="colmap")
    if camera.model == "fisheye":
        name, dist = "OPENCV_FISHEYE", camera.dist
    else:
        short = trimmed_dist(camera.dist, (0, 4, 8))
        if short is None:
            raise refuse(camera, "more than 8 coefficients", format_name="colmap")
        name, dist = {0: "PINHOLE", 4: "OPENCV", 8: "FULL_OPENCV"}[len(short)], short
    K = camera.K
    values = [K[0, 0], K[1, 1], K[0, 2] + HALF_PX, K[1, 2] + HALF_PX, *dist]
    return f"{name} {camera.size_wh[0]} {camera.size_wh[1]} {' '.join(repr(float(value)) for value in values)}"
