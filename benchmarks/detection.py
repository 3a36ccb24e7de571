"""Time of detection per image, by network input, scales, precision and threads.

    python benchmarks/detection.py [--quick] [--model NAME|FILE] [IMAGE ...]

Without images it takes the shared photographs, or noise where they are missing (then the parse has nothing to do).
Each setting runs once to warm up, then five times; the best is given, for one image and for a batch of four, and what
the network alone takes of it. Image decoding is not counted. The mirrored picture is run as well, as by default.
"""

import argparse
import runpy
import time
from itertools import product
from pathlib import Path

import cv2
import numpy as np
import torch

from triskel.detect2d import DetectOptions, load_detector

ROOT = Path(__file__).resolve().parents[1]
INPUTS = {"304": {"short_side": 304}, "656x368": {"net_size": (656, 368)}, "512": {"short_side": 512}}
SCALES, PRECISIONS = ((1.0,), (0.7, 1.0, 1.3)), ("float32", "bfloat16")
RUNS = 5


def read_images(paths):
    """Return four images of one size, RGB, 1280 x 720."""
    paths = paths or sorted((ROOT.parent / "shared/data/coco/images").glob("*.jpg"))[:4]
    if not paths:
        return [np.random.default_rng(i).integers(0, 256, (720, 1280, 3), np.uint8) for i in range(4)], "noise"
    images = [cv2.resize(cv2.imread(str(path)), (1280, 720))[..., ::-1] for path in paths[:4]]
    return [np.ascontiguousarray(images[i % len(images)]) for i in range(4)], f"{len(images)} photographs"


def best_ms(function):
    function()
    seconds = []
    for _ in range(RUNS):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return 1000 * min(seconds)


def network_ms(detector, image):
    """Return the best time that the network alone takes for one image, all scales and the mirrored picture, ms."""
    run, seconds = detector._run, []

    def timed(batch):
        start = time.perf_counter()
        maps = run(batch)
        seconds[-1] += time.perf_counter() - start
        return maps

    detector._run = timed
    for _ in range(RUNS):
        seconds.append(0.0)
        detector([image])
    detector._run = run
    return 1000 * min(seconds)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--quick", action="store_true", help="one input size and one scale")
    arguments.add_argument("--model", default="body")
    arguments.add_argument("images", nargs="*")
    wanted = arguments.parse_args()
    images, source = read_images(wanted.images)
    print(runpy.run_path(str(Path(__file__).with_name("triangulate.py")))["header"]())
    print(f"torch {torch.__version__}, {wanted.model}, {source} of 1280 x 720, best of {RUNS}")
    columns = (
        ("input", 8),
        ("scales", 11),
        ("precision", 9),
        ("threads", 7),
        ("ms, one", 8),
        ("network", 8),
        ("ms of 4", 8),
    )
    print(" ".join(f"{name:>{width}}" for name, width in columns), "people")
    inputs, scales = (("304",), SCALES[:1]) if wanted.quick else (tuple(INPUTS), SCALES)
    for size, factors, precision, threads in product(inputs, scales, PRECISIONS, (1, torch.get_num_threads())):
        options = DetectOptions(scales=factors, precision=precision, threads=threads, **INPUTS[size])
        detector = load_detector(wanted.model, options=options)
        one, four = best_ms(lambda d=detector: d(images[:1])), best_ms(lambda d=detector: d(images)) / 4
        people, network = sum(len(one) for one in detector(images)), network_ms(detector, images[0])
        name = " ".join(f"{factor:g}" for factor in factors)
        print(
            f"{size:>8} {name:>11} {precision:>9} {threads:7} {one:8.0f} {network:8.0f} {four:8.0f} {people:6}",
            flush=True,
        )


if __name__ == "__main__":
    main()
