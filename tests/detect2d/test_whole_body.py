"""Body, hands and face put together: order, switches, thresholds, streams; the real networks on photographs."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from triskel import InputError
from triskel.detect2d import (
    PAF_ALONE,
    DetectOptions,
    Detector,
    WholeBodyDetector,
    WholeBodyOptions,
    load_whole_body,
    weights_needed,
)
from triskel.detect2d.layout import layout_of
from triskel.detect2d.parts import PartBoxes, reject_implausible_faces
from triskel.detect2d.quality import QUALITIES, RECORDING, suited_quality, suited_whole_body
from triskel.detect2d.whole_body import _boxes_of_heads
from triskel.keypoints import People2D
from triskel.skeleton import BODY_25, COCO_18, FACE_70, HAND_21, MPII_15, WHOLE_BODY_135
from triskel.whole_body import hand_with_wrist, parts_of

SIZE_WH = (496, 368)
PLACES = parts_of(WHOLE_BODY_135)
HANDS_AND_FACE = WholeBodyOptions(refine=False)


class Drawn(torch.nn.Module):
    """Sees the same people in every image: their maps are drawn beforehand."""

    def __init__(self, confidence, affinity):
        super().__init__()
        background = np.clip(1 - confidence.max(axis=0, keepdims=True), 0, None)
        self.confidence = torch.from_numpy(np.concatenate([confidence, background]).astype(np.float32))
        self.affinity = torch.from_numpy(affinity)

    def forward(self, image):
        n = len(image)
        return self.confidence.repeat(n, 1, 1, 1), self.affinity.repeat(n, 1, 1, 1)


class Marks:
    """Puts its points at known places in each square, and remembers the squares."""

    def __init__(self, skeleton, score=0.9):
        self.skeleton, self.score, self.calls = skeleton, score, []

    def __call__(self, images_rgb, crops):
        self.calls.append(crops)
        spread = np.linspace(-0.2, 0.2, len(self.skeleton))
        xy = crops.centre[:, None] + crops.side[:, None, None] * np.stack([spread, 0.5 * spread], axis=-1)
        return np.concatenate([xy, np.full((*xy.shape[:2], 1), self.score)], axis=-1)


@pytest.fixture
def drawn_detector(render_maps, standing_person):
    """Return the function that makes a body detector which sees people standing at given x."""

    def build(*places, least_joint_score=0.0):
        people = np.stack([standing_person(x, 200) for x in places]) if places else np.zeros((0, 18, 2))
        options = DetectOptions(
            precision="float32", device="cpu", net_size=SIZE_WH, mirror=False, least_joint_score=least_joint_score
        )
        return Detector(Drawn(*render_maps(people)), layout_of(COCO_18), options, name="drawn")

    return build


def images(count=1):
    return [np.zeros((SIZE_WH[1], SIZE_WH[0], 3), np.uint8) for _ in range(count)]


def test_the_network_alone_gives_what_the_detector_gives(drawn_detector):
    detector = drawn_detector(150, 350)
    alone, whole = detector(images()), WholeBodyDetector(detector, PAF_ALONE)(images())
    assert whole[0].skeleton is COCO_18
    np.testing.assert_array_equal(alone[0].keypoints, whole[0].keypoints)


def test_hands_and_face_take_their_places_after_the_body(drawn_detector):
    hands, face = Marks(HAND_21), Marks(FACE_70)
    detector = WholeBodyDetector(drawn_detector(150, 350), HANDS_AND_FACE, hands=hands, face=face)
    people = detector(images())[0]
    assert (detector.skeleton, people.skeleton, len(people)) == (WHOLE_BODY_135, WHOLE_BODY_135, 2)
    (hand_crops,), (face_crops,) = hands.calls, face.calls
    assert hand_crops.mirrored.tolist() == [True, True, False, False]  # left hands first, mirrored into right ones
    assert not face_crops.mirrored.any()
    for one in people.keypoints:
        for part, name in (("left_hand", "LWrist"), ("right_hand", "RWrist")):
            points = one[PLACES[part]]
            assert points.shape == (20, 3)
            np.testing.assert_allclose(points[:, 2], 0.9)
            wrist = one[WHOLE_BODY_135.index(name), :2]
            side = 1.5 * np.hypot(40 - 38, 12 + 20)
            assert np.linalg.norm(points[:, :2] - wrist, axis=1).max() < side
            np.testing.assert_array_equal(hand_with_wrist(one, part)[0], one[WHOLE_BODY_135.index(name)])
        assert (one[PLACES["face"], 2] == 0.9).all()
        ankle = one[WHOLE_BODY_135.index("LAnkle"), 2]
        assert ankle > 0
        assert np.isnan(one[BODY_25.index("LHeel"), 0])  # the body network has no feet, and nobody looked again


@pytest.mark.parametrize(
    ("parts", "gone"),
    [
        (WholeBodyOptions(refine=False, face=False), ["face"]),
        (WholeBodyOptions(refine=False, hands=False), ["left_hand", "right_hand"]),
        (WholeBodyOptions(refine=False, body=False), ["body"]),
    ],
    ids=["no face", "no hands", "no body"],
)
def test_a_part_that_is_off_is_missing_and_the_rest_is_there(drawn_detector, parts, gone):
    detector = WholeBodyDetector(
        drawn_detector(250),
        parts,
        hands=Marks(HAND_21) if parts.hands else None,
        face=Marks(FACE_70) if parts.face else None,
    )
    (people,) = detector(images())
    there = {part: bool((people.keypoints[:, joints, 2] > 0).any()) for part, joints in PLACES.items()}
    assert there == {part: part not in gone for part in PLACES}


def test_each_part_has_its_own_threshold(drawn_detector):
    for name, part, score in (("least_hand_score", "left_hand", 0.5), ("least_face_score", "face", 0.5)):
        parts = replace(HANDS_AND_FACE, **{name: score + 0.01})
        detector = WholeBodyDetector(drawn_detector(250), parts, hands=Marks(HAND_21, 0.5), face=Marks(FACE_70, 0.5))
        keypoints = detector(images())[0].keypoints
        assert np.isnan(keypoints[:, PLACES[part], 0]).all()
        other = "face" if part == "left_hand" else "left_hand"
        assert (keypoints[:, PLACES[other], 2] > 0).all()
    body = drawn_detector(250, least_joint_score=0.99)
    detector = WholeBodyDetector(body, HANDS_AND_FACE, hands=Marks(HAND_21), face=Marks(FACE_70))
    assert len(detector(images())[0]) == 0  # without arms and head there is nowhere to look


def test_hands_of_a_video_are_followed_and_pictures_share_nothing(drawn_detector):
    hands = Marks(HAND_21)
    detector = WholeBodyDetector(drawn_detector(250), WholeBodyOptions(refine=False, face=False), hands=hands)
    detector(images(2), streams=["a", "a"])
    assert len(hands.calls) == 2  # one after the other
    first, second = hands.calls
    assert not np.allclose(first.side, second.side)  # the second square is the hand's own
    hands.calls.clear()
    detector(images(2), streams=["b", "c"])
    (both,) = hands.calls  # cameras are looked at together
    np.testing.assert_allclose(both.side[:2], first.side)
    hands.calls.clear()
    detector(images(2))
    assert len(hands.calls) == 1
    np.testing.assert_allclose(hands.calls[0].side[:2], first.side)


def test_a_camera_without_an_image_forgets_its_hands(drawn_detector):
    hands = Marks(HAND_21)
    detector = WholeBodyDetector(drawn_detector(250), WholeBodyOptions(refine=False, face=False), hands=hands)
    detector(images(2), streams=["a", "b"])
    detector(images(), streams=["b"])
    hands.calls.clear()
    detector(images(2), streams=["a", "b"])
    (both,) = hands.calls
    assert not np.allclose(both.side[:2], both.side[2:])  # of a fresh ones, of b the hand's own


def test_as_many_streams_as_images_are_needed(drawn_detector):
    detector = WholeBodyDetector(drawn_detector(250), PAF_ALONE)
    with pytest.raises(ValueError, match="there are 1 images but 2 streams"):
        detector(images(), streams=["a", "b"])


def test_boxes_from_outside_replace_those_of_the_body(drawn_detector):
    hands, face = Marks(HAND_21), Marks(FACE_70)
    detector = WholeBodyDetector(drawn_detector(150, 350), HANDS_AND_FACE, hands=hands, face=face)
    (people,) = detector(images())
    hands.calls.clear()
    nowhere = np.array([np.nan, np.nan])
    given = PartBoxes(
        np.array([people.keypoints[0, BODY_25.index("LWrist"), :2] + 3, nowhere]),
        np.array([50.0, np.nan]),
        np.array([0.5, np.nan]),
    )
    detector.add_hands_and_faces(images(), [people], boxes=[{"left_hand": given}])
    (crops,) = hands.calls
    np.testing.assert_allclose(crops.centre[0], given.centre[0])
    assert (crops.side[0], crops.angle_rad[0], bool(crops.mirrored[0])) == (50.0, 0.5, True)
    assert crops.side[1] != 50.0  # the other person's is the body's


def test_a_face_that_is_not_where_it_was_looked_for_is_none():
    boxes = PartBoxes(np.array([[100.0, 100.0]] * 3), np.full(3, 80.0), np.zeros(3))
    faces = np.full((3, 70, 3), 0.9)
    faces[..., :2] = np.random.default_rng(0).uniform(70, 130, (3, 70, 2))
    faces[1, :, 0] += 45
    faces[2, :, :2] = 100 + 0.1 * (faces[2, :, :2] - 100)
    kept = reject_implausible_faces(faces, boxes)
    assert (kept[..., 2] > 0).any(axis=1).tolist() == [True, False, False]


def test_a_head_without_a_nose_has_a_face():
    """MPII's bodies know the top of the head, which BODY_25 lacks: the box is made before it is lost."""
    keypoints = np.full((1, 15, 3), np.nan)
    keypoints[..., 2] = 0
    for name, xy in (("Head", (100, 40)), ("Neck", (100, 120))):
        keypoints[0, MPII_15.index(name)] = (*xy, 0.9)
    (box,) = [_boxes_of_heads(People2D(MPII_15, keypoints, np.ones(1)))["face"]]
    np.testing.assert_allclose((*box.centre[0], box.side[0]), (100, 40, 1.33 * 80))
    assert _boxes_of_heads(People2D.empty(BODY_25)) == {}


