"""Corners to a fraction of a pixel."""

import cv2
import numpy as np
from numpy.typing import NDArray

from triskel.calibration.boards.local_maps import mapped

LEAST_WINDOW_PX, LARGEST_WINDOW_PX = 2, 15
RIM_PX = 40

SMOOTHING = ((0, 3, 0.5), (4, 5, 0.8), (6, LARGEST_WINDOW_PX, 1.2))
"""Least and largest reach of a window, and how much the picture is smoothed for it, sigma in px. Between the pixels of
a sharp picture gradients are wrong, which costs 0.02 to 0.05 px; smoothing more brings markers into small windows."""


def refine_saddles(
    grey: NDArray[np.uint8], xy: NDArray[np.float64], half_window_px: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return where four squares meet, near the given places.

    The gradients within a window point along the two edges that meet; their common perpendicular point is the corner
    (Förstner and Gülch 1987, as OpenCV's cornerSubPix does it).

    Args:
        grey: (H, W).
        xy: (n, 2) px, right to about half a window.
        half_window_px: (n,) how far the window reaches to each side; as far as nothing but the two edges is in it.

    Returns:
        (n, 2) px; NaN where it left its window or the image.
    """
    out = np.full(xy.shape, np.nan)
    # Not a number, not a window; and what is outside the image is not refined either.
    inside = np.isfinite(xy).all(axis=1) & np.isfinite(half_window_px)
    inside[inside] &= ((xy[inside] >= 0) & (xy[inside] <= np.array(grey.shape[::-1]) - 1)).all(axis=1)
    half = np.zeros(len(xy), dtype=np.int64)
    half[inside] = np.clip(np.floor(half_window_px[inside]), LEAST_WINDOW_PX, LARGEST_WINDOW_PX)
    if not inside.any():
        return out
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, 40, 0.005)
    corner = np.maximum(xy[inside].min(axis=0).astype(int) - RIM_PX, 0)
    end = xy[inside].max(axis=0).astype(int) + RIM_PX
    crop = grey[corner[1] : end[1], corner[0] : end[0]]
    for low, high, sigma_px in SMOOTHING:
        sizes = np.unique(half[inside & (half >= low) & (half <= high)])
        smooth = cv2.GaussianBlur(crop, (0, 0), sigma_px) if len(sizes) else crop
        for size in sizes:
            these = np.flatnonzero(inside & (half == size))
            start = np.ascontiguousarray((xy[these] - corner)[:, None], dtype=np.float32)
            fine = cv2.cornerSubPix(smooth, start, (int(size), int(size)), (-1, -1), criteria)
            out[these] = fine[:, 0] + corner
    with np.errstate(invalid="ignore"):
        out[~(np.abs(out - xy).max(axis=1) < np.maximum(half, 1))] = np.nan
    return out


def contrast(
    grey: NDArray[np.uint8],
    xy: NDArray[np.float64],
    maps: NDArray[np.float64],
    points: NDArray[np.float64],
    offset_m: float,
    dark_first: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Return by how many grey levels the light squares around corners are lighter than the dark ones, at least.

    Args:
        grey: (H, W), dark squares dark.
        xy: (n, 2) the corners in the image, px.
        maps: (n, 3, 3) board to image, about right at each corner.
        points: (n, 2) corners on the board, m.
        offset_m: where to look, along x and y from the corner.
        dark_first: (n,) whether the square to the upper left is dark.

    Returns:
        (n,); negative where the colours are not those of the board, as under a finger. NaN outside the image.
    """
    steps = np.array([[-1, -1], [1, 1], [1, -1], [-1, 1]]) * offset_m
    # The maps say how the board lies there; where the corner is, the corner itself knows better.
    around = xy[:, None] + mapped(maps[:, None], points[:, None] + steps) - mapped(maps, points)[:, None]
    levels = np.full(around.shape[:2], np.nan)
    limit = np.array(grey.shape[::-1]) - 1
    seen: NDArray[np.bool_] = np.asarray(np.isfinite(around).all(axis=-1))
    seen[seen] &= ((around[seen] >= 0) & (around[seen] <= limit)).all(axis=-1)
    if seen.any():
        at = around[seen].astype(np.float32)[:, None]
        levels[seen] = cv2.remap(grey, at, None, cv2.INTER_LINEAR)[:, 0]
    one, other = levels[:, :2], levels[:, 2:]
    dark, light = np.where(dark_first[:, None], one, other), np.where(dark_first[:, None], other, one)
    return np.asarray(light.min(axis=1) - dark.max(axis=1))


def as_grey(image_rgb: NDArray[np.uint8], *, inverted: bool) -> NDArray[np.uint8]:
    """Return the grey image (H, W) with dark squares dark."""
    grey = image_rgb if image_rgb.ndim == 2 else np.asarray(cv2.cvtColor(image_rgb, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    return np.ascontiguousarray(255 - grey if inverted else grey)
