"""Which images make up which step: a function of the seed and the step alone.

Nothing has to be remembered between steps, so a training that was killed goes on with the very batches it would have
seen, and the number of processes that prepare them changes nothing.
"""

import math
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from triskel.detect2d.layout import PafLayout
from triskel.detect2d.training.config import TrainConfig
from triskel.detect2d.training.samples import Sample, TrainingSet, draw_sample
from triskel.errors import JobError, TriskelError

_CHOICE, _ORDER, _VIEW = 0, 1, 2  # separate streams of random numbers


class Batch(NamedTuple):
    """The images of one step, all from one data set.

    Attributes:
        image_bgr: (B, 3, crop, crop) uint8.
        keypoints: (B, P, J, 2) crop px, NaN where unlabelled, and for P beyond an image's people.
        cells: (B, h, w) mask W.
        confidence: (J + 1,) 1 for the channels that the data set trains.
        affinity: (2 L,) likewise.
    """

    image_bgr: Tensor
    keypoints: Tensor
    cells: Tensor
    confidence: Tensor
    affinity: Tensor


class Batches(Dataset[Batch]):
    """Batches by step.

    Args:
        sets: data sets; each batch comes whole from one of them, by their probabilities.
        layout: joints and limbs.
        config: crop, batch, steps, seed, augmentation.
        rank: which process of a data-parallel training this is; it gets every `world`th image.
        world: how many there are.
    """

    def __init__(
        self, sets: Sequence[TrainingSet], layout: PafLayout, config: TrainConfig, *, rank: int = 0, world: int = 1
    ) -> None:
        self.sets, self.layout, self.config = sets, layout, config
        self.rank, self.world = rank, world
        share = np.array([one.probability for one in sets])
        rng = np.random.default_rng([config.seed, _CHOICE])
        self.choice: NDArray[np.intp] = rng.choice(len(sets), size=config.steps, p=share / share.sum())
        # How often each step's set has been chosen before: where in the set the step goes on.
        self.before = np.zeros(config.steps, dtype=np.int64)
        for k in range(len(sets)):
            chosen = self.choice == k
            self.before[chosen] = np.arange(chosen.sum())

    def __len__(self) -> int:
        return self.config.steps

    def units(self, step: int) -> NDArray[np.int64]:
        """Return the (batch,) units that a step draws from its set, which is gone through in a new order each time."""
        one = self.sets[self.choice[step]]
        draws = self.before[step] * self.config.batch + np.arange(self.config.batch)
        epoch, at = np.divmod(draws, len(one.units))
        orders = {e: _order(self.config.seed, int(self.choice[step]), int(e), len(one.units)) for e in set(epoch)}
        return np.array([orders[e][i] for e, i in zip(epoch, at, strict=True)])

    def __getitem__(self, step: int) -> Batch:
        """Return a step's batch, or this process's share of it."""
        one, config = self.sets[self.choice[step]], self.config
        samples = [
            draw_sample(one, unit, self.layout, config, np.random.default_rng([config.seed, _VIEW, step, i]))
            for i, unit in enumerate(self.units(step))
            if i % self.world == self.rank
        ]
        return _batch(samples, one)


def _batch(samples: Sequence[Sample], dataset: TrainingSet) -> Batch:
    """Put samples of one data set together; those with fewer people are filled up with nobody."""
    people = max(len(sample.keypoints) for sample in samples)
    J = len(dataset.confidence) - 1
    keypoints = np.full((len(samples), max(people, 1), J, 2), np.nan, np.float32)
    for i, sample in enumerate(samples):
        keypoints[i, : len(sample.keypoints)] = sample.keypoints
    images = np.stack([sample.image_bgr for sample in samples]).transpose(0, 3, 1, 2)
    return Batch(
        torch.from_numpy(np.ascontiguousarray(images)),
        torch.from_numpy(keypoints),
        torch.from_numpy(np.stack([sample.cells for sample in samples])),
        torch.from_numpy(dataset.confidence),
        torch.from_numpy(dataset.affinity),
    )


def whole_set(dataset: TrainingSet, layout: PafLayout, config: TrainConfig, *, size: int) -> Iterator[Batch]:
    """Yield a data set once, in batches of `size` and a smaller last one, not varied: at the middle of the scales."""
    middle = math.sqrt(config.augment.scale[0] * config.augment.scale[1])
    plain = {"scale": (middle, middle), "rotation_deg": 0.0, "shift_px": 0.0, "flip": 0.0, "colour": 0.0}
    still = config.model_copy(update={"augment": config.augment.model_copy(update=plain)})
    for start in range(0, len(dataset.units), size):
        units = range(start, min(start + size, len(dataset.units)))
        yield _batch([draw_sample(dataset, i, layout, still, np.random.default_rng(0)) for i in units], dataset)


@lru_cache(maxsize=8)
def _order(seed: int, dataset: int, epoch: int, count: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, _ORDER, dataset, epoch]).permutation(count)


@contextmanager
def living_workers() -> Iterator[None]:
    """Raise a JobError where a process that prepares batches dies: torch says so in the midst of anything."""
    try:
        yield
    except RuntimeError as error:
        if not of_a_worker(error):
            raise
        raise JobError(
            "a process that prepares batches has died, perhaps for memory; lower workers or batch"
        ) from error


def of_a_worker(error: RuntimeError) -> bool:
    """Say whether an error is of a worker process that died, wherever it was raised."""
    return "DataLoader worker" in str(error)


def _quiet_worker(_: int) -> None:
    """Keep a worker process on one core, the others are busy themselves, and let it outlive what asks to stop.

    A terminal sends an interrupt, and a cluster the order to terminate, to every process; the training itself ends its
    workers when it has done the step at hand.
    """
    cv2.setNumThreads(0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: signal.signal(signal.SIGTERM, signal.SIG_DFL))  # torch may send a second


def iterate(batches: Batches, steps: range, *, workers: int) -> Iterator[Batch]:
    """Prepare the batches of `steps` in order, ahead of time where there are worker processes."""
    loader: DataLoader[Batch] = DataLoader(
        batches,
        batch_size=None,
        sampler=steps,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        worker_init_fn=_quiet_worker,
        pin_memory=torch.cuda.is_available(),
    )
    try:
        yield from loader
    except TriskelError as error:
        # A worker process sends its error with a whole traceback for a message; the last line is what was said.
        line = str(error).strip().splitlines()[-1]
        raise type(error)(line.removeprefix(f"{type(error).__module__}.{type(error).__name__}: ")) from error