def test_nobody_in_the_image_is_nobody(drawn_detector):
    detector = WholeBodyDetector(drawn_detector(), HANDS_AND_FACE, hands=Marks(HAND_21), face=Marks(FACE_70))
    for people in (detector(images(2))[1], *detector([])):
        assert people.keypoints.shape == (0, 135, 3)


def test_hands_need_a_network_of_bodies():
    options = DetectOptions(precision="float32", device="cpu")
    blind = Detector(torch.nn.Identity(), layout_of(HAND_21), options, name="hand")
    with pytest.raises(InputError, match="hand finds hand_21, which has no shoulders, wrists and hips"):
        WholeBodyDetector(blind, HANDS_AND_FACE, hands=Marks(HAND_21), face=Marks(FACE_70))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"body": False, "feet": False, "hands": False, "face": False}, "nothing to look for"),
        ({"passes": 3}, "passes is 1 to 2"),
        ({"hand_scales": 99, "hand_model": "hand"}, "hand_scales is 1 to 20"),
        ({"hand_scales": 6}, "hand_scales are for heat-map networks of hands; mediapipe_hand takes 1, got 6"),
        ({"least_hand_score": -1}, "least_hand_score is 0 to 1"),
    ],
)
def test_options_that_make_no_sense_are_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        WholeBodyOptions(**wrong)


