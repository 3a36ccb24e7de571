"""Rigs in other tools' formats: one small file for each, told apart by content.

rig = load_rig("Calib.qca.txt")                 # any of FORMATS
write_rig(rig, "rig.toml", format="toml")
"""

from pathlib import Path

from triskel.calibration.formats.base import RigFormat, check_plausible
from triskel.calibration.formats.caliscope import Caliscope
from triskel.calibration.formats.colmap import Colmap
from triskel.calibration.formats.easymocap import EasyMocap
from triskel.calibration.formats.multical import Multical
from triskel.calibration.formats.native import Native
from triskel.calibration.formats.nerfstudio import Nerfstudio
from triskel.calibration.formats.opencv import OpenCv
from triskel.calibration.formats.openpose import OpenPose
from triskel.calibration.formats.qualisys import Qualisys
from triskel.calibration.formats.toml import Toml
from triskel.calibration.formats.units import UNITS_M, in_metres, warn_of_unit
from triskel.camera import Rig
from triskel.errors import ConfigError

FORMATS: dict[str, RigFormat] = {
    format_.name: format_
    for format_ in (
        Native(),
        Qualisys(),
        OpenPose(),
        Toml(),
        EasyMocap(),
        Caliscope(),
        OpenCv(),
        Multical(),
        Colmap(),
        Nerfstudio(),
    )
}
"""Every known format by name, in the order of lists and messages."""

__all__ = ["FORMATS", "UNITS_M", "RigFormat", "format_of_name", "load_rig", "write_rig"]


def load_rig(path: str | Path, *, format: str | None = None, unit: str = "m") -> Rig:  # noqa: A002 - the word the user types
    """Read a rig in any known format, told apart by content; the file's extension does not matter.

    Args:
        path: a file, or the folder of a format that is one (OpenPose, EasyMocap, OpenCV, COLMAP).
        format: a key of `FORMATS`, for what looks like several.
        unit: what the file's lengths are in where its format does not settle it, a key of `UNITS_M`.

    Returns:
        The rig, in triskel's conventions whatever the file's were.

    Raises:
        ConfigError: the path is missing, in no known format, in several, or broken; one line that names it.
    """
    path = Path(path)
    if not path.exists():
        raise ConfigError(f"{path}: no such file or folder; a rig is one of: {_known()}")
    claimed = [FORMATS[_checked(format)]] if format else [one for one in FORMATS.values() if one.can_read(path)]
    if not claimed:
        raise ConfigError(f"{path}: in no known rig format; known are: {_known()}")
    if len(claimed) > 1:
        names = " and ".join(one.name for one in claimed)
        raise ConfigError(
            f"{path}: looks like {names}; say which one it is: triskel rig convert --from {claimed[0].name}"
        )
    try:
        rig = in_metres(claimed[0].read(path), unit)
        check_plausible(rig)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except ConfigError as error:
        text = str(error)
        raise ConfigError(text if str(path) in text else f"{path}: {text}") from error
    warn_of_unit(rig, where=str(path))
    return rig


def write_rig(rig: Rig, path: str | Path, *, format: str = "native") -> None:  # noqa: A002 - the word the user types
    """Write a rig in the named format, replacing what stands at `path`.

    Args:
        rig: the rig.
        path: a file, or a folder for `openpose`, `easymocap` and `colmap`.
        format: a key of `FORMATS`.

    Raises:
        ConfigError: unknown format, or a camera that the format cannot hold.
    """
    FORMATS[_checked(format)].write(rig, Path(path))


def format_of_name(path: str | Path) -> str:
    """Return the format that a file's name calls for.

    Of formats with the same suffix, the first in `FORMATS` that has it for its own.

    Raises:
        ConfigError: no format has that suffix, or several have it; the message lists what can be said instead.
    """
    suffix = Path(path).suffix.lower()
    found = [one for one in FORMATS.values() if suffix in one.suffixes]
    if not found:
        raise ConfigError(f"{path}: its suffix does not say the format; give it with --to: {', '.join(FORMATS)}")
    if len(found) > 1 and found[0].name != "native":
        raise ConfigError(f"{path}: is it {' or '.join(one.name for one in found)}? Say it with --to")
    return found[0].name


def _checked(name: str) -> str:
    """Return the name of a format if there is one so called."""
    if name not in FORMATS:
        raise ConfigError(f"rig format {name!r} is unknown; known are: {', '.join(FORMATS)}")
    return name


def _known() -> str:
    """Return the list of formats for messages."""
    return "; ".join(f"{format_.name} ({format_.title})" for format_ in FORMATS.values())
