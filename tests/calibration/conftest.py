import importlib.util
from pathlib import Path

import numpy as np
import pytest

from triskel import Camera, Rig
from triskel.rigid import Rigid

SHARED = Path(__file__).resolve().parents[3] / "shared"


def look_at(centre, target) -> Rigid:
    """Return cam_from_world of a camera at `centre` that looks at `target`, z up."""
    centre, target = np.asarray(centre, float), np.asarray(target, float)
    z = (target - centre) / np.linalg.norm(target - centre)
    x = np.cross(z, [0, 0, 1.0])
    x /= np.linalg.norm(x)
    R = np.stack([x, np.cross(z, x), z])
    return Rigid(R, -R @ centre)


def make_rig(n=4, *, radius=3.0, dist=(-0.1, 0.05, 0.001, -0.0005, 0.01), model="pinhole") -> Rig:
    """Return n cameras on a ring, looking at its middle."""
    cameras = []
    for i in range(n):
        a = 2 * np.pi * i / n + 0.1
        centre = [radius * np.cos(a), radius * np.sin(a), 1.8 + 0.1 * i]
        cameras.append(
            Camera(
                name=f"cam{i + 1:02d}",
                size_wh=(1280, 720),
                K=np.array([[901.3 + i, 0, 640.2 - i], [0, 900.1, 358.7 + i], [0, 0, 1]]),
                dist=np.array(dist),
                model=model,
                cam_from_world=look_at(centre, [0, 0, 1.0]),
            )
        )
    return Rig(tuple(cameras))


@pytest.fixture
def rig() -> Rig:
    return make_rig()


@pytest.fixture
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip(f"needs the shared data, and {SHARED} is missing")
    return SHARED


@pytest.fixture(scope="session")
def scene():
    """Return the module `scene.py` beside this file (tests are not a package)."""
    spec = importlib.util.spec_from_file_location("calibration_scene", Path(__file__).with_name("scene.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def rig_of():
    """Return the function that builds rings of cameras."""
    return make_rig
