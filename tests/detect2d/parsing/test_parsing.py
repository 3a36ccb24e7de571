from dataclasses import replace

import numpy as np
import pytest
import torch

from triskel.detect2d.layout import LAYOUTS, layout_of
from triskel.detect2d.parsing import MAXIMISE_POSITIVES, ParseOptions, find_candidates, parse
from triskel.detect2d.training.targets import render_targets
from triskel.errors import ConfigError
from triskel.skeleton import COCO_18, make_skeleton

LAYOUT, OPTIONS = layout_of(COCO_18), ParseOptions()


def assert_recovered(found, people, within_px=1.0):
    """Each of `people` (N, 18, 2), NaN where hidden, is found once with exactly its joints."""
    assert len(found) == len(people)
    order = []
    for person in people:
        distance = np.linalg.norm(found.keypoints[..., :2] - person, axis=-1)
        order.append(int(np.nan_to_num(distance, nan=1e3).mean(axis=1).argmin()))
        np.testing.assert_array_equal(np.isnan(found.keypoints[order[-1], :, 0]), np.isnan(person[:, 0]))
        assert np.nanmax(distance[order[-1]]) < within_px
    assert sorted(order) == list(range(len(people)))


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_people_side_by_side_are_recovered(render_maps, standing_person, count):
    people = [standing_person(60 + 122.3 * i, 160 + 17.7 * i, scale=1 + 0.07 * i) for i in range(count)]
    found = parse(*render_maps(people), LAYOUT, OPTIONS)
    assert_recovered(found, people)
    np.testing.assert_allclose(found.keypoints[..., 2], 0.9, rtol=0, atol=0.15)


@pytest.mark.parametrize("angle_rad", [0.35, 0.7, 1.1])
def test_people_who_cross_are_not_mixed(render_maps, standing_person, angle_rad):
    """Not head on: where two limbs of one type meet in opposite directions, their averaged fields cancel out."""
    people = [
        standing_person(240, 180, angle_rad=angle_rad, scale=1.1),
        standing_person(258, 190, angle_rad=-angle_rad, scale=1.1),
    ]
    assert_recovered(parse(*render_maps(people), LAYOUT, OPTIONS), people)


def test_shoulder_to_ear_limbs_reconnect_a_person_whose_neck_is_hidden(render_maps, standing_person):
    """Without the neck nothing else joins head and arms; legs, which have no other tie to them, are hidden too."""
    person = standing_person(200, 170)
    person[COCO_18.index("Neck")] = np.nan
    legs = [COCO_18.index(side + joint) for side in "LR" for joint in ("Hip", "Knee", "Ankle")]
    person[legs] = np.nan
    confidence, affinity = render_maps([person])
    assert_recovered(parse(confidence, affinity, LAYOUT, OPTIONS), [person])
    for limb in (LAYOUT.limbs.index((2, 16)), LAYOUT.limbs.index((5, 17))):
        affinity[2 * limb : 2 * limb + 2] = 0
    assert len(parse(confidence, affinity, LAYOUT, OPTIONS)) == 3  # the head and two arms


def test_hidden_joints_are_missing_and_the_rest_is_found(render_maps, standing_person):
    people = [standing_person(120, 170), standing_person(330, 170)]
    for joint in ("RWrist", "LAnkle", "LKnee", "REar"):
        people[0][COCO_18.index(joint)] = np.nan
    assert_recovered(parse(*render_maps(people), LAYOUT, OPTIONS), people)


def test_a_field_that_points_the_wrong_way_joins_nothing(render_maps, standing_person):
    confidence, affinity = render_maps([standing_person(200, 170)])
    assert len(parse(confidence, affinity, LAYOUT, OPTIONS)) == 1
    # Only parts closer than a limb can be seen, as in the face, are joined without a field.
    assert len(parse(confidence, -affinity, LAYOUT, replace(OPTIONS, fewest_parts=6))) == 0


def test_moving_the_maps_moves_the_keypoints(render_maps, standing_person):
    confidence, affinity = render_maps([standing_person(150, 160)])
    one = parse(confidence, affinity, LAYOUT, OPTIONS)
    other = parse(np.roll(confidence, (2, 5), (1, 2)), np.roll(affinity, (2, 5), (1, 2)), LAYOUT, OPTIONS)
    np.testing.assert_allclose(other.keypoints[..., :2], one.keypoints[..., :2] + [40, 16], rtol=0, atol=1e-6)
    np.testing.assert_allclose(other.scores, one.scores, rtol=0, atol=1e-6)


def test_a_joint_set_of_two_is_found():
    layout = layout_of(make_skeleton("stick", ("A", "B"), ((0, 1),)))
    ends = torch.tensor([[[[20.0, 30.0], [70.0, 34.0]]]])
    maps = render_targets(ends, layout, grid_wh=(12, 10), sigma_px=9.9, limb_px=8.0)
    found = parse(maps.confidence[0].numpy(), maps.affinity[0].numpy(), layout, OPTIONS)
    np.testing.assert_allclose(found.keypoints[..., :2], ends[0].numpy(), atol=0.1)


