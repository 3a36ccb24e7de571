"""ChArUco boards: a chessboard with a marker in each white square."""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from triskel.calibration.boards.board import BoardView, check_counts, check_length, grid, mm
from triskel.calibration.boards.consistency import lattice_outliers, surprising
from triskel.calibration.boards.local_maps import agreeing, mapped, nearby_maps, px_per_m, quad_maps
from triskel.calibration.boards.markers import check_markers, dark_cells, dictionary_of, find_markers, marker_cells
from triskel.calibration.boards.subpixel import as_grey, contrast, refine_saddles
from triskel.errors import ConfigError

LEAST_CONTRAST = 4.0
"""Grey levels by which the light squares at a corner are lighter than the dark ones; less is a hand or glare."""

NARROWEST_PX = 1.5
"""Width of the light rim in the image, across the direction in which the board is foreshortened. In a narrower one the
marker is so near that it moves the corner by up to 2 px."""

GROWTH = 4
"""Times that corners are looked for beside those that were found: their markers may be too small or hidden to read."""

WINDOW = 1.0
"""Reach of the search window, in the light rim between a corner's squares and the markers in them."""


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
        first_marker: number of the first marker in the dictionary; boards that are seen together have other markers.
        name: tells it from the other boards of a recording.
    """

    squares_xy: tuple[int, int]
    square_m: float
    marker_m: float
    dictionary: str = "DICT_4X4_50"
    inverted: bool = False
    legacy: bool = False
    first_marker: int = 0
    name: str = "board"

    def __post_init__(self) -> None:
        check_counts("squares_xy", self.squares_xy, 3)
        check_length("square_m", self.square_m)
        if not 0 < self.marker_m < self.square_m:
            raise ConfigError(f"marker_m is between 0 and square_m ({self.square_m}), got {self.marker_m}")
        check_markers(self.dictionary, self.first_marker, self.n_markers)

    @property
    def n_markers(self) -> int:
        """Return how many markers it has."""
        return int(self.squares_xy[0]) * int(self.squares_xy[1]) // 2

    @property
    def corners(self) -> NDArray[np.float64]:
        """Return the inner corners (K, 3), m, row by row; the board's origin is the corner of its first square."""
        nx, ny = self.squares_xy
        return grid(nx - 1, ny - 1, self.square_m, start=1)

    @property
    def outline_m(self) -> tuple[float, float, float, float]:
        """Return left, top, right and bottom of the squares, m."""
        nx, ny = self.squares_xy
        return 0.0, 0.0, nx * self.square_m, ny * self.square_m

    def describe(self) -> str:
        """Say what board it is, in one line."""
        nx, ny = self.squares_xy
        last = self.first_marker + self.n_markers - 1
        kind = f"{', inverted' if self.inverted else ''}{', legacy' if self.legacy else ''}"
        return (
            f"{self.name}: ChArUco of {nx} x {ny} squares of {mm(self.square_m)}, markers of {mm(self.marker_m)},"
            f" {self.dictionary} {self.first_marker}-{last}{kind}"
        )

    def ink(self) -> NDArray[np.float64]:
        """Return the dark rectangles (n, 4) of the board that is not inverted: left, top, right, bottom, m."""
        layout = _layout(self)
        nx, ny = self.squares_xy
        cells = grid(nx, ny, 1.0, start=0)[:, :2]
        white = {tuple(cell) for cell in np.floor(layout.quads.mean(axis=1) / self.square_m).tolist()}
        squares = np.array([[*cell, cell[0] + 1, cell[1] + 1] for cell in cells.tolist() if tuple(cell) not in white])
        markers = [
            dark_cells(marker_cells(self.dictionary, self.first_marker + i), origin=quad[0], side=self.marker_m)
            for i, quad in enumerate(layout.quads)
        ]
        return np.concatenate([squares * self.square_m, *markers])

    def detect(self, image_rgb: NDArray[np.uint8]) -> BoardView:
        """Find the board in an image (H, W, 3); corners that are hidden are left out."""
        grey = as_grey(image_rgb, inverted=self.inverted)
        markers = find_markers(grey, self.dictionary, first_marker=self.first_marker, count=self.n_markers)
        layout = _layout(self)
        kept = agreeing(layout.quads[markers.ids], markers.xy, self.square_m * np.sqrt(2))
        if not kept.any():
            return BoardView.empty()
        maps = np.full((self.n_markers, 3, 3), np.nan)
        maps[markers.ids[kept]] = quad_maps(layout.quads[markers.ids[kept]], markers.xy[kept])
        return self._corners_near(grey, maps, layout)

    def _corners_near(self, grey: NDArray[np.uint8], maps: NDArray[np.float64], layout: "_Layout") -> BoardView:
        """Return the corners around markers with maps (M, 3, 3), and those that follow from them."""
        points = self.corners[:, :2]
        around = np.where((layout.beside >= 0)[..., None, None], maps[layout.beside], np.nan)
        guesses = mapped(around, points[:, None])
        known: NDArray[np.bool_] = np.asarray(np.isfinite(guesses).all(axis=-1))
        ids = np.flatnonzero(known.any(axis=1))
        xy = np.full(points.shape, np.nan)
        xy[ids] = self._refined(
            grey, ids, np.nanmean(guesses[ids], axis=1), around[ids, known[ids].argmax(axis=1)], layout
        )
        self._drop_wrong(points, xy)
        for _ in range(GROWTH):
            seen = np.isfinite(xy[:, 0])
            ids = np.flatnonzero(~seen)
            if len(ids) == 0 or seen.sum() < 6:
                break
            local = nearby_maps(points[seen], xy[seen], points[ids], self.square_m, trust=np.ones(seen.sum()))
            xy[ids] = self._refined(grey, ids, mapped(local, points[ids]), local, layout)
            if not np.isfinite(xy[ids]).any():
                break
            self._drop_wrong(points, xy)
        ids = np.flatnonzero(np.isfinite(xy[:, 0]))
        good = ~surprising(points[ids], xy[ids], self.square_m)
        return BoardView(ids[good].astype(np.int64), xy[ids[good]])

    def _refined(
        self,
        grey: NDArray[np.uint8],
        ids: NDArray[np.int64],
        xy: NDArray[np.float64],
        local: NDArray[np.float64],
        layout: "_Layout",
    ) -> NDArray[np.float64]:
        """Return corners (n, 2) near their expected places, px; NaN where the image does not show them there.

        Args:
            grey: (H, W).
            ids: (n,) which corners.
            xy: (n, 2) where they are expected.
            local: (n, 3, 3) maps around them.
            layout: the board's.
        """
        points = self.corners[ids, :2]
        px = px_per_m(local, points, self.square_m / 2)
        window_px = px * window_m(self.square_m, self.marker_m)
        out = refine_saddles(grey, xy, window_px)
        margin = (self.square_m - self.marker_m) / 4
        seen = contrast(grey, out, local, points, margin, layout.dark_first[ids])
        with np.errstate(invalid="ignore"):
            out[~((seen > LEAST_CONTRAST) & (window_px > NARROWEST_PX))] = np.nan
        return out

    def _drop_wrong(self, points: NDArray[np.float64], xy: NDArray[np.float64]) -> None:
        """Set corners to NaN that are off the rows and columns of the others."""
        ids = np.flatnonzero(np.isfinite(xy[:, 0]))
        xy[ids[lattice_outliers(points[ids], xy[ids], self.square_m)]] = np.nan


