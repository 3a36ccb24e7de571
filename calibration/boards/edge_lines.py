"""Corners of markers: where the lines through their sides meet.

A marker's corner is one dark quadrant among three light ones. Blur rounds it, and what looks for saddles there is
pulled inward, by 0.2 px on sharp and 0.5 px on soft pictures (docs/boards.md). A straight side does not move when it
is blurred.
"""

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

ALONG = (np.arange(20) + 0.5) / 20 * 0.8 + 0.1
"""Where sides are looked at, in their length; not near the corners, which blur rounds."""

ACROSS = np.linspace(-1, 1, 17)
"""Where a profile across a side is sampled, in half windows, from the inside out."""

PASSES = 4
HALF_CELLS = 0.6
"""Reach of a profile to either side, cells; best of 0.6, 0.8 and 1.1 in ten of eleven kinds of picture."""

BEND = 0.11
"""Stiffness of sides against bending: a wide lens bends them, and noise seems to. Profiles are good to 0.1 px, and
bends of 0.3 px are usual."""

LEAST_HALF_PX, LARGEST_HALF_PX = 1.6, 7.0

_Lines: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Points (n, 4, 2) on the lines, and their directions."""


def refine_quads(
    grey: NDArray[np.uint8], xy: NDArray[np.float64], cells: int, *, gap_cells: float
) -> NDArray[np.float64]:
    """Return the corners of dark squares on light ground.

    Across each side the place where it gets lighter is the mean of the brightness gradient, taken in a window that is
    moved until it is centred there; gradients of the other sign belong to the marker's inside or to its neighbour.

    Args:
        grey: (H, W), dark cells dark.
        xy: (n, 4, 2) px, right to a pixel or two, in clockwise order.
        cells: number of a marker's cells along a side; its border is one cell or more.
        gap_cells: light ground around it, cells.

    Returns:
        (n, 4, 2) px; NaN where a side is not to be seen.
    """
    if len(xy) == 0:
        return xy.copy()
    corners = xy.copy()
    size = np.linalg.norm(np.roll(xy, -1, axis=1) - xy, axis=-1)
    # The cell's extent across a side is the length of the sides next to it, or less where they are oblique.
    depth = np.minimum(np.roll(size, 1, axis=1), np.roll(size, -1, axis=1)) / cells
    half = np.clip(np.minimum(HALF_CELLS, 0.8 * gap_cells) * depth, LEAST_HALF_PX, LARGEST_HALF_PX)
    for i in range(PASSES):
        # The first window is wide enough for what the marker's finder is off by.
        corners = _meeting(*_sides(grey, corners, np.maximum(half, 2.5) if i == 0 else half))
    moved = np.linalg.norm(corners - xy, axis=-1).max(axis=1)
    with np.errstate(invalid="ignore"):
        corners[~(moved < 0.2 * size.min(axis=1) + 1.0)] = np.nan
    return corners


def _sides(grey: NDArray[np.uint8], corners: NDArray[np.float64], half: NDArray[np.float64]) -> tuple[_Lines, _Lines]:
    """Return the lines that touch each side at its start and at its end, NaN where it is not to be seen."""
    start, end = corners, np.roll(corners, -1, axis=1)
    along = end - start
    length = np.linalg.norm(along, axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = along / length
    # Clockwise in an image with y down: the outside is to the left of the way, seen with y up.
    out = np.stack([unit[..., 1], -unit[..., 0]], axis=-1)
    base = start[..., None, :] + ALONG[:, None] * along[..., None, :]
    offsets = ACROSS * half[..., None, None]
    at = base[..., None, :] + offsets[..., None] * out[..., None, None, :]
    levels = _sampled(grey, at)
    rise = np.maximum(np.diff(levels, axis=-1), 0.0)
    middle = (offsets[..., 1:] + offsets[..., :-1]) / 2
    total = rise.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        edge = (rise * middle).sum(axis=-1) / total
    weight = np.where(np.isfinite(edge) & (total > 6), total, 0.0)
    a, b, c = _curve(np.where(weight > 0, edge, 0.0), weight)
    # At its start the side is the tangent there, at its end the tangent there.
    tangents = []
    for t in (-0.5, 0.5):
        point = start + (t + 0.5) * along + (a + b * t + c * t * t)[..., None] * out
        tangents.append((point, along + (b + 2 * c * t)[..., None] * out))
    return tangents[0], tangents[1]


def _sampled(grey: NDArray[np.uint8], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the grey levels at points (..., 2) px, NaN outside the image."""
    flat = at.reshape(-1, at.shape[-2], 2).astype(np.float32)
    limit = np.array(grey.shape[::-1], dtype=np.float32) - 1
    with np.errstate(invalid="ignore"):
        inside: NDArray[np.bool_] = np.asarray(((flat >= 0) & (flat <= limit)).all(axis=-1))
    flat = np.where(inside[..., None], flat, np.float32(0))
    levels = np.empty(flat.shape[:2], dtype=np.float64)
    # OpenCV's maps have at most 32767 rows, and there are a few thousand profiles for a hundred markers.
    for rows in range(0, len(flat), 30000):
        part = np.ascontiguousarray(flat[rows : rows + 30000])
        levels[rows : rows + 30000] = cv2.remap(grey.astype(np.float32), part, None, cv2.INTER_LINEAR)
    return np.where(inside, levels, np.nan).reshape(at.shape[:-1])


def _curve(
    edge: NDArray[np.float64], weight: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Fit edge = a + b t + c t^2, t = along - 0.5, to profiles (..., T); outliers count less, and so does bending.

    Returns:
        a, b and c; NaN with too few profiles.
    """
    t = ALONG - 0.5
    basis = np.stack([np.ones_like(t), t, t * t], axis=-1)
    robust, fit = weight, np.zeros((*edge.shape[:-1], 3))
    stiff = np.diag([1e-9, 1e-9, BEND])
    for _ in range(4):
        counts = robust / np.maximum(robust.mean(axis=-1, keepdims=True), 1e-9)
        normal = np.einsum("ti,...t,tj->...ij", basis, counts, basis) + stiff
        fit = np.linalg.solve(normal, np.einsum("ti,...t->...i", basis, counts * edge)[..., None])[..., 0]
        off = edge - fit @ basis.T
        robust = np.where(weight > 0, weight / (1 + (off / 0.25) ** 2), 0.0)
    few: NDArray[np.bool_] = np.asarray((weight > 0).sum(axis=-1) < len(ALONG) // 2)
    fit[few] = np.nan
    return fit[..., 0], fit[..., 1], fit[..., 2]


def _meeting(starts: _Lines, ends: _Lines) -> NDArray[np.float64]:
    """Return where each side (n, 4) meets the one before it: the corner that the side starts from."""
    point, direction = starts
    p, d = np.roll(ends[0], 1, axis=1), np.roll(ends[1], 1, axis=1)
    cross = d[..., 0] * direction[..., 1] - d[..., 1] * direction[..., 0]
    to = point - p
    with np.errstate(invalid="ignore", divide="ignore"):
        s = (to[..., 0] * direction[..., 1] - to[..., 1] * direction[..., 0]) / cross
    return np.where(np.isfinite(s)[..., None], p + s[..., None] * d, np.nan)
