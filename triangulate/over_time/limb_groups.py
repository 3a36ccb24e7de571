"""Joints whose left and right are exchanged together: arms with hands, legs with feet, trunk, head."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triskel.skeleton import Skeleton
from triskel.whole_body import part_names, parts_of

_GROUPS = {
    "trunk": ("Shoulder", "Hip"),
    "arms": ("Elbow", "Wrist"),
    "legs": ("Knee", "Ankle", "BigToe", "SmallToe", "Heel"),
    "head": ("Eye", "Ear"),
}
_HUNG_ON = {"arms": "Shoulder", "legs": "Hip"}


@dataclass(frozen=True, eq=False)
class Group:
    """Joints of both sides that are mistaken for each other together.

    Attributes:
        name: `trunk`, `arms`, `legs` or `head`; `others` for pairs that none of them has.
        pairs: (P, 2) joints, left and right.
        with_them: (Q, 2) joints that follow the last pair: the points of the hands.
        root: left and right joint that the limb hangs on, None for trunk and head.
    """

    name: str
    pairs: NDArray[np.intp]
    with_them: NDArray[np.intp]
    root: tuple[int, int] | None = None

    @property
    def all_pairs(self) -> NDArray[np.intp]:
        """Return all pairs that change sides together, (P + Q, 2)."""
        return np.concatenate([self.pairs, self.with_them])


def limb_groups(skeleton: Skeleton) -> list[Group]:
    """Return the groups of a skeleton, from `flips` and the names of its joints; the face has none of its own."""
    parts = part_names(skeleton)
    body = [
        (i, j) for i, j in enumerate(skeleton.flips) if parts[i] == "body" and skeleton.joints[i] < skeleton.joints[j]
    ]
    found: list[Group] = []
    rest = dict.fromkeys(body)
    for name, stems in _GROUPS.items():
        by_stem = {skeleton.joints[i].removeprefix("L"): (i, j) for i, j in body if skeleton.joints[i].startswith("L")}
        chosen = [stem for stem in stems if stem in by_stem]
        if not chosen:
            continue
        for stem in chosen:
            rest.pop(by_stem[stem], None)
        pairs = np.array([by_stem[stem] for stem in chosen], dtype=np.intp)
        root = by_stem.get(_HUNG_ON.get(name, ""))
        found.append(Group(name, pairs, _hands(skeleton) if chosen[-1] == "Wrist" else _none(), root))
    if rest:
        found.append(Group("others", np.array(list(rest), dtype=np.intp), _none()))
    return found


def _none() -> NDArray[np.intp]:
    return np.zeros((0, 2), dtype=np.intp)


def _hands(skeleton: Skeleton) -> NDArray[np.intp]:
    """Return the pairs of both hands' points; none for a skeleton without hands."""
    parts = parts_of(skeleton)
    return np.stack([parts["left_hand"], parts["right_hand"]], axis=1) if "left_hand" in parts else _none()
