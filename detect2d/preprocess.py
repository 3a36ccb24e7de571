"""Images to network input and back: resizing, and the map from input pixels to image pixels."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from triskel.detect2d.options import FREE
from triskel.errors import InputError

MULTIPLE = 8  # the network's stride: input sides are multiples of it

MOST_INPUT_PX = 4096 * 4096
"""Largest input of a network, px; beyond it memory runs out, and a very long image is meant to be a mistake."""


def input_scale(size_wh: tuple[int, int], *, short_side: int, net_size: tuple[int, int] | None = None) -> float:
    """Return by how much an image (width, height) is enlarged for the network.

    Args:
        size_wh: of the image.
        short_side: what its shorter side becomes, px.
        net_size: a box that it fills as far as its aspect allows, in place of `short_side`; a side of -1 is free.
    """
    if net_size is None:
        return short_side / min(size_wh)
    box = [math.inf if side == FREE else side // MULTIPLE * MULTIPLE for side in net_size]
    return min(box[0] / size_wh[0], box[1] / size_wh[1])


def input_size(size_wh: tuple[int, int], scale: float) -> tuple[int, int]:
    """Return the network's input size (width, height), px, for an image enlarged by `scale`.

    Both sides are rounded to the stride, so that there is no padding: the picture is stretched by a percent at most in
    one direction, which the network does not notice, and maps of different scales and of the mirrored picture cover
    the same content.

    Raises:
        InputError: the input would be larger than any memory.
    """
    width, height = (max(round(side * scale / MULTIPLE), 1) * MULTIPLE for side in size_wh)
    if width * height > MOST_INPUT_PX:
        raise InputError(
            f"an image of {size_wh[0]} x {size_wh[1]} px would go into the network as {width} x {height}; "
            "give a net size with a width and a height, such as 656x368, or smaller scales"
        )
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
