"""Limb candidates to people over all limbs of the layout, redundant or complete: Fig. 6b of the paper.

The candidates are divided into people such that nobody has two of a part and the fields agree best. Two candidates that
some limb could join are worth the affinity of the pair where it passes for a limb, and cost the share of bad samples
where it does not. With x_e = 1 where the two ends of e belong to one person, the programme is

    maximise    sum of affinity_e x_e over limb candidates  -  sum of bad_share_e x_e over all other pairs
    subject to  matching:  sum of x_e over the pairs of one candidate with those of one part <= 1
                exclusion: x_1 + ... + x_n <= n - 1         on each path between two candidates of one part
                transitivity: x_1 + ... + x_n <= n - 1 + x_e  on each path between the ends of a pair e

There are too many paths to write down. The matching rows alone leave few contradictions; the rows of the paths that
are violated are added, and with them the pairs that cost something, until a solution contradicts nothing. Left-out rows
and costs only make a solution look better than it is, so the first one that contradicts nothing is the optimum.
Candidates that no chain of limb candidates links are never in one person, so each linked group is solved by itself.
"""

import time
from collections import deque
from collections.abc import Callable
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from triskel.detect2d.parsing.programme import Programme, warn_of_the_limit

Shares = Callable[[NDArray[np.int64]], NDArray[np.float64]]


def match_graph(
    pairs: NDArray[np.int64],
    affinity: NDArray[np.float64],
    part_of: NDArray[np.int64],
    limbs: NDArray[np.int64],
    shares: Shares,
    *,
    time_limit_s: float,
) -> NDArray[np.intp]:
    """Choose the pairs that lie within people, for the division into people with which the fields agree best.

    Args:
        pairs: (K, 3) limb, candidate a, candidate b.
        affinity: (K,) of each pair, positive.
        part_of: (M,) part of each candidate.
        limbs: (L, 2) parts each limb joins.
        shares: the share of good samples of any pairs (K', 3), in [0, 1].
        time_limit_s: for all groups together. Then the groups not solved keep the best choice so far, which may
            contradict itself and leaves the contradictions to the greedy assembly, and a warning is logged.

    Returns:
        Indices of the chosen pairs.
    """
    count = len(part_of)
    groups, group_of = _linked(pairs[:, 1:], count)
    deadline_s = time.monotonic() + time_limit_s
    chosen = [np.zeros(0, np.intp)]
    complete = True
    for group in range(groups):
        index = np.flatnonzero(group_of[pairs[:, 1]] == group)
        if len(index):
            taken, optimal = _Group(pairs[index], affinity[index], part_of, limbs, shares).solve(deadline_s)
            chosen.append(index[taken])
            complete &= optimal
    if not complete:
        warn_of_the_limit(len(pairs))
    return np.sort(np.concatenate(chosen))


def _linked(edges: NDArray[np.int64], count: int) -> tuple[int, NDArray[np.int32]]:
    """Return the number of connected components, and the component of each of `count` nodes."""
    links = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    found, label = connected_components(links, directed=False)
    return int(found), label


class _Group:
    """One linked group of candidates and its growing programme."""

    def __init__(
        self,
        pairs: NDArray[np.int64],
        affinity: NDArray[np.float64],
        part_of: NDArray[np.int64],
        limbs: NDArray[np.int64],
        shares: Shares,
    ) -> None:
        # Candidates are numbered within the group; two limbs between one pair of candidates are one edge.
        self.nodes, ends = np.unique(pairs[:, 1:], return_inverse=True)
        ends = ends.reshape(-1, 2)
        self.edges, self.edge_of = np.unique(np.sort(ends, axis=1), axis=0, return_inverse=True)
        self.edge_of = self.edge_of.reshape(-1)
        self.part_of, self.limbs, self.shares = part_of[self.nodes], limbs, shares
        self.programme = Programme()
        for worth in np.bincount(self.edge_of, weights=affinity, minlength=len(self.edges)):
            self.programme.add_variable(float(worth))
        self.programme.add_matching(self.edges, self.part_of)
        self.variable = {(int(a), int(b)): k for k, (a, b) in enumerate(self.edges)}
        self.rows: set[tuple[int, ...]] = set()

    def solve(self, deadline_s: float) -> tuple[NDArray[np.bool_], bool]:
        """Return which of the pairs lie within people, and whether that is the optimum."""
        joined = np.ones(len(self.edges), np.bool_)
        while True:
            x, optimal = self.programme.solve(deadline_s)
            if x is not None:
                joined = x[: len(self.edges)]
            if x is None or not optimal:
                return joined[self.edge_of], False
            if not self._forbid_contradictions(x):
                return joined[self.edge_of], True

    def _forbid_contradictions(self, x: NDArray[np.bool_]) -> bool:
        """Add the rows, and the pairs with a cost, that the solution violates; say whether there were any."""
        joined = self.edges[x[: len(self.edges)]]
        _, label = _linked(joined, len(self.nodes))
        neighbours: list[list[int]] = [[] for _ in self.nodes]
        for a, b in joined.tolist():
            neighbours[a].append(b)
            neighbours[b].append(a)
        before = len(self.rows)
        for person in np.unique(label[joined[:, 0]]) if len(joined) else ():
            members = np.flatnonzero(label == person)
            twins = [(a, b) for a, b in combinations(members.tolist(), 2) if self.part_of[a] == self.part_of[b]]
            # Costs of somebody who cannot be are not worth their variables.
            for a, b in twins or self._missing(members, x):
                self._add_path(_path(neighbours, a, b), None if twins else self.variable[a, b])
        return len(self.rows) > before

    def _missing(self, members: NDArray[np.intp], x: NDArray[np.bool_]) -> list[tuple[int, int]]:
        """Return the pairs within a person that are not joined; those that cost something get their variable."""
        at = {int(self.part_of[m]): int(m) for m in members}
        asked, ends = [], []
        missing = set()
        for k, (a, b) in enumerate(self.limbs.tolist()):
            if a in at and b in at:
                pair = (min(at[a], at[b]), max(at[a], at[b]))
                if pair not in self.variable:
                    asked.append((k, int(self.nodes[at[a]]), int(self.nodes[at[b]])))
                    ends.append(pair)
                elif not x[self.variable[pair]]:
                    missing.add(pair)
        for pair, share in zip(ends, self.shares(np.array(asked, np.int64).reshape(-1, 3)).tolist(), strict=True):
            if pair not in self.variable:
                self.variable[pair] = self.programme.add_variable(share - 1.0)
            missing.add(pair)
        return sorted(missing)

    def _add_path(self, path: list[int], pair: int | None) -> None:
        """Demand that not all edges of a path are joined, or that the pair of its ends is."""
        variables = sorted(self.variable[min(a, b), max(a, b)] for a, b in pairwise(path))
        key = (*variables, -1 if pair is None else pair)
        if key not in self.rows:
            self.rows.add(key)
            self.programme.add_row(variables, len(variables) - 1.0, less=pair)


def _path(neighbours: list[list[int]], a: int, b: int) -> list[int]:
    """Return a shortest path from a to b, which are linked."""
    came_from = {a: a}
    queue = deque([a])
    while b not in came_from:
        here = queue.popleft()
        for there in neighbours[here]:
            if there not in came_from:
                came_from[there] = here
                queue.append(there)
    path = [b]
    while path[-1] != a:
        path.append(came_from[path[-1]])
    return path
