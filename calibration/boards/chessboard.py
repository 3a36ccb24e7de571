"""Plain chessboards."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from triskel.calibration.boards.board import BoardView, check_counts, check_length, grid, mm
from triskel.calibration.boards.consistency import lattice_outliers, surprising
from triskel.calibration.boards.local_maps import nearby_maps, px_per_m
from triskel.calibration.boards.subpixel import as_grey, contrast, refine_saddles
from triskel.errors import ConfigError

FIRST_LOOK_PX = 960
"""Longer side of the picture that the board is looked for in. Squares of 12 px in 1920 are still found there, and
looking through the whole picture takes four times as long; the corners are then refined in the whole one."""

SMALLEST_PX = 24
"""Shorter side of a picture; OpenCV's finders fail on less."""

WINDOW = 0.35
"""Reach of the search window, in squares as they are in the image."""

LEAST_SHARE = 0.75
"""Of the corners, that must look like corners of this board."""


@dataclass(frozen=True, kw_only=True)
class Chessboard:
    """A plain chessboard, found only when whole.

    Attributes:
        corners_xy: numbers of INNER corners along x and y. One must be even and the other odd: otherwise the board
            looks the same turned by 180 degrees, and two cameras would not agree on which corner is which.
        square_m: side of a square, m.
        inverted: the square outside corner 0 is white rather than black.
        name: tells it from the other boards of a recording.
    """

    corners_xy: tuple[int, int]
    square_m: float
    inverted: bool = False
    name: str = "board"

    def __post_init__(self) -> None:
        check_counts("corners_xy", self.corners_xy, 3)
        check_length("square_m", self.square_m)
        if sum(self.corners_xy) % 2 == 0:
            raise ConfigError(
                "a chessboard has an even number of inner corners one way and an odd one the other, got "
                f"{self.corners_xy}: it would look the same turned round; take a row of squares more or less"
            )

    @property
    def corners(self) -> NDArray[np.float64]:
        """Return the inner corners (K, 3), m, row by row; corner 0 is the origin."""
        return grid(*self.corners_xy, self.square_m, start=0)

    @property
    def outline_m(self) -> tuple[float, float, float, float]:
        """Return left, top, right and bottom of the squares, m."""
        nx, ny = self.corners_xy
        return -self.square_m, -self.square_m, nx * self.square_m, ny * self.square_m

    def describe(self) -> str:
        """Say what board it is, in one line."""
        nx, ny = self.corners_xy
        return (
            f"{self.name}: chessboard of {nx} x {ny} inner corners ({nx + 1} x {ny + 1} squares) of"
            f" {mm(self.square_m)}{', inverted' if self.inverted else ''}"
        )

    def ink(self) -> NDArray[np.float64]:
        """Return the dark rectangles (n, 4) of the board that is not inverted: left, top, right, bottom, m."""
        nx, ny = self.corners_xy
        cells = grid(nx + 1, ny + 1, 1.0, start=-1)[:, :2]
        dark = cells[cells.sum(axis=1) % 2 == 0]
        return np.c_[dark, dark + 1] * self.square_m

    def detect(self, image_rgb: NDArray[np.uint8]) -> BoardView:
        """Find the board in an image (H, W, 3): nothing unless every corner is in it.

        A corner that glare or a shadow has moved is left out.
        """
        grey = as_grey(image_rgb, inverted=self.inverted)
        if min(grey.shape) < SMALLEST_PX:
            return BoardView.empty()
        scale = min(1.0, FIRST_LOOK_PX / max(grey.shape))
        small = _shrunk(grey, scale)
        for find in (_classic, _exhaustive):
            rough = find(small, self.corners_xy)
            if rough is not None:
                # Resizing rounds the size, so the scale is what came out.
                real = np.array(grey.shape[::-1]) / np.array(small.shape[::-1])
                view = self._refined(grey, (rough + 0.5) * real - 0.5)
                if view is not None:
                    return view
        return BoardView.empty()

    def _refined(self, grey: NDArray[np.uint8], rough: NDArray[np.float64]) -> BoardView | None:
        """Return the corners (K, 2) to a fraction of a pixel, corner 0 first; None if that is not this board."""
        flat, step = self.corners[:, :2], self.square_m
        xy = self._unmirrored(rough)
        local = nearby_maps(flat, xy, flat, step, trust=np.ones(len(xy)))
        fine = refine_saddles(grey, xy, px_per_m(local, flat, step / 2) * step * WINDOW)
        nx, ny = self.corners_xy
        even = np.indices((ny, nx)).sum(axis=0).reshape(-1) % 2 == 0
        seen, turned = (contrast(grey, fine, local, flat, step / 4, dark) for dark in (even, ~even))
        if not np.isfinite(seen).any():
            return None
        if np.nanmedian(turned) > np.nanmedian(seen):
            fine, seen = fine[::-1], turned[::-1]
        with np.errstate(invalid="ignore"):
            good = np.isfinite(fine).all(axis=1) & (seen > 0)
        if good.sum() < LEAST_SHARE * len(good):
            return None
        ids = np.flatnonzero(good)
        ids = ids[~lattice_outliers(flat[ids], fine[ids], step)]
        ids = ids[~surprising(flat[ids], fine[ids], step)]
        return BoardView(ids.astype(np.int64), fine[ids].copy()) if len(ids) >= LEAST_SHARE * len(good) else None

    def _unmirrored(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the corners with y to the right of x as on the print; finders may give the rows from the other end."""
        nx, ny = self.corners_xy
        table = xy.reshape(ny, nx, 2)
        right, down = table[:, -1] - table[:, 0], table[-1] - table[0]
        (a, b), (c, d) = right.mean(axis=0), down.mean(axis=0)
        return np.ascontiguousarray(table if a * d - b * c > 0 else table[:, ::-1]).reshape(-1, 2)


def _shrunk(grey: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """Return the picture made smaller, at least of the size that the finders need."""
    if scale >= 1:
        return grey
    size = [max(SMALLEST_PX, round(side * scale)) for side in grey.shape[::-1]]
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _classic(grey: NDArray[np.uint8], corners_xy: tuple[int, int]) -> NDArray[np.float64] | None:
    """Return the corners (K, 2), px, by linking dark squares: 3 to 12 ms where a board is seen well."""
    flags = cv2.CALIB_CB_ADAPTIVE_THRESH | cv2.CALIB_CB_NORMALIZE_IMAGE
    found, corners = cv2.findChessboardCorners(grey, corners_xy, flags=flags)
    return np.asarray(corners, dtype=np.float64).reshape(-1, 2) if found else None


def _exhaustive(grey: NDArray[np.uint8], corners_xy: tuple[int, int]) -> NDArray[np.float64] | None:
    """Return the corners (K, 2), px, by saddles in straight lines: slower, and finds boards with cut or pale squares.

    Without the exhaustive search it misses 13 of the 26 boards in the sample's pictures.
    """
    flags = cv2.CALIB_CB_EXHAUSTIVE | cv2.CALIB_CB_NORMALIZE_IMAGE
    found, corners = cv2.findChessboardCornersSB(grey, corners_xy, flags=flags)
    return np.asarray(corners, dtype=np.float64).reshape(-1, 2) if found else None
