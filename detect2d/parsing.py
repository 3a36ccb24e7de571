"""Network maps in, people out: peaks, limbs, assembly, and which people to keep (section 3.3 of the paper)."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from triskel.detect2d.assembly import assemble
from triskel.detect2d.limbs import score_limbs
from triskel.detect2d.peaks import find_peaks
from triskel.keypoints import People2D
from triskel.skeleton import COCO_18, Skeleton

COCO_18_LIMBS = (
    (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13), (1, 2), (2, 3), (3, 4), (2, 16),
    (1, 5), (5, 6), (6, 7), (5, 17), (1, 0), (0, 14), (0, 15), (14, 16), (15, 17),
)  # fmt: skip
"""Limbs in the order of the affinity channels; (2, 16) and (5, 17), shoulder to ear, are the redundant ones."""


@dataclass(frozen=True, kw_only=True)
class ParseOptions:
    """Thresholds of the parse; the defaults are the published ones.

    Attributes:
        peak_threshold: least confidence of a part candidate.
        sample_threshold: least affinity of a good sample on a limb.
        good_share: a limb needs more than this share of good samples.
        fewest_parts: a person has at least this many parts.
        least_score: a person's (sum of confidences + sum of affinities) / parts is at least this.
        most_people: people kept in an image, the best ones; None for all.
    """

    peak_threshold: float = 0.05
    sample_threshold: float = 0.05
    good_share: float = 0.95
    fewest_parts: int = 3
    least_score: float = 0.4
    most_people: int | None = None


@dataclass(frozen=True)
class PafLayout:
    """What the channels of a PAF network mean.

    Attributes:
        skeleton: names the confidence channels, the background aside.
        limbs: parts joined by each pair of affinity channels.
        stride: network input pixels per map cell.
    """

    skeleton: Skeleton = COCO_18
    limbs: tuple[tuple[int, int], ...] = COCO_18_LIMBS
    stride: int = 8
    limb_array: NDArray[np.int64] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "limb_array", np.array(self.limbs, dtype=np.int64))


def parse(
    confidence: NDArray[np.float32], affinity: NDArray[np.float32], layout: PafLayout, options: ParseOptions
) -> People2D:
    """Find the people in one image's maps.

    Args:
        confidence: (J, H, W) confidence maps, or more: what follows the J parts (background) is not looked at.
        affinity: (2 L, H, W) part affinity fields.
        layout: what the channels mean.
        options: thresholds.

    Returns:
        People with keypoints in network input pixels, best first; joints not found are NaN with score 0.
    """
    J = len(layout.skeleton)
    confidence = np.ascontiguousarray(confidence[:J], dtype=np.float32)
    affinity = np.ascontiguousarray(affinity, dtype=np.float32)
    xy, score, start = find_peaks(confidence, options.peak_threshold)
    height, width = confidence.shape[1:]
    pairs, values = score_limbs(
        affinity,
        layout.limb_array,
        xy,
        start,
        options.sample_threshold,
        options.good_share,
        np.sqrt(height * width) / 150,  # so close that the field of their limb has no room
        options.peak_threshold + 1e-6,
        float(layout.stride),
    )
    part_of = np.repeat(np.arange(J), np.diff(start))
    members, total, limbs = assemble(pairs, values, score, part_of, J)
    return _people(members, total, limbs, xy, score, layout, options)


def _people(
    members: NDArray[np.int64],
    total: NDArray[np.float64],
    limbs: NDArray[np.int64],
    xy: NDArray[np.float64],
    score: NDArray[np.float64],
    layout: PafLayout,
    options: ParseOptions,
) -> People2D:
    """Keep the people with enough parts and score, and rank them by score and size."""
    found = members >= 0
    parts = found.sum(axis=1)
    if not len(score):
        return People2D.empty(layout.skeleton)
    confidence = np.where(found, score[members], 0.0)
    sums = confidence.sum(axis=1) + total
    keep = (parts >= options.fewest_parts) & (sums / np.maximum(parts, 1) >= options.least_score)
    if not keep.any():
        return People2D.empty(layout.skeleton)
    cells = np.where(found[..., None], xy[members], np.nan)[keep]
    keypoints = np.concatenate(
        [(cells + 0.5) * layout.stride - 0.5, np.clip(confidence[keep], 0, 1)[..., None]], axis=-1
    )
    extent = np.nanmax(cells, axis=1) - np.nanmin(cells, axis=1)
    person_score = np.clip(sums[keep] / (parts[keep] + limbs[keep]), 0, 1)
    order = np.argsort(-person_score * np.sqrt(extent.prod(axis=-1) + 1e-9), kind="stable")[: options.most_people]
    return People2D(layout.skeleton, keypoints[order], person_score[order])