def window_m(square_m: float, marker_m: float) -> float:
    """Return how far around a corner the search window reaches on the board, m."""
    return WINDOW * (square_m - marker_m) / 2


class _Layout(NamedTuple):
    """Where a board's parts are, m: OpenCV decides, so that a board printed by others fits.

    Attributes:
        quads: (M, 4, 2) the markers' corners.
        beside: (K, 2) the two markers that touch a corner's squares.
        dark_first: (K,) whether the square to the upper left of a corner is dark.
    """

    quads: NDArray[np.float64]
    beside: NDArray[np.int64]
    dark_first: NDArray[np.bool_]


@lru_cache(maxsize=64)
def _layout(board: Charuco) -> _Layout:
    ids = np.arange(board.first_marker, board.first_marker + board.n_markers)
    of = cv2.aruco.CharucoBoard(
        board.squares_xy, board.square_m, board.marker_m, dictionary_of(board.dictionary), ids.astype(np.int32)
    )
    of.setLegacyPattern(board.legacy)
    # OpenCV counts in single precision; the markers stand in the middle of their squares exactly.
    rough = np.asarray(of.getObjPoints(), dtype=np.float64)[..., :2].mean(axis=1)
    cells = np.floor(rough / board.square_m)
    half = board.marker_m / 2 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    quads = ((cells + 0.5) * board.square_m)[:, None] + half
    by_cell = {(int(x), int(y)): i for i, (x, y) in enumerate(cells)}
    nx, ny = board.squares_xy
    beside, dark = [], []
    for x, y in grid(nx - 1, ny - 1, 1.0, start=1)[:, :2].astype(int).tolist():
        around = [by_cell.get(cell, -1) for cell in ((x - 1, y - 1), (x, y), (x, y - 1), (x - 1, y))]
        dark.append(around[0] < 0)
        beside.append(around[2:] if around[0] < 0 else around[:2])
    return _Layout(quads, np.array(beside, dtype=np.int64), np.array(dark))
