"""Which parts of people are looked for, and with what."""

from dataclasses import dataclass
from typing import Literal

from triskel.errors import InputError
from triskel.skeleton import BODY_25, WHOLE_BODY_135, Skeleton

PoseModel = Literal["auto", "blazepose_heavy", "blazepose_full"]
Runtime = Literal["auto", "torch", "litert"]


@dataclass(frozen=True, kw_only=True)
class WholeBodyOptions:
    """What is done with each person that the body network found.

    Attributes:
        body: keep the body's joints in the result; without them hands and faces alone are left.
        feet: keep toes and heels.
        hands: look for the hands.
        face: look for the face.
        refine: look at each person again with a network for one person, which also gives the feet.
        pose_model: that network; `auto` takes `blazepose_heavy` where it is at hand or can be fetched.
        passes: how often it looks at each person, 1 or 2.
        hand_model: `mediapipe_hand`, `hand` (OpenPose's weights, imported), or a .safetensors file of HAND_21.
        face_model: `mediapipe_face`, `face` (OpenPose's weights, imported), or a .safetensors file of FACE_70.
        hand_scales: sizes of the box tried for each hand by a heat-map network; the best 6, for six times the time.
            `mediapipe_hand`, which looks twice, takes one.
        track_hands: in videos, let a hand that was seen well give the next frame's box.
        least_hand_score: hand points below it count as missing. `mediapipe_hand` has one score for all points of a
            hand, lower towards the picture's border: how sure it is of a hand, and of this one.
        least_face_score: face points below it count as missing; likewise one score a face.
        runtime: what the published networks run on; see `triskel.detect2d.crop_networks`.
    """

    body: bool = True
    feet: bool = True
    hands: bool = True
    face: bool = True
    refine: bool = True
    pose_model: PoseModel = "auto"
    passes: int = 1
    hand_model: str = "mediapipe_hand"
    face_model: str = "mediapipe_face"
    hand_scales: int = 1
    track_hands: bool = True
    least_hand_score: float = 0.0
    least_face_score: float = 0.0
    runtime: Runtime = "auto"

    def __post_init__(self) -> None:
        if not (self.body or self.feet or self.hands or self.face):
            raise InputError("nothing to look for: body, feet, hands and face are all off")
        for name in ("least_hand_score", "least_face_score"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is 0 to 1, got {getattr(self, name)}")
        if self.hands and self.hand_model == "mediapipe_hand" and self.hand_scales > 1:
            raise InputError(
                f"hand_scales are for heat-map networks of hands; mediapipe_hand takes 1, got {self.hand_scales}"
            )
        for name, most in (("passes", 2), ("hand_scales", 20)):
            if not 1 <= getattr(self, name) <= most:
                raise InputError(f"{name} is 1 to {most}, got {getattr(self, name)}")

    def skeleton(self, of_network: Skeleton) -> Skeleton:
        """Return the joints of the result: the whole body's, the body's with feet, or what the body network has."""
        if self.hands or self.face:
            return WHOLE_BODY_135
        return BODY_25 if self.refine else of_network


PAF_ALONE = WholeBodyOptions(refine=False, hands=False, face=False)
"""What the part affinity field network finds, and nothing else."""
