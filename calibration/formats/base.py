"""What a rig format is, and the checks and text helpers that all of them share."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol, TypeGuard

import numpy as np
from numpy.typing import ArrayLike, NDArray

from triskel.camera import Camera, LensModel, Rig
from triskel.errors import ConfigError
from triskel.rigid import Rigid

MAX_BYTES = 16 * 1024 * 1024
"""Calibrations are kilobytes; a larger file is something else, and is not read into memory."""

FARTHEST_M = 1e6
"""Nothing stands farther away in metres, even if the file is in millimetres; more is a broken number."""
LARGEST_SHARE = 1e3
"""Focal lengths and principal points are no more image sides than this: a field of view of 0.06 degrees."""
LARGEST_COEFFICIENT = 1e6
LARGEST_NUMBER = 1e15
"""Beyond this no number of a calibration means anything, and its square may be infinite."""

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".exr"})
"""What is cut off the name of a picture to get a camera's; anything else after a dot belongs to the name."""

_log = logging.getLogger(__name__)


class RigFormat(Protocol):
    """One way to store a rig.

    Attributes:
        name: what the user types, such as `qualisys`.
        title: one line for lists and messages.
        suffixes: what names of such files end in, lower case; empty for a format that is a folder.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]

    def can_read(self, path: Path) -> bool:
        """Say by content whether `path` claims to be in this format; never raises on a broken file."""
        ...

    def read(self, path: Path) -> Rig:
        """Read the rig; raise ConfigError, one line, if the file breaks its own promise."""
        ...

    def write(self, rig: Rig, path: Path) -> None:
        """Write the rig, replacing what stands at `path`; raise ConfigError if the format cannot hold it."""
        ...


def read_text(path: Path) -> str:
    """Return the UTF-8 text of a file of at most `MAX_BYTES`.

    Raises:
        ConfigError: it is missing, not a plain file, too large or not text.
    """
    try:
        if not path.is_file():
            raise ConfigError(f"{path}: is not a file")
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{path}: is larger than {MAX_BYTES} bytes, so it is no calibration")
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as text: {one_line(error)}") from error


def peek_text(path: Path) -> str:
    """Return the text of a file, or an empty string where it cannot be read: for `can_read`."""
    try:
        return read_text(path)
    except ConfigError:
        return ""


def one_line(error: BaseException) -> str:
    """Return an exception's message on one line."""
    return " ".join(str(error).split())


def numbers(value: object, *, where: str, shape: tuple[int, ...] | None = None) -> NDArray[np.float64]:
    """Return a parsed value as a float64 array.

    Args:
        value: numbers or nested sequences of them.
        where: file and key, for the message.
        shape: what the array must have; None takes a flat list of any length.

    Raises:
        ConfigError: not numbers, not finite, absurdly large, or not of that shape.
    """
    if has_bool(value):
        raise ConfigError(f"{where}: expected numbers, got true or false among {str(value)[:60]!r}")
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where}: expected numbers, got {str(value)[:60]!r}") from error
    if shape is None:
        array = array.reshape(-1)
    elif array.shape != shape:
        raise ConfigError(f"{where}: expected numbers of shape {shape}, got {array.shape}")
    if not np.isfinite(array).all():
        raise ConfigError(f"{where}: expected finite numbers, got NaN or infinity")
    if (np.abs(array) > LARGEST_NUMBER).any():
        raise ConfigError(f"{where}: holds {float(np.abs(array).max()):.3g}, which is no number of a calibration")
    return array


def has_bool(value: object) -> bool:
    """Say whether there is a true or false among numbers, which Python takes for 1 and 0."""
    return isinstance(value, bool) or (isinstance(value, list | tuple) and any(has_bool(one) for one in value))


