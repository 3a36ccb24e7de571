"""Check sizes against what a person knows: distances between cameras, the markers on a ChArUco board."""

from collections.abc import Iterable, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from triskel.calibration.boards import Charuco
from triskel.calibration.checks.geometry import Finding
from triskel.camera import Rig
from triskel.errors import InputError

DISTANCE_DIFFERS = 0.03
"""A tape between two lenses is this good, as a share of the distance, when one has to guess where they are inside."""
MARKER_DIFFERS = 0.04
"""Measured markers differ from the given ones by at most this share of a square: edges blur, ink spreads."""
FEWEST_MARKERS = 8


def check_camera_distances(rig: Rig, distances_m: Mapping[tuple[str, str], float]) -> list[Finding]:
    """Compare distances between cameras with those measured; all off by one factor means a wrong scale.

    Args:
        rig: the cameras.
        distances_m: measured distances between pairs of lenses, by the cameras' names.

    Raises:
        ConfigError: a camera that the rig does not have.
        InputError: a distance that is not positive.
    """
    ratios = {}
    for (first, second), measured in distances_m.items():
        if not (np.isfinite(measured) and measured > 0):
            raise InputError(f"the distance from {first} to {second} is a positive number of metres, got {measured}")
        ratios[first, second] = float(np.linalg.norm(rig[first].centre - rig[second].centre)) / measured
    if not ratios:
        return []
    scale = float(np.median(list(ratios.values())))
    findings = []
    if abs(scale - 1) > DISTANCE_DIFFERS:
        message = (
            f"the cameras are {scale:.3g} times as far apart as measured: the size given for the board's squares, or "
            "the unit of the file, is wrong"
        )
        findings.append(Finding("error", "", message, "wrong-scale"))
    for (first, second), ratio in ratios.items():
        if abs(ratio / scale - 1) > 2 * DISTANCE_DIFFERS:
            message = f"are {ratio / scale - 1:+.0%} off the measured distance when the scale is put right"
            findings.append(Finding("warning", f"{first}, {second}", message, "camera-distance"))
    return findings


def marker_share(images_rgb: Iterable[NDArray[np.uint8]], board: Charuco) -> float:
    """Return how large markers are on pictures of a ChArUco board, as a share of a square; NaN with too few of them.

    The markers' middles say where the board is, whatever their size: that of the squares is measured between them.
    """
    dictionary = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, board.dictionary))
    printed = cv2.aruco.CharucoBoard(board.squares_xy, board.square_m, board.marker_m, dictionary)
    printed.setLegacyPattern(board.legacy)
    middles = {
        int(i): np.asarray(points, dtype=np.float64)[:, :2].mean(axis=0)
        for i, points in zip(np.ravel(printed.getIds()), printed.getObjPoints(), strict=True)
    }
    parameters = cv2.aruco.DetectorParameters()
    parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
    detector = cv2.aruco.ArucoDetector(dictionary, parameters)
    shares: list[float] = []
    for image_rgb in images_rgb:
        grey = cv2.cvtColor(image_rgb, cv2.COLOR_RGB2GRAY)
        corners, ids, _ = detector.detectMarkers(255 - grey if board.inverted else grey)
        known = [] if ids is None else [k for k, i in enumerate(np.ravel(ids)) if int(i) in middles]
        if len(known) < FEWEST_MARKERS:
            continue
        xy = np.array([corners[k].reshape(4, 2) for k in known], dtype=np.float64)
        places = np.array([middles[int(np.ravel(ids)[k])] for k in known]) / board.square_m
        shares += _sides(xy, places)
    return float(np.median(shares)) if len(shares) >= FEWEST_MARKERS else float("nan")


def _sides(xy: NDArray[np.float64], places: NDArray[np.float64]) -> list[float]:
    """Return the sides of markers, in squares, from their corners (n, 4, 2) px and middles (n, 2) on the board."""
    squares_from_image, good = cv2.findHomography(_middles(xy), places, cv2.RANSAC, 0.1)
    if squares_from_image is None:
        return []
    flat = cv2.perspectiveTransform(xy.reshape(-1, 1, 2), squares_from_image).reshape(-1, 4, 2)
    sides = np.linalg.norm(flat - np.roll(flat, 1, axis=1), axis=-1).mean(axis=1)
    return [float(side) for side in sides[np.ravel(good).astype(bool)]]


def _middles(xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where the diagonals of quadrilaterals (n, 4, 2) cross: the middle in any perspective."""
    a, b = xy[:, 2] - xy[:, 0], xy[:, 3] - xy[:, 1]
    between = xy[:, 1] - xy[:, 0]
    along = (between[:, 0] * b[:, 1] - between[:, 1] * b[:, 0]) / (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])
    return np.asarray(xy[:, 0] + along[:, None] * a)


def check_markers(images_rgb: Iterable[NDArray[np.uint8]], board: Charuco) -> list[Finding]:
    """Compare the markers of a ChArUco board, in pictures of it, with the sizes given for marker and square.

    A wrong size of both at once cannot be seen in pictures of the board; of one alone it can.
    """
    share, given = marker_share(images_rgb, board), board.marker_m / board.square_m
    if np.isnan(share) or abs(share - given) <= MARKER_DIFFERS:
        return []
    message = (
        f"markers measure {share:.2f} of a square in the pictures, but {given:.2f} as given (marker_m / square_m): one "
        "of the two sizes is wrong; measure both on the print"
    )
    return [Finding("error", "", message, "marker-size")]
