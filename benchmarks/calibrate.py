"""Accuracy and speed of rig calibration on a scene with known truth, beside what other packages make of it.

    python benchmarks/calibrate.py [--peers-python /tmp/triskel-peers/bin/python] [--seeds 5,6,7] [--limit-s 120]
                                   [--scene FILE] [--only triskel,caliscope]

Six cameras at 3.5 m see a board of 9 x 6 squares of 80 mm: 60 times in the volume, and `near` times close to each
camera alone. Corners have 0.3 px of noise; in the second case 1 % are 5 to 20 px off. All methods get the same corners.
The error is that of points in a volume of 2 x 2 x 1.85 m, seen by the true cameras, triangulated with the calibrated
ones and aligned rigidly: RMS mm, so it contains a wrong scale. Other packages live in an environment of their own (see
benchmarks/peers/triangulation.py) and run one process each, timed without imports; one that needs longer than the limit
is listed with it. Of several seeds the medians are shown. `cpu` is the time of all threads.
"""

import argparse
import datetime
import importlib.util
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from triskel.calibration import BoardView, Charuco, calibrate_intrinsics, calibrate_rig

ROOT = Path(__file__).resolve().parents[1]
WORKER = Path(__file__).resolve().parent / "peers" / "calibration.py"
NOT_INSTALLED = 3

PEERS = {
    "opencv-pairs": "OpenCV, pairs of cameras",
    "aniposelib": "aniposelib, calibrate_rows",
    "aniposelib-opencv": "OpenCV intrinsics, aniposelib extrinsics",
    "caliscope": "caliscope, calibrate_extrinsics",
}
"""Method of the worker, and its name here."""

CASES = {"clean": 0.0, "1 % bad": 0.01}
NEAR = (20, 0)


class Scene(NamedTuple):
    """The true cameras, the board's points (K, 3) m, and what was seen: (ids, xy) or None by shot and camera."""

    cameras: list
    board: np.ndarray
    detections: list

    def save(self, path):
        """Write what the worker reads."""
        seen = [
            (c, s, ids, xy)
            for s, row in enumerate(self.detections)
            for c, (ids, xy) in ((c, one) for c, one in enumerate(row) if one is not None)
        ]
        np.savez(
            path,
            camera=np.concatenate([np.full(len(ids), c) for c, _, ids, _ in seen]),
            shot=np.concatenate([np.full(len(ids), s) for _, s, ids, _ in seen]),
            corner=np.concatenate([ids for _, _, ids, _ in seen]),
            xy=np.concatenate([xy for *_, xy in seen]),
            board=self.board,
            squares=(9, 6),
            square_m=0.08,
            size=[camera["size"] for camera in self.cameras],
        )


class Measured(NamedTuple):
    """What a method made of a scene; RMS mm in the volume, scale error %, seconds, and what to say besides."""

    rms_mm: float = float("nan")
    scale_percent: float = float("nan")
    seconds: float = float("nan")
    cpu_s: float = float("nan")
    remark: str = ""


def own(scene, score, *, refine_intrinsics):
    """Calibrate with triskel: the intrinsics of each camera from all its views, then the rig."""
    names = [f"cam{c + 1}" for c in range(len(scene.cameras))]
    board = Charuco(squares_xy=(9, 6), square_m=0.08, marker_m=0.06)
    shots = [{names[c]: BoardView(*one) for c, one in enumerate(row) if one is not None} for row in scene.detections]
    start = time.perf_counter(), time.process_time()
    cameras = [
        calibrate_intrinsics(
            [shot[name] for shot in shots if name in shot], board, size_wh=tuple(true["size"]), name=name, force=True
        ).camera
        for name, true in zip(names, scene.cameras, strict=True)
    ]
    rig = calibrate_rig(shots, cameras, board, refine_intrinsics=refine_intrinsics).rig
    seconds, cpu_s = time.perf_counter() - start[0], time.process_time() - start[1]
    estimate = [{"K": one.K, "dist": one.dist, "R": one.cam_from_world.R, "t": one.cam_from_world.t} for one in rig]
    found = score(scene.cameras, estimate)
    return Measured(found["volume_rms_mm"], found["scale_error_percent"], seconds, cpu_s)


