"""The hierarchy of a BVH: which joint hangs on which, how it stands at rest, and the points that say how it is turned.

At rest the person stands upright, arms out to the sides, palms down: y up, looking along z, so that left is x. Only
directions are set here; the lengths are the person's own.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.skeleton import Skeleton

Vector = tuple[float, float, float]

HIPS, NECK, HEAD = "hips", "neck", "head"
"""Points that a joint set need not have itself; the others are joints by name."""


class Bone(NamedTuple):
    """One joint of the hierarchy.

    Attributes:
        name: in the file, as animation programs know it.
        parent: the bone it hangs on, None for the root.
        at: the point where it sits.
        along: two points whose direction is known at rest; at least one turn of the bone follows from it.
        rest: that direction at rest.
        side: two points whose direction tells the twist about `along`; None where nothing does.
        bend: three points, a limb's; the normal of their plane tells the twist where the limb is bent.
        side_rest: the direction of `side`, or the normal of `bend`, at rest.
        most_twist_rad: a twist beyond it is that of a limb which noise has bent the wrong way, and is not believed.
        reaches: aim the bone from where it sits in the hierarchy at the point where its end was seen, and not along the
            direction between the two points seen. That keeps errors of lengths from adding up along a limb. Short bones
            would turn too far, and feet would stand askew.
    """

    name: str
    parent: str | None
    at: str
    along: tuple[str, str] | None = None
    rest: Vector = (0, 1, 0)
    side: tuple[str, str] | None = None
    bend: tuple[str, str, str] | None = None
    side_rest: Vector = (1, 0, 0)
    most_twist_rad: float = np.inf
    reaches: bool = False


def bones() -> list[Bone]:
    """Return all bones, each before those that hang on it, one branch after the other as BVH lists them."""
    trunk = [
        Bone("Hips", None, HIPS, ("RHip", "LHip"), (1, 0, 0), (HIPS, NECK), side_rest=(0, 1, 0)),
        # Where the hips are, for the pelvis and the trunk turn about the same point.
        Bone("Spine", "Hips", HIPS, (HIPS, NECK), (0, 1, 0), ("RShoulder", "LShoulder")),
        Bone("Neck", "Spine", NECK, (NECK, HEAD), (0, 1, 0), reaches=True),
        Bone("Head", "Neck", HEAD, (HEAD, "Nose"), (0, 0, 1), ("REar", "LEar")),
    ]
    return [*trunk, *_arm("Left"), *_arm("Right"), *_leg("Left"), *_leg("Right")]


def _arm(side: str) -> list[Bone]:
    s, out = side[0], 1.0 if side == "Left" else -1.0
    shoulder, elbow, wrist = f"{s}Shoulder", f"{s}Elbow", f"{s}Wrist"
    outwards = (out, 0.0, 0.0)
    palm = (f"{s}Little1", f"{s}Index1")
    arm = [
        Bone(f"{side}Shoulder", "Spine", NECK, (NECK, shoulder), outwards, reaches=True),
        # The forearm bends forward, so the normal of its plane points down on the left and up on the right.
        Bone(
            f"{side}Arm", f"{side}Shoulder", shoulder, (shoulder, elbow), outwards,
            bend=(shoulder, elbow, wrist), side_rest=(0, -out, 0), reaches=True,
        ),
        Bone(f"{side}ForeArm", f"{side}Arm", elbow, (elbow, wrist), outwards, reaches=True),
        Bone(f"{side}Hand", f"{side}ForeArm", wrist, (wrist, f"{s}Middle1"), outwards, palm, side_rest=(0, 0, 1)),
    ]  # fmt: skip
    for finger, called in zip(("Thumb", "Index", "Middle", "Ring", "Little"), FINGERS, strict=True):
        rest = (out, 0.0, 1.0) if finger == "Thumb" else outwards
        for i in range(1, 4):
            parent = f"{side}Hand" if i == 1 else f"{side}Hand{called}{i - 1}"
            ends = (f"{s}{finger}{i}", f"{s}{finger}{i + 1}")
            arm.append(Bone(f"{side}Hand{called}{i}", parent, ends[0], ends, rest))
    return arm


FINGERS = ("Thumb", "Index", "Middle", "Ring", "Pinky")
"""What animation programs call the fingers."""


def _leg(side: str) -> list[Bone]:
    s, out = side[0], 1.0 if side == "Left" else -1.0
    hip, knee, ankle, toe = (f"{s}{joint}" for joint in ("Hip", "Knee", "Ankle", "BigToe"))
    down, forward = (0.0, -1.0, 0.0), (0.0, -0.3, 1.0)  # the ankle is above the toes
    across = (out, 0.0, -0.4)  # the small toe is behind the big one
    return [
        # No thigh turns further about itself. Upper arms do, seen from the rest pose, where they are overhead.
        Bone(
            f"{side}UpLeg", "Hips", hip, (hip, knee), down,
            bend=(hip, knee, ankle), side_rest=(1, 0, 0), most_twist_rad=2.0, reaches=True,
        ),
        Bone(f"{side}Leg", f"{side}UpLeg", knee, (knee, ankle), down, reaches=True),
        Bone(f"{side}Foot", f"{side}Leg", ankle, (ankle, toe), forward, (toe, f"{s}SmallToe"), side_rest=across),
        Bone(f"{side}Toe", f"{side}Foot", toe),
    ]  # fmt: skip


def points_of(skeleton: Skeleton, X: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return the points that bones are made of, by name, from one person's joints (F, J, 3); NaN where not found.

    `hips` and `neck` are the joints of that name, or the middle of the hips and of the shoulders; `head` is the middle
    of the ears, or what else there is of the head where ears are seldom found.
    """
    points = {joint: X[:, j] for j, joint in enumerate(skeleton.joints)}
    none = np.full_like(X[:, 0], np.nan)

    def middle(pair: str) -> NDArray[np.float64]:
        return np.asarray((points.get(f"L{pair}", none) + points.get(f"R{pair}", none)) / 2)

    for name, joint, pair in ((HIPS, "MidHip", "Hip"), (NECK, "Neck", "Shoulder")):
        own = points.get(joint, none)
        points[name] = np.where(np.isfinite(own), own, middle(pair))
    choices = [middle("Ear"), *(points.get(joint, none) for joint in ("Nose", "Head", "HeadTop"))]
    frames = [int(np.isfinite(one[:, 0]).sum()) for one in choices]
    points[HEAD] = next(one for one, n in zip(choices, frames, strict=True) if 2 * n >= max(frames))
    return points
