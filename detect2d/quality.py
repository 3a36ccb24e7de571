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
    "balanced": Quality(240, (1.0, 2.0), mirror=False, pose_model="auto", passes=1),
    "best": Quality(240, (1.0, 1.6, 2.4), mirror=True, pose_model="auto", passes=2),
}

RECORDING = Quality(304, (1.0,), mirror=False, pose_model="auto", passes=1)
"""What recordings of a rig get unless told otherwise. People are large in their pictures, and several views correct
each other: in 3D it is as good as three scales (30 against 29 mm from OpenPose's joints on the sample) in half the
time."""


def suited_quality(model: str, *, recording: bool = False) -> Quality | None:
    """Return the preset that a body network gets unless told otherwise; None for networks that nobody has measured.

    Args:
        model: see `load_whole_body`.
        recording: of a rig, not pictures of any kind.
    """
    if model not in PUBLISHED_BODY:
        return None
    return RECORDING if recording else QUALITIES["balanced"]


def suited_whole_body(model: str, *, quality: Quality | None = None) -> WholeBodyOptions:
    """Return what is done with each person unless told otherwise.

    The published body network gets a second look, hands and faces. For other networks, which may be better than the
    one that would look again, or of no body at all, each has to be asked for.

    Args:
        model: see `load_whole_body`.
        quality: says which network looks again, and how often; `balanced` when None.
    """
    preset = quality or QUALITIES["balanced"]
    all_of_it = WholeBodyOptions(pose_model=preset.pose_model, passes=preset.passes)
    return all_of_it if model in PUBLISHED_BODY else replace(all_of_it, refine=False, hands=False, face=False)
