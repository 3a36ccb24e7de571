"""The graph of shared shots: which cameras see the board at once, and what is wrong with it."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.boards import Board, BoardView
from triskel.calibration.corners import is_usable
from triskel.calibration.rig.bundle import CornerTable
from triskel.camera import Rig
from triskel.errors import InputError

MIN_CORNERS = 6
FEW_SHOTS = 5
"""A camera that shares fewer shots than this with the others gets a warning."""


def collect(
    shots: Sequence[Mapping[str, BoardView]], rig: Rig, boards: Sequence[Board], *, keep_single: bool
) -> tuple[CornerTable, list[int]]:
    """Return the usable views, and the index among `shots` of each shot that they count in.

    Raises:
        InputError: fewer than two cameras, a camera that the rig does not have, or boards that do not match.
    """
    if len(rig) < 2:
        raise InputError(f"a rig needs at least two cameras, got {len(rig)}")
    index = {name: i for i, name in enumerate(rig.names)}
    corners_of = {id(board): np.asarray(board.corners, dtype=np.float64) for board in boards}
    view_camera: list[int] = []
    view_shot: list[int] = []
    first: list[int] = [0]
    index_of: list[int] = []
    ids, X, xy = [np.zeros(0, np.int64)], [np.zeros((0, 3))], [np.zeros((0, 2))]
    for s, (shot, board) in enumerate(zip(shots, boards, strict=True)):
        corners = corners_of[id(board)]
        for name, view in shot.items():
            rig[name]  # raises for an unknown name
            _check_ids(view, len(corners), where=f"shot {s}, camera {name!r}")
        seen = [name for name in shot if is_usable(shot[name], corners, min_corners=MIN_CORNERS)]
        if len(seen) < (1 if keep_single else 2):
            continue
        for name in sorted(seen, key=index.__getitem__):
            view_camera.append(index[name])
            view_shot.append(len(index_of))
            ids.append(np.asarray(shot[name].ids, dtype=np.int64))
            X.append(corners[ids[-1]])
            xy.append(np.asarray(shot[name].xy, dtype=np.float64))
            first.append(first[-1] + len(ids[-1]))
        index_of.append(s)
    table = CornerTable(
        np.array(view_camera, dtype=np.int64),
        np.array(view_shot, dtype=np.int64),
        np.array(first, dtype=np.int64),
        np.concatenate(ids),
        np.ascontiguousarray(np.concatenate(X)),
        np.ascontiguousarray(np.concatenate(xy)),
        len(index_of),
    )
    return table, index_of


def boards_of(board: Board | Sequence[Board], n_shots: int) -> list[Board]:
    """Return the board of every shot.

    Raises:
        InputError: a sequence of another length.
    """
    if not isinstance(board, Sequence):
        return [board] * n_shots
    if len(board) != n_shots:
        raise InputError(f"one board for each shot, got {len(board)} boards and {n_shots} shots")
    return list(board)


def shared_shots(table: CornerTable, n_cameras: int) -> NDArray[np.int64]:
    """Return how many shots each two cameras both see (C, C); on the diagonal those that each sees at all."""
    seen = np.zeros((table.n_shots, n_cameras), dtype=np.int64)
    seen[table.view_shot, table.view_camera] = np.diff(table.first) > 0
    return np.asarray(seen.T @ seen, dtype=np.int64)


def groups_of(shared: NDArray[np.int64]) -> list[list[int]]:
    """Return the cameras in groups that are linked by shared shots, directly or through others."""
    left, groups = list(range(len(shared))), []
    while left:
        group, border = [left[0]], [left[0]]
        while border:
            at = border.pop()
            fresh = [i for i in left if shared[at, i] > 0 and i not in group]
            group += fresh
            border += fresh
        left = [i for i in left if i not in group]
        groups.append(sorted(group))
    return groups


def check_linked(rig: Rig, shared: NDArray[np.int64], linked: Sequence[int]) -> None:
    """Raise InputError that names the groups unless every camera is among the `linked`."""
    if len(linked) == len(rig):
        return
    groups = [[rig.names[i] for i in group] for group in groups_of(shared)]
    first = next(group for group in groups if rig.names[0] in group)
    others = [name for name in rig.names if name not in first] or [
        name for i, name in enumerate(rig.names) if i not in linked
    ]
    apart = "; ".join("(" + ", ".join(group) + ")" for group in groups)
    raise InputError(
        f"{', '.join(others)} share no shot of the board with {', '.join(first)}; record shots in which cameras of "
        "both groups see the board at once" + (f" (groups: {apart})" if len(groups) > 2 else "")
    )


def graph_warnings(rig: Rig, shared: NDArray[np.int64]) -> list[str]:
    """Say which cameras, or groups of cameras, hang on too few shared shots."""
    found = []
    names, between = rig.names, shared - np.diag(np.diag(shared))
    for i, name in enumerate(names):
        partners = [f"{names[j]} {between[i, j]}" for j in np.argsort(-between[i], kind="stable") if between[i, j]]
        if between[i].max() < FEW_SHOTS:
            found.append(
                f"{name} shares few shots with any other camera ({', '.join(partners)}): show the board to it and a "
                f"neighbour together at least {FEW_SHOTS} times, tilted differently"
            )
    strong = groups_of(np.where(between >= 2, between, 0))
    if len(strong) > 1:
        text = " and ".join("(" + ", ".join(names[i] for i in group) + ")" for group in strong)
        found.append(
            f"{text} are linked by pairs that share a single shot, in which the two possible poses of a flat board "
            "cannot be told apart: record more shots that both see"
        )
    return found


def _check_ids(view: BoardView, n_corners: int, *, where: str) -> None:
    """Refuse corner ids that the board does not have."""
    ids = np.asarray(view.ids)
    if len(ids) != len(view.xy) or (len(ids) and (ids.min() < 0 or ids.max() >= n_corners)):
        raise InputError(
            f"{where}: the corners do not belong to the board of {n_corners} corners; check which board was recorded"
        )
