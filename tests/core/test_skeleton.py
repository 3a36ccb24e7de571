import numpy as np
import pytest

from triskel import ConfigError
from triskel.skeleton import (
    BODY_25,
    COCO_17,
    COCO_18,
    FACE_70,
    HAND_21,
    SKELETONS,
    WHOLE_BODY_135,
    Skeleton,
    get_skeleton,
    load_skeleton,
)

GOOD = "name: mine\njoints: [LHand, RHand, Head]\nlimbs: [[Head, LHand], [Head, RHand]]\n"


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=list(SKELETONS))
def test_flipping_twice_changes_nothing_and_once_swaps_left_and_right(skeleton):
    flips = np.array(skeleton.flips)
    np.testing.assert_array_equal(flips[flips], np.arange(len(skeleton)))
    for i, joint in enumerate(skeleton.joints):
        if joint[0] in "LR" and joint[1:2].isupper():
            assert skeleton.joints[flips[i]] == "RL"["LR".index(joint[0])] + joint[1:]


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=list(SKELETONS))
def test_mirrored_limbs_are_limbs(skeleton):
    """The drawing is symmetric: flipping every limb gives the same set of limbs."""
    limbs = {frozenset(limb) for limb in skeleton.limbs}
    assert {frozenset(skeleton.flips[i] for i in limb) for limb in limbs} == limbs
    assert len(limbs) == len(skeleton.limbs)


@pytest.mark.parametrize("skeleton", [BODY_25, COCO_18, COCO_17], ids=lambda s: s.name)
def test_limbs_of_a_body_join_all_its_joints(skeleton):
    reached, todo = {0}, [0]
    while todo:
        here = todo.pop()
        for a, b in skeleton.limbs:
            if here in (a, b) and not {a, b} <= reached:
                todo += {a, b} - reached
                reached |= {a, b}
    missing = {skeleton.joints[i] for i in range(len(skeleton))} - {skeleton.joints[i] for i in reached}
    # Without a neck nothing joins the head of COCO-17 to the rest of it.
    assert missing == (set(COCO_17.joints[5:]) if skeleton is COCO_17 else set())


def test_joint_orders_are_those_of_the_published_formats():
    assert [BODY_25.index(j) for j in ("Nose", "Neck", "MidHip", "RHeel")] == [0, 1, 8, 24]
    assert [COCO_18.index(j) for j in ("Nose", "Neck", "RHip", "LEar")] == [0, 1, 8, 17]
    assert [COCO_17.index(j) for j in ("Nose", "LEye", "LShoulder", "RAnkle")] == [0, 1, 5, 16]
    assert [len(s) for s in (FACE_70, WHOLE_BODY_135)] == [70, 135]


def test_shared_joints_have_the_same_name_on_both_sides():
    here, there = BODY_25.shared(COCO_17)
    assert [BODY_25.joints[i] for i in here] == [COCO_17.joints[i] for i in there]
    assert set(COCO_17.joints) == {COCO_17.joints[i] for i in there}


def test_unknown_names_are_answered_with_the_known_ones():
    with pytest.raises(ConfigError, match="'Tail'; it has Nose, Neck"):
        BODY_25.index("Tail")
    with pytest.raises(ConfigError, match="'body_26'; there are body_25, "):
        get_skeleton("body_26")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"joints": ("A", "A")}, "unique"),
        ({"limbs": ((0, 2),)}, "limbs name joints 0 to 1"),
        ({"flips": (1, 1)}, "flips pair"),
        ({"flips": (0,)}, "flips pair"),
        ({"flips": (5, 6)}, "flips pair"),
        ({"flips": (-2, -1)}, "flips pair"),
        ({"colours": ((0, 0, 0),)}, "one colour a joint"),
    ],
)
def test_an_inconsistent_skeleton_is_refused(changes, words):
    good = {"name": "s", "joints": ("A", "B"), "limbs": ((0, 1),), "flips": (1, 0), "colours": ((0, 0, 0),) * 2}
    assert len(Skeleton(**good)) == 2
    with pytest.raises(ConfigError, match=words):
        Skeleton(**(good | changes))


@pytest.mark.parametrize("key", ["name", "joints"])
def test_a_yaml_skeleton_that_grows_without_end_is_refused_in_one_short_line(tmp_path, key):
    rows = "".join(f"  - &row{i} [{', '.join([f'*row{i - 1}' if i else 'A'] * 10)}]\n" for i in range(12))
    file = tmp_path / "mine.yaml"
    file.write_text({"name": "joints: [A]\n", "joints": "name: mine\n"}[key] + f"limbs: []\n{key}:\n{rows}")
    with pytest.raises(ConfigError, match=f"{key} is a") as caught:
        load_skeleton(file)
    assert len(str(caught.value)) < 1000


