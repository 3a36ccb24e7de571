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
_SADDLE = 0.98  # two cells that touch at a corner are two joints if the map falls below this share of the weaker
_STEPS = 8  # from one to the other; where the map is lowest is not known


@numba.njit(cache=True, nogil=True)
def _vertex(before: float, here: float, after: float) -> float:
    """Return the offset, in cells, of the vertex of the parabola through three logarithms of the confidence."""
    left, middle, right = math.log(max(before, _FLOOR)), math.log(max(here, _FLOOR)), math.log(max(after, _FLOOR))
    bend = left - 2.0 * middle + right
    if bend > -1e-9:
        return 0.0
    return min(0.5, max(-0.5, 0.5 * (left - right) / bend))


@numba.njit(cache=True, nogil=True)
def _place(part: NDArray[np.float32], row: int, column: int) -> tuple[float, float]:
    """Return x, y in cells of the peak whose highest cell is given; on a border it stays on its row or column."""
    x, y = float(column), float(row)
    if 0 < column < part.shape[1] - 1:
        x += _vertex(part[row, column - 1], part[row, column], part[row, column + 1])
    if 0 < row < part.shape[0] - 1:
        y += _vertex(part[row - 1, column], part[row, column], part[row + 1, column])
    return x, y


@numba.njit(cache=True, nogil=True)
def _cubic(t: float) -> float:
    """Return the weight of a sample at distance t in cubic convolution, a = -0.75 as OpenCV has it."""
    t = abs(t)
    if t < 1.0:
        return (1.25 * t - 2.25) * t * t + 1.0
    return ((-0.75 * t + 3.75) * t - 6.0) * t + 3.0 if t < 2.0 else 0.0


@numba.njit(cache=True, nogil=True)
def _bicubic(part: NDArray[np.float32], x: float, y: float) -> float:
    """Interpolate the map at cells x, y."""
    j0, i0 = math.floor(x) - 1, math.floor(y) - 1
    value = 0.0
    for i in range(i0, i0 + 4):
        for j in range(j0, j0 + 4):
            here = part[min(max(i, 0), part.shape[0] - 1), min(max(j, 0), part.shape[1] - 1)]
            value += _cubic(y - i) * _cubic(x - j) * here
    return value


@numba.njit(cache=True, nogil=True)
def _dips(part: NDArray[np.float32], row: int, column: int, other_row: int, other_column: int) -> bool:
    """Say whether the map falls between two cells that touch at a corner, seen as the peaks that they would be."""
    x, y = _place(part, row, column)
    other_x, other_y = _place(part, other_row, other_column)
    weaker = min(part[row, column], part[other_row, other_column])
    for k in range(1, _STEPS):
        t = k / _STEPS
        if _bicubic(part, x + t * (other_x - x), y + t * (other_y - y)) < _SADDLE * weaker:
            return True
    return False


@numba.njit(cache=True, nogil=True)
def _is_peak(part: NDArray[np.float32], row: int, column: int) -> bool:
    """Say whether a cell exceeds its eight neighbours; of equal ones the first in reading order wins.

    A higher cell across the corner does not count where the map dips between the two: joints of two people 12 to 16 px
    apart on a slant lie on such cells.
    """
    value = part[row, column]
    height, width = part.shape
    # In this order most cells, which lie on a slope, are refused by the first or second question.
    if column > 0 and part[row, column - 1] >= value:
        return False
    if column < width - 1 and part[row, column + 1] > value:
        return False
    if row > 0 and part[row - 1, column] >= value:
        return False
    if row < height - 1 and part[row + 1, column] > value:
        return False
    for down in (-1, 1):
        for right in (-1, 1):
            i, j = row + down, column + right
            if not (0 <= i < height and 0 <= j < width):
                continue
            other = part[i, j]
            wins = other > value or (down < 0 and other == value)
            if wins and not _dips(part, row, column, i, j):
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
        `xy[start[j]:start[j + 1]]`, strongest first.
    """
    parts, height, width = confidence.shape
    least = np.float32(threshold)
    cells = np.empty(height * width, np.int64)
    xy, score = np.empty((256, 2)), np.empty(256)
    start = np.zeros(parts + 1, np.int64)
    count = 0
    for j in range(parts):
        part = confidence[j]
        found = 0
        for row in range(height):
            line = part[row]
            for column in range(width):
                if line[column] > least and _is_peak(part, row, column):
                    cells[found] = row * width + column
                    found += 1
        values = np.empty(found)
        for k in range(found):
            values[k] = -part[cells[k] // width, cells[k] % width]
        for k in np.argsort(values, kind="mergesort")[:MOST_PEAKS]:  # stable: results repeat
            if count == len(score):
                xy, score = np.concatenate((xy, np.empty_like(xy))), np.concatenate((score, np.empty_like(score)))
            xy[count, 0], xy[count, 1] = _place(part, cells[k] // width, cells[k] % width)
            score[count] = -values[k]
            count += 1
        start[j + 1] = count
    return xy[:count], score[:count], start


@numba.njit(cache=True, nogil=True)
def strongest_peaks(confidence: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find each part's highest point, whatever its confidence: what networks of one hand or one face are for.

    Args:
        confidence: (J, H, W) maps, without the background.

    Returns:
        xy (J, 2) positions in map cells and score (J,); a map that is nowhere positive has NaN and 0.
    """
    parts, height, width = confidence.shape
    xy, score = np.full((parts, 2), np.nan), np.zeros(parts)
    for j in range(parts):
        best, at_row, at_column = np.float32(0.0), -1, -1
        for row in range(height):
            for column in range(width):
                if confidence[j, row, column] > best:
                    best, at_row, at_column = confidence[j, row, column], row, column
        if at_row >= 0:
            xy[j, 0], xy[j, 1] = _place(confidence[j], at_row, at_column)
            score[j] = best
    return xy, score
