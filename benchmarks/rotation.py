"""What the rotation search (section 5.6 of the paper) is worth on pictures that are turned.

    python benchmarks/rotation.py [--images 30] [--tilts 0,90,180] [--model NAME|FILE]

Photographs of the shared COCO set with large, well labelled people are turned, and people are looked for without the
search and with it. A labelled joint counts as found when the person's own pose has it within a tenth of the person's
size (diagonal of the labelled joints); each pose is given to one labelled person, that with the most joints in common.
"""

import argparse
import runpy
import time
from pathlib import Path

import cv2
import numpy as np

from triskel.detect2d import DetectOptions, load_detector
from triskel.detect2d.datasets import match_joints, read_dataset
from triskel.detect2d.rotation import turn_image, turned_from_image

ROOT = Path(__file__).resolve().parents[1]
SEARCHES = {"none": (0.0,), "0, 180": (0.0, 180.0), "every 90": (0.0, 90.0, 180.0, 270.0)}
FEWEST_JOINTS, LEAST_HEIGHT_PX, NEAR_SHARE = 8, 80, 0.1


def well_labelled(dataset, most):
    """Return images with the keypoints (N, J, 3) of their people that are large and labelled enough."""
    chosen = []
    for image in dataset.images:
        seen = image.keypoints[..., 2] > 0
        height = np.array([np.ptp(one[known, 1]) for one, known in zip(image.keypoints, seen, strict=True)])
        people = image.keypoints[(seen.sum(axis=1) >= FEWEST_JOINTS) & (height > LEAST_HEIGHT_PX)]
        if len(people):
            chosen.append((image, people))
    return chosen[:most]


def found_joints(poses, truth):
    """Return how many of the labelled joints (N, J, 2) the poses (M, J, 2) have, each pose used once."""
    free, total = list(range(len(poses))), 0
    for person in truth:
        size = np.linalg.norm(np.nanmax(person, axis=0) - np.nanmin(person, axis=0))
        near = [(np.linalg.norm(poses[n] - person, axis=-1) < NEAR_SHARE * size).sum() for n in free]
        if near and max(near):
            total += max(near)
            free.pop(int(np.argmax(near)))
    return total


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--images", type=int, default=30)
    arguments.add_argument("--tilts", default="0,90,180")
    arguments.add_argument("--model", default="body")
    wanted = arguments.parse_args()
    dataset = read_dataset(ROOT.parent / "shared/data/coco/keypoints.json", ROOT.parent / "shared/data/coco/images")
    chosen = well_labelled(dataset, wanted.images)
    labelled = sum(int((people[..., 2] > 0).sum()) for _, people in chosen)
    print(runpy.run_path(str(Path(__file__).with_name("triangulate.py")))["header"]())
    print(f"{wanted.model}, {len(chosen)} photographs, {sum(len(p) for _, p in chosen)} people, {labelled} joints")
    print(f"{'turned':>6} {'search':>9} {'joints found':>12} {'poses':>6} {'s/image':>8}")
    for tilt in map(float, wanted.tilts.split(",")):
        for name, rotations in SEARCHES.items():
            detector = load_detector(wanted.model, options=DetectOptions(rotations_deg=rotations))
            ours, theirs = zip(*match_joints(detector.skeleton.joints, dataset.joints).items(), strict=True)
            joints = poses = 0
            started = time.perf_counter()
            for image, people in chosen:
                picture = np.ascontiguousarray(cv2.imread(str(image.path))[..., ::-1])
                A, _ = turned_from_image((picture.shape[1], picture.shape[0]), tilt)
                (found,) = detector([turn_image(picture, tilt)])
                truth = people[:, list(theirs), :2] @ A[:, :2].T + A[:, 2]
                joints += found_joints(found.keypoints[:, list(ours), :2], truth)
                poses += len(found)
            seconds = (time.perf_counter() - started) / len(chosen)
            print(f"{tilt:6g} {name:>9} {100 * joints / labelled:10.1f} % {poses:6} {seconds:8.2f}", flush=True)


if __name__ == "__main__":
    main()
