"""Markers: which dictionaries there are, what a marker looks like, and where markers are in an image."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from triskel.errors import ConfigError

LEAST_PERIMETER = 0.018
"""Of a marker, in longer sides of the image; OpenCV's 0.03 misses markers of less than 14 px in 1920."""


class Markers(NamedTuple):
    """Markers found in an image.

    Attributes:
        ids: (n,) numbers in the dictionary, each once.
        xy: (n, 4, 2) corners, px, clockwise on the print from the marker's own top left.
    """

    ids: NDArray[np.int64]
    xy: NDArray[np.float64]


def check_markers(dictionary: str, first_marker: int, count: int) -> None:
    """Refuse markers that OpenCV does not have.

    Raises:
        ConfigError: the dictionary is unknown, or has fewer markers than the board needs.
    """
    if not (dictionary.startswith("DICT_") and hasattr(cv2.aruco, dictionary)):
        raise ConfigError(
            f"dictionary is one of OpenCV's, such as DICT_4X4_50 or DICT_APRILTAG_36h11, got {dictionary!r}"
        )
    available = len(dictionary_of(dictionary).bytesList)
    if first_marker < 0 or first_marker + count > available:
        raise ConfigError(
            f"the board needs markers {first_marker} to {first_marker + count - 1}, and {dictionary} has 0 to"
            f" {available - 1}; choose a larger dictionary, fewer markers or another first_marker"
        )


def dictionary_of(name: str) -> "cv2.aruco.Dictionary":
    """Return one of OpenCV's dictionaries by name."""
    return cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, name))


def marker_cells(dictionary: str, marker: int, *, border_bits: int = 1) -> NDArray[np.bool_]:
    """Return a marker's cells (n, n), True where dark, its border included."""
    of = dictionary_of(dictionary)
    side = of.markerSize + 2 * border_bits
    return np.asarray(cv2.aruco.generateImageMarker(of, marker, side, borderBits=border_bits)) == 0


def dark_cells(cells: NDArray[np.bool_], *, origin: NDArray[np.float64], side: float) -> NDArray[np.float64]:
    """Return a marker's dark cells as few rectangles (n, 4): runs in a row, joined with equal runs below.

    Args:
        cells: (n, n), True where dark.
        origin: (2,) of the marker's top left corner.
        side: of the marker; the result is in its unit.
    """
    open_runs: dict[tuple[int, int], int] = {}
    rectangles = []
    for row in range(len(cells) + 1):
        line = cells[row] if row < len(cells) else np.zeros(len(cells), dtype=bool)
        steps = np.flatnonzero(np.diff(np.r_[False, line, False].astype(np.int8)))
        runs = {(int(a), int(b)) for a, b in zip(steps[::2], steps[1::2], strict=True)}
        for left, right in [run for run in open_runs if run not in runs]:
            rectangles.append((left, open_runs.pop((left, right)), right, row))
        for run in runs:
            open_runs.setdefault(run, row)
    return np.tile(origin, 2) + np.array(sorted(rectangles), dtype=np.float64) * (side / len(cells))


def find_markers(
    grey: NDArray[np.uint8], dictionary: str, *, first_marker: int, count: int, border_bits: int = 1
) -> Markers:
    """Find a board's markers in an image; any that is there twice is left out, for nothing says which is the board's.

    Args:
        grey: (H, W), dark cells dark.
        dictionary: OpenCV's name.
        first_marker: number of the board's first marker.
        count: how many it has.
        border_bits: width of the dark border, cells.

    Returns:
        The markers, `ids` counting from the board's first.
    """
    # Made anew for each image: it takes 0.02 ms, and one detector must not be used by two threads.
    found, ids, _ = _detector(dictionary, border_bits).detectMarkers(grey)
    if ids is None or len(ids) == 0:
        return Markers(np.zeros(0, dtype=np.int64), np.zeros((0, 4, 2)))
    numbers = np.asarray(ids).reshape(-1).astype(np.int64) - first_marker
    xy = np.asarray(found, dtype=np.float64).reshape(-1, 4, 2)
    unique, where, times = np.unique(numbers, return_index=True, return_counts=True)
    mine = (unique >= 0) & (unique < count) & (times == 1)
    return Markers(unique[mine], xy[where[mine]])


def _detector(dictionary: str, border_bits: int) -> "cv2.aruco.ArucoDetector":
    parameters = cv2.aruco.DetectorParameters()
    parameters.markerBorderBits = border_bits
    parameters.minMarkerPerimeterRate = LEAST_PERIMETER
    # The default of 4 reads 11 of 27 markers of 11 px where this reads 19, in the same time.
    parameters.perspectiveRemovePixelPerCell = 8
    return cv2.aruco.ArucoDetector(dictionary_of(dictionary), parameters)
