"""A small data set made here: coloured figures on noise, in COCO format, with everything a real one has."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

SHARED = Path(__file__).resolve().parents[4] / "shared/data"

JOINTS = ("Top", "Left", "Right")
COLOURS_BGR = ((40, 40, 230), (40, 220, 40), (230, 60, 40))
SKELETON = {
    "name": "kite",
    "joints": ["Top", "Left", "Right"],
    "limbs": [["Top", "Left"], ["Top", "Right"]],
    "flips": [["Left", "Right"]],
    "sigmas": {"Top": 0.08, "Left": 0.08, "Right": 0.08},
}


def draw_kite(image, xy):
    """Draw a figure of three joints: lines from the top to both sides, a coloured disc at each."""
    for end in (1, 2):
        cv2.line(image, *(tuple(np.round(4 * xy[j]).astype(int).tolist()) for j in (0, end)), (150, 150, 150), 5, 16, 2)
    for joint, colour in enumerate(COLOURS_BGR):
        cv2.circle(image, tuple(np.round(4 * xy[joint]).astype(int).tolist()), 20, colour, -1, 16, 2)


def write_kites(folder, *, images=6, people=2, size_wh=(128, 96), seed=0):
    """Write a COCO-format data set of figures; return its annotations file."""
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    entries, annotations = [], []
    for i in range(images):
        image = rng.integers(90, 120, (size_wh[1], size_wh[0], 3)).astype(np.uint8)
        for k in range(people):
            top = np.array([size_wh[0] * (k + 0.5) / people, 30.0]) + rng.uniform(-6, 6, 2)
            spread = rng.uniform(12, 18)
            xy = top + np.array([[0, 0], [-spread, 38], [spread, 38]])
            draw_kite(image, xy)
            numbers = np.concatenate([xy, np.full((3, 1), 2)], axis=1).ravel().round(2).tolist()
            box = [*xy.min(axis=0).tolist(), *np.ptp(xy, axis=0).tolist()]
            annotations.append(
                {"id": len(annotations), "image_id": i, "category_id": 1, "keypoints": numbers, "num_keypoints": 3,
                 "bbox": box, "area": box[2] * box[3], "iscrowd": 0}
            )  # fmt: skip
        cv2.imwrite(str(folder / "images" / f"{i}.png"), image)
        entries.append({"id": i, "file_name": f"{i}.png", "width": size_wh[0], "height": size_wh[1]})
    names = ["top", "left", "right"]
    data = {
        "images": entries,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "kite", "keypoints": names}],
    }
    (folder / "keypoints.json").write_text(json.dumps(data))
    return folder / "keypoints.json"


@pytest.fixture(scope="session")
def kites(tmp_path_factory):
    """Return the folder of a data set of 6 images with 2 figures each, and its skeleton file."""
    folder = tmp_path_factory.mktemp("kites")
    write_kites(folder)
    (folder / "kite.yaml").write_text(yaml.safe_dump(SKELETON))
    return folder


@pytest.fixture
def make_config(kites, tmp_path):
    """Return the function that gives a training configuration on the figures, small enough for tests."""
    from triskel.detect2d.training.config import TrainConfig

    def make(**changes):
        settings = {
            "skeleton": str(kites / "kite.yaml"),
            "network": {
                "backbone": "residual",
                "stages": ["paf", "cm"],
                "repeats": 1,
                "width": 16,
                "hidden": 16,
                "first_repeats": 1,
                "first_width": 16,
                "first_hidden": 16,
                "activation": "relu",
                "residual": {"widths": [8, 16, 24, 32], "blocks": [0, 0, 1, 1], "features": 24},
            },
            "out": tmp_path / "out",
            "datasets": [{"annotations": kites / "keypoints.json"}],
            "crop": 64,
            "batch": 4,
            "steps": 6,
            "precision": "float32",
            "device": "cpu",
            "workers": 0,
            "checkpoint_every": 3,
            "log_every": 1,
            "augment": {"focus": "image", "scale": [1, 1], "rotation_deg": 0, "shift_px": 0, "flip": 0},
        }
        return TrainConfig.model_validate(settings | changes)

    return make
