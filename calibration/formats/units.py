"""Lengths of other tools' files: metres here, but the files rarely say, and some are in millimetres."""

import logging

import numpy as np

from triskel.camera import Rig
from triskel.errors import ConfigError
from triskel.rigid import Rigid

UNITS_M = {"m": 1.0, "cm": 0.01, "mm": 0.001}
"""Metres in one of each unit."""

FARTHEST_M = 50.0
"""Cameras around people are closer together than this; a rig in millimetres never is."""

_log = logging.getLogger(__name__)


def in_metres(rig: Rig, unit: str) -> Rig:
    """Return the rig with its poses brought from `unit` to metres.

    Args:
        rig: a rig whose translations are numbers in `unit`.
        unit: a key of `UNITS_M`.

    Raises:
        ConfigError: the unit is unknown.
    """
    if unit not in UNITS_M:
        raise ConfigError(f"unit {unit!r} is unknown; known are: {', '.join(UNITS_M)}")
    if UNITS_M[unit] == 1:
        return rig
    poses = [camera.cam_from_world for camera in rig]
    scaled = [Rigid(one.R, one.t * UNITS_M[unit]) for one in poses]
    return Rig(tuple(camera.replace(cam_from_world=one) for camera, one in zip(rig, scaled, strict=True)))


def warn_of_unit(rig: Rig, *, where: str) -> None:
    """Log a warning where the cameras are so far apart that the unit is in doubt; the rig is not changed."""
    centres = np.array([camera.centre for camera in rig])
    apart_m = float(np.linalg.norm(centres - centres.mean(axis=0), axis=-1).max()) if len(rig) > 1 else 0.0
    if apart_m > FARTHEST_M:
        _log.warning(
            "%s: cameras stand up to %.0f m from the middle of the rig; if the file is in millimetres, "
            "convert it: triskel rig convert --unit mm",
            where,
            apart_m,
        )
