"""BVH files, read back by parsers that share no code with us: `bvh` for the text, `bvhio` for where the joints are."""

import logging

import bvh
import bvhio
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from triskel import InputError, Motion3D
from triskel.exchange import ExportOptions, export, write_bvh
from triskel.exchange.bvh import euler_zxy
from triskel.keypoints import missing_points
from triskel.skeleton import BODY_25, BODY_25B, COCO_17, COCO_18, HAND_21, MPII_15, WHOLE_BODY_135

FPS = 50
SIDES = (("Left", 1.0), ("Right", -1.0))
PLACES = {
    "Hips": "MidHip", "Spine": "MidHip", "Neck": "Neck", "LeftArm": "LShoulder", "LeftForeArm": "LElbow",
    "LeftHand": "LWrist", "RightArm": "RShoulder", "RightForeArm": "RElbow", "RightHand": "RWrist",
    "LeftUpLeg": "LHip", "LeftLeg": "LKnee", "LeftFoot": "LAnkle", "LeftToe": "LBigToe", "RightUpLeg": "RHip",
    "RightLeg": "RKnee", "RightFoot": "RAnkle", "RightToe": "RBigToe",
}  # fmt: skip
"""Joint of the file, and where it sits in `body_25`."""


def wobble(rng, F, size):
    """Smooth rotations (F,) of about `size` rad around changing axes."""
    time = np.arange(F)[:, None] / FPS
    return Rotation.from_rotvec(size * np.sin(2 * np.pi * (rng.uniform(0.3, 1, 3) * time + rng.uniform(0, 1, 3))))


def turn(axis, angle):
    return Rotation.from_euler(axis, np.reshape(angle, (-1, 1)))


def person(F=60, seed=0, *, heading=None, elbow=None, knee=None, hand=None):
    """A person of rigid bones: joints of `whole_body_135` by name (F, 3), m, y up, and turns against the parent."""
    rng = np.random.default_rng(seed)
    elbow = 0.9 + 0.5 * np.sin(np.arange(F) / 9) if elbow is None else elbow
    knee = 0.8 + 0.4 * np.cos(np.arange(F) / 7) if knee is None else knee
    heading = 0.02 * np.arange(F) if heading is None else heading
    # Of the pelvis nothing is seen but the hips' line and the trunk, so the trunk does not turn about that line.
    lean = turn("Z", 0.2 * np.sin(np.arange(F) / 11)) * turn("Y", 0.3 * np.cos(np.arange(F) / 13))
    turns = {"Hips": turn("Y", heading) * wobble(rng, F, 0.1), "Spine": lean}
    whole = {"Hips": turns["Hips"], "Spine": turns["Hips"] * turns["Spine"]}
    X = {"MidHip": np.stack([0.5 * np.sin(np.arange(F) / 30), 0.9 + 0.02 * np.cos(np.arange(F)), np.arange(F) / 40], 1)}

    def hang(joint, on, by, offset):
        X[joint] = X[on] + whole[by].apply(offset)

    def bend(bone, parent, rotation):
        turns[bone], whole[bone] = rotation, whole[parent] * rotation

    hang("Neck", "MidHip", "Spine", (0, 0.5, 0))
    bend("Head", "Spine", wobble(rng, F, 0.4))
    hang("head", "Neck", "Spine", (0, 0.2, 0))
    for joint, offset in {"Nose": (0, 0, 0.1), "LEar": (0.07, 0, 0), "REar": (-0.07, 0, 0)}.items():
        hang(joint, "head", "Head", offset)
    for side, s in SIDES:
        n = side[0]
        hang(f"{n}Shoulder", "Neck", "Spine", (0.18 * s, 0, 0))
        bend(f"{side}Arm", "Spine", turn("Z", -1.0 * s) * wobble(rng, F, 0.5))
        hang(f"{n}Elbow", f"{n}Shoulder", f"{side}Arm", (0.3 * s, 0, 0))
        bend(f"{side}ForeArm", f"{side}Arm", turn("Y", -s * elbow))
        hang(f"{n}Wrist", f"{n}Elbow", f"{side}ForeArm", (0.25 * s, 0, 0))
        bend(f"{side}Hand", f"{side}ForeArm", wobble(rng, F, 0.5) if hand is None else hand)
        for k, finger in enumerate(("Thumb", "Index", "Middle", "Ring", "Little")):
            z = 0.0 if finger == "Middle" else 0.04 - 0.02 * k
            hang(f"{n}{finger}1", f"{n}Wrist", f"{side}Hand", (0.09 * s - 0.03 * s * (k == 0), 0, z))
            for i in range(1, 4):
                rest = np.array([s, 0, 1]) / np.sqrt(2) if k == 0 else np.array([s, 0, 0])
                called = f"{side}Hand{'Pinky' if finger == 'Little' else finger}"
                curl = Rotation.from_rotvec(np.tile([0.2, 0, -0.2 * s] if k == 0 else [0, 0, -0.3 * s], (F, 1)))
                bend(f"{called}{i}", f"{side}Hand" if i == 1 else f"{called}{i - 1}", curl)
                hang(f"{n}{finger}{i + 1}", f"{n}{finger}{i}", f"{called}{i}", 0.03 * rest)
        hang(f"{n}Hip", "MidHip", "Hips", (0.1 * s, 0, 0))
        bend(f"{side}UpLeg", "Hips", wobble(rng, F, 0.4))
        hang(f"{n}Knee", f"{n}Hip", f"{side}UpLeg", (0, -0.43, 0))
        bend(f"{side}Leg", f"{side}UpLeg", turn("X", knee))
        hang(f"{n}Ankle", f"{n}Knee", f"{side}Leg", (0, -0.41, 0))
        bend(f"{side}Foot", f"{side}Leg", wobble(rng, F, 0.3))
        hang(f"{n}BigToe", f"{n}Ankle", f"{side}Foot", 0.2 * np.array([0, -0.3, 1]) / np.hypot(0.3, 1))
        hang(f"{n}SmallToe", f"{n}BigToe", f"{side}Foot", (0.05 * s, 0, -0.02))
    return X, turns


