"""A board waved through a rig of known cameras, each of which may be late."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from triskel.calibration.boards import BoardView, Charuco
from triskel.calibration.footage import BoardFootage, CameraBoards
from triskel.projection import project

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
