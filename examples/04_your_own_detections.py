"""Reconstruct people in 3D from the 2D keypoints of any detector that can write OpenPose's JSON.

Writes `own/` into the current folder: detections as a detector would leave them, and the results as TRC and CSV.
"""

import json
from pathlib import Path

import numpy as np

from triskel import Camera, Rig, Rigid, get_skeleton, project
from triskel.exchange import export, read_openpose_json
from triskel.triangulate import triangulate_people

FRAMES, FPS, NOISE_PX = 60, 30, 2.0
SKELETON = get_skeleton("body_25")
# One side of a person who faces +x, m; the other side is its mirror image.
RIGHT = {"Nose": (0.12, 0, 1.6), "Neck": (0, 0, 1.43), "RShoulder": (0, -0.2, 1.43), "RElbow": (0, -0.27, 1.15),
         "RWrist": (0.1, -0.3, 0.92), "MidHip": (0, 0, 0.95), "RHip": (0, -0.1, 0.95), "RKnee": (0.04, -0.11, 0.5),
         "RAnkle": (0, -0.12, 0.09), "REye": (0.1, -0.03, 1.64), "REar": (0.01, -0.08, 1.62),
         "RBigToe": (0.2, -0.12, 0.02), "RSmallToe": (0.16, -0.17, 0.02), "RHeel": (-0.06, -0.12, 0.02)}  # fmt: skip


def camera_at(name, x, y):
    forward = np.array([-x, -y, -1.0]) / np.linalg.norm((x, y, 1))
    right = np.array([-y, x, 0]) / np.hypot(x, y)
    R = np.stack([right, np.cross(forward, right), forward])
    K = np.array([[1200, 0, 959.5], [0, 1200, 539.5], [0, 0, 1]])
    return Camera(name=name, size_wh=(1920, 1080), K=K, cam_from_world=Rigid(R, -R @ np.array([x, y, 2.0])))


def main():
    rng = np.random.default_rng(4)
    rig = Rig(tuple(camera_at(f"cam{i + 1}", *xy) for i, xy in enumerate([(4, 3), (-4, 3), (-4, -3), (4, -3)])))
    mirror = {SKELETON.joints[SKELETON.flips[SKELETON.index(joint)]]: (x, -y, z) for joint, (x, y, z) in RIGHT.items()}
    standing = np.array([(RIGHT | mirror)[joint] for joint in SKELETON.joints])
    X_true = standing + np.linspace((-1, 0, 0), (1, 0, 0), FRAMES)[:, None]  # (F, J, 3), slides forward by 2 m

    for camera in rig:  # what a detector would have written: one folder a camera, one file a frame
        folder = Path("own/json", camera.name)
        folder.mkdir(parents=True, exist_ok=True)
        for f, xy in enumerate(project(camera, X_true) + rng.normal(scale=NOISE_PX, size=(FRAMES, len(SKELETON), 2))):
            values = np.c_[xy, rng.uniform(0.6, 0.95, len(SKELETON))].ravel().tolist()
            person = {"person_id": [-1], "pose_keypoints_2d": values}
            (folder / f"{f:012d}_keypoints.json").write_text(json.dumps({"version": 1.3, "people": [person]}))

    detections = read_openpose_json("own/json", rig.names)
    motion = triangulate_people(rig, detections, np.arange(FRAMES) / FPS).motion
    error_mm = np.linalg.norm(motion.points.X[:, 0] - X_true, axis=-1) * 1000
    print(f"{detections.skeleton.name}, {FRAMES} frames, {len(rig)} cameras: {len(motion.ids)} person in 3D")
    print(f"3D error: median {np.nanmedian(error_mm):.1f} mm, largest {np.nanmax(error_mm):.1f} mm")
    export(motion, detections, format="trc", out="own/trc")  # a folder, one file a person
    export(motion, detections, format="csv-tidy", out="own/people.csv")
    print("written:", *sorted(str(path) for path in Path("own").rglob("*.[tc][rs][cv]")))


if __name__ == "__main__":
    main()
