from pathlib import Path

import cv2
import numpy as np
import pytest

PHOTOGRAPHS = Path(__file__).resolve().parents[4] / "shared/data/coco"


@pytest.fixture(scope="session")
def labelled_people():
    """Return photographs, RGB, with the labels (N, 17, 3) of their larger people."""
    import json

    if not (PHOTOGRAPHS / "keypoints.json").is_file():
        pytest.skip(f"needs the shared photographs, and {PHOTOGRAPHS} has none")
    labels = json.loads((PHOTOGRAPHS / "keypoints.json").read_text())
    names = {one["id"]: one["file_name"] for one in labels["images"]}
    people: dict[int, list] = {}
    for one in labels["annotations"]:
        points = np.array(one["keypoints"], float).reshape(17, 3)
        if one["bbox"][3] >= 250 and not one["iscrowd"] and (points[:, 2] > 0).sum() >= 8:
            points = np.where(points[:, 2:] > 0, points, (np.nan, np.nan, 0.0))
            points[:, 2] = np.minimum(points[:, 2], 1)
            people.setdefault(one["image_id"], []).append(points)
    images = [
        np.ascontiguousarray(cv2.imread(str(PHOTOGRAPHS / "images" / names[i]))[..., ::-1]) for i in list(people)[:12]
    ]
    return images, [np.stack(people[i]) for i in list(people)[:12]]


class FixedNetwork:
    """Gives the same answer to every piece: what a test says the network says."""

    name, outputs = "fixed", ()

    def __init__(self, size, **answers):
        self.size, self.answers = size, answers

    def __call__(self, pieces):
        return {
            name: np.repeat(np.asarray(value, np.float32).reshape(1, -1), len(pieces), axis=0)
            for name, value in self.answers.items()
        }


@pytest.fixture(scope="session")
def fixed_network():
    """Return the class of networks that give one answer."""
    return FixedNetwork


@pytest.fixture(scope="session")
def mirror_people():
    """Return the function that mirrors an image and its people (N, J, 3)."""

    def mirror(image, keypoints, skeleton):
        other = keypoints[:, list(skeleton.flips)].copy()
        other[..., 0] = image.shape[1] - 1 - other[..., 0]
        return np.ascontiguousarray(image[:, ::-1]), other

    return mirror
