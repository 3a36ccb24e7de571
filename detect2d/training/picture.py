"""A picture of a batch: what the network is about to be shown, and what it should answer."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from triskel.detect2d.layout import PafLayout
from triskel.detect2d.training.batches import Batch
from triskel.detect2d.training.targets import Targets
from triskel.images import write_image_bgr

_TILE = 256  # px of a tile
_COLUMNS = 4
_FAR = 1e6  # px; OpenCV draws no line to a place that is farther than its integers reach


def draw_batch(path: Path, batch: Batch, targets: Targets, layout: PafLayout) -> None:
    """Write the first images of a batch as a PNG: labels on the left, ground truth on the right.

    Labels are drawn as joints and limbs; where the mask hides the loss the image is dark. The ground truth is shown as
    confidence (white) and affinity, hue for direction.
    """
    tiles = []
    for i in range(min(len(batch.image_bgr), 8)):
        image = np.ascontiguousarray(batch.image_bgr[i].permute(1, 2, 0).numpy())
        seen = cv2.resize(batch.cells[i].numpy(), (_TILE, _TILE), interpolation=cv2.INTER_NEAREST)
        left = cv2.resize(image, (_TILE, _TILE), interpolation=cv2.INTER_AREA).astype(np.float32)
        left *= (0.3 + 0.7 * seen)[..., None]
        labels = _draw_labels(left.astype(np.uint8), batch.keypoints[i].numpy(), layout, _TILE / image.shape[0])
        maps = _colour_maps(targets.confidence[i, :-1].cpu().numpy(), targets.affinity[i].cpu().numpy())
        right = np.maximum(cv2.resize(maps, (_TILE, _TILE)), left.astype(np.uint8) // 4)
        tiles.append(np.concatenate([labels, right], axis=1))
    while len(tiles) % (_COLUMNS // 2):
        tiles.append(np.zeros_like(tiles[0]))
    rows = [np.concatenate(tiles[i : i + _COLUMNS // 2], axis=1) for i in range(0, len(tiles), _COLUMNS // 2)]
    write_image_bgr(path, np.concatenate(rows, axis=0))


def _draw_labels(
    image_bgr: NDArray[np.uint8], people: NDArray[np.float32], layout: PafLayout, scale: float
) -> NDArray[np.uint8]:
    """Draw the limbs and joints of (P, J, 2) crop px."""
    places = np.clip((people + 0.5) * scale - 0.5, -_FAR, _FAR)
    for one in places:
        for a, b in layout.skeleton.limbs:
            if np.isfinite(one[[a, b]]).all():
                ends = [tuple(np.round(4 * one[j]).astype(int).tolist()) for j in (a, b)]
                cv2.line(image_bgr, ends[0], ends[1], layout.skeleton.colours[b][::-1], 1, cv2.LINE_AA, 2)
        for j in np.flatnonzero(np.isfinite(one[:, 0])):
            at = tuple(np.round(4 * one[j]).astype(int).tolist())
            cv2.circle(image_bgr, at, 8, layout.skeleton.colours[j][::-1], -1, cv2.LINE_AA, 2)
    return image_bgr


def _colour_maps(confidence: NDArray[np.float32], affinity: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return (h, w, 3) BGR: the fields of all limbs by direction, and the joints in white."""
    height, width = confidence.shape[1:]
    strongest = np.zeros((height, width, 2), np.float32)
    if len(affinity):
        fields = affinity.reshape(-1, 2, height, width)
        best = np.linalg.norm(fields, axis=1).argmax(axis=0)
        strongest = np.take_along_axis(fields, best[None, None], axis=0)[0].transpose(1, 2, 0)
    hue = np.rad2deg(np.arctan2(strongest[..., 1], strongest[..., 0])) % 360 / 2
    value = 200 * np.clip(np.linalg.norm(strongest, axis=-1), 0, 1)
    hsv = np.stack([hue, np.full_like(hue, 200), value], axis=-1).astype(np.uint8)
    white = (255 * np.clip(confidence.max(axis=0), 0, 1) ** 2)[..., None]
    return np.maximum(cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR), white.astype(np.uint8))
