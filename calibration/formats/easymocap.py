"""EasyMocap's folder: `intri.yml` (K_, dist_, H_, W_) and `extri.yml` (R_, Rot_, T_), OpenCV FileStorage YAML.

World to camera, metres. `R_` is a rotation vector, `Rot_` the same rotation as a matrix; the matrix is read where both
stand. Files without H_ and W_ get the image size guessed, with a warning. No fisheye.
"""

import re
from pathlib import Path

import numpy as np

from triskel.calibration.formats.base import (
    build_camera,
    is_number,
    numbers,
    peek_text,
    pose,
    refuse,
    size_from_principal_point,
)
from triskel.calibration.formats.opencv_storage import HEADER, matrix_of, matrix_text, read_storage
from triskel.camera import Camera, Rig
from triskel.errors import ConfigError
from triskel.files import write_text


class EasyMocap:
    """A folder with `intri.yml` and `extri.yml`."""

    name = "easymocap"
    title = "EasyMocap folder of intri.yml and extri.yml"
    suffixes: tuple[str, ...] = ()

    def can_read(self, path: Path) -> bool:
        """Say whether the folder holds the two files and the first lists `names`."""
        return path.is_dir() and "names" in peek_text(path / "intri.yml") and (path / "extri.yml").is_file()

    def read(self, path: Path) -> Rig:
        """Read the cameras in the order of `names`."""
        intri, extri = read_storage(path / "intri.yml"), read_storage(path / "extri.yml")
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
        intri, extri = [HEADER, names], [HEADER, names]
        for camera in rig:
            name, dist = camera.name, camera.dist if len(camera.dist) else np.zeros(5)
            intri += [matrix_text(f"K_{name}", camera.K), matrix_text(f"dist_{name}", dist[None])]
            intri.append(f"H_{name}: {camera.size_wh[1]}\nW_{name}: {camera.size_wh[0]}\n")
            extri.append(matrix_text(f"R_{name}", camera.cam_from_world.rotvec[:, None]))
            extri.append(matrix_text(f"Rot_{name}", camera.cam_from_world.R))
            extri.append(matrix_text(f"T_{name}", camera.cam_from_world.t[:, None]))
        write_text(path / "intri.yml", "".join(intri))
        write_text(path / "extri.yml", "".join(extri))


def _camera(name: str, intri: dict[str, object], extri: dict[str, object], *, path: Path) -> Camera:
    """Return one camera of the pair of files."""
    inside, outside = path / "intri.yml", path / "extri.yml"
    where = f"{path}: camera {name!r}"
    K = numbers(matrix_of(intri, f"K_{name}", where=str(inside)), where=f"{inside}: K_{name}", shape=(3, 3))
    dist = matrix_of(intri, f"dist_{name}", where=str(inside)).reshape(-1)
    matrix = f"Rot_{name}" in extri
    rotation = matrix_of(extri, f"Rot_{name}" if matrix else f"R_{name}", where=str(outside))
    t = numbers(matrix_of(extri, f"T_{name}", where=str(outside)).reshape(-1), where=f"{outside}: T_{name}", shape=(3,))
    rotation = numbers(rotation if matrix else rotation.reshape(-1), where=where, shape=(3, 3) if matrix else (3,))
    w, h = intri.get(f"W_{name}"), intri.get(f"H_{name}")
    if is_number(w) and is_number(h) and w > 0 and h > 0:
        size = (int(w), int(h))
    else:
        size = size_from_principal_point(K, where=where)
    cam_from_world = pose(rotation, t, where=where)
    return build_camera(where=str(path), name=name, size_wh=size, K=K, dist=dist, cam_from_world=cam_from_world)
