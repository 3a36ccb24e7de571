import json

import cv2
import numpy as np
import pytest

from triskel import ConfigError, InputError
from triskel.detect2d.layout import layout_of
from triskel.detect2d.training.config import AugmentConfig, DatasetConfig
from triskel.detect2d.training.samples import draw_sample, load_training_set
from triskel.skeleton import BODY_25, load_skeleton

COCO = ("nose left_shoulder right_shoulder left_hip right_hip left_ankle").split()


def write(folder, people, *, names=COCO, size_wh=(64, 48), extra=()):
    """Write one grey image with people (K, 3 J) and further annotations."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / "images/a.png"), np.full((size_wh[1], size_wh[0], 3), 128, np.uint8))
    annotations = [{"id": i, "image_id": 7, "keypoints": p, "bbox": [5, 5, 30, 30]} for i, p in enumerate(people)]
    data = {
        "images": [{"id": 7, "file_name": "a.png", "width": size_wh[0], "height": size_wh[1]}],
        "annotations": [*annotations, *extra],
        "categories": [{"id": 1, "keypoints": list(names)}],
    }
    (folder / "keypoints.json").write_text(json.dumps(data))
    return DatasetConfig(annotations=folder / "keypoints.json")


def person(*visible):
    """Return keypoints of one person with the joints of COCO above at (10 + 5 j, 20 + 2 j), hidden ones unlabelled."""
    return [n for j in range(len(COCO)) for n in ((10 + 5 * j, 20 + 2 * j, 2) if j in visible else (0, 0, 0))]


def load(config, focus="person"):
    return load_training_set(config, layout_of(BODY_25), focus=focus)


def test_neck_and_mid_hip_are_the_means_of_both_sides_where_both_are_labelled(tmp_path):
    data = load(write(tmp_path, [person(0, 1, 2, 3, 4), person(0, 1, 3)]))
    both, one_side = data.keypoints[0]
    np.testing.assert_allclose(both[BODY_25.index("Neck")], [17.5, 23])
    np.testing.assert_allclose(both[BODY_25.index("MidHip")], [27.5, 27])
    assert np.isnan(one_side[[BODY_25.index("Neck"), BODY_25.index("MidHip")]]).all()
    np.testing.assert_allclose(both[BODY_25.index("LShoulder")], [15, 22])


def test_channels_that_the_set_does_not_label_are_masked(tmp_path):
    data = load(write(tmp_path, [person(0, 1, 2, 3, 4, 5)]))
    trained = {joint for joint, on in zip(BODY_25.joints, data.confidence, strict=False) if on}
    assert trained == {"Nose", "LShoulder", "RShoulder", "LHip", "RHip", "LAnkle", "Neck", "MidHip"}
    assert data.confidence[-1] == 0  # what is background beside unlabelled joints is unknown
    layout = layout_of(BODY_25)
    for k, (a, b) in enumerate(layout.limbs):
        on = {BODY_25.joints[a], BODY_25.joints[b]} <= trained
        assert data.affinity[2 * k] == data.affinity[2 * k + 1] == on


def test_a_foot_set_trains_feet_alone(tmp_path):
    """Body + foot: the body of the foot images is masked, for the same people are in the body set."""
    names = [*COCO, "left_big_toe", "left_small_toe", "left_heel"]
    labels = [*person(0, 1, 2, 3, 4, 5), 20, 40, 2, 22, 40, 2, 18, 38, 2]
    config = write(tmp_path, [labels], names=names)
    feet = ("LBigToe", "LSmallToe", "LHeel")
    data = load(config.model_copy(update={"joints": feet}))
    assert {joint for joint, on in zip(BODY_25.joints, data.confidence, strict=False) if on} == set(feet)
    limbs = {BODY_25.joints[b] for k, (_, b) in enumerate(layout_of(BODY_25).limbs) if data.affinity[2 * k]}
    assert limbs == {"LBigToe", "LSmallToe", "LHeel"}


def test_a_set_in_which_nobody_can_be_focused_on_is_refused(tmp_path):
    with pytest.raises(InputError, match="nobody has two labelled joints of body_25"):
        load(write(tmp_path, [person(0)]))


def test_labels_of_a_mean_are_said_to_give_way(tmp_path, caplog):
    labels = [*person(0, 1, 2), 30, 10, 2]
    data = load(write(tmp_path, [labels], names=[*COCO, "neck"]))
    assert "its labels of Neck give way to the mean of LShoulder, RShoulder" in caplog.text
    np.testing.assert_allclose(data.keypoints[0][0, BODY_25.index("Neck")], [17.5, 23])


def test_people_without_labels_are_masked_out(tmp_path, make_config):
    crowd = {"id": 90, "image_id": 7, "iscrowd": 1, "keypoints": person(0), "bbox": [32, 0, 32, 24]}
    nobody = {
        "id": 91,
        "image_id": 7,
        "keypoints": person(),
        "segmentation": [[0, 24, 16, 24, 16, 48, 0, 48]],
        "bbox": [0, 24, 16, 24],
    }
    config = write(tmp_path, [person(0, 1, 2)], extra=[crowd, nobody])
    data = load(config, focus="image")
    settings = make_config(augment=AugmentConfig(focus="image", scale=(1, 1), rotation_deg=0, shift_px=0, flip=0))
    sample = draw_sample(data, 0, layout_of(BODY_25), settings, np.random.default_rng(0))
    assert sample.keypoints.shape == (1, 25, 2)  # neither of the two is taken for labelled
    # The image of 64 x 48 fills the first six rows of the 8 x 8 cells of a crop of 64.
    inside = sample.cells[:6]
    assert (inside[0:2, 5:] == 0).all()
    assert (inside[4:, 0] == 0).all()
    assert (inside[:, 3] == 1).all()
    assert (inside[4:, 3:] == 1).all()


def test_mirrored_samples_swap_left_and_right(kites, make_config):
    layout = layout_of(load_skeleton(kites / "kite.yaml"))
    data = load_training_set(DatasetConfig(annotations=kites / "keypoints.json"), layout, focus="image")
    still = {"focus": "image", "scale": (1, 1), "rotation_deg": 0, "shift_px": 0}
    plain, mirrored = (
        draw_sample(data, 2, layout, make_config(augment=still | {"flip": flip}), np.random.default_rng(0))
        for flip in (0, 1)
    )
    np.testing.assert_allclose(mirrored.keypoints[..., 0], 63 - plain.keypoints[:, [0, 2, 1], 0], atol=1e-3)
    np.testing.assert_allclose(mirrored.keypoints[..., 1], plain.keypoints[:, [0, 2, 1], 1], atol=1e-3)
    # The picture is mirrored with them: the colour at every label says the same joint but for left and right.
    for sample, order in ((plain, (0, 1, 2)), (mirrored, (0, 2, 1))):
        for joint, channel in zip(order, (2, 1, 0), strict=True):
            x, y = np.round(sample.keypoints[0, joint]).astype(int)
            assert sample.image_bgr[y, x].argmax() == channel


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rename": {"chin": "Nose"}}, "rename: the data set has no joint 'chin'"),
        ({"joints": ("Tail",)}, "joints: .*no joint 'Tail'"),
        ({"joints": ("RHeel",)}, "joints lists none that the set labels"),
    ],
)
def test_joints_that_are_not_there_are_refused(tmp_path, change, words):
    config = write(tmp_path, [person(0, 1, 2)])
    with pytest.raises(ConfigError, match=words):
        load(config.model_copy(update=change))


def test_a_set_of_other_joints_is_refused(tmp_path):
    with pytest.raises(InputError, match="labels wheel, lamp, none of which is a joint of body_25"):
        load(write(tmp_path, [[1, 1, 2, 5, 5, 2]], names=("wheel", "lamp")))


def test_an_image_that_is_damaged_or_of_another_size_is_named(tmp_path, make_config):
    config = write(tmp_path, [person(0, 1, 2)])
    data = load(config)
    cv2.imwrite(str(tmp_path / "images/a.png"), np.zeros((20, 20, 3), np.uint8))
    with pytest.raises(InputError, match=r"a\.png: is 20 x 20 px, its annotations are for 64 x 48"):
        draw_sample(data, 0, layout_of(BODY_25), make_config(), np.random.default_rng(0))
    (tmp_path / "images/a.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"a\.png: cannot be read as an image"):
        draw_sample(data, 0, layout_of(BODY_25), make_config(), np.random.default_rng(0))
