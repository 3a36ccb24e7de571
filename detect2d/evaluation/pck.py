"""Shares of joints within reach: PCK of the torso, and MPII's average precision by PCKh.

Both need to know which detection is which person. Detections and people are paired greedily, the pair with the largest
share of the person's labelled joints within reach first, as the toolkit of MPII's multi-person task has it; each is
taken once, and nothing is paired without a joint in common. Pairs are made at the headline's reach and kept along the
curves, so that a curve shows where joints lie and not who was found.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.detect2d.datasets import match_joints
from triskel.detect2d.evaluation.ground_truth import GroundTruth, LabelledPeople
from triskel.keypoints import People2D

PCK_REACH, PCKH_REACH = 0.2, 0.5
PCK_REACHES = np.linspace(0, 0.5, 51)
PCKH_REACHES = np.linspace(0, 1, 51)


@dataclass(frozen=True, eq=False)
class PckScores:
    """Share of labelled joints that are found within a share of the torso's size.

    A joint counts as found when the detection paired with its person has that joint within reach; a person who is not
    paired has no joint found. People whose torso cannot be measured are left out.

    Attributes:
        joints: those compared, J.
        people: labelled people with a torso; `unmeasured`: without one.
        reaches: (T,) shares of the torso's size.
        labelled: (J,) labels of those people.
        present: (J,) how many of them the paired detection has at all, near or far.
        share: (T, J); NaN for a joint without a label.
    """

    joints: tuple[str, ...]
    people: int
    unmeasured: int
    reaches: NDArray[np.float64]
    labelled: NDArray[np.int64]
    present: NDArray[np.int64]
    share: NDArray[np.float64]

    @property
    def curve(self) -> NDArray[np.float64]:
        """Return (T,) the share of all labelled joints."""
        counted = np.where(self.labelled > 0, self.share, 0) * self.labelled
        return np.asarray(counted.sum(axis=1) / max(int(self.labelled.sum()), 1))

    def at(self, reach: float = PCK_REACH) -> float:
        """Return the share of all labelled joints within that reach; NaN if no torso could be measured."""
        return float(np.interp(reach, self.reaches, self.curve)) if self.people else np.nan


@dataclass(frozen=True, eq=False)
class PckhScores:
    """Average precision of each joint when within a share of the head's size, as MPII's multi-person task has it.

    Every joint of every detection is a claim, ranked by its score. It is true if its detection is paired with a person
    whose label of that joint is within reach. It is not judged if that label is missing, or if the detection is
    unpaired and lies, with more than half of its joints, in the box of somebody ignored or without a measured head.
    Average precision is the area under precision, made non-increasing, over recall; the mean over joints is mAP.

    Attributes:
        joints: those compared, J.
        people: labelled people with a head; `unmeasured`: without one.
        reaches: (T,) shares of the head's size.
        labelled: (J,) labels of those people.
        ap: (T, J); NaN for a joint without a label.
    """

    joints: tuple[str, ...]
    people: int
    unmeasured: int
    reaches: NDArray[np.float64]
    labelled: NDArray[np.int64]
    ap: NDArray[np.float64]

    @property
    def curve(self) -> NDArray[np.float64]:
        """Return (T,) the mean over the joints that have labels."""
        return np.asarray(self.ap[:, self.labelled > 0].mean(axis=1)) if self.people else np.full(len(self.ap), np.nan)

    def at(self, reach: float = PCKH_REACH) -> float:
        """Return mAP at that reach; NaN if no head could be measured."""
        return float(np.interp(reach, self.reaches, self.curve)) if self.people else np.nan


def score_pck(
    people: Sequence[People2D], truth: GroundTruth, *, reaches: NDArray[np.float64] = PCK_REACHES
) -> PckScores:
    """Return PCK of the torso over the joints of `truth`, all of which the detections' skeleton has."""
    pairs, unmeasured = _pair_all(people, truth, lambda image: image.torso_px, PCK_REACH)
    distance = np.concatenate([pair.distance for pair in pairs])
    labelled = np.concatenate([pair.labelled for pair in pairs])
    count = labelled.sum(axis=0)
    near = ((distance <= reaches[:, None, None]) & labelled).sum(axis=1)
    share = np.where(count > 0, near / np.maximum(count, 1), np.nan)
    present = (np.isfinite(distance) & labelled).sum(axis=0)
    return PckScores(truth.joints, len(labelled), unmeasured, reaches, count, present, share)


def score_pckh(
    people: Sequence[People2D], truth: GroundTruth, *, reaches: NDArray[np.float64] = PCKH_REACHES
) -> PckhScores:
    """Return mAP by PCKh over the joints of `truth`, all of which the detections' skeleton has."""
    pairs, unmeasured = _pair_all(people, truth, lambda image: image.head_px, PCKH_REACH)
    scores = np.concatenate([pair.score for pair in pairs])
    claims = np.concatenate([pair.claim_distance for pair in pairs])
    labelled = np.concatenate([pair.labelled for pair in pairs])
    count = labelled.sum(axis=0)
    ap = np.full((len(reaches), len(count)), np.nan)
    for j in np.flatnonzero(count):
        judged = ~np.isnan(claims[:, j])
        for t, reach in enumerate(reaches):
            ap[t, j] = average_precision(scores[judged, j], claims[judged, j] <= reach, int(count[j]))
    return PckhScores(truth.joints, len(labelled), unmeasured, reaches, count, ap)


