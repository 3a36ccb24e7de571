"""Pictures with what was found of a board drawn in."""

import cv2
import numpy as np
from numpy.typing import NDArray

from triskel.calibration.boards.board import Board, BoardView, edges

GRID, CORNER, X_AXIS, Y_AXIS, RIM = (255, 196, 0), (230, 0, 120), (235, 40, 40), (30, 190, 60), (255, 255, 255)
FINER = 4
"""Binary digits of a pixel that OpenCV draws to: a sixteenth."""


def draw_view(image_rgb: NDArray[np.uint8], board: Board, view: BoardView) -> NDArray[np.uint8]:
    """Return the picture (H, W, 3) with the corners found, their numbers, and the board's axes: x red, y green.

    Args:
        image_rgb: (H, W, 3); it is not changed.
        board: which board.
        view: its corners in this image; none leaves the picture as it is.
    """
    canvas = np.ascontiguousarray(image_rgb).copy()
    if len(view.ids) == 0:
        return canvas
    size = max(1.0, max(canvas.shape[:2]) / 1000)
    place = np.full((len(board.corners), 2), np.nan)
    place[view.ids] = view.xy
    pairs = edges(board)
    lines = np.stack([place[pairs[:, 0]], place[pairs[:, 1]]], axis=1)
    for line in lines[np.isfinite(lines).all(axis=(1, 2))]:
        _line(canvas, line, GRID, round(size))
    _axes(canvas, board, view, size)
    for number, xy in zip(view.ids.tolist(), view.xy, strict=True):
        centre = tuple(_fixed(xy).tolist())
        cv2.circle(canvas, centre, round(3 * size * 2**FINER), CORNER, -1, cv2.LINE_AA, FINER)
        at = round(xy[0] + 4 * size), round(xy[1] - 4 * size)
        for colour, width in ((RIM, 3), ((0, 0, 0), 1)):
            cv2.putText(
                canvas, str(number), at, cv2.FONT_HERSHEY_SIMPLEX, 0.4 * size, colour, round(width * size), cv2.LINE_AA
            )
    return canvas


def _axes(canvas: NDArray[np.uint8], board: Board, view: BoardView, size: float) -> None:
    """Draw arrows of the board's x and y from the found corner that is nearest to its origin."""
    points = board.corners[view.ids, :2]
    if len(points) < 4 or np.linalg.matrix_rank(points - points.mean(axis=0), tol=1e-6) < 2:
        return
    homography, _ = cv2.findHomography(points, view.xy)
    if homography is None:
        return
    start = points[np.linalg.norm(points, axis=1).argmin()]
    reach = 0.3 * np.ptp(board.corners[:, :2], axis=0).max()
    for axis, colour in zip(np.eye(2), (X_AXIS, Y_AXIS), strict=True):
        line = cv2.perspectiveTransform(np.array([[start, start + reach * axis]]), homography)[0]
        if np.isfinite(line).all() and np.abs(line).max() < 1e5:
            _line(canvas, line, colour, round(3 * size))


def _line(canvas: NDArray[np.uint8], line: NDArray[np.float64], colour: tuple[int, int, int], width: int) -> None:
    start, end = (tuple(point) for point in _fixed(line).tolist())
    cv2.line(canvas, start, end, colour, max(width, 1), cv2.LINE_AA, FINER)


def _fixed(xy: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return pixels as OpenCV's fixed point numbers."""
    return np.round(xy * 2**FINER).astype(np.int64)