def test_presets_belong_to_the_network_they_were_measured_with():
    assert suited_quality("body") is QUALITIES["balanced"]
    assert suited_quality("mobilenet_thin", recording=True) is RECORDING
    assert suited_quality("runs/mine/best.safetensors") is None
    alone = suited_whole_body("body_25")
    assert (alone.refine, alone.hands, alone.face) == (False, False, False)


def test_the_weights_needed_are_those_that_are_loaded():
    parts = suited_whole_body("body", quality=QUALITIES["fast"])
    assert weights_needed("body", parts) == (
        "mobilenet_thin", "blazepose_full", "mediapipe_hand", "mediapipe_face", "mediapipe_iris",
    )  # fmt: skip
    assert weights_needed("mine.safetensors", PAF_ALONE) == ()


@pytest.fixture(scope="module")
def whole():
    """The real thing, as `triskel detect` loads it."""
    return load_whole_body("body")


def assert_nothing_is_invented(people, image):
    """Every point that is there lies in the image and has a score."""
    there = people.keypoints[..., 2] > 0
    xy = people.keypoints[there][:, :2]
    size = np.array([image.shape[1], image.shape[0]])
    # Joints of the body network may lie a cell outside; they are peaks of maps that cover whole cells.
    assert ((xy > -8) & (xy < size + 8)).all()
    assert np.isnan(people.keypoints[~there][:, :2]).all()
    fine = people.keypoints[:, 25:]
    xy = fine[fine[..., 2] > 0][:, :2]
    assert ((xy >= -0.5) & (xy <= size - 0.5)).all()


