"""From network maps to people: time, growth with the crowd, accuracy, and the structures of the paper's Table 2.

    python benchmarks/paf.py [--quick] [--plot FILE.png]

Maps are rendered from known poses (tests/detect2d/parsing/crowd.py): BODY_25 at 656 x 368, 82 x 46 cells, with normal
noise of 0.01. Times are medians on one core after a run that compiles. A joint counts as found within 8 px, one map
cell, of the truth, after found people and real ones were paired so that the most joints are right: recall is right
joints / joints in the image, precision right joints / joints found. The network's time is the fastest run: both cores
are wanted, and other work there shows at once. Growth is the slope of log time over log people.

Other parsers get COCO-18 maps of the same crowds if they import; see paf_peers.py for which and how.
"""

import json
import math
import runpy
import sys
import time
from pathlib import Path

import cv2
import numpy as np

from triskel.detect2d.layout import LAYOUTS, complete_layout
from triskel.detect2d.parsing import ParseOptions, parse
from triskel.detect2d.parsing.parse import connect
from triskel.detect2d.parsing.peaks import find_peaks

ROOT = Path(__file__).resolve().parents[1]
CROWD = runpy.run_path(str(ROOT / "tests/detect2d/parsing/crowd.py"))
HERE = runpy.run_path(str(Path(__file__).with_name("triangulate.py")))
PEERS = runpy.run_path(str(Path(__file__).with_name("paf_peers.py")))
BODY_25, OPTIONS, NOISE = LAYOUTS["body_25"], ParseOptions(), 0.01
COUNTS = (1, 3, 9, 19, 30)


def scene(count, seed, layout=BODY_25, *, hidden=0.0):
    """Return people (N, J, 2) and their maps; a share of the joints is hidden, on the maps and in the truth."""
    rng = np.random.default_rng(seed)
    people = CROWD["crowd"](rng, count)
    people[rng.random(people.shape[:2]) < hidden] = np.nan
    if layout.skeleton != BODY_25.skeleton:
        people = people[:, [BODY_25.skeleton.index(joint) for joint in layout.skeleton.joints]]
    return people, CROWD["render"](people, layout, noise=NOISE, rng=rng)


def median_ms(function, runs):
    function()
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return 1000 * float(np.median(seconds))


def growth(counts, times):
    """Return k of time ~ n^k."""
    return float(np.polyfit(np.log(counts), np.log(times), 1)[0])


def time_of_the_parse(seeds, runs):
    """Print time and accuracy of the default method by number of people; return the rows for the plot."""
    print(
        f"\n{'people':>6} {'candidates':>10} {'NMS ms':>8} {'score+assemble ms':>18} {'whole ms':>9} "
        f"{'recall':>7} {'prec.':>7}"
    )
    rows = []
    for count in COUNTS:
        times, right, candidates = [], [], []
        for seed in seeds:
            people, (confidence, affinity) = scene(count, seed)
            peaks = find_peaks(confidence, OPTIONS.peak_threshold)
            candidates.append(len(peaks[1]))
            times.append(
                (
                    median_ms(lambda c=confidence: find_peaks(c, OPTIONS.peak_threshold), runs),
                    median_ms(lambda a=affinity, p=peaks: connect(a, *p, BODY_25, OPTIONS), runs),
                    median_ms(lambda c=confidence, a=affinity: parse(c, a, BODY_25, OPTIONS), runs),
                )
            )
            found = parse(confidence, affinity, BODY_25, OPTIONS)
            right.append(CROWD["found_joints"](found.keypoints, people))
        nms, join, whole = np.median(times, axis=0)
        recall, precision = CROWD["recall_and_precision"](right)
        print(
            f"{count:>6} {np.mean(candidates):10.0f} {nms:8.3f} {join:18.3f} {whole:9.3f} "
            f"{recall:7.4f} {precision:7.4f}"
        )
        rows.append((count, nms, join, whole))
    few, many = np.array(rows)[:3], np.array(rows)[2:]
    for name, column in (("NMS", 1), ("score + assemble", 2)):
        low, high = (growth(part[:, 0], part[:, column]) for part in (few, many))
        print(f"growth of {name}: n^{low:.2f} up to 9 people, n^{high:.2f} from 9 to 30")
    return rows


