"""The session's tables: keypoints and frame sets as Parquet, written atomically, one row a thing."""

import base64
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from triskel.errors import SessionError
from triskel.files import atomic_path
from triskel.keypoints import Missing, missing_points
from triskel.motion import Detections2D, Motion3D
from triskel.skeleton import Skeleton, get_skeleton
from triskel.whole_body import PARTS, part_names

MOST_SETS, MOST_PEOPLE = 100_000_000, 1000
"""Beyond any recording: a file that says more is damaged, and would exhaust the memory."""

OFF_DIAGONAL = ((0, 1), (0, 2), (1, 2))
COVARIANCES = ("cov_xy_mm2", "cov_xz_mm2", "cov_yz_mm2")
"""Columns that files of earlier versions lack."""

_NAME = pa.dictionary(pa.int32(), pa.string())
KEYPOINTS_2D = pa.schema(
    [("set", pa.int32()), ("camera", _NAME), ("person", pa.int32()), ("part", _NAME), ("joint", _NAME)]
    + [(column, pa.float32()) for column in ("x_px", "y_px", "score")]
)
KEYPOINTS_3D = pa.schema(
    [("set", pa.int32()), ("time_s", pa.float64()), ("person", pa.int32()), ("part", _NAME), ("joint", _NAME)]
    + [(column, pa.float64()) for column in ("x_m", "y_m", "z_m")]
    + [(column, pa.float32()) for column in ("score", "reproj_px")]
    + [("n_views", pa.int8()), ("views", pa.list_(pa.string()))]
    + [(f"sigma_{axis}_mm", pa.float32()) for axis in "xyz"]
    + [(name, pa.float32()) for name in COVARIANCES]
    + [("gap", pa.bool_())]
)


def write_table(table: pa.Table, path: Path) -> None:
    """Write a table as Parquet, atomically."""
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read_table(path: Path, schema: pa.Schema, *, zero: tuple[str, ...] = ()) -> pa.Table:
    """Read a Parquet table and check that it has the columns of `schema`; those of `zero` are 0 where it lacks them.

    Raises:
        SessionError: the file is missing, damaged, or lacks a column.
    """
    if not path.is_file():
        raise SessionError(f"{path}: no such file; run the stage that writes it first")
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise SessionError(
            f"{path}: damaged, cannot be read ({str(error).splitlines()[0]}); rerun its stage"
        ) from error
    for name in zero:
        if name not in table.column_names:
            table = table.append_column(schema.field(name), pa.array(np.zeros(len(table)), schema.field(name).type))
    missing = [name for name in schema.names if name not in table.column_names]
    if missing:
        raise SessionError(f"{path}: lacks the columns {', '.join(missing)}; it has {', '.join(table.column_names)}")
    metadata = table.schema.metadata
    try:
        table = table.select(schema.names).cast(schema)
    except (pa.ArrowException, ValueError) as error:
        raise SessionError(f"{path}: a column of the wrong kind ({str(error).splitlines()[0]})") from error
    return table.replace_schema_metadata(metadata)


def _check_rows(table: pa.Table, path: Path, **limits: int) -> None:
    """Refuse empty cells, and numbers outside 0 to the limit (exclusive) of their column.

    Raises:
        SessionError: naming the column.
    """
    for name in table.column_names:
        if table[name].null_count:
            raise SessionError(f"{path}: column {name} has empty cells; rerun the stage that writes it")
    for name, limit in limits.items():
        values = table[name].to_numpy()
        if len(values) and not (values.min() >= 0 and values.max() < limit):
            raise SessionError(
                f"{path}: column {name} goes from {values.min()} to {values.max()}, expected 0 to {limit - 1}"
            )


def _names(names: tuple[str, ...] | list[str], index: NDArray[np.intp]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(index, pa.int32()), pa.array(list(names), pa.string()))


