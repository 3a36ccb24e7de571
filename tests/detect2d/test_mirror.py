import numpy as np
import torch

from triskel.detect2d.layout import layout_of
from triskel.detect2d.mirror import unmirror_affinity, unmirror_confidence
from triskel.skeleton import COCO_18

LAYOUT = layout_of(COCO_18)


def test_mirroring_twice_is_no_change():
    rng = torch.Generator().manual_seed(0)
    confidence, affinity = torch.rand(2, 19, 5, 7, generator=rng), torch.rand(2, 38, 5, 7, generator=rng)
    again = unmirror_confidence(unmirror_confidence(confidence, LAYOUT), LAYOUT)
    torch.testing.assert_close(again, confidence)
    torch.testing.assert_close(unmirror_affinity(unmirror_affinity(affinity, LAYOUT), LAYOUT), affinity)


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
