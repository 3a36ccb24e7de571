"""Which cameras saw the board together, and which of these links a rig hangs on."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FEW_SHARED = 8
"""Shots that two cameras share, fewer of which do not tie them together well; and one of a flat board is ambiguous."""


class Link(NamedTuple):
    """Two cameras (indices, first < second), the shots that both saw the board in, and whether the rig hangs on it."""

    first: int
    second: int
    shots: int
    carries: bool

    @property
    def is_weak(self) -> bool:
        """Say whether the rig hangs on a link of too few shots."""
        return self.carries and self.shots < FEW_SHARED


def links_of(shared: NDArray[np.int64]) -> tuple[Link, ...]:
    """Return all pairs that share a shot. Those of the tree with most shots (Kruskal 1956) carry the rig.

    Args:
        shared: (C, C) shots that both cameras saw; the diagonal does not matter.
    """
    C = len(shared)
    first, second = np.nonzero(np.triu(shared, k=1))
    group = np.arange(C)
    links = []
    for k in np.argsort(-shared[first, second], kind="stable"):
        a, b = int(first[k]), int(second[k])
        carries = bool(group[a] != group[b])
        if carries:
            group[group == group[b]] = group[a]
        links.append(Link(a, b, int(shared[a, b]), carries))
    return tuple(links)
