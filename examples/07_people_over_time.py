"""Follow two people who walk past each other, through gaps and exchanged sides, and say how far to trust the result.

Writes `crossing/` into the current folder: both people as BVH, before and after what is done over time.
"""

from collections import Counter

import numpy as np

from triskel import Camera, Detections2D, Rig, Rigid, get_skeleton, project
from triskel.exchange import export
from triskel.keypoints import Missing
from triskel.triangulate import OverTimeOptions, refine_over_time, triangulate_people

FRAMES, FPS, NOISE_PX = 120, 30, 2.0
SKELETON = get_skeleton("body_25")
# One side of a person who faces +x, m; the other side is its mirror image.
RIGHT = {"Nose": (0.12, 0, 1.6), "Neck": (0, 0, 1.43), "RShoulder": (0, -0.2, 1.43), "RElbow": (0, -0.27, 1.15),
         "RWrist": (0.1, -0.3, 0.92), "MidHip": (0, 0, 0.95), "RHip": (0, -0.1, 0.95), "RKnee": (0.04, -0.11, 0.5),
         "RAnkle": (0, -0.12, 0.09), "REye": (0.1, -0.03, 1.64), "REar": (0.01, -0.08, 1.62),
         "RBigToe": (0.2, -0.12, 0.02), "RSmallToe": (0.16, -0.17, 0.02), "RHeel": (-0.06, -0.12, 0.02)}  # fmt: skip


def camera_at(name, angle):
    centre = np.array([4.5 * np.cos(angle), 4.5 * np.sin(angle), 2.2])
    forward = np.array([0, 0, 1.0]) - centre
    forward /= np.linalg.norm(forward)
    right = np.array([-np.sin(angle), np.cos(angle), 0])
    R = np.stack([right, np.cross(forward, right), forward])
    K = np.array([[1100, 0, 959.5], [0, 1100, 539.5], [0, 0, 1]])
    return Camera(name=name, size_wh=(1920, 1080), K=K, cam_from_world=Rigid(R, -R @ centre))


def two_people():
    """Return (F, 2, J, 3) m: one walks along +x, the other meets him, turned round, half a metre aside."""
    mirror = {SKELETON.joints[SKELETON.flips[SKELETON.index(joint)]]: (x, -y, z) for joint, (x, y, z) in RIGHT.items()}
    standing = np.array([(RIGHT | mirror)[joint] for joint in SKELETON.joints])
    along = np.linspace(-1.5, 1.5, FRAMES)[:, None, None] * (1, 0, 0)
    return np.stack([standing + along + (0, 0.25, 0), standing * (-1, -1, 1) - along - (0, 0.25, 0)], axis=1)


def main():
    rng = np.random.default_rng(7)
    rig = Rig(tuple(camera_at(f"cam{i + 1}", angle) for i, angle in enumerate(np.arange(5) * 2 * np.pi / 5)))
    X_true = two_people()
    xy = np.stack([project(camera, X_true) for camera in rig], axis=1)  # (F, C, N, J, 2)
    keypoints = np.concatenate([xy + rng.normal(0, NOISE_PX, xy.shape), np.full((*xy.shape[:-1], 1), 0.8)], axis=-1)
    keypoints[:, ::2] = keypoints[:, ::2, ::-1]  # the order of people in an image means nothing
    keypoints[40:60, 1] = keypoints[40:60, 1][:, :, list(SKELETON.flips)]  # cam2 takes left for right
    keypoints[80:84, :, :, SKELETON.index("RWrist")] = np.nan, np.nan, 0  # nobody's right wrist is seen for 4 frames

    people = triangulate_people(rig, Detections2D(SKELETON, tuple(rig.names), keypoints), np.arange(FRAMES) / FPS)
    for name, motion in (("raw", people.raw), ("final", people.motion)):
        far = np.linalg.norm(motion.points.X[:, :, None] - X_true[:, None], axis=-1)
        who = np.nanmedian(far, axis=(0, 3)).argmin(axis=1)
        error_mm = 1000 * np.stack([far[:, n, whom] for n, whom in enumerate(who)], axis=1)
        reasons = Counter(Missing(code).name for code in motion.points.missing.ravel().tolist() if code)
        print(f"{name:5} {len(motion.ids)} people, mean error {np.nanmean(error_mm):.1f} mm, predicted "
              f"{np.nanmean(np.linalg.norm(motion.points.sigma_mm, axis=-1)):.1f} mm, {motion.gap.sum()} filled, "
              f"missing: {dict(reasons) or 'nothing'}")  # fmt: skip
    smooth = refine_over_time(people.raw, OverTimeOptions(filter="butterworth", cutoff_hz=4, bones=False))
    print(f"another filter, no fixed limbs: {smooth.gap.sum()} filled")
    for name, motion in (("raw", people.raw), ("final", people.motion)):
        export(motion, None, format="bvh", out=f"crossing/{name}")


if __name__ == "__main__":
    main()
