import json
from pathlib import Path

import numpy as np
import pytest

from triskel import Camera, Detections2D, InputError, Motion3D, Rig, Rigid, project
from triskel.exchange import EXPORTERS, export, openpose_frames, read_openpose_json, write_openpose_json
from triskel.skeleton import BODY_25, COCO_17, COCO_18
from triskel.tables import missing_points

SHARED = Path(__file__).parents[3] / "shared/data/rigs/pose2sim_openpose_json"


def make_motion(F=5, N=2, skeleton=BODY_25):
    rng = np.random.default_rng(0)
    points = missing_points((F, N, len(skeleton)), 2)
    points.X[:] = rng.uniform(-1, 1, points.X.shape) + np.array([0, 0, 5])
    points.score[:] = 0.9
    points.X[1, 0, 3], points.score[1, 0, 3] = np.nan, 0
    gap = np.zeros(points.score.shape, bool)
    return Motion3D(skeleton, ("a", "b"), np.arange(F) / 50, np.arange(N) + 3, points, gap)


def make_detections(skeleton=BODY_25, F=4, N=2):
    rng = np.random.default_rng(1)
    keypoints = rng.uniform(10, 900, (F, 2, N, len(skeleton), 3)).round(3)
    keypoints[..., 2] = rng.uniform(0.1, 1, keypoints.shape[:-1]).round(6)
    keypoints[:, :, 0, 2] = np.nan, np.nan, 0
    keypoints[1, 1] = np.nan, np.nan, 0
    return Detections2D(skeleton, ("a", "b"), keypoints)


@pytest.mark.parametrize("skeleton", [BODY_25, COCO_18, COCO_17])
def test_openpose_json_returns_what_was_written_to_printed_precision(tmp_path, skeleton):
    detections = make_detections(skeleton)
    write_openpose_json(tmp_path, detections)
    back = read_openpose_json(tmp_path, ["a", "b"], skeleton=skeleton)
    np.testing.assert_array_equal(back.keypoints, detections.keypoints)


def test_openpose_json_writes_missing_joints_as_zeros_and_a_file_for_nobody(tmp_path):
    write_openpose_json(tmp_path, make_detections())
    person = json.loads((tmp_path / "a/a_000000000000_keypoints.json").read_text())["people"][0]
    assert person["pose_keypoints_2d"][6:9] == [0, 0, 0]
    assert json.loads((tmp_path / "b/b_000000000001_keypoints.json").read_text()) == {"version": 1.3, "people": []}


def test_openpose_json_gives_each_detection_the_joints_of_its_own_3d_person(tmp_path):
    motion = make_motion()
    K = np.array([[800.0, 0, 500], [0, 800, 400], [0, 0, 1]])
    rig = Rig(
        tuple(Camera(name=n, size_wh=(1000, 800), K=K, cam_from_world=Rigid(np.eye(3), [0.1, 0, 0])) for n in "ab")
    )
    xy = project(rig["a"], motion.points.X)[:, None, ::-1].repeat(2, axis=1)  # the people swapped
    keypoints = np.concatenate([xy, np.where(np.isnan(xy[..., :1]), 0, 0.8)], axis=-1)
    write_openpose_json(tmp_path, Detections2D(BODY_25, ("a", "b"), keypoints), motion=motion, rig=rig)
    people = json.loads((tmp_path / "a/a_000000000001_keypoints.json").read_text())["people"]
    assert [person["person_id"] for person in people] == [[4], [3]]
    got = np.reshape(people[1]["pose_keypoints_3d"], (25, 4))
    np.testing.assert_allclose(got[:, :3], np.nan_to_num(motion.points.X[1, 0]), atol=1e-6)


def test_openpose_json_never_deletes_files_that_are_not_its_own(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/thesis.txt").write_text("x")
    with pytest.raises(InputError, match=r"thesis\.txt"):
        write_openpose_json(tmp_path, make_detections())
    assert (tmp_path / "a/thesis.txt").exists()


def write_frame(path, values):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"people": [{"pose_keypoints_2d": values}] if values else []}))


def test_frames_are_joined_on_the_number_in_either_kind_of_name(tmp_path):
    write_frame(tmp_path / "cam02_json/cam02.0080.json", [1.0, 2.0, 0.5] * 18)
    write_frame(tmp_path / "cam03/x_000000000082_keypoints.json", [3.0, 4.0, 0.5] * 18)
    write_frame(tmp_path / "cam03/x_000000000081_keypoints.json", [])
    got = read_openpose_json(tmp_path, ["cam02", "cam03"])
    assert got.skeleton is COCO_18
    assert openpose_frames(tmp_path, ["cam02", "cam03"]).tolist() == [80, 81, 82]
    assert (got.keypoints[..., 2] > 0).all(axis=(2, 3)).tolist() == [[True, False], [False, False], [False, True]]
    assert np.isnan(got.keypoints[1, :, :, :, 0]).all()


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("c.1.json", "{", r"c\.1\.json: broken JSON"),
        ("c.1.json", "[]", "not OpenPose JSON"),
        ("c.json", "{}", "no frame number"),
        ("c.1.json", '{"people":[{"pose_keypoints_2d":[1,2,3]}]}', "3 values"),
    ],
)
def test_an_unusable_file_is_named_in_one_line(tmp_path, name, text, match):
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / name).write_text(text)
    with pytest.raises(InputError, match=match) as error:
        read_openpose_json(tmp_path, ["c"])
    assert "\n" not in str(error.value)


def test_missing_and_empty_camera_folders_are_errors(tmp_path):
    (tmp_path / "c").mkdir()
    with pytest.raises(InputError, match=r"no \.json files"):
        read_openpose_json(tmp_path, ["c"])
    with pytest.raises(InputError, match="no folder d"):
        read_openpose_json(tmp_path, ["d"])


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data/rigs/pose2sim_openpose_json")
@pytest.mark.parametrize("which", ["single", "multi"])
def test_body_25b_is_told_from_body_25_on_real_files(which):
    got = read_openpose_json(SHARED / which, [f"cam0{i}" for i in range(1, 5)])
    assert got.skeleton.name == "body_25b"
    assert len(got.keypoints) == 100


def test_body_25_is_recognised_by_its_midpoints(tmp_path):
    xy = np.random.default_rng(0).uniform(0, 500, (25, 2))
    xy[1], xy[8] = (xy[2] + xy[5]) / 2, (xy[9] + xy[12]) / 2
    write_frame(tmp_path / "c/c.1.json", np.c_[xy, np.ones(25)].ravel().tolist())
    assert read_openpose_json(tmp_path, ["c"]).skeleton is BODY_25


def test_an_unknown_format_lists_the_known(tmp_path):
    with pytest.raises(InputError, match=", ".join(EXPORTERS)):
        export(make_motion(), None, format="fbx", out=tmp_path / "m")
