"""Triangulate noisy points seen by four cameras with distorting lenses, one of them badly wrong in one point.

Prints how far the results are from the truth.
"""

import numpy as np

from triskel import Camera, Rig, Rigid, project
from triskel.triangulate import triangulate_points

NOISE_PX = 0.5


def camera_at(name, centre, target=(0, 0, 1)):
    """Return a full HD camera with a barrel-distorting lens that looks at a point, upright."""
    forward = np.subtract(target, centre) / np.linalg.norm(np.subtract(target, centre))
    right = np.cross(forward, (0, 0, 1))
    right /= np.linalg.norm(right)
    R = np.stack([right, np.cross(forward, right), forward])  # rows: the camera's x, y, z axes in the world
    return Camera(
        name=name,
        size_wh=(1920, 1080),
        K=np.array([[1300, 0, 959.5], [0, 1300, 539.5], [0, 0, 1]]),
        dist=np.array([-0.2, 0.05, 0.001, -0.001, 0]),
        cam_from_world=Rigid(R, -R @ np.asarray(centre)),
    )


def main():
    rng = np.random.default_rng(1)
    corners = [(4, 3, 2.2), (-4, 3, 2.5), (-4, -3, 2.3), (4, -3, 1.8)]
    rig = Rig(tuple(camera_at(f"cam{i}", centre) for i, centre in enumerate(corners, start=1)))

    X_true = rng.uniform((-1, -1, 0), (1, 1, 2), size=(200, 3))  # (P, 3) m
    xy = np.stack([project(camera, X_true) for camera in rig])  # (C, P, 2) raw px
    xy += rng.normal(scale=NOISE_PX, size=xy.shape)
    xy[2, 0] += (150, -80)  # cam3 sees something else as point 0
    xy[:3, 1] = np.nan  # point 1 is hidden from all cameras but one

    points = triangulate_points(rig, xy)

    error_mm = np.linalg.norm(points.X - X_true, axis=-1) * 1000
    print(f"{len(rig)} cameras, {len(X_true)} points, noise of {NOISE_PX} px along each image axis")
    print(f"3D error          median {np.nanmedian(error_mm):.2f} mm, largest {np.nanmax(error_mm):.2f} mm")
    print(f"predicted (sigma) median {np.nanmedian(np.linalg.norm(points.sigma_mm, axis=-1)):.2f} mm")
    used = [name for name, one in zip(rig.names, points.views[0], strict=True) if one]
    print(f"point 0, outlier in cam3: {error_mm[0]:.2f} mm off, from {', '.join(used)}")
    print(f"point 1, seen only once:  X = {points.X[1]}, score {points.score[1]:.0f}")


if __name__ == "__main__":
    main()
