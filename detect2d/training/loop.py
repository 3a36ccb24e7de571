"""Training: batches in, checkpoints out (sections 3.2 and 5 of the paper).

The folder of a training holds `state.pt` (from which it goes on), `last.safetensors` and `best.safetensors` (networks
that `load_detector` takes), `config.yaml`, `log.csv`, `loss.png`, `batch.png` and TensorBoard's files. Every file is
written whole, so a kill at any time leaves the last complete ones.
"""

import contextlib
import logging
import math
import os
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
from triskel.detect2d.replicas import enough_memory, resolve_precision
from triskel.detect2d.training.batches import Batch, Batches, iterate, living_workers, whole_set
from triskel.detect2d.training.checkpoint import STATE_FILE, Progressed, load_state, save_state
from triskel.detect2d.training.config import TrainConfig
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
from triskel.files import check_folder, write_text

log = logging.getLogger(__name__)

LAST_FILE, BEST_FILE, CONFIG_FILE = "last.safetensors", "best.safetensors", "config.yaml"

_OUT_OF_MEMORY = "out of memory; lower batch, crop or workers, or choose a smaller network"


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
        JobError: the loss went bad, the memory or the disk is too small; the last good checkpoint is kept.
    """
    with team(config.device) as here, enough_memory(_OUT_OF_MEMORY), living_workers():
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
    check_folder(config.out)
    if not resume:
        _check_out(config.out)
    if resume and not state.exists():
        raise InputError(f"{config.out}: holds no training to go on with ({STATE_FILE} is not there)")
    layout = layout_of(config.load_skeleton())
    focus = config.augment.focus
    sets = [load_training_set(one, layout, focus=focus) for one in config.datasets]
    validation = tuple(load_training_set(one, layout, focus=focus) for one in config.validation)
    _warn_of_pieces(layout)
    network = _build(config, layout, resume=resume).to(here.device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # the stub knows no modules here
    optimiser = make_optimiser(network, config.optimiser)
    progressed = load_state(state, network, optimiser, config, here.device) if resume else Progressed()
    half = resolve_precision(config.precision, here.device) == "bfloat16"
    if here.device.type == "cuda":
        torch.backends.cudnn.deterministic = True  # as far as the device allows; on a processor it is exact
        if here.world > 1:
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
    model = here.wrap(SupervisedNetwork(network, layout, config, half=half).to(here.device))
    batches = Batches(sets, layout, config, rank=here.rank, world=here.world)
    return _Training(config, here, layout, network, model, optimiser, batches, validation, progressed)


def _check_out(out: Path) -> None:
    """Refuse a folder in which a new training would overwrite another one, or what is of no training."""
    if (out / STATE_FILE).exists():
        raise InputError(f"{out}: holds a training; go on with --resume, or choose another folder with --out")
    for file in (LAST_FILE, BEST_FILE):
        if (out / file).exists():
            raise InputError(f"{out / file}: would be overwritten; choose another folder with --out")
    # What an interrupt before the first checkpoint has left is of no use; its configuration has every key.
    given = out / CONFIG_FILE
    if given.is_file() and not all(
        f"{key}:" in given.read_text("utf-8", "replace") for key in TrainConfig.model_fields
    ):
        raise InputError(f"{given}: would be overwritten; choose another folder with --out")


def _warn_of_pieces(layout: PafLayout) -> None:
    """Say so where the limbs cannot hold a person together: the training would go well, and the parse would not."""
    if layout.limbs and len(layout.pieces) > 1:
        pieces = "; ".join(" ".join(piece) for piece in layout.pieces)
        log.warning(
            "the limbs of %s leave its joints in %d pieces, and so every person found: %s; add limbs or redundant",
            layout.skeleton.name,
            len(layout.pieces),
            pieces,
        )


def _build(config: TrainConfig, layout: PafLayout, *, resume: bool) -> PoseNetwork:
    """Build the network, the same for the same seed; one that goes on gets its weights from the state."""
    what = config.network if isinstance(config.network, str) else read_spec(config.network, where="network")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = build_network(what, layout)
    if config.start_from is not None and not resume:
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

    A second one ends the process at once; the state on disk is whole at any time.
    Several processes would stop at different steps and wait for each other for ever, so they end as signals end them.
    """
    asked: list[int] = []
    if not alone:
        yield asked
        return
    before = {}

    def ask(caught: int, _frame: object) -> None:
        if asked:
            os.kill(os.getpid(), signal.SIGKILL)
        asked.append(caught)

    # Only the main thread may set handlers; elsewhere signals go to whoever runs the program.
    with contextlib.suppress(ValueError):
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, ask)
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run(training: _Training, journal: Journal | None, stop: Sequence[int], progress: TrainProgress) -> None:
    """Do the steps that are left."""
    config, done, leads = training.config, training.progressed, training.team.leads
    guard, pace = LossGuard(), _Pace(config.batch)
    training.model.train()
    for batch in iterate(training.batches, range(done.step, config.steps), workers=training.workers):
        if leads and done.step == 0:
            _draw_first(training, batch)
        rate = learning_rate(config.optimiser, done.step, config.steps)
        stages = _step(training, _to(batch, training.team.device), rate)
        loss = float(stages.sum())
        guard.watch(done.step + 1, loss, saved=_saved(config))
        done.step += 1
        done.loss_sum, done.loss_steps = done.loss_sum + loss, done.loss_steps + 1
        pace.add(stages)
        if leads:
            progress(done.step, config.steps, loss=guard.smoothed, images_per_s=pace.images_per_s)
        regular = done.step % config.checkpoint_every == 0 or done.step == config.steps
        if regular or stop or done.step % config.log_every == 0:
            _look_up(training, journal, pace, rate, regular=regular, stopping=bool(stop))
            pace = _Pace(config.batch)
        if stop:
            break


