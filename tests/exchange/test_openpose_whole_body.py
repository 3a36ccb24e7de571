"""OpenPose JSON of whole bodies: the arrays of hands and face, written and read."""

import json
import logging

import numpy as np
import pytest

from triskel import Camera, Detections2D, InputError, Motion3D, Rig, Rigid, project
from triskel.exchange import ExportOptions, export, read_openpose_json, write_openpose_json
from triskel.exchange.openpose_json import openpose_person
from triskel.skeleton import BODY_25, COCO_18, WHOLE_BODY_135
from triskel.tables import missing_points
from triskel.whole_body import WRISTS, hand_with_wrist, parts_of

PARTS = parts_of(WHOLE_BODY_135)
HANDS = (("left_hand", "hand_left"), ("right_hand", "hand_right"))


def people(F=3, C=2, N=2, *, midpoints=True):
    """Detections (F, C, N, 135, 3) of printed precision; some joints and some parts are missing."""
    rng = np.random.default_rng(8)
    keypoints = rng.uniform(10, 900, (F, C, N, 135, 3)).round(3)
    keypoints[..., 2] = rng.uniform(0.1, 1, keypoints.shape[:-1]).round(6)
    if midpoints:
        for joint, others in BODY_25.means:
            keypoints[..., joint, :2] = keypoints[..., list(others), :2].mean(axis=-2).round(3)
    missing = np.zeros(keypoints.shape[:-1], bool)
    missing[:, :, 0, 27] = missing[0, 0, 1, WRISTS["right_hand"]] = True
    for f, part in enumerate(("left_hand", "right_hand", "face")):
        missing[f, :, 0, PARTS[part]] = True
    keypoints[missing] = np.nan, np.nan, 0
    return Detections2D(WHOLE_BODY_135, ("a", "b"), keypoints)


def written(folder, camera="a", frame=0):
    return json.loads((folder / f"{camera}/{camera}_{frame:012d}_keypoints.json").read_text())["people"]


def test_hands_and_face_have_arrays_of_their_own_and_a_hand_starts_with_the_body_s_wrist(tmp_path):
    detections = people()
    write_openpose_json(tmp_path, detections)
    one, seen = written(tmp_path)[1], detections.keypoints[0, 0, 1]
    assert one["pose_keypoints_2d"] == pytest.approx(np.nan_to_num(seen[:25]).ravel().tolist(), abs=0)
    assert one["face_keypoints_2d"] == seen[65:].ravel().tolist()
    for part, name in HANDS:
        assert len(one[f"{name}_keypoints_2d"]) == 63
        np.testing.assert_array_equal(
            np.reshape(one[f"{name}_keypoints_2d"], (21, 3)), np.nan_to_num(hand_with_wrist(seen, part))
        )
    assert one["hand_left_keypoints_2d"][:3] == one["pose_keypoints_2d"][21:24]
    assert one["hand_right_keypoints_2d"][:3] == [0, 0, 0]  # the body's wrist is missing, the hand is not
    assert [one[f"{name}_keypoints_3d"] for name in ("pose", "face", "hand_left", "hand_right")] == [[]] * 4


def test_a_part_that_was_not_found_is_all_zeros_even_where_the_wrist_was_found(tmp_path):
    write_openpose_json(tmp_path, people())
    assert written(tmp_path, frame=0)[0]["hand_left_keypoints_2d"] == [0] * 63
    assert written(tmp_path, frame=0)[0]["pose_keypoints_2d"][21] > 0
    assert written(tmp_path, frame=1)[0]["hand_right_keypoints_2d"] == [0] * 63
    assert written(tmp_path, frame=2)[0]["face_keypoints_2d"] == [0] * 210


def test_other_joint_sets_have_no_hands_and_no_face():
    person = openpose_person(COCO_18, np.full((18, 3), 0.5), np.full((18, 4), 0.5), 4)
    assert len(person["pose_keypoints_2d"]) == 54
    assert len(person["pose_keypoints_3d"]) == 72
    assert [value for key, value in person.items() if "pose" not in key] == [[4], *[[]] * 6]


@pytest.mark.parametrize("skeleton", [None, WHOLE_BODY_135])
def test_whole_bodies_read_again_are_those_written(tmp_path, skeleton):
    detections = people()
    write_openpose_json(tmp_path, detections)
    back = read_openpose_json(tmp_path, ["a", "b"], skeleton=skeleton)
    assert back.skeleton is WHOLE_BODY_135
    np.testing.assert_array_equal(back.keypoints, detections.keypoints)


