"""What other packages make of the same board corners; run by benchmarks/calibrate.py in an environment of its own.

The environment is that of benchmarks/peers/triangulation.py, and typing_extensions. Nothing of triskel is imported
here. Usage: calibration.py METHOD IN.npz OUT.npz, where IN holds the seen corners one by one: camera (n,), shot (n,),
corner (n,), xy (n, 2) px; and board (K, 3) m, squares (2,), square_m, size (C, 2) px. OUT gets K (C, 3, 3), dist
(C, 14), R (C, 3, 3), t (C, 3), world to camera, seconds and cpu_s of the one run, and version. Exit status 3: not
installed.

OpenCV 5's calibrateMultiview is not among them: with boards of which a tenth of the corners is missing it gave focal
lengths of 65 to 780 px where about 1200 is true, in whatever layout the missing ones were handed over.
"""

import contextlib
import importlib.metadata
import os
import sys
import time
from pathlib import Path

import cv2
import numpy as np

NOT_INSTALLED = 3
LEAST_CORNERS = 6
"""Of a view, to be used for OpenCV's intrinsics."""


def views_of(scene, camera):
    """Return [(shot, corner ids, xy)] of a camera."""
    mine = scene["camera"] == camera
    shots = scene["shot"][mine]
    return [
        (int(shot), scene["corner"][mine][shots == shot], scene["xy"][mine][shots == shot]) for shot in np.unique(shots)
    ]


def opencv_intrinsics(scene):
    """Return K and the five coefficients of every camera from cv2.calibrateCamera on all its views."""
    found = []
    for c, size in enumerate(scene["size"]):
        views = [(ids, xy) for _, ids, xy in views_of(scene, c) if len(ids) >= LEAST_CORNERS]
        objects = [scene["board"][ids].astype(np.float32) for ids, _ in views]
        images = [xy.astype(np.float32) for _, xy in views]
        _, K, dist, _, _ = cv2.calibrateCamera(objects, images, tuple(map(int, size)), None, None)
        found.append((K, dist.ravel()))
    return found


def opencv_pairs(scene):
    """cv2.calibrateCamera, then cv2.stereoCalibrate along the tree of pairs that share most corners."""
    C = len(scene["size"])
    lenses = opencv_intrinsics(scene)
    views = [{shot: (ids, xy) for shot, ids, xy in views_of(scene, c)} for c in range(C)]

    def common(a, b):
        """Return what two cameras saw both: board points and image points of each, by shot."""
        parts = []
        for shot in sorted(views[a].keys() & views[b].keys()):
            (ids_a, xy_a), (ids_b, xy_b) = views[a][shot], views[b][shot]
            ids, at_a, at_b = np.intersect1d(ids_a, ids_b, return_indices=True)
            if len(ids) >= LEAST_CORNERS:
                parts.append([x.astype(np.float32) for x in (scene["board"][ids], xy_a[at_a], xy_b[at_b])])
        return parts

    shared = np.array([[sum(len(one[0]) for one in common(a, b)) if a != b else 0 for b in range(C)] for a in range(C)])
    poses = {0: (np.eye(3), np.zeros(3))}
    while len(poses) < C:
        a, b = max(((a, b) for a in poses for b in range(C) if b not in poses), key=lambda pair: shared[pair])
        objects, in_a, in_b = map(list, zip(*common(a, b), strict=True))
        size = tuple(map(int, scene["size"][a]))
        found = cv2.stereoCalibrate(objects, in_a, in_b, *lenses[a], *lenses[b], size, flags=cv2.CALIB_FIX_INTRINSIC)
        R, t = found[5], found[6].ravel()
        poses[b] = R @ poses[a][0], R @ poses[a][1] + t
    return [(*lenses[c], *poses[c]) for c in range(C)]


