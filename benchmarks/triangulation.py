"""Accuracy and speed of triangulation on a scene with known truth, beside what people usually write with OpenCV.

Then the speed of the whole way from detections to people, with 25 joints and with the 135 of a whole body.

    python benchmarks/triangulation.py [../shared/bench/scene.py]

All methods see the same detections in one run: 8 cameras, 1000 frames of 25 joints, 1 px noise, 20 % missing, 5 % of
the rest 20 to 200 px off. People: two in each of 100 frames, 4 and 8 cameras, 1 px noise; hands and faces are points at
random close to wrists and nose. Times are the best of three, after one run that compiles and warms up; threads as
installed.
"""

import datetime
import platform
import runpy
import subprocess
import sys
import time
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np

from triskel import Camera, Detections2D, Rig, Rigid
from triskel.projection import project_rig, undistort
from triskel.skeleton import BODY_25, WHOLE_BODY_135
from triskel.triangulate import PeopleOptions, triangulate_dlt, triangulate_people, triangulate_points
from triskel.whole_body import WRISTS, parts_of

ROOT = Path(__file__).resolve().parents[1]


def pairs_median(rig, xy):
    """Triangulate every pair of cameras with cv2.triangulatePoints and take the median over the pairs."""
    ideal = [undistort(camera, points).reshape(-1, 2).T for camera, points in zip(rig, xy, strict=True)]
    X = np.full((len(rig) * (len(rig) - 1) // 2, ideal[0].shape[1], 3), np.nan)
    for k, (a, b) in enumerate(combinations(range(len(rig)), 2)):
        both = np.isfinite(ideal[a][0]) & np.isfinite(ideal[b][0])
        x = cv2.triangulatePoints(rig.cameras[a].P, rig.cameras[b].P, ideal[a][:, both], ideal[b][:, both])
        X[k, both] = (x[:3] / x[3]).T
    seen = np.isfinite(X[..., 0]).any(axis=0)
    median = np.full((len(seen), 3), np.nan)
    median[seen] = np.nanmedian(X[:, seen], axis=0)
    return median.reshape(*xy.shape[1:-1], 3)


def whole_people(bodies):
    """Return two whole bodies (F, 2, 135, 3) from one (F, 25, 3): itself, and itself turned half around the origin."""
    rng = np.random.default_rng(3)
    X = np.concatenate([bodies, np.empty((len(bodies), 110, 3))], axis=1)
    for part, joints in parts_of(WHOLE_BODY_135).items():
        if part != "body":
            at = X[:, [WRISTS.get(part, BODY_25.index("Nose"))]]
            X[:, joints] = at + rng.uniform(-0.025, 0.025, (len(joints), 3))
    return np.stack([X, X * (-1, -1, 1)], axis=1)


def best_of_three(method):
    found, seconds = method(), []
    for _ in range(3):
        start = time.perf_counter()
        method()
        seconds.append(time.perf_counter() - start)
    return found, min(seconds)


def people(rig, X):
    """Print how long it takes from detections of two people to their motion, and what of it was found."""
    xy = np.moveaxis(project_rig(rig, X), 0, 1)
    xy += np.random.default_rng(4).normal(0, 1, xy.shape)
    keypoints = np.concatenate([xy, np.where(np.isnan(xy[..., :1]), 0, 0.8)], axis=-1)
    times = np.arange(len(X)) / 60
    for skeleton in (BODY_25, WHOLE_BODY_135):
        seen = np.ascontiguousarray(keypoints[..., : len(skeleton), :])
        detections = Detections2D(skeleton, tuple(rig.names), seen)
        options = PeopleOptions(most_people=2)
        result, seconds = best_of_three(lambda d=detections, o=options: triangulate_people(rig, d, times, options=o))
        found = 100 * result.motion.found.mean()
        print(
            f"{skeleton.name:16} {len(rig)} cameras, 2 people, {len(X)} frames: {seconds:6.2f} s, {found:5.1f} % found"
        )


def cpu():
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]} ({len(names)} threads)" if names else platform.processor()


def header():
    git = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip() or "unknown"
    return f"{datetime.date.today()}, commit {commit}, {cpu()}, Python {platform.python_version()}"


def main(path):
    scene = runpy.run_path(str(path))
    cameras, X = scene["make_rig"](), scene["make_motion"](1000)
    xy, score, _ = scene["observe"](cameras, X)
    made = [(c["name"], c["size"], c["K"], c["dist"], Rigid(c["R"], c["t"])) for c in cameras]
    rig = Rig(tuple(Camera(name=n, size_wh=s, K=K, dist=d, cam_from_world=pose) for n, s, K, d, pose in made))
    methods = {
        "triskel.triangulate_points": lambda: triangulate_points(rig, xy, score).X,
        "plain DLT, scores as weights": lambda: triangulate_dlt(rig, xy, score),
        "cv2.triangulatePoints, median of all pairs": lambda: pairs_median(rig, xy),
    }
    print(header())
    print(f"{'method':44} {'s/1000 fr':>9} {'mean mm':>8} {'median':>7} {'p99':>8} {'<10 mm %':>8} {'missing %':>9}")
    for name, method in methods.items():
        found, seconds = best_of_three(method)
        r = scene["score"](X, found)
        numbers = f"{r['mean_mm']:8.2f} {r['median_mm']:7.2f} {r['p99_mm']:8.1f}"
        print(f"{name:44} {seconds:9.2f} {numbers} {r['within10mm_pct']:8.2f} {r['missing_pct']:9.2f}")
    for count in (4, 8):
        people(rig.select(rig.names[:: len(rig) // count]), whole_people(X[:100]))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else ROOT.parent / "shared/bench/scene.py")
