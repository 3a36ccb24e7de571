"""Results files as COCO's and COCO-WholeBody's evaluations read them."""

import contextlib
import io
import json

import numpy as np
import pytest

from triskel.exchange import write_coco_wholebody
from triskel.exchange.coco_wholebody import result_fields
from triskel.keypoints import People2D
from triskel.skeleton import BODY_25, COCO_17, COCO_18, HAND_21, MPII_15, WHOLE_BODY_135
from triskel.whole_body import WRISTS, hand_with_wrist, parts_of


def found(skeleton, N=2, seed=4):
    rng = np.random.default_rng(seed)
    keypoints = rng.uniform(5, 300, (N, len(skeleton), 3)).round(3)
    keypoints[..., 2] = rng.uniform(0.1, 1, keypoints.shape[:-1]).round(3)
    keypoints[0, 1] = np.nan, np.nan, 0
    return People2D(skeleton, keypoints, np.linspace(0.9, 0.4, N))


def entries(path, *results, **options):
    write_coco_wholebody(path / "r.json", results, **options)
    return json.loads((path / "r.json").read_text())


def test_a_whole_body_has_the_fields_and_the_orders_of_the_benchmark(tmp_path):
    people = found(WHOLE_BODY_135)
    first, second = entries(tmp_path, (139, people))
    fields = {"keypoints": 17, "foot_kpts": 6, "face_kpts": 68, "lefthand_kpts": 21, "righthand_kpts": 21}
    for entry in (first, second):
        assert {field: len(entry[field]) for field in fields} == {field: 3 * n for field, n in fields.items()}
        assert (entry["image_id"], entry["category_id"]) == (139, 1)
    points = people.keypoints[1]
    at = WHOLE_BODY_135.index
    names = {
        "keypoints": COCO_17.joints,
        "foot_kpts": ("LBigToe", "LSmallToe", "LHeel", "RBigToe", "RSmallToe", "RHeel"),
        "face_kpts": [f"Face{i}" for i in range(68)],
    }
    for field, joints in names.items():
        np.testing.assert_array_equal(np.reshape(second[field], (-1, 3)), points[[at(joint) for joint in joints]])
    for field, part in (("lefthand_kpts", "left_hand"), ("righthand_kpts", "right_hand")):
        np.testing.assert_array_equal(np.reshape(second[field], (21, 3)), hand_with_wrist(points, part))
        assert second[field][:3] == points[WRISTS[part]].tolist()
    assert [first["score"], second["score"]] == [0.9, 0.4]


def test_missing_points_are_zeros_and_the_box_goes_around_those_found(tmp_path):
    people = found(WHOLE_BODY_135)
    keypoints = people.keypoints.copy()
    keypoints[0, parts_of(WHOLE_BODY_135)["face"]] = np.nan, np.nan, 0
    entry = entries(tmp_path, (1, People2D(WHOLE_BODY_135, keypoints, people.scores)))[0]
    assert entry["face_kpts"] == [0] * 204
    xy = keypoints[0][keypoints[0, :, 2] > 0, :2]
    np.testing.assert_allclose(entry["bbox"], [*xy.min(0), *(xy.max(0) - xy.min(0))], atol=2e-3)


@pytest.mark.parametrize(
    ("skeleton", "fields"),
    [
        (COCO_17, {"keypoints"}), (COCO_18, {"keypoints"}), (MPII_15, {"keypoints"}),
        (BODY_25, {"keypoints", "foot_kpts"}),
    ],
)  # fmt: skip
def test_bodies_alone_are_coco_s_17_keypoints_with_zeros_for_joints_that_the_model_lacks(skeleton, fields, tmp_path):
    people = found(skeleton)
    entry = entries(tmp_path, (1, people))[1]
    assert set(entry) == fields | {"image_id", "category_id", "score", "bbox"}
    got = np.reshape(entry["keypoints"], (17, 3))
    for row, joint in zip(got, COCO_17.joints, strict=True):
        expected = people.keypoints[1, skeleton.index(joint)] if joint in skeleton.joints else np.zeros(3)
        np.testing.assert_array_equal(row, expected)


def test_joints_that_are_none_of_coco_s_stay_in_their_own_order():
    assert result_fields(HAND_21)["keypoints"].tolist() == list(range(21))


def test_pycocotools_finds_everybody_in_the_file(tmp_path):
    """The labels are what was found, so that AP is 1, also where a joint is missing."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    images = [(i, found(WHOLE_BODY_135, seed=i)) for i in (1, 2)]
    write_coco_wholebody(tmp_path / "r.json", images)
    annotations = []
    for image_id, people in images:
        for entry, keypoints in zip(people.keypoints, people.keypoints[:, :25], strict=True):
            at = [WHOLE_BODY_135.index(joint) for joint in COCO_17.joints]
            labels = np.nan_to_num(entry[at]) * (1, 1, 1)
            labels[:, 2] = 2 * (labels[:, 2] > 0)
            low, high = np.nanmin(keypoints[:, :2], axis=0), np.nanmax(keypoints[:, :2], axis=0)
            annotations.append({
                "id": len(annotations) + 1, "image_id": image_id, "category_id": 1, "iscrowd": 0,
                "keypoints": labels.ravel().tolist(), "num_keypoints": int((labels[:, 2] > 0).sum()),
                "bbox": [*low, *(high - low)], "area": float(np.prod(high - low)),
            })  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "info": {}, "images": [{"id": 1}, {"id": 2}], "annotations": annotations,
            "categories": [{"id": 1, "name": "person", "keypoints": list(COCO_17.joints)}],
        }  # fmt: skip
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(str(tmp_path / "r.json")), "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1)
    assert evaluation.stats[5] == pytest.approx(1)


def test_names_of_files_go_with_numbers_that_are_made_up(tmp_path):
    people = found(COCO_17, N=1)
    got = entries(
        tmp_path,
        (1, people),
        (2, People2D.empty(COCO_17)),
        (3, people),
        file_names={1: "a.jpg", 2: "b.jpg", 3: "c.jpg"},
    )
    assert [(entry["image_id"], entry["file_name"]) for entry in got] == [(1, "a.jpg"), (3, "c.jpg")]


def test_nobody_is_an_empty_list(tmp_path):
    assert entries(tmp_path, (1, People2D.empty(WHOLE_BODY_135))) == []