def aniposelib(scene, *, intrinsics):
    """`calibrate_rows` with its defaults, or with OpenCV's intrinsics kept fixed."""
    from aniposelib.boards import CharucoBoard
    from aniposelib.cameras import Camera, CameraGroup

    mm = 1000 * float(scene["square_m"])
    board = CharucoBoard(*map(int, scene["squares"]), mm, 0.75 * mm)
    cameras = [Camera(name=str(c), size=tuple(map(int, size))) for c, size in enumerate(scene["size"])]
    rows = [
        [{"framenum": (0, shot), "corners": xy[:, None], "ids": ids[:, None]} for shot, ids, xy in views_of(scene, c)]
        for c in range(len(cameras))
    ]
    group = CameraGroup(cameras)
    options = {}
    if intrinsics == "opencv":
        for camera, (K, dist) in zip(cameras, opencv_intrinsics(scene), strict=True):
            camera.set_camera_matrix(K)
            camera.set_distortions(dist)
        for one in rows:
            board.fill_points_rows(one)
        options = {"init_intrinsics": False, "only_extrinsics": True}
    group.calibrate_rows(rows, board, verbose=False, **options)
    return [
        (
            camera.get_camera_matrix(),
            camera.get_distortions(),
            cv2.Rodrigues(camera.get_rotation())[0],
            camera.get_translation() / 1000,
        )
        for camera in group.cameras
    ]


def caliscope(scene):
    """`calibrate_intrinsics` of each camera, then `calibrate_extrinsics` with its defaults, of its scripting API."""
    import pandas as pd
    from caliscope.cameras.camera_array import CameraArray, CameraData
    from caliscope.core.calibrate_extrinsics import calibrate_extrinsics
    from caliscope.core.calibrate_intrinsics import run_intrinsic_calibration
    from caliscope.core.charuco import Charuco
    from caliscope.core.constraints import ConstraintSet
    from caliscope.core.point_data import ImagePoints

    columns, rows = map(int, scene["squares"])
    charuco = Charuco.from_squares(columns, rows, 100 * float(scene["square_m"]))
    X = scene["board"][scene["corner"]]
    points = ImagePoints(
        pd.DataFrame(
            {
                "sync_index": scene["shot"],
                "cam_id": scene["camera"],
                "frame_time": scene["shot"] / 30.0,
                "object_id": 0,
                "keypoint_id": scene["corner"],
                "img_loc_x": scene["xy"][:, 0],
                "img_loc_y": scene["xy"][:, 1],
                "obj_loc_x": X[:, 0],
                "obj_loc_y": X[:, 1],
                "obj_loc_z": X[:, 2],
            }
        )
    )
    cameras = {}
    for c, size in enumerate(scene["size"]):
        mine = ImagePoints(points.df[points.df["cam_id"] == c].reset_index(drop=True))
        cameras[c] = run_intrinsic_calibration(CameraData(cam_id=c, size=tuple(map(int, size))), mine).camera
    run = calibrate_extrinsics(points, CameraArray(cameras), ConstraintSet.from_charuco(charuco))
    found = run.capture_volume.camera_array.cameras
    return [
        (one.matrix, one.distortions, np.asarray(one.rotation), np.asarray(one.translation))
        for one in (found[c] for c in range(len(cameras)))
    ]


METHODS = {
    "aniposelib": ("aniposelib", lambda scene: aniposelib(scene, intrinsics="own")),
    "aniposelib-opencv": ("aniposelib", lambda scene: aniposelib(scene, intrinsics="opencv")),
    "caliscope": ("caliscope", caliscope),
    "opencv-pairs": ("opencv-contrib-python", opencv_pairs),
}
IMPORTS = {"aniposelib": "aniposelib.cameras", "caliscope": "caliscope.core.calibrate_extrinsics"}
"""What to import before the clock runs."""


def main(method, source, target):
    package, calibrate = METHODS[method]
    with np.load(source) as stored:
        scene = {name: stored[name] for name in stored.files}
    os.environ.setdefault("MPLBACKEND", "Agg")
    try:
        if package in IMPORTS:
            importlib.import_module(IMPORTS[package])
        version = importlib.metadata.version(package)
        start = time.perf_counter(), time.process_time()
        with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
            cameras = calibrate(scene)
        seconds, cpu_s = time.perf_counter() - start[0], time.process_time() - start[1]
    except (ImportError, importlib.metadata.PackageNotFoundError) as error:
        print(error, file=sys.stderr)
        raise SystemExit(NOT_INSTALLED) from error
    K, dist, R, t = zip(*cameras, strict=True)
    dist = [np.pad(np.ravel(one), (0, 14 - np.size(one))) for one in dist]
    np.savez(target, K=K, dist=dist, R=R, t=[np.ravel(one) for one in t], seconds=seconds, cpu_s=cpu_s, version=version)


if __name__ == "__main__":
    main(*sys.argv[1:4])
