import numpy as np
import pytest

from triskel.detect2d.parts import reject_implausible_hands, reject_overlapping_hands
from triskel.skeleton import BODY_25

BODY = np.full((1, 25, 3), (np.nan, np.nan, 0.0))
for _name, _xy in {"RShoulder": (100, 100), "RElbow": (100, 200), "RWrist": (160, 280)}.items():
    BODY[0, BODY_25.index(_name)] = *_xy, 0.9  # box 150 px


def hand(x, y, *, size=60.0, score=0.9):
    points = np.empty((1, 21, 3))
    points[0, :, 0] = x + size * np.linspace(0, 1, 21)
    points[0, :, 1] = y + size * np.linspace(0, 1, 21) ** 2
    points[..., 2] = score
    return points


@pytest.mark.parametrize(
    ("right", "kept"),
    [
        (hand(165, 285), True),
        (hand(160 + 61, 280), False),  # 0.4 of 150 px is 60
        (hand(160 + 59, 280), True),
        (hand(160, 280, size=17), False),  # 0.12 of 150 px is 18
        (hand(160, 280, size=151), False),
    ],
)
def test_a_hand_stays_where_wrist_and_size_fit_its_arm(right, kept):
    found = reject_implausible_hands({"right_hand": right}, BODY, BODY_25)["right_hand"]
    assert np.array_equal(found, right) if kept else (np.isnan(found[..., :2]).all() and not found[..., 2].any())


def test_a_hand_without_an_arm_is_not_judged():
    left = hand(900, 900)
    assert np.array_equal(reject_implausible_hands({"left_hand": left}, BODY, BODY_25)["left_hand"], left)


def test_of_two_hands_on_the_same_pixels_the_better_one_stays():
    left, right = hand(100, 100, score=0.8), hand(105, 102, score=0.9)
    found = reject_overlapping_hands({"left_hand": left, "right_hand": right})
    assert np.isnan(found["left_hand"][..., :2]).all()
    assert np.array_equal(found["right_hand"], right)


def test_hands_of_two_people_are_compared_and_neighbours_stay():
    left = np.concatenate([hand(100, 100, score=0.7), hand(300, 100)])
    right = np.concatenate([hand(130, 100), hand(302, 101, score=0.5)])
    found = reject_overlapping_hands({"left_hand": left, "right_hand": right})
    assert np.array_equal(found["left_hand"], left)
    assert np.array_equal(found["right_hand"][0], right[0])
    assert not found["right_hand"][1, :, 2].any()


def test_no_people_have_no_hands():
    none = {"left_hand": np.zeros((0, 21, 3)), "right_hand": np.zeros((0, 21, 3))}
    assert reject_overlapping_hands(none)["left_hand"].shape == (0, 21, 3)
    assert reject_implausible_hands(none, np.zeros((0, 25, 3)), BODY_25)["right_hand"].shape == (0, 21, 3)