def motion_of(people, skeleton=BODY_25):
    """Put people, joints by name with y up, into a motion, whose z is up; joints that a person lacks are missing."""
    F = len(people[0]["MidHip"])
    points = missing_points((F, len(people), len(skeleton)), 2)
    for n, X in enumerate(people):
        for j, joint in enumerate(skeleton.joints):
            points.X[:, n, j] = X[joint][:, [2, 0, 1]] if joint in X else np.nan
    points.score[:] = np.isfinite(points.X[..., 0])
    gap = np.zeros(points.score.shape, bool)
    return Motion3D(skeleton, ("a", "b"), np.arange(F) / FPS, np.arange(len(people)) + 5, points, gap)


def places_of(path):
    """Where each joint of a file is in each frame, (F, 3), as `bvhio` works it out."""
    frames = bvhio.readAsBvh(str(path)).FrameCount
    root = bvhio.readAsHierarchy(str(path))
    joints = [joint for joint, _, _ in root.layout()]
    places = {joint.Name: np.empty((frames, 3)) for joint in joints}
    for f in range(frames):
        root.loadPose(f)
        for joint in joints:
            places[joint.Name][f] = tuple(joint.PositionWorld)
    return places


def parsed(path):
    return bvh.Bvh(path.read_text())


def angles_of(file, joint):
    return np.array(file.frames_joint_channels(joint, ["Zrotation", "Xrotation", "Yrotation"]))


def test_the_joints_of_the_file_are_where_those_of_the_person_are(tmp_path):
    X, _ = person()
    (path,) = write_bvh(tmp_path, motion_of([X]))
    assert path.name == "person_5.bvh"
    places = places_of(path)
    assert set(places) == {*PLACES, "Head", "LeftShoulder", "RightShoulder"}
    for bone, joint in (*PLACES.items(), ("Head", "head")):
        np.testing.assert_allclose(places[bone], 100 * X[joint], atol=1e-3, err_msg=bone)  # 0.01 mm


def test_turns_are_those_of_the_bones_of_the_person(tmp_path):
    """Elbows turn about Y alone and knees about X alone, so upper arms and thighs have their twist."""
    X, turns = person(30)
    (path,) = write_bvh(tmp_path, motion_of([X], WHOLE_BODY_135))
    file = parsed(path)
    checked = [bone for bone in turns if bone in file.get_joints_names()]
    assert len(checked) == 3 + 2 * (3 + 15 + 3)
    for bone in checked:
        got = Rotation.from_euler("ZXY", angles_of(file, bone), degrees=True)
        assert np.rad2deg((got.inv() * turns[bone]).magnitude()).max() < 0.01, bone
    assert np.abs(angles_of(file, "LeftForeArm")[:, :2]).max() < 0.01
    assert angles_of(file, "LeftForeArm")[:, 2].max() < 0 < angles_of(file, "RightForeArm")[:, 2].min()
    assert np.abs(angles_of(file, "LeftLeg")[:, [0, 2]]).max() < 0.01 < angles_of(file, "LeftLeg")[:, 1].min()


