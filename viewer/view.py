"""Where to look from: virtual cameras that frame a scene."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from triskel.camera import Camera, Rig
from triskel.motion import Motion3D
from triskel.rigid import Rigid
from triskel.viewer import scene

FIELD_OF_VIEW_RAD = np.radians(38)
ELEVATION_RAD = np.radians(20)
MARGIN = 0.90
"""Share of the image's half width and height that the scene may fill."""

ORBIT_RAD_PER_S = np.radians(18)
NEAREST_M = 0.5


def camera_at(eye: ArrayLike, direction: ArrayLike, size_wh: tuple[int, int]) -> Camera:
    """Return an ideal camera at `eye` (3,) m that looks along `direction` (3,), world z up in its image."""
    forward = np.asarray(direction, dtype=np.float64)
    forward = forward / np.linalg.norm(forward)
    right = np.cross(forward, (0, 0, 1.0))
    right = right / np.linalg.norm(right)
    R = np.stack([right, np.cross(forward, right), forward])
    w, h = size_wh
    focal = 0.5 * min(w, h * 16 / 9) / np.tan(FIELD_OF_VIEW_RAD / 2 * 16 / 9 * 0.75)
    K = np.array([[focal, 0, w / 2 - 0.5], [0, focal, h / 2 - 0.5], [0, 0, 1]])
    return Camera(
        name="view", size_wh=size_wh, K=K, dist=np.zeros(0), cam_from_world=Rigid(R, -R @ np.asarray(eye, np.float64))
    )


def orbit(X: NDArray[np.float64], azimuths_rad: NDArray[np.float64], size_wh: tuple[int, int]) -> list[Camera]:
    """Return a camera for each azimuth, at one distance and height from which every point stays in the image.

    With the viewing directions fixed, each point bounds the distance from below by a line in the vertical shift, so
    the nearest eye follows in closed form. A single azimuth is also centred horizontally.

    Args:
        X: (P, 3) finite points to keep in view, m.
        azimuths_rad: (V,) where the eye stands around the points, from the world's x axis.
        size_wh: image size, px.
    """
    middle = (X.min(axis=0) + X.max(axis=0)) / 2
    rises = np.full(len(azimuths_rad), np.sin(ELEVATION_RAD))
    ground = np.stack([np.cos(azimuths_rad), np.sin(azimuths_rad)], axis=-1) * np.cos(ELEVATION_RAD)
    back = np.column_stack([ground, rises])
    cameras = [camera_at(middle, -one, size_wh) for one in back]
    local = np.stack([camera.cam_from_world.apply(X) for camera in cameras])
    K = cameras[0].K
    tan_x, tan_y = MARGIN * size_wh[0] / 2 / K[0, 0], MARGIN * size_wh[1] / 2 / K[1, 1]
    x, y, z = local[..., 0], local[..., 1], local[..., 2]
    shift_x, distance_x = _fit(x, z, tan_x) if len(cameras) == 1 else (0.0, float((np.abs(x) / tan_x - z).max()))
    shift_y, distance_y = _fit(y, z, tan_y)
    distance = max(distance_x, distance_y, NEAREST_M)
    eyes = [
        middle + distance * one + shift_x * camera.cam_from_world.R[0] + shift_y * camera.cam_from_world.R[1]
        for one, camera in zip(back, cameras, strict=True)
    ]
    return [camera_at(eye, -one, size_wh) for eye, one in zip(eyes, back, strict=True)]


def _fit(across: NDArray[np.float64], depth: NDArray[np.float64], tan: float) -> tuple[float, float]:
    """Return the shift and the smallest distance d with |across - shift| <= tan (depth + d) for all points."""
    plus, minus = float((across / tan - depth).max()), float((-across / tan - depth).max())
    return (plus - minus) * tan / 2, (plus + minus) / 2


def points_of_interest(motion: Motion3D, rig: Rig | None = None) -> NDArray[np.float64]:
    """Return what a view must not cut off (P, 3), m: the people, the ground under them, the frusta and their names."""
    low, high = scene.people_bounds(motion)
    low, high = low - (0.25, 0.25, 0), high + 0.25
    low = np.minimum(low, (np.inf, np.inf, max(low[2] - 1, min(low[2], 0))))
    box = np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])
    if rig is None:
        return box
    labels = np.array([label.at + np.array([0, 0, 0.15]) for label in scene.camera_labels(rig)])
    return np.concatenate([box, scene.camera_frusta(rig).ends.reshape(-1, 3), labels])


def front_azimuth(motion: Motion3D) -> float:
    """Return from where, rad, most people are seen from the front and 35 degrees to the side; 0.6 if unknown."""
    joints = motion.skeleton.joints
    pair = next((p for p in (("LHip", "RHip"), ("LShoulder", "RShoulder")) if set(p) <= set(joints)), None)
    if pair is None or not motion.found.any():
        return 0.6
    left, right = (motion.points.X[:, :, joints.index(joint)] for joint in pair)
    across = (left - right)[np.isfinite(left - right).all(axis=-1)]
    # Left hand of someone who looks along +x points to +y: facing is across turned by -90 degrees.
    facing = np.array([across[:, 1].sum(), -across[:, 0].sum()])
    if np.hypot(*facing) < 1e-9:
        return 0.6
    return float(np.arctan2(facing[1], facing[0]) + np.radians(35))