def is_number(value: object) -> TypeGuard[int | float]:
    """Say whether a parsed value is one number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def check_plausible(rig: Rig) -> None:
    """Refuse numbers that no camera has: they would go through everything that follows.

    Raises:
        ConfigError: a camera farther away, or with a lens longer, than any; the message names it.
    """
    for camera in rig:
        far_m, longest = float(np.abs(camera.cam_from_world.t).max()), max(camera.size_wh)
        largest, dist = float(np.abs(camera.K).max()), float(np.abs(camera.dist).max(initial=0.0))
        wrong = ""
        if far_m > FARTHEST_M:
            wrong = f"stands {far_m:.3g} m from the origin"
        elif largest > LARGEST_SHARE * longest:
            wrong = f"has a focal length or principal point of {largest:.3g} px, for an image of {longest} px"
        elif dist > LARGEST_COEFFICIENT:
            wrong = f"has a lens coefficient of {dist:.3g}"
        if wrong:
            raise ConfigError(f"camera {camera.name!r} {wrong}: a number in the file is wrong, or in another unit")


def pose(R_or_rotvec: ArrayLike, t: ArrayLike, *, where: str) -> Rigid:
    """Return `cam_from_world` from a rotation (3, 3) or rotation vector (3,) rad and a translation (3,) m.

    Raises:
        ConfigError: the rotation is not one (mirrored, not orthonormal).
    """
    rotation = np.asarray(R_or_rotvec, dtype=np.float64)
    try:
        return Rigid(rotation, np.asarray(t)) if rotation.ndim == 2 else Rigid.from_rotvec(rotation, t)
    except ValueError as error:
        raise ConfigError(f"{where}: {one_line(error)}") from error


def build_camera(
    *,
    where: str,
    name: str,
    size_wh: ArrayLike,
    K: NDArray[np.float64],
    dist: NDArray[np.float64],
    cam_from_world: Rigid,
    model: LensModel = "pinhole",
) -> Camera:
    """Return the camera, or what is wrong with it together with the place in the file.

    Raises:
        ConfigError: the parts make no camera.
    """
    w, h = numbers(size_wh, where=f"{where}: image size", shape=(2,)).tolist()
    try:
        return Camera(name=name, size_wh=(w, h), K=K, dist=dist, model=model, cam_from_world=cam_from_world)
    except ConfigError as error:
        raise ConfigError(f"{where}: {one_line(error)}") from error


def parse_json(path: Path) -> dict[str, object]:
    """Return a JSON file that is an object.

    Raises:
        ConfigError: unreadable, broken, something else than an object, or an object with a key twice: readers take
            the last of them, so a camera would get lost.
    """

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = sorted({key for key in keys if keys.count(key) > 1})
            raise ConfigError(f"{path}: {', '.join(twice)} stands there twice; names are unique")
        return found

    try:
        data = json.loads(read_text(path), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{path}: broken JSON: {one_line(error)[:120]}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: expected a JSON object, got {type(data).__name__}")
    return data


def names_of_images(images: Sequence[str], *, where: str) -> list[str]:
    """Return a camera's name for each picture: the picture's, without its suffix, or else its folder's.

    Where each camera has a folder, the pictures in them are often called alike.

    Raises:
        ConfigError: neither tells the cameras apart.
    """
    paths = [PurePosixPath(image.replace("\\", "/")) for image in images]
    names = [path.stem if path.suffix.lower() in IMAGE_SUFFIXES else path.name for path in paths]
    folders = [path.parent.name for path in paths]
    for candidates in (names, folders):
        if all(candidates) and len(set(candidates)) == len(candidates):
            return candidates
    twice = next((name for name in names if names.count(name) > 1), "")
    raise ConfigError(f"{where}: {names.count(twice)} pictures are called {twice!r}; give each camera its own name")


def size_from_principal_point(K: NDArray[np.float64], *, where: str) -> tuple[int, int]:
    """Guess an image size (width, height) px from the principal point, and log a warning that it is a guess.

    The centre of a W px wide image is at (W - 1) / 2, so W is near 2 cx + 1; cameras have even sizes, and 2 round(cx)
    is within the scatter of any real principal point.
    """
    size_wh = (max(2, 2 * round(float(K[0, 2]))), max(2, 2 * round(float(K[1, 2]))))
    _log.warning(
        "%s: the file does not hold the image size; %d x %d px is a guess from the principal point", where, *size_wh
    )
    return size_wh


def trimmed_dist(dist: NDArray[np.float64], lengths: Sequence[int]) -> NDArray[np.float64] | None:
    """Return `dist` padded or cut to the shortest of `lengths` that loses nothing; None if even the longest does."""
    used = int(np.max(np.flatnonzero(dist), initial=-1)) + 1
    fits = [length for length in sorted(lengths) if length >= used]
    if not fits:
        return None
    out = np.zeros(fits[0])
    out[:used] = dist[:used]
    return out


def refuse(camera: Camera, what: str, *, format_name: str) -> ConfigError:
    """Return the error for a camera that a format cannot hold."""
    return ConfigError(f"camera {camera.name!r}: the {format_name} format cannot hold {what}; use native or toml")
