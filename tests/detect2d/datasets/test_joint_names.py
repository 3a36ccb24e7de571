import pytest

from triskel import ConfigError
from triskel.detect2d.datasets.joint_names import match_joints, plain_name
from triskel.skeleton import BODY_25, COCO_17, FACE_70, MPII_15


@pytest.mark.parametrize("spelling", ["left_big_toe", "LBigToe", "l_big_toe", "Left Big Toe", "leftBigToe"])
def test_spellings_of_a_joint_are_one(spelling):
    assert plain_name(spelling) == "lbigtoe"


def test_joints_of_coco_are_found_by_their_own_names():
    names = ["nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
             "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee",
             "left_ankle", "right_ankle"]  # fmt: skip
    assert match_joints(COCO_17.joints, names) == {i: i for i in range(17)}
    # The order is a fact of the format.
    assert match_joints(BODY_25.joints, names) == dict(
        zip([0, 16, 15, 18, 17, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11], range(17), strict=True)
    )


def test_no_name_of_a_built_in_set_means_two_joints():
    for skeleton in (BODY_25, MPII_15, FACE_70):
        assert len({plain_name(joint) for joint in skeleton.joints}) == len(skeleton)


def test_names_that_spelling_does_not_match_are_renamed_or_left_out():
    assert match_joints(MPII_15.joints, ["upper_neck", "head_top"], {"upper_neck": "Neck", "head_top": "Head"}) == {
        1: 0,
        0: 1,
    }
    assert match_joints(BODY_25.joints, ["nose", "neck"], {"neck": ""}) == {0: 0}


@pytest.mark.parametrize(
    ("names", "rename", "words"),
    [
        (["nose"], {"chin": "Nose"}, "the data set has no joint 'chin'; it has nose"),
        (["nose"], {"nose": "Chin"}, "the skeleton has no joint 'Chin'; it has Nose"),
        (["nose", "tip"], {"tip": "Nose"}, "'nose' and 'tip' both mean 'Nose'"),
    ],
)
def test_renaming_what_is_not_there_is_refused(names, rename, words):
    with pytest.raises(ConfigError, match=words):
        match_joints(BODY_25.joints, names, rename)