def test_maps_of_nobody_give_nobody():
    nothing = np.zeros((19, 46, 46), np.float32), np.zeros((38, 46, 46), np.float32)
    assert len(parse(*nothing, LAYOUT, OPTIONS)) == 0
    noise = np.random.default_rng(0).uniform(0, 0.04, (19, 46, 46)).astype(np.float32)
    assert len(parse(noise, nothing[1], LAYOUT, OPTIONS)) == 0


def test_the_background_channel_is_not_looked_at(render_maps, standing_person):
    confidence, affinity = render_maps([standing_person(150, 160)])
    background = np.concatenate([confidence, np.ones((1, *confidence.shape[1:]), np.float32)])
    np.testing.assert_array_equal(
        parse(background, affinity, LAYOUT, OPTIONS).keypoints, parse(confidence, affinity, LAYOUT, OPTIONS).keypoints
    )


def test_scraps_of_a_person_are_dropped_and_only_the_best_people_kept(render_maps, standing_person):
    scrap = np.full((18, 2), np.nan)
    scrap[[9, 10]] = standing_person(60, 150)[[9, 10]]
    people = [standing_person(180, 170), standing_person(330, 170, scale=1.2), scrap]
    maps = render_maps(people)
    assert_recovered(parse(*maps, LAYOUT, OPTIONS), people[:2])
    assert_recovered(parse(*maps, LAYOUT, replace(OPTIONS, most_people=1)), [people[1]])
    assert len(parse(*maps, LAYOUT, replace(OPTIONS, fewest_parts=2))) == 3


def test_candidates_are_the_joints_in_input_pixels_part_by_part(render_maps, standing_person):
    people = np.array([standing_person(120, 170), standing_person(330, 170)])
    found = find_candidates(render_maps(people)[0], LAYOUT, OPTIONS)
    np.testing.assert_array_equal(found.part, np.repeat(np.arange(18), 2))
    assert len(found.score) == 36
    for xy, part in zip(found.xy, found.part, strict=True):
        assert np.linalg.norm(people[:, part] - xy, axis=-1).min() < 1.0


def test_maximising_positives_finds_a_faint_person_that_the_defaults_leave_out(render_maps, standing_person):
    confidence, affinity = render_maps([standing_person(200, 170)])
    faint = 0.04 * confidence, 0.04 * affinity
    assert len(parse(*faint, LAYOUT, OPTIONS)) == 0
    # The 0.04 fades below the threshold on the joints farthest from a cell's middle, so some joints may be missing.
    found = parse(*faint, LAYOUT, MAXIMISE_POSITIVES)
    assert len(found) == 1
    assert np.isfinite(found.keypoints[0, :, 0]).sum() >= 16


@pytest.mark.parametrize("name", ["hand_21", "face_70"])
def test_a_layout_without_limbs_gives_one_instance_with_every_joint(gaussians, name):
    layout = LAYOUTS[name]
    rng = np.random.default_rng(5)
    centres = rng.uniform(3, 42, (len(layout.skeleton), 2))
    confidence = np.stack(
        [
            gaussians([centre], height=height)
            for centre, height in zip(centres, np.linspace(0.02, 0.9, len(centres)), strict=True)
        ]
    )
    found = parse(confidence, np.zeros((0, 46, 46), np.float32), layout, OPTIONS)
    assert len(found) == 1
    np.testing.assert_allclose(found.keypoints[0, :, :2], (centres + 0.5) * 8 - 0.5, rtol=0, atol=0.2)
    np.testing.assert_allclose(found.scores, confidence.max(axis=(1, 2)).mean(), rtol=0, atol=1e-6)
    assert len(parse(0 * confidence, np.zeros((0, 46, 46), np.float32), layout, OPTIONS)) == 0


@pytest.mark.parametrize(
    "wrong",
    [{"method": "magic"}, {"peak_threshold": -0.1}, {"good_share": 2}, {"fewest_parts": 0}, {"time_limit_s": 0}],
)
def test_options_that_mean_nothing_are_an_error(wrong):
    with pytest.raises(ConfigError, match=r"^parse: [^\n]+$"):
        ParseOptions(**wrong)


def test_maps_of_another_layout_are_an_error(render_maps, standing_person):
    confidence, affinity = render_maps([standing_person(200, 170)])
    with pytest.raises(ValueError, match="confidence of coco_18"):
        parse(confidence[:17], affinity, LAYOUT, OPTIONS)
    with pytest.raises(ValueError, match="affinity of coco_18"):
        parse(confidence, affinity[:36], LAYOUT, OPTIONS)
