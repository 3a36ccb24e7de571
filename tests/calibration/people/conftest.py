import importlib.util
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from triskel import Camera, Rig, Rigid
from triskel.motion import Detections2D
from triskel.skeleton import BODY_25

SCENE = Path(__file__).resolve().parents[4] / "shared/bench/scene.py"


@pytest.fixture(scope="session")
def walker():
    """Return the function that films a walking person: the true rig, detections and times."""
    if not SCENE.is_file():
        pytest.skip(f"needs the benchmark scene, and {SCENE} is missing")
    spec = importlib.util.spec_from_file_location("people_scene", SCENE)
    scene = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(scene)

    def film(cameras=4, frames=120, *, every=5, noise_px=1.5, outlier=0.03, seed=2):
        ring = scene.make_rig(cameras)
        X = scene.make_motion(frames * every)[::every]
        xy, score, _ = scene.observe(ring, X, noise=noise_px, outlier=outlier, seed=seed)
        keypoints = np.moveaxis(np.concatenate([xy, score[..., None]], axis=-1), 0, 1)[:, :, None]
        rig = Rig(
            tuple(
                Camera(
                    name=c["name"],
                    size_wh=c["size"],
                    K=c["K"],
                    dist=c["dist"],
                    cam_from_world=Rigid(c["R"], c["t"]),
                )
                for c in ring
            )
        )
        return rig, Detections2D(BODY_25, tuple(rig.names), keypoints), np.arange(frames) * every / 60, X

    return film


@pytest.fixture(scope="session")
def bump():
    """Return the function that moves one camera of a rig by so many mm and degrees."""

    def moved(rig, index, mm, deg):
        camera = rig.cameras[index]
        R = Rotation.from_rotvec(np.radians(deg) * np.array([0.6, 0.8, 0.0])).as_matrix() @ camera.cam_from_world.R
        centre = camera.centre + np.array([0.6, 0.0, 0.8]) * mm / 1000
        cameras = list(rig.cameras)
        cameras[index] = camera.replace(cam_from_world=Rigid(R, -R @ centre))
        return Rig(tuple(cameras))

    return moved
