"""What the network says of one image: its maps, with what is needed to lay them over the image."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from triskel.detect2d.layout import PafLayout
from triskel.detect2d.parsing import Candidates, ParseOptions, find_candidates, parse
from triskel.detect2d.preprocess import image_from_input
from triskel.keypoints import People2D


@dataclass(frozen=True, eq=False)
class HeatMaps:
    """Confidence maps and part affinity fields of one image, averaged over scales and mirror image.

    They cover the image exactly, edge to edge, at an eighth of the network's input.

    Attributes:
        confidence: (J + 1, h, w) float32, the last one the background.
        affinity: (2 L, h, w) float32, x and y of each limb's direction in the network's input.
        layout: names the channels.
        image_wh: width and height of the image, px.
    """

    confidence: NDArray[np.float32]
    affinity: NDArray[np.float32]
    layout: PafLayout
    image_wh: tuple[int, int]

    @property
    def input_wh(self) -> tuple[int, int]:
        """Return width and height of the network's input, px."""
        height, width = self.confidence.shape[1:]
        return width * self.layout.stride, height * self.layout.stride

    def part(self, joint: str, *, size_wh: tuple[int, int] | None = None) -> NDArray[np.float32]:
        """Return one joint's confidence (H, W) resampled to the image, or to another size over the same content."""
        return self._resampled(self.confidence[self.layout.skeleton.index(joint)], size_wh)

    def limb(self, index: int, *, size_wh: tuple[int, int] | None = None) -> NDArray[np.float32]:
        """Return one limb's field (2, H, W) resampled to the image, or to another size over the same content."""
        x, y = self.affinity[2 * index : 2 * index + 2]
        return np.stack([self._resampled(x, size_wh), self._resampled(y, size_wh)])

    def _resampled(self, channel: NDArray[np.float32], size_wh: tuple[int, int] | None) -> NDArray[np.float32]:
        return np.asarray(cv2.resize(channel, size_wh or self.image_wh, interpolation=cv2.INTER_CUBIC), np.float32)

    def people(self, options: ParseOptions) -> People2D:
        """Return the people in the maps, in image pixels, best first."""
        found = parse(self.confidence, self.affinity, self.layout, options)
        keypoints = found.keypoints.copy()
        keypoints[..., :2] = image_from_input(keypoints[..., :2], self.image_wh, self.input_wh)
        return replace(found, keypoints=keypoints)

    def candidates(self, options: ParseOptions) -> Candidates:
        """Return every part candidate in the maps, used by a person or not, in image pixels."""
        found = find_candidates(self.confidence, self.layout, options)
        return found._replace(xy=image_from_input(found.xy, self.image_wh, self.input_wh))
