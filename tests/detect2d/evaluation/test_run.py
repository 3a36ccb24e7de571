import logging

import cv2
import numpy as np
import pytest

from triskel import ConfigError, InputError
from triskel.detect2d.datasets import read_dataset
from triskel.detect2d.evaluation import detect_all, evaluate
from triskel.keypoints import People2D
from triskel.skeleton import make_skeleton

from .labels import annotation

JOINTS = ("Top", "Middle", "Bottom")
SKELETON = make_skeleton("signal", JOINTS, ((0, 1), (1, 2)))
LABELS = np.array([[40, 30, 2], [40, 60, 2], [44, 90, 2]], float)


class Colours:
    """Finds the one signal of an image: its joints are the centres of what is red, green and blue."""

    def __init__(self, shift=0.0):
        self.skeleton = SKELETON
        self.shift = shift
        self.batches = []

    def __call__(self, images_rgb):
        self.batches.append([image.shape[1::-1] for image in images_rgb])
        found = []
        for image in images_rgb:
            centres = [np.argwhere(image[..., c] > 128).mean(axis=0)[::-1] for c in range(3)]
            keypoints = np.concatenate([np.add(centres, [self.shift, 0]), np.ones((3, 1))], axis=1)
            found.append(People2D(SKELETON, keypoints[None], np.ones(1)))
        return found


def picture(labels, size_wh=(160, 120)):
    image = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
    for c, (x, y, _) in enumerate(labels.astype(int)):
        image[y - 1 : y + 2, x - 1 : x + 2, c] = 255
    return image


@pytest.fixture
def signals(write_dataset):
    """Twelve images of two sizes in turn, each with its signal elsewhere."""
    labels = [np.add(LABELS, [3 * i, i, 0]) for i in range(12)]
    pictures = {i + 1: picture(one, (160, 120) if i % 2 else (120, 160)) for i, one in enumerate(labels)}
    annotations = [annotation(i + 1, i + 1, one, area=900.0) for i, one in enumerate(labels)]
    return write_dataset(JOINTS, annotations, images=12, pictures=pictures)


def test_people_come_back_in_the_order_of_the_images_whatever_their_sizes(signals):
    dataset = read_dataset(signals)
    people, ms = detect_all(Colours(), dataset)
    for found, image in zip(people, dataset.images, strict=True):
        np.testing.assert_allclose(found.keypoints[0, :, :2], image.keypoints[0, :, :2], rtol=0, atol=1e-9)
    assert ms > 0


def test_images_of_one_size_run_as_one_batch_and_the_first_batch_warms_up(signals):
    model = Colours()
    seen = []
    detect_all(model, read_dataset(signals), stage="here", progress=lambda *done: seen.append(done))
    assert model.batches == [[(120, 160)] * 6, [(120, 160)] * 6, [(160, 120)] * 6]
    assert seen == [("here", 6, 12), ("here", 12, 12)]


def test_settings_are_scored_side_by_side(signals):
    evaluation = evaluate([("exact", Colours()), ("off", Colours(shift=50))], read_dataset(signals))
    exact, off = evaluation.runs
    assert (exact.name, off.name) == ("exact", "off")
    assert exact.scores.oks["body"].ap == pytest.approx(1)
    assert off.scores.oks["body"].ap == 0


def test_a_skeleton_without_sigmas_is_scored_with_the_default_and_says_so(signals, caplog):
    with caplog.at_level(logging.WARNING, logger="triskel"):
        evaluate([("exact", Colours())], read_dataset(signals))
    assert [record.getMessage() for record in caplog.records] == [
        "skeleton 'signal' has no sigmas: OKS takes 0.08 for every joint"
    ]


def test_an_image_that_cannot_be_read_is_named(signals):
    (signals / "images/5.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"images/5\.png: cannot be read as an image"):
        evaluate([("exact", Colours())], read_dataset(signals))


def test_an_image_of_another_size_than_its_annotations_is_named(signals):
    cv2.imwrite(str(signals / "images/2.png"), np.zeros((60, 80, 3), np.uint8))
    with pytest.raises(InputError, match=r"images/2\.png: is 80 x 60 px, its annotations are for 160 x 120"):
        evaluate([("exact", Colours())], read_dataset(signals))


def test_labels_of_none_of_the_model_s_joints_are_refused_before_it_runs(write_dataset):
    data = write_dataset(("Top", "Tail"), [annotation(1, 1, [[0, 0, 0], [5, 5, 2]])])
    model = Colours()
    with pytest.raises(InputError, match="nobody has a label of Top; nothing to score"):
        evaluate([("one", model)], read_dataset(data))
    assert not model.batches


def test_a_model_of_other_joints_is_refused_before_it_runs(write_dataset):
    model = Colours()
    folder = write_dataset(("knee", "foot"), [annotation(1, 1, [[5, 5, 2], [9, 9, 2]])])
    with pytest.raises(ConfigError, match="has no joint of the model"):
        evaluate([("exact", model)], read_dataset(folder))
    assert model.batches == []
