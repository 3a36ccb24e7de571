"""Accuracy and speed of triangulation on a scene with known truth, beside what other packages make of it.

    python benchmarks/triangulate.py [--peers-python /tmp/triskel-peers/bin/python] [--cameras 2,4,8,16,32]
                                     [--frames 1000] [--repeats 3] [--limit-s 60] [--scene FILE]

All methods see the same detections in one run: a ring of cameras, a person of 25 joints who walks, 1 px noise, 20 % of
the joints missing, 5 % of the rest 20 to 200 px off. Other packages live in an environment of their own, which
benchmarks/peers/triangulation.py says how to make, and run one process each; what is not there is listed as such.
Times are the best of the repeats after one run that compiles and warms up, threads as installed. A package that needs
longer than the limit for all its runs is listed with the limit and left out with more cameras; those known to be slow
get fewer frames, which the table says. `cpu` is the time of all threads together, which a busy machine spoils less, so
the ratio of times is of that. Errors are of the points that a method gives; `missing` are those it does not. `found` is
the share of points given among those that at least three cameras see truly.

Then the speed of the whole way from detections to people: two in each of 100 frames, 4 and 8 cameras, 1 px noise, with
25 joints and with the 135 of a whole body; hands and faces are points at random close to wrists and nose.
"""

import argparse
import datetime
import os
import platform
import runpy
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from triskel import Camera, Detections2D, Rig, Rigid
from triskel.motion import Motion3D
from triskel.projection import project_rig
from triskel.skeleton import BODY_25, WHOLE_BODY_135
from triskel.triangulate import (
    PeopleOptions,
    TriangulateOptions,
    triangulate_dlt,
    triangulate_people,
    triangulate_points,
)
from triskel.triangulate.over_time import refine_over_time
from triskel.whole_body import WRISTS, parts_of

ROOT = Path(__file__).resolve().parents[1]
WORKER = Path(__file__).resolve().parent / "peers" / "triangulation.py"
NOT_INSTALLED = 3

PEERS = {
    "pycolmap": ("pycolmap, LO-RANSAC", None),
    "openpose-rule": ("OpenPose's rule, own port in NumPy", None),
    "opencv-pairs": ("OpenCV, all pairs, median", None),
    "opencv-sfm": ("OpenCV sfm, linear", None),
    "aniposelib": ("aniposelib triangulate", None),
    "aniposelib-fast": ("aniposelib triangulate, fast=True", None),
    "aniposelib-ransac": ("aniposelib triangulate_ransac", 1),
    "caliscope": ("caliscope", None),
    "pose2sim-linear": ("pose2sim weighted_triangulation", None),
    "pose2sim": ("pose2sim's stage as shipped", 100),
    "pose2sim-undistorted": ("the same, undistort_points", 100),
}
"""Method of the worker: its name here, and how many frames it gets; None for all."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A person in front of some cameras: `truth` (F, J, 3) m, `xy` (C, F, J, 2) px, `outlier` (C, F, J)."""

    rig: Rig
    truth: np.ndarray
    xy: np.ndarray
    score: np.ndarray
    outlier: np.ndarray

    @classmethod
    def of(cls, module, cameras, frames):
        """Look with a ring of cameras at so many frames; `module` is scene.py."""
        made = module["make_rig"](cameras)
        truth = module["make_motion"](frames)
        poses = [(c["name"], c["size"], c["K"], c["dist"], Rigid(c["R"], c["t"])) for c in made]
        rig = Rig(tuple(Camera(name=n, size_wh=s, K=K, dist=d, cam_from_world=pose) for n, s, K, d, pose in poses))
        return cls(rig, truth, *module["observe"](made, truth))

    def save(self, path, frames):
        """Write what the worker reads."""
        cameras = {
            "K": [c.K for c in self.rig],
            "dist": [c.dist for c in self.rig],
            "R": [c.cam_from_world.R for c in self.rig],
            "t": [c.cam_from_world.t for c in self.rig],
            "size": [c.size_wh for c in self.rig],
        }
        np.savez(path, xy=self.xy[:, :frames], score=self.score[:, :frames], **cameras)


class Measured(NamedTuple):
    """What a method made of a scene: X (F, J, 3), wall and processor seconds of a run, and what to say besides."""

    X: np.ndarray | None
    seconds: float = float("nan")
    cpu_s: float = float("nan")
    remark: str = ""


class Line(NamedTuple):
    """What others are compared with: wall and processor seconds for 1000 frames, and the mean error."""

    seconds: float
    cpu_s: float
    mean_mm: float


