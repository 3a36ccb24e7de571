"""Joint sets by name: what the J axis of an array of keypoints means."""

import re
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from triskel.errors import ConfigError, shown

Colour = tuple[int, int, int]

_NAMES = (str, int, float)  # what YAML makes of a name such as 7


@dataclass(frozen=True)
class Skeleton:
    """Named joints, the limbs between them, and which joints swap when left becomes right.

    Attributes:
        name: e.g. `body_25`.
        joints: J names, in the order of the arrays.
        limbs: pairs of joint indices to draw; the second one gives the limb its colour.
        flips: (J) index of each joint's mirror image; its own where it has none.
        colours: one RGB triple a joint.
        sigmas: (J) spread of each joint's labels relative to the object's size, the constants of COCO's object keypoint
            similarity; None where nobody has measured them.
        means: joints that are not labelled but are the mean of others, as (joint, others): neck and mid-hip.
        redundant: further limbs, not drawn, that help a part affinity field network to tell people apart.
    """

    name: str
    joints: tuple[str, ...]
    limbs: tuple[tuple[int, int], ...]
    flips: tuple[int, ...]
    colours: tuple[Colour, ...]
    sigmas: tuple[float, ...] | None = None
    means: tuple[tuple[int, tuple[int, ...]], ...] = ()
    redundant: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        J = len(self.joints)
        where = f"skeleton {self.name!r}"
        if len(set(self.joints)) != J or J == 0:
            raise ConfigError(f"{where}: joints are unique names, at least one, got {self.joints}")
        if any(not 0 <= i < J for limb in (*self.limbs, *self.redundant) for i in limb):
            raise ConfigError(f"{where}: limbs name joints 0 to {J - 1}, got {(*self.limbs, *self.redundant)}")
        if len(self.flips) != J or any(not 0 <= i < J or self.flips[i] != j for j, i in enumerate(self.flips)):
            raise ConfigError(f"{where}: flips pair the {J} joints with each other, got {self.flips}")
        if len(self.colours) != J:
            raise ConfigError(f"{where}: there is one colour a joint, {J}, got {len(self.colours)}")
        if self.sigmas is not None and (len(self.sigmas) != J or not all(0 < sigma < 1 for sigma in self.sigmas)):
            raise ConfigError(f"{where}: sigmas are {J} numbers between 0 and 1, got {self.sigmas}")
        if any(
            not 0 <= i < J or not others or joint in others for joint, others in self.means for i in (joint, *others)
        ):
            raise ConfigError(f"{where}: means make a joint of other joints, got {self.means}")

    @cached_property
    def _index(self) -> dict[str, int]:
        return {joint: i for i, joint in enumerate(self.joints)}

    def index(self, joint: str) -> int:
        """Return the position of a joint.

        Raises:
            ConfigError: the skeleton has no such joint; the message lists those it has.
        """
        if joint not in self._index:
            raise ConfigError(f"skeleton {self.name!r} has no joint {joint!r}; it has {', '.join(self.joints)}")
        return self._index[joint]

    def __len__(self) -> int:
        return len(self.joints)

    def shared(self, other: "Skeleton") -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the indices, here and in `other`, of the joints that both have."""
        names = [joint for joint in self.joints if joint in other._index]
        here = np.array([self._index[joint] for joint in names], dtype=np.intp)
        there = np.array([other._index[joint] for joint in names], dtype=np.intp)
        return here, there


def _mirror(joint: str) -> str:
    """Return the name of the same joint on the other side: `RKnee` for `LKnee`, `right_knee` for `left_knee`."""
    if found := re.match(r"(left|right)(?=[_ -]|[A-Z])", joint):
        return ("right" if found[1] == "left" else "left") + joint[found.end() :]
    if len(joint) > 1 and joint[0] in "LR" and joint[1].isupper():
        return ("R" if joint[0] == "L" else "L") + joint[1:]
    return joint


def make_skeleton(
    name: str, joints: tuple[str, ...], limbs: tuple[tuple[int, int], ...], colours: tuple[Colour, ...] | None = None
) -> Skeleton:
    """Build a skeleton, pairing joints of left and right by name, with a colour circle where no colours are given."""
    index = {joint: i for i, joint in enumerate(joints)}
    flips = tuple(index.get(_mirror(joint), i) for i, joint in enumerate(joints))
    return Skeleton(name, joints, limbs, flips, colours or _colour_circle(len(joints)))


def _colour_circle(count: int) -> tuple[Colour, ...]:
    """Return `count` saturated colours around the hue circle."""
    hue = np.arange(count)[:, None] / max(count, 1) + np.array([0, 2 / 3, 1 / 3])
    rgb = np.clip(np.abs((hue % 1) * 6 - 3) - 1, 0, 1) * 255
    return tuple((int(r), int(g), int(b)) for r, g, b in rgb)


def load_skeleton(path: str | Path) -> Skeleton:
    """Read a joint set of your own from YAML.

    Keys: `name`, `joints`, `limbs` (pairs of joint names); optional `colours` (RGB triples), `flips` (pairs of joints
    that swap in a mirror; by default LKnee and RKnee, left_knee and right_knee), `sigmas` (joint: spread, all or none),
    `means` (joint: list of the joints it is the mean of), `redundant` (pairs of joint names).

    Raises:
        ConfigError: the file cannot be read, a key is unknown or missing, or a limb names no joint.
    """
    path = Path(path)
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read as a YAML skeleton: {str(error).splitlines()[0]}") from error
    needed = {"name", "joints", "limbs"}
    known = needed | {"colours", "flips", "sigmas", "means", "redundant"}
    if not isinstance(data, dict) or set(data) - known or needed - set(data):
        keys = sorted(map(str, data)) if isinstance(data, dict) else type(data).__name__
        optional = ", ".join(sorted(known - needed))
        raise ConfigError(f"{path}: a skeleton has the keys name, joints, limbs and optionally {optional}, got {keys}")
    if not isinstance(data["joints"], list) or not all(isinstance(one, _NAMES) for one in data["joints"]):
        raise ConfigError(f"{path}: joints is a list of names, got {shown(data['joints'])}")
    if not isinstance(data["name"], _NAMES):
        raise ConfigError(f"{path}: name is a text, got {shown(data['name'])}")
    joints = tuple(map(str, data["joints"]))
    try:
        return _skeleton(str(data["name"]), joints, data)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigError(
            f"{path}: limbs are pairs of joint names, as redundant and flips; means and sigmas are by joint name, "
            f"colours are RGB triples: {error}"
        ) from error


def _skeleton(name: str, joints: tuple[str, ...], data: dict[str, Any]) -> Skeleton:
    """Build a skeleton from the parsed file; wrong types and names raise what Python raises."""

    def pairs(key: str) -> tuple[tuple[int, int], ...]:
        return tuple((joints.index(a), joints.index(b)) for a, b in data.get(key) or ())

    colours = tuple((int(r), int(g), int(b)) for r, g, b in data["colours"]) if "colours" in data else None
    made = make_skeleton(name, joints, pairs("limbs"), colours)
    flips = list(made.flips)
    for a, b in pairs("flips"):
        flips[a], flips[b] = b, a
    sigmas = data.get("sigmas")
    return replace(
        made,
        flips=tuple(flips),
        redundant=pairs("redundant"),
        sigmas=None if sigmas is None else tuple(float(sigmas[joint]) for joint in joints),
        means=tuple(
            (joints.index(joint), tuple(joints.index(other) for other in others))
            for joint, others in (data.get("means") or {}).items()
        ),
    )


# Joint orders are facts of the formats they come from: OpenPose's output documentation, COCO, MPII.
_BODY_25_JOINTS = tuple(
    "Nose Neck RShoulder RElbow RWrist LShoulder LElbow LWrist MidHip RHip RKnee RAnkle LHip LKnee LAnkle "
    "REye LEye REar LEar LBigToe LSmallToe LHeel RBigToe RSmallToe RHeel".split()
)
_COCO_18_JOINTS = _BODY_25_JOINTS[:8] + _BODY_25_JOINTS[9:19]
_COCO_17_JOINTS = tuple(
    "Nose LEye REye LEar REar LShoulder RShoulder LElbow RElbow LWrist RWrist LHip RHip LKnee RKnee "
    "LAnkle RAnkle".split()
)
_BODY_25B_JOINTS = (*_COCO_17_JOINTS, "UpperNeck", "HeadTop", *_BODY_25_JOINTS[19:])
_MPII_15_JOINTS = ("Head", *_BODY_25_JOINTS[1:8], *_BODY_25_JOINTS[9:15], "Chest")

_BODY_25_COLOURS: tuple[Colour, ...] = (
    (255, 0, 85), (255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0), (0, 255, 0),
    (255, 0, 0), (0, 255, 85), (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255), (0, 0, 255), (255, 0, 170),
    (170, 0, 255), (255, 0, 255), (85, 0, 255), *[(0, 0, 255)] * 3, *[(0, 255, 255)] * 3,
)  # fmt: skip
_BODY_LIMBS = (
    "Neck-MidHip Neck-RShoulder RShoulder-RElbow RElbow-RWrist Neck-LShoulder LShoulder-LElbow LElbow-LWrist "
    "MidHip-RHip RHip-RKnee RKnee-RAnkle MidHip-LHip LHip-LKnee LKnee-LAnkle Neck-Nose Nose-REye REye-REar "
    "Nose-LEye LEye-LEar LAnkle-LBigToe LBigToe-LSmallToe LAnkle-LHeel RAnkle-RBigToe RBigToe-RSmallToe RAnkle-RHeel "
    # Where a set has no neck or mid-hip:
    "Neck-RHip Neck-LHip Neck-Head Neck-Chest Chest-RHip Chest-LHip LShoulder-RShoulder LHip-RHip LShoulder-LHip "
    "RShoulder-RHip UpperNeck-HeadTop Nose-UpperNeck"
).split()
_ONLY_WITHOUT = {
    "Neck-RHip": {"MidHip", "Chest"}, "Neck-LHip": {"MidHip", "Chest"}, "LShoulder-RShoulder": {"Neck"},
    "LHip-RHip": {"MidHip", "Neck"}, "LShoulder-LHip": {"Neck"}, "RShoulder-RHip": {"Neck"},
}  # fmt: skip


# Spread of labels relative to the person's size, one side of the body: COCO's published constants; neck and head like
# shoulders and ears; feet from COCO-WholeBody, the mean of both sides.
_SPREAD = {
    "Nose": 0.026, "Eye": 0.025, "Ear": 0.035, "Shoulder": 0.079, "Elbow": 0.072, "Wrist": 0.062, "Hip": 0.107,
    "Knee": 0.087, "Ankle": 0.089, "BigToe": 0.080, "SmallToe": 0.080, "Heel": 0.080, "Neck": 0.079, "MidHip": 0.107,
    "Head": 0.035, "HeadTop": 0.035, "UpperNeck": 0.079, "Chest": 0.107,
}  # fmt: skip
# The same for one hand, wrist to little finger, and for the 68 points of the face, from COCO-WholeBody.
_HAND_SPREAD = (
    0.029, 0.022, 0.035, 0.037, 0.047, 0.026, 0.025, 0.024, 0.035, 0.018, 0.024, 0.022, 0.026, 0.017, 0.021, 0.021,
    0.032, 0.020, 0.019, 0.022, 0.031,
)  # fmt: skip
_FACE_SPREAD = (
    0.042, 0.043, 0.044, 0.043, 0.040, 0.035, 0.031, 0.025, 0.020, 0.023, 0.029, 0.032, 0.037, 0.038, 0.043, 0.041,
    0.045, 0.013, 0.012, 0.011, 0.011, 0.012, 0.012, 0.011, 0.011, 0.013, 0.015, 0.009, 0.007, 0.007, 0.007, 0.012,
    0.009, 0.008, 0.016, 0.010, 0.017, 0.011, 0.009, 0.011, 0.009, 0.007, 0.013, 0.008, 0.011, 0.012, 0.010, 0.034,
    0.008, 0.008, 0.009, 0.008, 0.008, 0.007, 0.010, 0.008, 0.009, 0.009, 0.009, 0.007, 0.007, 0.008, 0.011, 0.008,
    0.008, 0.008, 0.010, 0.008,
)  # fmt: skip
_MEANS = {"Neck": ("LShoulder", "RShoulder"), "MidHip": ("LHip", "RHip")}


def _body(name: str, joints: tuple[str, ...]) -> Skeleton:
    """Build a body skeleton from the common limbs and the colours of BODY_25."""
    limbs = []
    for limb in _BODY_LIMBS:
        a, b = limb.split("-")
        if a in joints and b in joints and not _ONLY_WITHOUT.get(limb, set()) & set(joints):
            limbs.append((joints.index(a), joints.index(b)))
    by_name = dict(zip(_BODY_25_JOINTS, _BODY_25_COLOURS, strict=True))
    colours = tuple(by_name.get(joint, (255, 0, 0)) for joint in joints)
    # MPII labels the neck itself.
    means = tuple(
        (joints.index(joint), tuple(joints.index(other) for other in others))
        for joint, others in _MEANS.items()
        if joint in joints and "Nose" in joints
    )
    sigmas = tuple(_SPREAD.get(joint, _SPREAD.get(joint[1:], 0)) for joint in joints)
    # Without a neck nothing that is drawn joins the head to the body.
    ears = [(joints.index(f"{side}Ear"), joints.index(f"{side}Shoulder")) for side in "LR" if "Neck" not in joints]
    made = make_skeleton(name, joints, tuple(limbs), colours)
    return replace(made, sigmas=sigmas, means=means, redundant=tuple(ears))


def _hand(name: str, prefix: str) -> Skeleton:
    fingers = ("Thumb", "Index", "Middle", "Ring", "Little")
    joints = (f"{prefix}Wrist", *(f"{prefix}{finger}{i}" for finger in fingers for i in range(1, 5)))
    limbs = tuple((0 if i == 0 else 4 * f + i, 4 * f + i + 1) for f in range(5) for i in range(4))
    hues = ((230, 53, 40), (230, 204, 40), (80, 200, 60), (60, 160, 230), (190, 70, 220))
    made = make_skeleton(name, joints, limbs, ((160, 160, 160), *(hues[f] for f in range(5) for _ in range(4))))
    return replace(made, sigmas=_HAND_SPREAD)


def _face() -> Skeleton:
    """Build the 68 points of the usual face mark-up and the two pupils; flips follow that mark-up's symmetry."""
    chains = [range(17), range(17, 22), range(22, 27), range(27, 31), range(31, 36)]
    rings = [range(36, 42), range(42, 48), range(48, 60), range(60, 68)]
    limbs = [(i, i + 1) for chain in (*chains, *rings) for i in chain[:-1]] + [(ring[-1], ring[0]) for ring in rings]
    pairs = [(i, 16 - i) for i in range(17)] + [(17 + i, 26 - i) for i in range(10)]
    pairs += [(31 + i, 35 - i) for i in range(5)]
    pairs += [(36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46), (68, 69)]
    pairs += [(48 + i, 54 - i) for i in range(7)] + [(55 + i, 59 - i) for i in range(5)]
    pairs += [(60 + i, 64 - i) for i in range(5)] + [(65 + i, 67 - i) for i in range(3)]
    flips = list(range(70))
    for a, b in pairs:
        flips[a], flips[b] = b, a
    # The mean of both sides, as for the feet; nobody has labelled pupils, which are as sharp as the lids around them.
    eyes = float(np.mean(_FACE_SPREAD[36:48]))
    spread = np.array((*_FACE_SPREAD, eyes, eyes))
    sigmas = tuple(((spread + spread[flips]) / 2).round(4).tolist())
    joints = tuple(f"Face{i}" for i in range(70))
    return Skeleton("face_70", joints, tuple(limbs), tuple(flips), ((230, 230, 230),) * 70, sigmas)