def test_the_body_alone_is_read_where_it_is_asked_for(tmp_path):
    detections = people()
    write_openpose_json(tmp_path, detections)
    back = read_openpose_json(tmp_path, ["a", "b"], skeleton=BODY_25)
    np.testing.assert_array_equal(back.keypoints, detections.keypoints[..., :25, :])


def test_3d_parts_have_the_wrist_and_zeros_like_those_in_2d(tmp_path):
    rng = np.random.default_rng(2)
    points = missing_points((1, 1, 135), 2)
    points.X[:] = rng.uniform(-1, 1, points.X.shape) + np.array([0, 0, 5])
    points.score[:] = 0.9
    points.X[0, 0, PARTS["right_hand"]], points.score[0, 0, PARTS["right_hand"]] = np.nan, 0
    motion = Motion3D(WHOLE_BODY_135, ("a", "b"), np.zeros(1), np.array([7]), points, np.zeros((1, 1, 135), bool))
    K = np.array([[800.0, 0, 500], [0, 800, 400], [0, 0, 1]])
    rig = Rig(
        tuple(Camera(name=n, size_wh=(1000, 800), K=K, cam_from_world=Rigid(np.eye(3), [0.1, 0, 0])) for n in "ab")
    )
    xy = project(rig["a"], points.X)[:, None].repeat(2, axis=1)
    keypoints = np.concatenate([xy, np.where(np.isnan(xy[..., :1]), 0, 0.8)], axis=-1)
    write_openpose_json(tmp_path, Detections2D(WHOLE_BODY_135, ("a", "b"), keypoints), motion=motion, rig=rig)
    (one,) = written(tmp_path)
    assert one["person_id"] == [7]
    lengths = {name: len(one[f"{name}_keypoints_3d"]) for name in ("pose", "face", "hand_left", "hand_right")}
    assert lengths == {"pose": 100, "face": 280, "hand_left": 84, "hand_right": 84}
    assert one["hand_right_keypoints_3d"] == [0] * 84
    left = np.reshape(one["hand_left_keypoints_3d"], (21, 4))
    np.testing.assert_allclose(left[:, :3], hand_with_wrist(points.X[0, 0], "left_hand"), atol=1e-6)
    assert one["hand_left_keypoints_3d"][:4] == one["pose_keypoints_3d"][28:32]


def write_person(folder, **arrays):
    (folder / "c").mkdir(exist_ok=True)
    body = [0.0] * 75
    body[:3] = 5.0, 6.0, 0.5
    (folder / "c/c.1.json").write_text(json.dumps({"people": [{"pose_keypoints_2d": body} | arrays]}))


def test_the_wrist_of_a_hand_stands_in_for_a_body_without_one_and_gives_way_to_one_with(tmp_path):
    hand = [11.0, 12.0, 0.25, *[3.0, 4.0, 0.5] * 20]
    write_person(tmp_path, hand_left_keypoints_2d=hand)
    back = read_openpose_json(tmp_path, ["c"]).keypoints[0, 0, 0]
    assert back[WRISTS["left_hand"]].tolist() == [11, 12, 0.25]
    assert back[WRISTS["right_hand"], 2] == 0
    body = [0.0] * 75
    body[21:24] = 7.0, 8.0, 0.75
    write_person(tmp_path, pose_keypoints_2d=body, hand_left_keypoints_2d=hand)
    assert read_openpose_json(tmp_path, ["c"]).keypoints[0, 0, 0, WRISTS["left_hand"]].tolist() == [7, 8, 0.75]


def test_hands_and_faces_of_zeros_leave_a_body_of_25_points(tmp_path):
    write_person(tmp_path, hand_left_keypoints_2d=[0] * 63, face_keypoints_2d=[0] * 210, hand_right_keypoints_2d=None)
    assert read_openpose_json(tmp_path, ["c"]).skeleton is BODY_25


def test_hands_without_a_body_are_a_person_of_hands(tmp_path):
    """OpenPose run with hands and without the body writes an empty pose."""
    hand = [11.0, 12.0, 0.25, *[3.0, 4.0, 0.5] * 20]
    write_person(tmp_path, pose_keypoints_2d=[], hand_left_keypoints_2d=hand)
    back = read_openpose_json(tmp_path, ["c"])
    assert back.skeleton is WHOLE_BODY_135
    (person,) = back.people(0, 0)
    assert person[WRISTS["left_hand"]].tolist() == [11, 12, 0.25]
    assert (person[PARTS["left_hand"]] == [3, 4, 0.5]).all()
    assert (person[:, 2] > 0).sum() == 21
    write_person(tmp_path, pose_keypoints_2d=[], hand_left_keypoints_2d=[0] * 63)
    assert read_openpose_json(tmp_path, ["c"]).keypoints.shape == (1, 1, 0, 25, 3)


