"""The tidy table, one row for each frame, person and joint, and its file as Parquet; its file as CSV is `csv_table`."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from triskel.exchange.options import Chosen, ExportOptions, choose
from triskel.files import atomic_path
from triskel.keypoints import Missing
from triskel.motion import Motion3D

REASONS = [reason.name.lower() for reason in Missing]
"""What the column `missing` says, by the number of a `Missing`; `found` where there is a position."""


def tidy_table(chosen: Chosen) -> pa.Table:
    """Return a row for each frame, person and joint, in that order; a missing joint keeps its row, with nulls.

    Columns: frame, time_s, person, part, joint, x_<unit>, y_<unit>, z_<unit>, score, reproj_px, n_views, sigma_x_mm,
    sigma_y_mm, sigma_z_mm, gap, missing.
    """
    F, N, J = chosen.gap.shape
    frame, person, joint = (index.ravel() for index in np.indices((F, N, J), dtype=np.int32))
    points = chosen.points
    sigma = points.sigma_mm
    columns: dict[str, pa.Array] = {
        "frame": pa.array(frame),
        "time_s": pa.array(chosen.time_s[frame]),
        "person": pa.array(chosen.ids[person]),
        "part": _names(chosen.parts, joint),
        "joint": _names(chosen.joints, joint),
    }
    for i, axis in enumerate("xyz"):
        columns[f"{axis}_{chosen.units}"] = with_nulls(points.X[..., i])
    columns["score"] = pa.array(points.score.ravel())
    columns["reproj_px"] = with_nulls(points.reproj_px)
    columns["n_views"] = pa.array(points.n_views.ravel(), pa.int16())
    for i, axis in enumerate("xyz"):
        columns[f"sigma_{axis}_mm"] = with_nulls(sigma[..., i])
    columns["gap"] = pa.array(chosen.gap.ravel())
    columns["missing"] = _names(REASONS, points.missing.ravel().astype(np.int32))
    return pa.table(columns)


def write_parquet(path: str | Path, motion: Motion3D, *, options: ExportOptions | None = None) -> None:
    """Write the tidy table as one Parquet file for pandas, polars, R or DuckDB; metres and z up unless asked otherwise.

    The session's own `keypoints3d.parquet` has the same positions, but no rows for what is missing, and can change with
    the program; this file's columns stay. Its metadata say `units` and `axes`.

    Args:
        path: the file.
        motion: people in 3D.
        options: whom and what of them; all by default.
    """
    chosen = choose(motion, options or ExportOptions())
    table = tidy_table(chosen).replace_schema_metadata({
        "format": "triskel tidy 1", "skeleton": motion.skeleton.name, "units": chosen.units, "axes": chosen.axes,
    })  # fmt: skip
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def with_nulls(values: NDArray[np.floating]) -> pa.Array:
    """Return numbers as a flat column, null for NaN."""
    return pa.array(np.ascontiguousarray(values).ravel().astype(np.float64), from_pandas=True)


def _names(names: tuple[str, ...] | list[str], index: NDArray[np.int32]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(index), pa.array(list(names), pa.string()))