def _look_up(
    training: _Training, journal: Journal | None, pace: "_Pace", rate: float, *, regular: bool, stopping: bool
) -> None:
    """Write a line of the log, and at a checkpoint what goes with it; the first process does it, the others wait."""
    if journal is not None:
        speed = pace.images_per_s
        # Whoever asks to stop may not wait for long: save at once, and leave the comparison to a regular checkpoint.
        validation = _validate(training) if regular and training.validation and not stopping else math.nan
        journal.write(Entry(training.progressed.step, pace.mean_loss, validation, rate, speed), pace.mean_stages)
        if regular or stopping:
            _checkpoint(training, validation, compete=regular and not stopping)
            journal.draw()
    if regular:
        training.team.wait()


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
    supervised = SupervisedNetwork(training.network, training.layout, config, half=False)
    size = max(config.batch // training.team.world, 1)
    training.network.eval()
    total, images = 0.0, 0
    for one in training.validation:
        for batch in whole_set(one, training.layout, config, size=size):
            count = len(batch.image_bgr)
            total += count * float(supervised(_to(batch, training.team.device)).sum())
            images += count
    training.network.train()
    return total / images


def _checkpoint(training: _Training, validation: float, *, compete: bool) -> None:
    """Write the networks, then the state: a kill in between leaves the older state, which writes them again.

    Args:
        training: what is saved.
        validation: loss on the validation sets; NaN takes the mean of the steps since the last regular checkpoint.
        compete: whether it may be the best: a mean over a few steps before an interrupt is luck.
    """
    config, done = training.config, training.progressed
    loss = done.mean_loss if math.isnan(validation) else validation
    files = [LAST_FILE]
    if compete:
        if loss < done.best:
            files.append(BEST_FILE)
        done.best = min(done.best, loss)
        done.loss_sum, done.loss_steps = 0.0, 0
    notes = {"step": str(done.step), "loss": f"{loss:.6g}", "trained_with": "triskel train"}
    for file in files:
        save_network(config.out / file, training.network, training.layout, notes=notes)
    save_state(config.out / STATE_FILE, done, training.network, training.optimiser, config)


class _Pace:
    """Means over the steps since the last line of the log."""

    def __init__(self, batch: int) -> None:
        self._batch = batch
        self._stages: list[Tensor] = []
        self._started = time.perf_counter()

    def add(self, stages: Tensor) -> None:
        """Take the losses of a step's stages."""
        self._stages.append(stages)

    @property
    def mean_stages(self) -> list[float]:
        """Return the mean loss of each stage."""
        means: list[float] = torch.stack(self._stages).mean(dim=0).tolist()
        return means

    @property
    def mean_loss(self) -> float:
        """Return the mean of all stages together."""
        return sum(self.mean_stages)

    @property
    def images_per_s(self) -> float:
        """Return how many images a second went through."""
        return self._batch * len(self._stages) / max(time.perf_counter() - self._started, 1e-9)