def _codes(column: pa.ChunkedArray, known: tuple[str, ...], path: Path) -> NDArray[np.intp]:
    """Return each row's position in `known`; a name outside it is an error."""
    encoded = column.combine_chunks()
    if not pa.types.is_dictionary(encoded.type):
        encoded = encoded.dictionary_encode()
    names = encoded.dictionary.to_pylist()
    indices = encoded.indices.to_numpy(zero_copy_only=False)
    unknown = sorted({names[i] for i in np.unique(indices)} - set(known))
    if unknown:
        raise SessionError(f"{path}: it names {', '.join(unknown)}, expected {', '.join(known)}")
    place = {name: i for i, name in enumerate(known)}
    lookup = np.array([place.get(name, -1) for name in names], dtype=np.intp)
    return lookup[indices] if len(names) else np.zeros(0, np.intp)


def _parts(skeleton: Skeleton) -> NDArray[np.intp]:
    """Return the position in `PARTS` of each joint's part."""
    return np.array([PARTS.index(part) for part in part_names(skeleton)], dtype=np.intp)


def _joints(table: pa.Table, skeleton: Skeleton, path: Path) -> NDArray[np.intp]:
    """Return each row's joint; one that is said to be of another part of the body is an error."""
    j = _codes(table["joint"], skeleton.joints, path)
    part = _codes(table["part"], PARTS, path)
    wrong = np.flatnonzero(part != _parts(skeleton)[j])
    if len(wrong):
        row = int(wrong[0])
        raise SessionError(
            f"{path}: row {row} has {skeleton.joints[j[row]]} in part {PARTS[part[row]]}, expected "
            f"{part_names(skeleton)[j[row]]}; rerun the stage that writes it"
        )
    return j


def _schema(schema: pa.Schema, skeleton: Skeleton, cameras: tuple[str, ...], sets: int) -> pa.Schema:
    """Add what the rows alone cannot say: the joint set, the cameras, and how many frame sets there were."""
    return schema.with_metadata(
        {"skeleton": skeleton.name, "cameras": "\n".join(cameras), "sets": str(sets), "format": "triskel 1"}
    )


def _metadata(table: pa.Table, path: Path) -> tuple[Skeleton, tuple[str, ...], int]:
    metadata: dict[bytes, bytes] = table.schema.metadata or {}
    try:
        skeleton = get_skeleton(metadata[b"skeleton"].decode())
        sets = int(metadata[b"sets"])
        if not 0 <= sets <= MOST_SETS:
            raise ValueError(f"sets is {sets}")
        return skeleton, tuple(metadata[b"cameras"].decode().split("\n")), sets
    except (KeyError, ValueError) as error:
        raise SessionError(f"{path}: its metadata does not say skeleton, cameras and sets ({error})") from error


def write_keypoints2d(detections: Detections2D, path: Path) -> None:
    """Write what the cameras saw; one row for each joint found."""
    keypoints = detections.keypoints
    f, c, n, j = np.nonzero(keypoints[..., 2] > 0)
    rows = keypoints[f, c, n, j].astype(np.float32)
    columns = [
        f,
        _names(detections.cameras, c),
        n,
        _names(PARTS, _parts(detections.skeleton)[j]),
        _names(detections.skeleton.joints, j),
    ]
    columns += list(rows.T)
    schema = _schema(KEYPOINTS_2D, detections.skeleton, detections.cameras, len(keypoints))
    write_table(_table(columns, schema), path)


def read_keypoints2d(path: Path) -> Detections2D:
    """Read what `write_keypoints2d` wrote.

    Raises:
        SessionError: the file is missing, damaged or of another kind.
    """
    table = read_table(path, KEYPOINTS_2D)
    skeleton, cameras, sets = _metadata(table, path)
    _check_rows(table, path, set=sets, person=MOST_PEOPLE)
    f, n = (table[column].to_numpy() for column in ("set", "person"))
    c, j = _codes(table["camera"], cameras, path), _joints(table, skeleton, path)
    for name in ("x_px", "y_px", "score"):
        values = table[name].to_numpy()
        if not np.isfinite(values).all() or (name == "score" and len(values) and values.min() < 0):
            raise SessionError(f"{path}: column {name} has values that are no {name}; rerun the stage that writes it")
    keypoints = np.full((sets, len(cameras), int(n.max(initial=-1)) + 1, len(skeleton), 3), np.nan)
    keypoints[..., 2] = 0
    keypoints[f, c, n, j] = np.stack([table[column].to_numpy() for column in ("x_px", "y_px", "score")], axis=-1)
    return Detections2D(skeleton, cameras, keypoints)


