"""Time of detection per image, by network size, scales and precision.

    python benchmarks/detection.py [--quick] [IMAGE ...]

Without images it takes the shared photographs, or noise where they are missing (then the parse has nothing to do).
Each setting runs once to warm up, then three times; the median is given, for one image and for a batch of four, and
the share that the network alone takes. Image decoding is not counted.
"""

import runpy
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import torch

from triskel.detect2d import DetectOptions, load_detector

ROOT = Path(__file__).resolve().parents[1]
SIZES, SCALES, PRECISIONS = (256, 368, 512), ((1.0,), (0.7, 1.0, 1.3)), ("float32", "bfloat16")


def read_images(paths):
    """Return four images of one size, RGB, 1280 x 720."""
    paths = paths or sorted((ROOT.parent / "shared/data/coco/images").glob("*.jpg"))[:4]
    if not paths:
        return [np.random.default_rng(i).integers(0, 256, (720, 1280, 3), np.uint8) for i in range(4)], "noise"
    images = [cv2.resize(cv2.imread(str(path)), (1280, 720))[..., ::-1] for path in paths[:4]]
    return [np.ascontiguousarray(images[i % len(images)]) for i in range(4)], f"{len(images)} photographs"


def median_ms(function):
    function()
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return 1000 * float(np.median(seconds))


def network_ms(detector, images):
    """Return the time that the network alone takes for one image, all scales, ms."""
    seconds, run = [], detector._run

    def timed(batch):
        start = time.perf_counter()
        maps = run(batch)
        seconds.append(time.perf_counter() - start)
        return maps

    detector._run = timed
    detector(images[:1])
    detector._run = run
    return 1000 * sum(seconds)


def main(arguments):
    quick = "--quick" in arguments
    images, source = read_images([path for path in arguments if path != "--quick"])
    print(runpy.run_path(str(Path(__file__).with_name("triangulation.py")))["header"]())
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {source} of 1280 x 720")
    print(
        f"{'short side':>10} {'scales':>15} {'precision':>9} {'ms, one':>8} {'network':>8} {'ms each of 4':>12} people"
    )
    for size in SIZES[:1] if quick else SIZES:
        for scales in SCALES[:1] if quick else SCALES:
            for precision in PRECISIONS:
                detector = load_detector(options=DetectOptions(short_side=size, scales=scales, precision=precision))
                one, four = median_ms(lambda d=detector: d(images[:1])), median_ms(lambda d=detector: d(images)) / 4
                people = sum(len(one) for one in detector(images))
                network, name = network_ms(detector, images), " ".join(map(str, scales))
                print(f"{size:>10} {name:>15} {precision:>9} {one:8.0f} {network:8.0f} {four:12.0f} {people:6}")


if __name__ == "__main__":
    main(sys.argv[1:])
