"""Network maps in, people out: peaks, limbs, assembly, and which people to keep (section 3 of the paper)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.detect2d.layout import PafLayout
from triskel.detect2d.parsing.bipartite import match_tree
from triskel.detect2d.parsing.greedy import assemble
from triskel.detect2d.parsing.integer import match_graph
from triskel.detect2d.parsing.integer_tree import match_tree_at_once
from triskel.detect2d.parsing.limbs import good_shares, score_limbs
from triskel.detect2d.parsing.options import ParseOptions
from triskel.detect2d.parsing.peaks import find_peaks, strongest_peaks
from triskel.detect2d.parsing.people import keep_people
from triskel.keypoints import People2D

Maps = NDArray[np.float32]


class Candidates(NamedTuple):
    """Places in an image where a part may be, before anybody is put together.

    Attributes:
        xy: (M, 2) network input px.
        score: (M,) confidence.
        part: (M,) index of the joint, ascending; within one the strongest first.
    """

    xy: NDArray[np.float64]
    score: NDArray[np.float64]
    part: NDArray[np.int64]


def find_candidates(confidence: Maps, layout: PafLayout, options: ParseOptions) -> Candidates:
    """Find the part candidates in one image's confidence maps; `parse` starts from the same.

    Args:
        confidence: (J, H, W) confidence maps, or more: what follows the J parts (background) is not looked at.
        layout: what the channels mean.
        options: `peak_threshold` is used.
    """
    xy, score, start = find_peaks(_parts(confidence, layout), options.peak_threshold)
    return Candidates((xy + 0.5) * layout.stride - 0.5, score, np.repeat(np.arange(len(start) - 1), np.diff(start)))


def parse(confidence: Maps, affinity: Maps, layout: PafLayout, options: ParseOptions) -> People2D:
    """Find the people in one image's maps.

    With a layout without limbs, as of hands and faces, the maps show one instance: each joint's highest peak, without a
    threshold.

    Args:
        confidence: (J, H, W) confidence maps, or more: what follows the J parts (background) is not looked at.
        affinity: (2 L, H, W) part affinity fields.
        layout: what the channels mean.
        options: thresholds and method.

    Returns:
        People with keypoints in network input pixels, best first; joints not found are NaN with score 0.

    Raises:
        ValueError: the maps do not have the layout's channels, or not one size.
    """
    confidence = _parts(confidence, layout)
    if not layout.limbs:
        return _only_instance(confidence, layout)
    affinity = np.ascontiguousarray(affinity, dtype=np.float32)
    if affinity.shape != (layout.affinity_maps, *confidence.shape[1:]):
        expected = (layout.affinity_maps, *confidence.shape[1:])
        raise ValueError(f"affinity of {layout.skeleton.name} is {expected}, got {affinity.shape}")
    xy, score, start = find_peaks(confidence, options.peak_threshold)
    keypoints, scores = connect(affinity, xy, score, start, layout, options)
    return People2D(layout.skeleton, keypoints[: options.most_people], scores[: options.most_people])


def connect(
    affinity: Maps,
    xy: NDArray[np.float64],
    score: NDArray[np.float64],
    start: NDArray[np.int64],
    layout: PafLayout,
    options: ParseOptions,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Join candidates into people: scoring, assembly and choice, without the search for peaks.

    Args:
        affinity: (2 L, H, W) part affinity fields, contiguous float32.
        xy: (M, 2) candidates in map cells, grouped by part.
        score: (M,) their confidence.
        start: (J + 1,) where each part's candidates start.
        layout: what the channels mean.
        options: thresholds and method.

    Returns:
        (N, J, 3) keypoints in network input px, and (N,) scores, best first.
    """
    height, width = affinity.shape[1:]
    stride = float(layout.stride)
    pairs, values = score_limbs(
        affinity,
        layout.limb_array,
        xy,
        start,
        options.sample_threshold,
        options.good_share,
        (height * width) ** 0.5 / 150,  # so close that the field of their limb has no room
        options.peak_threshold + 1e-6,
        stride,
    )
    J = len(start) - 1
    part_of = np.repeat(np.arange(J), np.diff(start))
    if options.method != "greedy":
        chosen = _choose(pairs, values, affinity, xy, part_of, layout, options)
        pairs, values = pairs[chosen], values[chosen]
    members, total, limbs = assemble(pairs, values, score, part_of, J)
    counted = np.ones(J, np.bool_)
    counted[list(layout.uncounted)] = False
    fewest = min(options.fewest_parts, int(counted.sum()))  # a joint set may have only two
    return keep_people(members, total, limbs, xy, score, counted, fewest, options.least_score, stride)


def _choose(
    pairs: NDArray[np.int64],
    values: NDArray[np.float64],
    affinity: Maps,
    xy: NDArray[np.float64],
    part_of: NDArray[np.int64],
    layout: PafLayout,
    options: ParseOptions,
) -> NDArray[np.intp]:
    """Return which pairs the method takes; what is left joins without contradiction."""
    if options.method == "bipartite":
        return match_tree(pairs, values, layout.tree)
    if options.method == "integer_tree":
        return match_tree_at_once(pairs, values, part_of, layout.tree, time_limit_s=options.time_limit_s)

    def shares(asked: NDArray[np.int64]) -> NDArray[np.float64]:
        return good_shares(affinity, asked, xy, options.sample_threshold, float(layout.stride))

    return match_graph(pairs, values, part_of, layout.limb_array, shares, time_limit_s=options.time_limit_s)


def _parts(confidence: Maps, layout: PafLayout) -> Maps:
    """Return the maps of the parts, contiguous; the background is left out."""
    J = len(layout.skeleton)
    if confidence.ndim != 3 or len(confidence) < J:
        raise ValueError(f"confidence of {layout.skeleton.name} is ({J} or more, H, W), got {confidence.shape}")
    return np.ascontiguousarray(confidence[:J], dtype=np.float32)


def _only_instance(confidence: Maps, layout: PafLayout) -> People2D:
    """Return the one hand or face that the maps show; nobody where all are empty."""
    xy, score = strongest_peaks(confidence)
    if not (score > 0).any():
        return People2D.empty(layout.skeleton)
    score = np.minimum(score, 1.0)
    keypoints = np.concatenate([(xy + 0.5) * layout.stride - 0.5, score[:, None]], axis=-1)
    return People2D(layout.skeleton, keypoints[None], score.mean(keepdims=True))