def test_people_in_3d_alone_are_in_a_folder_of_their_own_with_empty_arrays_in_2d(whole_bodies, tmp_path):
    export(whole_bodies, None, format="openpose", out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["3d"]
    assert len(list((tmp_path / "3d").iterdir())) == 5
    one, other = written(tmp_path, "3d", 2)
    assert (one["person_id"], other["person_id"]) == ([3], [4])
    names = ("pose", "face", "hand_left", "hand_right")
    assert [one[f"{name}_keypoints_2d"] for name in names] == [[]] * 4
    assert [len(one[f"{name}_keypoints_3d"]) for name in names] == [100, 280, 84, 84]
    assert one["face_keypoints_3d"] == [0] * 280
    X, score = whole_bodies.points.X, whole_bodies.points.score
    pose = np.reshape(other["pose_keypoints_3d"], (25, 4))
    np.testing.assert_allclose(pose[:, :3], np.nan_to_num(X[2, 1, :25]), atol=1e-6)
    np.testing.assert_allclose(pose[:, 3], score[2, 1, :25], atol=1e-6)
    face = np.reshape(other["face_keypoints_3d"], (70, 4))
    np.testing.assert_allclose(face[:, :3], X[2, 1, 65:], atol=1e-6)


def test_3d_positions_come_in_the_unit_axes_people_and_parts_asked_for(whole_bodies, tmp_path):
    options = ExportOptions(units="mm", y_up=True, people=(4,), parts=("left_hand",))
    export(whole_bodies, None, format="openpose", out=tmp_path, options=options)
    (one,) = written(tmp_path, "3d", 1)
    hand = np.reshape(one["hand_left_keypoints_3d"], (21, 4))
    expected = 1000 * hand_with_wrist(whole_bodies.points.X[1, 1], "left_hand")[:, [1, 2, 0]]
    np.testing.assert_allclose(hand[:, :3], expected, atol=1e-6)
    assert [value for key, value in one.items() if key != "hand_left_keypoints_3d"] == [[4], *[[]] * 7]


def test_an_empty_export_is_an_error_and_other_files_are_never_deleted(whole_bodies, tmp_path):
    with pytest.raises(InputError, match="neither 2D nor 3D"):
        write_openpose_json(tmp_path, None)
    (tmp_path / "3d").mkdir()
    (tmp_path / "3d/thesis.txt").write_text("x")
    with pytest.raises(InputError, match=r"thesis\.txt"):
        export(whole_bodies, None, format="openpose", out=tmp_path)


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({"face_keypoints_2d": [1.0, 2, 0.5] * 68}, r"c\.1\.json: face_keypoints_2d of 204 values, not 210"),
        ({"hand_right_keypoints_2d": [1.0, 2, 0.5] * 20}, "hand_right_keypoints_2d of 60 values, not 63"),
        ({"hand_right_keypoints_2d": ["a"] * 63}, "keypoints that are not numbers"),
        ({"hand_right_keypoints_2d": ["1.5"] * 63}, "keypoints that are not numbers"),
        ({"hand_right_keypoints_2d": [True] * 63}, "keypoints that are not numbers"),
        ({"pose_keypoints_2d": ["2"] * 75}, "keypoints that are not numbers"),
        ({"face_keypoints_2d": "none"}, "not OpenPose JSON"),
    ],
)
def test_broken_parts_are_named_in_one_line(tmp_path, arrays, match):
    write_person(tmp_path, **arrays)
    with pytest.raises(InputError, match=match) as error:
        read_openpose_json(tmp_path, ["c"])
    assert "\n" not in str(error.value)


def test_hands_of_another_body_than_body_25_are_left_out_with_a_warning(tmp_path, caplog):
    write_person(tmp_path, pose_keypoints_2d=[1.0, 2.0, 0.5] * 18, hand_left_keypoints_2d=[1.0, 2, 0.5] * 21)
    with caplog.at_level(logging.WARNING):
        assert read_openpose_json(tmp_path, ["c"]).skeleton is COCO_18
    assert "hands and faces are read with the body of body_25 alone, here it is coco_18" in caplog.text
