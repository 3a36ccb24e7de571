import numpy as np
import pytest

from triskel import ConfigError
from triskel.detect2d import HeatMaps, ParseOptions
from triskel.detect2d.layout import layout_of
from triskel.skeleton import COCO_18

LAYOUT = layout_of(COCO_18)


def heat_maps(render_maps, people, *, size_wh=(62, 46), image_wh=(620, 460)):
    confidence, affinity = render_maps(people, size_wh=size_wh)
    background = 1 - confidence.max(axis=0, keepdims=True)
    return HeatMaps(np.concatenate([confidence, background]), affinity, LAYOUT, image_wh)


def to_image(xy, maps):
    return (xy + 0.5) * np.array(maps.image_wh) / np.array(maps.input_wh) - 0.5


def test_people_and_candidates_of_the_maps_are_in_image_pixels(render_maps, standing_person):
    joints = standing_person(240, 190)
    maps = heat_maps(render_maps, [joints])
    assert maps.input_wh == (496, 368)
    people, candidates = maps.people(ParseOptions()), maps.candidates(ParseOptions())
    expected = to_image(joints, maps)
    np.testing.assert_allclose(people.keypoints[0, :, :2], expected, rtol=0, atol=0.3)
    assert candidates.part.tolist() == list(range(18))
    np.testing.assert_allclose(candidates.xy, expected, rtol=0, atol=0.3)
    np.testing.assert_allclose(candidates.score, 0.9, rtol=0, atol=0.1)


def test_a_part_resampled_to_the_image_peaks_at_the_joint(render_maps, standing_person):
    joints = standing_person(240, 190)
    maps = heat_maps(render_maps, [joints])
    for joint in ("Nose", "RWrist", "LAnkle"):
        part = maps.part(joint)
        assert part.shape == (460, 620)
        y, x = np.unravel_index(part.argmax(), part.shape)
        np.testing.assert_allclose([x, y], to_image(joints[COCO_18.index(joint)], maps), rtol=0, atol=2)
    assert maps.part("Nose", size_wh=(31, 23)).shape == (23, 31)
    with pytest.raises(ConfigError, match="Tail"):
        maps.part("Tail")


def test_a_limb_resampled_to_the_image_points_along_it_half_way(render_maps, standing_person):
    joints = standing_person(240, 190)
    maps = heat_maps(render_maps, [joints])
    a, b = LAYOUT.limbs[4]
    x, y = np.round(to_image((joints[a] + joints[b]) / 2, maps)).astype(int)
    unit = (joints[b] - joints[a]) / np.linalg.norm(joints[b] - joints[a])
    np.testing.assert_allclose(maps.limb(4)[:, y, x], unit, rtol=0, atol=0.05)