def over_time(scene):
    """Triangulate, then repair, filter and hold limbs to their lengths; short gaps are filled and count as given."""
    points = triangulate_points(scene.rig, scene.xy[:, :, None], scene.score[:, :, None])
    F = len(scene.truth)
    motion = Motion3D(
        BODY_25, tuple(scene.rig.names), np.arange(F) / 60, np.arange(1), points, np.zeros((F, 1, 25), bool)
    )
    return refine_over_time(motion).points.X[:, 0]


def torch_devices():
    """Return what torch can run on here; its threads on the CPU mostly wait for each other, so it gets one."""
    import torch

    torch.set_num_threads(1)
    # Plain "cpu" is the compiled kernel.
    return ["cpu:0", *(["cuda:0"] if torch.cuda.is_available() else [])]


def own_methods():
    """Return name -> method on a scene, those of this package and the reference that knows the outliers."""
    unbounded = TriangulateOptions(max_reproj_px=1000.0, max_sigma_mm=np.inf)
    methods = {"triskel": lambda s: triangulate_points(s.rig, s.xy, s.score).X}
    methods["triskel, then over time"] = over_time
    for device in torch_devices():
        name = f"triskel in torch, {device}" + ", one thread" * device.startswith("cpu")
        options = TriangulateOptions(device=device)
        methods[name] = lambda s, o=options: triangulate_points(s.rig, s.xy, s.score, options=o).X
    methods["triskel, plain linear"] = lambda s: triangulate_dlt(s.rig, s.xy, s.score)
    methods["oracle: true views only"] = lambda s: (
        triangulate_points(s.rig, np.where(s.outlier[..., None], np.nan, s.xy), s.score, options=unbounded).X
    )
    return methods


def best_of(repeats, method):
    """Return what a method gives and its shortest wall and processor times, s, after one run that warms up."""
    found, times = method(), []
    for _ in range(repeats):
        start = time.perf_counter(), time.process_time()
        method()
        times.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    return found, *np.min(times, axis=0)


