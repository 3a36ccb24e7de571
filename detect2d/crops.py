"""Square pieces of images, turned and perhaps mirrored, for networks that look at one person, hand or face."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

SMOOTH_FROM = 1.5
"""A crop that shrinks the image by more than this is taken from an image that was averaged down first."""

LARGEST_PX = 1e6
"""No image is wider."""


@dataclass(frozen=True, eq=False)
class Crops:
    """B squares in images.

    Attributes:
        image: (B,) which image each is in.
        centre: (B, 2) px.
        side: (B,) px.
        angle_rad: (B,) clockwise turn of the square's upward side against the image's.
        mirrored: (B,) whether the piece is mirrored, left to right, after it was cut out.
    """

    image: NDArray[np.intp]
    centre: NDArray[np.float64]
    side: NDArray[np.float64]
    angle_rad: NDArray[np.float64]
    mirrored: NDArray[np.bool_]

    @classmethod
    def upright(
        cls,
        image: NDArray[np.intp],
        centre: NDArray[np.float64],
        side: NDArray[np.float64],
        *,
        angle_rad: NDArray[np.float64] | float = 0.0,
        mirrored: NDArray[np.bool_] | bool = False,
    ) -> "Crops":
        """Make crops with one angle, 0 unless given, and none mirrored unless said."""
        count = len(image)
        return cls(
            np.asarray(image, dtype=np.intp),
            np.asarray(centre, dtype=np.float64).reshape(count, 2),
            np.asarray(side, dtype=np.float64),
            np.broadcast_to(np.asarray(angle_rad, dtype=np.float64), (count,)).copy(),
            np.broadcast_to(np.asarray(mirrored, dtype=bool), (count,)).copy(),
        )

    def __len__(self) -> int:
        return len(self.image)

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_] | slice) -> "Crops":
        """Return the crops at `index`, in that order."""
        return replace(
            self,
            image=self.image[index],
            centre=self.centre[index],
            side=self.side[index],
            angle_rad=self.angle_rad[index],
            mirrored=self.mirrored[index],
        )

    def image_from_crop(self, size: int) -> NDArray[np.float64]:
        """Return (B, 2, 3) affine transforms from pixels of the cut-out pieces, `size` px wide, to image pixels."""
        scale = self.side / size
        x_step = np.stack([np.cos(self.angle_rad), np.sin(self.angle_rad)], axis=-1) * scale[:, None]
        y_step = np.stack([-np.sin(self.angle_rad), np.cos(self.angle_rad)], axis=-1) * scale[:, None]
        x_step = np.where(self.mirrored[:, None], -x_step, x_step)
        # Pixel centres are at whole numbers, so the middle of the piece is at (size - 1) / 2.
        origin = self.centre - (size - 1) / 2 * (x_step + y_step)
        return np.stack([x_step, y_step, origin], axis=-1)

    def to_image(self, xy: NDArray[np.float64], size: int) -> NDArray[np.float64]:
        """Return image pixels (B, J, 2) of pixels (B, J, 2) in pieces `size` px wide."""
        A = self.image_from_crop(size)
        return np.asarray(np.einsum("bij,bkj->bki", A[:, :, :2], xy) + A[:, None, :, 2])

    def to_crop(self, xy: NDArray[np.float64], size: int) -> NDArray[np.float64]:
        """Return pixels (B, J, 2) in pieces `size` px wide of image pixels (B, J, 2)."""
        A = self.image_from_crop(size)
        return np.asarray(np.einsum("bij,bkj->bki", np.linalg.inv(A[:, :, :2]), xy - A[:, None, :, 2]))


def cut(images_rgb: Sequence[NDArray[np.uint8]], crops: Crops, size: int) -> NDArray[np.uint8]:
    """Cut pieces out of images, black where a square reaches beyond its image.

    Args:
        images_rgb: (H, W, 3) uint8 each.
        crops: where; a square without a proper side, centre or angle gives a black piece.
        size: width and height of the pieces, px.

    Returns:
        (B, size, size, 3) uint8 RGB.
    """
    pieces = np.zeros((len(crops), size, size, 3), np.uint8)
    # A square of no size, or as good as infinite, shows nothing.
    sound = (crops.side > 0) & (crops.side < LARGEST_PX) & np.isfinite(crops.centre).all(axis=1)
    sound &= (np.abs(crops.centre) < LARGEST_PX).all(axis=1) & np.isfinite(crops.angle_rad)
    index = np.flatnonzero(sound)
    for b, image_from_crop in zip(index, crops.take(index).image_from_crop(size), strict=True):
        pieces[b] = _cut(images_rgb[crops.image[b]], image_from_crop, float(crops.side[b]) / size, size)
    return pieces


def _cut(
    image_rgb: NDArray[np.uint8], image_from_crop: NDArray[np.float64], shrink: float, size: int
) -> NDArray[np.uint8]:
    """Cut one piece; `shrink` is how many image pixels go into one of the piece."""
    corners = image_from_crop @ np.array([[0, size - 1, 0, size - 1], [0, 0, size - 1, size - 1], [1, 1, 1, 1]])
    margin = 2 + int(np.ceil(shrink))
    H, W = image_rgb.shape[:2]
    x0, y0 = np.clip(np.floor(corners.min(axis=1)).astype(int) - margin, 0, (W, H))
    x1, y1 = np.clip(np.ceil(corners.max(axis=1)).astype(int) + margin + 1, 0, (W, H))
    if x1 <= x0 or y1 <= y0:
        return np.zeros((size, size, 3), np.uint8)
    window = image_rgb[y0:y1, x0:x1]
    A = image_from_crop.copy()
    A[:, 2] -= (x0, y0)
    if shrink > SMOOTH_FROM:
        # Bilinear sampling alone would skip pixels.
        wh = np.array([x1 - x0, y1 - y0])
        small_wh = np.maximum(1, np.round(wh / shrink)).astype(int)
        window = cv2.resize(window, (int(small_wh[0]), int(small_wh[1])), interpolation=cv2.INTER_AREA)
        ratio = small_wh / wh
        A *= ratio[:, None]
        A[:, 2] += 0.5 * ratio - 0.5
    return np.asarray(
        cv2.warpAffine(
            window, A, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_CONSTANT
        )
    )
