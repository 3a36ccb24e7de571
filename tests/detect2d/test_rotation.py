import numpy as np
import pytest
import torch

from triskel.detect2d import DetectOptions, Detector, load_detector
from triskel.detect2d.layout import layout_of
from triskel.detect2d.rotation import GREY, merge_turns, turn_back, turn_image, turned_from_image
from triskel.keypoints import People2D
from triskel.skeleton import COCO_18

ANGLES = [0, 30, 45, 90, 135, 180, 211, 270, 315]


def people_at(xy, score=0.8):
    """Return people with joints at xy (N, 18, 2); NaN = missing."""
    xy = np.asarray(xy, float)
    keypoints = np.concatenate([xy, np.where(np.isfinite(xy[..., :1]), score, 0.0)], axis=-1)
    return People2D(COCO_18, keypoints, np.full(len(xy), float(score)))


@pytest.mark.parametrize("angle_deg", ANGLES)
def test_a_point_in_the_turned_picture_comes_back_to_where_it_was(angle_deg):
    size_wh = (63, 48)
    spot = np.array([41, 13])
    image = np.zeros((48, 63, 3), np.uint8)
    image[spot[1] - 1 : spot[1] + 2, spot[0] - 1 : spot[0] + 2] = 255
    turned = turn_image(image, angle_deg)
    A, turned_wh = turned_from_image(size_wh, angle_deg)
    assert turned.shape == (turned_wh[1], turned_wh[0], 3)
    bright = np.argwhere(turned[..., 0] > 200)[:, ::-1]
    np.testing.assert_allclose(bright.mean(axis=0), A[:, :2] @ spot + A[:, 2], rtol=0, atol=0.5)
    xy = np.random.default_rng(0).uniform(0, 48, (2, 18, 2))
    back = turn_back(people_at(xy @ A[:, :2].T + A[:, 2]), size_wh, angle_deg)
    np.testing.assert_allclose(back.keypoints[..., :2], xy, rtol=0, atol=1e-9)


@pytest.mark.parametrize("angle_deg", ANGLES)
def test_no_corner_is_cut_off(angle_deg):
    A, turned_wh = turned_from_image((63, 48), angle_deg)
    corners = np.array([[-0.5, -0.5], [62.5, -0.5], [-0.5, 47.5], [62.5, 47.5]]) @ A[:, :2].T + A[:, 2]
    assert corners.min() >= -0.5 - 1e-6
    assert (corners <= np.array(turned_wh) - 0.5 + 1e-6).all()


def test_quarter_turns_are_clockwise_and_change_no_pixel():
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    turned = turn_image(image, 90)
    assert (turned[0, -1] == image[0, 0]).all()  # upper left to upper right
    np.testing.assert_array_equal(turn_image(turned, 270), image)
    np.testing.assert_array_equal(turn_image(turn_image(image, 180), -180), image)