def structures(seeds, counts):
    """Print the structures of Table 2 side by side."""
    complete = complete_layout(BODY_25.skeleton)
    methods = (
        ("6b complete graph, integer programme", complete, "integer"),
        ("   our limbs, integer programme", BODY_25, "integer"),
        ("6c tree, integer programme", BODY_25, "integer_tree"),
        ("6d tree, bipartite matching", BODY_25, "bipartite"),
        ("ours: greedy, redundant limbs", BODY_25, "greedy"),
    )
    print(
        f"\n{'structure':36} {'people':>6} {'hidden':>6} {'limbs':>5} {'recall':>7} {'prec.':>7} "
        f"{'s/image':>9} {'slowest':>8}"
    )
    for count, hidden in ((count, hidden) for count in counts for hidden in (0.0, 0.1)):
        for name, layout, method in methods:
            right, seconds = [], []
            for seed in seeds:
                people, maps = scene(count, seed, layout, hidden=hidden)
                start = time.perf_counter()
                found = parse(*maps, layout, ParseOptions(method=method))
                seconds.append(time.perf_counter() - start)
                right.append(CROWD["found_joints"](found.keypoints, people))
            recall, precision = CROWD["recall_and_precision"](right)
            limbs = len(layout.limbs) if method in ("greedy", "integer") else len(layout.tree)
            print(
                f"{name:36} {count:>6} {hidden:6.0%} {limbs:>5} {recall:7.4f} {precision:7.4f} "
                f"{np.median(seconds):9.5f} {max(seconds):8.4f}",
                flush=True,
            )


