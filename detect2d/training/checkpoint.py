"""The state of a training on disk, from which it goes on as if nothing had happened."""

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import nn

from triskel.detect2d.training.config import TrainConfig
from triskel.errors import ConfigError, InputError
from triskel.files import atomic_path

STATE_FILE = "state.pt"

# What may change when a training goes on: it touches neither the network nor the batches seen so far.
_MAY_CHANGE = {"out", "steps", "device", "workers", "checkpoint_every", "log_every", "precision"}


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
    """Write the state atomically."""
    state = {
        "format": "triskel-training",
        "version": 1,
        **asdict(progressed),
        "settings": _settings(config),
        "network": network.state_dict(),
        "optimiser": optimiser.state_dict(),
    }
    with atomic_path(path) as temporary:
        torch.save(state, temporary)


def load_state(
    path: Path, network: nn.Module, optimiser: torch.optim.Optimizer, config: TrainConfig, device: torch.device
) -> Progressed:
    """Bring a network and its optimiser to a saved state.

    Raises:
        InputError: the file is damaged or no training's state.
        ConfigError: the training had another skeleton, network, data or optimiser; the message names which.
    """
    state = _read(path, device)
    then, now = json.loads(state["settings"]), json.loads(_settings(config))
    for key, value in now.items():
        if then.get(key) != value:
            raise ConfigError(
                f"{path}: that training had another {key} ({_short(then.get(key))}, now {_short(value)}); "
                "go on with its own configuration, or choose another out"
            )
    try:
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
    except (RuntimeError, ValueError, KeyError) as error:
        raise InputError(f"{path}: does not fit the network: {' '.join(str(error).split())[:200]}") from error
    return Progressed(**{field.name: state[field.name] for field in fields(Progressed)})


def _read(path: Path, device: torch.device) -> dict[str, Any]:
    try:
        # weights_only: the file holds tensors and plain values, and no code is run from it.
        state = torch.load(path, map_location=device, weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, UnpicklingError) as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"{path}: damaged, cannot be read: {reason}") from error
    needed = {"settings", "network", "optimiser", *(field.name for field in fields(Progressed))}
    if not isinstance(state, dict) or state.get("format") != "triskel-training" or needed - set(state):
        raise InputError(f"{path}: is no state of a training")
    return state


def _settings(config: TrainConfig) -> str:
    """Return what decides the course of a training, as JSON."""
    settings = {key: value for key, value in config.model_dump(mode="json").items() if key not in _MAY_CHANGE}
    return json.dumps(settings | {"skeleton": config.skeleton, "joints": _joints(config)})


def _joints(config: TrainConfig) -> str:
    """Return a fingerprint of the joint set: a YAML file of the same name may have changed."""
    return hashlib.sha256(repr(config.load_skeleton()).encode()).hexdigest()[:16]


def _short(value: Any) -> str:  # noqa: ANN401 - any setting
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
