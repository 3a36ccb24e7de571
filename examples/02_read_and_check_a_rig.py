"""Write a rig in three formats, read each back without naming the format, and look at it before trusting it.

Writes `rigs/` into the current folder.
"""

from pathlib import Path

import numpy as np

from triskel import Camera, Rig, Rigid, load_rig
from triskel.calibration import check_rig, describe_rig, write_rig

FILES = {"native": "rig.yaml", "qualisys": "rig.qca.txt", "toml": "rig.toml"}


def camera_at(name, azimuth_rad, *, height_m=2.0, distance_m=4.0):
    """Return a camera on a circle around the origin that looks at the point 1 m above it."""
    centre = np.array([distance_m * np.cos(azimuth_rad), distance_m * np.sin(azimuth_rad), height_m])
    forward = (0, 0, 1) - centre
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, (0, 0, 1))
    right /= np.linalg.norm(right)
    R = np.stack([right, np.cross(forward, right), forward])
    K = np.array([[1200, 0, 959.5], [0, 1200, 539.5], [0, 0, 1]])
    dist = np.array([-0.1, 0.02, 0, 0, 0])
    return Camera(name=name, size_wh=(1920, 1080), K=K, dist=dist, cam_from_world=Rigid(R, -R @ centre))


def show(rig):
    for row in describe_rig(rig):
        x, y, z = row.centre_m
        print(
            f"  {row.name}  {row.focal_px:.0f} px, {row.fov_deg:.1f} degrees wide, at ({x:+.2f}, {y:+.2f}, {z:+.2f}) m"
        )
    for finding in check_rig(rig):
        print(f"  {finding.severity}: {finding.camera} {finding.message}")


def main():
    rig = Rig(tuple(camera_at(f"cam{i + 1}", azimuth) for i, azimuth in enumerate(np.radians([20, 110, 200, 290]))))
    for name, file in FILES.items():
        path = Path("rigs", file)
        write_rig(rig, path, format=name)
        again = load_rig(path)  # told apart by content, not by the extension
        off_mm = max(np.linalg.norm(again[camera.name].centre - camera.centre) for camera in rig) * 1000
        print(f"{path}: {len(again)} cameras, {len(check_rig(again))} findings, centres {off_mm:.6f} mm off")
    print("\nthe rig as read from the last file:")
    show(again)
    print("\nthe same with one camera in other axes (y up, z backward) and one below the floor:")
    R = np.diag([1.0, -1.0, -1.0]) @ rig["cam2"].cam_from_world.R
    turned = rig["cam2"].replace(cam_from_world=Rigid(R, -R @ rig["cam2"].centre))
    show(Rig((rig["cam1"], turned, rig["cam3"], camera_at("cam4", np.radians(290), height_m=-2))))


if __name__ == "__main__":
    main()
