"""NumPy's archive: every array of a motion under its own name, nothing rounded."""

from pathlib import Path

import numpy as np

from triskel.exchange.options import ExportOptions, choose
from triskel.exchange.tidy import REASONS
from triskel.files import atomic_path
from triskel.motion import Detections2D, Motion3D


def write_npz(
    path: str | Path,
    motion: Motion3D,
    *,
    detections: Detections2D | None = None,
    options: ExportOptions | None = None,
) -> None:
    """Write a compressed `.npz` that `numpy.load` reads without pickle; missing = NaN and score 0.

    Its arrays: `X` (F, N, J, 3) in `units`, m unless asked otherwise; `score`, `reproj_px`, `gap`, `missing` (F, N, J),
    the last a number of `reasons`; `views` (F, N, J, C); `cov_mm2` (F, N, J, 3, 3) and the roots of its diagonal
    `sigma_mm` (F, N, J, 3); `time_s` (F,), `ids` (N,); the names `joints` (J,), `parts` (J,), `cameras` (C,),
    `skeleton`; and `axes`. All joints of the skeleton are there, also those never found, unless parts are asked for.

    Args:
        path: the file.
        motion: people in 3D.
        detections: with them, also `keypoints2d` (F, C, N2, J2, 3), px and score, of `cameras2d` (C,); all joints.
        options: whom and what of them, in which unit; all by default.
    """
    chosen = choose(motion, options or ExportOptions(), empty_parts=True)
    arrays = chosen.points._asdict() | {
        "sigma_mm": chosen.points.sigma_mm,
        "gap": chosen.gap,
        "time_s": chosen.time_s,
        "ids": chosen.ids,
        "joints": np.array(chosen.joints),
        "parts": np.array(chosen.parts),
        "cameras": np.array(chosen.cameras),
        "skeleton": np.array(motion.skeleton.name),
        "reasons": np.array(REASONS),
        "units": np.array(chosen.units),
        "axes": np.array(chosen.axes),
    }
    if detections is not None:
        arrays |= {"keypoints2d": detections.keypoints, "cameras2d": np.array(detections.cameras)}
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)
