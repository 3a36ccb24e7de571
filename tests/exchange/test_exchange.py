import csv
import json
from pathlib import Path

import numpy as np
import pytest

from triskel import Camera, Detections2D, InputError, Motion3D, Rig, Rigid, project
from triskel.exchange import EXPORTERS, export, openpose_frames, read_openpose_json, write_openpose_json, write_trc
from triskel.skeleton import BODY_25, COCO_17, COCO_18, WHOLE_BODY_135
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


def make_whole_bodies(F=5, N=2):
    """Two whole bodies; small toes are never found, and the first person's face is not in frame 2."""
    motion = make_motion(F, N, WHOLE_BODY_135)
    for joint in ("LSmallToe", "RSmallToe"):
        j = WHOLE_BODY_135.index(joint)
        motion.points.X[:, :, j], motion.points.score[:, :, j] = np.nan, 0
    motion.points.X[2, 0, 65:], motion.points.score[2, 0, 65:] = np.nan, 0
    return motion


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


def test_trc_read_again_equals_the_motion(tmp_path):
    motion = make_motion()
    paths = write_trc(tmp_path, motion)
    lines = paths[0].read_text().split("\n")
    assert lines[2].split("\t")[:5] == ["50", "50", "5", "25", "m"]
    assert lines[4].split("\t")[2:6] == ["X1", "Y1", "Z1", "X2"]
    rows = [[float(v) if v else np.nan for v in line.split("\t")] for line in lines[6:-1]]
    np.testing.assert_allclose(np.array(rows)[:, 2:].reshape(5, 25, 3), motion.points.X[:, 0], atol=1e-5)
    assert "\t\t\t" in lines[7]


def test_trc_y_up_turns_the_height_into_y(tmp_path):
    motion = make_motion()
    row = write_trc(tmp_path, motion, y_up=True)[1].read_text().split("\n")[6].split("\t")
    np.testing.assert_allclose(np.array(row[2:5], float), motion.points.X[0, 1, 0, [1, 2, 0]], atol=1e-5)


def test_wide_csv_has_blank_fields_for_missing_joints(tmp_path):
    motion = make_motion()
    export(motion, None, format="csv", out=tmp_path / "m.csv")
    rows = list(csv.DictReader((tmp_path / "m.csv").open()))
    assert rows[1]["3_RElbow_x"] == ""
    assert float(rows[2]["4_Nose_z"]) == pytest.approx(motion.points.X[2, 1, 0, 2], abs=1e-6)


def test_trc_of_whole_bodies_keeps_blank_columns_for_joints_never_found(tmp_path):
    motion = make_whole_bodies()
    paths = write_trc(tmp_path, motion)
    for n, path in enumerate(paths):
        lines = path.read_text().split("\n")
        assert lines[2].split("\t")[3] == "135"
        assert lines[3].split("\t")[2::3] == list(WHOLE_BODY_135.joints)
        rows = [[float(v) if v else np.nan for v in line.split("\t")] for line in lines[6:-1]]
        np.testing.assert_allclose(np.array(rows)[:, 2:].reshape(5, 135, 3), motion.points.X[:, n], atol=1e-5)


def test_wide_csv_of_whole_bodies_has_every_joint_of_every_person(tmp_path):
    motion = make_whole_bodies()
    export(motion, None, format="csv", out=tmp_path / "m.csv")
    rows = list(csv.DictReader((tmp_path / "m.csv").open()))
    assert len(rows[0]) == 2 + 2 * 135 * 3
    back = [
        [
            [[float(row[f"{i}_{joint}_{axis}"] or "nan") for axis in "xyz"] for joint in WHOLE_BODY_135.joints]
            for i in (3, 4)
        ]
        for row in rows
    ]
    np.testing.assert_allclose(back, motion.points.X, atol=1e-6)


def test_tidy_csv_says_each_joint_s_part(tmp_path):
    motion = make_whole_bodies()
    export(motion, None, format="csv-tidy", out=tmp_path / "m.csv")
    rows = list(csv.DictReader((tmp_path / "m.csv").open()))
    assert len(rows) == 5 * 2 * 135
    sizes = {
        part: sum(row["part"] == part for row in rows[:135]) for part in ("body", "left_hand", "right_hand", "face")
    }
    assert sizes == {"body": 25, "left_hand": 20, "right_hand": 20, "face": 70}
    last = rows[-1]
    assert [last[name] for name in ("frame", "person", "part", "joint")] == ["4", "4", "face", "Face69"]
    xyz = [float(last[f"{axis}_m"]) for axis in "xyz"]
    np.testing.assert_allclose(xyz, motion.points.X[-1, -1, -1], atol=1e-6)
    assert rows[135 * 4 + 65]["x_m"] == ""


