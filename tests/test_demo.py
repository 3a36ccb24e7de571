"""The whole path on real footage, measured against saved OpenPose detections of the same frames."""

import sys
from pathlib import Path

import numpy as np
import pytest

from triskel import cli
from triskel.exchange import read_openpose_json
from triskel.session import Session
from triskel.skeleton import BODY_25B
from triskel.triangulate import triangulate_people
from triskel.whole_body import parts_of

OPENPOSE = Path(__file__).parents[2] / "shared" / "data" / "rigs" / "pose2sim_openpose_json" / "single"
LIMBS = [
    ("RHip", "RKnee"), ("LHip", "LKnee"), ("RKnee", "RAnkle"), ("LKnee", "LAnkle"),
    ("RShoulder", "RElbow"), ("LShoulder", "LElbow"), ("RElbow", "RWrist"), ("LElbow", "LWrist"),
]  # fmt: skip

pytestmark = [pytest.mark.slow, pytest.mark.network]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The session that `triskel demo` makes of the sample `single`."""
    out = tmp_path_factory.mktemp("demo") / "single"
    arguments, sys.argv = sys.argv, ["triskel", "demo", "--out", str(out)]
    try:
        with pytest.raises(SystemExit) as stop:
            cli.main()
    finally:
        sys.argv = arguments
    assert not stop.value.code
    return Session.open(out)


def test_nine_of_ten_frames_have_twelve_joints_in_3d(demo):
    joints = demo.motion().found[:, 0].sum(axis=1)
    share = float(np.mean(joints >= 12))
    print(f"frames with at least 12 joints: {100 * share:.0f} %")
    assert len(joints) == 100
    assert share >= 0.90


def test_limbs_keep_their_length_before_anything_holds_them(demo):
    motion = demo.raw_motion()
    X, at = motion.points.X[:, 0], motion.skeleton.index
    variation = []
    for a, b in LIMBS:
        length = np.linalg.norm(X[:, at(a)] - X[:, at(b)], axis=-1)
        variation.append(float(np.nanstd(length) / np.nanmean(length)))
    print(f"limb length variation: median {100 * np.median(variation):.1f} %")
    assert np.median(variation) <= 0.10


def test_heels_and_big_toes_are_in_3d_and_feet_keep_their_length(demo):
    motion = demo.raw_motion()
    X, at = motion.points.X[:, 0], motion.skeleton.index
    feet = np.stack([X[:, at(f"{side}Heel")] - X[:, at(f"{side}BigToe")] for side in "LR"], axis=1)
    length = np.linalg.norm(feet, axis=-1)
    share = np.isfinite(length).all(axis=1).mean()
    variation = np.nanstd(length, axis=0) / np.nanmean(length, axis=0)
    print(f"both heels and big toes: {100 * share:.0f} % of frames; length varies {100 * variation.round(3)} %")
    assert share >= 0.85
    assert (variation <= 0.15).all()
    assert ((np.nanmean(length, axis=0) > 0.17) & (np.nanmean(length, axis=0) < 0.28)).all()


def test_both_hands_are_in_3d(demo):
    motion = demo.raw_motion()
    parts = parts_of(motion.skeleton)
    hands = np.stack([motion.found[:, 0, parts[side]].sum(axis=1) >= 10 for side in ("left_hand", "right_hand")])
    print(f"left, right, both hands: {hands[0].mean():.2f}, {hands[1].mean():.2f}, {hands.all(axis=0).mean():.2f}")
    assert hands.all(axis=0).mean() >= 0.80
    X, at = motion.points.X[:, 0], motion.skeleton.index
    palms = [np.linalg.norm(X[:, at(f"{side}Middle1")] - X[:, at(f"{side}Wrist")], axis=-1) for side in "LR"]
    print(f"palms: {[round(100 * float(np.nanmedian(palm)), 1) for palm in palms]} cm")
    assert all(0.05 < np.nanmedian(palm) < 0.13 for palm in palms)


def test_it_agrees_with_openpose_through_the_same_triangulation(demo):
    if not OPENPOSE.is_dir():
        pytest.skip(f"no reference detections at {OPENPOSE}")
    motion, rig = demo.motion(), demo.rig()
    detections = read_openpose_json(OPENPOSE, demo.cameras, skeleton=BODY_25B)
    reference = triangulate_people(rig, detections, motion.time_s).motion
    ours, theirs = motion.skeleton.shared(reference.skeleton)
    X, Y = motion.points.X[:, 0][:, ours], reference.points.X[:, 0][:, theirs]
    distance_mm = 1000 * np.linalg.norm(X - Y, axis=-1)
    print(f"distance to OpenPose's joints: median {np.nanmedian(distance_mm):.1f} mm")
    assert np.nanmedian(distance_mm) <= 40


def test_one_person_is_there_all_the_time(demo):
    motion = demo.motion()
    assert motion.ids.tolist() == [0]
    assert motion.found[:, 0].any(axis=-1).all()


def test_what_was_done_over_time_left_the_path_where_it_was_and_made_it_steadier(demo):
    raw, motion = demo.raw_motion(), demo.motion()
    body = parts_of(motion.skeleton)["body"]
    X, Y = raw.points.X[:, 0, body], motion.points.X[:, 0, body]
    moved_mm = 1000 * np.linalg.norm(X - Y, axis=-1)
    jerk = [float(np.nanmedian(np.linalg.norm(np.diff(one, n=3, axis=0), axis=-1))) for one in (X, Y)]
    print(f"moved by {np.nanmedian(moved_mm):.1f} mm (median); jerk {jerk[1] / jerk[0]:.3f} of the raw one")
    assert np.nanmedian(moved_mm) < 15
    assert jerk[1] < 0.2 * jerk[0]
    assert not raw.gap.any()


def test_every_promised_file_is_there(demo):
    names = ["keypoints3d_raw.parquet", "triangulation/report.html", "triangulation/report.json"]
    names += ["keypoints2d.parquet", "keypoints3d.parquet", "report.html", "summary.txt", "view3d.mp4", "view3d.png"]
    names += ["keypoints3d.csv", *(f"overlays/{camera}.mp4" for camera in demo.cameras)]
    assert [name for name in names if not (demo.path / name).is_file()] == []
    assert all(len(list((demo.path / "openpose" / camera).glob("*.json"))) == 100 for camera in demo.cameras)
    assert list((demo.path / "trc").glob("*.trc"))
    assert not list(demo.path.rglob(".*"))