def test_fingers_are_there_where_hands_were_found_and_wanted(tmp_path):
    X, _ = person()
    X |= {joint: np.full((60, 3), np.nan) for joint in X if joint.startswith("R") and joint[-1] in "1234"}
    motion = motion_of([X], WHOLE_BODY_135)
    (path,) = write_bvh(tmp_path / "all", motion)
    places, names = places_of(path), parsed(path).get_joints_names()
    for bone, joint in {"LeftHandThumb3": "LThumb3", "LeftHandPinky1": "LLittle1", "LeftHandIndex2": "LIndex2"}.items():
        np.testing.assert_allclose(places[bone], 100 * X[joint], atol=1e-3)
    assert not any(name.startswith("RightHand") and name != "RightHand" for name in names)
    (end,) = parsed(path).get_joint("LeftHandRing3").filter("End")
    np.testing.assert_allclose(np.array(end["OFFSET"], float), [3, 0, 0], atol=1e-3)
    (path,) = write_bvh(tmp_path / "body", motion, options=ExportOptions(parts=("body",)))
    assert len(parsed(path).get_joints_names()) == 20


def test_at_rest_the_person_stands_with_the_arms_out_and_has_the_lengths_that_were_seen(tmp_path):
    X, _ = person()
    (path,) = write_bvh(tmp_path, motion_of([X]))
    file = parsed(path)
    offsets = {bone: file.joint_offset(bone) for bone in file.get_joints_names()}
    expected = {
        "Hips": (0, 0, 0), "Spine": (0, 0, 0), "Neck": (0, 50, 0), "Head": (0, 20, 0), "LeftArm": (18, 0, 0),
        "LeftForeArm": (30, 0, 0), "RightHand": (-25, 0, 0), "RightUpLeg": (-10, 0, 0), "LeftLeg": (0, -43, 0),
        "LeftFoot": (0, -41, 0), "LeftToe": (0, -5.747, 19.157),
    }  # fmt: skip
    for bone, offset in expected.items():
        np.testing.assert_allclose(offsets[bone], offset, atol=1e-3, err_msg=bone)
    assert file.frame_time == pytest.approx(1 / FPS)
    assert file.nframes == len(file.frames) == 60
    for bone in file.get_joints_names():
        place = ["Xposition", "Yposition", "Zposition"] if bone == "Hips" else []
        assert file.joint_channels(bone) == [*place, "Zrotation", "Xrotation", "Yrotation"]
    parents = {bone: (file.joint_parent(bone) or file.get_joint("Hips")).name for bone in file.get_joints_names()}
    assert [parents[bone] for bone in ("Spine", "LeftShoulder", "LeftHand", "LeftToe")] == [
        "Hips", "Spine", "LeftForeArm", "LeftFoot",
    ]  # fmt: skip


def test_units_and_z_up_are_as_asked(tmp_path):
    X, _ = person()
    (path,) = write_bvh(tmp_path, motion_of([X]), options=ExportOptions(units="m", y_up=False))
    places = places_of(path)
    for bone, joint in PLACES.items():
        np.testing.assert_allclose(places[bone], X[joint][:, [2, 0, 1]], atol=2e-5, err_msg=bone)
    assert parsed(path).joint_offset("Neck") == pytest.approx((0, 0, 0.5))


def test_angles_go_on_through_whole_turns_without_a_jump(tmp_path):
    X, _ = person(120, heading=np.linspace(0, 6 * np.pi, 120))
    (path,) = write_bvh(tmp_path, motion_of([X]))
    file = parsed(path)
    heading = angles_of(file, "Hips")[:, 2]
    assert heading[-1] - heading[0] == pytest.approx(3 * 360, abs=20)
    steps = [np.abs(np.diff(angles_of(file, bone), axis=0)).max() for bone in file.get_joints_names()]
    assert max(steps) < 15  # degrees; three turns in 120 frames are 9 a frame


def lose(X, joints, frames):
    for joint in joints:
        X[joint] = X[joint].copy()
        X[joint][frames] = np.nan