def upsampled_peaks(part, threshold):
    """The seed system's recipe: bicubic to the input size, maxima of 8 neighbours, centroid of 7 x 7; in cells."""
    height, width = part.shape
    big = cv2.resize(part, (8 * width, 8 * height), interpolation=cv2.INTER_CUBIC)
    inner = big[1:-1, 1:-1]
    peak = inner > threshold
    for dy, dx in ((i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j):
        peak &= inner > big[1 + dy : big.shape[0] - 1 + dy, 1 + dx : big.shape[1] - 1 + dx]
    found = []
    for row, column in np.argwhere(peak) + 1:
        rows, columns = np.mgrid[
            max(row - 3, 0) : min(row + 4, 8 * height), max(column - 3, 0) : min(column + 4, 8 * width)
        ]
        weight = np.maximum(big[rows, columns], 0)
        found.append(((columns * weight).sum() / weight.sum(), (rows * weight).sum() / weight.sum()))
    return (np.array(found).reshape(-1, 2) + 0.5) / 8 - 0.5


def peak_error(find, sigma, noise, apart_px, trials):
    """Return RMS error, px, where all joints were told apart, and the share of trials in which they were."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:24, 0:24]
    errors, apart = [], 0
    for _ in range(trials):
        angle = rng.uniform(0, 2 * np.pi)
        first = rng.uniform(10, 13, 2)
        centres = [first] if not apart_px else [first, first + apart_px / 8 * np.array([np.cos(angle), np.sin(angle)])]
        each = [np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * sigma**2)) for cx, cy in centres]
        part = (np.max(each, axis=0) + rng.normal(0, noise, x.shape)).astype(np.float32)
        found = find(part, 0.3)
        if len(found) == len(centres):
            apart += 1
            errors += [8 * np.linalg.norm(found - centre, axis=1).min() for centre in centres]
    return float(np.sqrt(np.mean(np.square(errors)))), apart / trials


def sub_pixel(trials):
    """Print the error of the positions of rendered joints at random places between the cells."""
    print("\njoints between the cells: RMS error in input px, and share of images with as many peaks as joints")
    print(f"{'Gaussian':20} {'noise':>5} {'apart px':>8} {'ours':>14} {'seed recipe':>14}")
    for name, sigma in (("exp(-d2 / 2 sigma2)", 7 / 8), ("exp(-d2 / sigma2)", 7 / 8 / math.sqrt(2))):
        for noise, apart_px in ((0, 0), (0.01, 0), (0.03, 0), (0, 10), (0, 12), (0, 14), (0, 16), (0.03, 16), (0, 20)):
            ours = peak_error(lambda part, least: find_peaks(part[None], least)[0], sigma, noise, apart_px, trials)
            seed = peak_error(upsampled_peaks, sigma, noise, apart_px, trials)
            numbers = " ".join(f"{error:7.3f} {share:6.2f}" for error, share in (ours, seed))
            print(f"{name:20} {noise:5.2f} {apart_px or '-':>8} {numbers}")


def picture(count, crops, rng):
    """Paste crops of people into a grey 656 x 368 picture, RGB."""
    image = np.full((368, 656, 3), 127, np.uint8)
    for _ in range(count):
        crop = crops[rng.integers(len(crops))]
        height = int(rng.integers(90, 180))
        width = min(max(int(crop.shape[1] * height / crop.shape[0]), 16), 300)
        x, y = rng.integers(0, 656 - width), rng.integers(0, 368 - height)
        image[y : y + height, x : x + width] = cv2.resize(crop, (width, height), interpolation=cv2.INTER_AREA)
    return image


def crops_of_people(folder):
    """Return crops of the larger people of a COCO folder, RGB."""
    data = json.loads((folder / "keypoints.json").read_text(encoding="utf-8"))
    names = {image["id"]: image["file_name"] for image in data["images"]}
    crops = []
    for person in data["annotations"]:
        x, y, width, height = map(int, person["bbox"])
        if height > 120 and width > 40 and person["num_keypoints"] > 12 and len(crops) < 25:
            image = cv2.imread(str(folder / "images" / names[person["image_id"]]))
            crops.append(image[y : y + height, x : x + width, ::-1])
    return crops


def time_of_the_network(runs):
    """Print the time of network and parse by number of people pasted into a picture; return rows for the plot."""
    import torch

    from triskel.detect2d import DetectOptions, load_detector

    folder = ROOT.parent / "shared/data/coco"
    if not (folder / "keypoints.json").is_file():
        print(f"\nnetwork: {folder} is missing, so there are no people to paste")
        return []
    crops = crops_of_people(folder)
    detector = load_detector(options=DetectOptions(net_size=(656, 368), mirror=False))
    print(
        f"\n{'people pasted':>13} {'found':>5} {'network ms':>10} {'parse ms':>8}   "
        f"mobilenet_thin, {detector.precision}, {torch.get_num_threads()} threads"
    )
    rng = np.random.default_rng(0)
    images = [picture(count, crops, rng) for count in COUNTS]
    seconds = np.empty((runs + 1, len(images)))
    for one in seconds:  # in turns, so that whatever else the machine does falls on all numbers of people alike
        for k, image in enumerate(images):
            start = time.perf_counter()
            detector.maps([image])
            one[k] = time.perf_counter() - start
    rows = []
    for count, image, network in zip(COUNTS, images, 1000 * seconds[1:].min(axis=0), strict=True):
        maps = detector.maps([image])
        rest = median_ms(lambda i=image, m=maps: detector([i], maps=m), runs)
        print(f"{count:>13} {len(detector([image], maps=maps)[0]):>5} {network:10.1f} {rest:8.2f}")
        rows.append((count, network, rest))
    print(f"growth of the network: n^{growth(*np.array(rows).T[:2]):.2f}")
    return rows


def plot(path, rows, network):
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    table = np.array(rows)
    for column, name in ((1, "non-maximum suppression"), (2, "scoring and assembly"), (3, "maps to people, whole")):
        axes.plot(table[:, 0], table[:, column], "o-", label=name)
    if network:
        axes.plot(*np.array(network).T[:2], "s--", label="network (mobilenet_thin, CPU)")
    axes.plot([9], [0.58], "kx", label="the paper's parse, 9 people")
    axes.set(xscale="log", yscale="log", xlabel="people in the image", ylabel="ms an image", xticks=COUNTS)
    axes.set_xticks(COUNTS, [str(count) for count in COUNTS], minor=False)
    axes.minorticks_off()
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=150)
    print(f"\n{path}")


def main(arguments):
    quick = "--quick" in arguments
    print(HERE["header"]())
    rows = time_of_the_parse(range(2 if quick else 10), 20 if quick else 100)
    structures(range(2 if quick else 10), (3, 9) if quick else (3, 9, 19))
    sub_pixel(50 if quick else 400)
    PEERS["peers"](scene, CROWD, median_ms, range(2 if quick else 5), (9,) if quick else (1, 9, 19))
    network = time_of_the_network(3 if quick else 15)
    if "--plot" in arguments:
        plot(arguments[arguments.index("--plot") + 1], rows, network)


if __name__ == "__main__":
    main(sys.argv[1:])
