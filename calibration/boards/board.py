"""What a calibration board is to everyone else: known corners, and the view of them in one image."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from triskel.errors import ConfigError


class BoardView(NamedTuple):
    """The corners of a board found in one image.

    Attributes:
        ids: (n,) indices into the board's `corners`.
        xy: (n, 2) raw px; pixel (0, 0) is the centre of the top-left pixel. Both are empty where no board was seen.
    """

    ids: NDArray[np.int64]
    xy: NDArray[np.float64]

    @classmethod
    def empty(cls) -> "BoardView":
        """Return the view of an image without a board."""
        return cls(np.zeros(0, dtype=np.int64), np.zeros((0, 2)))


class Board(Protocol):
    """A flat board with known corners. Its frame: x right and y down on the print, z into the wall behind it."""

    @property
    def name(self) -> str:
        """Return what tells it from the other boards of a recording."""
        ...

    @property
    def corners(self) -> NDArray[np.float64]:
        """Return the corners (K, 3) in the board's frame, m; z is 0."""
        ...

    def describe(self) -> str:
        """Say what board it is, in one line."""
        ...

    def detect(self, image_rgb: NDArray[np.uint8]) -> BoardView:
        """Find the board in an image (H, W, 3)."""
        ...


class PrintableBoard(Board, Protocol):
    """A board whose pattern is made of rectangles."""

    @property
    def inverted(self) -> bool:
        """Say whether it is printed white on black."""
        ...

    @property
    def outline_m(self) -> tuple[float, float, float, float]:
        """Return left, top, right and bottom of the pattern in the board's frame, m."""
        ...

    def ink(self) -> NDArray[np.float64]:
        """Return the dark rectangles (n, 4) of the board that is not inverted: left, top, right, bottom, m."""
        ...


def edges(board: Board) -> NDArray[np.int64]:
    """Return the pairs (E, 2) of neighbouring corners: next to each other in a row or in a column of the board.

    Their distances are what a ruler on the board would measure. On marker grids they alternate between the side of a
    marker and the gap to the next.
    """
    xy = board.corners[:, :2]
    # Corners of one row agree to rounding; a micrometre is far below any board's step.
    cells = np.round(xy * 1e6).astype(np.int64)
    pairs = []
    for along, across in ((0, 1), (1, 0)):
        order = np.lexsort((cells[:, along], cells[:, across]))
        same_line = cells[order[:-1], across] == cells[order[1:], across]
        pairs.append(np.c_[order[:-1], order[1:]][same_line])
    return np.concatenate(pairs).astype(np.int64)


def check_names(boards: Sequence[Board]) -> None:
    """Refuse boards that cannot be told apart, by name or by what is on them.

    Raises:
        ConfigError: two have one name, markers in common, or are chessboards with the same corners.
    """
    names = [board.name for board in boards]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"two boards are called {twice[0]!r}; give each its own name")
    for i, second in enumerate(boards):
        for first in boards[:i]:
            if alike := _in_common(first, second):
                raise ConfigError(f"boards {first.name!r} and {second.name!r} {alike}")


def _in_common(first: Board, second: Board) -> str:
    """Say why one board would be taken for another one; nothing if it would not."""
    if getattr(first, "inverted", False) != getattr(second, "inverted", False):
        return ""
    counts = [sorted(getattr(board, "corners_xy", ())) for board in (first, second)]
    if counts[0] and counts[0] == counts[1]:
        return f"are chessboards of {counts[0][0]} x {counts[0][1]} corners both; use boards with markers"
    kinds = [_marker_kind(getattr(board, "dictionary", "")) for board in (first, second)]
    if not kinds[0] or kinds[0] != kinds[1]:
        return ""
    begins = [int(getattr(board, "first_marker", 0)) for board in (first, second)]
    ends = [begin + int(getattr(board, "n_markers", 0)) for begin, board in zip(begins, (first, second), strict=True)]
    low, high = max(begins), min(ends) - 1
    if low > high:
        return ""
    return f"both have markers {low} to {high}; set first_marker to {ends[0]} in the second, and print it anew"


def _marker_kind(dictionary: str) -> str:
    """Return what dictionaries share that begin with the same markers: DICT_4X4 of DICT_4X4_50."""
    kind, _, size = dictionary.rpartition("_")
    return kind if size.isdigit() else dictionary


def check_counts(key: str, counts: tuple[int, int], least: int) -> None:
    """Refuse boards that are too small to calibrate with.

    Raises:
        ConfigError: not two whole numbers, or too small ones.
    """
    if len(counts) != 2 or any(int(n) != n for n in counts) or min(counts) < least:
        raise ConfigError(f"{key} is two numbers of at least {least}, got {counts}")
    if max(counts) > 200:
        raise ConfigError(f"{key} is two numbers of at most 200, got {counts}")


def check_length(key: str, length_m: float) -> None:
    """Refuse lengths that are none, and those that are surely in another unit.

    Raises:
        ConfigError: not positive, or not between 0.1 mm and 10 m.
    """
    if not length_m > 0:
        raise ConfigError(f"{key} is positive, got {length_m}")
    if not 1e-4 <= length_m <= 10:
        raise ConfigError(f"{key} is in metres, got {length_m}; 30 mm are 0.03")


def grid(nx: int, ny: int, step_m: float, *, start: int) -> NDArray[np.float64]:
    """Return a grid (nx * ny, 3) in the plane z = 0, row by row."""
    xy = np.stack(np.meshgrid(np.arange(nx), np.arange(ny)), axis=-1).reshape(-1, 2) + start
    return np.c_[xy, np.zeros(len(xy))] * step_m


def mm(length_m: float) -> str:
    """Return a length as people say it."""
    return f"{length_m * 1000:.6g} mm"
