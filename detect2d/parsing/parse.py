"""Network maps in, people out: peaks, limbs, assembly, and which people to keep (section 3.3 of the paper)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triskel.detect2d.layout import PafLayout
from triskel.detect2d.parsing.greedy import assemble
from triskel.detect2d.parsing.limbs import score_limbs
from triskel.detect2d.parsing.peaks import find_peaks
from triskel.keypoints import People2D


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
