import importlib.util
from pathlib import Path

import numpy as np
import pytest

from triskel import Camera, Rig, Rigid

SCENE = Path(__file__).resolve().parents[3] / "shared/bench/scene.py"


@pytest.fixture(scope="session")
def scene():
    """Return the benchmark's scene, a module outside the repository."""
    if not SCENE.is_file():
        pytest.skip(f"needs the benchmark scene, and {SCENE} is missing")
    spec = importlib.util.spec_from_file_location("scene", SCENE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def ring():
    """Return the function that builds `n` cameras on a ring of 4 m, all looking at (0, 0, 1)."""

    def build(n=4, *, model="pinhole") -> Rig:
        cameras = []
        for i in range(n):
            a = 2 * np.pi * i / n + 0.2
            centre = np.array([4 * np.cos(a), 4 * np.sin(a), 1.6 + 0.2 * (i % 3)])
            z = np.array([0, 0, 1.0]) - centre
            z /= np.linalg.norm(z)
            x = np.cross(z, [0, 0, 1.0])
            x /= np.linalg.norm(x)
            R = np.stack([x, np.cross(z, x), z])
            dist = [0.03, -0.008, 0.002, -0.0004] if model == "fisheye" else [-0.11, 0.06, 6e-4, -5e-4, 0.01]
            K = np.array([[900.0 + i, 0, 640 + i], [0, 903.0, 512 - i], [0, 0, 1]])
            pose = Rigid(R, -R @ centre)
            cameras.append(Camera(name=f"c{i}", size_wh=(1280, 1024), K=K, dist=dist, model=model, cam_from_world=pose))
        return Rig(tuple(cameras))

    return build


@pytest.fixture(scope="session")
def points_inside():
    """Return the function that gives points (..., 3) where all cameras of a ring see them, m."""

    def build(*shape, seed=0):
        return np.random.default_rng(seed).uniform([-0.8, -0.8, 0.2], [0.8, 0.8, 1.9], (*shape, 3))

    return build
