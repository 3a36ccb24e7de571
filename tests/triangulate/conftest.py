import importlib.util
from pathlib import Path

import numpy as np
import pytest

from triskel import Camera, Rig, Rigid
from triskel.skeleton import WHOLE_BODY_135

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


@pytest.fixture(scope="session")
def whole_people():
    """Return the function that gives two people with hands and faces (frames, 2, 135, 3) who walk along x, m.

    They stand face to face along y, 1.6 m apart, arms at their sides; every bone keeps its length.
    """
    body = {
        "Nose": (0, 0.10, 1.62), "Neck": (0, 0, 1.45), "MidHip": (0, 0, 0.95),
        "Shoulder": (0.18, 0, 1.45), "Elbow": (0.22, 0, 1.15), "Wrist": (0.24, 0.05, 0.90), "Hip": (0.10, 0, 0.95),
        "Knee": (0.11, 0, 0.52), "Ankle": (0.11, 0, 0.10), "Eye": (0.03, 0.09, 1.65), "Ear": (0.07, 0, 1.64),
        "BigToe": (0.10, 0.18, 0.04), "SmallToe": (0.15, 0.16, 0.04), "Heel": (0.11, -0.05, 0.04),
    }  # fmt: skip
    one = np.full((135, 3), np.nan)
    for j, joint in enumerate(WHOLE_BODY_135.joints[:25]):
        # The person looks along +y, so the right hand is at +x.
        side, name = (1, joint) if joint in body else ({"L": -1, "R": 1}[joint[0]], joint[1:])
        one[j] = np.multiply(body[name], (side, 1, 1))
    fingers = np.array([[0.045 - 0.022 * finger, 0.0, -0.07 - 0.028 * i] for finger in range(5) for i in range(4)])
    fingers[:4] += (0.0, 0.03, 0.03)
    one[25:45] = one[7] + fingers[:, [1, 0, 2]]
    one[45:65] = one[4] + fingers[:, [1, 0, 2]]
    angle = np.linspace(0, 6 * np.pi, 70)
    radius = np.linspace(0.09, 0.01, 70)
    one[65:] = one[0] + np.c_[0.8 * radius * np.cos(angle), 0.02 - 2 * radius**2, radius * np.sin(angle)]
    other = one * (-1, -1, 1)

    def build(frames=30, fps=30.0):
        pair = np.stack([one, other]) + np.array([[[0, -0.8, 0]], [[0, 0.8, 0]]])
        along = 0.3 * (np.arange(frames) / fps - frames / fps / 2)
        return pair + along[:, None, None, None] * np.array([1.0, 0, 0])

    return build
