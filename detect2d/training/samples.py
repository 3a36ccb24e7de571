"""Training data sets in the joints of a skeleton, and one training sample: crop, keypoints, mask."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from triskel.detect2d.datasets import LabelledImage, match_joints, read_dataset, read_labelled_image
from triskel.detect2d.layout import PafLayout
from triskel.detect2d.training.augment import random_colour, random_view
from triskel.detect2d.training.config import DatasetConfig, TrainConfig
from triskel.errors import ConfigError, InputError
from triskel.skeleton import Skeleton

log = logging.getLogger(__name__)

_FAR = 1e6  # cells; OpenCV draws no outline that goes farther than its integers reach


class Sample(NamedTuple):
    """One training image.

    Attributes:
        image_bgr: (crop, crop, 3).
        keypoints: (P, J, 2) crop px, NaN where unlabelled.
        cells: (h, w) W of the paper's equations 4 and 5: 0 where people are not labelled.
    """

    image_bgr: NDArray[np.uint8]
    keypoints: NDArray[np.float32]
    cells: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """A data set in the joints of the skeleton that is trained.

    Attributes:
        name: for messages.
        images: files, sizes and outlines of what is unlabelled.
        keypoints: for each image (N, J, 2) px, NaN where unlabelled; means (neck, mid-hip) included.
        units: (U, 2) what is drawn from the set: image, and person in focus or -1.
        confidence: (J + 1,) 1 for channels that the set trains.
        affinity: (2 L,) likewise.
        probability: of a batch to come from this set.
    """

    name: str
    images: Sequence[LabelledImage]
    keypoints: Sequence[NDArray[np.float64]]
    units: NDArray[np.int64]
    confidence: NDArray[np.float32]
    affinity: NDArray[np.float32]
    probability: float


def load_training_set(config: DatasetConfig, layout: PafLayout, *, focus: str) -> TrainingSet:
    """Read a data set and bring its labels into the joints of the layout.

    Raises:
        InputError: the files are missing or broken, or label none of the skeleton's joints.
        ConfigError: `joints` or `rename` names a joint that is not there.
    """
    skeleton, where = layout.skeleton, config.annotations
    data = read_dataset(config.annotations, config.images, first=config.first)
    try:
        matched = match_joints(skeleton.joints, data.joints, config.rename)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error
    keypoints = [_in_skeleton(image.keypoints, matched, skeleton) for image in data.images]
    labelled = _labelled_joints(matched, skeleton)
    if not labelled.any():
        raise InputError(
            f"{where}: labels {', '.join(data.joints)}, none of which is a joint of {skeleton.name}; use rename"
        )
    trained = labelled & _wanted_joints(config, skeleton)
    if not trained.any():
        raise ConfigError(f"{where}: joints lists none that the set labels")
    limbs, units = layout.limb_array, _units(keypoints, focus)
    if not len(units):
        raise InputError(
            f"{where}: nobody has two labelled joints of {skeleton.name}, so there is no person to focus on"
        )
    for joint, others in skeleton.means:
        if joint in matched:
            means = ", ".join(skeleton.joints[i] for i in others)
            log.warning("%s: its labels of %s give way to the mean of %s", where, skeleton.joints[joint], means)
    return TrainingSet(
        name=str(where),
        images=data.images,
        keypoints=keypoints,
        units=units,
        # What is background beside a joint that the set does not label is unknown.
        confidence=np.append(trained, labelled.all()).astype(np.float32),
        affinity=np.repeat(labelled[limbs].all(axis=1) & trained[limbs].any(axis=1), 2).astype(np.float32),
        probability=config.probability,
    )


def _in_skeleton(keypoints: NDArray[np.float64], matched: dict[int, int], skeleton: Skeleton) -> NDArray[np.float64]:
    """Return (N, J, 2) in the skeleton's joints; a mean is there where all that it is the mean of are."""
    out = np.full((len(keypoints), len(skeleton), 2), np.nan)
    for ours, theirs in matched.items():
        out[:, ours] = keypoints[:, theirs, :2]
    for joint, others in skeleton.means:
        out[:, joint] = out[:, list(others)].mean(axis=1)
    return out


def _labelled_joints(matched: dict[int, int], skeleton: Skeleton) -> NDArray[np.bool_]:
    labelled = np.zeros(len(skeleton), dtype=bool)
    labelled[list(matched)] = True
    for joint, others in skeleton.means:
        labelled[joint] = labelled[list(others)].all()
    return labelled


def _wanted_joints(config: DatasetConfig, skeleton: Skeleton) -> NDArray[np.bool_]:
    if config.joints is None:
        return np.ones(len(skeleton), dtype=bool)
    wanted = np.zeros(len(skeleton), dtype=bool)
    try:
        wanted[[skeleton.index(joint) for joint in config.joints]] = True
    except ConfigError as error:
        raise ConfigError(f"{config.annotations}: joints: {error}") from error
    return wanted


def _units(keypoints: Sequence[NDArray[np.float64]], focus: str) -> NDArray[np.int64]:
    """Return what is drawn: every image once, or every person with at least two labelled joints."""
    units = []
    for i, people in enumerate(keypoints):
        if focus == "image":
            units.append((i, -1))
            continue
        enough = np.isfinite(people[..., 0]).sum(axis=1) >= min(2, people.shape[1])
        units += [(i, int(person)) for person in np.flatnonzero(enough)]
    return np.array(units, dtype=np.int64).reshape(-1, 2)


def draw_sample(
    dataset: TrainingSet, unit: int, layout: PafLayout, config: TrainConfig, rng: np.random.Generator
) -> Sample:
    """Read one unit of a data set and vary it.

    Raises:
        InputError: the image cannot be read, or is not of the size that the annotations say.
    """
    i, person = dataset.units[unit]
    entry, people = dataset.images[i], dataset.keypoints[i]
    image = read_labelled_image(entry)
    view = random_view(
        entry.size_wh,
        None if person < 0 else entry.boxes[person],
        crop=config.crop,
        config=config.augment,
        rng=rng,
    )
    keypoints = view.points(people)
    if view.mirrored:
        keypoints = keypoints[:, list(layout.skeleton.flips)]
    pixels = random_colour(view.pixels(image), config.augment.colour, rng)
    grid = config.crop // layout.stride
    cells = np.ones((grid, grid), dtype=np.float32)
    # Polygons in sixteenths of a cell, the precision of the drawing.
    outlines = [
        np.round(16 * np.clip((view.points(outline) + 0.5) / layout.stride - 0.5, -_FAR, _FAR)).astype(np.int32)
        for outline in entry.unlabelled
    ]
    for outline in outlines:
        cv2.fillPoly(cells, [outline], 0.0, shift=4)
    return Sample(pixels, keypoints.astype(np.float32), cells)
