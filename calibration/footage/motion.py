"""How boards move in the images: what blurs them, and what shows that a camera was late."""

from collections.abc import Iterable
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


class CornerMotion(NamedTuple):
    """How the corners of a view move.

    Attributes:
        velocity: (n, 2) px a frame set; NaN where nobody knows.
        acceleration: (n, 2) px a frame set squared.
    """

    velocity: NDArray[np.float64]
    acceleration: NDArray[np.float64]

    @classmethod
    def unknown(cls, n: int) -> "CornerMotion":
        """Return the motion of n corners without neighbouring frames."""
        return cls(np.full((n, 2), np.nan), np.full((n, 2), np.nan))

    def after(self, time_sets: float) -> NDArray[np.float64]:
        """Return how far (n, 2), px, the corners move within some frame sets, or parts of one."""
        return self.velocity * time_sets + self.acceleration * (0.5 * time_sets**2)


def corner_motion(boards: CameraBoards, only: Iterable[int] | None = None) -> list[CornerMotion]:
    """Return how the corners of each view move; unknown without neighbours on both sides.

    From the frames before and after. One side alone would do for a steady hand, but a hand that turns back has no
    velocity that one side knows.

    Args:
        boards: where one camera saw one board.
        only: indices of the views that are wanted, in the order of the result; all when None.
    """
    gaps = np.diff(boards.sets)
    shortest = int(gaps.min(initial=1 << 40))
    wanted = list(range(len(boards)) if only is None else only)
    found = [CornerMotion.unknown(len(boards.views[i].ids)) for i in wanted]
    for place, i in enumerate(wanted):
        if 0 < i < len(boards) - 1 and gaps[i - 1] == gaps[i] == shortest:
            before, now, after = boards.views[i - 1 : i + 2]
            common = np.intersect1d(np.intersect1d(before.ids, after.ids), now.ids)
            if len(common) >= FEWEST_COMMON:
                a, b, c = (_at(view, common) for view in (before, now, after))
                smooth = _affine(b, now.xy)
                found[place] = CornerMotion(smooth @ (c - a) / (2 * shortest), smooth @ (a - 2 * b + c) / shortest**2)
    return found


def _at(view: BoardView, ids: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the places (n, 2), px, of some corners of a view."""
    order = np.argsort(view.ids)
    return view.xy[order[np.searchsorted(view.ids, ids, sorter=order)]]


def _affine(known: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the matrix (m, n) that takes values at known places to those at wanted ones by an affine fit.

    A board's motion is that smooth, while single corners are noisy; it also gives corners that a neighbouring frame
    lacks a motion.
    """
    middle = known.mean(axis=0)
    design = np.c_[np.ones(len(known)), known - middle]
    # A row of corners fixes no slope across it: the small singular value is dropped.
    return np.c_[np.ones(len(wanted)), wanted - middle] @ np.linalg.pinv(design, rcond=1e-3)


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
