"""Hands and faces by networks of confidence maps: OpenPose's own, or one of the user's training."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from triskel.detect2d.crops import Crops, cut
from triskel.detect2d.layout import PafLayout
from triskel.detect2d.options import Precision
from triskel.detect2d.replicas import Replicas, network_threads
from triskel.detect2d.weights import load_network
from triskel.errors import InputError
from triskel.skeleton import FACE_70, HAND_21, Skeleton

INPUT_PX = 368
"""Side of the squares that OpenPose's networks were trained with."""

BATCH = 8
"""Squares that go through the network at a time: more are no faster on a processor and fill a small GPU."""

PEAKS_AT_ONCE = 64
"""Maps enlarged at a time: at 368 px one takes half a megabyte."""

SCALE_RANGE = 0.4
"""Of the scale search: the boxes are 1 - 0.2 to 1 + 0.2 times as large."""


class HeatmapPartDetector:
    """Takes the highest place of each map, whatever its height: the score tells what it is worth.

    The squares are cut upright, because that is how such networks are trained; the turn of the crops is not used.
    """

    def __init__(
        self,
        network: nn.Module,
        layout: PafLayout,
        *,
        scales: int = 1,
        scale_range: float = SCALE_RANGE,
        devices: Sequence[str] = (),
        precision: Precision = "auto",
        threads: int | None = None,
    ) -> None:
        """Prepare a network.

        Args:
            network: (B, 3, H, W) BGR, 0 to 255, to maps (B, J + 1, h, w) and fields without channels.
            layout: of HAND_21 or FACE_70.
            scales: sizes of each box that are tried; the one with the best mean score is kept.
            scale_range: between the smallest and the largest of them, in sizes of the box.
            devices: where it runs; a GPU where there is one when empty.
            precision: of its arithmetic.
            threads: of the processor; torch's own number when None.

        Raises:
            InputError: it finds neither hands nor faces, or an option is out of range.
        """
        if layout.skeleton.joints not in (HAND_21.joints, FACE_70.joints):
            raise InputError(f"a part's network finds hand_21 or face_70, this one finds {layout.skeleton.name}")
        if scales < 1 or not 0 <= scale_range < 2:
            raise InputError(f"scales are 1 or more within a range of 0 to 2, got {scales} and {scale_range}")
        self.layout, self.threads = layout, threads
        # One scale is the box itself, not the smallest of the range.
        spread = np.linspace(-0.5, 0.5, scales) if scales > 1 else np.zeros(1)
        self.scales = 1 + scale_range * spread
        self._replicas = Replicas(network, devices, precision)

    @property
    def skeleton(self) -> Skeleton:
        """Return the points it finds."""
        return self.layout.skeleton

    def __call__(self, images_rgb: Sequence[NDArray[np.uint8]], crops: Crops) -> NDArray[np.float64]:
        """Find the part in each square, see `PartDetector`."""
        best = np.full((len(crops), len(self.skeleton), 3), np.nan)
        best[..., 2] = 0
        highest = np.full(len(crops), -np.inf)
        with network_threads(self.threads):
            for scale in self.scales:
                squares = replace(crops, side=crops.side * scale, angle_rad=np.zeros(len(crops)))
                found = self._look(images_rgb, squares)
                mean = found[..., 2].mean(axis=1)
                better = mean > highest
                best[better], highest[better] = found[better], mean[better]
        return missing_outside(best, images_rgb, crops.image)

    def _look(self, images_rgb: Sequence[NDArray[np.uint8]], crops: Crops) -> NDArray[np.float64]:
        """Return the highest places (B, J, 3) of the maps of each square, image px and score."""
        found = np.empty((len(crops), len(self.skeleton), 3))
        for start in range(0, len(crops), BATCH):
            some = crops.take(slice(start, start + BATCH))
            confidence, _ = self._replicas(cut(images_rgb, some, INPUT_PX)[..., ::-1])
            xy, score = highest_places(confidence[:, : len(self.skeleton)], self.layout.stride)
            found[start : start + BATCH, :, :2] = some.to_image(xy, INPUT_PX)
            found[start : start + BATCH, :, 2] = score
        return found


def highest_places(maps: Tensor, stride: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the highest pixel (B, J, 2) of maps (B, J, h, w) enlarged by `stride`, and its value (B, J) in [0, 1]."""
    B, J, h, w = maps.shape
    xy, score = np.empty((B * J, 2)), np.empty(B * J)
    flat = maps.reshape(B * J, 1, h, w)
    for start in range(0, B * J, PEAKS_AT_ONCE):
        part = flat[start : start + PEAKS_AT_ONCE]
        large = functional.interpolate(part, scale_factor=float(stride), mode="bicubic", align_corners=False)
        value, place = torch.max(large.flatten(1), dim=1)
        rows, columns = np.divmod(place.numpy(), w * stride)
        xy[start : start + PEAKS_AT_ONCE] = np.stack([columns, rows], axis=-1)
        score[start : start + PEAKS_AT_ONCE] = value.clamp(0, 1).numpy()
    return xy.reshape(B, J, 2), score.reshape(B, J)


def missing_outside(
    points: NDArray[np.float64], images_rgb: Sequence[NDArray[np.uint8]], image: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return points (B, J, 3) without those outside their image, or without any score."""
    size_wh = np.array([images_rgb[i].shape[1::-1] for i in image], dtype=np.float64).reshape(-1, 1, 2)
    xy = points[..., :2]
    there = ((xy >= -0.5) & (xy <= size_wh - 0.5)).all(axis=-1) & (points[..., 2] > 0)
    return np.where(there[..., None], points, (np.nan, np.nan, 0.0))


def load_heatmap_detector(
    model: str,
    skeleton: Skeleton,
    *,
    scales: int = 1,
    devices: Sequence[str] = (),
    precision: Precision = "auto",
    threads: int | None = None,
) -> HeatmapPartDetector:
    """Load a network of maps by name or path.

    Raises:
        InputError: there is none, or its points are not those of `skeleton`.
    """
    loaded = load_network(model)
    if loaded.layout.skeleton.joints != skeleton.joints:
        raise InputError(f"{model}: expected a network of {skeleton.name}, got one of {loaded.layout.skeleton.name}")
    return HeatmapPartDetector(
        loaded.network, loaded.layout, scales=scales, devices=devices, precision=precision, threads=threads
    )
