"""One network on one or several devices, which share the images of a batch."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from copy import deepcopy
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from triskel.detect2d.options import Precision
from triskel.errors import InputError, JobError

Maps = tuple[Tensor, Tensor]
"""Confidence maps (B, J + 1, h, w) and affinity fields (B, 2 L, h, w)."""


class Replicas:
    """Copies of a network, one a device; call it with a batch.

    A batch is cut into as many runs of images as there are devices, each device works in a thread of its own, and the
    maps come back in the order of the images. On one device there is no copy and no thread.
    """

    def __init__(self, network: nn.Module, devices: Sequence[str], precision: Precision) -> None:
        names = devices or ("cuda" if torch.cuda.is_available() else "cpu",)
        self.devices = [usable_device(name) for name in names]
        self.precisions = [resolve_precision(precision, device) for device in self.devices]
        self.networks = []
        for i, (name, device) in enumerate(zip(names, self.devices, strict=True)):
            try:
                own = (network if i == 0 else deepcopy(network)).eval().to(device)
                own.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # torch's stubs lack it
                self.networks.append(own)
            except RuntimeError as error:
                raise InputError(f"device {name!r} cannot be used here: {str(error).splitlines()[0]}") from error

    def __call__(self, batch_bgr: NDArray[np.uint8]) -> Maps:
        """Run the network on (B, H, W, 3) BGR; return float32 maps on the CPU.

        Raises:
            JobError: a device's memory is too small.
        """
        parts = [part for part in np.array_split(batch_bgr, len(self.devices)) if len(part)]
        if len(parts) == 1:
            return self._run(0, parts[0])
        with ThreadPoolExecutor(len(parts)) as pool:
            done = list(pool.map(self._run, range(len(parts)), parts))
        return torch.cat([maps[0] for maps in done]), torch.cat([maps[1] for maps in done])

    def _run(self, i: int, batch_bgr: NDArray[np.uint8]) -> Maps:
        """Run replica `i`."""
        device, half = self.devices[i], self.precisions[i] == "bfloat16"
        with enough_memory(f"{device}: out of memory; give a smaller net size, or fewer images at a time"):
            x = torch.from_numpy(np.ascontiguousarray(batch_bgr)).to(device).permute(0, 3, 1, 2).float()
            with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=half):
                confidence, affinity = self.networks[i](x.contiguous(memory_format=torch.channels_last))
            return confidence.float().cpu(), affinity.float().cpu()


@contextmanager
def enough_memory(message: str) -> Iterator[None]:
    """Raise `message` as a JobError where the block runs out of memory, of the processor or of a GPU."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        # torch has no class of its own for the processor's memory.
        plain = any(words in str(error) for words in ("allocate memory", "not enough memory"))
        if plain or isinstance(error, MemoryError | torch.OutOfMemoryError):
            raise JobError(message) from error
        raise


def usable_device(name: str) -> torch.device:
    """Return the device called `name`.

    Raises:
        InputError: there is none here.
    """
    try:
        device = torch.device(name)
        if device.type not in ("cpu", "cuda"):
            raise RuntimeError("it is neither cpu nor cuda")
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device {name!r} cannot be used here: {str(error).splitlines()[0]}") from error
    return device


def resolve_precision(wanted: Precision, device: torch.device) -> Literal["float32", "bfloat16"]:
    """Resolve `auto`: bfloat16 where the hardware has instructions for it."""
    if wanted != "auto":
        return wanted
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    # torch has no public question for this; without an answer float32 is right everywhere.
    checks = [getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")]
    return "bfloat16" if any(check is not None and check() for check in checks) else "float32"


@contextmanager
def network_threads(count: int | None) -> Iterator[None]:
    """Give torch `count` processor threads while the block runs, then as many as before; None changes nothing."""
    if count is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
