"""What the channels of a PAF network mean: joints, limbs, and which limbs are redundant.

The layouts of the released models are facts of their files; a joint set of your own gets its layout from its limbs.
"""

from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from triskel.errors import ConfigError
from triskel.skeleton import BODY_25, COCO_18, FACE_70, HAND_21, MPII_15, Skeleton

Limbs = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class PafLayout:
    """What the channels of a PAF network mean.

    Attributes:
        skeleton: names the J confidence channels; the background follows them.
        limbs: parts joined by each pair of affinity channels (x, y), in the direction of the field. None, as for hands
            and faces, means a network of confidence maps alone.
        redundant: limbs beyond the tree (section 3.5 of the paper, Fig. 7): ear to shoulder in the released models.
        uncounted: joints that do not count toward the fewest parts of a person, as the feet of BODY_25.
        stride: network input pixels per map cell.
    """

    skeleton: Skeleton = COCO_18
    limbs: Limbs = ()
    redundant: Limbs = ()
    uncounted: tuple[int, ...] = ()
    stride: int = 8
    limb_array: NDArray[np.int64] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        J, where = len(self.skeleton), f"layout of {self.skeleton.name!r}"
        if any(not 0 <= i < J for limb in self.limbs for i in limb) or any(a == b for a, b in self.limbs):
            raise ConfigError(f"{where}: limbs join two of the joints 0 to {J - 1}, got {self.limbs}")
        if len(set(self.limbs)) != len(self.limbs) or set(self.redundant) - set(self.limbs):
            raise ConfigError(f"{where}: limbs are listed once, the redundant ones among them, got {self.limbs}")
        if any(not 0 <= i < J for i in self.uncounted) or self.stride < 1:
            raise ConfigError(
                f"{where}: uncounted are joints 0 to {J - 1}, the stride is 1 or more, "
                f"got {self.uncounted}, {self.stride}"
            )
        object.__setattr__(self, "limb_array", np.array(self.limbs, dtype=np.int64).reshape(-1, 2))

    @property
    def confidence_maps(self) -> int:
        """Return the number of confidence channels: the joints and the background."""
        return len(self.skeleton) + 1

    @property
    def affinity_maps(self) -> int:
        """Return the number of affinity channels: x and y of each limb."""
        return 2 * len(self.limbs)

    @property
    def tree(self) -> tuple[int, ...]:
        """Return the indices of limbs that form a spanning tree (a forest where limbs do not reach every joint).

        Limbs are taken in their order, redundant ones last; one that would close a loop is left out.
        """
        root = list(range(len(self.skeleton)))

        def find(i: int) -> int:
            while root[i] != i:
                i = root[i]
            return i

        order = sorted(range(len(self.limbs)), key=lambda k: self.limbs[k] in self.redundant)
        chosen = []
        for k in order:
            a, b = (find(i) for i in self.limbs[k])
            if a != b:
                root[a] = b
                chosen.append(k)
        return tuple(sorted(chosen))

    @property
    def pieces(self) -> tuple[tuple[str, ...], ...]:
        """Return the joints that limbs connect, group by group: more than one group, and people come out in pieces."""
        of = list(range(len(self.skeleton)))
        for a, b in self.limbs:
            of = [of[a] if group == of[b] else group for group in of]
        return tuple(
            tuple(joint for joint, group in zip(self.skeleton.joints, of, strict=True) if group == one)
            for one in sorted(set(of))
        )

    def mirrored_limbs(self) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Return, for each limb, the limb it becomes in a mirrored image, and the sign its direction gets.

        Raises:
            ConfigError: a limb has no mirror image among the limbs.
        """
        flips = self.skeleton.flips
        index = {limb: k for k, limb in enumerate(self.limbs)}
        source, sign = [], []
        for a, b in self.limbs:
            there, back = (flips[a], flips[b]), (flips[b], flips[a])
            if there not in index and back not in index:
                names = self.skeleton.joints[a], self.skeleton.joints[b]
                raise ConfigError(f"layout of {self.skeleton.name!r}: limb {'-'.join(names)} has no mirror image")
            source.append(index[there] if there in index else index[back])
            sign.append(1.0 if there in index else -1.0)
        return np.array(source, dtype=np.intp), np.array(sign)


def layout_of(skeleton: Skeleton) -> PafLayout:
    """Return the layout for a joint set: the released one, or the limbs and redundant limbs in their order."""
    if skeleton.name in LAYOUTS and LAYOUTS[skeleton.name].skeleton == skeleton:
        return LAYOUTS[skeleton.name]
    return PafLayout(skeleton, (*skeleton.limbs, *skeleton.redundant), skeleton.redundant)


def complete_layout(skeleton: Skeleton) -> PafLayout:
    """Return the fully connected graph over the joints (Fig. 6b of the paper): every pair is a limb.

    The layout's own limbs count as the tree, in their direction; every further pair is redundant.
    """
    own = layout_of(skeleton)
    tree = tuple(own.limbs[k] for k in own.tree)
    rest = tuple(pair for pair in combinations(range(len(skeleton)), 2) if pair not in tree and pair[::-1] not in tree)
    return PafLayout(skeleton, (*tree, *rest), rest, own.uncounted, own.stride)


_COCO_18_LIMBS: Limbs = (
    (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13), (1, 2), (2, 3), (3, 4), (2, 16),
    (1, 5), (5, 6), (6, 7), (5, 17), (1, 0), (0, 14), (0, 15), (14, 16), (15, 17),
)  # fmt: skip
_BODY_25_LIMBS: Limbs = (
    (1, 8), (9, 10), (10, 11), (8, 9), (8, 12), (12, 13), (13, 14), (1, 2), (2, 3), (3, 4), (2, 17), (1, 5), (5, 6),
    (6, 7), (5, 18), (1, 0), (0, 15), (0, 16), (15, 17), (16, 18), (14, 19), (19, 20), (14, 21), (11, 22), (22, 23),
    (11, 24),
)  # fmt: skip
_MPII_15_LIMBS: Limbs = (
    (0, 1), (1, 2), (2, 3), (3, 4), (1, 5), (5, 6), (6, 7), (1, 14), (14, 8), (8, 9), (9, 10), (14, 11), (11, 12),
    (12, 13),
)  # fmt: skip

LAYOUTS = {
    layout.skeleton.name: layout
    for layout in (
        PafLayout(BODY_25, _BODY_25_LIMBS, ((2, 17), (5, 18)), uncounted=tuple(range(19, 25))),
        PafLayout(COCO_18, _COCO_18_LIMBS, ((2, 16), (5, 17))),
        PafLayout(MPII_15, _MPII_15_LIMBS),
        PafLayout(HAND_21),
        PafLayout(FACE_70),
    )
}
"""Channels of the released models, by the name of their joint set."""