def average_precision(scores: NDArray[np.float64], true: NDArray[np.bool_], positives: int) -> float:
    """Return the area under precision, made non-increasing, over recall, for claims ranked by their score."""
    if not len(scores):
        return 0.0
    right = np.cumsum(true[np.argsort(-scores, kind="stable")])
    precision = np.maximum.accumulate((right / np.arange(1, len(right) + 1))[::-1])[::-1]
    gain = np.diff(right, prepend=0) / positives
    return float((precision * gain).sum())


def pair_people(
    found: NDArray[np.float64], labels: NDArray[np.float64], reach_px: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Pair people with detections, greedily by the share of labelled joints within reach.

    Args:
        found: (M, J, 3) detections, best first; ties go to the earlier one.
        labels: (N, J, 3) people.
        reach_px: (N,) how near a joint has to be.

    Returns:
        (N,) index of the detection; -1 for nobody.
    """
    partner = np.full(len(labels), -1, dtype=np.intp)
    if not len(found) or not len(labels):
        return partner
    labelled = labels[..., 2] > 0
    distance = np.linalg.norm(found[:, None, :, :2] - labels[None, ..., :2], axis=-1)
    near = (distance <= reach_px[None, :, None]) & labelled
    share = near.sum(axis=-1) / np.maximum(labelled.sum(axis=-1), 1)
    while share.max() > 0:
        m, n = np.unravel_index(share.argmax(), share.shape)
        partner[n] = m
        share[m], share[:, n] = 0, 0
    return partner


class _Pairs(NamedTuple):
    """One image: distances in sizes (of the head or torso) of N measured people, and the claims of M detections.

    Attributes:
        labelled: (N, J) joints of the people.
        distance: (N, J) of the paired detection's joint; inf where there is none.
        score: (M, J) of the detections' joints.
        claim_distance: (M, J) from the paired person's label; inf for a false claim, NaN for one that is not judged.
    """

    labelled: NDArray[np.bool_]
    distance: NDArray[np.float64]
    score: NDArray[np.float64]
    claim_distance: NDArray[np.float64]


def _pair_all(
    people: Sequence[People2D],
    truth: GroundTruth,
    size: Callable[[LabelledPeople], NDArray[np.float64]],
    reach: float,
) -> tuple[list[_Pairs], int]:
    """Return the pairs of each image, and how many people that count could not be measured."""
    pairs, unmeasured = [], 0
    for found, image in zip(people, truth.images, strict=True):
        sizes_px = size(image)
        unmeasured += int((~image.ignored & np.isnan(sizes_px)).sum())
        known = match_joints(found.skeleton.joints, truth.joints)
        order = [joint for joint, _ in sorted(known.items(), key=lambda item: item[1])]
        best_first = np.argsort(-found.scores, kind="stable")
        pairs.append(_pair(found.keypoints[best_first][:, order], image, sizes_px, reach))
    return pairs, unmeasured


def _pair(found: NDArray[np.float64], image: LabelledPeople, sizes_px: NDArray[np.float64], reach: float) -> _Pairs:
    counted = ~image.ignored & np.isfinite(sizes_px)
    labels, sizes_px = image.keypoints[counted], sizes_px[counted]
    labelled = labels[..., 2] > 0
    partner = pair_people(found, labels, reach * sizes_px)
    distance = np.full(labelled.shape, np.inf)
    claim = np.full(found.shape[:2], np.inf)
    claim[_in_boxes(found, image.boxes[~counted])] = np.nan
    for n, m in enumerate(partner):
        if m >= 0:
            apart = np.linalg.norm(found[m, :, :2] - labels[n, :, :2], axis=-1) / sizes_px[n]
            distance[n] = np.where(np.isnan(apart), np.inf, apart)
            claim[m] = apart  # NaN where the label is missing: not judged
    claim[found[..., 2] == 0] = np.nan
    return _Pairs(labelled, distance, found[..., 2], claim)


def _in_boxes(found: NDArray[np.float64], boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (M,) whether more than half of a detection's joints lie in one of the boxes."""
    xy = found[:, None, :, :2]
    inside = ((xy >= boxes[None, :, None, :2]) & (xy <= boxes[None, :, None, :2] + boxes[None, :, None, 2:])).all(-1)
    share = inside.sum(axis=-1) / np.maximum((found[..., 2] > 0).sum(axis=-1), 1)[:, None]
    return np.asarray((share > 0.5).any(axis=1))
