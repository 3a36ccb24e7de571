"""BlazePose: one person in a square to the joints of BODY_25, feet included."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.detect2d.crop_networks import CropNetwork
from triskel.detect2d.crops import Crops, cut
from triskel.detect2d.single_person.person_crop import MARGIN, SMALLEST_PX
from triskel.skeleton import BODY_25

POINTS = {
    "Nose": 0, "LEye": 2, "REye": 5, "LEar": 7, "REar": 8, "LShoulder": 11, "RShoulder": 12, "LElbow": 13,
    "RElbow": 14, "LWrist": 15, "RWrist": 16, "LHip": 23, "RHip": 24, "LKnee": 25, "RKnee": 26, "LAnkle": 27,
    "RAnkle": 28, "LHeel": 29, "RHeel": 30, "LBigToe": 31, "RBigToe": 32,
}  # fmt: skip
"""Which of the network's 33 points each joint is. It has no small toe."""

HIPS, TOP = 33, 34
"""Two further points: the middle of the hips, and one on the circle around them that holds the stretched body."""

WINDOW = 7
"""Width of the window, in cells of the heat map, in which a point is refined."""

LEAST_PEAK = 0.5
"""A point whose window of the heat map stays below this is left where the regression put it."""

PIXEL_OFFSET = -0.5
"""The network counts from the edge of the first pixel, we from its centre; against 2,100 labels of COCO the median
error is 0.4 px of the crop without this."""

_JOINTS = np.array([BODY_25.index(name) for name in POINTS])
_SOURCES = np.array(list(POINTS.values()))


class SinglePoses(NamedTuple):
    """What the network says of B squares.

    Attributes:
        xy: (B, 25, 2) image px; NaN for the joints that the network does not know. Joints outside the square, or
            hidden, are guesses: see `visibility`.
        visibility: (B, 25) probability that a joint is in the picture and not hidden; 0 where unknown.
        presence: (B,) probability that there is a person in the square.
        reach: (B,) distance from the hips to the farthest end of the stretched body, px, as the square supposed it.
        crops: the square that the result itself asks for.
    """

    xy: NDArray[np.float64]
    visibility: NDArray[np.float64]
    presence: NDArray[np.float64]
    reach: NDArray[np.float64]
    crops: Crops

    def take(self, index: NDArray[np.intp]) -> "SinglePoses":
        """Return the answers at `index`, in that order."""
        xy, visibility, presence, reach = (one[index] for one in self[:4])
        return SinglePoses(xy, visibility, presence, reach, self.crops.take(index))


class BlazePose:
    """The network and how its answers are read."""

    def __init__(self, network: CropNetwork) -> None:
        self.network = network

    def __call__(self, images_rgb: Sequence[NDArray[np.uint8]], crops: Crops, *, passes: int = 1) -> SinglePoses:
        """Find the joints of the person in each square.

        Args:
            images_rgb: (H, W, 3) uint8 each.
            crops: around the people, see `person_crops`.
            passes: 1, or 2: then it looks again, at the square that it asked for itself.

        Returns:
            The answers of the last pass.
        """
        poses = self._look(images_rgb, crops)
        if passes > 1:
            # A square that shrinks to nothing or grows out of all proportion is a lost person.
            ratio = poses.crops.side / crops.side
            sane = (ratio > 1 / 3) & (ratio < 3) & (poses.crops.side >= SMALLEST_PX)
            again = self._look(images_rgb, poses.crops.take(sane))
            better = again.presence >= np.minimum(poses.presence[sane], 0.5)
            index = np.flatnonzero(sane)[better]
            for old, new in zip(poses[:4], again[:4], strict=True):
                old[index] = new[better]
        return poses

    def _look(self, images_rgb: Sequence[NDArray[np.uint8]], crops: Crops) -> SinglePoses:
        size = self.network.size
        answers = self.network(cut(images_rgb, crops, size))
        points = answers["landmarks"].reshape(-1, 39, 5).astype(np.float64)
        refined = refine(points[:, _SOURCES, :2], answers["heatmaps"][..., _SOURCES], size)
        xy = np.full((len(crops), len(BODY_25), 2), np.nan)
        xy[:, _JOINTS] = crops.to_image(refined + PIXEL_OFFSET, size)
        visibility = np.zeros(xy.shape[:2])
        visibility[:, _JOINTS] = 1 / (1 + np.exp(-points[:, _SOURCES, 3]))
        for middle, others in BODY_25.means:
            xy[:, middle] = xy[:, others].mean(axis=1)
            visibility[:, middle] = visibility[:, others].min(axis=1)
        presence = answers["presence"].reshape(-1).astype(np.float64)
        return SinglePoses(xy, visibility, presence, crops.side / (2 * MARGIN), _own_crops(crops, points, size))


def _own_crops(crops: Crops, points: NDArray[np.float64], size: int) -> Crops:
    """Return the square around the circle that the network's two further points describe."""
    ends = crops.to_image(points[:, [HIPS, TOP], :2] + PIXEL_OFFSET, size)
    up = ends[:, 1] - ends[:, 0]
    return Crops.upright(
        crops.image,
        ends[:, 0],
        2 * MARGIN * np.linalg.norm(up, axis=1),
        angle_rad=np.arctan2(up[:, 0], -up[:, 1]),
        mirrored=crops.mirrored,
    )


def refine(xy: NDArray[np.float64], heatmaps: NDArray[np.float32], size: int) -> NDArray[np.float64]:
    """Move points to the centre of what their heat maps show around them.

    Args:
        xy: (B, K, 2) px of the network's input, `size` px wide.
        heatmaps: (B, h, h, K) logits.
        size: of the input, px.

    Returns:
        (B, K, 2) px; points outside the map, and those whose map shows nothing there, are unchanged.
    """
    B, h, _, K = heatmaps.shape
    cell, reach = size / h, WINDOW // 2
    inside = np.asarray(((xy >= 0) & (xy < size)).all(axis=-1))
    column, row = np.moveaxis(np.where(inside[..., None], xy // cell, 0).astype(int), -1, 0)
    padded = np.pad(heatmaps, ((0, 0), (reach, reach), (reach, reach), (0, 0)), constant_values=-np.inf)
    steps = np.arange(WINDOW)
    b, k = np.arange(B)[:, None, None, None], np.arange(K)[None, :, None, None]
    window = padded[b, row[..., None, None] + steps[:, None], column[..., None, None] + steps, k]
    with np.errstate(over="ignore"):
        weight = 1 / (1 + np.exp(-window.astype(np.float64)))
    total = weight.sum(axis=(2, 3))
    offset = steps - reach
    dx = (weight * offset).sum(axis=(2, 3)) / np.maximum(total, 1e-9)
    dy = (weight * offset[:, None]).sum(axis=(2, 3)) / np.maximum(total, 1e-9)
    centre = np.stack([column + dx, row + dy], axis=-1) * cell
    usable = inside & (weight.max(axis=(2, 3)) >= LEAST_PEAK)
    return np.where(usable[..., None], centre, xy)
