"""Which detection is which labelled person, for what is measured on one part of the body: hands and faces.

People are told by their bodies: a hand that is right but hangs on somebody else's arm is not found. Only a person
without any label of the body is told by the part itself.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.detect2d.datasets import match_joints
from triskel.detect2d.datasets.joint_names import plain_name
from triskel.detect2d.datasets.part_labels import HAND_WRISTS, part_columns
from triskel.detect2d.evaluation.ground_truth import GroundTruth, LabelledPeople
from triskel.detect2d.evaluation.oks import joint_sigmas
from triskel.detect2d.evaluation.pck import pair_people
from triskel.keypoints import People2D
from triskel.skeleton import Skeleton
from triskel.whole_body import PARTS, Part

_WRISTS = ("LWrist", "RWrist")

LEAST_SIMILARITY = 0.1
"""Bodies that are less similar are not the same person: most joints lie farther off than people differ in labelling."""


class PartPoints(NamedTuple):
    """The points of one part that both the model and the data set have.

    Attributes:
        part: `left_hand`, `right_hand` or `face`.
        numbers: (K,) which points of the part: 0 to 20 of a hand, 0 to 69 of a face.
        ours: (K,) index among the joints of the detections.
        theirs: (K,) index among those of the data set.
    """

    part: Part
    numbers: NDArray[np.intp]
    ours: NDArray[np.intp]
    theirs: NDArray[np.intp]


class Match(NamedTuple):
    """The labelled people of one image who have labels of a part, and what was found of it.

    Attributes:
        labels: (N, K, 3) NaN, NaN, 0 where unlabelled.
        found: (N, K, 3) points of the partner; NaN, NaN, 0 where there is none.
        sizes_px: (N,) of the part.
    """

    labels: NDArray[np.float64]
    found: NDArray[np.float64]
    sizes_px: NDArray[np.float64]


def part_points(skeleton: Skeleton, joints: Sequence[str], part: Part) -> PartPoints | None:
    """Return the points of a part that a skeleton and a data set share; None where there are none."""
    ours, theirs = part_columns(skeleton.joints, part), part_columns(joints, part)
    both = sorted(set(ours) & set(theirs))
    if not set(both) - ({0} if part in HAND_WRISTS else set()):
        return None
    return PartPoints(part, np.array(both), np.array([ours[k] for k in both]), np.array([theirs[k] for k in both]))


def labels_parts(skeleton: Skeleton, truth: GroundTruth) -> bool:
    """Say whether anybody has a label of a hand or a face that the model finds."""
    parts = [points for part in PARTS[1:] if (points := part_points(skeleton, truth.joints, part)) is not None]
    return any(image.labelled[:, points.theirs].any() for image in truth.images for points in parts)


def body_joints(skeleton: Skeleton, joints: Sequence[str]) -> dict[int, int]:
    """Return the joints that both have, without hands and faces: index in the skeleton to index in the data set."""
    others = {plain_name(name) for name in HAND_WRISTS.values()}
    for part in PARTS[1:]:
        columns = part_columns(skeleton.joints, part)
        others |= {plain_name(skeleton.joints[i]) for k, i in columns.items() if k or part == "face"}
    common = match_joints(skeleton.joints, joints)
    return {ours: theirs for ours, theirs in common.items() if plain_name(skeleton.joints[ours]) not in others}


def matches(
    people: Sequence[People2D],
    truth: GroundTruth,
    points: PartPoints,
    sizes_px: Sequence[NDArray[np.float64]],
    reach: float,
) -> Iterator[Match]:
    """Yield for each image the labels of a part, and what the right detection has of it.

    Args:
        people: the detections of each image.
        truth: the labels.
        points: the part.
        sizes_px: for each image (N,) size of the part of every person; NaN where it cannot be measured.
        reach: share of that size within which points are near, for people whose body has no label.
    """
    for found, image, sizes in zip(people, truth.images, sizes_px, strict=True):
        labels = image.keypoints[:, points.theirs]
        has = (labels[..., 2] > 0) & (points.numbers > 0 if points.part in HAND_WRISTS else True)
        wanted = has.any(axis=1) & ~image.crowd
        order = np.argsort(-found.scores, kind="stable")
        keypoints = found.keypoints[order]
        partner = _partners(keypoints, image, truth.joints, found.skeleton)
        partner = _by_part(keypoints[:, points.ours], labels, partner, wanted & np.isfinite(sizes), reach * sizes)
        nothing = np.full((1, len(points.ours), 3), np.nan)
        nothing[..., 2] = 0
        yield Match(
            labels[wanted], np.concatenate([keypoints[:, points.ours], nothing])[partner[wanted]], sizes[wanted]
        )


def _partners(
    keypoints: NDArray[np.float64], image: LabelledPeople, joints: Sequence[str], skeleton: Skeleton
) -> NDArray[np.intp]:
    """Return (N,) the detection of each person by the body, -1 for none and -2 for a person without a labelled body."""
    body = body_joints(skeleton, joints)
    labels = image.keypoints[:, list(body.values())]
    labelled = labels[..., 2] > 0
    # A wrist alone is a hand's, and tells nobody's body.
    wrists = np.isin(list(body), [skeleton.joints.index(name) for name in _WRISTS if name in skeleton.joints])
    partner = np.where(labelled[:, ~wrists].any(axis=1) & ~image.crowd, -1, -2).astype(np.intp)
    similarity = body_similarity(keypoints[:, list(body)], labels, image.areas, joint_sigmas(skeleton, body))
    similarity[:, partner == -2] = 0
    while similarity.size and similarity.max() >= LEAST_SIMILARITY:
        m, n = np.unravel_index(similarity.argmax(), similarity.shape)
        partner[n] = m
        similarity[m], similarity[:, n] = 0, 0
    return partner


def body_similarity(
    found: NDArray[np.float64], labels: NDArray[np.float64], areas: NDArray[np.float64], sigmas: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return COCO's object keypoint similarity (M, N) of detections (M, J, 3) and labelled people (N, J, 3).

    A joint that was not found has similarity 0; a person without labels is similar to nobody.
    """
    labelled = labels[..., 2] > 0
    square = ((found[:, None, :, :2] - labels[None, ..., :2]) ** 2).sum(axis=-1)
    exponent = square / (8 * sigmas**2 * np.maximum(areas, np.spacing(1.0))[:, None])
    similar = np.where(labelled, np.exp(-np.where(np.isnan(exponent), np.inf, exponent)), 0)
    return np.asarray(similar.sum(axis=-1) / np.maximum(labelled.sum(axis=-1), 1))


def _by_part(
    found: NDArray[np.float64],
    labels: NDArray[np.float64],
    partner: NDArray[np.intp],
    wanted: NDArray[np.bool_],
    reach_px: NDArray[np.float64],
) -> NDArray[np.intp]:
    """Return partners with those of people without a labelled body, whom the part tells; -1 for nobody."""
    free = np.setdiff1d(np.arange(len(found)), partner)
    alone = np.flatnonzero((partner == -2) & wanted)
    told = pair_people(found[free], labels[alone], reach_px[alone])
    out = np.maximum(partner, -1)
    out[alone] = np.append(free, -1)[told]
    return out
