"""What is done over time to saved OpenPose detections of a real person, judged by a camera that was left out."""

from pathlib import Path

import numpy as np
import pytest

from triskel.exchange import read_openpose_json
from triskel.motion import Motion3D
from triskel.pipeline.stages import fit_rig, load_rig
from triskel.projection import project
from triskel.samples import get_sample
from triskel.skeleton import BODY_25B
from triskel.triangulate import triangulate_people, triangulate_points
from triskel.triangulate.over_time import OverTimeOptions, refine_over_time, repair_motion
from triskel.triangulate.plausible import drop_implausible

OPENPOSE = Path(__file__).parents[4] / "shared" / "data" / "rigs" / "pose2sim_openpose_json" / "single"
LIMBS = [(f"{side}{a}", f"{side}{b}") for side in "LR" for a, b in (
    ("Hip", "Knee"), ("Knee", "Ankle"), ("Shoulder", "Elbow"), ("Elbow", "Wrist"), ("Heel", "BigToe")
)]  # fmt: skip

pytestmark = [pytest.mark.slow, pytest.mark.network]


@pytest.fixture(scope="module")
def recorded():
    """Rig, raw motion and detections (F, C, 1, J, 3) of the sample `single`."""
    if not OPENPOSE.is_dir():
        pytest.skip(f"no detections at {OPENPOSE}")
    folder = get_sample("single")
    videos = {path.stem: path for path in sorted((folder / "videos").glob("*.mp4"))}
    rig = fit_rig(load_rig(folder / "Calib.qca.txt"), videos)
    detections = read_openpose_json(OPENPOSE, list(videos), skeleton=BODY_25B)
    people = triangulate_people(rig, detections, np.arange(len(detections.keypoints)) / 60)
    return rig, people.raw, people.observed


def variation(motion):
    at, X = motion.skeleton.index, motion.points.X[:, 0]
    lengths = np.stack([np.linalg.norm(X[:, at(a)] - X[:, at(b)], axis=-1) for a, b in LIMBS])
    return float(np.median(np.nanstd(lengths, axis=1) / np.nanmean(lengths, axis=1)))


def jerk(motion):
    return float(np.nanmedian(np.linalg.norm(np.diff(motion.points.X, 3, axis=0), axis=-1))) * 60**3


def test_limbs_and_paths_become_steady_and_stay_where_they_were(recorded):
    """Measured: limbs vary by 4.8 % before and 1.1 % after, the median jerk is 4500 m/s^3 before and 80 after."""
    _, raw, _ = recorded
    refined = refine_over_time(raw)
    print(f"limbs {variation(raw):.3f} {variation(refined):.3f}, jerk {jerk(raw):.0f} {jerk(refined):.0f} m/s^3")
    assert variation(refined) < 0.4 * variation(raw)
    assert jerk(refined) < 0.05 * jerk(raw)
    moved = np.linalg.norm(refined.points.X - raw.points.X, axis=-1)
    assert np.nanmedian(moved) < 0.015
    assert refined.found[raw.found].all()


def test_nobody_s_sides_are_exchanged(recorded):
    assert not repair_motion(recorded[1])[1].any()


def test_a_camera_left_out_is_predicted_better_than_by_the_raw_points(recorded):
    """By body and time from the other three: mean, median and tail. The detections' own bias dominates: 24 px."""
    rig, raw, observed = recorded
    errors = {"raw": [], "final": [], "without bones": []}
    for c in range(len(rig)):
        others = [i for i in range(len(rig)) if i != c]
        three = rig.select([rig.names[i] for i in others])
        seen = np.moveaxis(observed, 1, 0)[others]
        points = drop_implausible(
            raw.skeleton, triangulate_points(three, seen[..., :2], np.nan_to_num(seen[..., 2])), raw.time_s
        )
        motion = Motion3D(raw.skeleton, tuple(three.names), raw.time_s, raw.ids, points, np.zeros_like(raw.gap))
        results = {
            "raw": motion,
            "final": refine_over_time(motion),
            "without bones": refine_over_time(motion, OverTimeOptions(bones=False)),
        }
        for name, result in results.items():
            px = np.linalg.norm(project(rig[rig.names[c]], result.points.X) - observed[:, c, ..., :2], axis=-1)
            errors[name].append(np.where(motion.found, px, np.nan))
    mean, median, tail = (
        {name: float(measure(np.stack(px))) for name, px in errors.items()}
        for measure in (np.nanmean, np.nanmedian, lambda px: np.nanpercentile(px, 95))
    )
    print(f"px mean {mean}, median {median}, 95 % {tail}")
    assert mean["final"] < mean["without bones"] < mean["raw"]
    assert median["final"] <= median["raw"]
    assert tail["final"] < tail["raw"]
