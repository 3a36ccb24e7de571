"""A rig in another world: turned, moved, scaled; and what that was based on."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.camera import Rig
from triskel.rigid import Rigid


class Placed(NamedTuple):
    """A rig in its new world, and how it got there.

    Attributes:
        rig: the cameras, in the order given.
        world_from_old: the rotation and translation, applied after the scale: `X_new = world_from_old.apply(scale X)`.
        scale: what lengths were multiplied by.
        residual_mm: RMS distance in the new world between what was measured and where it should be; NaN where nothing
            was left over to compare.
        messages: what a person should know, one line each.
        points_mm: the same distance for each point or thing used, by name, in the order given; NaN where it was not
            measured.
    """

    rig: Rig
    world_from_old: Rigid
    scale: float
    residual_mm: float
    messages: tuple[str, ...] = ()
    points_mm: tuple[tuple[str, float], ...] = ()


def moved_rig(rig: Rig, world_from_old: Rigid, *, scale: float = 1.0) -> Rig:
    """Return the rig whose world is the old one scaled, then turned and moved; the images stay the same.

    Args:
        rig: the cameras.
        world_from_old: the new world from the scaled old one.
        scale: what lengths are multiplied by.

    Raises:
        ValueError: the scale is not a positive number.
    """
    if not (np.isfinite(scale) and scale > 0):
        raise ValueError(f"scale is a positive number, got {scale}")
    old_from_world = world_from_old.inverse
    return Rig(
        tuple(
            camera.replace(
                cam_from_world=Rigid(camera.cam_from_world.R, scale * camera.cam_from_world.t) @ old_from_world
            )
            for camera in rig
        )
    )


def moved_points(placed: Placed, X: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return points (..., 3), m, of the old world in the new one."""
    return placed.world_from_old.apply(placed.scale * np.asarray(X, dtype=np.float64))


def cameras_up(rig: Rig) -> NDArray[np.float64]:
    """Return the mean of the images' upward directions in the world (3,); near 1 long if the cameras agree."""
    return np.asarray(-np.mean([camera.cam_from_world.R[1] for camera in rig], axis=0), dtype=np.float64)


def axes_of(origin: NDArray[np.float64], *, up: NDArray[np.float64], toward: NDArray[np.float64]) -> Rigid:
    """Return `world_from_old` with the origin at a point, z along `up`, x along `toward` as far as it is level.

    Args:
        origin: (3,) in the old world.
        up: (3,) of any length.
        toward: (3,) of any length, not parallel to `up`.
    """
    z = up / np.linalg.norm(up)
    x = toward - (toward @ z) * z
    x = x / np.linalg.norm(x)
    R = np.stack([x, np.cross(z, x), z])
    return Rigid(R, -R @ origin)