@pytest.mark.network
def test_a_photograph_gives_bodies_with_feet_hands_and_faces(whole, coco_image):
    (people,) = whole([coco_image])
    assert_nothing_is_invented(people, coco_image)
    found = {part: (people.keypoints[:, joints, 2] > 0).any(axis=1).sum() for part, joints in PLACES.items()}
    print(found)
    assert found["body"] >= 2
    assert found["left_hand"] + found["right_hand"] >= 1
    heels = people.keypoints[:, [BODY_25.index("LHeel"), BODY_25.index("RHeel")], 2] > 0
    assert heels.any()


@pytest.mark.network
def test_without_people_there_is_nobody(whole):
    rng = np.random.default_rng(0)
    flat = np.full((240, 320, 3), 127, np.uint8)
    noise = rng.integers(0, 255, (240, 320, 3), dtype=np.uint8)
    for people in whole([flat, noise]):
        assert len(people) == 0


@pytest.mark.network
@pytest.mark.parametrize("case", ["border", "upside down", "15 px", "twenty"])
def test_people_in_awkward_places_break_nothing(whole, coco_image, case):
    detector = whole
    image = coco_image
    if case == "border":
        image = np.ascontiguousarray(coco_image[:, : coco_image.shape[1] // 3])
    elif case == "upside down":
        image = np.ascontiguousarray(coco_image[::-1, ::-1])
    elif case == "15 px":
        small = cv2.resize(coco_image, None, fx=30 / coco_image.shape[0], fy=30 / coco_image.shape[0])
        image = np.full((480, 640, 3), 120, np.uint8)
        image[200 : 200 + small.shape[0], 300 : 300 + small.shape[1]] = small
    else:
        small = cv2.resize(coco_image, (256, 192))
        image = np.tile(small, (3, 4, 1))
    (people,) = detector([image])
    print(case, len(people))
    assert_nothing_is_invented(people, image)
    if case == "twenty":
        assert len(people) >= 12
    else:
        assert len(people) <= 3  # as many as the photograph has
    if case == "15 px":
        xy = people.keypoints[people.keypoints[..., 2] > 0][:, :2]
        low, high = np.array([300, 200]) - 8, np.array([300 + small.shape[1], 200 + small.shape[0]]) + 8
        assert ((xy > low) & (xy < high)).all()  # nothing where nobody is


@pytest.mark.network
def test_people_upside_down_are_found_whole_when_turns_are_searched(coco_image):
    options = replace(QUALITIES["fast"].detect_options(), rotations_deg=(0.0, 180.0))
    detector = load_whole_body("body", options=options)
    upright, turned = coco_image, np.ascontiguousarray(coco_image[::-1, ::-1])
    (a,), (b,) = detector([upright]), detector([turned])
    size = np.array([coco_image.shape[1], coco_image.shape[0]])
    back = size - 1 - b.keypoints[..., :2]
    best = max(
        float(np.mean(np.linalg.norm(a.keypoints[0, :25, :2] - other[:25], axis=-1) < 0.03 * size[1])) for other in back
    )
    assert best > 0.6  # of all 25 joints, small toes among them


@pytest.mark.network
def test_both_runtimes_find_the_same_people(coco_image):
    found = []
    for runtime in ("litert", "torch"):
        parts = replace(suited_whole_body("body", quality=QUALITIES["fast"]), runtime=runtime)
        options = replace(QUALITIES["fast"].detect_options(), device="cpu", precision="float32")
        (people,) = load_whole_body("body", options=options, parts=parts)([coco_image])
        found.append(people.keypoints)
    assert found[0].shape == found[1].shape
    apart = np.linalg.norm(found[0][..., :2] - found[1][..., :2], axis=-1)
    assert np.isnan(apart).mean() == np.isnan(found[0][..., 0]).mean()
    # A second look starts from the first one, which makes a difference of a thousandth of a pixel larger.
    assert np.nanpercentile(apart, 95) < 0.05
    assert np.nanmax(apart) < 0.5
