"""CSV for spreadsheets and statistics: wide (one row a frame) or tidy (one row a joint)."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from triskel.exchange.options import ExportOptions, choose
from triskel.exchange.tidy import tidy_table, with_nulls
from triskel.files import atomic_path
from triskel.motion import Motion3D

DECIMALS = {"time_s": 6, "m": 6, "cm": 4, "mm": 3, "score": 4, "px": 3}
"""By the last word of a column's name: a micrometre and a thousandth of a pixel are below what cameras resolve."""


def write_csv_wide(path: str | Path, motion: Motion3D, *, options: ExportOptions | None = None) -> None:
    """Write one row a frame: `frame, time_s`, the positions, then what is known of them; missing is blank.

    Positions are `<person>_<joint>_x_m`, `_y_m`, `_z_m` (the unit is the one asked for). After all of them come, again
    for each joint, `_gap` (1 where interpolated), `_n_views`, `_reproj_px`, `_sigma_x_mm`, `_sigma_y_mm`,
    `_sigma_z_mm`.

    Args:
        path: the file.
        motion: people in 3D.
        options: whom and what of them, in which unit; all in metres, z up, by default.
    """
    chosen = choose(motion, options or ExportOptions())
    points, F = chosen.points, len(chosen.time_s)
    who = [f"{i}_{joint}" for i in chosen.ids for joint in chosen.joints]
    places = [f"{one}_{axis}_{chosen.units}" for one in who for axis in "xyz"]
    known = ("gap", "n_views", "reproj_px", *(f"sigma_{axis}_mm" for axis in "xyz"))
    quality = np.concatenate(
        [np.stack([chosen.gap, points.n_views, points.reproj_px], axis=-1), points.sigma_mm], axis=-1
    ).reshape(F, len(who) * len(known))
    columns = {"frame": pa.array(np.arange(F)), "time_s": pa.array(chosen.time_s)}
    columns |= _columns(places, points.X.reshape(F, len(places)))
    columns |= _columns([f"{one}_{what}" for one in who for what in known], quality)
    _write(Path(path), pa.table(columns))


def write_csv_tidy(path: str | Path, motion: Motion3D, *, options: ExportOptions | None = None) -> None:
    """Write one row for each frame, person and joint; a missing joint keeps its row, with blank coordinates.

    The columns are those of `tidy_table`; `gap` is 0 or 1.

    Args:
        path: the file.
        motion: people in 3D.
        options: whom and what of them, in which unit; all in metres, z up, by default.
    """
    _write(Path(path), tidy_table(choose(motion, options or ExportOptions())))


def _columns(names: Sequence[str], values: NDArray[np.float64]) -> dict[str, pa.Array]:
    """Return the columns of values (F, K); counts and marks as whole numbers."""
    whole = ("_gap", "_n_views")
    return {
        name: pa.array(column.astype(np.int16)) if name.endswith(whole) else with_nulls(column)
        for name, column in zip(names, values.T, strict=True)
    }


def _write(path: Path, table: pa.Table) -> None:
    table = pa.table([_printed(column, name) for name, column in zip(table.column_names, table.columns, strict=True)],
                     names=table.column_names)  # fmt: skip
    # Arrow quotes every text or none; only names out of a user's own skeleton can need it.
    texts = [name for name in table.column_names if pa.types.is_string(table[name].type)]
    odd = any(set(value or "") & set(',"\r\n') for name in texts for value in table[name].unique().to_pylist())
    style = pyarrow.csv.WriteOptions(include_header=False, quoting_style="needed" if odd else "none")
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        header = _Line()
        csv.writer(header, lineterminator="\n").writerow(table.column_names)
        file.write(header.text.encode())
        pyarrow.csv.write_csv(table, file, style)


class _Line:
    """Takes the one line that a CSV writer writes."""

    text = ""

    def write(self, text: str) -> None:
        self.text = text


def _printed(column: pa.ChunkedArray, name: str) -> pa.Array:
    """Return a column as it is printed: rounded, marks as 0 and 1, names as text."""
    one = column.combine_chunks()
    if pa.types.is_dictionary(one.type):
        return one.cast(pa.string())
    if pa.types.is_boolean(one.type):
        return one.cast(pa.int8())
    if not pa.types.is_floating(one.type):
        return one
    decimals = DECIMALS[name if name in DECIMALS else name.rsplit("_", 1)[-1]]
    return pa.array(np.round(one.to_numpy(zero_copy_only=False), decimals), from_pandas=True)
