"""Train a network on joints of your own, here tricycles drawn by this script, and see how well it finds them.

    python examples/05_train_your_own_joints.py [--steps 400] [--out DIR]

Nothing in it is about people: the joints come from a YAML file, the labels are COCO-format JSON, and the same three
commands serve a data set of your own. Takes about two minutes on two cores. Writes tricycles/ with everything in it.
"""

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
import yaml

from triskel.detect2d import DetectOptions, load_detector
from triskel.detect2d.datasets import read_dataset
from triskel.detect2d.evaluation import evaluate
from triskel.detect2d.training import load_config, train

SKELETON = {
    "name": "tricycle",
    "joints": ["saddle", "bar", "front_wheel", "left_wheel", "right_wheel"],
    "limbs": [["saddle", "bar"], ["bar", "front_wheel"], ["saddle", "left_wheel"], ["saddle", "right_wheel"]],
    "flips": [["left_wheel", "right_wheel"]],
    "sigmas": dict.fromkeys(["saddle", "bar", "front_wheel", "left_wheel", "right_wheel"], 0.08),
}
SIZE_WH = (160, 128)


def tricycle(rng, middle):
    """Return (5, 2) places of the joints of a tricycle seen somewhat from the side, px."""
    size, tilt = rng.uniform(26, 36), rng.normal(0, 0.15)
    own = np.array([[0, 0], [0.9, -0.5], [1.0, 0.7], [-0.35, 0.75], [0.3, 0.85]])
    own[:, 0] *= rng.choice([-1, 1])
    c, s = np.cos(tilt), np.sin(tilt)
    return middle + size * own @ np.array([[c, s], [-s, c]])


def draw(image, xy):
    """Draw frame and wheels; left wheels are green, right wheels red, front wheels blue."""
    ends = np.round(16 * xy).astype(int)
    for a, b in ((0, 1), (1, 2), (0, 3), (0, 4)):
        cv2.line(image, ends[a].tolist(), ends[b].tolist(), (190, 190, 190), 3, cv2.LINE_AA, 4)
    for joint, colour in ((2, (220, 90, 30)), (3, (60, 190, 60)), (4, (50, 50, 220))):
        cv2.circle(image, ends[joint].tolist(), 16 * 8, colour, 3, cv2.LINE_AA, 4)
    cv2.circle(image, ends[0].tolist(), 16 * 4, (230, 230, 120), -1, cv2.LINE_AA, 4)


def make_dataset(folder, count, seed):
    """Write `count` images of two tricycles each, with labels."""
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    images, annotations = [], []
    for i in range(count):
        image = cv2.resize(rng.integers(30, 110, (8, 10, 3)).astype(np.uint8), SIZE_WH, interpolation=cv2.INTER_CUBIC)
        for middle in ((45, 55), (112, 60)):
            xy = tricycle(rng, np.array(middle) + rng.uniform(-8, 8, 2))
            draw(image, xy)
            inside = ((xy >= 0) & (xy < SIZE_WH)).all(axis=1)
            numbers = np.concatenate([xy, 2.0 * inside[:, None]], axis=1).round(2)
            box = [*xy.min(axis=0).tolist(), *np.ptp(xy, axis=0).tolist()]
            annotations.append(
                {"id": len(annotations), "image_id": i, "keypoints": numbers.ravel().tolist(), "bbox": box}
                | {"area": box[2] * box[3], "category_id": 1, "iscrowd": 0, "num_keypoints": int(inside.sum())}
            )
        cv2.imwrite(str(folder / f"images/{i:03d}.png"), image)
        images.append({"id": i, "file_name": f"{i:03d}.png", "width": SIZE_WH[0], "height": SIZE_WH[1]})
    categories = [{"id": 1, "name": "tricycle", "keypoints": SKELETON["joints"]}]
    data = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "keypoints.json").write_text(json.dumps(data))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--out", type=Path, default=Path("tricycles"))
    options = parser.parse_args()
    out = options.out
    make_dataset(out / "train", 64, seed=1)
    make_dataset(out / "val", 32, seed=2)
    (out / "tricycle.yaml").write_text(yaml.safe_dump(SKELETON))
    settings = {
        "skeleton": "tricycle.yaml",
        "network": "compact",
        "out": "network",
        "datasets": [{"annotations": "train"}],
        "validation": [{"annotations": "val"}],
        "crop": 160,
        "batch": 8,
        "steps": options.steps,
        # Never mirrored: the green wheel is the left one in every picture.
        "augment": {"focus": "image", "scale": [0.8, 1.2], "rotation_deg": 15, "shift_px": 16, "flip": 0},
        "optimiser": {"lr": 3e-3, "warmup": 20, "schedule": "cosine"},
        "checkpoint_every": 100,
        "log_every": 20,
    }
    (out / "train.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))

    # The same as: triskel train tricycles/train.yaml
    result = train(load_config(out / "train.yaml"))
    # The same as: triskel evaluate tricycles/network/last.safetensors tricycles/val --net-size 160x128 --no-mirror
    detector = load_detector(
        str(result.folder / "last.safetensors"), options=DetectOptions(net_size=SIZE_WH, mirror=False)
    )
    dataset = read_dataset(out / "val")
    scores = evaluate([("tricycles it has not seen", detector)], dataset)
    print(f"loss {result.loss:.1f}; AP {100 * scores.runs[0].scores.oks['body'].ap:.0f} on images it has not seen")
    image = cv2.imread(str(dataset.images[0].path))
    (found,) = detector([np.ascontiguousarray(image[..., ::-1])])
    for one in found.keypoints:
        for joint, (x, y, score) in zip(SKELETON["joints"], one, strict=True):
            print(f"{joint:>12} {x:6.1f} {y:6.1f}  score {score:.2f}")


if __name__ == "__main__":
    main()
