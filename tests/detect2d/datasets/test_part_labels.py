"""COCO-WholeBody's fields beside the body's keypoints."""

import json

import cv2
import numpy as np
import pytest

from triskel import InputError
from triskel.detect2d.datasets import read_dataset
from triskel.detect2d.evaluation import read_ground_truth

FACE = [5.0, 6.0, 2.0] * 68
HAND = [7.0, 8.0, 1.0] * 21


def annotation(number, **changes):
    return {
        "id": number, "image_id": 1, "category_id": 1, "keypoints": [3, 4, 2, 0, 0, 0], "bbox": [1, 2, 10, 20],
        "area": 100.0, "iscrowd": 0,
    } | changes  # fmt: skip


@pytest.fixture
def write(tmp_path):
    """Return the function that writes a data set of one image and these annotations."""
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images/1.png"), np.zeros((24, 32, 3), np.uint8))

    def make(*annotations, joints=("nose", "left_eye")):
        path = tmp_path / "keypoints.json"
        image = {"id": 1, "file_name": "1.png", "width": 32, "height": 24}
        category = {"id": 1, "name": "person", "keypoints": list(joints)}
        path.write_text(json.dumps({"images": [image], "annotations": annotations, "categories": [category]}))
        return path

    return make


def test_parts_become_joints_after_those_of_the_category(write):
    data = read_dataset(write(annotation(1, face_kpts=FACE, lefthand_kpts=HAND), annotation(2)))
    assert data.joints[:3] == ("nose", "left_eye", "Face0")
    assert data.joints[69:72] == ("Face67", "LHandWrist", "LThumb1")
    assert len(data.joints) == 2 + 68 + 21
    first, second = data.images[0].keypoints
    assert (first[2:70] == (5, 6, 2)).all()
    assert (first[70:] == (7, 8, 1)).all()
    assert np.isnan(second[2:, :2]).all()


def test_plain_files_have_the_joints_of_their_category_alone(write):
    assert read_dataset(write(annotation(1))).joints == ("nose", "left_eye")


def test_parts_that_are_not_valid_and_points_outside_the_image_are_unlabelled(write, caplog):
    outside = [7.0, 8.0, 1.0] * 20 + [99.0, 8.0, 1.0]
    path = write(
        annotation(
            1, face_kpts=FACE, face_valid=False, righthand_kpts=outside, righthand_valid=True, foot_kpts=[0] * 18
        )
    )
    (person,) = read_dataset(path).images[0].keypoints
    assert (person[:, 2] > 0).tolist() == [True, False, *[False] * 6, *[False] * 68, *[True] * 20, False]
    assert "RLittle4 of annotation 1" in caplog.text


def test_people_whose_hands_alone_are_labelled_are_people_and_outlines(write):
    image = read_dataset(write(annotation(1), annotation(2, keypoints=[0] * 6, lefthand_kpts=HAND))).images[0]
    assert len(image.keypoints) == 2
    assert len(image.unlabelled) == 1


def test_scores_see_the_same_labels_as_training(write):
    path = write(annotation(1, face_kpts=FACE, lefthand_kpts=HAND, lefthand_box=[1.5, 2.5, 10.0, 12.25]), annotation(2))
    data = read_dataset(path)
    truth = read_ground_truth(data)
    assert truth.joints == data.joints
    np.testing.assert_array_equal(truth.images[0].keypoints, data.images[0].keypoints)
    np.testing.assert_array_equal(truth.images[0].hand_px, [[12.25, np.nan], [np.nan, np.nan]])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"face_kpts": FACE[:-3]}, "annotation 1 has 201 numbers for 68 points in 'face_kpts', not 204"),
        ({"face_kpts": "all"}, "annotation 1 has str numbers for 68 points in 'face_kpts'"),
        ({"lefthand_kpts": ["x"] * 63}, "lefthand_kpts of annotation 1 are not numbers"),
        ({"lefthand_kpts": ["1"] * 63}, "lefthand_kpts of annotation 1 are not numbers"),
        ({"lefthand_kpts": [float("nan")] * 63}, "lefthand_kpts of annotation 1 are not numbers"),
    ],
)
def test_broken_parts_are_named_in_one_line(write, changes, words):
    with pytest.raises(InputError, match=r"keypoints\.json: ") as error:
        read_dataset(write(annotation(1, **changes)))
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_the_box_of_a_hand_is_four_numbers(write):
    data = read_dataset(write(annotation(1, lefthand_kpts=HAND, lefthand_box=[1, 2])))
    with pytest.raises(InputError, match=r"lefthand_box of annotation 1 is x, y, width, height, got \[1, 2\]"):
        read_ground_truth(data)


def test_joints_labelled_in_two_places_are_refused(write):
    joints = ("nose", "left_big_toe")
    with pytest.raises(InputError, match="labels LBigToe twice, in 'keypoints' and in 'foot_kpts'"):
        read_dataset(write(annotation(1, foot_kpts=[0] * 18), joints=joints))
