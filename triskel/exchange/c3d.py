"""C3D, the exchange format of motion capture laboratories."""

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from triskel.errors import InputError
from triskel.exchange.options import Chosen, ExportOptions, choose
from triskel.files import atomic_path
from triskel.motion import Motion3D

MISSING_RESIDUAL = -1.0
"""What the C3D standard sets as residual of a point that is not valid; its coordinates are 0 by custom."""

MOST_STEPS = 127
"""A residual has a byte, of which one bit is the sign of the word."""

LARGEST_INTEGER = 32000
"""The standard's scale: the largest coordinate over this."""

HEADER_SCALE_BYTE = 12


def write_c3d(path: str | Path, motion: Motion3D, *, options: ExportOptions | None = None) -> None:
    """Write all people as points `<joint>` (one person) or `<id>_<joint>`; millimetres and z up unless asked otherwise.

    A point's residual says what it is: -1 missing, 0 interpolated, else measured, and its value is then the root of the
    summed variances of x, y and z, in the file's unit, rounded to its scale.

    The format holds 255 names a parameter: of two whole bodies the rest is in `POINT:LABELS2`, where readers look.

    Args:
        path: the `.c3d` file.
        motion: people in 3D.
        options: whom and what of them, in which unit and axes.

    Raises:
        InputError: there are no people, which the format cannot express, or the name does not end in `.c3d`.
    """
    import ezc3d

    if Path(path).suffix.lower() != ".c3d":
        raise InputError(f"{path}: the name of a C3D file ends in .c3d")
    chosen = choose(motion, options or ExportOptions(), units="mm")
    F, N, J = chosen.gap.shape
    if N == 0 or F == 0:
        raise InputError(f"{path}: C3D needs people and frames, got {N} people in {F} frames; nothing written")
    labels = list(chosen.joints) if N == 1 else [f"{i}_{joint}" for i in chosen.ids for joint in chosen.joints]
    X = np.moveaxis(chosen.points.X.reshape(F, N * J, 3), 0, -1).transpose(1, 0, 2)
    points = np.ones((4, N * J, F))
    points[:3] = np.nan_to_num(X)
    largest = float(np.abs(points[:3]).max())
    scale = float(np.float32((largest or 1.0) / LARGEST_INTEGER))
    steps = _residual_steps(chosen, scale).reshape(F, N * J).T
    c3d = ezc3d.c3d()
    c3d["parameters"]["POINT"]["UNITS"]["value"] = [chosen.units]
    c3d["parameters"]["POINT"]["RATE"]["value"] = [chosen.fps if np.isfinite(chosen.fps) else 1.0]
    c3d["parameters"]["POINT"]["SCALE"]["value"] = [-scale]
    c3d["parameters"]["POINT"]["LABELS"]["value"] = labels
    c3d["data"]["points"] = points
    # The standard has the cameras in the high byte and the residual in the low one, ezc3d the other way round: the same
    # number in both reads the same everywhere.
    bits = (np.maximum(steps, 0)[None] >> np.arange(7)[:, None, None]) & 1
    c3d["data"]["meta_points"]["camera_masks"] = bits.astype(bool)
    residuals = np.where(steps < 0, MISSING_RESIDUAL, (steps + 0.5) * scale)  # ezc3d rounds down
    c3d["data"]["meta_points"]["residuals"] = np.where(steps == 0, 0.0, residuals)[None]
    with atomic_path(path) as temporary:
        c3d.write(str(temporary))
        # ezc3d leaves the header's scale at -1, and readers compare the two.
        with temporary.open("r+b") as file:
            file.seek(HEADER_SCALE_BYTE)
            file.write(struct.pack("<f", -scale))


def _residual_steps(chosen: Chosen, scale: float) -> NDArray[np.int64]:
    """Return each point's residual in steps of the scale (F, N, J): -1 missing, 0 interpolated, 1 or more measured."""
    mm_per_unit = {"mm": 1.0, "cm": 10.0, "m": 1000.0}[chosen.units]
    spread = np.sqrt((chosen.points.sigma_mm**2).sum(axis=-1)) / mm_per_unit
    steps = np.clip(np.round(np.nan_to_num(spread) / scale), 1, MOST_STEPS).astype(np.int64)
    steps[chosen.gap] = 0
    steps[np.isnan(chosen.points.X[..., 0])] = -1
    return steps
