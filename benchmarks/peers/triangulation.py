"""What other packages make of the same detections; run by benchmarks/triangulate.py in an environment of its own.

    python -m venv /tmp/triskel-peers
    /tmp/triskel-peers/bin/pip install aniposelib==0.8.0 pycolmap==4.2.1
    /tmp/triskel-peers/bin/pip install --no-deps pose2sim==0.10.49 caliscope==0.11.8
    /tmp/triskel-peers/bin/pip install pandas matplotlib platformdirs rtoml c3d ezc3d anytree
    python benchmarks/triangulate.py --peers-python /tmp/triskel-peers/bin/python

The second line leaves out what pose2sim and caliscope need for windows, networks and OpenSim, the third adds what their
triangulation needs. Nothing of triskel is imported here. Usage: triangulation.py METHOD IN.npz OUT.npz REPEATS, where
IN holds K (C,3,3), dist (C,5), R (C,3,3), t (C,3), size (C,2), xy (C,F,J,2) px, score (C,F,J), and OUT gets
X (F,J,3) m, seconds and cpu_s (the best of the repeats, after one run that warms up unless it takes long) and version.
Exit status 3: not installed.
"""

import contextlib
import importlib.metadata
import json
import logging
import os
import sys
import tempfile
import time
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
from openpose_rule import openpose_rule

NOT_INSTALLED = 3
ENOUGH_S = 10.0
"""Time after which a run is not repeated any more."""


def projections(scene):
    """Return [R|t] of each camera (C, 3, 4): projection matrices for undistorted, normalised points."""
    return np.concatenate([scene["R"], scene["t"][..., None]], axis=-1)


def normalised(scene):
    """Return undistorted, normalised points (C, F*J, 2)."""
    flat = scene["xy"].reshape(len(scene["K"]), -1, 1, 2)
    return np.stack(
        [cv2.undistortPoints(xy, K, d)[:, 0] for xy, K, d in zip(flat, scene["K"], scene["dist"], strict=True)]
    )


def aniposelib(scene, how):
    """`triangulate`, with or without its fast way, or its RANSAC."""
    from aniposelib.cameras import Camera, CameraGroup

    cameras = [
        Camera(matrix=K, dist=d, size=tuple(map(int, size)), rvec=cv2.Rodrigues(R)[0].ravel(), tvec=t, name=str(i))
        for i, (K, d, size, R, t) in enumerate(
            zip(*(scene[key] for key in ("K", "dist", "size", "R", "t")), strict=True)
        )
    ]
    group = CameraGroup(cameras)
    points = scene["xy"].reshape(len(cameras), -1, 2)
    if how == "ransac":
        return lambda: group.triangulate_ransac(points, min_cams=2)[0]
    return lambda: group.triangulate(points, fast=how == "fast")