def test_a_skeleton_of_ones_own_comes_from_yaml(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(GOOD)
    mine = load_skeleton(file)
    assert mine.joints == ("LHand", "RHand", "Head")
    assert mine.limbs == ((2, 0), (2, 1))
    assert mine.flips == (1, 0, 2)


def test_a_skeleton_of_ones_own_may_say_more(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "name: cart\njoints: [front_wheel, back_wheel, axle, lamp]\nlimbs: [[axle, lamp]]\n"
        "flips: [[front_wheel, back_wheel]]\nredundant: [[front_wheel, lamp]]\n"
        "means: {axle: [front_wheel, back_wheel]}\n"
        "sigmas: {front_wheel: 0.05, back_wheel: 0.06, axle: 0.07, lamp: 0.08}\n"
    )
    cart = load_skeleton(file)
    assert cart.flips == (1, 0, 2, 3)
    assert cart.redundant == ((0, 3),)
    assert cart.means == ((2, (0, 1)),)
    assert cart.sigmas == (0.05, 0.06, 0.07, 0.08)


def test_left_and_right_are_paired_by_either_spelling(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "name: a\njoints: [left_knee, right_knee, leftover, LHip, RHip, rightElbow, leftElbow]\nlimbs: []\n"
    )
    assert load_skeleton(file).flips == (1, 0, 2, 4, 3, 6, 5)


def test_coco_joints_have_the_published_spreads_and_neck_and_mid_hip_are_means():
    from triskel.skeleton import BODY_25, COCO_17, MPII_15

    published = (26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89)
    assert COCO_17.sigmas == tuple(n / 1000 for n in published)
    names = {BODY_25.joints[joint]: [BODY_25.joints[i] for i in others] for joint, others in BODY_25.means}
    assert names == {"Neck": ["LShoulder", "RShoulder"], "MidHip": ["LHip", "RHip"]}
    assert MPII_15.means == ()  # MPII labels the neck itself


def test_hands_and_face_have_the_benchmark_s_spreads_the_mean_of_both_sides():
    assert (HAND_21.sigmas[0], HAND_21.sigmas[4], HAND_21.sigmas[20]) == (0.029, 0.047, 0.031)
    assert FACE_70.sigmas[0] == FACE_70.sigmas[16] == round((0.042 + 0.045) / 2, 4)
    assert FACE_70.sigmas[8] == 0.020  # the chin
    assert np.mean(FACE_70.sigmas[:68]) == pytest.approx(1.137 / 68, abs=1e-5)  # the sum of the published 68
    at = WHOLE_BODY_135.index
    assert WHOLE_BODY_135.sigmas[:25] == BODY_25.sigmas
    assert WHOLE_BODY_135.sigmas[at("RThumb4")] == HAND_21.sigmas[4]
    flips = np.array(WHOLE_BODY_135.flips)
    np.testing.assert_array_equal(np.array(WHOLE_BODY_135.sigmas)[flips], WHOLE_BODY_135.sigmas)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD + "sigmas: {LHand: 0.1}\n", "sigmas are by joint name"),
        (GOOD + "sigmas: {LHand: 0.1, RHand: 0.1, Head: 5}\n", "numbers between 0 and 1"),
        (GOOD + "means: {Head: [Head]}\n", "means make a joint of other joints"),
        (GOOD + "means: [Head]\n", "means and sigmas are by joint name"),
        (GOOD + "flips: [[LHand, RHand], [Head, RHand]]\n", "flips pair"),
        ("name: [", "cannot be read"),
        ("just words", "keys name, joints, limbs"),
        (GOOD + "links: []\n", "'links'"),
        ("name: mine\njoints: [A]\n", "keys name, joints, limbs"),
        (GOOD.replace("[Head, RHand]", "[Head, Tail]"), "limbs are pairs of joint names"),
        (GOOD + "colours: [[1, 2]]\n", "colours are RGB triples"),
        (GOOD + "colours: [[1, 2, 3]]\n", "one colour a joint"),
        (GOOD.replace("LHand, RHand, Head]", "LHand, LHand]"), "limbs are pairs|unique"),
        ("name: mine\njoints: 5\nlimbs: []\n", "joints"),
        ("name: mine\njoints: [A]\nlimbs: 5\n", "limbs"),
    ],
)
def test_a_yaml_skeleton_with_a_mistake_is_refused_in_one_line(tmp_path, text, words):
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=words) as caught:
        load_skeleton(file)
    assert "\n" not in str(caught.value)
    assert str(file) in str(caught.value) or "mine" in str(caught.value)