def peer(python, method, scene, frames, *, repeats, limit_s):
    """Run a method of the worker in the peers' environment."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "in.npz"), Path(folder, "out.npz")
        scene.save(source, frames)
        command = [python, "-W", "ignore", str(WORKER), method, str(source), str(target), str(repeats)]
        environment = os.environ | {"TMPDIR": folder}
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=limit_s, env=environment
            )
        except subprocess.TimeoutExpired:
            return Measured(None, remark=f"> {limit_s:.0f} s for {frames} frames")
        except OSError as error:
            return Measured(None, remark=f"not installed: {error.strerror}")
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        if done.returncode == NOT_INSTALLED:
            return Measured(None, remark=f"not installed: {last}")
        if done.returncode:
            return Measured(None, remark=f"failed: {last}")
        with np.load(target) as out:
            return Measured(out["X"], float(out["seconds"]), float(out["cpu_s"]), str(out["version"]))


def figures(scene, X):
    """Return the errors of X, mm, and shares, %, as the table shows them."""
    truth = scene.truth[: len(X)]
    error = np.linalg.norm(X - truth, axis=-1) * 1000
    given = error[np.isfinite(error)]
    true_views = (np.isfinite(scene.xy[..., 0]) & ~scene.outlier).sum(axis=0)[: len(X)]
    p95, p99 = np.percentile(given, [95, 99]) if len(given) else (np.nan, np.nan)
    sure = true_views >= 3
    return {
        "mean": given.mean() if len(given) else np.nan,
        "median": np.median(given) if len(given) else np.nan,
        "p95": p95,
        "p99": p99,
        "max": given.max(initial=0),
        "<10 mm %": 100 * (error < 10).mean(),
        "missing %": 100 * np.isnan(error).mean(),
        "found %": 100 * np.isfinite(error[sure]).mean() if sure.any() else np.nan,
    }


COLUMNS = ("mean", "median", "p95", "p99", "max", "<10 mm %", "missing %", "found %")


def row(name, scene, measured, ours):
    """Print a line of the table, with ratios to `ours` or to itself; return what others are compared with."""
    if measured.X is None:
        print(f"{name:36} {measured.remark}", flush=True)
        return None
    frames, numbers = len(measured.X), figures(scene, measured.X)
    wall, processor = measured.seconds * 1000 / frames, measured.cpu_s * 1000 / frames
    cells = " ".join(f"{numbers[column]:9.2f}" for column in COLUMNS)
    mine = Line(wall, processor, numbers["mean"])
    than = ours or mine
    notes = [measured.remark] if measured.remark else []
    if frames < len(scene.truth):
        notes.append(f"{frames} frames")
    ratios = f"{processor / than.cpu_s:9.1f} {mine.mean_mm / than.mean_mm:9.2f}"
    print(f"{name:36} {wall:8.3f} {processor:8.3f} {cells} {ratios}  {', '.join(notes)}", flush=True)
    return mine


def table(scene, options, too_slow):
    """Print all methods on one scene; add the peers that pass the limit to `too_slow`. Return our own line."""
    load = os.getloadavg()[0]
    print(f"\n{len(scene.rig)} cameras, {len(scene.truth)} frames; s/1000 frames, errors in mm; load {load:.1f}")
    heads = " ".join(f"{column:>9}" for column in COLUMNS)
    print(f"{'method':36} {'time':>8} {'cpu':>8} {heads} {'x cpu':>9} {'x error':>9}")
    ours = None
    for name, method in own_methods().items():
        measured = Measured(*best_of(options.repeats, lambda m=method: m(scene)))
        numbers = row(name, scene, measured, ours)
        ours = ours or numbers  # the first line is what the others are compared with
    for method, (name, fewer) in PEERS.items():
        frames = min(fewer or len(scene.truth), len(scene.truth))
        if options.peers_python is None:
            measured = Measured(None, remark="not measured: no --peers-python")
        elif method in too_slow:
            measured = Measured(None, remark=f"not run: over the limit with {too_slow[method]} cameras")
        else:
            measured = peer(
                options.peers_python, method, scene, frames, repeats=options.repeats, limit_s=options.limit_s
            )
            if measured.remark.startswith(">"):
                too_slow[method] = len(scene.rig)
        row(name, scene, measured, ours)
    return ours


def whole_people(bodies):
    """Return two whole bodies (F, 2, 135, 3) from one (F, 25, 3): itself, and itself turned half around the origin."""
    rng = np.random.default_rng(3)
    X = np.concatenate([bodies, np.empty((len(bodies), 110, 3))], axis=1)
    for part, joints in parts_of(WHOLE_BODY_135).items():
        if part != "body":
            at = X[:, [WRISTS.get(part, BODY_25.index("Nose"))]]
            X[:, joints] = at + rng.uniform(-0.025, 0.025, (len(joints), 3))
    return np.stack([X, X * (-1, -1, 1)], axis=1)


def people(rig, X, repeats):
    """Print how long it takes from detections of two people to their motion, and what of it was found."""
    xy = np.moveaxis(project_rig(rig, X), 0, 1)
    xy += np.random.default_rng(4).normal(0, 1, xy.shape)
    keypoints = np.concatenate([xy, np.where(np.isnan(xy[..., :1]), 0, 0.8)], axis=-1)
    times = np.arange(len(X)) / 60
    for skeleton in (BODY_25, WHOLE_BODY_135):
        seen = np.ascontiguousarray(keypoints[..., : len(skeleton), :])
        detections = Detections2D(skeleton, tuple(rig.names), seen)
        options = PeopleOptions(most_people=2)
        result, wall_s, cpu_s = best_of(
            repeats, lambda d=detections, o=options: triangulate_people(rig, d, times, options=o)
        )
        print(
            f"{skeleton.name:16} {len(rig)} cameras, 2 people: {1000 * wall_s / len(X):7.2f} ms a frame "
            f"(cpu {1000 * cpu_s / len(X):.2f}), {100 * result.raw.found.mean():5.1f} % found",
            flush=True,
        )


def cpu():
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]} ({len(names)} threads)" if names else platform.processor()


def header():
    git = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip() or "unknown"
    return f"{datetime.date.today()}, commit {commit}, {cpu()}, Python {platform.python_version()}"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--scene", type=Path, default=ROOT.parent / "shared/bench/scene.py")
    parser.add_argument("--cameras", default="2,4,8,16,32", help="sizes of the ring, with commas")
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--limit-s", type=float, default=60.0, help="for all runs of one package on one scene")
    parser.add_argument("--peers-python", help="the interpreter of the peers' environment")
    return parser.parse_args()


def main():
    options = arguments()
    module = runpy.run_path(str(options.scene))
    print(header())
    too_slow, times = {}, {}
    for cameras in map(int, options.cameras.split(",")):
        times[cameras] = table(Scene.of(module, cameras, options.frames), options, too_slow)
    print(
        "\nours, s/1000 frames: "
        + ", ".join(f"{n} cameras {line.seconds:.3f} (cpu {line.cpu_s:.3f})" for n, line in times.items())
    )
    bodies = whole_people(module["make_motion"](100))
    for count in (4, 8):
        people(Scene.of(module, count, 1).rig, bodies, options.repeats)


if __name__ == "__main__":
    sys.exit(main())
