"""Looking where somebody is expected: what passes for the one, and what is refused."""

import numpy as np
import pytest

from triskel import InputError
from triskel.detect2d.crops import Crops
from triskel.detect2d.expected import (
    EXPECTED_HAND,
    ExpectedFaces,
    ExpectedHands,
    ExpectedOptions,
    ExpectedPeople,
    find_expected_faces,
    find_expected_hands,
    find_expected_people,
)
from triskel.detect2d.parts import HandDetector, PartBoxes
from triskel.detect2d.single_person import SinglePoses
from triskel.skeleton import BODY_25, COCO_18

IMAGES = [np.zeros((480, 640, 3), np.uint8)] * 2
SIDE = 100.0


class Pose:
    """A network for one person that sees `people` (B, 25, 2) wherever it looks."""

    def __init__(self, people, *, presence=0.9, visibility=0.8):
        self.people, self.presence, self.visibility = people, presence, visibility

    def __call__(self, images_rgb, crops):
        visibility = np.broadcast_to(self.visibility, self.people.shape[:2])
        return SinglePoses(self.people, visibility, np.full(len(crops), self.presence), crops.side / 2.5, crops)


@pytest.fixture
def standing(standing_person):
    """Return BODY_25 joints (25, 2), px, of somebody standing at (x, 240); feet unknown."""

    def build(x):
        xy = np.full((25, 2), np.nan)
        here, there = BODY_25.shared(COCO_18)
        xy[here] = standing_person(x, 240)[there]
        xy[8] = xy[[9, 12]].mean(axis=0)
        return xy

    return build


def test_a_person_who_is_where_expected_is_found_as_seen_and_not_as_expected(standing):
    expected = np.stack([standing(200), standing(400)])
    seen = expected + np.array([3, -2])
    found = find_expected_people(Pose(seen), IMAGES, ExpectedPeople(np.array([0, 1]), expected))
    known = np.isfinite(seen[..., 0])
    np.testing.assert_array_equal(found[..., :2], seen)
    np.testing.assert_array_equal(found[..., 2], np.where(known, 0.4, 0))


@pytest.mark.parametrize(
    ("shift", "changes", "there"),
    [
        ((0, 0), {}, True),
        ((70, 0), {}, False),  # the neighbour
        ((0, 0), {"presence": 0.4}, False),
        ((0, 0), {"visibility": 0.04}, False),
    ],
)
def test_a_neighbour_or_nobody_is_not_taken_for_the_one(standing, shift, changes, there):
    expected = standing(300)[None]
    found = find_expected_people(Pose(expected + shift, **changes), IMAGES, ExpectedPeople(np.array([0]), expected))
    assert bool((found[..., 2] > 0).any()) is there
    assert np.isnan(found[found[..., 2] == 0]).any(axis=-1).all()


def test_joints_beyond_the_border_are_missing(standing):
    seen = standing(25)[None]
    found = find_expected_people(Pose(seen), IMAGES, ExpectedPeople(np.array([0]), seen))[0]
    outside = seen[0, :, 0] < -0.5
    assert outside.any()
    assert not found[outside, 2].any()
    assert (found[~outside & np.isfinite(seen[0, :, 0]), 2] > 0).all()


def test_of_somebody_unknown_nothing_is_looked_for():
    expected = ExpectedPeople(np.array([0]), np.full((1, 25, 2), np.nan))
    assert not find_expected_people(Pose(np.zeros((1, 25, 2))), IMAGES, expected)[..., 2].any()
    nobody = ExpectedPeople(np.zeros(0, np.intp), np.zeros((0, 25, 2)))
    assert find_expected_people(Pose(np.zeros((0, 25, 2))), IMAGES, nobody).shape == (0, 25, 3)


@pytest.mark.parametrize("wrong", [{"agreement": 0.0}, {"least_share": 1.2}, {"least_presence": -0.1}])
def test_options_that_make_no_sense_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        ExpectedOptions(**wrong)