def _whole_body() -> Skeleton:
    """Join body + feet (25), both hands without their wrists (20 each) and the face (70): 135 points."""
    parts = [(BODY_25, 0), (_hand("left", "L"), 1), (_hand("right", "R"), 1), (FACE_70, 0)]
    joints = tuple(joint for part, skip in parts for joint in part.joints[skip:])
    at = {joint: i for i, joint in enumerate(joints)}
    limbs = tuple((at[p.joints[a]], at[p.joints[b]]) for p, _ in parts for a, b in p.limbs)
    colours = tuple(colour for part, skip in parts for colour in part.colours[skip:])
    flips = [at[_mirror(joint)] for joint in joints]
    flips[-70:] = [i + len(joints) - 70 for i in FACE_70.flips]
    sigmas = tuple(sigma for part, skip in parts for sigma in (part.sigmas or ())[skip:])
    return Skeleton("whole_body_135", joints, limbs, tuple(flips), colours, sigmas, BODY_25.means)


BODY_25 = _body("body_25", _BODY_25_JOINTS)
BODY_25B = _body("body_25b", _BODY_25B_JOINTS)
COCO_18 = _body("coco_18", _COCO_18_JOINTS)
COCO_17 = _body("coco_17", _COCO_17_JOINTS)
MPII_15 = _body("mpii_15", _MPII_15_JOINTS)
HAND_21 = _hand("hand_21", "")
FACE_70 = _face()
WHOLE_BODY_135 = _whole_body()

SKELETONS = {s.name: s for s in (BODY_25, BODY_25B, COCO_18, COCO_17, MPII_15, HAND_21, FACE_70, WHOLE_BODY_135)}


def get_skeleton(name: str) -> Skeleton:
    """Return a built-in joint set by name.

    Raises:
        ConfigError: there is none of that name; the message lists those there are.
    """
    if name not in SKELETONS:
        raise ConfigError(f"no skeleton is called {name!r}; there are {', '.join(SKELETONS)}")
    return SKELETONS[name]