def peer(python, method, scene, score, *, limit_s):
    """Run a method of the worker in the peers' environment."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "in.npz"), Path(folder, "out.npz")
        scene.save(source)
        command = [python, "-W", "ignore", str(WORKER), method, str(source), str(target)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=limit_s)
        except subprocess.TimeoutExpired:
            return Measured(remark=f"> {limit_s:.0f} s")
        except OSError as error:
            return Measured(remark=f"not installed: {error.strerror}")
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        if done.returncode:
            what = "not installed" if done.returncode == NOT_INSTALLED else "failed"
            return Measured(remark=f"{what}: {last[:90]}")
        with np.load(target) as out:
            estimate = [{key: out[key][c] for key in ("K", "dist", "R", "t")} for c in range(len(scene.cameras))]
            found = score(scene.cameras, estimate)
            return Measured(
                found["volume_rms_mm"],
                found["scale_error_percent"],
                float(out["seconds"]),
                float(out["cpu_s"]),
                str(out["version"]),
            )


def median(several):
    """Return the medians over the seeds, and the first remark that tells of a failure, else the first."""
    numbers = [np.median([one[i] for one in several]) for i in range(4)]
    failed = next((one.remark for one in several if np.isnan(one.rms_mm)), several[0].remark)
    return Measured(*numbers, failed)


def table(module, methods, *, near, seeds):
    """Print one row a method, as Markdown: seconds, and the error of each case."""
    print(f"\nnear = {near}" + (f", medians of seeds {', '.join(map(str, seeds))}" if len(seeds) > 1 else ""))
    heads = " | ".join(f"{case}, mm | scale, % | s | cpu s" for case in CASES)
    print(f"\n| method | {heads} | |\n|---|{'---|' * (4 * len(CASES) + 1)}", flush=True)
    scenes = {
        case: [Scene(*module.make_detections(near=near, outlier=share, seed=seed)) for seed in seeds]
        for case, share in CASES.items()
    }
    for name, method in methods.items():
        cells, remarks = [], []
        for several in scenes.values():
            found = median([method(scene) for scene in several])
            cells.append(
                f"{found.rms_mm:.3g} | {found.scale_percent:+.3f} | {found.seconds:.2f} | {found.cpu_s:.2f}"
                if np.isfinite(found.rms_mm)
                else "- | - | - | -"
            )
            remarks.append(found.remark)
        print(f"| {name} | {' | '.join(cells)} | {'; '.join(dict.fromkeys(filter(None, remarks)))} |", flush=True)


def load_scene(path):
    """Import board_scene.py, which imports scene.py beside it."""
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location("board_scene", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cpu():
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]} ({len(names)} threads)" if names else platform.processor()


def header():
    git = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip() or "unknown"
    python, load = platform.python_version(), os.getloadavg()[0]
    return f"{datetime.date.today()}, commit {commit}, {cpu()}, Python {python}, load {load:.1f}"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--scene", type=Path, default=ROOT.parent / "shared/bench/board_scene.py")
    parser.add_argument("--seeds", default="5", help="of the corners, with commas")
    parser.add_argument("--near", default=",".join(map(str, NEAR)), help="close boards a camera, with commas")
    parser.add_argument("--limit-s", type=float, default=120.0, help="for one run of one package")
    parser.add_argument("--only", default="", help="methods whose names begin with one of these, with commas")
    parser.add_argument("--peers-python", help="the interpreter of the peers' environment")
    return parser.parse_args()


def main():
    options = arguments()
    module = load_scene(options.scene)
    methods = {
        "triskel": lambda scene: own(scene, module.score_rig, refine_intrinsics=True),
        "triskel, intrinsics fixed": lambda scene: own(scene, module.score_rig, refine_intrinsics=False),
    }
    for method, name in PEERS.items():
        methods[name] = lambda scene, m=method: (
            peer(options.peers_python, m, scene, module.score_rig, limit_s=options.limit_s)
            if options.peers_python
            else Measured(remark="not measured: no --peers-python")
        )
    wanted = tuple(options.only.lower().split(","))
    methods = {name: method for name, method in methods.items() if name.lower().startswith(wanted)}
    print(header())
    # What is compiled at first use is no part of calibrating; one small scene does it.
    own(Scene(*module.make_detections(near=8, shots=12, seed=1)), module.score_rig, refine_intrinsics=True)
    for near in map(int, options.near.split(",")):
        table(module, methods, near=near, seeds=list(map(int, options.seeds.split(","))))


if __name__ == "__main__":
    sys.exit(main())