class Marks:
    """Draws a part of `size` sides at `shift` sides from the middle of each square, and remembers the squares."""

    def __init__(self, points, size=0.35, shift=(0.0, 0.0)):
        self.points, self.size, self.shift = points, size, np.array(shift)

    def __call__(self, images_rgb, crops):
        self.crops: Crops = crops
        spread = np.linspace(-0.5, 0.5, self.points)[:, None] * np.ones(2) * self.size + self.shift
        xy = crops.centre[:, None] + crops.side[:, None, None] * spread
        return np.concatenate([xy, np.full((*xy.shape[:2], 1), 0.9)], axis=-1)


def boxes(n):
    return PartBoxes(np.tile([[300.0, 200.0]], (n, 1)), np.full(n, SIDE), np.zeros(n))


def expected_hands(n=2, wrist=(290.0, 190.0)):
    return ExpectedHands(np.arange(n) % 2, boxes(n), np.arange(n) % 2 == 0, np.tile([wrist], (n, 1)))


def test_left_hands_come_in_mirrored_squares_and_what_has_no_box_is_missing():
    hands, expected = Marks(21), expected_hands(3)
    expected.boxes.side[1] = np.nan
    found = find_expected_hands(hands, IMAGES, expected)
    assert hands.crops.mirrored.tolist() == [True, True]
    assert hands.crops.image.tolist() == [0, 0]
    assert (found[..., 2] > 0).all(axis=1).tolist() == [True, False, True]
    assert np.isnan(found[1, :, :2]).all()


@pytest.mark.parametrize(
    ("size", "wrist"), [(0.05, (300, 200)), (1.2, (300, 200)), (0.35, (300 - 18, 200 + 45)), (0.35, (400, 200))]
)
def test_hands_of_no_size_or_away_from_their_wrist_are_refused(size, wrist):
    assert not find_expected_hands(Marks(21, size), IMAGES, expected_hands(wrist=wrist))[..., 2].any()


def test_a_hand_whose_side_is_known_need_not_show_it(fixed_hand):
    # Probabilities of a hand and of its side that pictures on their own would not do with.
    sure, unsure = (fixed_hand(presence=0.3, handedness=side) for side in (0.9, 0.35))
    for network in (sure, unsure):
        expected = expected_hands(1, wrist=(300.0, 212.0))
        alone = HandDetector(network)(IMAGES, expected.boxes.crops(expected.image)[0])
        assert not alone[..., 2].any()
        assert (find_expected_hands(HandDetector(network), IMAGES, expected)[..., 2] > 0).all()
    opposite = fixed_hand(presence=0.9, handedness=EXPECTED_HAND.least_side - 0.1)
    assert not find_expected_hands(HandDetector(opposite), IMAGES, expected_hands(1))[..., 2].any()


@pytest.fixture
def fixed_hand():
    """Return the function that makes a network which sees an upright hand in the middle of every piece."""

    class Network:
        name, size, outputs = "fixed", 224, ()

        def __init__(self, **answers):
            self.answers = answers

        def __call__(self, pieces):
            rows = np.arange(21)
            points = np.stack([112 + 20 * ((rows - 1) // 4 - 2), 160 - 18 * ((rows - 1) % 4), 0 * rows], axis=-1)
            points[0] = 112, 200, 0
            answers = {"landmarks": points.reshape(1, -1), **self.answers}
            return {
                name: np.repeat(np.asarray(value, np.float32).reshape(1, -1), len(pieces), axis=0)
                for name, value in answers.items()
            }

    return Network


def test_a_face_that_is_not_in_its_box_is_refused():
    expected = ExpectedFaces(np.array([0, 1]), boxes(2))
    assert (find_expected_faces(Marks(70), IMAGES, expected)[..., 2] > 0).all()
    assert not find_expected_faces(Marks(70, shift=(0.6, 0)), IMAGES, expected)[..., 2].any()
    none = ExpectedFaces(np.zeros(0, np.intp), boxes(0))
    assert find_expected_faces(Marks(70), IMAGES, none).shape == (0, 70, 3)
