"""Random views of a labelled image: one affine map from image to crop, applied to pixels, labels and masks alike."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from triskel.detect2d.training.config import AugmentConfig

BORDER_BGR = (128, 128, 128)
"""What lies outside the image: grey, which says nothing."""


LEAST_FOCUS_PX = 24.0
"""Smaller people are enlarged as if they had this size: beyond, a crop is a few pixels of blur."""


@dataclass(frozen=True, eq=False)
class View:
    """A crop of an image.

    Attributes:
        crop_from_image: (2, 3) affine map of pixel coordinates.
        scale: crop px per image px.
        mirrored: left and right have changed places.
        crop: side of the crop, px.
    """

    crop_from_image: NDArray[np.float64]
    scale: float
    mirrored: bool
    crop: int

    def points(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map image points (..., 2) to crop pixels."""
        return xy @ self.crop_from_image[:, :2].T + self.crop_from_image[:, 2]

    def pixels(self, image_bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Resample the image into the crop, (crop, crop, 3)."""
        matrix = self.crop_from_image
        # Bilinear sampling skips pixels when shrinking by more than two: shrink by averaging first.
        shrink = int(1 / self.scale) if self.scale < 0.5 else 1
        if shrink > 1:
            height, width = (max(side // shrink, 1) for side in image_bgr.shape[:2])
            factor = np.array([image_bgr.shape[1] / width, image_bgr.shape[0] / height])
            image_bgr = np.asarray(cv2.resize(image_bgr, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
            # Small pixel (x, y) is image pixel (x + 0.5) * factor - 0.5.
            offset = matrix[:, :2] @ (0.5 * factor - 0.5) + matrix[:, 2]
            matrix = np.concatenate([matrix[:, :2] * factor, offset[:, None]], axis=1)
        how = cv2.INTER_LINEAR if self.scale < 1 else cv2.INTER_CUBIC
        size = (self.crop, self.crop)
        return np.asarray(cv2.warpAffine(image_bgr, matrix, size, flags=how, borderValue=BORDER_BGR), np.uint8)


def random_view(
    size_wh: tuple[int, int],
    focus_box: NDArray[np.float64] | None,
    *,
    crop: int,
    config: AugmentConfig,
    rng: np.random.Generator,
) -> View:
    """Draw a view.

    Args:
        size_wh: of the image, px.
        focus_box: x, y, width, height of the person in focus; None puts the whole image into the crop.
        crop: side of the crop, px.
        config: ranges.
        rng: what decides.
    """
    if focus_box is None:
        # Its top left corner in that of the crop, as the detector sees it: the same pixels meet the same map cells.
        centre, scale = (np.array(size_wh) - 1) / 2, crop / max(size_wh)
        middle = (np.array(size_wh) * scale - 1) / 2
    else:
        centre, middle = focus_box[:2] + focus_box[2:] / 2, np.full(2, (crop - 1) / 2)
        scale = config.target * crop / max(focus_box[2:].max(), LEAST_FOCUS_PX)
    # Every number is drawn in every case, so that one setting does not shift the randomness of the others.
    scale *= rng.uniform(*config.scale)
    angle = np.deg2rad(rng.uniform(-config.rotation_deg, config.rotation_deg))
    shift = rng.uniform(-config.shift_px, config.shift_px, 2)
    mirrored = bool(rng.random() < config.flip)
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    linear = np.array([[c, -s], [s, c]]) @ np.diag([-1.0 if mirrored else 1.0, 1.0])
    offset = middle + shift - linear @ centre
    return View(np.concatenate([linear, offset[:, None]], axis=1), scale, mirrored, crop)


def random_colour(image_bgr: NDArray[np.uint8], amount: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Change brightness and contrast by at most `amount`, a share; draws its numbers even where it changes nothing."""
    gain, bias = 1 + amount * rng.uniform(-1, 1), 255 * amount * rng.uniform(-0.5, 0.5)
    if not amount:
        return image_bgr
    return np.clip(image_bgr * gain + bias, 0, 255).astype(np.uint8)
