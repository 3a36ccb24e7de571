"""Images to network input and back: resizing, and the map from input pixels to image pixels."""

import cv2
import numpy as np
from numpy.typing import NDArray

MULTIPLE = 8  # the network's stride: input sides are multiples of it


def input_size(size_wh: tuple[int, int], short_side: float) -> tuple[int, int]:
    """Return the network's input size (width, height), px, for an image whose shorter side becomes `short_side`.

    Both sides are rounded to the stride, so that there is no padding: the picture is stretched by a percent at most in
    one direction, which the network does not notice, and maps of different scales and of the mirrored picture cover
    the same content.
    """
    scale = short_side / min(size_wh)
    width, height = (max(round(side * scale / MULTIPLE), 1) * MULTIPLE for side in size_wh)
    return width, height


def resize(image_rgb: NDArray[np.uint8], size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """Resample an image (H, W, 3) to a size (width, height); averages when shrinking, interpolates when enlarging."""
    smaller = size_wh[0] * size_wh[1] < image_rgb.shape[0] * image_rgb.shape[1]
    resized = cv2.resize(image_rgb, size_wh, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)
    return np.asarray(resized, dtype=np.uint8)


def image_from_input(
    xy: NDArray[np.float64], image_wh: tuple[int, int], input_wh: tuple[int, int]
) -> NDArray[np.float64]:
    """Map network input pixels (..., 2) to image pixels; pixel centres are whole numbers in both."""
    return np.asarray((xy + 0.5) * (np.array(image_wh) / np.array(input_wh)) - 0.5)
