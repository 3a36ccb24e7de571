"""Confidence maps to part candidates: non-maximum suppression with sub-cell positions (section 3.3 of the paper).

The maps are never upsampled. Confidence maps are trained as Gaussians, so the logarithm of the map is a parabola near
its peak, and the vertex of the parabola through a cell and its neighbours is the peak's position between the cells.
"""

import math

import numba
import numpy as np
from numpy.typing import NDArray

MOST_PEAKS = 127
"""Peaks kept of one part, the strongest; the seed system's limit, beyond any real crowd."""

_FLOOR = 1e-6  # confidence under which a neighbour's logarithm says nothing


@numba.njit(cache=True, nogil=True)
def _vertex(before: float, here: float, after: float) -> float:
    """Return the offset, in cells, of the vertex of the parabola through three logarithms of the confidence."""
    left, middle, right = math.log(max(before, _FLOOR)), math.log(here), math.log(max(after, _FLOOR))
    bend = left - 2.0 * middle + right
    if bend > -1e-9:
        return 0.0
    return min(0.5, max(-0.5, 0.5 * (left - right) / bend))


@numba.njit(cache=True, nogil=True)
def _is_peak(part: NDArray[np.float32], row: int, column: int) -> bool:
    """Say whether a cell exceeds its eight neighbours; of equal ones the first in reading order wins."""
    value = part[row, column]
    for i in range(max(row - 1, 0), min(row + 2, part.shape[0])):
        for j in range(max(column - 1, 0), min(column + 2, part.shape[1])):
            earlier = i < row or (i == row and j < column)
            if (earlier and part[i, j] >= value) or (not earlier and part[i, j] > value):
                return False
    return True


@numba.njit(cache=True, nogil=True)
def find_peaks(
    confidence: NDArray[np.float32], threshold: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Find the part candidates in confidence maps.

    Args:
        confidence: (J, H, W) maps, without the background.
        threshold: least confidence of a candidate.

    Returns:
        xy (M, 2) positions in map cells, score (M,), and start (J + 1,): the candidates of part j are
        `xy[start[j]:start[j + 1]]`.
    """
    parts, height, width = confidence.shape
    xy = np.empty((parts * MOST_PEAKS, 2))
    score = np.empty(parts * MOST_PEAKS)
    start = np.zeros(parts + 1, np.int64)
    count = 0
    found_xy = np.empty((height * width, 2))
    found_score = np.empty(height * width)
    for j in range(parts):
        part = confidence[j]
        found = 0
        for row in range(height):
            for column in range(width):
                value = part[row, column]
                if value <= threshold or not _is_peak(part, row, column):
                    continue
                x, y = float(column), float(row)
                if 0 < column < width - 1:
                    x += _vertex(part[row, column - 1], value, part[row, column + 1])
                if 0 < row < height - 1:
                    y += _vertex(part[row - 1, column], value, part[row + 1, column])
                found_xy[found, 0], found_xy[found, 1] = x, y
                found_score[found] = value
                found += 1
        order = np.argsort(-found_score[:found])[:MOST_PEAKS]
        for i in order:
            xy[count] = found_xy[i]
            score[count] = found_score[i]
            count += 1
        start[j + 1] = count
    return xy[:count], score[:count], start
