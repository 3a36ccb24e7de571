"""Corners that cannot be where they were found, told from their neighbours."""

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.boards.local_maps import mapped, nearby_maps

STRAIGHT = 0.09
"""How far from the middle between its two neighbours a corner may be, in the distance of those neighbours: a board
held so obliquely that one square looks 1.4 times as long as the next is at 0.08."""

SLACK_PX = 1.0
"""What is always allowed: small boards have corners that are uncertain by half a pixel each."""


def lattice_outliers(points: NDArray[np.float64], xy: NDArray[np.float64], step_m: float) -> NDArray[np.bool_]:
    """Say which corners (n,) of a square lattice lie off the line through their neighbours in a row or column.

    Three corners in a row are one line and nearly equally far apart, through any lens. The blame for a row that is
    not straight goes to the corner with the most and worst of them; it leaves, and the others are judged again.

    Args:
        points: (n, 2) on the board, m.
        xy: (n, 2) in the image, px.
        step_m: between neighbours.
    """
    out = np.zeros(len(xy), dtype=bool)
    left, middle, right = _rows_of_three(points, step_m)
    if len(middle) == 0:
        return out
    bend = np.linalg.norm(xy[middle] - (xy[left] + xy[right]) / 2, axis=1)
    allowed = STRAIGHT * np.linalg.norm(xy[right] - xy[left], axis=1) + SLACK_PX
    excess = np.maximum(bend - allowed, 0.0)
    while excess.any():
        blame = np.zeros(len(xy))
        # Moving the middle bends the row twice as much as moving an end.
        for corners, share in ((middle, 1.0), (left, 0.5), (right, 0.5)):
            np.add.at(blame, corners, share * excess)
        worst = int(blame.argmax())
        out[worst] = True
        excess[(left == worst) | (middle == worst) | (right == worst)] = 0.0
    return out


def _rows_of_three(
    points: NDArray[np.float64], step_m: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return indices of corners that follow each other in rows and columns, three by three."""
    if len(points) < 3:
        none = np.zeros(0, dtype=np.int64)
        return none, none, none
    cells = np.round((points - points.min(axis=0)) / step_m).astype(np.int64)
    table = np.full(cells.max(axis=0) + 1, -1, dtype=np.int64)
    table[cells[:, 0], cells[:, 1]] = np.arange(len(points))
    triples = [
        np.stack([lines[:-2], lines[1:-1], lines[2:]], axis=-1).reshape(-1, 3)
        for lines in (table, table.T)
        if len(lines) >= 3
    ]
    if not triples:
        none = np.zeros(0, dtype=np.int64)
        return none, none, none
    whole = np.concatenate(triples)
    whole = whole[(whole >= 0).all(axis=1)]
    return whole[:, 0], whole[:, 1], whole[:, 2]


def surprising(points: NDArray[np.float64], xy: NDArray[np.float64], step_m: float) -> NDArray[np.bool_]:
    """Say which corners (n,) are far from where all the corners around them put them.

    Far is measured by the picture itself: 4.5 times what is usual in it, and 0.3 px. What is usual covers
    noise, blur and what the lens bends within a few squares. A corner at the edge of a glare, or under a shadow's, is
    typically 0.5 to 3 px off and passes every coarser test.

    Args:
        points: (n, 2) on the board, m.
        xy: (n, 2) in the image, px.
        step_m: between neighbours.
    """
    if len(xy) < 9:
        return np.zeros(len(xy), dtype=bool)
    trust = np.ones(len(xy))
    off = np.zeros(len(xy))
    for _ in range(3):
        expected = mapped(nearby_maps(points, xy, points, step_m, trust=trust), points)
        off = np.linalg.norm(xy - expected, axis=1)
        if not np.isfinite(off).any():
            return np.zeros(len(xy), dtype=bool)
        usual = float(np.nanmedian(off))
        trust = np.where(np.isfinite(off), 1 / (1 + (off / (0.1 + 2 * usual)) ** 2), 1.0)
    with np.errstate(invalid="ignore"):
        return np.asarray(off > 0.3 + 4.5 * usual)
