"""COCO-format files: what is read, and what each kind of broken file says in one line."""

import json
import logging

import cv2
import numpy as np
import pytest

from triskel import InputError
from triskel.detect2d.datasets import read_dataset, read_labelled_image

GONE = {"id": 1, "file_name": "gone.png", "width": 32, "height": 24}
CATEGORY = {"id": 1, "name": "person", "keypoints": ["nose", "left_eye"]}


def annotation(number, image=1, **changes):
    return {
        "id": number, "image_id": image, "category_id": 1, "keypoints": [3, 4, 2, 0, 0, 0], "bbox": [1, 2, 10, 20],
        "area": 100.0, "iscrowd": 0,
    } | changes  # fmt: skip


CROWD = annotation(5, iscrowd=1)


@pytest.fixture
def write(tmp_path):
    """Return the function that writes a data set of three images; keyword arguments replace parts of the file."""
    (tmp_path / "images").mkdir()
    for i in range(1, 4):
        cv2.imwrite(str(tmp_path / f"images/{i}.png"), np.zeros((24, 32, 3), np.uint8))

    def make(**changes):
        data = {
            "images": [{"id": i, "file_name": f"{i}.png", "width": 32, "height": 24} for i in (3, 1, 2)],
            "annotations": [annotation(10), annotation(11), annotation(12, image=3)],
            "categories": [CATEGORY],
        }
        path = tmp_path / "keypoints.json"
        path.write_text(json.dumps(data | changes))
        return path

    return make


def test_people_come_with_their_image_and_what_is_unlabelled_is_missing(write):
    data = read_dataset(write())
    assert data.joints == ("nose", "left_eye")
    assert [image.id for image in data.images] == [1, 2, 3]
    assert [len(image.keypoints) for image in data.images] == [2, 0, 1]
    np.testing.assert_array_equal(data.images[0].keypoints[0], [[3, 4, 2], [np.nan, np.nan, 0]])
    assert data.images[2].boxes.tolist() == [[1, 2, 10, 20]]
    assert data.images[2].areas.tolist() == [100]
    assert data.people == 3


def test_a_folder_stands_for_its_keypoints_json_and_images(write, tmp_path):
    write()
    assert read_dataset(tmp_path).people == 3


def test_the_first_images_with_people_are_taken_and_others_need_not_be_there(write, tmp_path):
    (tmp_path / "images/3.png").unlink()
    data = read_dataset(write(), first=1)
    assert [image.id for image in data.images] == [1]


def test_crowds_and_people_without_labels_are_outlines(write):
    polygon = [0, 0, 8, 0, 8, 8]
    data = read_dataset(
        write(
            annotations=[
                annotation(1),
                annotation(2, iscrowd=1),
                annotation(3, keypoints=[0] * 6, segmentation=[polygon]),
                {"id": 4, "image_id": 1, "bbox": [0, 0, 5, 5]},
            ]
        )
    )
    image = data.images[0]
    assert len(image.keypoints) == 1
    assert [len(outline) for outline in image.unlabelled] == [4, 3, 4]
    np.testing.assert_array_equal(image.unlabelled[0], [[1, 2], [11, 2], [11, 22], [1, 22]])
    np.testing.assert_array_equal(image.unlabelled[1], np.reshape(polygon, (3, 2)))


def test_a_crowd_of_a_bitmap_is_outlined_as_it_is(write):
    """COCO's crowds are run-length encoded, column by column; their box would hide labelled people beside them."""
    bitmap = np.zeros((24, 32), np.uint8)
    bitmap[4:10, 6:13] = 1
    runs = np.diff(np.flatnonzero(np.diff(np.r_[2, bitmap.T.ravel(), 2])))
    crowd = annotation(2, iscrowd=1, bbox=[0, 0, 32, 24], segmentation={"size": [24, 32], "counts": runs.tolist()})
    (outline,) = read_dataset(write(annotations=[annotation(1), crowd])).images[0].unlabelled
    assert (outline.min(axis=0).tolist(), outline.max(axis=0).tolist()) == ([6, 4], [12, 9])


