"""NumPy's archive: every array of a motion under its own name, nothing rounded."""

from pathlib import Path

import numpy as np

from triskel.files import atomic_path
from triskel.motion import Detections2D, Motion3D
from triskel.whole_body import part_names


def write_npz(path: str | Path, motion: Motion3D, *, detections: Detections2D | None = None) -> None:
    """Write a compressed `.npz` that `numpy.load` reads without pickle; missing = NaN and score 0.

    Its arrays: `X` (F, N, J, 3) m, `score`, `reproj_px`, `gap` (F, N, J), `views` (F, N, J, C), `sigma_mm`
    (F, N, J, 3), `time_s` (F,), `ids` (N,), and the names `joints` (J,), `parts` (J,), `cameras` (C,), `skeleton`.

    Args:
        path: the file.
        motion: people in 3D.
        detections: with them, also `keypoints2d` (F, C, N2, J, 3), px and score, of `cameras2d` (C,).
    """
    arrays = motion.points._asdict() | {
        "gap": motion.gap,
        "time_s": motion.time_s,
        "ids": motion.ids,
        "joints": np.array(motion.skeleton.joints),
        "parts": np.array(part_names(motion.skeleton)),
        "cameras": np.array(motion.cameras),
        "skeleton": np.array(motion.skeleton.name),
    }
    if detections is not None:
        arrays |= {"keypoints2d": detections.keypoints, "cameras2d": np.array(detections.cameras)}
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)
