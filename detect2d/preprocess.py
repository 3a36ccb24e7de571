"""Images to network input and back: resizing, padding, and the map from input pixels to image pixels."""

import cv2
import numpy as np
from numpy.typing import NDArray

MULTIPLE = 8  # the network's stride: input sides are multiples of it


def fit_scale(size_wh: tuple[int, int], short_side: int) -> float:
    """Return the scale that brings the shorter side of an image to `short_side` px."""
    return short_side / min(size_wh)


def resize_and_pad(image_rgb: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """Scale an image and pad it at the right and the bottom to multiples of the stride.

    Args:
        image_rgb: (H, W, 3).
        scale: network input pixels per image pixel.

    Returns:
        (H', W', 3) RGB; the padding repeats the border, which the network sees as more background.
    """
    height, width = image_rgb.shape[:2]
    size = (max(round(width * scale), MULTIPLE), max(round(height * scale), MULTIPLE))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    resized = cv2.resize(image_rgb, size, interpolation=method)
    right, bottom = -size[0] % MULTIPLE, -size[1] % MULTIPLE
    padded = cv2.copyMakeBorder(resized, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
    return np.asarray(padded, dtype=np.uint8)


def image_from_input(xy: NDArray[np.float64], image_wh: tuple[int, int], scale: float) -> NDArray[np.float64]:
    """Map network input pixels (..., 2) to image pixels; pixel centres are whole numbers in both.

    The scale really used is that of the rounded size, a little off `scale` and different in x and y.
    """
    used = np.array([max(round(side * scale), MULTIPLE) / side for side in image_wh])
    return np.asarray((xy + 0.5) / used - 0.5)
