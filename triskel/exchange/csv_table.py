"""CSV for spreadsheets and statistics: wide (one row a frame) or tidy (one row a joint)."""

import csv
import math
from collections.abc import Iterator
from pathlib import Path

from triskel.files import atomic_path
from triskel.motion import Motion3D
from triskel.whole_body import part_names

TIDY_COLUMNS = "frame time_s person part joint x_m y_m z_m score reproj_px n_views gap".split()


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
    points = motion.points
    names = list(zip(part_names(motion.skeleton), motion.skeleton.joints, strict=True))
    X, score, error = points.X.tolist(), points.score.tolist(), points.reproj_px.tolist()
    views, gap = points.n_views.tolist(), motion.gap.astype(int).tolist()
    for f, time_s in enumerate(motion.time_s):
        for n, identity in enumerate(motion.ids):
            start = [str(f), f"{time_s:.6f}", str(identity)]
            numbers = zip(names, X[f][n], score[f][n], error[f][n], views[f][n], gap[f][n], strict=True)
            for (part, joint), xyz, its_score, its_error, its_views, its_gap in numbers:
                values = [_number(value, 6) for value in xyz]
                values += [_number(its_score, 4), _number(its_error, 3), str(its_views), str(its_gap)]
                yield [*start, part, joint, *values]


def _number(value: float, decimals: int) -> str:
    """Return a fixed-point number, blank for NaN."""
    return "" if math.isnan(value) else f"{value:.{decimals}f}"


def _write(path: Path, columns: list[str], rows: Iterator[list[str]]) -> None:
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
