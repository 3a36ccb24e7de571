"""Hands by MediaPipe's network: one hand in a square, its axis upright, to 21 points in OpenPose's order."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.detect2d.crop_networks import CropNetwork
from triskel.detect2d.crops import Crops, cut
from triskel.detect2d.parts.boxes import upward_angle
from triskel.detect2d.parts.reading import sizes_wh, with_scores
from triskel.errors import InputError
from triskel.skeleton import HAND_21, Skeleton

PIXEL_OFFSET = -0.5
"""The network counts from the edge of the first pixel, we from its centre."""

WRIST, MIDDLE_BASE = 0, 9
PALM = (0, 5, 9, 13, 17)
"""Wrist and finger bases: they keep their places while the fingers move."""

SANE = (0.05, 2.0)
"""Sides of a second square, in sides of the box, that a hand can ask for."""


@dataclass(frozen=True, kw_only=True)
class HandOptions:
    """How hands are looked for, and which are rejected.

    Attributes:
        first_scales: side of the first square, in sides of the box; the next one is for hands that were rejected. The
            second one finds hands in 57 % of the boxes of COCO's photographs where one finds them in 54 %, and in 52 %
            where one finds them in 45 % on the sample videos.
        margin: side of the second square, in lengths of the palm, see `own_crops`.
        shift: how far its centre lies beyond the middle of the palm, in its lengths.
        least_box_px: in a smaller box nothing is looked for: the hand fills half of it. Of 343 looks at such boxes of
            COCO's photographs 12 led to a hand, if they were hands.
        least_first_presence: where the first look gives less, there is no second one. Of 537 such looks at COCO's
            photographs 6 led to a hand, and they were two of three looks.
        least_presence: a square with a smaller probability of a hand is rejected.
        least_side: one whose hand is less probably of its side is rejected; 0 accepts every hand.
    """

    first_scales: tuple[float, ...] = (0.65, 1.0)
    margin: float = 2.6
    shift: float = 0.25
    least_box_px: float = 32.0
    least_first_presence: float = 0.05
    least_presence: float = 0.5
    least_side: float = 0.5

    def __post_init__(self) -> None:
        for name in ("least_first_presence", "least_presence", "least_side"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is 0 to 1, got {getattr(self, name)}")
        if not self.first_scales or min(self.first_scales) <= 0 or self.margin <= 0:
            raise InputError(f"first_scales and margin are above 0, got {self.first_scales}, {self.margin}")


class HandAnswers(NamedTuple):
    """What the network says of B squares: image px (B, 21, 2), probabilities (B,) of a hand, and of the right side."""

    xy: NDArray[np.float64]
    presence: NDArray[np.float64]
    side: NDArray[np.float64]


class HandDetector:
    """Looks twice: at the square that the body suggests, then at the one that the hand itself asks for."""

    def __init__(self, network: CropNetwork, options: HandOptions | None = None) -> None:
        self.network, self.options = network, options or HandOptions()

    @property
    def skeleton(self) -> Skeleton:
        """Return the points it finds."""
        return HAND_21

    def __call__(self, images_rgb: Sequence[NDArray[np.uint8]], crops: Crops) -> NDArray[np.float64]:
        """Find the hand in each square, see `PartDetector`; left hands in mirrored squares."""
        points = np.full((len(crops), len(HAND_21), 3), (np.nan, np.nan, 0.0))
        missing = np.flatnonzero(crops.side >= self.options.least_box_px)
        for scale in self.options.first_scales:
            if not len(missing):
                break
            points[missing] = self._twice(images_rgb, crops.take(missing), scale)
            missing = missing[~(points[missing, :, 2] > 0).any(axis=1)]
        return points

    def _twice(self, images_rgb: Sequence[NDArray[np.uint8]], crops: Crops, scale: float) -> NDArray[np.float64]:
        """Look at the squares, `scale` times as large, then at those that the hands ask for."""
        options = self.options
        first = replace(crops, side=crops.side * scale)
        found = self.look(images_rgb, first)
        second = own_crops(first, found.xy, margin=options.margin, shift=options.shift)
        # A hand that shrinks to nothing or outgrows the arm is none. A low presence at first may only mean that the box
        # is too large, unless it is next to nothing.
        ratio = second.side / crops.side
        seen = found.presence >= options.least_first_presence
        sane = np.flatnonzero(seen & (ratio > SANE[0]) & (ratio < SANE[1]))
        xy, presence, side = self.look(images_rgb, second.take(sane))
        keep = (presence >= options.least_presence) & (side >= options.least_side)
        points = np.full((len(crops), len(HAND_21), 3), (np.nan, np.nan, 0.0))
        size_wh = sizes_wh(images_rgb, crops.image[sane])
        points[sane] = with_scores(xy, presence * side, side=second.side[sane], size_wh=size_wh, keep=keep)
        return points

    def look(self, images_rgb: Sequence[NDArray[np.uint8]], crops: Crops) -> HandAnswers:
        """Run the network once on each square; nothing is rejected."""
        size = self.network.size
        answers = self.network(cut(images_rgb, crops, size))
        points = answers["landmarks"].reshape(-1, 21, 3)[..., :2].astype(np.float64)
        xy = crops.to_image(points + PIXEL_OFFSET, size)
        # Left hands were mirrored into right ones, so the network is to say "right" of all.
        return HandAnswers(
            xy,
            answers["presence"].reshape(-1).astype(np.float64),
            answers["handedness"].reshape(-1).astype(np.float64),
        )


def own_crops(crops: Crops, xy: NDArray[np.float64], *, margin: float, shift: float) -> Crops:
    """Return the square that a hand asks for: the axis from wrist to middle finger upright, round the whole hand.

    Args:
        crops: where the hands were looked for.
        xy: (B, 21, 2) their points, image px.
        margin: side of the square in lengths of the palm: the larger of wrist to middle finger's base, and of the
            width of the finger bases with what a hand seen from the edge lacks.
        shift: how far the centre lies beyond the palm's middle along the axis, in those lengths.
    """
    wrist, bases = xy[:, WRIST], xy[:, PALM[1:]]
    axis = xy[:, MIDDLE_BASE] - wrist
    length = np.linalg.norm(axis, axis=-1)
    width = np.linalg.norm(xy[:, 5] - xy[:, 17], axis=-1)
    palm = np.maximum(length, 1.3 * width)
    up = axis / np.maximum(length, 1e-6)[:, None]
    middle = (wrist + bases.mean(axis=1)) / 2
    centre = middle + shift * palm[:, None] * up
    return Crops.upright(crops.image, centre, margin * palm, angle_rad=upward_angle(axis), mirrored=crops.mirrored)
