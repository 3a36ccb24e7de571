"""What is drawn into pictures: parts in their own strokes, thickness by the person's size."""

import numpy as np
import pytest

from triskel.skeleton import BODY_25, FACE_70, HAND_21, WHOLE_BODY_135
from triskel.viewer.overlay import draw_detections, draw_people, strokes_of
from triskel.whole_body import WRISTS, parts_of

PARTS = parts_of(WHOLE_BODY_135)
GREY = 90


def figure(height_px, *, x=0.0, y=0.0, hand=0.1, face=0.12):
    """A person (135, 3): body on a column, hands and face on squares of that share of the height."""
    rng = np.random.default_rng(3)
    xy = np.zeros((135, 2))
    xy[:25] = np.c_[0.3 * rng.uniform(0, 1, 25), np.linspace(0, 1, 25)]
    for part, side, corner in (
        ("left_hand", hand, (0.5, 0.5)),
        ("right_hand", hand, (-0.3, 0.5)),
        ("face", face, (0, 0)),
    ):
        grid = rng.uniform(0, 1, (len(PARTS[part]), 2))
        grid[:2] = (0, 0), (1, 1)
        xy[PARTS[part]] = grid * side + corner
    return np.c_[xy * height_px + (x, y), np.full(135, 0.9)]


def only(person, part):
    """The same person with nothing but one part."""
    out = np.full_like(person, np.nan)
    out[:, 2] = 0
    out[PARTS[part]] = person[PARTS[part]]
    return out


def changed(person, size_wh, **options):
    image = np.full((size_wh[1], size_wh[0], 3), GREY, np.uint8)
    draw_people(image, person[None], WHOLE_BODY_135, **options)
    # Anti-aliasing spreads a trace of colour over two pixels more, which nobody sees.
    return (np.abs(image.astype(int) - GREY) > 40).any(axis=-1)


def test_limbs_are_as_thick_as_the_person_is_large_not_the_picture():
    lines = [strokes_of(figure(height), WHOLE_BODY_135, (4000, 4000))["body"].line for height in (20, 60, 300, 1000)]
    assert lines == [1, 1, 3, 10]
    in_small = strokes_of(figure(1000), WHOLE_BODY_135, (640, 480))["body"].line
    assert in_small == 4  # somebody larger than the picture


def test_hands_are_drawn_in_at_most_half_and_faces_in_a_third_of_the_body_s_thickness():
    for height in (200, 500, 1500):
        strokes = strokes_of(figure(height, hand=0.5, face=0.5), WHOLE_BODY_135, (3000, 3000))
        body = strokes["body"].line
        assert strokes["left_hand"].line <= max(1, round(body / 2))
        assert strokes["face"].line <= max(1, round(body / 3))


@pytest.mark.parametrize("part", ["left_hand", "right_hand"])
def test_fingers_of_a_small_hand_stay_apart(part):
    """A hand 40 px long on a large person: five fingers of 1 to 2 px."""
    strokes = strokes_of(figure(1000, hand=0.04), WHOLE_BODY_135, (2000, 2000))
    assert strokes[part].line == 2
    assert strokes["body"].line == 10


def test_a_person_of_60_px_is_no_blob_and_one_of_1000_px_no_hairline():
    def cover(height):
        person = figure(height, x=0.5 * height, y=0.2 * height)
        return changed(only(person, "body"), (2 * height, 2 * height)).sum() / height**2

    assert cover(60) < 4 * cover(1000)  # 1 px is the least that a line can be
    assert cover(1000) == pytest.approx(cover(400), rel=0.25)


def test_small_faces_are_dots_without_lines():
    large = strokes_of(figure(1000), WHOLE_BODY_135, (2000, 2000))["face"]
    small = strokes_of(figure(200), WHOLE_BODY_135, (2000, 2000))["face"]
    assert (large.line, small.line) == (1, 0)
    person = only(figure(200, x=100, y=20), "face")
    drawn = np.argwhere(changed(person, (400, 400)))[:, ::-1]
    nearest = np.linalg.norm(drawn[:, None] - person[None, PARTS["face"], :2], axis=-1).min(axis=1)
    assert nearest.max() < 2


def test_fingers_have_five_hues_and_hang_on_the_wrist():
    person = only(figure(600, x=200, y=50, hand=0.3), "left_hand")
    person[WRISTS["left_hand"]] = person[PARTS["left_hand"][0]] + (40, 30, 0)
    image = np.full((900, 900, 3), GREY, np.uint8)
    draw_people(image, person[None], WHOLE_BODY_135)
    tips = person[PARTS["left_hand"][3::4], :2].round().astype(int)
    colours = {tuple(image[y, x].tolist()) for x, y in tips}
    assert len(colours) == 5
    x, y = ((person[WRISTS["left_hand"], :2] + person[PARTS["left_hand"][0], :2]) / 2).round().astype(int)
    np.testing.assert_allclose(image[y, x], WHOLE_BODY_135.colours[PARTS["left_hand"][0]], atol=8)


def test_hands_and_faces_alone_are_drawn_like_a_body_of_their_size():
    for skeleton in (HAND_21, FACE_70):
        rng = np.random.default_rng(1)
        points = rng.uniform(0, 300, (len(skeleton), 2))
        strokes = strokes_of(points, skeleton, (800, 800))
        assert list(strokes) == ["body"]
        assert strokes["body"].line == 3


def test_a_given_thickness_is_taken_for_the_body_of_everybody():
    for height in (60, 1000):
        assert strokes_of(figure(height), WHOLE_BODY_135, (2000, 2000), 6)["body"].line == 6
    assert strokes_of(figure(300)[:25], BODY_25, (2000, 2000), 6)["body"].line == 6


def test_nobody_and_nothing_found_draw_nothing():
    nothing = np.full((135, 3), np.nan)
    assert not changed(nothing, (50, 50)).any()
    far = figure(100)
    far[:, 0] += 1e9
    assert not changed(far, (50, 50)).any()
    image = np.full((20, 20, 3), GREY, np.uint8)
    draw_people(image, np.zeros((0, 135, 3)), WHOLE_BODY_135)
    assert (image == GREY).all()


def test_detections_are_crosses_on_the_body_and_dots_on_hands_and_face():
    person = figure(400, x=150, y=50)
    for part, reach in (("face", 1.6), ("left_hand", 1.6), ("body", 6.0)):
        image = np.zeros((600, 600, 3), np.uint8)
        draw_detections(image, only(person, part)[None], WHOLE_BODY_135, limbs=False)
        drawn = np.argwhere(image.max(axis=-1) > 100)[:, ::-1]
        distance = np.linalg.norm(drawn[:, None] - person[None, PARTS[part], :2], axis=-1).min(axis=1)
        assert len(drawn) > len(PARTS[part])
        assert distance.max() < reach
