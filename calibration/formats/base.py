"""What a rig format is, and the checks and text helpers that all of them share."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from triskel.camera import Camera, Rig
from triskel.errors import ConfigError
from triskel.rigid import Rigid

MAX_BYTES = 16 * 1024 * 1024
"""Calibrations are kilobytes; a larger file is something else, and is not read into memory."""

_log = logging.getLogger(__name__)


class RigFormat(Protocol):
    """One way to store a rig.

    Attributes:
        name: what the user types, such as `qualisys`.
        title: one line for lists and messages.
    """

    name: str
    title: str

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
        ConfigError: not numbers, not finite, or not of that shape.
    """
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
    return array


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
