"""From detections and labels to every figure: which joints are compared, and in which groups."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from triskel.detect2d.datasets import match_joints
from triskel.detect2d.datasets.joint_names import plain_name
from triskel.detect2d.evaluation.ground_truth import GroundTruth
from triskel.detect2d.evaluation.oks import OksScores, coco_results, joint_sigmas, score_oks
from triskel.detect2d.evaluation.pck import PckhScores, PckScores, score_pck, score_pckh
from triskel.errors import ConfigError
from triskel.keypoints import People2D
from triskel.skeleton import Skeleton

Metric = Literal["oks", "pck", "pckh"]
METRICS: tuple[Metric, ...] = get_args(Metric)

_FEET = {f"{side}{part}" for side in "lr" for part in ("bigtoe", "smalltoe", "heel")}


@dataclass(frozen=True, eq=False)
class JointGroup:
    """Joints that are scored together.

    Attributes:
        name: `foot`, and `body` for all that is no foot, of whatever the skeleton is of.
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
    """

    oks: Mapping[str, OksScores]
    pck: PckScores | None
    pckh: PckhScores | None

    def headline(self) -> dict[str, float]:
        """Return the figures of the table: AP, AP50, AP75, APM, APL, AR, PCK@0.2, PCKh@0.5; NaN where there is none."""
        first = next(iter(self.oks.values()), None)
        numbers = first.figures if first else {}
        row = {name: numbers.get(name, np.nan) for name in ("AP", "AP50", "AP75", "APM", "APL", "AR")}
        row["PCK@0.2"] = self.pck.at() if self.pck else np.nan
        row["PCKh@0.5"] = self.pckh.at() if self.pckh else np.nan
        return row


def joint_groups(skeleton: Skeleton, truth: GroundTruth) -> tuple[JointGroup, ...]:
    """Return what is scored together: feet apart from the body, where there are both, as the paper has it.

    Raises:
        ConfigError: the model and the data set have no joint in common.
    """
    common = match_joints(skeleton.joints, truth.joints)
    if not common:
        raise ConfigError(
            f"{truth.annotations}: has no joint of the model ({skeleton.name}); the data set has "
            f"{', '.join(truth.joints)}, the model {', '.join(skeleton.joints)}"
        )
    by_label = dict(sorted(common.items(), key=lambda item: item[1]))
    feet = {ours: theirs for ours, theirs in by_label.items() if plain_name(skeleton.joints[ours]) in _FEET}
    body = {ours: theirs for ours, theirs in by_label.items() if ours not in feet}
    groups = (JointGroup("body", body), JointGroup("foot", feet))
    return tuple(group for group in groups if group.joints)


def joints_left_out(skeleton: Skeleton, truth: GroundTruth) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the joints that are not compared: those that only the model has, and those that only the data set has."""
    common = match_joints(skeleton.joints, truth.joints)
    ours = tuple(joint for i, joint in enumerate(skeleton.joints) if i not in common)
    theirs = tuple(joint for i, joint in enumerate(truth.joints) if i not in common.values())
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
        InputError: nobody in the data set has a label of those joints.
    """
    groups = joint_groups(skeleton, truth)
    oks = {}
    if "oks" in metrics:
        for group in groups:
            labels = truth.select(list(group.joints.values()))
            if labels.people or group is groups[0]:
                oks[group.name] = score_oks(coco_results(people, labels), labels, joint_sigmas(skeleton, group.joints))
    every = truth.select([theirs for group in groups for theirs in group.joints.values()])
    return Scores(
        oks=oks,
        pck=score_pck(people, every) if "pck" in metrics else None,
        pckh=score_pckh(people, every) if "pckh" in metrics else None,
    )
