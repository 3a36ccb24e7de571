"""Data-parallel training under `torchrun`: one process a device, gradients averaged over them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from triskel.detect2d.replicas import usable_device


@dataclass(frozen=True)
class Team:
    """The processes of a training.

    Attributes:
        rank: number of this one; the first writes files and talks.
        world: how many there are.
        device: what this one computes on.
    """

    rank: int
    world: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Return whether this process writes files and talks."""
        return self.rank == 0

    def wrap(self, module: nn.Module) -> nn.Module:
        """Return the module with its gradients averaged over the team."""
        if self.world == 1:
            return module
        device_ids = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(module, device_ids=device_ids)

    def mean(self, value: Tensor) -> Tensor:
        """Return the mean of a tensor over the team."""
        if self.world > 1:
            distributed.all_reduce(value)
            value = value / self.world
        return value

    def wait(self) -> None:
        """Wait for the others."""
        if self.world > 1:
            distributed.barrier()


@contextmanager
def team(device: str | None) -> Iterator[Team]:
    """Yield the team that torchrun made, or a team of one; the group of processes ends with the block.

    Args:
        device: a torch device; None takes CUDA where there is one, a device a process.

    Raises:
        InputError: the device cannot be used here.
    """
    world, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    name = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and world > 1:
        name = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    chosen = usable_device(name)
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    if world > 1:
        # The others wait while the first one validates.
        distributed.init_process_group("nccl" if chosen.type == "cuda" else "gloo", timeout=timedelta(hours=2))
    try:
        yield Team(rank, world, chosen)
    finally:
        if world > 1:
            distributed.destroy_process_group()
