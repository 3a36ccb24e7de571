"""The measurements of `triskel bench`."""

import time

import numpy as np

from triskel.camera import Camera, Rig
from triskel.projection import project_rig
from triskel.rigid import Rigid

Row = tuple[str, float]


def measure_detection(images: int) -> list[Row]:
    """Time the detector on noise of 1280 x 720 px: the cost does not depend on what is in the images."""
    from triskel.detect2d import DetectOptions, load_detector

    rng = np.random.default_rng(0)
    batch = [rng.integers(0, 255, (720, 1280, 3), dtype=np.uint8) for _ in range(min(4, images))]
    rows = []
    for mirror in (False, True):
        detector = load_detector("body", options=DetectOptions(mirror=mirror))
        detector(batch)
        done, started = 0, time.perf_counter()
        while done < images:
            detector(batch)
            done += len(batch)
        seconds = (time.perf_counter() - started) / done
        setting = f"{detector.options.short_side} px{', mirrored too' if mirror else ''}"
        rows.append((f"{setting}, {detector.precision}, {detector.device}", seconds))
    return rows


def ring(cameras: int) -> Rig:
    """Return cameras in a ring of 4 m looking at the origin's vertical axis, with barrel distortion."""
    K = np.array([[1200.0, 0, 960], [0, 1200, 540], [0, 0, 1]])
    rig = []
    for i in range(cameras):
        angle = 2 * np.pi * i / cameras
        centre = np.array([4 * np.cos(angle), 4 * np.sin(angle), 2.0])
        z = np.array([0, 0, 1.0]) - centre
        z /= np.linalg.norm(z)
        x = np.cross(z, [0, 0, 1])
        x /= np.linalg.norm(x)
        R = np.stack([x, np.cross(z, x), z])
        pose = Rigid(R, -R @ centre)
        dist = np.array([-0.1, 0.05, 0, 0, 0])
        rig.append(Camera(name=f"cam{i}", size_wh=(1920, 1080), K=K, dist=dist, cam_from_world=pose))
    return Rig(tuple(rig))


def measure_triangulation(points: int) -> list[Row]:
    """Time robust triangulation with 1 px noise and 5 % outliers, from 4, 8 and 16 cameras."""
    from triskel.triangulate import triangulate_points

    rng = np.random.default_rng(0)
    rows = []
    for cameras in (4, 8, 16):
        rig = ring(cameras)
        xy = project_rig(rig, rng.uniform([-1, -1, 0], [1, 1, 2], (points, 3))) + rng.normal(0, 1, (cameras, points, 2))
        xy[rng.random((cameras, points)) < 0.05] += 80
        triangulate_points(rig, xy[:, :10])
        started = time.perf_counter()
        triangulate_points(rig, xy)
        rows.append((f"{cameras} cameras", (time.perf_counter() - started) / points))
    return rows
