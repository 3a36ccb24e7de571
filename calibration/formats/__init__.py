"""Rigs in other tools' formats: one small file for each, told apart by content.

rig = load_rig("Calib.qca.txt")                 # any of FORMATS
write_rig(rig, "rig.toml", format="toml")
"""

from pathlib import Path

from triskel.calibration.formats.base import RigFormat
from triskel.calibration.formats.easymocap import EasyMocap
from triskel.calibration.formats.native import Native
from triskel.calibration.formats.openpose import OpenPose
from triskel.calibration.formats.qualisys import Qualisys
from triskel.calibration.formats.toml import Toml
from triskel.camera import Rig
from triskel.errors import ConfigError

FORMATS: dict[str, RigFormat] = {
    format_.name: format_ for format_ in (Native(), Qualisys(), OpenPose(), Toml(), EasyMocap())
}
"""Every known format by name; the order is the one in which a file is tried."""

__all__ = ["FORMATS", "RigFormat", "load_rig", "write_rig"]


def load_rig(path: str | Path) -> Rig:
    """Read a rig in any known format, told apart by content; the file's extension does not matter.

    Args:
        path: a file, or the folder of a format that is one (OpenPose, EasyMocap).

    Returns:
        The rig, in triskel's conventions whatever the file's were.

    Raises:
        ConfigError: the path is missing, in no known format, or broken; one line that names it.
    """
    path = Path(path)
    if not path.exists():
        raise ConfigError(f"{path}: no such file or folder; a rig is one of: {_known()}")
    for format_ in FORMATS.values():
        if format_.can_read(path):
            try:
                return format_.read(path)
            except OSError as error:
                raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
            except ConfigError as error:
                text = str(error)
                raise ConfigError(text if str(path) in text else f"{path}: {text}") from error
    raise ConfigError(f"{path}: in no known rig format; known are: {_known()}")


def write_rig(rig: Rig, path: str | Path, *, format: str = "native") -> None:  # noqa: A002 - the word the user types
    """Write a rig in the named format, replacing what stands at `path`.

    Args:
        rig: the rig.
        path: a file, or a folder for `openpose` and `easymocap`.
        format: a key of `FORMATS`.

    Raises:
        ConfigError: unknown format, or a camera that the format cannot hold.
    """
    if format not in FORMATS:
        raise ConfigError(f"rig format {format!r} is unknown; known are: {', '.join(FORMATS)}")
    FORMATS[format].write(rig, Path(path))


def _known() -> str:
    """Return the list of formats for messages."""
    return "; ".join(f"{format_.name} ({format_.title})" for format_ in FORMATS.values())
