"""CSV for spreadsheets and statistics: wide (one row a frame) or tidy (one row a joint)."""

import csv
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from triskel.files import atomic_path
from triskel.motion import Motion3D

TIDY_COLUMNS = "frame time_s person joint x_m y_m z_m score reproj_px n_views gap".split()


def write_csv_wide(path: str | Path, motion: Motion3D) -> None:
    """Write one row a frame: `frame, time_s, <person>_<joint>_x, ..._y, ..._z` in metres; missing is blank."""
    columns = [f"{i}_{joint}_{axis}" for i in motion.ids for joint in motion.skeleton.joints for axis in "xyz"]
    values = motion.points.X.reshape(len(motion.time_s), -1).tolist()
    rows = (
        [str(f), f"{time_s:.6f}", *(_number(value, 6) for value in row)]
        for f, (time_s, row) in enumerate(zip(motion.time_s, values, strict=True))
    )
    _write(Path(path), ["frame", "time_s", *columns], rows)


def write_csv_tidy(path: str | Path, motion: Motion3D) -> None:
    """Write one row for each frame, person and joint; a missing joint keeps its row, with blank coordinates."""
    _write(Path(path), TIDY_COLUMNS, _tidy_rows(motion))


def _tidy_rows(motion: Motion3D) -> Iterator[list[str]]:
    points, joints = motion.points, motion.skeleton.joints
    for f, n, j in np.ndindex(motion.gap.shape):
        yield [
            str(f),
            f"{motion.time_s[f]:.6f}",
            str(motion.ids[n]),
            joints[j],
            *(_number(value, 6) for value in points.X[f, n, j].tolist()),
            _number(float(points.score[f, n, j]), 4),
            _number(float(points.reproj_px[f, n, j]), 3),
            str(int(points.views[f, n, j].sum())),
            str(int(motion.gap[f, n, j])),
        ]


def _number(value: float, decimals: int) -> str:
    """Return a fixed-point number, blank for NaN."""
    return "" if math.isnan(value) else f"{value:.{decimals}f}"


def _write(path: Path, columns: list[str], rows: Iterator[list[str]]) -> None:
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
