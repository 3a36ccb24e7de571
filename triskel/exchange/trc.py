"""TRC, the marker file of OpenSim and Vicon: one file a person."""

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from triskel.exchange.options import Chosen, ExportOptions, choose
from triskel.files import atomic_path
from triskel.motion import Motion3D

DECIMALS = {"m": 6, "cm": 4, "mm": 3}
"""A micrometre."""


def write_trc(folder: str | Path, motion: Motion3D, *, options: ExportOptions | None = None) -> list[Path]:
    """Write `folder/person_<id>.trc` for each person; missing markers are blank fields.

    In metres and with y up, as OpenSim's models stand, unless asked otherwise. The format cannot mark what was
    interpolated.

    Args:
        folder: where the files go; created when missing.
        motion: people in 3D.
        options: whom and what of them, in which unit and axes.

    Returns:
        The files written, in the order of the people.
    """
    chosen = choose(motion, options or ExportOptions(), y_up=True)
    paths = []
    for n, identity in enumerate(chosen.ids):
        path = Path(folder) / f"person_{identity}.trc"
        with atomic_path(path) as temporary:
            temporary.write_text(_trc(path.name, chosen, chosen.points.X[:, n]), encoding="utf-8")
        paths.append(path)
    return paths


def _trc(name: str, chosen: Chosen, X: NDArray[np.float64]) -> str:
    """Return the file's text for one person's joints (F, J, 3), in the unit chosen."""
    F, J = X.shape[:2]
    # One frame has no rate, and readers divide by it.
    rate = f"{chosen.fps:.6f}".rstrip("0").rstrip(".") if np.isfinite(chosen.fps) else "1"
    header = "DataRate CameraRate NumFrames NumMarkers Units OrigDataRate OrigDataStartFrame OrigNumFrames".split()
    axes = [f"{axis}{j}" for j in range(1, J + 1) for axis in "XYZ"]
    lines = [
        f"PathFileType\t4\t(X/Y/Z)\t{name}",
        "\t".join(header),
        "\t".join([rate, rate, str(F), str(J), chosen.units, rate, "1", str(F)]),
        "\t".join(["Frame#", "Time", *(field for joint in chosen.joints for field in (joint, "", ""))]),
        "\t".join(["", "", *axes]),
        "",
    ]
    rows = X.reshape(F, 3 * J).tolist()
    decimals = DECIMALS[chosen.units]
    for f, (time_s, row) in enumerate(zip(chosen.time_s, rows, strict=True), start=1):
        fields = ["" if math.isnan(value) else f"{value:.{decimals}f}" for value in row]
        lines.append("\t".join([str(f), f"{time_s:.6f}", *fields]))
    return "\n".join(lines) + "\n"
