"""Hands: the share of their points within reach of a share of the hand's size.

The size is the longer side of the hand's box, so that PCK@0.2 of a hand 100 px long allows 20 px. Simon et al. (2017)
measure by the size of the head, which data sets of hands do not tell.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from triskel.detect2d.evaluation.ground_truth import GroundTruth
from triskel.detect2d.evaluation.partners import matches, part_points
from triskel.detect2d.evaluation.pck import PCK_REACH, PCK_REACHES, PckScores
from triskel.keypoints import People2D
from triskel.skeleton import Skeleton
from triskel.whole_body import Part

HAND_REACHES = (0.1, PCK_REACH, 0.3)
"""Shares of the hand's size that tables show."""

Side = Literal["left", "right"]
SIDES: dict[Side, Part] = {"left": "left_hand", "right": "right_hand"}


@dataclass(frozen=True, eq=False)
class HandScores:
    """The hands of one side.

    Attributes:
        pck: share of labelled points within a share of the hand's size, over all labelled hands that have one; its
            `people` are hands.
        found: how many of those hands the right detection has at all: any point beside the wrist, near or far.
    """

    pck: PckScores
    found: int


def score_hands(
    people: Sequence[People2D], truth: GroundTruth, skeleton: Skeleton, *, reaches: NDArray[np.float64] = PCK_REACHES
) -> dict[Side, HandScores]:
    """Return the figures of each side's hands; without a side that the model does not have, or nobody has labelled.

    A point counts as found when the detection that is this person has it within reach; a person who was not found has
    no hand either. The wrist is compared with the body's.

    Args:
        people: the detections of each image.
        truth: the labels.
        skeleton: the detections' joints.
        reaches: (T,) shares of the hand's size.
    """
    scores: dict[Side, HandScores] = {}
    for column, (side, part) in enumerate(SIDES.items()):
        points = part_points(skeleton, truth.joints, part)
        if points is None:
            continue
        sizes = [image.hand_px[:, column] for image in truth.images]
        all_of = list(matches(people, truth, points, sizes, PCK_REACH))
        labels, found = (np.concatenate([one[k] for one in all_of]) for k in (0, 1))
        size_px = np.concatenate([one.sizes_px for one in all_of])
        if not len(labels):
            continue
        measured = np.isfinite(size_px)
        labels, found, size_px = labels[measured], found[measured], size_px[measured]
        labelled, present = labels[..., 2] > 0, found[..., 2] > 0
        distance = np.linalg.norm(found[..., :2] - labels[..., :2], axis=-1) / size_px[:, None]
        near = ((distance <= reaches[:, None, None]) & labelled & present).sum(axis=1)
        count = labelled.sum(axis=0)
        pck = PckScores(
            joints=tuple(truth.joints[i] for i in points.theirs),
            people=len(labels),
            unmeasured=int((~measured).sum()),
            reaches=reaches,
            labelled=count,
            present=(labelled & present).sum(axis=0),
            share=np.where(count > 0, near / np.maximum(count, 1), np.nan),
        )
        scores[side] = HandScores(pck, int(present[:, points.numbers > 0].any(axis=1).sum()))
    return scores


def hand_pck(scores: Mapping[Side, HandScores], reach: float = PCK_REACH) -> float:
    """Return the share of all labelled points of both sides within reach; NaN where no hand could be measured."""
    points = [int(one.pck.labelled.sum()) for one in scores.values()]
    right = [one.pck.at(reach) * count for one, count in zip(scores.values(), points, strict=True) if count]
    return float(sum(right) / sum(points)) if sum(points) else float("nan")
