"""Presets that trade time for accuracy, chosen by measurement; `docs/quality.md` has the table."""

from dataclasses import dataclass, replace
from typing import Literal, get_args

from triskel.detect2d.options import DetectOptions
from triskel.detect2d.whole_body_options import PoseModel, WholeBodyOptions

QualityName = Literal["fast", "balanced", "best"]
QUALITY_NAMES: tuple[QualityName, ...] = get_args(QualityName)


@dataclass(frozen=True)
class Quality:
    """How the body network runs, and the second look at each person.

    Attributes:
        short_side: see `DetectOptions`, as the next two.
        scales: sizes averaged.
        mirror: whether the mirrored picture is averaged in.
        pose_model: see `WholeBodyOptions`, as the next.
        passes: how often each person is looked at.
    """

    short_side: int
    scales: tuple[float, ...]
    mirror: bool
    pose_model: PoseModel
    passes: int

    def detect_options(self) -> DetectOptions:
        """Return the body network's options."""
        return DetectOptions(short_side=self.short_side, scales=self.scales, mirror=self.mirror)


PUBLISHED_BODY = ("body", "mobilenet_thin")
"""The body network that the presets, and the second look, were measured with."""

QUALITIES: dict[QualityName, Quality] = {
    "fast": Quality(304, (1.0,), mirror=False, pose_model="blazepose_full", passes=1),
    "balanced": Quality(304, (0.7, 1.0, 1.3), mirror=False, pose_model="auto", passes=1),
    "best": Quality(400, (0.7, 1.0, 1.3), mirror=True, pose_model="auto", passes=2),
}


def suited_quality(model: str) -> QualityName | None:
    """Return the preset that a body network gets unless told otherwise; None for networks that nobody has measured."""
    return "balanced" if model in PUBLISHED_BODY else None


def suited_whole_body(model: str, *, quality: QualityName | None = "balanced") -> WholeBodyOptions:
    """Return what is done with each person unless told otherwise.

    The published body network gets a second look, hands and faces. For other networks, which may be better than the
    one that would look again, or of no body at all, each has to be asked for.
    """
    preset = QUALITIES[quality or "balanced"]
    all_of_it = WholeBodyOptions(pose_model=preset.pose_model, passes=preset.passes)
    return all_of_it if model in PUBLISHED_BODY else replace(all_of_it, refine=False, hands=False, face=False)
