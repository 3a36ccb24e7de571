"""An integer programme over yes-or-no variables that grows between solutions; solved by HiGHS through SciPy."""

import logging
import time
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array

log = logging.getLogger(__name__)

_GAP = 1e-6  # relative distance from the optimum at which the solver may stop


class Programme:
    """Maximise worth @ x over x in {0, 1} under rows of the form coefficients @ x <= bound.

    Attributes:
        worth: what each variable adds when it is 1.
    """

    def __init__(self) -> None:
        self.worth: list[float] = []
        self._row: list[int] = []
        self._column: list[int] = []
        self._coefficient: list[float] = []
        self._bound: list[float] = []

    def add_variable(self, worth: float) -> int:
        """Add a variable; return its index."""
        self.worth.append(worth)
        return len(self.worth) - 1

    def add_row(self, variables: Sequence[int], bound: float, *, less: int | None = None) -> None:
        """Demand that the sum of the variables, minus that of index `less` if given, is at most `bound`."""
        columns = [*variables, *(() if less is None else (less,))]
        self._row += [len(self._bound)] * len(columns)
        self._column += columns
        self._coefficient += [1.0] * len(variables) + ([] if less is None else [-1.0])
        self._bound.append(bound)

    def add_matching(self, nodes: NDArray[np.int64], part_of: NDArray[np.int64]) -> None:
        """Demand that a candidate has one partner at most among those of each part.

        Args:
            nodes: (V, 2) the two candidates that each of the first V variables joins.
            part_of: (M,) part of each candidate.
        """
        partners = defaultdict(list)
        for variable, (a, b) in enumerate(nodes.tolist()):
            partners[a, int(part_of[b])].append(variable)
            partners[b, int(part_of[a])].append(variable)
        for variables in partners.values():
            if len(variables) > 1:
                self.add_row(variables, 1.0)

    def solve(self, deadline_s: float) -> tuple[NDArray[np.bool_] | None, bool]:
        """Solve within the time left.

        Args:
            deadline_s: when to stop, by `time.monotonic`.

        Returns:
            (V,) the variables that are 1, None where no solution was found in time; and whether it is the optimum.
        """
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            return None, False
        count = len(self.worth)
        at = (np.array(self._row, np.int64), np.array(self._column, np.int64))
        rows = coo_array((np.array(self._coefficient), at), shape=(len(self._bound), count)).tocsr()
        found = milp(
            -np.array(self.worth),
            integrality=np.ones(count, np.int64),
            bounds=Bounds(0, 1),
            constraints=LinearConstraint(rows, -np.inf, np.array(self._bound)) if self._bound else (),
            options={"time_limit": left_s, "mip_rel_gap": _GAP},
        )
        return (None if found.x is None else np.asarray(found.x > 0.5)), found.status == 0


def warn_of_the_limit(pairs: int) -> None:
    """Log that the time was up."""
    log.warning(
        "integer programme of %d limb candidates: the time limit came first, the best people so far are returned; "
        "raise time_limit_s or take the method greedy",
        pairs,
    )
