"""Boards described in a file.

    name: floor
    kind: charuco
    squares_xy: [9, 6]
    square_m: 0.03
    marker_m: 0.022
    dictionary: DICT_4X4_50

One board, or several under `boards:`. Each kind's keys are the attributes of its class: `charuco` (`Charuco`),
`chessboard` (`Chessboard`), `markers` (`MarkerGrid`, for AprilGrids too). Lengths are metres. Caliscope's
`charuco.toml` is read as well, told apart by its content.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, TypeAdapter, ValidationError

from triskel.calibration.boards.board import Board, PrintableBoard, check_names
from triskel.calibration.boards.charuco import Charuco
from triskel.calibration.boards.chessboard import Chessboard
from triskel.calibration.boards.marker_grid import MarkerGrid
from triskel.errors import ConfigError, InputError, shown
from triskel.files import write_text
from triskel.schema import StrictModel, first_problem

Pair = tuple[Annotated[int, Field(strict=True)], Annotated[int, Field(strict=True)]]
METRES_PER = {"cm": 0.01, "inch": 0.0254}


class _Charuco(StrictModel):
    kind: Literal["charuco"]
    squares_xy: Pair
    square_m: float
    marker_m: float
    dictionary: str = "DICT_4X4_50"
    inverted: bool = False
    legacy: bool = False
    first_marker: int = 0
    name: str = "board"

    def board(self) -> Charuco:
        return Charuco(**self.model_dump(exclude={"kind"}))


class _Chessboard(StrictModel):
    kind: Literal["chessboard"]
    corners_xy: Pair
    square_m: float
    inverted: bool = False
    name: str = "board"

    def board(self) -> Chessboard:
        return Chessboard(**self.model_dump(exclude={"kind"}))


class _MarkerGrid(StrictModel):
    kind: Literal["markers"]
    markers_xy: Pair
    tag_m: float
    gap_m: float
    dictionary: str = "DICT_APRILTAG_36h11"
    first_marker: int = 0
    inverted: bool = False
    bottom_up: bool = False
    border_bits: int = 1
    name: str = "board"

    def board(self) -> MarkerGrid:
        return MarkerGrid(**self.model_dump(exclude={"kind"}))


class _Caliscope(StrictModel):
    columns: int
    rows: int
    board_height: float
    board_width: float
    dictionary: str
    units: Literal["cm", "inch"]
    aruco_scale: float
    square_size_override_cm: float | None = None
    inverted: bool = False
    legacy_pattern: bool = False

    def board(self) -> Charuco:
        unit = METRES_PER[self.units]
        # Without a measured square, the squares fill the page as far as both sides allow.
        square_m = (
            self.square_size_override_cm * 0.01
            if self.square_size_override_cm
            else min(self.board_width / self.columns, self.board_height / self.rows) * unit
        )
        return Charuco(
            squares_xy=(self.columns, self.rows),
            square_m=round(square_m, 9),
            marker_m=round(square_m * self.aruco_scale, 9),
            dictionary=self.dictionary,
            inverted=self.inverted,
            legacy=self.legacy_pattern,
        )


_Entry = Annotated[_Charuco | _Chessboard | _MarkerGrid, Field(discriminator="kind")]
_ENTRY: TypeAdapter[_Charuco | _Chessboard | _MarkerGrid] = TypeAdapter(_Entry)
_KINDS = {Charuco: "charuco", Chessboard: "chessboard", MarkerGrid: "markers"}


def load_boards(path: str | Path) -> tuple[PrintableBoard, ...]:
    """Read the boards that a file describes.

    Args:
        path: YAML of one board or several, or Caliscope's `charuco.toml`.

    Raises:
        ConfigError: the file cannot be read, a key is unknown, missing or out of range, or two boards have one name.
    """
    data = _parsed(Path(path))
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: describes no board; give kind: {', '.join(_KINDS.values())} and its keys")
    if "aruco_scale" in data:
        return (_built(_caliscope(data, path), path),)
    if "boards" not in data:
        return (_built(_entry(data, path, ""), path),)
    others = sorted(set(map(str, data)) - {"boards"})
    entries = data["boards"]
    if others or not isinstance(entries, list) or not entries:
        what = f"unknown key {', '.join(others)} beside boards" if others else "boards is a list of at least one board"
        raise ConfigError(f"{path}: {what}")
    boards = tuple(_built(_entry(entry, path, f"boards.{i}: "), path) for i, entry in enumerate(entries))
    try:
        check_names(boards)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    return boards


def load_board(path: str | Path) -> PrintableBoard:
    """Read the one board that a file describes.

    Raises:
        ConfigError: as `load_boards`, or there are several.
    """
    boards = load_boards(path)
    if len(boards) != 1:
        raise ConfigError(f"{path}: describes {len(boards)} boards where one is wanted; give each a file of its own")
    return boards[0]


def save_boards(boards: Sequence[PrintableBoard], path: str | Path) -> None:
    """Write the description of boards, atomically; what stood at `path` is replaced.

    Raises:
        ConfigError: there are none, or two have one name.
    """
    write_text(path, boards_text(boards))


def boards_text(boards: Sequence[Board]) -> str:
    """Return the description of boards as YAML.

    Raises:
        ConfigError: there are none, two have one name, or one is of a kind of its own.
    """
    if not boards:
        raise ConfigError("there is no board to describe")
    check_names(boards)
    entries = []
    for board in boards:
        if not isinstance(board, Charuco | Chessboard | MarkerGrid):
            raise ConfigError(f"{type(board).__name__} has no description; known are {', '.join(_KINDS.values())}")
        values = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(board).items()}
        entries.append({"name": values.pop("name"), "kind": _KINDS[type(board)], **values})
    data = entries[0] if len(entries) == 1 else {"boards": entries}
    return yaml.safe_dump(data, sort_keys=False, default_flow_style=None, width=120)


def _parsed(path: Path) -> object:
    """Return the content of a YAML or TOML file."""
    try:
        text = path.read_text(encoding="utf-8")
        return tomllib.loads(text) if path.suffix.lower() == ".toml" else yaml.safe_load(text)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read as a board: {str(error).splitlines()[0]}") from error


def _entry(data: object, path: str | Path, where: str) -> _Charuco | _Chessboard | _MarkerGrid:
    """Return one board's entry."""
    if not isinstance(data, dict) or data.get("kind") not in _KINDS.values():
        got = shown(data.get("kind")) if isinstance(data, dict) else shown(data)
        raise ConfigError(f"{path}: {where}kind is one of {', '.join(_KINDS.values())}, got {got}")
    try:
        return _ENTRY.validate_python(data)
    except ValidationError as error:
        problem = first_problem(error).removeprefix(f"{data['kind']}.").removeprefix(f"{data['kind']}: ")
        raise ConfigError(f"{path}: {where}{problem}") from error


def _caliscope(data: dict[str, Any], path: str | Path) -> _Caliscope:
    """Return the entry of Caliscope's file."""
    try:
        return _Caliscope.model_validate(data)
    except ValidationError as error:
        raise ConfigError(f"{path}: not a valid charuco.toml of Caliscope: {first_problem(error)}") from error


def _built(entry: _Charuco | _Chessboard | _MarkerGrid | _Caliscope, path: str | Path) -> PrintableBoard:
    """Return the board; the message of one that cannot be names the file."""
    try:
        return entry.board()
    except InputError as error:
        raise ConfigError(f"{path}: {error}") from error
