"""A model on a data set: images in batches, people and times out, once for each setting."""

import logging
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from triskel.detect2d.datasets import KeypointDataset, LabelledImage, read_labelled_image
from triskel.detect2d.evaluation.ground_truth import GroundTruth, read_ground_truth
from triskel.detect2d.evaluation.oks import DEFAULT_SIGMA
from triskel.detect2d.evaluation.partners import labels_parts
from triskel.detect2d.evaluation.score import METRICS, Metric, Scores, joint_groups, score
from triskel.errors import InputError
from triskel.keypoints import People2D
from triskel.progress import Progress, silent
from triskel.skeleton import Skeleton

log = logging.getLogger(__name__)

BATCH = 8  # images of one size that run together: more is no faster on a processor, and fills memory


class FindsPeople(Protocol):
    """What can be evaluated: `Detector`, or anything that finds people of one skeleton in images."""

    @property
    def skeleton(self) -> Skeleton:
        """Return the joints that it finds."""

    def __call__(self, images_rgb: Sequence[NDArray[np.uint8]], /) -> list[People2D]:
        """Return the people of each image (H, W, 3) uint8 RGB."""


@dataclass(frozen=True, eq=False)
class Run:
    """One setting's result.

    Attributes:
        name: e.g. `3 scales`.
        people: one entry an image, in the order of the ground truth.
        ms_per_image: the detector's time alone, without reading files; averaged over the images.
        scores: the figures.
    """

    name: str
    people: tuple[People2D, ...]
    ms_per_image: float
    scores: Scores


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A model's figures on a data set.

    Attributes:
        truth: the labels.
        skeleton: the model's joints.
        runs: one a setting.
    """

    truth: GroundTruth
    skeleton: Skeleton
    runs: tuple[Run, ...]


def evaluate(
    detectors: Sequence[tuple[str, FindsPeople]],
    dataset: KeypointDataset,
    *,
    metrics: Collection[Metric] = METRICS,
    progress: Progress = silent,
) -> Evaluation:
    """Run one model in one or more settings on a data set, and score each.

    Args:
        detectors: name of the setting, and the model in it.
        dataset: the images and labels.
        metrics: what to compute.
        progress: told after each batch; the stage is the name of the setting.

    Raises:
        ConfigError: model and data set have no joint in common.
        InputError: an image cannot be read or has another size than its annotations say, or nobody has a label of the
            joints that both have, nor of hands or faces.
    """
    truth = read_ground_truth(dataset)
    skeleton = detectors[0][1].skeleton
    labels = truth.select(list(joint_groups(skeleton, truth)[0].joints.values()))
    parts = {"hand", "face"} & set(metrics) and labels_parts(skeleton, truth)
    if "oks" in metrics and not labels.people and not parts:  # said before hours of work
        raise InputError(f"{truth.annotations}: nobody has a label of {', '.join(labels.joints)}; nothing to score")
    if skeleton.sigmas is None and "oks" in metrics:
        log.warning("skeleton %r has no sigmas: OKS takes %g for every joint", skeleton.name, DEFAULT_SIGMA)
    runs = []
    for name, detector in detectors:
        people, ms_per_image = detect_all(detector, dataset, stage=name, progress=progress)
        runs.append(Run(name, tuple(people), ms_per_image, score(people, truth, skeleton, metrics=metrics)))
    return Evaluation(truth, skeleton, tuple(runs))


def detect_all(
    detector: FindsPeople, dataset: KeypointDataset, *, stage: str = "detect", progress: Progress = silent
) -> tuple[list[People2D], float]:
    """Return the people of each image, and the mean time of an image, ms.

    The first batch runs twice, once unmeasured: compiling and loading belong to no image.

    Raises:
        InputError: an image cannot be read or has another size than its annotations say.
    """
    found: dict[int, People2D] = {}
    seconds = 0.0
    for batch in _batches(dataset.images):
        images = [np.ascontiguousarray(read_labelled_image(dataset.images[i])[..., ::-1]) for i in batch]
        if not found:
            detector(images)
        started = time.perf_counter()
        people = detector(images)
        seconds += time.perf_counter() - started
        found.update(zip(batch, people, strict=True))
        progress(stage, len(found), len(dataset.images))
    return [found[i] for i in range(len(dataset.images))], 1000 * seconds / len(found)


def _batches(images: Sequence[LabelledImage]) -> Iterator[list[int]]:
    """Yield indices of images of one size, a batch at a time."""
    by_size = sorted(range(len(images)), key=lambda i: images[i].size_wh)
    for _, same in groupby(by_size, key=lambda i: images[i].size_wh):
        index = list(same)
        yield from (index[start : start + BATCH] for start in range(0, len(index), BATCH))
