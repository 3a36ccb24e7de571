"""C3D, the exchange format of motion capture laboratories."""

from pathlib import Path

import numpy as np

from triskel.errors import InputError
from triskel.files import atomic_path
from triskel.motion import Motion3D

MISSING_RESIDUAL = -1.0
"""What the C3D standard sets as residual of a point that is not valid; its coordinates are 0 by custom."""


def write_c3d(path: str | Path, motion: Motion3D) -> None:
    """Write all people as points `<joint>` (one person) or `<id>_<joint>`, in millimetres, z up.

    The format holds 255 names a parameter: of two whole bodies the rest is in `POINT:LABELS2`, where readers look.

    Args:
        path: the `.c3d` file.
        motion: people in 3D; missing joints are written with residual -1.

    Raises:
        InputError: there are no people, which the format cannot express, or the name does not end in `.c3d`.
    """
    import ezc3d

    if Path(path).suffix.lower() != ".c3d":
        raise InputError(f"{path}: the name of a C3D file ends in .c3d")
    F, N, J = motion.gap.shape
    if N == 0 or F == 0:
        raise InputError(f"{path}: C3D needs people and frames, got {N} people in {F} frames; nothing written")
    joints = motion.skeleton.joints
    labels = list(joints) if N == 1 else [f"{i}_{joint}" for i in motion.ids for joint in joints]
    mm = np.moveaxis(motion.points.X.reshape(F, N * J, 3) * 1000, 0, -1).transpose(1, 0, 2)
    missing = np.isnan(mm[0])
    points = np.ones((4, N * J, F))
    points[:3] = np.where(missing, 0, mm)
    c3d = ezc3d.c3d()
    c3d["parameters"]["POINT"]["UNITS"]["value"] = ["mm"]
    c3d["parameters"]["POINT"]["RATE"]["value"] = [motion.fps if np.isfinite(motion.fps) else 1.0]
    c3d["parameters"]["POINT"]["LABELS"]["value"] = labels
    c3d["data"]["points"] = points
    c3d["data"]["meta_points"]["residuals"] = np.where(missing, MISSING_RESIDUAL, 0.0)[None]
    with atomic_path(path) as temporary:
        c3d.write(str(temporary))
