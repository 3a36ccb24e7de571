"""Hands that cannot be: too far from the wrist, out of proportion to the arm, or the other hand seen twice."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triskel.detect2d.parts.boxes import LEAST_ARM_SCORE, HandSide, PartBoxes, hand_boxes, joint_xy
from triskel.errors import InputError
from triskel.skeleton import Skeleton

FACE_AWAY, FACE_SIZES = 0.5, (0.2, 1.5)
"""How far a face's middle may lie from that of its box, and how large it may be, in sides of the box."""


@dataclass(frozen=True, kw_only=True)
class HandLimits:
    """What a hand may be, in sides of its box, which is 1.5 times the forearm.

    Attributes:
        most_wrist: distance of its wrist from the body's.
        least_size: its larger extent; a third of the box in the median, half where it is stretched out.
        most_size: the same, at most.
        most_overlap: two hands whose points are on average nearer to each other than this share of the smaller one's
            extent are one hand.
    """

    most_wrist: float = 0.4
    least_size: float = 0.12
    most_size: float = 1.0
    most_overlap: float = 0.3

    def __post_init__(self) -> None:
        if min(self.most_wrist, self.most_size, self.most_overlap) < 0 or self.least_size > self.most_size:
            raise InputError(f"limits of hands are shares, the least below the most, got {self}")


def reject_implausible_hands(
    hands: dict[HandSide, NDArray[np.float64]],
    keypoints: NDArray[np.float64],
    skeleton: Skeleton,
    limits: HandLimits | None = None,
) -> dict[HandSide, NDArray[np.float64]]:
    """Return the hands without those that do not fit their arm; a hand without an arm is not judged.

    Args:
        hands: by side, (N, 21, 3) px and score, one a person.
        keypoints: (N, J, 3) the bodies.
        skeleton: names their joints.
        limits: what fits.
    """
    limits = limits or HandLimits()
    boxes = hand_boxes(keypoints, skeleton)
    kept: dict[HandSide, NDArray[np.float64]] = {}
    for part, hand in hands.items():
        name = "LWrist" if part == "left_hand" else "RWrist"
        body_wrist = joint_xy(keypoints, skeleton, name, LEAST_ARM_SCORE)
        side = boxes[part].side
        # Comparisons with NaN are False: what is not known rejects nothing.
        far = np.linalg.norm(hand[:, 0, :2] - body_wrist, axis=-1) > limits.most_wrist * side
        size = hand_extent(hand)
        wrong = far | (size < limits.least_size * side) | (size > limits.most_size * side)
        kept[part] = np.where(wrong[:, None, None], (np.nan, np.nan, 0.0), hand)
    return kept


def reject_implausible_faces(faces: NDArray[np.float64], boxes: PartBoxes) -> NDArray[np.float64]:
    """Return the faces (N, 70, 3) without those that are not where they were looked for.

    The network answers with some face even where its square holds none; its second look can walk away to a neighbour's.
    A face's middle lies within half a side of the middle of its box, and it is a fifth to one and a half sides large.
    """
    seen = faces[..., 2] > 0
    count = np.maximum(seen.sum(axis=1), 1)
    middle = np.where(seen[..., None], faces[..., :2], 0).sum(axis=1) / count[:, None]
    away = np.linalg.norm(middle - boxes.centre, axis=-1) > FACE_AWAY * boxes.side
    size = hand_extent(faces)
    wrong = away | (size < FACE_SIZES[0] * boxes.side) | (size > FACE_SIZES[1] * boxes.side)
    return np.where(wrong[:, None, None], (np.nan, np.nan, 0.0), faces)


def reject_overlapping_hands(
    hands: dict[HandSide, NDArray[np.float64]], limits: HandLimits | None = None
) -> dict[HandSide, NDArray[np.float64]]:
    """Return the hands of one image with only the best of those that lie on the same pixels.

    Two hands of one person, or of two, can end up on one hand of the image. Hands that touch or are folded have their
    points in different places, and stay.

    Args:
        hands: by side, (N, 21, 3) px and score, one a person.
        limits: from where on two hands are one.
    """
    limits = limits or HandLimits()
    parts = list(hands)
    every = np.concatenate([hands[part] for part in parts]) if parts else np.zeros((0, 21, 3))
    total = every[..., 2].sum(axis=1)
    size = hand_extent(every)
    kept: list[int] = []
    for i in np.argsort(-total, kind="stable"):
        if total[i] > 0 and not any(_same(every[i], every[k], size[[i, k]], limits.most_overlap) for k in kept):
            kept.append(int(i))
    result = np.where(np.isin(np.arange(len(every)), kept)[:, None, None], every, (np.nan, np.nan, 0.0))
    return dict(zip(parts, np.split(result, len(parts)), strict=True)) if parts else {}


def on_one_hand(a: NDArray[np.float64], b: NDArray[np.float64], limits: HandLimits | None = None) -> bool:
    """Say whether two hands (J, 3) lie on the same pixels, see `reject_overlapping_hands`."""
    limits = limits or HandLimits()
    return _same(a, b, hand_extent(np.stack([a, b])), limits.most_overlap)


def _same(a: NDArray[np.float64], b: NDArray[np.float64], size: NDArray[np.float64], share: float) -> bool:
    apart = np.linalg.norm(a[:, :2] - b[:, :2], axis=-1)
    shared = np.isfinite(apart)
    return bool(shared.any() and apart[shared].mean() < share * size.min())


def hand_extent(hands: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the larger of width and height (N,) of hands (N, J, 3), px; NaN for none."""
    xy = hands[..., :2]
    low = np.where(np.isfinite(xy), xy, np.inf).min(axis=1)
    high = np.where(np.isfinite(xy), xy, -np.inf).max(axis=1)
    size = (high - low).max(axis=-1)
    return np.where(np.isfinite(size), size, np.nan)
