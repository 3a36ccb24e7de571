"""Hands between the frames of one camera: one that was seen well gives the next frame's box.

A hand's own points say better where it is, and how large, than the forearm does, as long as it moves little between
frames. People have no identity in 2D, so a hand is known again by the body's wrist: the nearest pair of a wrist and a
hand of the same side first, not further apart than the hand is large. No other choice between the two boxes is made:
the old one replaces the new one, and without a wrist near it, it is forgotten. A hand that was missing for a frame is
not brought back, and streams share nothing.
"""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from triskel.detect2d.parts.boxes import (
    LEAST_ARM_SCORE,
    SMALLEST_HAND_PX,
    HandSide,
    PartBoxes,
    joint_xy,
    upward_angle,
)
from triskel.detect2d.parts.plausible import hand_extent
from triskel.skeleton import Skeleton

LEAST_MEAN_SCORE = 0.667
LEAST_POINT_SCORE = 0.25
"""OpenPose's numbers: of a hand that gives a box, and of the points that the box is put around."""

BOX_PER_EXTENT = 3.0
"""Side of the box in extents of the hand: what the forearm's rule gives in the median (2.96 over 93 hands of COCO's
photographs). Tighter boxes made hands less steady on the sample videos."""

REACH = 1 / 3
"""How far a wrist may be from that of the hand of the frame before, in sides of that hand's box: one extent."""


class HandTracker:
    """Boxes of the next frame, by stream (a camera) and side."""

    def __init__(self) -> None:
        self._before: dict[str, dict[HandSide, tuple[NDArray[np.float64], PartBoxes]]] = {}

    def boxes(
        self,
        stream: str,
        fresh: dict[HandSide, PartBoxes],
        keypoints: NDArray[np.float64],
        skeleton: Skeleton,
    ) -> dict[HandSide, PartBoxes]:
        """Return the boxes to look at: the fresh ones, replaced where the frame before saw the hand well.

        Args:
            stream: which camera.
            fresh: out of this frame's bodies, see `hand_boxes`. A person without one gets an old one where the wrist
                is there.
            keypoints: (N, J, 3) this frame's bodies.
            skeleton: names their joints.
        """
        chosen: dict[HandSide, PartBoxes] = {}
        for part, boxes in fresh.items():
            chosen[part] = boxes
            before = self._before.get(stream, {}).get(part)
            if before is None:
                continue
            name = "LWrist" if part == "left_hand" else "RWrist"
            wrist = joint_xy(keypoints, skeleton, name, LEAST_ARM_SCORE)
            now, old = _pairs(wrist, before[0], REACH * before[1].side)
            merged = PartBoxes(*(value.copy() for value in boxes))
            for new_value, old_value in zip(merged, before[1], strict=True):
                new_value[now] = old_value[old]
            chosen[part] = merged
        return chosen

    def update(self, stream: str, hands: dict[HandSide, NDArray[np.float64]]) -> None:
        """Remember a frame's hands (N, 21, 3) by side, and forget what was before."""
        self._before[stream] = {part: (_wrists(hand), _own_boxes(hand)) for part, hand in hands.items()}

    def forget_others(self, streams: Collection[str]) -> None:
        """Forget every stream but these: a camera without an image in this frame set has lost its hands."""
        for stream in set(self._before).difference(streams):
            self.forget(stream)

    def forget(self, stream: str) -> None:
        """Forget a stream, as where a video ends or a frame was left out."""
        self._before.pop(stream, None)


def _wrists(hands: NDArray[np.float64]) -> NDArray[np.float64]:
    return hands[:, 0, :2]


def _own_boxes(hands: NDArray[np.float64]) -> PartBoxes:
    """Return the boxes around hands (N, 21, 3) that were seen well enough; NaN for the others."""
    seen = np.where(hands[..., 2:] > LEAST_POINT_SCORE, hands, (np.nan, np.nan, 0.0))
    extent = hand_extent(seen)
    good = (hands[..., 2].mean(axis=1) > LEAST_MEAN_SCORE) & (BOX_PER_EXTENT * extent > SMALLEST_HAND_PX)
    xy = seen[good, :, :2]
    centre = np.full((len(hands), 2), np.nan)
    centre[good] = (np.nanmin(xy, axis=1) + np.nanmax(xy, axis=1)) / 2 if good.any() else 0
    angle = upward_angle(hands[:, 9, :2] - hands[:, 0, :2])
    return PartBoxes(centre, np.where(good, BOX_PER_EXTENT * extent, np.nan), np.where(good, angle, np.nan))


def _pairs(
    wrist: NDArray[np.float64], before: NDArray[np.float64], reach: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return pairs of a wrist (N, 2) and a hand (M, 2) of the frame before, nearest first, each once."""
    apart = np.linalg.norm(wrist[:, None] - before[None], axis=-1)
    apart = np.where(apart <= reach[None], apart, np.inf)
    pairs: list[tuple[int, int]] = []
    while apart.size and np.isfinite(apart.min()):
        i, k = np.unravel_index(int(apart.argmin()), apart.shape)
        pairs.append((int(i), int(k)))
        apart[i], apart[:, k] = np.inf, np.inf
    index = np.array(pairs, dtype=np.intp).reshape(-1, 2)
    return index[:, 0], index[:, 1]
