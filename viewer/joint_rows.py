"""The rows of tables about joints: each joint of the body by itself, a hand or a face as one."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.skeleton import Skeleton
from triskel.whole_body import parts_of


class JointRows(NamedTuple):
    """Which joint goes into which row.

    Attributes:
        names: R, the body's joints first.
        row_of: (J,) the row of each joint.
        body: how many rows are of the body.
    """

    names: tuple[str, ...]
    row_of: NDArray[np.intp]
    body: int

    def joints(self, row: int) -> NDArray[np.intp]:
        """Return the joints of one row."""
        return np.flatnonzero(self.row_of == row)


def joint_rows(skeleton: Skeleton) -> JointRows:
    """Return the rows of a skeleton."""
    parts = parts_of(skeleton)
    body = parts["body"]
    fine = [part for part in parts if part != "body"]
    row_of = np.zeros(len(skeleton), np.intp)
    row_of[body] = np.arange(len(body))
    for i, part in enumerate(fine):
        row_of[parts[part]] = len(body) + i
    names = [skeleton.joints[j] for j in body] + [part.replace("_", " ") for part in fine]
    return JointRows(tuple(names), row_of, len(body))


def count_by_row(rows: JointRows, values: NDArray[np.int64], kinds: int) -> NDArray[np.int64]:
    """Count how often each value from 0 to `kinds` - 1 occurs in each row.

    Args:
        rows: of the J joints.
        values: (S, J).
        kinds: values are below this.

    Returns:
        (R, kinds) counts; a row's sum is S times its number of joints.
    """
    code = rows.row_of * kinds + values
    return np.bincount(code.ravel(), minlength=len(rows.names) * kinds).reshape(len(rows.names), kinds)