def test_tidy_csv_has_a_row_for_every_joint(tmp_path):
    motion = make_motion()
    export(motion, None, format="csv-tidy", out=tmp_path / "m.csv")
    rows = list(csv.DictReader((tmp_path / "m.csv").open()))
    assert len(rows) == 5 * 2 * 25
    assert rows[50 + 3]["x_m"] == ""
    assert rows[50 + 3]["joint"] == "RElbow"


def test_c3d_is_in_millimetres_with_residual_minus_one_for_missing(tmp_path):
    ezc3d = pytest.importorskip("ezc3d")
    motion = make_motion()
    export(motion, None, format="c3d", out=tmp_path / "m.c3d")
    back = ezc3d.c3d(str(tmp_path / "m.c3d"))
    assert back["parameters"]["POINT"]["UNITS"]["value"] == ["mm"]
    assert back["parameters"]["POINT"]["LABELS"]["value"][3] == "3_RElbow"
    assert back["header"]["points"]["frame_rate"] == 50
    mm = np.moveaxis(back["data"]["points"][:3], 0, -1).transpose(1, 0, 2).reshape(5, 2, 25, 3)
    found = motion.found
    np.testing.assert_allclose(mm[found], 1000 * motion.points.X[found], atol=1e-2)
    residuals = back["data"]["meta_points"]["residuals"][0].T.reshape(5, 2, 25)
    np.testing.assert_array_equal(residuals < 0, ~found)


def test_a_c3d_file_is_called_so(tmp_path):
    with pytest.raises(InputError, match=r"m: the name of a C3D file ends in \.c3d"):
        export(make_motion(), None, format="c3d", out=tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


def test_c3d_of_two_whole_bodies_names_all_270_points(tmp_path):
    """The format holds 255 names a parameter; the others follow in a second one."""
    ezc3d = pytest.importorskip("ezc3d")
    motion = make_whole_bodies()
    export(motion, None, format="c3d", out=tmp_path / "m.c3d")
    back = ezc3d.c3d(str(tmp_path / "m.c3d"))
    point = back["parameters"]["POINT"]
    names = [*point["LABELS"]["value"], *point["LABELS2"]["value"]]
    assert names == [f"{i}_{joint}" for i in (3, 4) for joint in WHOLE_BODY_135.joints]
    mm = np.moveaxis(back["data"]["points"][:3], 0, -1).transpose(1, 0, 2).reshape(5, 2, 135, 3)
    found = motion.found
    np.testing.assert_allclose(mm[found], 1000 * motion.points.X[found], atol=1e-2)
    residuals = back["data"]["meta_points"]["residuals"][0].T.reshape(5, 2, 135)
    np.testing.assert_array_equal(residuals < 0, ~found)


def test_npz_holds_every_array_unrounded(tmp_path):
    motion = make_motion()
    export(motion, make_detections(), format="npz", out=tmp_path / "m.npz")
    data = np.load(tmp_path / "m.npz")
    np.testing.assert_array_equal(data["X"], motion.points.X)
    assert data["joints"].tolist() == list(BODY_25.joints)
    np.testing.assert_array_equal(data["keypoints2d"], make_detections().keypoints)


def test_npz_of_whole_bodies_says_which_joints_are_of_which_part(tmp_path):
    motion = make_whole_bodies()
    export(motion, None, format="npz", out=tmp_path / "m.npz")
    data = np.load(tmp_path / "m.npz")
    np.testing.assert_array_equal(data["X"], motion.points.X)
    assert data["joints"][data["parts"] == "right_hand"].tolist() == list(WHOLE_BODY_135.joints[45:65])


def test_an_unknown_format_lists_the_known(tmp_path):
    with pytest.raises(InputError, match=", ".join(EXPORTERS)):
        export(make_motion(), None, format="fbx", out=tmp_path / "m")
