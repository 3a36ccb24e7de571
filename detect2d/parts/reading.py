"""Points of a network in a square to points of the image with scores."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

BORDER = 0.05
"""Points nearer to the image's border than this share of their box count less: half of what they need is cut off."""


def with_scores(
    xy: NDArray[np.float64],
    score: NDArray[np.float64],
    *,
    side: NDArray[np.float64],
    size_wh: NDArray[np.float64],
    keep: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Return points with scores (B, J, 3): NaN, NaN, 0 outside the image and in what is not kept.

    Args:
        xy: (B, J, 2) image px.
        score: (B,) of the whole part.
        side: (B,) of its box, px.
        size_wh: (B, 2) of its image, px.
        keep: (B,) whether it is kept.
    """
    upper = size_wh[:, None] - 0.5
    to_border = np.minimum(xy + 0.5, upper - xy).min(axis=-1)
    inside = (to_border >= 0) & keep[:, None]
    near = np.clip(to_border / (BORDER * side[:, None]), 0, 1)
    points = np.concatenate([xy, (score[:, None] * (0.5 + 0.5 * near))[..., None]], axis=-1)
    points[~inside] = np.nan, np.nan, 0
    return points


def sizes_wh(images_rgb: Sequence[NDArray[np.uint8]], image: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return (width, height) (B, 2) of the image that each square is in."""
    return np.array([(images_rgb[i].shape[1], images_rgb[i].shape[0]) for i in image], dtype=np.float64).reshape(-1, 2)
