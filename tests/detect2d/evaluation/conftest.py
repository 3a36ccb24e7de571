from functools import partial

import numpy as np
import pytest

from triskel.detect2d.datasets import read_dataset
from triskel.detect2d.evaluation import read_ground_truth
from triskel.keypoints import People2D
from triskel.skeleton import COCO_17, make_skeleton

from .labels import write


@pytest.fixture
def write_dataset(tmp_path):
    """Return the function that writes a data set, and returns its folder."""
    return partial(write, tmp_path / "set")


@pytest.fixture
def ground_truth(write_dataset):
    """Return the function that gives the ground truth of annotations."""

    def build(joints, annotations, **options):
        return read_ground_truth(read_dataset(write_dataset(joints, annotations, **options)))

    return build


@pytest.fixture(scope="session")
def people_of():
    """Return the function that makes People2D of keypoints (N, J, 3): zeros become missing."""

    def build(joints, keypoints, scores=None):
        skeleton = COCO_17 if tuple(joints) == COCO_17.joints else make_skeleton("test", tuple(joints), ())
        keypoints = np.array(keypoints, float).reshape(-1, len(joints), 3)
        keypoints[keypoints[..., 2] == 0, :2] = np.nan
        return People2D(
            skeleton, keypoints, np.linspace(0.9, 0.5, len(keypoints)) if scores is None else np.array(scores)
        )

    return build