def off_deg(path, bone, turns):
    """How far a bone's turns in a file are from those given, and from one frame to the next, degrees."""
    got = Rotation.from_euler("ZXY", angles_of(parsed(path), bone), degrees=True)
    return np.rad2deg((got.inv() * turns[bone]).magnitude()), np.rad2deg((got[:-1].inv() * got[1:]).magnitude())


def test_the_twist_of_a_straight_arm_is_interpolated_between_the_frames_where_it_is_bent(tmp_path):
    elbow = np.full(60, 0.9)
    elbow[20:40] = 0.01
    X, turns = person(elbow=elbow)
    for joint in ("LElbow", "RElbow"):  # the plane of a straight arm is that of the noise
        X[joint][20:40] += np.random.default_rng(0).normal(0, 0.004, (20, 3))
    (path,) = write_bvh(tmp_path, motion_of([X]))
    for bone in ("LeftArm", "RightArm"):
        off, step = off_deg(path, bone, turns)
        assert off[:20].max() < 0.01
        assert off[20:40].max() < 25  # the arm itself twists meanwhile, which nobody can see
        assert step.max() < 8


def test_a_knee_that_noise_bends_the_wrong_way_does_not_turn_the_thigh_around(tmp_path):
    knee = np.full(60, 0.6)
    knee[20:25] = -0.35
    X, turns = person(knee=knee)
    (path,) = write_bvh(tmp_path, motion_of([X]))
    for bone in ("LeftUpLeg", "RightUpLeg"):
        off, step = off_deg(path, bone, turns)
        assert off.max() < 5
        assert step.max() < 8
    np.testing.assert_allclose(places_of(path)["LeftFoot"], 100 * X["LAnkle"], atol=1e-3)


def test_the_twist_of_a_hand_is_interpolated_the_short_way_round(tmp_path):
    X, turns = person(hand=turn("X", np.linspace(np.deg2rad(150), np.deg2rad(210), 60)))
    lose(X, [f"{side}{finger}1" for side in "LR" for finger in ("Index", "Little")], slice(25, 35))
    (path,) = write_bvh(tmp_path, motion_of([X], WHOLE_BODY_135))
    for bone in ("LeftHand", "RightHand"):
        assert off_deg(path, bone, turns)[0].max() < 0.01


def test_bones_of_varying_length_have_the_median_and_limbs_reach_for_where_their_ends_were_seen(tmp_path):
    X, _ = person()
    rng = np.random.default_rng(1)
    noisy = {joint: places + rng.normal(0, 0.01, places.shape) for joint, places in X.items()}
    (path,) = write_bvh(tmp_path, motion_of([noisy]))
    places = places_of(path)
    for bone, joint in PLACES.items():
        error = np.linalg.norm(places[bone] - 100 * noisy[joint], axis=-1)
        assert error.mean() < 2.5, bone  # cm; the noise is 1.7 cm a joint
    assert parsed(path).joint_offset("LeftForeArm")[0] == pytest.approx(30, abs=0.6)


def test_what_is_missing_is_interpolated_and_counted_in_one_warning(tmp_path, caplog):
    X, turns = person()
    lose(X, ["LWrist"], slice(30, 33))
    with caplog.at_level(logging.WARNING):
        (path,) = write_bvh(tmp_path, motion_of([X]))
    (line,) = caplog.messages
    # The forearm's direction is gone; so is the plane of the arm, but its own direction is not.
    assert line.startswith("person_5.bvh: 3 turns (0.2 % of 60 frames x 20 bones) interpolated or held; BVH cannot")
    got = Rotation.from_euler("ZXY", angles_of(parsed(path), "LeftForeArm"), degrees=True)
    assert np.rad2deg((got.inv() * turns["LeftForeArm"]).magnitude()).max() < 3
    assert np.isfinite(places_of(path)["LeftHand"]).all()


def test_hips_that_are_away_for_long_stay_where_they_were_and_for_short_go_on(tmp_path, caplog):
    X, _ = person(120)
    truth = X["MidHip"].copy()
    hips = ("MidHip", "LHip", "RHip")
    lose(X, hips, slice(10, 14))
    lose(X, hips, slice(30, 81))
    with caplog.at_level(logging.WARNING):
        (path,) = write_bvh(tmp_path, motion_of([X]))
    assert "the hips' place in 55 frames" in caplog.text
    place = places_of(path)["Hips"]
    np.testing.assert_allclose(place[10:14], 100 * truth[10:14], atol=5)
    np.testing.assert_allclose(place[30:81], 100 * np.repeat(truth[29:30], 51, axis=0), atol=1e-3)
    np.testing.assert_allclose(place[81:], 100 * truth[81:], atol=1e-3)


