"""Training: batches in, checkpoints out (sections 3.2 and 5 of the paper).

The folder of a training holds `state.pt` (from which it goes on), `last.safetensors` and `best.safetensors` (networks
that `load_detector` takes), `config.yaml`, `log.csv`, `loss.png`, `batch.png` and TensorBoard's files. Every file is
written whole, so a kill at any time leaves the last complete ones.
"""

import contextlib
import logging
import math
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import torch
import yaml
from torch import Tensor, nn

from triskel.detect2d.layout import PafLayout, layout_of
from triskel.detect2d.networks import PoseNetwork, build_network, read_spec
from triskel.detect2d.replicas import resolve_precision
from triskel.detect2d.training.batches import Batch, Batches, iterate
from triskel.detect2d.training.checkpoint import STATE_FILE, Progressed, load_state, save_state
from triskel.detect2d.training.config import AugmentConfig, TrainConfig
from triskel.detect2d.training.guard import LossGuard
from triskel.detect2d.training.journal import BATCH_FILE, Entry, Journal
from triskel.detect2d.training.loss import Mask, stage_losses
from triskel.detect2d.training.optimiser import learning_rate, make_optimiser
from triskel.detect2d.training.parallel import Team, team
from triskel.detect2d.training.picture import draw_batch
from triskel.detect2d.training.samples import TrainingSet, load_training_set
from triskel.detect2d.training.start import start_from
from triskel.detect2d.training.targets import Targets, render_targets
from triskel.detect2d.weights import save_network
from triskel.errors import ConfigError, InputError
from triskel.files import write_text

log = logging.getLogger(__name__)

LAST_FILE, BEST_FILE, CONFIG_FILE = "last.safetensors", "best.safetensors", "config.yaml"


class TrainProgress(Protocol):
    """Told after every step."""

    def __call__(self, step: int, steps: int, *, loss: float, images_per_s: float) -> None:
        """Say that `step` of `steps` are done, with the loss of late and the speed."""


class TrainResult(NamedTuple):
    """How a training ended.

    Attributes:
        folder: where everything is.
        step: steps done.
        stopped: it was asked to stop before its last step.
        loss: the last one in the log; NaN if no step was done.
        best: the least loss of a checkpoint, that of `best.safetensors`.
    """

    folder: Path
    step: int
    stopped: bool
    loss: float
    best: float


def _silent(step: int, steps: int, *, loss: float, images_per_s: float) -> None:
    """Show nothing: the default of library calls."""


class SupervisedNetwork(nn.Module):
    """A network and its loss in one call, which is what gradients are averaged around."""

    def __init__(self, network: PoseNetwork, layout: PafLayout, config: TrainConfig, *, half: bool) -> None:
        super().__init__()
        self.network = network
        self._layout, self._config, self._half = layout, config, half

    def targets(self, batch: Batch) -> Targets:
        """Return the ground truth of a batch."""
        return render_targets(
            batch.keypoints,
            self._layout,
            grid_wh=(batch.cells.shape[2], batch.cells.shape[1]),
            sigma_px=self._config.targets.sigma_px,
            limb_px=self._config.targets.limb_px,
            round_ends=self._config.targets.round_ends,
        )

    def forward(self, batch: Batch) -> Tensor:
        """Return the loss of each stage, (stages,)."""
        image = batch.image_bgr.float().contiguous(memory_format=torch.channels_last)
        with torch.autocast(image.device.type, torch.bfloat16, enabled=self._half):
            stages = self.network.stage_maps(image)
        mask = Mask(batch.cells, batch.confidence, batch.affinity)
        return stage_losses(stages, self.targets(batch), mask)


