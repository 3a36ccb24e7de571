"""Maps from the board's plane into the image, one for each small part of it.

A lens bends a board, so one homography for all of it is wrong by many pixels near a wide lens's border. Around one
marker or one square the board is flat to a fraction of a pixel, and neighbours check each other.
"""

import numpy as np
from numpy.typing import NDArray

REACH = 2.9
"""Markers up to this many steps of the pattern apart vote on each other; farther, a small marker's map says little."""

TOLERANCE = 0.35
"""How far from its predicted place a marker may be, in sides of its own; a wrong one is off by a whole step."""

SPREAD = 1.2
"""Standard deviation, in steps of the pattern, of what corners count for a place near them."""


def quad_maps(quads: NDArray[np.float64], xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the homographies (n, 3, 3) that take four board points each to four image points.

    Args:
        quads: (n, 4, 2) board points, m.
        xy: (n, 4, 2) image points, px; NaN gives a map of NaN.
    """
    centre, scale = quads.mean(axis=1, keepdims=True), np.abs(quads - quads.mean(axis=1, keepdims=True)).max()
    p = (quads - centre) / scale
    x, y, u, v = p[..., 0], p[..., 1], xy[..., 0], xy[..., 1]
    one, zero = np.ones_like(x), np.zeros_like(x)
    A = np.concatenate(
        [
            np.stack([x, y, one, zero, zero, zero, -u * x, -u * y], axis=-1),
            np.stack([zero, zero, zero, x, y, one, -v * x, -v * y], axis=-1),
        ],
        axis=1,
    )
    maps = np.full((len(quads), 3, 3), np.nan)
    # Three corners on a line leave the map open; the determinant is then rounding.
    sound = np.abs(np.linalg.det(np.where(np.isfinite(A), A, 0.0))) > 1e-9
    h = np.linalg.solve(A[sound], np.concatenate([u, v], axis=1)[sound][..., None])[..., 0]
    to_local = np.tile(np.eye(3), (len(quads), 1, 1)) / scale
    to_local[:, :2, 2] = -centre[:, 0] / scale
    to_local[:, 2, 2] = 1.0
    maps[sound] = np.c_[h, np.ones(len(h))].reshape(-1, 3, 3) @ to_local[sound]
    return maps


def mapped(maps: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the image points (..., 2) of board points (..., 2) under maps (..., 3, 3); NaN beyond the horizon."""
    h = np.einsum("...ij,...j->...i", maps[..., :2], points) + maps[..., 2]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(h[..., 2:] > 1e-6, h[..., :2] / h[..., 2:], np.nan)


def px_per_m(maps: NDArray[np.float64], points: NDArray[np.float64], step_m: float) -> NDArray[np.float64]:
    """Return how large the pattern is at board points (..., 2), px per m, in the direction of the worst foreshortening.

    Args:
        maps: (..., 3, 3) board to image.
        points: (..., 2) board points, m.
        step_m: length over which it is measured.
    """
    dx, dy = np.eye(2) * step_m / 2
    right = mapped(maps, points + dx) - mapped(maps, points - dx)
    down = mapped(maps, points + dy) - mapped(maps, points - dy)
    a, b, c = (right**2).sum(-1), (down**2).sum(-1), (right * down).sum(-1)
    # The smaller singular value of the 2 x 2 matrix with these two columns.
    least = (a + b) / 2 - np.sqrt(np.maximum(((a - b) / 2) ** 2 + c**2, 0.0))
    return np.sqrt(np.maximum(least, 0.0)) / step_m


def agreeing(quads: NDArray[np.float64], xy: NDArray[np.float64], step_m: float) -> NDArray[np.bool_]:
    """Say which markers (n,) lie where their neighbours on the board expect them.

    Each marker's own four corners predict where the others within `REACH` are. One stays if at least one neighbour
    expects it where it is, and no more of them expect it elsewhere. A pattern that is laid out mirrored, or has
    another order of markers than described, leaves none.

    Args:
        quads: (n, 4, 2) corners on the board, m.
        xy: (n, 4, 2) corners in the image, px.
        step_m: from one marker to the next.
    """
    if len(quads) < 2:
        return np.zeros(len(quads), dtype=bool)
    centres = quads.mean(axis=1)
    near = np.linalg.norm(centres[:, None] - centres, axis=-1) < REACH * step_m
    np.fill_diagonal(near, val=False)
    expected = mapped(quad_maps(quads, xy)[:, None, None], quads[None])
    side = np.linalg.norm(xy - np.roll(xy, 1, axis=1), axis=-1).mean(axis=1)
    off = np.linalg.norm(expected - xy[None], axis=-1).mean(axis=-1) / side[None]
    # The larger of two neighbours' views of each other is the one that was extrapolated farther; the smaller decides.
    good = near & (np.fmin(off, off.T) < TOLERANCE)
    agree, all_near = good.sum(axis=0), near.sum(axis=0)
    return np.asarray((agree >= 1) & (2 * agree >= all_near))


def nearby_maps(
    points: NDArray[np.float64],
    xy: NDArray[np.float64],
    at: NDArray[np.float64],
    step_m: float,
    *,
    trust: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return homographies (m, 3, 3) that fit the corners around each of some places on the board.

    Corners count less the farther they are, and not at all at the place itself, so that a corner's map tells where its
    neighbours expect it.

    Args:
        points: (n, 2) corners on the board, m.
        xy: (n, 2) corners in the image, px.
        at: (m, 2) places on the board, m.
        step_m: from one corner to the next.
        trust: (n,) what each corner counts, 0 to 1.

    Returns:
        The maps; NaN where too few corners are near, or all on a line.
    """
    p = (points[None] - at[:, None]) / step_m
    distance2 = (p**2).sum(axis=-1)
    weight = (
        np.where((distance2 > 1e-6) & (distance2 < SPREAD**2 * 9), np.exp(-distance2 / (2 * SPREAD**2)), 0.0) * trust
    )
    total = np.maximum(weight.sum(axis=1), 1e-12)
    centre = (weight[..., None] * xy).sum(axis=1) / total[:, None]
    q = xy[None] - centre[:, None]
    scale = np.maximum(np.sqrt((weight * (q**2).sum(axis=-1)).sum(axis=1) / total), 1e-9)
    q = q / scale[:, None, None]
    x, y, u, v = p[..., 0], p[..., 1], q[..., 0], q[..., 1]
    one, zero = np.ones_like(x), np.zeros_like(x)
    rows = np.stack(
        [
            np.stack([x, y, one, zero, zero, zero, -u * x, -u * y, -u], axis=-1),
            np.stack([zero, zero, zero, x, y, one, -v * x, -v * y, -v], axis=-1),
        ],
        axis=1,
    )
    M = np.einsum("mcni,mn,mcnj->mij", rows, weight, rows, optimize=True)
    values, vectors = np.linalg.eigh(M)
    h = vectors[..., 0].reshape(-1, 3, 3)
    # The second smallest value falls to zero when the corners leave the map open.
    open_ended = (values[:, 1] < 1e-4 * values[:, -1]) | ((weight > 0.05).sum(axis=1) < 5) | (np.abs(h[:, 2, 2]) < 1e-9)
    h[open_ended] = np.nan
    into_image = np.zeros_like(h)
    into_image[:, 0, 0] = into_image[:, 1, 1] = scale
    into_image[:, :2, 2], into_image[:, 2, 2] = centre, 1.0
    onto_board = np.tile(np.eye(3), (len(at), 1, 1)) / step_m
    onto_board[:, :2, 2], onto_board[:, 2, 2] = -at / step_m, 1.0
    maps = into_image @ (h / h[:, 2:, 2:]) @ onto_board
    return np.asarray(maps)