def write_keypoints3d(motion: Motion3D, path: Path) -> None:
    """Write people in 3D; one row for each joint that has a position."""
    f, n, j = np.nonzero(motion.found)
    points = motion.points.at(f, n, j)
    columns: list[Any] = [f, motion.time_s[f], motion.ids[n], _names(PARTS, _parts(motion.skeleton)[j])]
    columns += [_names(motion.skeleton.joints, j), *points.X.T, points.score, points.reproj_px, points.n_views]
    columns += [_views(points.views, motion.cameras), *points.sigma_mm.T]
    columns += [*(points.cov_mm2[:, a, b] for a, b in OFF_DIAGONAL), motion.gap[f, n, j]]
    schema = _schema(KEYPOINTS_3D, motion.skeleton, motion.cameras, len(motion.time_s))
    times = ",".join(repr(float(t)) for t in motion.time_s)
    more = {b"time_s": times.encode(), b"ids": ",".join(map(str, motion.ids)).encode()}
    # What is missing has no row to say why; all reasons together take a few bytes a frame set.
    more[b"missing"] = base64.b64encode(zlib.compress(motion.points.missing.astype(np.uint8).tobytes()))
    schema = schema.with_metadata(schema.metadata | more)
    write_table(_table(columns, schema), path)


def read_keypoints3d(path: Path) -> Motion3D:
    """Read what `write_keypoints3d` wrote.

    Raises:
        SessionError: the file is missing, damaged or of another kind.
    """
    table = read_table(path, KEYPOINTS_3D, zero=COVARIANCES)
    skeleton, cameras, sets = _metadata(table, path)
    metadata: dict[bytes, bytes] = table.schema.metadata
    try:
        time_s = np.array([float(t) for t in metadata.get(b"time_s", b"").decode().split(",") if t])
        ids = np.array([int(i) for i in metadata.get(b"ids", b"").decode().split(",") if i], dtype=np.int64)
    except (ValueError, OverflowError) as error:
        raise SessionError(f"{path}: its metadata has times or ids that are no numbers ({error})") from error
    _check_rows(table, path, set=sets)
    if not np.isin(table["person"].to_numpy(), ids).all():
        raise SessionError(f"{path}: column person names people that are not among the ids {ids.tolist()}")
    if len(time_s) != sets:
        raise SessionError(f"{path}: its metadata has {len(time_s)} times for {sets} frame sets")
    _check_times(time_s, path)
    if len(ids) > MOST_PEOPLE or len(set(ids.tolist())) != len(ids):
        raise SessionError(f"{path}: its metadata has {len(ids)} ids, expected at most {MOST_PEOPLE} different ones")
    for name in ("x_m", "y_m", "z_m", "score"):
        values = table[name].to_numpy()
        if not np.isfinite(values).all() or (name == "score" and len(values) and not 0 <= values.min() <= values.max()):
            raise SessionError(f"{path}: column {name} has values that are no {name}; rerun the stage that writes it")
    f, j = table["set"].to_numpy(), _joints(table, skeleton, path)
    order = np.argsort(ids)
    n = order[np.searchsorted(ids, table["person"].to_numpy(), sorter=order)]
    shape = (sets, len(ids), len(skeleton))
    points = missing_points(shape, len(cameras), Missing.UNKNOWN)
    points.X[f, n, j] = np.stack([table[f"{axis}_m"].to_numpy() for axis in "xyz"], axis=-1)
    for i, axis in enumerate("xyz"):
        points.cov_mm2[f, n, j, i, i] = table[f"sigma_{axis}_mm"].to_numpy() ** 2
    for (a, b), name in zip(OFF_DIAGONAL, COVARIANCES, strict=True):
        points.cov_mm2[f, n, j, a, b] = points.cov_mm2[f, n, j, b, a] = table[name].to_numpy()
    points = points._replace(missing=_reasons(metadata.get(b"missing"), points.missing, path))
    points.missing[f, n, j] = Missing.FOUND
    points.score[f, n, j] = table["score"].to_numpy()
    points.reproj_px[f, n, j] = table["reproj_px"].to_numpy()
    lists = table["views"].combine_chunks()
    row = np.repeat(np.arange(len(table)), np.diff(lists.offsets.to_numpy()))
    c = _codes(pa.chunked_array([lists.values]), cameras, path) if len(row) else np.zeros(0, np.intp)
    points.views[f[row], n[row], j[row], c] = True
    gap = np.zeros(shape, bool)
    gap[f, n, j] = table["gap"].to_numpy(zero_copy_only=False)
    return Motion3D(skeleton, cameras, time_s, ids, points, gap)


