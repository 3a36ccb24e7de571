"""A board waved through a rig of known cameras, each of which may be late."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from triskel.calibration.boards import BoardView, Charuco
from triskel.calibration.footage import BoardFootage, CameraBoards
from triskel.camera import Camera, Rig
from triskel.projection import project
from triskel.rigid import Rigid

BOARD = Charuco(squares_xy=(9, 6), square_m=0.05, marker_m=0.037)
FPS = 30.0


def wave(moments, *, speed, seed):
    """Return position (F, 3), m, and rotation vector (F, 3) of a hand at any moments, in frames."""
    rng = np.random.default_rng(seed)
    rates = rng.uniform(0.15, 0.9, (6, 5)) * 2 * np.pi * speed / FPS
    phases = rng.uniform(0, 2 * np.pi, (6, 5))
    size = np.array([0.3, 0.3, 0.2, 0.3, 0.3, 0.3])[:, None] / np.sqrt(5) * rng.uniform(0.5, 1.5, (6, 5))
    path = (size * np.sin(rates * np.asarray(moments)[:, None, None] + phases)).sum(axis=2)
    return path[:, :3] + [0, 0, 1.0], path[:, 3:]


@pytest.fixture(scope="session")
def wave_at():
    """Return a function that films the board: (rig, frames, lag of each camera in frames) -> BoardFootage."""

    def film(rig, n=240, *, lags=None, jitter=0.0, noise_px=0.2, speed=1.0, seed=3):
        rng = np.random.default_rng(seed)
        corners = BOARD.corners - BOARD.corners.mean(axis=0)
        cameras = []
        for c, camera in enumerate(rig):
            late = (np.zeros(len(rig)) if lags is None else np.asarray(lags, float))[c]
            moments = np.arange(n) + late + rng.normal(0, 1, n) * jitter
            position, turned = wave(moments, speed=speed, seed=seed)
            # Held up to the sky, slightly tilted, so that cameras all around see it.
            R = Rotation.from_rotvec(turned).as_matrix()
            X = np.einsum("fij,kj->fki", R, corners) + position[:, None]
            xy = project(camera, X)
            w, h = camera.size_wh
            inside = ((xy > 5) & (xy < [w - 5, h - 5])).all(axis=(1, 2))
            xy = xy + rng.normal(0, 1, xy.shape) * noise_px
            frames = np.flatnonzero(inside)
            views = [BoardView(np.arange(len(corners)), xy[f]) for f in frames]
            cameras.append(
                CameraBoards(
                    camera=camera.name,
                    size_wh=camera.size_wh,
                    frames=frames,
                    views=tuple(views),
                    time_s=frames / FPS,
                    looked_at=n,
                )
            )
        return BoardFootage(cameras=tuple(cameras), boards=(BOARD,), fps=FPS, source="waved")

    return film


def _hand(n, seed):
    """Return position (n, 3), m, and rotation (n, 3, 3) of a board that a person shows round, never the same twice."""
    rng = np.random.default_rng(seed)

    def smooth(k):
        path = gaussian_filter1d(rng.normal(size=(n, k)), 25, axis=0)
        return path / path.std(axis=0)

    position = smooth(3) * [0.6, 0.6, 0.3] + [0, 0, 1.1]
    tilt, yaw = Rotation.from_rotvec(smooth(3) * 0.35), np.cumsum(smooth(1)[:, 0] * 0.03)
    z = np.c_[np.cos(yaw), np.sin(yaw), np.full(n, 0.4)] / np.hypot(1, 0.4)
    x = np.cross([0, 0, 1.0], z)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return position, tilt.as_matrix() @ np.stack([x, np.cross(z, x), z], axis=2)


def _turning(n):
    """Return position and rotation of a board that swings to and fro and turns round, again and again."""
    t = np.arange(n) / FPS
    position = np.c_[np.sin(0.7 * t), np.sin(0.9 * t + 1), 1 + 0.5 * np.sin(1.1 * t)]
    z = np.c_[np.cos(0.8 * t), np.sin(0.8 * t), np.full(n, 0.4)] / np.hypot(1, 0.4)
    x = np.cross([0, 0, 1.0], z)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    tilt = Rotation.from_rotvec(0.5 * np.sin(np.c_[t, 1.3 * t, 0.6 * t])).as_matrix()
    return position, tilt @ np.stack([x, np.cross(z, x), z], axis=2)


@pytest.fixture(scope="session")
def ring():
    """Return a ring of six cameras, 4 m from its middle, without distortion."""
    cameras = []
    for i in range(6):
        a = np.pi * i / 3
        centre = np.array([4 * np.cos(a), 4 * np.sin(a), 2.0])
        z = [0, 0, 1.0] - centre
        z /= np.linalg.norm(z)
        x = np.array([-np.sin(a), np.cos(a), 0])
        R = np.stack([x, np.cross(z, x), z])
        K = np.array([[1100, 0, 960], [0, 1100, 540], [0, 0, 1.0]])
        pose = Rigid(R, -R @ centre)
        cameras.append(Camera(name=f"c{i:02d}", size_wh=(1920, 1080), K=K, dist=np.zeros(4), cam_from_world=pose))
    return Rig(tuple(cameras))


@pytest.fixture(scope="session")
def shown_to():
    """Return a function that films a board shown to cameras all around: (rig, late cameras by name) -> BoardFootage."""
    board = Charuco(squares_xy=(6, 5), square_m=0.1, marker_m=0.075)
    corners = (board.corners - board.corners.mean(axis=0)) @ np.diag([1, -1, -1.0])

    def film(rig, late=None, *, n=600, every=1, seed=0, periodic=False):
        rng = np.random.default_rng(seed)
        position, R = _turning(n + 120) if periodic else _hand(n + 120, seed)
        X = corners @ np.swapaxes(R, 1, 2) + position[:, None]
        cameras = []
        for camera in rig:
            frames = np.arange(0, n, every)
            at = frames + (late or {}).get(camera.name, 0)
            facing = ((camera.centre - position[at]) * R[at, :, 2]).sum(axis=1) > 1.5
            xy = project(camera, X[at])
            inside = ((xy > 5) & (xy < np.array(camera.size_wh) - 5)).all(axis=2)
            xy = xy + rng.normal(0, 0.2, xy.shape)
            seen = np.flatnonzero(facing & (inside.sum(axis=1) >= 8))
            views = tuple(BoardView(np.flatnonzero(inside[i]), xy[i, inside[i]]) for i in seen)
            cameras.append(
                CameraBoards(
                    camera=camera.name, size_wh=camera.size_wh, frames=frames[seen], views=views, looked_at=len(frames)
                )
            )
        return BoardFootage(cameras=tuple(cameras), boards=(board,), fps=FPS, source="shown")

    return film
