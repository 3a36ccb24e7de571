import numpy as np
import pytest

from triskel import Camera, Rigid

COEFFICIENTS = [-0.11, 0.06, 0.0006, -0.0005, 0.01, 0.02, -0.01, 0.003, 0.001, -0.0004, 0.0007, 0.0002, 0.02, -0.015]


@pytest.fixture
def camera_of():
    """Return the function that builds a posed camera with the first `n` of realistic coefficients."""

    def build(model="pinhole", n=5, **changes) -> Camera:
        dist = [0.03, -0.008, 0.002, -0.0004] if model == "fisheye" else COEFFICIENTS[:n]
        settings = {
            "name": "cam",
            "size_wh": (1280, 720),
            "K": np.array([[900.0, 0, 642.5], [0, 905.0, 355.25], [0, 0, 1]]),
            "dist": np.array(dist),
            "model": model,
            "cam_from_world": Rigid.from_rotvec([0.2, -0.3, 0.1], [0.1, -0.2, 0.4]),
        }
        return Camera(**(settings | changes))

    return build


@pytest.fixture
def in_front():
    """Return the function that gives `n` world points in front of a camera, m, at most `spread` off its axis."""

    def points(camera, n=200, *, spread=0.6, seed=0):
        rng = np.random.default_rng(seed)
        depth = rng.uniform(1.0, 6.0, n)
        local = np.c_[rng.uniform(-spread, spread, (n, 2)) * depth[:, None], depth]
        return camera.cam_from_world.inverse.apply(local)

    return points
