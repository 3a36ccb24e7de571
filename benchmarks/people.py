"""People across views and over time: how many are found, whether they stay who they are, and how long it takes.

    python benchmarks/people.py [../shared/bench/scene.py]

A crowd walks through each other within a ring of cameras of 4 m (`tests/triangulate/who/crowd.py`): 300 frames at 30
Hz, 3 px noise, 10 % of the people missed in each image, 10 % false ones in the shapes of real people, and half of
those lost who are behind somebody else. A person counts as found if half of the joints are within 15 cm of the truth.
Milliseconds are a frame's share of the whole way from detections to motion with default options, wall clock and
processor time of all threads, best of three after one run that compiles; "who" is association and identities alone,
which use one thread.
"""

import datetime
import platform
import runpy
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

from triskel import Detections2D
from triskel.skeleton import BODY_25
from triskel.triangulate import PeopleOptions, triangulate_people
from triskel.triangulate.who.whole_session import find_people

ROOT = Path(__file__).resolve().parents[1]
SCENES = [
    *({"people": people, "cameras": cameras} for people in (2, 5, 10) for cameras in (4, 6, 8)),
    {"people": 10, "cameras": 3},
    {"people": 10, "cameras": 2},
    {"people": 10, "cameras": 6, "noise_px": 8.0},
    {"people": 10, "cameras": 6, "false": 0.5, "missed": 0.3},
    {"people": 10, "cameras": 6, "fps": 5.0},
]


def best_of_three(method):
    found, wall, processor = method(), [], []
    for _ in range(3):
        start = time.perf_counter(), time.process_time()
        method()
        wall.append(time.perf_counter() - start[0])
        processor.append(time.process_time() - start[1])
    return found, min(wall), min(processor)


def measure(crowd, score_people):
    """Return how well the people of a crowd are found, and ms a frame: wall clock, processor, association alone."""
    detections = Detections2D(BODY_25, tuple(crowd.rig.names), crowd.keypoints)
    options = PeopleOptions(most_people=None)
    found, wall, processor = best_of_three(
        lambda: triangulate_people(crowd.rig, detections, crowd.time_s, options=options)
    )
    least_views = max(2, min(3, len(crowd.rig) - 1))
    who = best_of_three(
        lambda: find_people(
            crowd.rig, crowd.keypoints, crowd.time_s, bound_px=75.0, least_views=least_views, least_seen_s=0.25
        )
    )[2]
    score = score_people(crowd.X, found.motion.points.X)
    return score, *(1000 * seconds / len(crowd.time_s) for seconds in (wall, processor, who))


def header():
    git = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip() or "unknown"
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    cpu = f"{names[0]} ({len(names)} threads)" if names else platform.processor()
    return f"{datetime.date.today()}, commit {commit}, {cpu}, Python {platform.python_version()}"


def main(path, seeds=(0, 1)):
    scene = SimpleNamespace(**runpy.run_path(str(path)))
    crowds = runpy.run_path(str(ROOT / "tests/triangulate/who/crowd.py"))
    print(header())
    print(
        f"{'scene':52} {'seed':>4} {'recall':>7} {'precis.':>7} {'switches':>8} {'ids':>4} {'mean mm':>8} "
        f"{'ms wall':>8} {'ms CPU':>7} {'who':>5}"
    )
    for options in SCENES:
        name = ", ".join(f"{value:g} {key}" for key, value in options.items())
        for seed in seeds:
            crowd = crowds["make_crowd"](scene, seed=seed, **options)
            score, wall, processor, who = measure(crowd, crowds["score_people"])
            print(
                f"{name:52} {seed:4} {score.recall:7.4f} {score.precision:7.4f} {score.switches:8} {score.ids:4} "
                f"{score.mean_mm:8.2f} {wall:8.2f} {processor:7.2f} {who:5.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else ROOT.parent / "shared/bench/scene.py")
