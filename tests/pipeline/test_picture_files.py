"""What is written for a picture with whole bodies in it."""

import json

import numpy as np
import pytest

from triskel import InputError
from triskel.keypoints import People2D
from triskel.pipeline.picture_files import Found, PictureOutputs, draw_overlay, openpose_document, write_coco_json
from triskel.skeleton import COCO_17, WHOLE_BODY_135
from triskel.whole_body import parts_of

SIZE_WH, NET_WH = (201, 101), (402, 202)
PARTS = parts_of(WHOLE_BODY_135)


def found(score=0.9):
    rng = np.random.default_rng(6)
    keypoints = np.concatenate([rng.uniform(5, 95, (1, 135, 2)).round(2), np.full((1, 135, 1), score)], axis=-1)
    keypoints[0, 3] = np.nan, np.nan, 0
    people = People2D(WHOLE_BODY_135, keypoints, np.array([score]))
    return Found(np.zeros((SIZE_WH[1], SIZE_WH[0], 3), np.uint8), people, NET_WH)


@pytest.mark.parametrize(
    ("scale", "to_scale"),
    [
        ("source", lambda xy: xy),
        ("net", lambda xy: (xy + 0.5) * 2 - 0.5),
        ("unit", lambda xy: xy / (200, 100)),
        ("signed", lambda xy: 2 * xy / (200, 100) - 1),
    ],
)
def test_the_scale_of_keypoints_applies_to_body_hands_and_face(scale, to_scale):
    one = found()
    (person,) = openpose_document(one, scale)["people"]
    expected = one.people.keypoints[0].copy()
    expected[:, :2] = to_scale(expected[:, :2])
    parts = {"pose": np.arange(25), "face": PARTS["face"], "hand_left": np.r_[7, PARTS["left_hand"]],
             "hand_right": np.r_[4, PARTS["right_hand"]]}  # fmt: skip
    for name, joints in parts.items():
        got = np.reshape(person[f"{name}_keypoints_2d"], (-1, 3))
        np.testing.assert_allclose(
            got, np.nan_to_num(expected[joints]), rtol=0, atol=6e-4 if scale in ("source", "net") else 1e-6
        )
    assert person["pose_keypoints_2d"][9:12] == [0, 0, 0]


def drawn(picture):
    return np.argwhere(picture.any(axis=-1))[:, ::-1]


@pytest.mark.parametrize(("part", "least"), [("body", 0.1), ("left_hand", 0.2), ("right_hand", 0.2), ("face", 0.4)])
def test_each_part_has_its_own_threshold_of_drawing(part, least):
    outputs = PictureOutputs()
    for score, seen in ((least - 0.01, False), (least + 0.01, True)):
        one = found()
        keypoints = np.full((1, 135, 3), np.nan)
        keypoints[..., 2] = 0
        keypoints[:, PARTS[part]] = one.people.keypoints[:, PARTS[part]]
        keypoints[..., 2][keypoints[..., 2] > 0] = score
        one = one._replace(people=People2D(WHOLE_BODY_135, keypoints, np.array([score])))
        assert bool(len(drawn(draw_overlay(one, outputs)))) == seen


def test_thresholds_of_drawing_can_be_chosen():
    one = found(0.5)
    everything = len(drawn(draw_overlay(one, PictureOutputs())))
    without_hands = len(drawn(draw_overlay(one, PictureOutputs(hand_render_threshold=0.6))))
    without_face = len(drawn(draw_overlay(one, PictureOutputs(hand_render_threshold=0.6, face_render_threshold=0.6))))
    assert everything > without_hands > without_face > 0
    assert not one.image_rgb.any()


@pytest.mark.parametrize("name", ["render_threshold", "hand_render_threshold", "face_render_threshold"])
def test_thresholds_are_shares(name):
    with pytest.raises(InputError, match=rf"^{name} is 0 to 1, got 1\.5"):
        PictureOutputs(**{name: 1.5})


@pytest.mark.parametrize(
    ("names", "ids"),
    [
        (["000000000139.jpg", "000000000285.jpg"], [139, 285]),
        (["12", "13"], [12, 13]),
        (["000000000139.jpg", "me.jpg"], [1, 2]),
        (["1.jpg", "01.png"], [1, 2]),
    ],
)
def test_pictures_have_the_numbers_of_their_names_or_count_from_1_with_their_names(tmp_path, names, ids):
    keypoints = np.full((1, 17, 3), 0.5)
    people = People2D(COCO_17, keypoints, np.array([0.5]))
    write_coco_json(tmp_path / "r.json", names, [people, people])
    entries = json.loads((tmp_path / "r.json").read_text())
    assert [entry["image_id"] for entry in entries] == ids
    assert [entry.get("file_name") for entry in entries] == (names if ids == [1, 2] else [None, None])
