"""The world stays where it was: a refined rig is laid over the old one, and a bumped camera does not drag it along.

People give the shape of a rig, not where it stands, which way it faces, nor how large it is. These seven are chosen so
that the cameras have moved as little as possible, counting distances and not their squares: then many cameras that
stayed outvote one that did not.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from triskel.calibration.people.kernel import PER_CAMERA
from triskel.camera import Rig
from triskel.rigid import Rigid

Floats = NDArray[np.float64]

POSE = 6
SIMILARITY = 7
"""Turn (3), shift (3) and growth (1) of the world."""
_ROUNDS = 60
_LEAST_M = 1e-4
"""Cameras closer than this are as good as unmoved: keeps the weights of the sum of distances finite."""


class Similarity(NamedTuple):
    """A change of the world, x' = growth * turn x + shift: turn (3, 3), shift (3,) m."""

    turn: NDArray[np.float64]
    shift: NDArray[np.float64]
    growth: float

    def apply(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return points (..., 3) in the new world."""
        return np.asarray(self.growth * X @ self.turn.T + self.shift)

    def poses(self, R: NDArray[np.float64], centre: NDArray[np.float64]) -> tuple[Floats, Floats]:
        """Return rotations (C, 3, 3) and centres (C, 3) of cameras in the new world."""
        return R @ self.turn.T, self.apply(centre)

    def rig(self, rig: Rig) -> Rig:
        """Return the rig in the new world."""
        cameras = []
        for camera, R, centre in zip(rig, *self.poses(*_poses(rig)), strict=True):
            cameras.append(camera.replace(cam_from_world=Rigid(R, -R @ centre)))
        return Rig(tuple(cameras))


class Laid(NamedTuple):
    """A rig laid over another.

    Attributes:
        rig: the cameras in the old rig's world.
        X: (P, 3) the points, taken along.
        weight: (C,) how much each camera had to say.
    """

    rig: Rig
    X: NDArray[np.float64]
    weight: NDArray[np.float64]


def lay_over(rig: Rig, old: Rig, X: NDArray[np.float64]) -> Laid:
    """Return the rig and its points (P, 3), turned, shifted and scaled so that it lies over the old one.

    Args:
        rig: C cameras in a world of their own.
        old: the same cameras in the world that is kept.
        X: (P, 3) points in the world of `rig`, m; what the cameras look at.
    """
    C, middle = len(rig), np.median(X, axis=0)
    reach_m = reach(rig, middle)
    poses = _poses(rig)
    target = _poses(old)
    best: tuple[float, Similarity, NDArray[np.float64]] | None = None
    # From each start one camera is left out, so that whichever was bumped, one start is free of it.
    starts = [np.ones(C)] + ([1.0 - np.eye(C)[c] for c in range(C)] if C > 2 else [])
    for start in starts:
        world, weight = Similarity(np.eye(3), np.zeros(3), 1.0), start
        for i in range(_ROUNDS):
            moved = world.poses(*poses)
            r = _moves(*target, *moved)
            if i >= 3 and C > 2:  # two cameras have no majority: there squares share the move between them
                weight = 1 / np.maximum(move_size(r, reach_m), _LEAST_M)
            step = _similarity_step(*moved, r, weight, world.apply(middle), reach_m)
            world = _then(world, step, world.apply(middle))
            if i > 3 and np.abs(step).max() < 1e-9:
                break
        total = float(move_size(_moves(*target, *world.poses(*poses)), reach_m).sum())
        if best is None or total < best[0] - 1e-9:
            best = (total, world, weight)
    assert best is not None
    _, world, weight = best
    return Laid(world.rig(rig), world.apply(X), weight)


def camera_moves(old: Rig, new: Rig) -> NDArray[np.float64]:
    """Return (C, 6) how each camera got from old to new: turn in its own axes, rad, and shift of its centre, m."""
    return _moves(*_poses(old), *_poses(new))


def move_size(moves: NDArray[np.float64], reach_m: float) -> NDArray[np.float64]:
    """Return (C,) one number for each move (C, 6), m: a turn counts as the shift it causes at what is looked at."""
    return np.asarray(np.sqrt((moves[:, 3:] ** 2).sum(axis=1) + (reach_m * moves[:, :3]) ** 2 @ np.ones(3)))


def reach(rig: Rig, middle: NDArray[np.float64]) -> float:
    """Return the usual distance of the cameras from what they look at, m."""
    return max(float(np.median([np.linalg.norm(camera.centre - middle) for camera in rig])), 1e-3)


def similarity_directions(R: NDArray[np.float64], centre: NDArray[np.float64], middle: NDArray[np.float64]) -> Floats:
    """Return (7 C, 7) how the cameras' unknowns change with turn, shift and growth of the world about `middle`.

    Args:
        R: (C, 3, 3) cameras from world.
        centre: (C, 3) of the cameras, m.
        middle: (3,) m.
    """
    G = np.zeros((len(R), PER_CAMERA, SIMILARITY))
    arm = centre - middle
    G[:, :3, :3] = -R
    for k in range(3):
        G[:, 3:6, k] = np.cross(np.eye(3)[k], arm)
    G[:, 3:6, 3:6] = np.eye(3)
    G[:, 3:6, 6] = arm
    return G.reshape(-1, SIMILARITY)


def similarity_weights(weight: NDArray[np.float64], reach_m: float) -> NDArray[np.float64]:
    """Return (7 C,) the weight of every unknown where those of the cameras (C,) are given."""
    return np.asarray((weight[:, None] * np.r_[np.full(3, reach_m**2), np.ones(3), 0.0]).ravel())


def _similarity_step(
    R: NDArray[np.float64],
    centre: NDArray[np.float64],
    r: NDArray[np.float64],
    weight: NDArray[np.float64],
    middle: NDArray[np.float64],
    reach_m: float,
) -> NDArray[np.float64]:
    """Return the step (7,) of the world that brings the moves r (C, 6) down."""
    w = np.sqrt(similarity_weights(weight, reach_m))
    right = np.concatenate([-r, np.zeros((len(r), 1))], axis=1).ravel()
    G = similarity_directions(R, centre, middle)
    return np.asarray(np.linalg.lstsq(G * w[:, None], right * w, rcond=1e-12)[0])


def _then(world: Similarity, step: NDArray[np.float64], middle: NDArray[np.float64]) -> Similarity:
    """Return the world after a further turn, shift and growth (7,) about `middle`."""
    turn, growth = Rotation.from_rotvec(step[:3]).as_matrix(), float(np.exp(np.clip(step[6], -1, 1)))
    shift = middle + step[3:6] - growth * turn @ middle
    return Similarity(turn @ world.turn, growth * turn @ world.shift + shift, growth * world.growth)


def _poses(rig: Rig) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the rotations (C, 3, 3) and centres (C, 3) of the cameras."""
    return np.stack([camera.cam_from_world.R for camera in rig]), np.stack([camera.centre for camera in rig])


def _moves(
    R_old: NDArray[np.float64], old: NDArray[np.float64], R_new: NDArray[np.float64], new: NDArray[np.float64]
) -> NDArray[np.float64]:
    turns = Rotation.from_matrix(R_new @ np.swapaxes(R_old, 1, 2)).as_rotvec()
    return np.concatenate([turns, new - old], axis=1)
