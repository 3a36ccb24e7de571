"""Calibration boards: what they are and how they are found in an image."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import cv2
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
    """A flat board with known corners."""

    @property
    def corners(self) -> NDArray[np.float64]:
        """Return the corners (K, 3) in the board's frame, m; z is 0."""
        ...

    def detect(self, image_rgb: NDArray[np.uint8]) -> BoardView:
        """Find the board in an image (H, W, 3)."""
        ...


@dataclass(frozen=True, kw_only=True)
class Charuco:
    """A ChArUco board: a chessboard with markers in its white squares, found even when partly hidden.

    Attributes:
        squares_xy: numbers of squares along x and y.
        square_m: side of a square, m.
        marker_m: side of a marker, m.
        dictionary: OpenCV's name of the marker set, such as `DICT_4X4_50`.
        inverted: printed white on black.
        legacy: the pattern of OpenCV before 4.6 (differs where the number of rows is even).
    """

    squares_xy: tuple[int, int]
    square_m: float
    marker_m: float
    dictionary: str = "DICT_4X4_50"
    inverted: bool = False
    legacy: bool = False

    def __post_init__(self) -> None:
        _check_size("squares_xy", self.squares_xy, self.square_m)
        if not 0 < self.marker_m < self.square_m:
            raise ConfigError(f"marker_m is between 0 and square_m ({self.square_m}), got {self.marker_m}")
        if not (self.dictionary.startswith("DICT_") and hasattr(cv2.aruco, self.dictionary)):
            raise ConfigError(
                f"dictionary is one of OpenCV's, such as DICT_4X4_50 or DICT_5X5_100, got {self.dictionary!r}"
            )

    @property
    def corners(self) -> NDArray[np.float64]:
        """Return the inner corners (K, 3), m, row by row; the board's origin is the corner of its first square."""
        nx, ny = self.squares_xy
        return _grid(nx - 1, ny - 1, self.square_m, start=1)

    def detect(self, image_rgb: NDArray[np.uint8]) -> BoardView:
        """Find the board in an image (H, W, 3); corners that are hidden are left out."""
        board = cv2.aruco.CharucoBoard(
            self.squares_xy,
            self.square_m,
            self.marker_m,
            cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, self.dictionary)),
        )
        board.setLegacyPattern(self.legacy)
        xy, ids, _, _ = cv2.aruco.CharucoDetector(board).detectBoard(_grey(image_rgb, inverted=self.inverted))
        if ids is None or len(ids) == 0:
            return BoardView.empty()
        return BoardView(ids.reshape(-1).astype(np.int64), xy.reshape(-1, 2).astype(np.float64))


@dataclass(frozen=True, kw_only=True)
class Chessboard:
    """A plain chessboard, found only when whole.

    Attributes:
        corners_xy: numbers of INNER corners along x and y. One must be even and the other odd: otherwise the board
            looks the same turned by 180 degrees, and two cameras would not agree on which corner is which.
        square_m: side of a square, m.
        inverted: the square outside corner 0 is white rather than black.
    """

    corners_xy: tuple[int, int]
    square_m: float
    inverted: bool = False

    def __post_init__(self) -> None:
        _check_size("corners_xy", self.corners_xy, self.square_m)
        if sum(self.corners_xy) % 2 == 0:
            raise ConfigError(f"corners_xy is one even and one odd number (see Chessboard), got {self.corners_xy}")

    @property
    def corners(self) -> NDArray[np.float64]:
        """Return the inner corners (K, 3), m, row by row; corner 0 is the origin."""
        return _grid(*self.corners_xy, self.square_m, start=0)

    def detect(self, image_rgb: NDArray[np.uint8]) -> BoardView:
        """Find the board in an image (H, W, 3): every corner or none."""
        grey = _grey(image_rgb, inverted=self.inverted)
        found, corners = cv2.findChessboardCornersSB(grey, self.corners_xy, flags=cv2.CALIB_CB_ACCURACY)
        if not found or corners is None:
            return BoardView.empty()
        xy = corners.reshape(-1, 2).astype(np.float64)
        first, last = self._outer_levels(grey, xy)
        return BoardView(np.arange(len(xy), dtype=np.int64), xy if first <= last else xy[::-1].copy())

    def _outer_levels(self, grey: NDArray[np.uint8], xy: NDArray[np.float64]) -> tuple[float, float]:
        """Return the grey levels of the squares diagonally outside the first and the last corner."""
        nx, ny = self.corners_xy
        flat = _grid(nx, ny, 1.0, start=0)[:, :2]
        homography, _ = cv2.findHomography(flat, xy)
        outer = np.array([[[-0.5, -0.5]], [[nx - 0.5, ny - 0.5]]])
        centres = cv2.perspectiveTransform(outer, homography).reshape(-1, 2)
        levels = cv2.remap(
            grey, centres[:, None].astype(np.float32), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return float(levels[0, 0]), float(levels[1, 0])


def _check_size(key: str, counts: tuple[int, int], square_m: float) -> None:
    """Refuse boards that are too small to calibrate with, or have no size."""
    if len(counts) != 2 or min(counts) < 3:
        raise ConfigError(f"{key} is two numbers of at least 3, got {counts}")
    if not square_m > 0:
        raise ConfigError(f"square_m is positive, got {square_m}")


def _grid(nx: int, ny: int, step_m: float, *, start: int) -> NDArray[np.float64]:
    """Return a grid (nx * ny, 3) in the plane z = 0, row by row."""
    xy = np.stack(np.meshgrid(np.arange(nx), np.arange(ny)), axis=-1).reshape(-1, 2) + start
    return np.c_[xy, np.zeros(len(xy))] * step_m


def _grey(image_rgb: NDArray[np.uint8], *, inverted: bool) -> NDArray[np.uint8]:
    """Return the grey image (H, W) with dark squares dark."""
    grey = np.asarray(cv2.cvtColor(image_rgb, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    return 255 - grey if inverted else grey
