"""TRC, the marker file of OpenSim and Vicon: one file a person."""

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from triskel.files import atomic_path
from triskel.motion import Motion3D


def write_trc(folder: str | Path, motion: Motion3D, *, y_up: bool = False) -> list[Path]:
    """Write `folder/person_<id>.trc` for each person, in metres; missing markers are blank fields.

    Args:
        folder: where the files go; created when missing.
        motion: people in 3D.
        y_up: turn the axes cyclically (x, y, z) -> (y, z, x), for models whose y points up, as OpenSim's do.

    Returns:
        The files written, in the order of `motion.ids`.
    """
    X = motion.points.X[..., [1, 2, 0]] if y_up else motion.points.X
    paths = []
    for n, identity in enumerate(motion.ids):
        path = Path(folder) / f"person_{identity}.trc"
        with atomic_path(path) as temporary:
            temporary.write_text(_trc(path.name, motion, X[:, n]), encoding="utf-8")
        paths.append(path)
    return paths


def _trc(name: str, motion: Motion3D, X: NDArray[np.float64]) -> str:
    """Return the file's text for one person's joints (F, J, 3), m."""
    F, J = X.shape[:2]
    # One frame has no rate, and readers divide by it.
    rate = f"{motion.fps:.6f}".rstrip("0").rstrip(".") if np.isfinite(motion.fps) else "1"
    header = "DataRate CameraRate NumFrames NumMarkers Units OrigDataRate OrigDataStartFrame OrigNumFrames".split()
    axes = [f"{axis}{j}" for j in range(1, J + 1) for axis in "XYZ"]
    lines = [
        f"PathFileType\t4\t(X/Y/Z)\t{name}",
        "\t".join(header),
        "\t".join([rate, rate, str(F), str(J), "m", rate, "1", str(F)]),
        "\t".join(["Frame#", "Time", *(field for joint in motion.skeleton.joints for field in (joint, "", ""))]),
        "\t".join(["", "", *axes]),
        "",
    ]
    rows = X.reshape(F, 3 * J).tolist()
    for f, (time_s, row) in enumerate(zip(motion.time_s, rows, strict=True), start=1):
        fields = ["" if math.isnan(value) else f"{value:.6f}" for value in row]
        lines.append("\t".join([str(f), f"{time_s:.6f}", *fields]))
    return "\n".join(lines) + "\n"
