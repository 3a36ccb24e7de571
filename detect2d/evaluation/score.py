"""From detections and labels to every figure: which joints are compared, and in which groups."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from triskel.detect2d.datasets import match_joints
from triskel.detect2d.datasets.joint_names import plain_name
from triskel.detect2d.evaluation.faces import FaceScores, score_faces
from triskel.detect2d.evaluation.ground_truth import GroundTruth
from triskel.detect2d.evaluation.hands import HandScores, Side, hand_pck, score_hands
from triskel.detect2d.evaluation.oks import OksScores, coco_results, joint_sigmas, score_oks
from triskel.detect2d.evaluation.partners import body_joints, part_points
from triskel.detect2d.evaluation.pck import PckhScores, PckScores, score_pck, score_pckh
from triskel.errors import ConfigError
from triskel.keypoints import People2D
from triskel.skeleton import Skeleton
from triskel.whole_body import PARTS

Metric = Literal["oks", "pck", "pckh", "hand", "face"]
METRICS: tuple[Metric, ...] = get_args(Metric)

_FEET = {f"{side}{part}" for side in "lr" for part in ("bigtoe", "smalltoe", "heel")}


@dataclass(frozen=True, eq=False)
class JointGroup:
    """Joints that are scored together.

    Attributes:
        name: `foot`, and `body` for all that is neither that nor, beside a body, hands and face: of whatever the
            skeleton is of.
        joints: position in the skeleton to position in the data set.
    """

    name: str
    joints: Mapping[int, int]


@dataclass(frozen=True, eq=False)
class Scores:
    """The figures of one run; None for what was not asked for.

    Attributes:
        oks: by the name of the group of joints; the first one is the headline.
        pck: over all joints compared.
        pckh: likewise.
        hand: by side; empty where the data set or the model has none.
        face: None where the data set or the model has none.
    """

    oks: Mapping[str, OksScores]
    pck: PckScores | None
    pckh: PckhScores | None
    hand: Mapping[Side, HandScores] = field(default_factory=dict)
    face: FaceScores | None = None

    def headline(self) -> dict[str, float]:
        """Return the figures of the table: AP, AP50, AP75, APM, APL, AR, PCK@0.2, PCKh@0.5; NaN where there is none.

        Where there are hands and faces also hand PCK@0.2 and face NME, of which less is better.
        """
        first = next(iter(self.oks.values()), None)
        numbers = first.figures if first else {}
        row = {name: numbers.get(name, np.nan) for name in ("AP", "AP50", "AP75", "APM", "APL", "AR")}
        row["PCK@0.2"] = self.pck.at() if self.pck else np.nan
        row["PCKh@0.5"] = self.pckh.at() if self.pckh else np.nan
        if self.hand:
            row["hand PCK@0.2"] = hand_pck(self.hand)
        if self.face:
            row["face NME"] = self.face.nme
        return row


def joint_groups(skeleton: Skeleton, truth: GroundTruth) -> tuple[JointGroup, ...]:
    """Return what is scored together: feet apart from the body, where there are both, as the paper has it.

    Hands and faces have figures of their own and are in no group, unless they are all there is.

    Raises:
        ConfigError: the model and the data set have no joint in common.
    """
    common = match_joints(skeleton.joints, truth.joints)
    if not common:
        raise ConfigError(
            f"{truth.annotations}: has no joint of the model ({skeleton.name}); the data set has "
            f"{', '.join(truth.joints)}, the model {', '.join(skeleton.joints)}"
        )
    common = body_joints(skeleton, truth.joints) or common
    by_label = dict(sorted(common.items(), key=lambda item: item[1]))
    feet = {ours: theirs for ours, theirs in by_label.items() if plain_name(skeleton.joints[ours]) in _FEET}
    body = {ours: theirs for ours, theirs in by_label.items() if ours not in feet}
    groups = (JointGroup("body", body), JointGroup("foot", feet))
    return tuple(group for group in groups if group.joints)


def joints_left_out(skeleton: Skeleton, truth: GroundTruth) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the joints that are not compared: those that only the model has, and those that only the data set has."""
    common = match_joints(skeleton.joints, truth.joints)
    parts = [points for part in PARTS[1:] if (points := part_points(skeleton, truth.joints, part)) is not None]
    compared = set(common.values()).union(*(points.theirs.tolist() for points in parts))
    ours = tuple(joint for i, joint in enumerate(skeleton.joints) if i not in common)
    theirs = tuple(joint for i, joint in enumerate(truth.joints) if i not in compared)
    return ours, theirs


def score(
    people: Sequence[People2D], truth: GroundTruth, skeleton: Skeleton, *, metrics: Collection[Metric] = METRICS
) -> Scores:
    """Score the people found in each image of a ground truth.

    Args:
        people: one entry an image of `truth`, in its order.
        truth: the labels.
        skeleton: the detections' joints; those that the data set has are compared, by name.
        metrics: what to compute.

    Raises:
        ConfigError: there is no joint in common.
        InputError: nobody in the data set has a label of those joints, nor of hands or faces.
    """
    groups = joint_groups(skeleton, truth)
    hand = score_hands(people, truth, skeleton) if "hand" in metrics else {}
    face = score_faces(people, truth, skeleton) if "face" in metrics else None
    oks = {}
    if "oks" in metrics:
        for group in groups:
            labels = truth.select(list(group.joints.values()))
            if labels.people or (group is groups[0] and not hand and not face):
                oks[group.name] = score_oks(coco_results(people, labels), labels, joint_sigmas(skeleton, group.joints))
    every = truth.select([theirs for group in groups for theirs in group.joints.values()])
    return Scores(
        oks=oks,
        pck=score_pck(people, every) if "pck" in metrics else None,
        pckh=score_pckh(people, every) if "pckh" in metrics else None,
        hand=hand,
        face=face,
    )