def test_a_file_goes_from_a_person_s_first_frame_to_the_last_and_says_so(tmp_path, caplog):
    here, late = person(seed=1)[0], person(seed=2)[0]
    lose(late, list(late), slice(0, 12))
    lose(late, list(late), slice(50, 60))
    with caplog.at_level(logging.WARNING):
        paths = write_bvh(tmp_path, motion_of([here, late]))
    assert [parsed(path).nframes for path in paths] == [60, 38]
    (line,) = caplog.messages
    assert line.startswith("person_6.bvh: frames 12 to 49 of 0 to 59;")
    np.testing.assert_allclose(places_of(paths[1])["Hips"], 100 * late["MidHip"][12:50], atol=1e-3)


@pytest.mark.parametrize("skeleton", [BODY_25B, COCO_18, COCO_17, MPII_15])
def test_joint_sets_without_a_middle_of_the_hips_have_one_in_the_file(tmp_path, skeleton):
    X, _ = person()
    (path,) = write_bvh(tmp_path, motion_of([X], skeleton))
    places = places_of(path)
    for bone, joint in PLACES.items():
        if bone in places:
            np.testing.assert_allclose(places[bone], 100 * X[joint], atol=1e-3, err_msg=bone)
    assert {"LeftHand", "RightFoot"} <= set(places)
    assert ("LeftToe" in places) == ("LBigToe" in skeleton.joints)


def test_joints_that_were_hardly_ever_found_are_no_bones(tmp_path):
    X, _ = person()
    lose(X, ["LBigToe", "REar", "LEar"], slice(1, 60))
    (path,) = write_bvh(tmp_path, motion_of([X]))
    names = parsed(path).get_joints_names()
    assert "LeftToe" not in names
    assert "RightToe" in names
    np.testing.assert_allclose(places_of(path)["Head"], 100 * X["Nose"], atol=5)


def test_people_without_hips_and_shoulders_have_no_file(tmp_path, caplog):
    whole, half = person(seed=1)[0], person(seed=2)[0]
    lose(half, ["LHip"], slice(None))
    with caplog.at_level(logging.WARNING):
        assert [path.name for path in write_bvh(tmp_path, motion_of([half, whole]))] == ["person_6.bvh"]
    assert "person 5 has no BVH" in caplog.text
    with pytest.raises(InputError, match="of nobody hips and shoulders were found in body_25"):
        write_bvh(tmp_path / "none", motion_of([half]))
    with pytest.raises(InputError, match="hand_21"):
        write_bvh(tmp_path / "none", motion_of([{**whole, "Wrist": whole["LWrist"]}], HAND_21))
    assert not (tmp_path / "none").exists()


def test_the_body_cannot_be_left_out(tmp_path, nobody):
    with pytest.raises(InputError, match="the body has to be among the parts"):
        write_bvh(tmp_path, motion_of([person()[0]]), options=ExportOptions(parts=("left_hand",)))
    with pytest.raises(InputError, match="bvh export: nobody"):
        export(nobody, None, format="bvh", out=tmp_path / "b")


def test_one_frame_is_a_file(tmp_path):
    X, _ = person(1)
    (path,) = write_bvh(tmp_path, motion_of([X]))
    np.testing.assert_allclose(places_of(path)["LeftHand"], 100 * X["LWrist"], atol=1e-3)


def test_euler_angles_are_those_of_the_rotations_also_where_x_is_a_right_angle():
    rng = np.random.default_rng(3)
    turns = Rotation.random(200, random_state=4).as_matrix().reshape(50, 4, 3, 3)
    for f in range(0, 50, 5):
        locked = [[z, sign * 90, y] for z, y, sign in zip(*rng.uniform(-170, 170, (2, 4)), [1, -1, 1, -1], strict=True)]
        turns[f] = Rotation.from_euler("ZXY", locked, degrees=True).as_matrix()
    angles = euler_zxy(turns)
    back = Rotation.from_euler("ZXY", angles.reshape(-1, 3)).as_matrix().reshape(turns.shape)
    np.testing.assert_allclose(back, turns, atol=1e-7)
    assert (np.abs(np.diff(angles, axis=0)).sum(axis=-1) <= 3 * np.pi / 2 + np.pi).all()
