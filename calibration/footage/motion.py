"""How boards move in the images: what blurs them, and what shows that a camera was late."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.boards import BoardView
from triskel.calibration.footage.types import CameraBoards

FEWEST_COMMON = 4
"""Corners that two frames have to share for the motion between them."""


class Steps(NamedTuple):
    """The motion of a board between neighbouring frames of one camera.

    Attributes:
        first: (S,) index of the earlier view; the later one is the next. Steps over gaps are not among them.
        sets: (S,) how many frame sets lie between the two.
        xy: (S, 2) mean shift of the corners that both have, px.
        distance_px: (S,) median distance over these corners, px: larger than `xy` where the board only turns.
    """

    first: NDArray[np.int64]
    sets: NDArray[np.int64]
    xy: NDArray[np.float64]
    distance_px: NDArray[np.float64]


def steps(boards: CameraBoards, *, longest: int | None = None) -> Steps:
    """Return how the board moves between neighbouring frames.

    Args:
        boards: where one camera saw one board.
        longest: most frame sets between two frames; the shortest step that occurs if None, since a recording of which
            every 5th frame was looked at has no other.
    """
    gaps = np.diff(boards.sets)
    longest = int(gaps.min(initial=1 << 40)) if longest is None else longest
    first, shift, distance = [], [], []
    for i in np.flatnonzero(gaps <= longest):
        moved = _moved(boards.views[i], boards.views[i + 1])
        if len(moved) >= FEWEST_COMMON:
            first.append(int(i))
            shift.append(moved.mean(axis=0))
            distance.append(float(np.median(np.hypot(*moved.T))))
    index = np.array(first, dtype=np.int64)
    return Steps(index, gaps[index], np.array(shift).reshape(-1, 2), np.array(distance))


def speeds_px(boards: CameraBoards) -> NDArray[np.float64]:
    """Return how fast the board moves in each frame (V,), px a frame set; NaN where no neighbouring frame shows it.

    The larger of the steps before and after: a board that has just stopped may still have moved during the exposure.
    """
    return _larger_step(steps(boards), len(boards))


def corner_velocities(boards: CameraBoards) -> list[NDArray[np.float64]]:
    """Return how fast each corner of each view moves, (n, 2) px a frame set; NaN without neighbours on both sides.

    Central differences over the frames before and after. One side alone would do for a steady hand, but a hand that
    turns back has no velocity that one side knows.
    """
    gaps = np.diff(boards.sets)
    shortest = int(gaps.min(initial=1 << 40))
    found = [np.full((len(view.ids), 2), np.nan) for view in boards.views]
    for i in range(1, len(boards) - 1):
        if gaps[i - 1] == gaps[i] == shortest:
            before, now, after = boards.views[i - 1 : i + 2]
            _, b, a = np.intersect1d(before.ids, after.ids, return_indices=True)
            common = before.ids[b]
            if len(common) < FEWEST_COMMON:
                continue
            moved = (after.xy[a] - before.xy[b]) / (2 * shortest)
            found[i] = _spread(moved, common, before.xy[b] / 2 + after.xy[a] / 2, now)
    return found


def _spread(
    moved: NDArray[np.float64], common: NDArray[np.int64], xy: NDArray[np.float64], now: BoardView
) -> NDArray[np.float64]:
    """Return the velocity at every corner of a view: affine in the image, fitted to the corners of both neighbours."""
    design = np.c_[np.ones(len(common)), xy - xy.mean(axis=0)]
    if np.linalg.matrix_rank(design, tol=1e-3 * float(np.abs(design).max())) < design.shape[1]:
        return np.broadcast_to(moved.mean(axis=0), now.xy.shape).copy()
    model = np.linalg.lstsq(design, moved, rcond=None)[0]
    return np.c_[np.ones(len(now.xy)), now.xy - xy.mean(axis=0)] @ model


def _larger_step(found: Steps, n_views: int) -> NDArray[np.float64]:
    """Return the larger of the steps on either side of each view, px a frame set; NaN where there is none."""
    speed = np.full(n_views, np.nan)
    rate = found.distance_px / np.maximum(found.sets, 1)
    np.fmax.at(speed, found.first, rate)
    np.fmax.at(speed, found.first + 1, rate)
    return speed


def _moved(before: BoardView, after: BoardView) -> NDArray[np.float64]:
    """Return the shifts (n, 2), px, of the corners that two views have in common."""
    _, a, b = np.intersect1d(before.ids, after.ids, return_indices=True)
    return np.asarray(after.xy[b] - before.xy[a])
