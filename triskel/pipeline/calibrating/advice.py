"""What may be wrong where boards are not found, or not as they are described: told from a few pictures."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from triskel.calibration.boards import Board, Charuco, Chessboard, MarkerGrid
from triskel.calibration.checks import check_markers
from triskel.calibration.checks.known import marker_share
from triskel.errors import ConfigError
from triskel.pipeline.calibrating.looking import detect

BLUR = 0.07
"""Of a square: in a video with squares of 20 px, markers of 0.74 measured 0.69."""
MOST_PICTURES = 6
"""Other descriptions are tried on so many."""
FAMILIES = (
    ("DICT_4X4_1000", "DICT_4X4_50 to _1000"),
    ("DICT_5X5_1000", "DICT_5X5_50 to _1000"),
    ("DICT_6X6_1000", "DICT_6X6_50 to _1000"),
    ("DICT_7X7_1000", "DICT_7X7_50 to _1000"),
    ("DICT_ARUCO_ORIGINAL", "DICT_ARUCO_ORIGINAL"),
    ("DICT_APRILTAG_25h9", "DICT_APRILTAG_25h9"),
    ("DICT_APRILTAG_36h11", "DICT_APRILTAG_36h11"),
    ("DICT_ARUCO_MIP_36h12", "DICT_ARUCO_MIP_36h12"),
)
"""Markers that are tried; smaller dictionaries begin like the largest one. Those of 4 x 4 cells and a large choice are
seen in anything, so a few that follow from the pictures by chance count for nothing."""
FEWEST_MARKERS = 6


def wrong_sizes(images_rgb: Sequence[NDArray[np.uint8]], boards: Sequence[Board]) -> list[str]:
    """Return what pictures of ChArUco boards say against the sizes given for their markers, one line a board."""
    return [
        f"{board.name}: {finding.message}"
        for board in boards
        if isinstance(board, Charuco) and _differ(images_rgb, board)
        for finding in check_markers(images_rgb, board)
    ]


def _differ(images_rgb: Sequence[NDArray[np.uint8]], board: Charuco) -> bool:
    """Return whether markers are of another size than given by more than small, blurred ones in a video seem to be."""
    return abs(marker_share(images_rgb, board) - board.marker_m / board.square_m) > BLUR


def other_board(images_rgb: Sequence[NDArray[np.uint8]], boards: Sequence[Board]) -> str:
    """Say which board, described a little differently, is in pictures in which none was found; nothing if none is."""
    images = images_rgb[:: max(1, -(-len(images_rgb) // MOST_PICTURES))]
    mirrored = [np.ascontiguousarray(image[:, ::-1]) for image in images]
    if any(len(view.ids) for image in mirrored for view in detect(image, tuple(boards))):
        return "its images are mirrored; switch that off in the camera's software, or flip them"
    for board in boards:
        for other, words in _others(board):
            if any(len(view.ids) for image in images for view in detect(image, (other,))):
                return words
    for board in boards:
        if isinstance(board, Charuco | MarkerGrid) and (said := _other_markers(images, board)):
            return said
    return ""


def _others(board: Board) -> Iterator[tuple[Board, str]]:
    """Yield boards that somebody may have meant, and what to say if one is there."""
    if isinstance(board, Charuco | Chessboard | MarkerGrid):
        yield (
            replace(board, inverted=not board.inverted),
            f"one the other way round in colour is there; {_set('inverted', not board.inverted)}",
        )
    if isinstance(board, Charuco):
        yield (
            replace(board, legacy=not board.legacy),
            f"one in OpenCV's other pattern is there; {_set('legacy', not board.legacy)}",
        )
    if isinstance(board, Chessboard):
        nx, ny = board.corners_xy
        for counts in ((nx - 1, ny - 1), (nx + 1, ny + 1), (nx - 1, ny), (nx, ny - 1), (nx + 1, ny), (nx, ny + 1)):
            try:
                other = replace(board, corners_xy=counts)
            except ConfigError:  # looks the same turned round
                continue
            x, y = counts
            yield (
                other,
                f"one of {x} x {y} inner corners ({x + 1} x {y + 1} squares) is there; give inner corners, not "
                "squares, in the board's description",
            )


def _set(key: str, value: bool) -> str:
    return f"set {key}: {str(value).lower()} in the board's description"


class _Family(NamedTuple):
    """Markers in pictures: of which dictionary, whether white on black, and how often each number was seen."""

    words: str
    inverted: bool
    numbers: NDArray[np.int64]
    times: NDArray[np.int64]


def _other_markers(images: Sequence[NDArray[np.uint8]], board: Charuco | MarkerGrid) -> str:
    """Say which markers are in pictures, if they are not those of the board; nothing if no markers are clear."""
    greys = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in images]
    found = [
        _family(greys, name, words, inverted)
        for name, words in FAMILIES
        if hasattr(cv2.aruco, name)
        for inverted in (False, True)
    ]
    best = max(found, key=lambda one: int(one.times.sum()))
    if len(best.numbers) < FEWEST_MARKERS:
        return ""
    low, high = int(best.numbers[0]), int(best.numbers[-1])
    last = board.first_marker + board.n_markers - 1
    if best.inverted == board.inverted and _is_of(board, best) and board.first_marker <= low and high <= last:
        return ""
    colours = "white on black" if best.inverted else "black on white"
    return (
        f"markers {low} to {high} of {best.words}, {colours}, are there; the board as described has markers "
        f"{board.first_marker} to {last} of {board.dictionary}: check dictionary, "
        "number of squares and first marker in its description"
    )


def _is_of(board: Charuco | MarkerGrid, found: _Family) -> bool:
    """Return whether markers found are of a board's dictionary: that, or the larger one that begins like it."""
    return found.words.split("_50 ")[0] == board.dictionary.rsplit("_", 1)[0] or found.words == board.dictionary


def _family(greys: Sequence[NDArray[np.uint8]], name: str, words: str, inverted: bool) -> _Family:
    dictionary = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, name))
    seen: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
    for grey in greys:
        ids = cv2.aruco.ArucoDetector(dictionary).detectMarkers(255 - grey if inverted else grey)[1]
        if ids is not None:
            seen.append(np.unique(np.ravel(ids)).astype(np.int64))
    numbers, times = np.unique(np.concatenate(seen), return_counts=True)
    often = times >= max(1, times.max(initial=0) // 3)  # others are noise that looks like a marker
    return _Family(words, inverted, numbers[often], times[often])