def opencv_pairs(scene):
    """Triangulate every pair of cameras with cv2.triangulatePoints and take the median over the pairs."""
    P = projections(scene)

    def run():
        ideal = normalised(scene)
        X = np.full((len(P) * (len(P) - 1) // 2, ideal.shape[1], 3), np.nan)
        for k, (a, b) in enumerate(combinations(range(len(P)), 2)):
            both = np.isfinite(ideal[[a, b], :, 0]).all(axis=0)
            x = cv2.triangulatePoints(P[a], P[b], ideal[a, both].T, ideal[b, both].T)
            X[k, both] = (x[:3] / x[3]).T
        seen = np.isfinite(X[..., 0]).any(axis=0)
        median = np.full((len(seen), 3), np.nan)
        median[seen] = np.nanmedian(X[:, seen], axis=0)
        return median

    return run


def opencv_sfm(scene):
    """cv2.sfm.triangulatePoints: linear, each set of views by itself; most builds are without the module."""
    if not hasattr(cv2, "sfm"):
        raise ImportError("this build of OpenCV has no sfm module")
    P = projections(scene)

    def run():
        ideal = normalised(scene)
        seen = np.isfinite(ideal[..., 0])
        X = np.full((ideal.shape[1], 3), np.nan)
        for views in np.unique(seen, axis=1).T:
            chosen = (seen == views[:, None]).all(axis=0)
            if views.sum() >= 2:
                points = [np.ascontiguousarray(xy[chosen].T) for xy in ideal[views]]
                X[chosen] = cv2.sfm.triangulatePoints(points, list(P[views])).T
        return X

    return run


def pycolmap(scene):
    """`estimate_triangulation` (LO-RANSAC) with reprojection errors of at most 6 px, point by point."""
    import pycolmap as colmap

    cameras, poses = [], []
    for K, d, size, R, t in zip(*(scene[key] for key in ("K", "dist", "size", "R", "t")), strict=True):
        # Its pixel centres are at +0.5.
        parameters = [K[0, 0], K[1, 1], K[0, 2] + 0.5, K[1, 2] + 0.5, *d[:4], d[4], 0, 0, 0]
        cameras.append(colmap.Camera(model="FULL_OPENCV", width=int(size[0]), height=int(size[1]), params=parameters))
        poses.append(colmap.Rigid3d(colmap.Rotation3d(R), t))
    options = colmap.EstimateTriangulationOptions()
    options.residual_type = colmap.TriangulationResidualType.REPROJECTION_ERROR
    options.ransac.max_error = 6.0
    options.ransac.random_seed = 0

    def run():
        points = np.moveaxis(scene["xy"].reshape(len(cameras), -1, 2), 0, 1) + 0.5
        seen = np.isfinite(points[..., 0])
        X = np.full((len(points), 3), np.nan)
        for i, (xy, views) in enumerate(zip(points, seen, strict=True)):
            some = np.flatnonzero(views)
            if len(some) >= 2:
                of = [poses[c] for c in some], [cameras[c] for c in some]
                found = colmap.estimate_triangulation(xy[some], *of, options)
                if found is not None:
                    X[i] = found["xyz"]
        return X

    return run


def pose2sim_linear(scene):
    """Its weighted linear triangulation, point by point, on undistorted points."""
    from Pose2Sim.common import weighted_triangulation

    P, C = projections(scene), len(scene["K"])

    def run():
        ideal = np.moveaxis(normalised(scene), 0, 1)
        likelihood = scene["score"].reshape(C, -1).T
        X = np.full((len(ideal), 3), np.nan)
        for i, (xy, w) in enumerate(zip(ideal, likelihood, strict=True)):
            some = np.isfinite(xy[:, 0])
            if some.sum() >= 2:
                X[i] = weighted_triangulation(P[some], xy[some, 0], xy[some, 1], w[some])[:3]
        return X

    return run


def pose2sim(scene, undistort):
    """Its whole triangulation stage with the options of its own demo: OpenPose JSON in, TRC out."""
    import rtoml
    from Pose2Sim import triangulation

    demo = Path(triangulation.__file__).parent / "Demo_SinglePerson" / "Config.toml"
    config = rtoml.load(demo)
    C, F, J = scene["score"].shape
    folder = Path(tempfile.mkdtemp())  # in the caller's own folder, which it removes
    for name in ("calibration", "pose"):
        (folder / name).mkdir()
    rig = {
        f"cam_{i:02d}": {
            "name": f"cam_{i:02d}",
            "size": scene["size"][i].astype(float).tolist(),
            "matrix": scene["K"][i].tolist(),
            "distortions": scene["dist"][i].tolist(),
            "rotation": cv2.Rodrigues(scene["R"][i])[0].ravel().tolist(),
            "translation": scene["t"][i].tolist(),
            "fisheye": False,
        }
        for i in range(C)
    }
    (folder / "calibration" / "Calib.toml").write_text(rtoml.dumps(rig))
    (folder / "Config.toml").write_text("")
    keypoints = np.concatenate([np.nan_to_num(scene["xy"]), scene["score"][..., None]], axis=-1)
    for c in range(C):
        into = folder / "pose" / f"cam{c:02d}_json"
        into.mkdir()
        for f in range(F):
            people = [{"pose_keypoints_2d": keypoints[c, f].ravel().tolist()}]
            (into / f"cam{c:02d}_{f:06d}.json").write_text(json.dumps({"people": people}))
    joints = [{"id": j, "name": f"joint{j:02d}"} for j in range(J)]
    config["project"] |= {
        "project_dir": str(folder),
        "multi_person": False,
        "frame_range": "all",
        "frame_rate": 60,
    }
    config["pose"] |= {"pose_model": "SCENE", "SCENE": {"id": "None", "name": "root", "children": joints}}
    config["triangulation"] |= {"undistort_points": undistort, "make_c3d": False}
    logging.disable(logging.CRITICAL)

    def run():
        with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere):
            triangulation.triangulate_all(config)
        (trc,) = (folder / "pose-3d").glob("*.trc")
        rows = np.genfromtxt(trc, delimiter="\t", skip_header=5)
        X = np.full((F, J, 3), np.nan)
        # Its axes are y, z, x of ours.
        X[rows[:, 0].astype(int)] = rows[:, 2 : 2 + 3 * J].reshape(-1, J, 3)[..., [2, 0, 1]]
        return X

    return run


def caliscope(scene):
    """`ImagePoints.triangulate`: undistortion and one batched linear solution for each set of views."""
    import pandas as pd
    from caliscope.cameras.camera_array import CameraArray, CameraData
    from caliscope.core.point_data import ImagePoints

    C, F, J = scene["score"].shape
    cameras = {
        i: CameraData(
            cam_id=i,
            size=tuple(map(int, scene["size"][i])),
            matrix=scene["K"][i],
            distortions=scene["dist"][i],
            rotation=scene["R"][i],
            translation=scene["t"][i],
        )
        for i in range(C)
    }
    c, f, j = np.nonzero(np.isfinite(scene["xy"][..., 0]))
    xy = scene["xy"][c, f, j]
    columns = {"sync_index": f, "cam_id": c, "object_id": 0, "keypoint_id": j, "frame_time": f / 60.0}
    points = ImagePoints(pd.DataFrame(columns | {"img_loc_x": xy[:, 0], "img_loc_y": xy[:, 1]}))

    def run():
        found = points.triangulate(CameraArray(cameras)).df
        X = np.full((F, J, 3), np.nan)
        X[found["sync_index"], found["keypoint_id"]] = found[["x_coord", "y_coord", "z_coord"]]
        return X

    return run


METHODS = {
    "aniposelib": ("aniposelib", lambda scene: aniposelib(scene, "slow")),
    "aniposelib-fast": ("aniposelib", lambda scene: aniposelib(scene, "fast")),
    "aniposelib-ransac": ("aniposelib", lambda scene: aniposelib(scene, "ransac")),
    "caliscope": ("caliscope", caliscope),
    "pose2sim-linear": ("pose2sim", pose2sim_linear),
    "pose2sim": ("pose2sim", lambda scene: pose2sim(scene, undistort=False)),
    "pose2sim-undistorted": ("pose2sim", lambda scene: pose2sim(scene, undistort=True)),
    "pycolmap": ("pycolmap", pycolmap),
    "openpose-rule": ("numpy", openpose_rule),
    "opencv-pairs": ("opencv-contrib-python", opencv_pairs),
    "opencv-sfm": ("opencv-contrib-python", opencv_sfm),
}


def main(method, source, target, repeats):
    package, build = METHODS[method]
    with np.load(source) as stored:
        scene = {name: stored[name] for name in stored.files}
    os.environ.setdefault("MPLBACKEND", "Agg")
    try:
        run = build(scene)
        version = importlib.metadata.version(package)
    except (ImportError, importlib.metadata.PackageNotFoundError) as error:
        print(error, file=sys.stderr)
        raise SystemExit(NOT_INSTALLED) from error
    times = []
    for _ in range(1 + repeats):
        start = time.perf_counter(), time.process_time()
        X = run()
        times.append((time.perf_counter() - start[0], time.process_time() - start[1]))
        if sum(wall for wall, _ in times) > ENOUGH_S:
            break
    # With no repeat the first run counts, whatever it spent on warming up.
    seconds, cpu_s = np.min(times[1:] or times, axis=0)
    shape = (*scene["xy"].shape[1:-1], 3)
    np.savez(target, X=np.asarray(X).reshape(shape), seconds=seconds, cpu_s=cpu_s, version=version)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