def test_corners_of_a_turned_picture_are_grey():
    turned = turn_image(np.zeros((40, 60, 3), np.uint8), 45)
    assert (turned[0, 0] == GREY).all()
    assert (turned[turned.shape[0] // 2, turned.shape[1] // 2] == 0).all()


def test_of_one_person_at_two_turns_the_more_confident_pose_is_kept(standing_person):
    xy = standing_person(200, 200)
    weak, strong = people_at([xy + 2], 0.5), people_at([xy], 0.7)
    for order in ([weak, strong], [strong, weak]):
        merged = merge_turns(order)
        assert len(merged) == 1
        np.testing.assert_array_equal(merged.keypoints, strong.keypoints)


def test_a_whole_body_wins_over_a_few_surer_joints(standing_person):
    xy = standing_person(200, 200)
    few = xy.copy()
    few[4:] = np.nan
    merged = merge_turns([people_at([few], 0.9), people_at([xy], 0.6)])
    np.testing.assert_array_equal(merged.keypoints, people_at([xy], 0.6).keypoints)


def test_feet_taken_for_hands_are_still_one_person(standing_person):
    xy = standing_person(200, 200)
    wrong = xy[np.roll(np.arange(18), 5)]
    assert len(merge_turns([people_at([wrong], 0.4), people_at([xy], 0.7)])) == 1


def test_people_side_by_side_are_all_kept_from_whichever_turn(standing_person):
    a, b, c = (standing_person(x, 200) for x in (100, 190, 300))
    merged = merge_turns([people_at([a, b], 0.7), people_at([b + 1], 0.5), people_at([c], 0.6)])
    assert sorted(merged.keypoints[:, 1, 0]) == pytest.approx([100, 190, 300])


def test_people_of_one_turn_are_never_merged(standing_person):
    xy = standing_person(200, 200)
    assert len(merge_turns([people_at([xy, xy + 1]), People2D.empty(COCO_18)])) == 2
    assert len(merge_turns([People2D.empty(COCO_18)] * 3)) == 0


class Upright(torch.nn.Module):
    """Sees somebody wherever a red spot stands straight above a green one; blind to it the other way round."""

    def forward(self, image):
        colours = torch.nn.functional.avg_pool2d(image, 8).flip(1) / 255
        spots = 1.5 * (colours - colours.mean(dim=1, keepdim=True)).clamp(min=0)  # grey is no spot
        B, _, H, W = spots.shape
        confidence, affinity = torch.zeros(B, 19, H, W), torch.zeros(B, 38, H, W)
        confidence[:, :3] = spots
        affinity[:, 2 * 14 + 1] = -1  # up to the nose
        affinity[:, 2 * 6 + 1] = 1  # down to the right shoulder
        return confidence, affinity


def spots(size_wh, xy):
    x, y = np.meshgrid(np.arange(size_wh[0]), np.arange(size_wh[1]))
    image = [230 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 16.0**2)) for cx, cy in xy]
    return np.stack(image, axis=-1).round().astype(np.uint8)


@pytest.mark.parametrize(
    ("angle_deg", "scales"),
    [(0, (1.0,)), (90, (1.0,)), (180, (0.7, 1.0)), (270, (1.0,)), (45, (1.0,)), (45, (0.7, 1.0))],
)
def test_the_search_finds_somebody_upside_down_where_they_are(angle_deg, scales):
    size_wh = (400, 368)
    upright = np.array([[200.0, 110.0], [200.0, 180.0], [200.0, 250.0]])  # nose, neck, shoulder
    A, turned_wh = turned_from_image(size_wh, -angle_deg)
    xy = upright @ A[:, :2].T + A[:, 2]
    image = spots(turned_wh, xy)

    def find(rotations):
        options = DetectOptions(precision="float32", device="cpu", rotations_deg=rotations, scales=scales, mirror=False)
        (people,) = Detector(Upright(), layout_of(COCO_18), options)([image])
        return people.keypoints[:, :3]

    found = find((0.0, 45.0, 90.0, 135.0, 180.0, 225.0, 270.0, 315.0))
    assert len(found) == 1
    np.testing.assert_allclose(found[0, :, :2], xy, rtol=0, atol=1.0)
    # A field that is 45 degrees off still counts as one: its dot product with the limb is 0.7.
    assert len(find((0.0,))) == (angle_deg in (0, 45))


@pytest.mark.network
def test_the_search_finds_in_a_photograph_upside_down_what_it_finds_in_the_upright_one(coco_image):
    def find(image, rotations):
        options = DetectOptions(precision="float32", device="cpu", rotations_deg=rotations, mirror=False)
        return load_detector("body", options=options)([image])[0]

    upright = find(coco_image, (0.0,))
    turned = turn_image(coco_image, 180)
    joints = int((upright.keypoints[..., 2] > 0).sum())
    assert joints > 40
    assert (find(turned, (0.0,)).keypoints[..., 2] > 0).sum() < joints / 3
    searched = turn_back(find(turned, (0.0, 180.0)), (coco_image.shape[1], coco_image.shape[0]), 180)
    assert len(searched) == len(upright)
    np.testing.assert_allclose(searched.keypoints, upright.keypoints, rtol=0, atol=1e-3)
