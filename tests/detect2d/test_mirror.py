import numpy as np
import pytest
import torch

from triskel.detect2d.layout import LAYOUTS, PafLayout, complete_layout, layout_of
from triskel.detect2d.mirror import has_mirror_image, unmirror_affinity, unmirror_confidence
from triskel.skeleton import COCO_18, make_skeleton

LAYOUT = layout_of(COCO_18)
ALL = [*LAYOUTS.values(), complete_layout(COCO_18)]


@pytest.mark.parametrize("layout", ALL, ids=lambda layout: f"{layout.skeleton.name}-{len(layout.limbs)}")
def test_mirroring_twice_is_no_change(layout):
    rng = torch.Generator().manual_seed(0)
    confidence = torch.rand(2, layout.confidence_maps, 5, 7, generator=rng)
    affinity = torch.rand(2, layout.affinity_maps, 5, 7, generator=rng)
    again = unmirror_confidence(unmirror_confidence(confidence, layout), layout)
    torch.testing.assert_close(again, confidence)
    torch.testing.assert_close(unmirror_affinity(unmirror_affinity(affinity, layout), layout), affinity)


def test_a_right_wrist_in_the_mirror_is_the_left_one_on_the_other_side():
    maps = torch.zeros(1, 19, 4, 6)
    maps[0, LAYOUT.skeleton.index("RWrist"), 2, 1] = 1
    back = unmirror_confidence(maps, LAYOUT)
    assert back[0, LAYOUT.skeleton.index("LWrist"), 2, 4] == 1
    assert back.sum() == 1


def test_a_field_to_the_right_in_the_mirror_points_left():
    upper_arm = LAYOUT.limbs.index((2, 3))
    other_arm = LAYOUT.limbs.index((5, 6))
    maps = torch.zeros(1, 38, 4, 6)
    maps[0, 2 * upper_arm : 2 * upper_arm + 2, 1, 0] = torch.tensor([0.6, 0.8])
    back = unmirror_affinity(maps, LAYOUT)
    np.testing.assert_allclose(back[0, 2 * other_arm : 2 * other_arm + 2, 1, 5], [-0.6, 0.8])


@pytest.mark.parametrize("layout", ALL[:3] + ALL[5:], ids=lambda layout: f"{layout.skeleton.name}-{len(layout.limbs)}")
def test_fields_of_a_mirrored_person_come_back_as_those_of_the_person(layout):
    """Each limb's field is the unit vector from its first joint to its second, whatever way round it is listed."""
    rng = np.random.default_rng(1)
    xy, flips = rng.uniform(0, 100, (len(layout.skeleton), 2)), list(layout.skeleton.flips)
    mirrored = (xy * [-1, 1])[flips]

    def fields(joints):
        step = joints[layout.limb_array[:, 1]] - joints[layout.limb_array[:, 0]]
        unit = step / np.linalg.norm(step, axis=-1, keepdims=True)
        return torch.from_numpy(unit.reshape(1, -1, 1, 1))

    torch.testing.assert_close(unmirror_affinity(fields(mirrored), layout), fields(xy), rtol=0, atol=1e-12)


def test_a_hand_and_a_limb_without_a_partner_have_no_mirror_image():
    assert has_mirror_image(LAYOUT)
    assert has_mirror_image(LAYOUTS["face_70"])
    assert not has_mirror_image(LAYOUTS["hand_21"])
    lopsided = make_skeleton("lopsided", ("Neck", "LHand", "RHand"), ((0, 1),))
    assert not has_mirror_image(PafLayout(lopsided, ((0, 1),)))
