"""Two opinions of one person, the body network's and the single-person network's, made into one.

The paper lets a single-person network refine what the part affinity fields found, only where both roughly agree. Here
each joint is weighed: the body network's joints are the better ones where it is sure of them, the single-person
network's where it is not, and their errors have little to do with each other, so a mean beats both.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from triskel.detect2d.single_person.blazepose import SinglePoses
from triskel.errors import InputError
from triskel.keypoints import People2D
from triskel.skeleton import BODY_25, Skeleton

_EARS = [BODY_25.index("REar"), BODY_25.index("LEar")]
_NOT_FEET = slice(0, 19)


@dataclass(frozen=True, kw_only=True)
class ReconcileOptions:
    """When two opinions are of one person, and how much each counts.

    The defaults were chosen on the 99 photographs of `shared/data/coco` (AP 35.1 of the body network alone at three
    scales up to 576 px, 42.3 with these; taking the single-person network's joints as they are was 5 worse).

    Attributes:
        least_presence: probability of a person in the square below which the second opinion is dropped.
        agreement: distance within which two positions of a joint agree, in lengths from the hips to the top of the
            stretched body.
        least_share: share of the body network's joints that must agree for the second opinion to count at all.
        least_joints: number of joints that must agree: two or three fit anything.
        apart: distance from which two positions are not averaged: the weightier one is taken.
        even_score: score of the body network at which both positions weigh the same; weights go by its square.
        ear_weight: factor on the single-person network's ears, which sit too far forward.
        least_visibility: joints that only the single-person network has count from this visibility on.
    """

    least_presence: float = 0.5
    agreement: float = 0.2
    least_share: float = 0.5
    least_joints: int = 4
    apart: float = 0.2
    even_score: float = 0.35
    ear_weight: float = 0.1
    least_visibility: float = 0.05

    def __post_init__(self) -> None:
        for name in ("least_presence", "least_share", "least_visibility"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is 0 to 1, got {getattr(self, name)}")


def to_body_25(people: People2D) -> People2D:
    """Return people of another joint set in BODY_25, by the joints' names; neck and mid-hip are made where they lack.

    The score that ranks people is multiplied by the square root of the share of joints found: of two people as sure as
    each other, the one of whom more was found is less often a false one.
    """
    here, there = BODY_25.shared(people.skeleton)
    keypoints = np.full((len(people), len(BODY_25), 3), np.nan)
    keypoints[..., 2] = 0
    keypoints[:, here] = people.keypoints[:, there]
    for middle, others in BODY_25.means:
        ends = keypoints[:, others]
        make = (keypoints[:, middle, 2] == 0) & (ends[..., 2] > 0).all(axis=1)
        keypoints[make, middle, :2] = ends[make, :, :2].mean(axis=1)
        keypoints[make, middle, 2] = ends[make, :, 2].min(axis=1)
    found = (people.keypoints[..., 2] > 0).sum(axis=1)
    scores = people.scores * np.sqrt(found / len(people.skeleton))
    return People2D(BODY_25, keypoints, scores)


def can_be_reconciled(skeleton: Skeleton) -> bool:
    """Say whether a joint set is of bodies: it has shoulders, wrists and hips under the usual names."""
    return all(f"{side}{joint}" in skeleton.joints for side in "LR" for joint in ("Shoulder", "Wrist", "Hip"))


def reconcile(
    people: People2D,
    poses: SinglePoses,
    index: NDArray[np.intp],
    *,
    image_wh: tuple[int, int],
    options: ReconcileOptions | None = None,
) -> People2D:
    """Join the two opinions of the people of one image.

    Args:
        people: in BODY_25, of the body network.
        poses: of B of them, of the single-person network.
        index: (B,) whose each is.
        image_wh: joints that only the single-person network has are dropped outside the image.
        options: the defaults when None.

    Returns:
        The same people in the same order; those without a second opinion that agrees are unchanged. A joint's score is
        the mean of score and visibility, weighed as the positions are; half the visibility where only the second
        opinion has it, which knows less of what hides a joint than of where it would be. A person's score falls, to
        half at most, with the share of joints that disagree.
    """
    options = options or ReconcileOptions()
    known = people.keypoints[index]
    score = known[..., 2]
    distance = np.linalg.norm(known[..., :2] - poses.xy, axis=-1) / poses.reach[:, None]
    have = score[:, _NOT_FEET] > 0
    agreeing = (have & (distance[:, _NOT_FEET] < options.agreement)).sum(axis=1)
    agree = agreeing / np.maximum(have.sum(axis=1), 1)
    same = (poses.presence > options.least_presence) & (agree >= options.least_share)
    same &= agreeing >= options.least_joints

    own = options.even_score**2 * np.sqrt(np.maximum(poses.visibility, 0.05))
    own[:, _EARS] *= options.ear_weight
    weight = score**2 / (score**2 + own)
    weight = np.where(distance > options.apart, np.round(weight), weight)
    inside = ((poses.xy >= -0.5) & (poses.xy < np.array(image_wh) - 0.5)).all(axis=-1)
    weight = np.where((score > 0) & ~inside, 1.0, weight)
    mixed = weight[..., None] * np.nan_to_num(known[..., :2]) + (1 - weight[..., None]) * poses.xy
    new_score = np.where(score > 0, weight * score + (1 - weight) * poses.visibility, 0.5 * poses.visibility)
    new = (score == 0) & inside & (poses.visibility >= options.least_visibility)
    use = same[:, None] & np.isfinite(poses.xy[..., 0]) & ((score > 0) | new)
    joined = np.concatenate([mixed, new_score[..., None]], axis=-1)
    keypoints = people.keypoints.copy()
    keypoints[index] = np.where(use[..., None], joined, known)
    # A person of whom the second opinion finds nothing is more often none.
    scores = people.scores.copy()
    scores[index] *= 0.5 + 0.5 * agree
    return replace(people, keypoints=keypoints, scores=scores)
