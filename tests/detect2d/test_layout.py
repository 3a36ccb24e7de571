from itertools import combinations

import numpy as np
import pytest

from triskel import ConfigError
from triskel.detect2d.layout import LAYOUTS, PafLayout, complete_layout, layout_of
from triskel.skeleton import BODY_25, COCO_18, HAND_21, get_skeleton, make_skeleton

MINE = make_skeleton("mine", ("LHand", "RHand", "Head"), ((2, 0), (2, 1)))


@pytest.mark.parametrize(
    ("name", "confidence", "affinity"),
    [("body_25", 26, 52), ("coco_18", 19, 38), ("mpii_15", 16, 28), ("hand_21", 22, 0), ("face_70", 71, 0)],
)
def test_released_layouts_have_the_released_channels(name, confidence, affinity):
    assert (LAYOUTS[name].confidence_maps, LAYOUTS[name].affinity_maps) == (confidence, affinity)


@pytest.mark.parametrize("name", ["body_25", "coco_18", "mpii_15"])
def test_the_tree_reaches_every_joint_without_a_loop_or_a_redundant_limb(name):
    layout = LAYOUTS[name]
    limbs = [layout.limbs[k] for k in layout.tree]
    assert len(limbs) == len(layout.skeleton) - 1
    assert not set(limbs) & set(layout.redundant)
    reached, grown = {limbs[0][0]}, True
    while grown:
        more = {i for limb in limbs if reached & set(limb) for i in limb}
        grown, reached = not more <= reached, reached | more
    assert reached == set(range(len(layout.skeleton)))


def test_a_skeleton_of_ones_own_gets_its_limbs_and_the_redundant_ones():
    from dataclasses import replace

    layout = layout_of(replace(MINE, redundant=((0, 1),)))
    assert layout.limbs == ((2, 0), (2, 1), (0, 1))
    assert layout.redundant == ((0, 1),)
    assert layout.tree == (0, 1)
    assert layout_of(BODY_25) is LAYOUTS["body_25"]


def test_a_joint_set_that_borrows_a_name_does_not_get_the_released_limbs():
    assert layout_of(make_skeleton("body_25", ("A", "B"), ((0, 1),))).limbs == ((0, 1),)


@pytest.mark.parametrize("name", ["body_25", "body_25b", "coco_17", "coco_18", "mpii_15"])
def test_the_limbs_of_every_body_hold_it_together(name):
    assert len(layout_of(get_skeleton(name)).pieces) == 1


def test_pieces_are_named():
    assert PafLayout(MINE, ((2, 0),)).pieces == (("RHand",), ("LHand", "Head"))


@pytest.mark.parametrize("skeleton", [COCO_18, MINE, HAND_21])
def test_the_complete_graph_has_every_pair_once(skeleton):
    layout = complete_layout(skeleton)
    pairs = {tuple(sorted(limb)) for limb in layout.limbs}
    assert pairs == set(combinations(range(len(skeleton)), 2))
    assert len(layout.limbs) == len(pairs)


@pytest.mark.parametrize("name", ["body_25", "coco_18", "mpii_15"])
def test_mirroring_limbs_twice_changes_nothing(name):
    source, sign = LAYOUTS[name].mirrored_limbs()
    np.testing.assert_array_equal(source[source], np.arange(len(source)))
    np.testing.assert_array_equal(sign * sign[source], 1)


def test_a_limb_across_the_body_turns_round_in_the_mirror():
    source, sign = PafLayout(MINE, ((2, 0), (2, 1), (0, 1))).mirrored_limbs()
    assert source.tolist() == [1, 0, 2]
    assert sign.tolist() == [1, 1, -1]


@pytest.mark.parametrize(
    ("limbs", "redundant", "words"),
    [
        (((0, 3),), (), "joints 0 to 2"),
        (((1, 1),), (), "join two of the joints"),
        (((0, 1), (0, 1)), (), "listed once"),
        (((0, 1),), ((1, 2),), "redundant ones among them"),
    ],
)
def test_limbs_that_make_no_sense_are_refused(limbs, redundant, words):
    with pytest.raises(ConfigError, match=words):
        PafLayout(MINE, limbs, redundant)


@pytest.mark.parametrize("changes", [{"uncounted": (3,)}, {"uncounted": (-1,)}, {"stride": 0}])
def test_uncounted_joints_and_strides_that_are_none_are_refused(changes):
    with pytest.raises(ConfigError, match="uncounted are joints 0 to 2, the stride is 1 or more"):
        PafLayout(MINE, ((0, 1),), **changes)


def test_a_limb_without_a_mirror_image_is_named():
    with pytest.raises(ConfigError, match="limb Head-LHand has no mirror image"):
        PafLayout(MINE, ((2, 0),)).mirrored_limbs()
