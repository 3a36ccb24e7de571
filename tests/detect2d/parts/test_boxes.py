import numpy as np
import pytest

from triskel.detect2d.parts import face_angle, face_boxes, forearm_angle, hand_boxes
from triskel.skeleton import BODY_25, COCO_18, MPII_15


def body(skeleton, *, score=0.9, **joints):
    points = np.full((1, len(skeleton), 3), (np.nan, np.nan, 0.0))
    for name, xy in joints.items():
        points[0, skeleton.index(name)] = *xy, score
    return points


ARM = {"RShoulder": (100, 100), "RElbow": (100, 200), "RWrist": (160, 280)}  # 100 px, 100 px


@pytest.mark.parametrize("skeleton", [BODY_25, COCO_18, MPII_15])
def test_a_hand_lies_a_third_of_the_forearm_beyond_the_wrist(skeleton):
    boxes = hand_boxes(body(skeleton, **ARM), skeleton)
    assert np.allclose(boxes["right_hand"].centre, [[160 + 0.33 * 60, 280 + 0.33 * 80]])
    assert np.allclose(boxes["right_hand"].side, 150)
    assert np.isnan(boxes["left_hand"].side).all()
    assert np.isnan(boxes["left_hand"].centre).all()


def test_a_foreshortened_forearm_gets_its_size_from_the_upper_arm():
    boxes = hand_boxes(body(BODY_25, LShoulder=(0, 0), LElbow=(0, 200), LWrist=(10, 200)), BODY_25)
    assert np.allclose(boxes["left_hand"].side, 1.5 * 0.9 * 200)


@pytest.mark.parametrize("missing", ARM)
def test_without_wrist_elbow_or_shoulder_there_is_no_hand(missing):
    points = body(BODY_25, **ARM)
    points[0, BODY_25.index(missing), 2] = 0.03
    assert np.isnan(hand_boxes(points, BODY_25)["right_hand"].side).all()


def test_a_hand_of_three_pixels_has_no_box():
    tiny = {name: np.array(xy) * 0.02 for name, xy in ARM.items()}  # side 3: more than 1 px, area 9
    assert np.isnan(hand_boxes(body(BODY_25, **tiny), BODY_25)["right_hand"].side).all()


def test_an_arm_that_hangs_turns_its_hand_upside_down():
    down = body(BODY_25, RShoulder=(0, 0), RElbow=(0, 100), RWrist=(0, 200))
    assert np.allclose(np.abs(forearm_angle(down, BODY_25)["right_hand"]), np.pi)
    right = body(BODY_25, RElbow=(0, 100), RWrist=(50, 100))
    assert np.allclose(forearm_angle(right, BODY_25)["right_hand"], np.pi / 2)


def test_a_face_is_the_mean_of_what_neck_and_nose_eyes_and_ears_say():
    points = body(
        BODY_25, Neck=(100, 200), Nose=(100, 100), LEye=(120, 80), REye=(80, 80), LEar=(150, 90), REar=(50, 90)
    )
    boxes = face_boxes(points, BODY_25)
    assert np.allclose(boxes.centre, [[100, (150 + 80 + 90) / 3]])
    assert np.allclose(boxes.side, (200 + 120 + 200) / 3)
    assert np.allclose(boxes.angle_rad, 0)


@pytest.mark.parametrize("side", "LR")
def test_a_face_in_profile_lies_between_eye_ear_and_nose(side):
    joints = {"Neck": (100, 200), "Nose": (100, 100), f"{side}Eye": (130, 60), f"{side}Ear": (180, 100)}
    boxes = face_boxes(body(COCO_18, **joints), COCO_18)
    assert np.allclose(boxes.centre, [[410 / 3, 260 / 3]])
    assert np.allclose(boxes.side, 0.85 * (50 + 80 + 100))


def test_the_head_of_mpii_is_the_centre_of_its_face():
    boxes = face_boxes(body(MPII_15, Head=(50, 20), Neck=(50, 120)), MPII_15)
    assert np.allclose(boxes.centre, [[50, 20]])
    assert np.allclose(boxes.side, 133)


def test_uncertain_joints_and_small_faces_have_no_box_unless_wanted():
    joints = {"Neck": (0, 0), "Nose": (0, -15)}
    assert np.isnan(face_boxes(body(BODY_25, **joints), BODY_25).side).all()
    assert np.allclose(face_boxes(body(BODY_25, **joints), BODY_25, least_side_px=20).side, 30)
    assert np.isnan(face_boxes(body(BODY_25, score=0.25, **joints), BODY_25, least_side_px=0).side).all()


def test_the_face_is_turned_by_its_eyes_else_its_ears_else_its_neck():
    assert np.allclose(face_angle(body(BODY_25, LEye=(10, 30), REye=(10, 10)), BODY_25), np.pi / 2)
    assert np.allclose(face_angle(body(BODY_25, LEar=(10, 10), REar=(30, 10)), BODY_25), np.pi)
    assert np.allclose(face_angle(body(BODY_25, Neck=(0, 0), Nose=(-20, 0)), BODY_25), -np.pi / 2)
    assert face_angle(body(BODY_25), BODY_25) == 0


def test_people_are_independent_and_none_have_none():
    people = np.concatenate([body(BODY_25, **ARM), body(BODY_25), body(BODY_25, **ARM)])
    boxes = hand_boxes(people, BODY_25)["right_hand"]
    crops, whose = boxes.crops(np.array([4, 5, 6]))
    assert whose.tolist() == [0, 2]
    assert crops.image.tolist() == [4, 6]
    assert not crops.mirrored.any()
    none = np.zeros((0, 25, 3))
    assert hand_boxes(none, BODY_25)["left_hand"].side.shape == face_boxes(none, BODY_25).side.shape == (0,)
