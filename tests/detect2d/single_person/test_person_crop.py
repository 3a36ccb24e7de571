import numpy as np
import pytest

from triskel.detect2d.single_person.person_crop import MARGIN, REACH, SMALLEST_PX, person_crops
from triskel.skeleton import COCO_18, MPII_15


def people(*joints, skeleton=COCO_18):
    """(N, J, 3) of people given as {joint: (x, y)}; joints that are not given are missing."""
    keypoints = np.full((len(joints), len(skeleton), 3), np.nan)
    keypoints[..., 2] = 0
    for one, given in zip(keypoints, joints, strict=True):
        for name, xy in given.items():
            one[skeleton.index(name)] = (*xy, 0.8)
    return keypoints


def crops_of(keypoints, skeleton=COCO_18):
    return person_crops(keypoints, skeleton, np.zeros(len(keypoints), np.intp))


def test_a_standing_person_is_centred_on_the_hips_and_upright(standing_person):
    keypoints = np.concatenate([standing_person(300, 250), np.full((18, 1), 0.9)], axis=1)[None]
    crops, whose = crops_of(keypoints)
    assert whose.tolist() == [0]
    np.testing.assert_allclose(crops.centre[0], (300, 264), atol=1e-9)
    np.testing.assert_allclose(crops.angle_rad[0], 0, atol=1e-9)
    torso = 70  # neck at -56, hips at 14
    farthest = np.linalg.norm(keypoints[0, :, :2] - (300, 264), axis=1).max()
    np.testing.assert_allclose(crops.side[0], 2 * MARGIN * max(REACH * torso, farthest), rtol=1e-9)
    inside = np.abs(keypoints[0, :, :2] - crops.centre[0]).max() < crops.side[0] / 2
    assert inside


@pytest.mark.parametrize("angle", [-2.5, -np.pi / 2, 0.3, 3.0])
def test_the_square_turns_shifts_and_grows_with_the_person(standing_person, angle):
    def crop(**kwargs):
        xy = standing_person(400, 300, **kwargs)
        crops, _ = crops_of(np.concatenate([xy, np.full((18, 1), 0.9)], axis=1)[None])
        return crops

    plain, turned = crop(), crop(angle_rad=angle, scale=2.0)
    np.testing.assert_allclose(np.exp(1j * turned.angle_rad), np.exp(1j * angle), atol=1e-9)
    np.testing.assert_allclose(turned.side, 2 * plain.side, rtol=1e-9)
    upright = turned.to_crop(standing_person(400, 300, angle_rad=angle, scale=2.0)[None], 256)
    np.testing.assert_allclose(upright, plain.to_crop(standing_person(400, 300)[None], 256), atol=1e-6)


def test_hips_that_were_not_found_are_looked_for_below_the_shoulders():
    bust = people({"Neck": (100, 100), "LShoulder": (130, 100), "RShoulder": (70, 100), "Nose": (100, 65)})
    crops, _ = crops_of(bust)
    assert abs(crops.centre[0, 0] - 100) < 1e-9
    assert 140 < crops.centre[0, 1] < 200  # a torso is about as long as 1.2 shoulder widths


def test_a_face_alone_and_legs_alone_have_squares():
    face = people({"LEar": (130, 100), "REar": (100, 100), "Nose": (115, 110)})
    legs = people({"LHip": (100, 100), "LKnee": (100, 160), "LAnkle": (100, 220)})
    for keypoints in (face, legs):
        crops, whose = crops_of(keypoints)
        assert whose.tolist() == [0]
        reach = np.abs(crops.to_crop(keypoints[:, :, :2], 256) - 127.5)
        assert np.nanmax(reach) < 128


def test_who_is_too_small_or_not_there_has_no_square(standing_person):
    tiny = np.concatenate([standing_person(100, 100, scale=0.5 * SMALLEST_PX / 600), np.full((18, 1), 0.9)], axis=1)
    one_joint = people({"Nose": (10, 10)})[0]
    nobody = people({})[0]
    crops, whose = crops_of(np.stack([tiny, one_joint, nobody]))
    assert (len(crops), len(whose)) == (0, 0)
    assert len(crops_of(np.zeros((0, 18, 3)))[0]) == 0


def test_other_joint_sets_are_understood_by_name():
    keypoints = people({"Neck": (100, 100), "LHip": (110, 170), "RHip": (90, 170), "Head": (100, 60)}, skeleton=MPII_15)
    crops, _ = crops_of(keypoints, MPII_15)
    np.testing.assert_allclose(crops.centre[0], (100, 170), atol=1e-9)


def test_squares_say_which_image_they_are_in(standing_person):
    keypoints = np.concatenate([standing_person(300, 250), np.full((18, 1), 0.9)], axis=1)[None]
    both = np.concatenate([keypoints, np.full_like(keypoints, np.nan), keypoints])
    crops, whose = person_crops(both, COCO_18, np.array([4, 5, 6]))
    assert (crops.image.tolist(), whose.tolist()) == ([4, 6], [0, 2])
