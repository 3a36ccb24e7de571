"""A board moved through a rig with known truth."""

import numpy as np
from scipy.spatial.transform import Rotation

from triskel.calibration import BoardView, Charuco
from triskel.projection import project
from triskel.rigid import Rigid

BOARD = Charuco(squares_xy=(9, 6), square_m=0.08, marker_m=0.06)


def shots_of(rig, n, *, noise_px=0.0, outliers=0.0, near=0, seed=1, flat_first=False):
    """Return n shots seen by several cameras, then `near` close ones for each camera alone."""
    rng = np.random.default_rng(seed)
    corners = BOARD.corners - BOARD.corners.mean(axis=0)
    shots = []
    for s in range(n):
        position = rng.uniform([-0.6, -0.6, 0.6], [0.6, 0.6, 1.6])
        towards = rig.cameras[rng.integers(len(rig))].centre - position
        R = facing(towards / np.linalg.norm(towards) + rng.normal(0, 0.3, 3), rng)
        world = corners @ R.T + position
        if flat_first and s == 0:
            R, world = np.eye(3), BOARD.corners + np.array([0.3, 0.1, 0.0])
        seen = {}
        for camera in rig:
            direction = camera.centre - position
            if abs(R[:, 2] @ direction) / np.linalg.norm(direction) > 0.35 or (flat_first and s == 0):
                look(seen, camera, world, rng, noise_px=noise_px, outliers=outliers)
        shots.append(seen)
    for camera in rig:
        for _ in range(near):
            R = Rotation.from_rotvec(rng.normal(0, 0.35, 3)).as_matrix()
            t = np.r_[rng.uniform(-0.35, 0.35), rng.uniform(-0.2, 0.2), 1.0] * rng.uniform(0.6, 1.2)
            seen = {}
            local = Rigid(R, t).apply(corners)
            look(seen, camera, camera.cam_from_world.inverse.apply(local), rng, noise_px=noise_px, outliers=outliers)
            shots.append(seen)
    return shots


def facing(normal, rng):
    """Return a rotation whose z axis is along `normal`, turned about it at random."""
    z = normal / np.linalg.norm(normal)
    x = np.cross(rng.normal(size=3), z)
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z], axis=1)


def look(seen, camera, world, rng, *, noise_px, outliers):
    """Add what the camera sees of the corners (K, 3), m."""
    xy = project(camera, world)
    w, h = camera.size_wh
    with np.errstate(invalid="ignore"):
        inside = np.flatnonzero((xy[:, 0] > 5) & (xy[:, 0] < w - 5) & (xy[:, 1] > 5) & (xy[:, 1] < h - 5))
    noisy = xy[inside] + rng.normal(0, 1, (len(inside), 2)) * noise_px
    bad = rng.random(len(inside)) < outliers
    noisy[bad] += rng.choice([-1, 1], (bad.sum(), 2)) * rng.uniform(5, 15, (bad.sum(), 2))
    if len(inside) >= 8:
        seen[camera.name] = BoardView(inside, noisy)