def _reasons(packed: bytes | None, unknown: NDArray[np.uint8], path: Path) -> NDArray[np.uint8]:
    """Return why points are missing, `unknown` where the file is of an earlier version and does not say."""
    if packed is None:
        return unknown
    unpack = zlib.decompressobj()
    try:
        raw = unpack.decompress(base64.b64decode(packed, validate=True), unknown.size + 1)
    except (ValueError, zlib.error) as error:
        raise SessionError(f"{path}: its metadata has damaged reasons of what is missing ({error})") from error
    codes = np.frombuffer(raw, np.uint8)
    if codes.size != unknown.size or (codes > max(Missing)).any():
        raise SessionError(f"{path}: its metadata has {codes.size} reasons of what is missing, expected {unknown.size}")
    # A joint that has no row is missing, whatever is said of it.
    return np.where(codes == Missing.FOUND, np.uint8(Missing.UNKNOWN), codes).reshape(unknown.shape)


def write_frames(time_s: NDArray[np.float64], frames: dict[str, NDArray[np.int64]], path: Path) -> None:
    """Write the frame sets: time and, per camera, the frame's index in its video, -1 (written as null) for none."""
    columns = {"set": pa.array(np.arange(len(time_s)), pa.int32()), "time_s": pa.array(time_s, pa.float64())}
    columns |= {name: pa.array(index, pa.int64(), mask=np.asarray(index) < 0) for name, index in frames.items()}
    write_table(pa.table(columns), path)


def read_frames(path: Path, cameras: list[str]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Read the frame sets: times (F,) s and frame indices (F, C), -1 where a set lacks the camera.

    Raises:
        SessionError: the file is missing or damaged, or a camera has no column.
    """
    table = read_table(path, pa.schema([("time_s", pa.float64()), *((name, pa.int64()) for name in cameras)]))
    index = [table[name].fill_null(-1).to_numpy() for name in cameras]
    time_s = table["time_s"].to_numpy()
    _check_times(time_s, path)
    return time_s, np.stack(index, axis=-1)


def _check_times(time_s: NDArray[np.float64], path: Path) -> None:
    """Refuse times that no recording has.

    Raises:
        SessionError: they are not finite, or do not rise.
    """
    if not np.isfinite(time_s).all() or not (np.diff(time_s) > 0).all():
        raise SessionError(f"{path}: its times are not finite numbers that rise; make it again")


def _views(views: NDArray[np.bool_], cameras: tuple[str, ...]) -> pa.ListArray:
    """Return each row's camera names as a list column."""
    offsets = np.r_[0, np.cumsum(views.sum(axis=-1))]
    names = np.array(cameras, dtype=object)[np.nonzero(views)[1]]
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(names, pa.string()))


def _table(columns: list[Any], schema: pa.Schema) -> pa.Table:
    arrays = [
        column if isinstance(column, pa.Array) else pa.array(np.ascontiguousarray(column), field.type)
        for column, field in zip(columns, schema, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)