def test_keypoints_outside_are_unlabelled_and_said_once(write, caplog):
    outside = [
        annotation(10),
        annotation(11, keypoints=[40, 4, 2, 3, 3, 2]),
        annotation(12, keypoints=[9, 9, 2, 5, -3, 1]),
    ]
    with caplog.at_level(logging.WARNING):
        data = read_dataset(write(annotations=outside))
    assert [record.getMessage() for record in caplog.records] == [
        f"{data.annotations}: 2 keypoints lie outside their image and count as unlabelled, "
        "first nose of annotation 11: [40.0, 4.0]"
    ]
    np.testing.assert_array_equal(data.images[0].keypoints[1], [[np.nan, np.nan, 0], [3, 3, 2]])
    np.testing.assert_array_equal(data.images[0].keypoints[2], [[9, 9, 2], [np.nan, np.nan, 0]])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"annotations": []}, "'annotations' is empty"),
        ({"images": []}, "'images' is empty"),
        ({"categories": [{"id": 1, "name": "person"}]}, "exactly one category lists its keypoints, here 0 do"),
        ({"categories": [CATEGORY, CATEGORY]}, "here 2 do"),
        ({"annotations": [annotation(5, keypoints=[1, 2, 2])]}, "annotation 5 has 3 numbers for 2 keypoints, not 6"),
        ({"annotations": [annotation(5, keypoints=[1, 2, 2, "a", 1, 1])]}, "annotation 5 are not numbers"),
        ({"annotations": [annotation(5, keypoints=[0] * 6)]}, "no person with a labelled joint in 3 images"),
        ({"annotations": [annotation(5, image=9)]}, "annotations of image 9, but no such image"),
        ({"annotations": [annotation(5, image="x")]}, "annotation 5 has no 'image_id' of type int, got 'x'"),
        ({"annotations": [annotation(5, bbox=[1, 2])]}, "bbox of annotation 5"),
        ({"annotations": [annotation(5, bbox=[1, 2, float("nan"), 3])]}, "bbox of annotation 5"),
        ({"annotations": [annotation(5, area="big")]}, "area of annotation 5 is a number of square px, got 'big'"),
        ({"annotations": [annotation(5, bbox=[1, 2, 3, 10**400])]}, "bbox of annotation 5"),
        ({"annotations": [annotation(5, bbox=[1, 2, 3, 1e300])]}, "bbox of annotation 5"),
        ({"annotations": [annotation(5, area=10**400)]}, "area of annotation 5"),
        ({"annotations": [annotation(4), annotation(5, keypoints=[0] * 6, area="x")]}, "area of annotation 5"),
        ({"annotations": [annotation(5, keypoints=[[1, 2, 2]] * 6)]}, "annotation 5 are not numbers"),
        ({"annotations": [annotation(5, keypoints=[10**400] * 6)]}, "annotation 5 are not numbers"),
        ({"annotations": [CROWD | {"segmentation": [[10**400] * 6]}]}, "segmentation of annotation 5 cannot be read"),
        ({"annotations": [1]}, "'annotations' is not a list of objects"),
        ({"annotations": [CROWD | {"segmentation": {"size": [24, 32], "counts": [1, 2]}}]}, "runs do not fill 32 x 24"),
        ({"annotations": [CROWD | {"segmentation": {"size": [9, 9], "counts": [81]}}]}, "a bitmap of 9 x 9 px in an"),
        ({"annotations": [CROWD | {"segmentation": [["a", "b"]]}]}, "segmentation of annotation 5 cannot be read"),
        ({"images": [{"id": 1, "file_name": "1.png", "width": "wide", "height": 3}]}, "image 1 has no 'width'"),
        ({"images": [GONE, GONE]}, "two images have the id 1"),
        ({"categories": [CATEGORY | {"keypoints": "nose"}]}, "exactly one category lists its keypoints, here 0 do"),
        ({"images": [GONE], "annotations": [annotation(5)]}, r"1 of 1 images are missing, first .*gone\.png"),
    ],
)  # fmt: skip
def test_a_broken_file_is_named_in_one_line(write, changes, words):
    path = write(**changes)
    with pytest.raises(InputError, match=words) as caught:
        read_dataset(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_outlines_that_enclose_nothing_give_way_to_the_box(write):
    (outline,) = (
        read_dataset(
            write(annotations=[annotation(1), annotation(2, keypoints=[0] * 6, segmentation=[[], [1, 2, 3, 4]])])
        )
        .images[0]
        .unlabelled
    )
    np.testing.assert_array_equal(outline, [[1, 2], [11, 2], [11, 22], [1, 22]])


def test_a_picture_that_was_cut_off_is_refused_and_not_read_half(write, tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (24, 32, 3)).astype(np.uint8)
    data = cv2.imencode(".jpg", noise)[1].tobytes()
    image = read_dataset(write()).images[0]
    image.path.write_bytes(data)
    assert read_labelled_image(image).shape == (24, 32, 3)
    image.path.write_bytes(data[: len(data) // 3])
    with pytest.raises(InputError, match=r"1\.png: cannot be read as an image; it is damaged, cut off"):
        read_labelled_image(image)


def test_what_is_no_json_or_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"a\.json: no such file"):
        read_dataset(tmp_path / "a.json")
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(InputError, match="no such folder of images"):
        read_dataset(tmp_path / "a.json")
    (tmp_path / "images").mkdir()
    for content, words in (
        (b"\xff\xfe", "cannot be read as JSON"),
        (b"{", "cannot be read as JSON"),
        (b"[]", "a list"),
    ):
        (tmp_path / "a.json").write_bytes(content)
        with pytest.raises(InputError, match=words):
            read_dataset(tmp_path / "a.json")
