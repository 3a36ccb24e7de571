"""People as lines and balls: which part of a body is drawn how thick, in which colours."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.motion import Motion3D
from triskel.viewer.scene import BACKGROUND, Balls, Lines, person_tint
from triskel.whole_body import Part, part_names, parts_of

TINT_SHARE, GAP_SHARE = 0.45, 0.35
"""How much of the person's colour goes into a limb, and what is left of it where the joint was interpolated."""

FINE_LIMB_M = 0.16
"""Limbs of the body shorter than this (head, toes) are thinner."""


class Radii(NamedTuple):
    """How thick a part is drawn: `limb` and `joint`, m, and how many `sides` make them round."""

    limb: float
    joint: float
    sides: int


BODY, FINE_BODY = Radii(0.022, 0.030, 12), Radii(0.010, 0.018, 12)
FINE_PARTS: dict[Part, Radii] = {
    "left_hand": Radii(0.0050, 0.0066, 8),
    "right_hand": Radii(0.0050, 0.0066, 8),
    "face": Radii(0.0022, 0.0028, 6),
}
"""A finger is 16 mm thick and its neighbour 20 mm away; the eyelids are 8 mm apart: thicker lines run together."""

HEAD_JOINTS = ("Nose", "REye", "LEye", "REar", "LEar")
HEAD_RADIUS_M = 0.004
"""Of the body's lines and joints in a face that was found: as they are without one, they would cover it. For the same
reason the neck is drawn fine then."""

LEAST_FACE = 10
"""Points of a face, from which on it is one."""


@dataclass(frozen=True, eq=False)
class Figures:
    """One part of all people of a motion: always the same number of lines and balls, so that a mesh keeps its shape.

    Attributes:
        motion: people in 3D.
        part: of the body.
        joints: (P,) those of the part.
        limbs: (L, 2) those whose second joint is of the part: from the wrist on it is the hand.
        limb_radii: (N, L) m.
        joint_radii: (N, P) m.
        sides: how many make a line or ball round.
    """

    motion: Motion3D
    part: Part
    joints: NDArray[np.intp]
    limbs: NDArray[np.intp]
    limb_radii: NDArray[np.float64]
    joint_radii: NDArray[np.float64]
    sides: int

    def lines(self, frame: int) -> Lines:
        """Return the limbs of all people in one frame, N * L of them; NaN where an end is missing."""
        motion, limbs = self.motion, self.limbs
        ends = motion.points.X[frame][:, limbs].reshape(-1, 2, 3)
        ends = np.where(np.isfinite(ends).all(axis=(1, 2), keepdims=True), ends, np.nan)
        # A limb has the colour of its second joint and is as dim as the dimmer of its ends.
        base = joint_colours(motion, frame, limbs[:, 1])
        other_gap = motion.gap[frame][:, limbs[:, 0]] & ~motion.gap[frame][:, limbs[:, 1]]
        colours = np.where(other_gap[..., None], _dim(base), base).reshape(-1, 3)
        at_head = np.isin(limbs, self._head()).sum(axis=-1)
        most = np.array([np.inf, FINE_BODY.limb, HEAD_RADIUS_M])[at_head]
        return Lines(ends, colours, self._finer(frame, self.limb_radii, most))

    def balls(self, frame: int) -> Balls:
        """Return the joints of all people in one frame, N * P of them; NaN where missing."""
        most = np.where(np.isin(self.joints, self._head()), HEAD_RADIUS_M, np.inf)
        radius = self._finer(frame, self.joint_radii, most)
        colours = joint_colours(self.motion, frame, self.joints).reshape(-1, 3)
        return Balls(self.motion.points.X[frame][:, self.joints].reshape(-1, 3), colours, radius)

    def _head(self) -> list[int]:
        names = self.motion.skeleton.joints
        return [names.index(name) for name in HEAD_JOINTS if name in names] if self.part == "body" else []

    def _finer(self, frame: int, radii: NDArray[np.float64], most: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return radii (N, K) as (N * K,), at `most` (K,) for people whose face was found."""
        face = parts_of(self.motion.skeleton).get("face")
        if face is None or self.part != "body":
            return radii.reshape(-1)
        seen = np.isfinite(self.motion.points.X[frame][:, face, 0]).sum(axis=-1) >= LEAST_FACE
        return np.where(seen[:, None], np.minimum(radii, most), radii).reshape(-1)


def figures(motion: Motion3D) -> tuple[Figures, ...]:
    """Return the parts of a motion's people, with thicknesses that suit them."""
    names, N = part_names(motion.skeleton), len(motion.ids)
    limbs = np.array(motion.skeleton.limbs, dtype=np.intp).reshape(-1, 2)
    found = []
    for part, joints in parts_of(motion.skeleton).items():
        own = limbs[[names[b] == part for b in limbs[:, 1]]].reshape(-1, 2)
        if part == "body":
            short = _typical_lengths(motion, own) < FINE_LIMB_M
            limb_radii = np.where(short, FINE_BODY.limb, BODY.limb)
            joint_radii = np.full((N, len(joints)), BODY.joint)
            for end in own.T:
                # A joint of a thin limb is as fine as it, whatever else it joins.
                for n, limb in zip(*np.nonzero(short), strict=True):
                    joint_radii[n, end[limb]] = FINE_BODY.joint
            sides = BODY.sides
        else:
            limb, joint, sides = FINE_PARTS[part]
            limb_radii, joint_radii = np.full((N, len(own)), limb), np.full((N, len(joints)), joint)
        found.append(Figures(motion, part, joints, own, limb_radii, joint_radii, sides))
    return tuple(found)


def joint_colours(motion: Motion3D, frame: int, joints: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return (N, P, 3) colours in [0, 1]: the skeleton's, tinted by person, dimmer where interpolated."""
    # Pure blue and pure red are near-black to the eye on a dark ground, so every colour is lifted a little.
    base = np.array(motion.skeleton.colours, dtype=np.float64)[joints] / 255 * 0.82 + 0.18
    tint = np.array([person_tint(n) for n in range(len(motion.ids))]).reshape(-1, 1, 3)
    share = np.where((tint == 1).all(axis=-1, keepdims=True), 0, TINT_SHARE)
    colours = base * (1 - share) + tint * share
    return np.where(motion.gap[frame][:, joints, None], _dim(colours), colours)


def _dim(colours: NDArray[np.float64]) -> NDArray[np.float64]:
    return GAP_SHARE * colours + (1 - GAP_SHARE) * np.array(BACKGROUND)


def _typical_lengths(motion: Motion3D, limbs: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the median length (N, L), m, over at most 50 frames; infinite for limbs never seen."""
    some = motion.points.X[:: max(1, len(motion.time_s) // 50)]
    length = np.linalg.norm(some[:, :, limbs[:, 0]] - some[:, :, limbs[:, 1]], axis=-1)
    middle = np.ma.median(np.ma.masked_invalid(length), axis=0)  # type: ignore[no-untyped-call]
    return np.asarray(middle.filled(np.inf))
