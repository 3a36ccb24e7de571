import json

import numpy as np
import pytest

from triskel import InputError
from triskel.detect2d.datasets import read_dataset
from triskel.detect2d.evaluation import read_ground_truth

from .labels import annotation

JOINTS = ("head_top", "neck", "left_shoulder", "right_shoulder", "left_hip", "right_hip")
PERSON = np.array([[50, 20, 2], [50, 50, 2], [60, 50, 2], [40, 50, 1], [58, 74, 2], [30, 90, 2]], float)


def test_heads_and_torsos_have_the_sizes_of_their_definitions(ground_truth):
    (image,) = ground_truth(JOINTS, [annotation(1, 1, PERSON)], images=1).images
    assert image.head_px.tolist() == [30.0]
    assert image.torso_px.tolist() == [50.0]  # left shoulder to right hip, longer than 30.0 the other way


def test_a_torso_is_told_by_either_diagonal(ground_truth):
    labels = PERSON.copy()
    labels[5] = 0
    (image,) = ground_truth(JOINTS, [annotation(1, 1, labels)], images=1).images
    np.testing.assert_allclose(image.torso_px, [30.0], rtol=0, atol=1e-9)


@pytest.mark.parametrize("key", ["head_bbox", "headbox"])
def test_a_head_box_counts_with_0_6_of_its_diagonal(key, ground_truth):
    (image,) = ground_truth(JOINTS, [annotation(1, 1, PERSON, **{key: [40, 10, 30, 40]})], images=1).images
    assert image.head_px.tolist() == [30.0]
    with pytest.raises(InputError, match=f"{key} of annotation 1 is x, y, width, height, got 7"):
        ground_truth(JOINTS, [annotation(1, 1, PERSON, **{key: 7})], images=1)


def test_crowds_and_people_without_labels_are_ignored_and_keep_their_boxes(ground_truth):
    nobody = annotation(2, 1, np.zeros((6, 3)), bbox=[5.0, 6.0, 7.0, 8.0])
    crowd = annotation(3, 1, PERSON, iscrowd=1)
    truth = ground_truth(JOINTS, [annotation(1, 1, PERSON), nobody, crowd], images=1)
    (image,) = truth.images
    assert truth.people == 1
    assert image.ignored.tolist() == [False, True, True]
    assert image.crowd.tolist() == [False, False, True]
    assert image.boxes[1].tolist() == [5, 6, 7, 8]
    assert np.isnan(image.keypoints[1, :, :2]).all()


def test_labels_outside_their_image_count_as_unlabelled_as_in_training(ground_truth):
    labels = PERSON.copy()
    labels[0, :2] = 50, -40
    labels[1, :2] = 319.9, 50  # rounding at the edge of 320 px
    (image,) = ground_truth(JOINTS, [annotation(1, 1, labels)], images=1).images
    assert image.labelled[0].tolist() == [False, True, True, True, True, True]


def test_the_people_are_those_that_training_reads(write_dataset):
    labels = PERSON.copy()
    labels[0, :2] = 50, -40
    nobody = annotation(2, 1, np.zeros((6, 3)), bbox=[5.0, 6.0, 7.0, 8.0])
    dataset = read_dataset(write_dataset(JOINTS, [annotation(1, 1, labels), nobody, annotation(3, 2, PERSON)]))
    truth = read_ground_truth(dataset)
    for ours, theirs in zip(truth.images, dataset.images, strict=True):
        np.testing.assert_array_equal(ours.keypoints[~ours.ignored], theirs.keypoints)
        np.testing.assert_array_equal(ours.areas[~ours.ignored], theirs.areas)
        np.testing.assert_array_equal(ours.boxes[~ours.ignored], theirs.boxes)


def test_annotations_of_other_things_are_left_out(write_dataset):
    folder = write_dataset(JOINTS, [annotation(1, 1, PERSON), annotation(2, 1, np.zeros((6, 3)), category_id=9)])
    data = json.loads((folder / "keypoints.json").read_text())
    data["categories"].append({"id": 9, "name": "ball"})
    (folder / "keypoints.json").write_text(json.dumps(data))
    truth = read_ground_truth(read_dataset(folder))
    assert [len(image.keypoints) for image in truth.images] == [1, 0]


def test_selecting_joints_keeps_sizes(ground_truth):
    truth = ground_truth(JOINTS, [annotation(1, 1, PERSON)], images=1).select([4, 1])
    assert truth.joints == ("left_hip", "neck")
    assert truth.images[0].keypoints[0, :, 0].tolist() == [58, 50]
    assert truth.images[0].head_px.tolist() == [30.0]
