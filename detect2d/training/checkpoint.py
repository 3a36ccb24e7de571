"""The state of a training on disk, from which it goes on as if nothing had happened."""

import hashlib
import json
import warnings
import zipfile
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import nn

from triskel.detect2d.training.batches import of_a_worker
from triskel.detect2d.training.config import TrainConfig
from triskel.errors import ConfigError, InputError, JobError, shown
from triskel.files import atomic_path

STATE_FILE = "state.pt"

# What may change when a training goes on: it touches neither the network nor the batches seen so far. Joints are
# compared, not the file that they come from: it may have moved.
_MAY_CHANGE = {"out", "skeleton", "steps", "device", "workers", "checkpoint_every", "log_every", "precision"}


@dataclass
class Progressed:
    """How far a training is.

    Attributes:
        step: steps done.
        best: the least loss that a regular checkpoint has had.
        loss_sum: losses of the steps since the last regular checkpoint, summed ...
        loss_steps: ... and their number: after an interrupt between two checkpoints the mean goes on.
    """

    step: int = 0
    best: float = float("inf")
    loss_sum: float = 0.0
    loss_steps: int = 0

    @property
    def mean_loss(self) -> float:
        """Return the mean loss since the last regular checkpoint."""
        return self.loss_sum / max(self.loss_steps, 1)


def save_state(
    path: Path, progressed: Progressed, network: nn.Module, optimiser: torch.optim.Optimizer, config: TrainConfig
) -> None:
    """Write the state atomically.

    Raises:
        JobError: it cannot be written, as where the disk is full.
    """
    state = {
        "format": "triskel-training",
        "version": 1,
        **asdict(progressed),
        "settings": _settings(config),
        "network": network.state_dict(),
        "optimiser": optimiser.state_dict(),
    }
    try:
        with atomic_path(path) as temporary:
            torch.save(state, temporary)
    except RuntimeError as error:
        if of_a_worker(error):
            raise
        raise JobError(f"{path}: cannot be written: {' '.join(str(error).split())[:200]}") from error


def load_state(
    path: Path, network: nn.Module, optimiser: torch.optim.Optimizer, config: TrainConfig, device: torch.device
) -> Progressed:
    """Bring a network and its optimiser to a saved state.

    Raises:
        InputError: the file is damaged or no training's state.
        ConfigError: the training had another skeleton, network, data or optimiser; the message names which.
    """
    state = _read(path, device)
    then, now = _dict(path, state["settings"]), json.loads(_settings(config))
    for key, value in now.items():
        if then.get(key) != value:
            what, before, given = _difference(key, then.get(key), value)
            raise ConfigError(
                f"{path}: that training had another {what} ({_short(before)}, now {_short(given)}); "
                "go on with its own configuration, or choose another out"
            )
    try:
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: does not fit the network: {' '.join(str(error).split())[:200]}") from error
    return _progressed(path, state)


def _read(path: Path, device: torch.device) -> dict[str, Any]:
    try:
        # weights_only: the file holds tensors and plain values, and no code is run from it.
        with zipfile.ZipFile(path) as archive:
            if (part := archive.testzip()) is not None:
                raise ValueError(f"{part} has another checksum")
        with warnings.catch_warnings(action="ignore"):
            state = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # whatever a damaged pickle may raise; torch's advice for one is long and dangerous
        raise InputError(
            f"{path}: damaged, cannot be read ({type(error).__name__}); begin again with another --out"
        ) from error
    needed = {"settings", "network", "optimiser", *(field.name for field in fields(Progressed))}
    if not isinstance(state, dict) or state.get("format") != "triskel-training" or needed - set(state):
        raise InputError(f"{path}: is no state of a training")
    if state.get("version") != 1:
        raise InputError(f"{path}: written as version {shown(state.get('version'))}, this triskel reads 1")
    return state


def _dict(path: Path, settings: object) -> dict[str, Any]:
    """Return the settings of a state."""
    try:
        read = json.loads(settings) if isinstance(settings, str) else None
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, dict):
        raise InputError(f"{path}: damaged, its settings are none; begin again with another --out")
    return read


def _progressed(path: Path, state: dict[str, Any]) -> Progressed:
    """Return how far a state says it is."""
    done = Progressed(**{field.name: state[field.name] for field in fields(Progressed)})
    counts, numbers = (done.step, done.loss_steps), (done.best, done.loss_sum)
    if not all(isinstance(one, int) and one >= 0 for one in counts) or not all(isinstance(x, float) for x in numbers):
        raise InputError(f"{path}: damaged, it says {shown(vars(done))} of itself; begin again with another --out")
    return done


def _settings(config: TrainConfig) -> str:
    """Return what decides the course of a training, as JSON."""
    settings = {key: value for key, value in config.model_dump(mode="json").items() if key not in _MAY_CHANGE}
    return json.dumps({"joints": _joints(config)} | settings)


def _joints(config: TrainConfig) -> str:
    """Return a fingerprint of the joint set: a YAML file of the same name may have changed."""
    return hashlib.sha256(repr(config.load_skeleton()).encode()).hexdigest()[:16]


def _difference(key: str, then: Any, now: Any) -> tuple[str, Any, Any]:  # noqa: ANN401 - any setting
    """Return the key of the first setting within two that differ, and what it was and is."""
    if isinstance(then, dict) and isinstance(now, dict):
        pairs = {part: (then.get(part), now.get(part)) for part in (*then, *now)}
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        pairs = {str(i): pair for i, pair in enumerate(zip(then, now, strict=True))}
    else:
        return key, then, now
    return next(_difference(f"{key}.{part}", *pair) for part, pair in pairs.items() if pair[0] != pair[1])


def _short(value: Any) -> str:  # noqa: ANN401 - any setting
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
