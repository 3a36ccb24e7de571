"""Do the board views of two cameras belong together? What should be one relative pose is compared from shot to shot."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.boards import Board, BoardView
from triskel.calibration.flat_poses import FlatPoses, flat_poses
from triskel.camera import Camera
from triskel.projection import pixel_rays

MIN_CORNERS = 6
MAX_SHOTS = 120
"""Shots of a pair of cameras that are compared, evenly chosen."""
SAME_ANGLE_DEG, SAME_DISTANCE = 12.0, 0.2
"""Two shots agree on a relative pose if they differ by less than this, and this share of the cameras' distance."""


class IdealView(NamedTuple):
    """A board view without its lens: corner ids (n,) and image points (n, 2) at focal length 1."""

    ids: NDArray[np.int64]
    xy: NDArray[np.float64]


def ideal_view(camera: Camera, view: BoardView) -> IdealView | None:
    """Return the view at focal length 1; None where fewer than six corners have a ray well before the camera."""
    rays = pixel_rays(camera, view.xy)
    good = rays[:, 2] > 0.2  # False for NaN
    if good.sum() < MIN_CORNERS:
        return None
    return IdealView(np.asarray(view.ids)[good], rays[good, :2] / rays[good, 2:])


def sees_front(view: IdealView, board: Board) -> bool:
    """Say whether corners run x right, y down as printed; False where the board is seen in a mirror, or from behind."""
    places = np.c_[board.corners[view.ids, :2], np.ones(len(view.ids))]
    affine = np.linalg.lstsq(places, view.xy, rcond=None)[0]
    return bool(np.linalg.det(affine[:2]) > 0)


def reflections(board: Board) -> dict[str, NDArray[np.intp]]:
    """Return which corner lies where another would, for a board turned by 180 degrees and mirrored in x or y.

    Boards that do not map onto themselves in that way are left out.
    """
    places = np.asarray(board.corners[:, :2], dtype=np.float64)
    both = places.min(axis=0) + places.max(axis=0)
    found = {}
    for name, signs in (("turned", (-1, -1)), ("mirrored_x", (-1, 1)), ("mirrored_y", (1, -1))):
        moved = np.where(np.array(signs) < 0, both - places, places)
        away = np.linalg.norm(moved[:, None] - places[None], axis=-1)
        if away.min(axis=1).max() < 1e-6 + 1e-3 * float(np.abs(both).max()):
            found[name] = away.argmin(axis=1)
    return found


def board_poses(view: IdealView, board: Board) -> FlatPoses:
    """Return both poses of a flat board that look almost alike; none if it fails."""
    return flat_poses(board.corners[view.ids], view.xy)


def agreement(first: Mapping[int, FlatPoses], second: Mapping[int, FlatPoses]) -> NDArray[np.float64]:
    """Return how the shots that two cameras share agree on one relative pose.

    Args:
        first: one camera's poses by shot.
        second: the other's.

    Returns:
        (n, 2): the shot, and 1 where it agrees with the relative pose that most shots support, else 0.
    """
    shots = [s for s in first if s in second and len(first[s].t) and len(second[s].t)]
    shots = shots[:: max(1, -(-len(shots) // MAX_SHOTS))]
    if len(shots) < 2:
        return np.zeros((0, 2))
    R, t, owner = _relative_poses(first, second, shots)
    angle = _angles_deg(R)
    size = max(float(np.median(np.linalg.norm(t, axis=1))), 1e-9)
    distance = np.linalg.norm(t[:, None] - t[None], axis=-1)
    same = (angle < SAME_ANGLE_DEG) & (distance < SAME_DISTANCE * size)
    starts = np.flatnonzero(np.diff(owner, prepend=-1))
    supports = np.logical_or.reduceat(same, starts, axis=1)  # (options, shots)
    best = supports[int(supports.sum(axis=1).argmax())]
    return np.c_[np.array(shots, dtype=np.float64), best]


def _relative_poses(
    first: Mapping[int, FlatPoses], second: Mapping[int, FlatPoses], shots: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]:
    """Return every possible pose of the second camera in the first: R (k, 3, 3), t (k, 3), and its place in `shots`."""
    rotations, translations, owner = [], [], []
    for i, s in enumerate(shots):
        a, b = first[s], second[s]
        # first_from_second = first_from_board board_from_second
        R = np.einsum("aij,bkj->abik", a.R, b.R).reshape(-1, 3, 3)
        t = np.repeat(a.t, len(b.t), axis=0) - np.einsum("kij,kj->ki", R, np.tile(b.t, (len(a.t), 1)))
        rotations.append(R)
        translations.append(t)
        owner.append(np.full(len(t), i))
    return np.concatenate(rotations), np.concatenate(translations), np.concatenate(owner)


def _angles_deg(R: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the angles between all rotations (k, 3, 3): (k, k) degrees."""
    trace = np.einsum("aij,bij->ab", R, R)
    return np.asarray(np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1))))
