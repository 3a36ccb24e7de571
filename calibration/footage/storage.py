"""Boards found in a recording as one file, so that calibrating again takes no look at the videos."""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from triskel.calibration.boards import BoardView, PrintableBoard, load_boards
from triskel.calibration.boards.description import boards_text
from triskel.calibration.footage.types import BoardFootage, CameraBoards
from triskel.errors import InputError, SessionError
from triskel.tables import read_table, write_table

FORMAT, VERSION = "triskel-boards", 1
COLUMNS = pa.schema(
    [
        ("entry", pa.int32()),
        ("frame", pa.int64()),
        ("set", pa.int64()),
        ("time_s", pa.float64()),
        ("corner", pa.int32()),
        ("x_px", pa.float64()),
        ("y_px", pa.float64()),
    ]
)


def save_footage(footage: BoardFootage, path: str | Path) -> None:
    """Write what was found as Parquet, one row a corner, atomically.

    Raises:
        ConfigError: a board is of a kind of its own that has no description.
    """
    columns: list[list[NDArray[Any]]] = [[np.zeros(0)] for _ in COLUMNS]
    for entry, one in enumerate(footage.cameras):
        counts = [len(view.ids) for view in one.views]
        if not sum(counts):
            continue
        row: list[NDArray[Any]] = [np.full(sum(counts), entry)]
        row += [np.repeat(values, counts) for values in (one.frames, one.sets, one.time_s)]
        row += [np.concatenate([view.ids for view in one.views]), *np.concatenate([view.xy for view in one.views]).T]
        for column, values in zip(columns, row, strict=True):
            column.append(values)
    arrays = [
        pa.array(np.ascontiguousarray(np.concatenate(column))).cast(field.type)
        for column, field in zip(columns, COLUMNS, strict=True)
    ]
    document = {
        "format": FORMAT,
        "version": VERSION,
        "boards": boards_text(footage.boards),
        "fps": footage.fps if np.isfinite(footage.fps) else None,
        "source": footage.source,
        "entries": [
            {"camera": one.camera, "size_wh": list(one.size_wh), "board": one.board, "looked_at": one.looked_at}
            for one in footage.cameras
        ],
    }
    schema = COLUMNS.with_metadata({FORMAT.encode(): json.dumps(document).encode()})
    write_table(pa.Table.from_arrays(arrays, schema=schema), Path(path))


def load_footage(path: str | Path) -> BoardFootage:
    """Read what `save_footage` wrote.

    Raises:
        SessionError: the file is missing, damaged or of another kind.
    """
    path = Path(path)
    table = read_table(path, COLUMNS)
    try:
        document = json.loads((table.schema.metadata or {})[FORMAT.encode()])
        if document["version"] != VERSION:
            raise SessionError(
                f"{path}: is of version {document['version']}, known is {VERSION}; find the boards again"
            )
        boards = _boards(document["boards"])
        columns = {name: table[name].to_numpy() for name in COLUMNS.names}
        entries = [
            _entry(columns, number, entry, [len(board.corners) for board in boards])
            for number, entry in enumerate(document["entries"])
        ]
        fps = float("nan") if document["fps"] is None else float(document["fps"])
        return BoardFootage(cameras=tuple(entries), boards=boards, fps=fps, source=str(document["source"]))
    except SessionError:
        raise
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise SessionError(
            f"{path}: damaged, or no file of boards ({str(error).splitlines()[0] or type(error).__name__}); "
            "find the boards again"
        ) from error


def _entry(columns: dict[str, NDArray[Any]], number: int, entry: dict[str, Any], n_corners: list[int]) -> CameraBoards:
    """Return one camera and board of the file."""
    rows = np.flatnonzero(columns["entry"] == number)
    frame, corner = columns["frame"][rows], columns["corner"][rows].astype(np.int64)
    xy = np.stack([columns["x_px"][rows], columns["y_px"][rows]], axis=1)
    if len(rows) and not (np.isfinite(xy).all() and 0 <= corner.min() <= corner.max() < n_corners[entry["board"]]):
        raise InputError(f"corners of camera {entry['camera']} are no numbers, or not on the board")
    starts = np.flatnonzero(np.r_[True, np.diff(frame) != 0])[: len(rows)]
    ends = np.r_[starts[1:], len(rows)][: len(starts)]
    width, height = entry["size_wh"]
    return CameraBoards(
        camera=str(entry["camera"]),
        size_wh=(int(width), int(height)),
        frames=frame[starts],
        views=tuple(BoardView(corner[a:b], xy[a:b]) for a, b in zip(starts, ends, strict=True)),
        board=int(entry["board"]),
        sets=columns["set"][rows][starts],
        time_s=columns["time_s"][rows][starts],
        looked_at=int(entry["looked_at"]),
    )


def _boards(text: str) -> tuple[PrintableBoard, ...]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "boards.yaml"
        file.write_text(text, encoding="utf-8")
        return load_boards(file)
