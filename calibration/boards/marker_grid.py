"""Grids of markers: AprilGrids, and OpenCV's grid boards."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.boards.board import BoardView, check_counts, check_length, grid, mm
from triskel.calibration.boards.consistency import surprising
from triskel.calibration.boards.edge_lines import refine_quads
from triskel.calibration.boards.local_maps import agreeing
from triskel.calibration.boards.markers import check_markers, dark_cells, find_markers, marker_cells
from triskel.calibration.boards.subpixel import as_grey
from triskel.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class MarkerGrid:
    """A grid of markers with gaps between them: an AprilGrid, or a grid of ArUco markers.

    Marker i has the corners 4 i to 4 i + 3: its own top left, then clockwise. Markers are counted row by row from the
    top left.

    Attributes:
        markers_xy: numbers of markers along x and y.
        tag_m: side of a marker with its dark border, m.
        gap_m: between two markers, m. Kalibr's files give `tagSpacing`, which is gap_m / tag_m.
        dictionary: OpenCV's name of the marker set.
        first_marker: number of the first marker in the dictionary.
        inverted: printed white on black.
        bottom_up: the first marker is at the bottom left and rows count upward, as on Kalibr's boards.
        border_bits: width of a marker's dark border in cells; 2 on Kalibr's boards.
        name: tells it from the other boards of a recording.
    """

    markers_xy: tuple[int, int]
    tag_m: float
    gap_m: float
    dictionary: str = "DICT_APRILTAG_36h11"
    first_marker: int = 0
    inverted: bool = False
    bottom_up: bool = False
    border_bits: int = 1
    name: str = "board"

    def __post_init__(self) -> None:
        check_counts("markers_xy", self.markers_xy, 1)
        check_length("tag_m", self.tag_m)
        check_length("gap_m", self.gap_m)
        check_markers(self.dictionary, self.first_marker, self.n_markers)
        if self.n_markers < 2:
            raise ConfigError("markers_xy is at least two markers: one alone cannot be checked, got (1, 1)")
        if not 1 <= self.border_bits <= 4:
            raise ConfigError(f"border_bits is 1 to 4 cells, got {self.border_bits}")

    @property
    def n_markers(self) -> int:
        """Return how many markers it has."""
        return int(self.markers_xy[0]) * int(self.markers_xy[1])

    @property
    def corners(self) -> NDArray[np.float64]:
        """Return the markers' corners (4 M, 3), m; the origin is the top left corner of the top left marker."""
        quads = _quads(self)
        return np.c_[quads.reshape(-1, 2), np.zeros(4 * self.n_markers)]

    @property
    def outline_m(self) -> tuple[float, float, float, float]:
        """Return left, top, right and bottom of the markers, m."""
        nx, ny = self.markers_xy
        step = self.tag_m + self.gap_m
        return 0.0, 0.0, nx * step - self.gap_m, ny * step - self.gap_m

    def describe(self) -> str:
        """Say what board it is, in one line."""
        nx, ny = self.markers_xy
        last = self.first_marker + self.n_markers - 1
        more = f"{', inverted' if self.inverted else ''}{', counted from the bottom' if self.bottom_up else ''}"
        border = f", border of {self.border_bits} cells" if self.border_bits != 1 else ""
        return (
            f"{self.name}: grid of {nx} x {ny} markers of {mm(self.tag_m)}, {mm(self.gap_m)} apart,"
            f" {self.dictionary} {self.first_marker}-{last}{border}{more}"
        )

    def ink(self) -> NDArray[np.float64]:
        """Return the dark rectangles (n, 4) of the board that is not inverted: left, top, right, bottom, m."""
        return np.concatenate(
            [
                dark_cells(
                    marker_cells(self.dictionary, number, border_bits=self.border_bits), origin=quad[0], side=self.tag_m
                )
                for number, quad in zip(_numbers(self) + self.first_marker, _quads(self), strict=True)
            ]
        )

    def detect(self, image_rgb: NDArray[np.uint8]) -> BoardView:
        """Find the board in an image (H, W, 3): four corners of each marker that is seen whole."""
        grey = as_grey(image_rgb, inverted=self.inverted)
        markers = find_markers(
            grey,
            self.dictionary,
            first_marker=self.first_marker,
            count=self.n_markers,
            border_bits=self.border_bits,
        )
        places = np.argsort(_numbers(self))[markers.ids]
        kept = agreeing(_quads(self)[places], markers.xy, self.tag_m + self.gap_m)
        ids = (4 * places[kept, None] + np.arange(4)).reshape(-1)
        cells = len(marker_cells(self.dictionary, self.first_marker, border_bits=self.border_bits))
        xy = refine_quads(grey, markers.xy[kept], cells, gap_cells=self.gap_m / self.tag_m * cells).reshape(-1, 2)
        found = np.isfinite(xy).all(axis=1)
        ids, xy = ids[found], xy[found]
        good = ~surprising(self.corners[ids, :2], xy, (self.tag_m + self.gap_m) / 2)
        return BoardView(ids[good].astype(np.int64), xy[good])


@lru_cache(maxsize=64)
def _quads(board: MarkerGrid) -> NDArray[np.float64]:
    """Return the markers' corners (M, 4, 2) by place, m."""
    nx, ny = board.markers_xy
    origins = grid(nx, ny, board.tag_m + board.gap_m, start=0)[:, None, :2]
    return origins + board.tag_m * np.array([[0, 0], [1, 0], [1, 1], [0, 1]])


@lru_cache(maxsize=64)
def _numbers(board: MarkerGrid) -> NDArray[np.int64]:
    """Return the number (M,) of the marker at each place, counted from the board's first."""
    nx, ny = board.markers_xy
    numbers = np.arange(nx * ny).reshape(ny, nx)
    return (numbers[::-1] if board.bottom_up else numbers).reshape(-1)
