"""Other parsers of the same maps, for benchmarks/paf.py: those that import are measured, the others named.

`controlnet_aux` installs by pip. `pafprocess` is C++ in the source archive of tf-pose; built by hand (`g++ -O3 -shared
-fPIC` on its two .cpp files, with Python's and NumPy's headers) it imports by that name from a folder on PYTHONPATH.
Nothing of either is in this tree. Both know COCO-18 only.
"""

import importlib
import sys
import types

import cv2
import numpy as np
import scipy.ndimage

from triskel.detect2d.layout import LAYOUTS
from triskel.detect2d.parsing import ParseOptions, parse

COCO_18 = LAYOUTS["coco_18"]


def controlnet_aux():
    """Return the PyTorch port's parse, its network replaced by the maps."""
    import torch

    # Importing the package itself loads every annotator it has; its openpose module is enough.
    root = importlib.util.find_spec("controlnet_aux")
    if root is None:
        raise ImportError("controlnet_aux")
    sys.modules.setdefault("scipy.ndimage.filters", scipy.ndimage)  # it imports a name that SciPy has dropped
    for name in ("controlnet_aux", "controlnet_aux.open_pose"):
        package = types.ModuleType(name)
        package.__path__ = [root.submodule_search_locations[0] + name.removeprefix("controlnet_aux").replace(".", "/")]
        sys.modules[name] = package
    util = importlib.import_module("controlnet_aux.open_pose.util")  # before body; each imports from the other
    body = importlib.import_module("controlnet_aux.open_pose.body").Body
    enlarge = util.smart_resize_k
    # It would halve the picture for its network; the maps are of the whole one.
    util.smart_resize_k = lambda maps, fx, fy: maps if fx < 1 else enlarge(maps, fx=fx, fy=fy)

    class Maps(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.anchor = torch.nn.Parameter(torch.zeros(1))  # it asks the network for its device

        def forward(self, image):
            return self.affinity, self.confidence

    def run(confidence, affinity):
        found = body.__new__(body)
        found.model = Maps()
        background = np.maximum(0, 1 - confidence.max(axis=0, keepdims=True))
        found.model.confidence = torch.from_numpy(np.concatenate([confidence, background]))[None]
        found.model.affinity = torch.from_numpy(affinity)[None]
        candidate, subset = found(np.zeros((8 * confidence.shape[1], 8 * confidence.shape[2], 3), np.uint8))
        people = np.full((len(subset), 18, 2), np.nan)
        for person, row in zip(people, subset, strict=True):
            for j in np.flatnonzero(row[:18] >= 0):
                person[j] = candidate[int(row[j]), :2]
        return people

    return run


def pafprocess():
    """Return the C++ assembly, with its maps enlarged four times and peaks taken as its own front end does."""
    from pafprocess import get_num_humans, get_part_cid, get_part_x, get_part_y, process_paf

    zoom = 4

    def enlarge(maps):
        return np.stack([cv2.resize(one, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC) for one in maps], -1)

    def prepare(confidence, affinity):
        heat, field = enlarge(np.concatenate([confidence, confidence[:1]])), enlarge(affinity)
        smooth = np.stack([cv2.GaussianBlur(heat[..., j], (25, 25), 3) for j in range(19)], -1)
        highest = np.stack([cv2.dilate(smooth[..., j], np.ones((3, 3))) for j in range(19)], -1)
        return np.where(smooth == highest, smooth, 0), heat, field

    def run(prepared):
        process_paf(*prepared)
        people = np.full((get_num_humans(), 18, 2), np.nan)
        for n, person in enumerate(people):
            for j in range(18):
                part = get_part_cid(n, j)
                if part >= 0:
                    person[j] = ((get_part_x(part) + 0.5) / zoom - 0.5, (get_part_y(part) + 0.5) / zoom - 0.5)
        return (people + 0.5) * 8 - 0.5

    return prepare, run


def ours():
    """Return our parse of COCO-18 maps."""
    return lambda confidence, affinity: parse(confidence, affinity, COCO_18, ParseOptions()).keypoints


def contestants():
    """Return name -> parse of maps, for those that import; print who is missing."""
    found = {"triskel, whole": ours()}
    try:
        prepare, run = pafprocess()
        found["pafprocess (C++), whole, maps x4"] = lambda confidence, affinity: run(prepare(confidence, affinity))
        cache = {}

        def assembly(confidence, affinity):
            key = id(confidence)
            if key not in cache:
                cache[key] = (confidence, prepare(confidence, affinity))  # holds the map, so that its id stays its own
            return run(cache[key][1])

        found["pafprocess (C++), without the maps x4"] = assembly
    except ImportError:
        print("pafprocess is not here")
    try:
        found["controlnet_aux (PyTorch, NumPy), whole"] = controlnet_aux()
    except ImportError:
        print("controlnet_aux is not here")
    return found


def peers(scene, crowd, median_ms, seeds, counts):
    """Print time and accuracy of each parse on the same COCO-18 maps.

    Args:
        scene: of benchmarks/paf.py: (count, seed, layout) to people and maps.
        crowd: tests/detect2d/parsing/crowd.py as a dict.
        median_ms: of benchmarks/paf.py.
        seeds: of the crowds.
        counts: numbers of people.
    """
    print("\nthe same COCO-18 maps through other parsers")
    parsers = contestants()
    print(f"{'parser':40} {'people':>6} {'ms':>9} {'recall':>7} {'prec.':>7}")
    for count in counts:
        scenes = [scene(count, seed, COCO_18) for seed in seeds]
        for name, run in parsers.items():
            right, times = [], []
            for people, maps in scenes:
                times.append(median_ms(lambda r=run, m=maps: r(*m), 3))
                found = run(*maps)
                right.append(
                    crowd["found_joints"](found, people) if len(found) else (0, 0, np.isfinite(people[..., 0]).sum())
                )
            recall, precision = crowd["recall_and_precision"](right)
            print(f"{name:40} {count:>6} {np.median(times):9.3f} {recall:7.4f} {precision:7.4f}", flush=True)