@dataclass(eq=False)
class _Training:
    """Everything that a training's parts share."""

    config: TrainConfig
    team: Team
    layout: PafLayout
    network: PoseNetwork
    model: nn.Module
    optimiser: torch.optim.Optimizer
    batches: Batches
    validation: tuple[TrainingSet, ...]
    progressed: Progressed

    @property
    def workers(self) -> int:
        if self.config.workers is not None:
            return self.config.workers
        return max(1, min(8, (torch.multiprocessing.cpu_count() - 1) // self.team.world))


def train(config: TrainConfig, *, resume: bool = False, progress: TrainProgress = _silent) -> TrainResult:
    """Train a network.

    Under `torchrun` every process calls this, and they share the batches of each step.

    Args:
        config: everything about it.
        resume: go on from `state.pt` in the folder of the results.
        progress: told after every step, by the first process alone.

    Raises:
        ConfigError: the configuration contradicts itself, or the training to go on with.
        InputError: a data set is broken, or the folder holds another training already.
        JobError: the loss went bad; the last good checkpoint is kept.
    """
    with team(config.device) as here:
        training = _prepare(config, here, resume=resume)
        if here.leads:
            write_text(config.out / CONFIG_FILE, yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False))
        with _stop_on_signal(alone=here.world == 1) as stop, _journal(training) as journal:
            _run(training, journal, stop, progress)
            last = journal.entries[-1].loss if journal is not None and journal.entries else math.nan
    done = training.progressed
    return TrainResult(config.out, done.step, done.step < config.steps, last, done.best)


def _prepare(config: TrainConfig, here: Team, *, resume: bool) -> _Training:
    """Read the data, build the network, and bring it to where it starts from."""
    if config.batch % here.world:
        raise ConfigError(f"batch: {config.batch} images cannot be shared by {here.world} processes; take a multiple")
    state = config.out / STATE_FILE
    if state.exists() and not resume:
        raise InputError(f"{config.out}: holds a training; go on with --resume, or choose another folder with --out")
    if resume and not state.exists():
        raise InputError(f"{config.out}: holds no training to go on with ({STATE_FILE} is not there)")
    layout = layout_of(config.load_skeleton())
    focus = config.augment.focus
    sets = [load_training_set(one, layout, focus=focus) for one in config.datasets]
    validation = tuple(load_training_set(one, layout, focus=focus) for one in config.validation)
    network = _build(config, layout).to(here.device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # the stub knows no modules here
    optimiser = make_optimiser(network, config.optimiser)
    progressed = load_state(state, network, optimiser, config, here.device) if resume else Progressed()
    half = resolve_precision(config.precision, here.device) == "bfloat16"
    if here.device.type == "cuda":
        torch.backends.cudnn.deterministic = True  # going on after a kill gives the same numbers
        if here.world > 1:
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
    model = here.wrap(SupervisedNetwork(network, layout, config, half=half).to(here.device))
    batches = Batches(sets, layout, config, rank=here.rank, world=here.world)
    return _Training(config, here, layout, network, model, optimiser, batches, validation, progressed)


def _build(config: TrainConfig, layout: PafLayout) -> PoseNetwork:
    """Build the network, the same for the same seed."""
    what = config.network if isinstance(config.network, str) else read_spec(config.network, where="network")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = build_network(what, layout)
    if config.start_from is not None:
        start_from(network, layout, config.start_from, partially=config.start_partially)
    return network


@contextlib.contextmanager
def _journal(training: _Training) -> "Iterator[Journal | None]":
    """Open the journal in the first process, nothing in the others."""
    if not training.team.leads:
        yield None
        return
    with Journal(training.config.out, start=training.progressed.step) as journal:
        yield journal


@contextlib.contextmanager
def _stop_on_signal(*, alone: bool) -> Iterator[list[int]]:
    """Yield a list that gets the signal (interrupt, terminate) that asks to stop after the step at hand.

    Several processes would stop at different steps and wait for each other for ever, so they end as signals end them.
    """
    asked: list[int] = []
    if not alone:
        yield asked
        return
    before = {}
    # Only the main thread may set handlers; elsewhere signals go to whoever runs the program.
    with contextlib.suppress(ValueError):
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, lambda caught, _frame: asked.append(caught))
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run(training: _Training, journal: Journal | None, stop: Sequence[int], progress: TrainProgress) -> None:
    """Do the steps that are left."""
    config, done, leads = training.config, training.progressed, training.team.leads
    guard = LossGuard()
    pace = _Pace(config)
    stages = torch.zeros(1)
    training.model.train()
    for batch in iterate(training.batches, range(done.step, config.steps), workers=training.workers):
        if leads and done.step == 0:
            _draw_first(training, batch)
        rate = learning_rate(config.optimiser, done.step, config.steps)
        stages = _step(training, _to(batch, training.team.device), rate)
        loss = float(stages.sum())
        done.step += 1
        guard.watch(done.step - 1, loss, saved=_saved(config))
        pace.add(loss)
        if leads:
            progress(done.step, config.steps, loss=guard.smoothed, images_per_s=pace.images_per_s)
        at_end = done.step == config.steps or bool(stop)
        checkpoint = done.step % config.checkpoint_every == 0 or at_end
        if checkpoint or done.step % config.log_every == 0:
            validation = _validate(training) if checkpoint and training.validation else math.nan
            if journal is not None:
                entry = Entry(done.step, pace.mean_loss, validation, rate, pace.images_per_s)
                journal.write(entry, stages.tolist())
            if checkpoint and leads:
                _checkpoint(training, pace.since_checkpoint() if math.isnan(validation) else validation, journal)
            if checkpoint:
                training.team.wait()
            pace.restart()
        if stop:
            break


def _step(training: _Training, batch: Batch, rate: float) -> Tensor:
    """Take one step; return the loss of each stage, mean over the processes."""
    for group in training.optimiser.param_groups:
        group["lr"] = rate
    training.optimiser.zero_grad(set_to_none=True)
    stages: Tensor = training.model(batch)
    loss = stages.sum()
    mean = training.team.mean(stages.detach().clone())
    # A bad loss or gradient must not reach the weights: they are what is saved when the training stops.
    if torch.isfinite(mean.sum()):
        loss.backward()  # type: ignore[no-untyped-call]
        clip = training.config.optimiser.clip or math.inf
        norm = nn.utils.clip_grad_norm_(training.network.parameters(), clip)
        if not torch.isfinite(norm):
            return torch.full_like(mean, math.nan).cpu()
        training.optimiser.step()
    return mean.cpu()


def _to(batch: Batch, device: torch.device) -> Batch:
    return Batch(*(tensor.to(device, non_blocking=True) for tensor in batch))


def _draw_first(training: _Training, batch: Batch) -> None:
    supervised = SupervisedNetwork(training.network, training.layout, training.config, half=False)
    draw_batch(training.config.out / BATCH_FILE, batch, supervised.targets(batch), training.layout)


def _saved(config: TrainConfig) -> str:
    state = config.out / STATE_FILE
    return f"the last good state is {state}" if state.exists() else "before anything was saved"


@torch.inference_mode()
def _validate(training: _Training) -> float:
    """Return the loss on the validation sets, each image once, not varied, for one image."""
    config = training.config
    middle = math.sqrt(config.augment.scale[0] * config.augment.scale[1])
    still = AugmentConfig(
        focus=config.augment.focus,
        target=config.augment.target,
        scale=(middle, middle),
        rotation_deg=0,
        shift_px=0,
        flip=0,
    )
    supervised = SupervisedNetwork(training.network, training.layout, config, half=False)
    training.network.eval()
    total, images = 0.0, 0
    for one in training.validation:
        size = min(config.batch, len(one.units))
        fixed = config.model_copy(update={"augment": still, "batch": size, "steps": len(one.units) // size})
        for batch in iterate(Batches([one], training.layout, fixed), range(fixed.steps), workers=0):
            total += size * float(supervised(_to(batch, training.team.device)).sum())
            images += size
    training.network.train()
    return total / images


def _checkpoint(training: _Training, loss: float, journal: Journal | None) -> None:
    """Write the networks, then the state: a kill in between leaves the older state, which writes them again."""
    config, done = training.config, training.progressed
    notes = {"step": str(done.step), "loss": f"{loss:.6g}", "trained_with": "triskel train"}
    better = loss < done.best
    done.best = min(done.best, loss)
    for file in (LAST_FILE, *([BEST_FILE] if better else [])):
        save_network(config.out / file, training.network, training.layout, notes=notes)
    save_state(config.out / STATE_FILE, done, training.network, training.optimiser, config)
    if journal is not None:
        journal.draw()


class _Pace:
    """Means over the steps since the last line of the log, and since the last checkpoint."""

    def __init__(self, config: TrainConfig) -> None:
        self._batch = config.batch
        self._checkpoint: list[float] = []
        self.restart()

    def restart(self) -> None:
        self._losses: list[float] = []
        self._started = time.perf_counter()

    def add(self, loss: float) -> None:
        self._losses.append(loss)
        self._checkpoint.append(loss)

    def since_checkpoint(self) -> float:
        mean = sum(self._checkpoint) / max(len(self._checkpoint), 1)
        self._checkpoint.clear()
        return mean

    @property
    def mean_loss(self) -> float:
        return sum(self._losses) / max(len(self._losses), 1)

    @property
    def images_per_s(self) -> float:
        return self._batch * len(self._losses) / max(time.perf_counter() - self._started, 1e-9)
