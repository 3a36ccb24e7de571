"""The parts of a joint set: which joints are body, left hand, right hand and face, and hands with their wrists."""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from triskel.skeleton import BODY_25, WHOLE_BODY_135, Skeleton

Part = Literal["body", "left_hand", "right_hand", "face"]
PARTS: tuple[Part, ...] = get_args(Part)

_SIZES = (25, 20, 20, 70)
_STARTS = np.cumsum((0, *_SIZES))

WRISTS = {"left_hand": BODY_25.index("LWrist"), "right_hand": BODY_25.index("RWrist")}
"""The joint of the body that is a hand's first point."""


def parts_of(skeleton: Skeleton) -> dict[Part, NDArray[np.intp]]:
    """Return the joints of each part of a skeleton; a skeleton that is not the whole body is all `body`.

    In `WHOLE_BODY_135`: body and feet 0 to 24 in the order of BODY_25, left hand 25 to 44, right hand 45 to 64 (each
    thumb to little finger, four points from the palm to the tip), face 65 to 134 (68 points and the two pupils).
    """
    if skeleton.joints != WHOLE_BODY_135.joints:
        return {"body": np.arange(len(skeleton), dtype=np.intp)}
    return {
        part: np.arange(start, start + size, dtype=np.intp)
        for part, start, size in zip(PARTS, _STARTS, _SIZES, strict=False)
    }


def part_names(skeleton: Skeleton) -> tuple[Part, ...]:
    """Return the name of each joint's part, in the order of the joints."""
    names: list[Part] = ["body"] * len(skeleton)
    for part, joints in parts_of(skeleton).items():
        for joint in joints:
            names[joint] = part
    return tuple(names)


def hand_with_wrist(values: NDArray[np.float64], part: Literal["left_hand", "right_hand"]) -> NDArray[np.float64]:
    """Return a hand's 21 points (..., 21, D) out of those of the whole body (..., 135, D); the wrist is the body's."""
    joints = np.r_[WRISTS[part], parts_of(WHOLE_BODY_135)[part]]
    return np.asarray(values[..., joints, :])
