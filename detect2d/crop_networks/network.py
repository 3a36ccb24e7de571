"""Networks that look at one person, hand or face in a square piece of an image, by name."""

import importlib
from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit

from triskel.detect2d.crop_networks.tflite_file import Graph, read_tflite
from triskel.detect2d.options import Precision
from triskel.detect2d.weights import crop_network_file
from triskel.errors import InputError

Runtime = Literal["auto", "torch", "litert"]
Answers = dict[str, NDArray[np.float32]]

_POSE = {
    "landmarks": "Identity",
    "presence": "Identity_1",
    "segmentation": "Identity_2",
    "heatmaps": "Identity_3",
    "world": "Identity_4",
}
_HAND = {"landmarks": "Identity", "presence": "Identity_1", "handedness": "Identity_2", "world": "Identity_3"}

OUTPUTS: dict[str, dict[str, str]] = {
    "blazepose_heavy": _POSE,
    "blazepose_full": _POSE,
    "mediapipe_hand": _HAND,
    "mediapipe_face": {"landmarks": "conv2d_21", "presence": "conv2d_31"},
    "mediapipe_iris": {"eye": "output_eyes_contours_and_brows", "iris": "output_iris"},
}
"""For each network, what we call its outputs and what the file calls them."""

USUAL: dict[str, tuple[str, ...]] = {
    "blazepose_heavy": ("landmarks", "presence", "heatmaps"),
    "blazepose_full": ("landmarks", "presence", "heatmaps"),
    "mediapipe_hand": ("landmarks", "presence", "handedness"),
    "mediapipe_face": ("landmarks", "presence"),
    "mediapipe_iris": ("eye", "iris"),
}
"""The outputs that are of use here: not the outline of the person, nor its guess of positions in metres."""

_LOGITS = {("mediapipe_face", "presence")}


class CropNetwork(Protocol):
    """A network that looks at square pieces of images.

    Attributes:
        name: of the published weights.
        size: width and height of the pieces, px.
        outputs: the names of what it answers.
    """

    name: str
    size: int
    outputs: tuple[str, ...]

    def __call__(self, pieces: NDArray[np.uint8]) -> Answers:
        """Look at (B, size, size, 3) RGB; return each output with the leading axis B, probabilities as such."""


class Source(NamedTuple):
    """What a runtime needs to know: the network's name, its file and graph, and the outputs wanted."""

    name: str
    path: str
    graph: Graph
    outputs: tuple[str, ...]

    @property
    def size(self) -> int:
        """Return the side of the input, px."""
        return self.graph.tensors[self.graph.inputs[0]].shape[1]

    @property
    def in_file(self) -> tuple[str, ...]:
        """Return what the file calls the outputs wanted."""
        return tuple(OUTPUTS[self.name][output] for output in self.outputs)

    def answers(self, values: Sequence[NDArray[np.float32]]) -> Answers:
        """Return the values of the outputs by name, logits turned into probabilities."""
        named = {}
        for output, value in zip(self.outputs, values, strict=True):
            is_logit = (self.name, output) in _LOGITS
            named[output] = expit(value) if is_logit else value
        return named


def load_crop_network(
    name: str,
    *,
    outputs: Sequence[str] | None = None,
    runtime: Runtime = "auto",
    device: str | None = None,
    precision: Precision = "auto",
    threads: int | None = None,
) -> CropNetwork:
    """Load a network for one person, hand or face; its file is fetched on first use and checked every time.

    Args:
        name: a key of `OUTPUTS`.
        outputs: what it has to answer; `USUAL` when None. PyTorch leaves out what the others do not need.
        runtime: `litert` runs the file on the processor, one piece after another; `torch` runs the same operators in
            batches, on any device. `auto` takes litert on the processor where it is installed, which is the faster
            one there, and torch elsewhere.
        device: of torch; None takes CUDA where there is one.
        precision: of torch. `auto` is float32 here, whatever the processor can: the squares of a few people are quickly
            looked at, and half precision costs accuracy.
        threads: of litert; None takes as many as torch uses.

    Raises:
        InputError: nothing is called that, or the runtime or device cannot be used.
        JobError: the file cannot be fetched, or is not the published one any more.
    """
    if name not in OUTPUTS:
        raise InputError(f"no network for one person, hand or face is called {name!r}; there are {', '.join(OUTPUTS)}")
    wanted = tuple(USUAL[name] if outputs is None else outputs)
    if not wanted or set(wanted) - set(OUTPUTS[name]):
        raise InputError(f"{name} answers {', '.join(OUTPUTS[name])}, wanted {', '.join(wanted) or 'nothing'}")
    if runtime not in get_args(Runtime):
        raise InputError(f"runtime is one of {', '.join(get_args(Runtime))}, got {runtime!r}")
    on_processor = device == "cpu" or (device is None and not torch.cuda.is_available())
    if runtime == "auto":
        runtime = "litert" if on_processor and _has_litert() else "torch"
    elif runtime == "litert" and not _has_litert():
        raise InputError("runtime 'litert' needs the package ai-edge-litert, which does not load; use torch")
    path = crop_network_file(name)
    source = Source(name, str(path), read_tflite(path), wanted)
    if runtime == "litert":
        from triskel.detect2d.crop_networks.litert_network import LitertNetwork

        return LitertNetwork(source, threads or torch.get_num_threads())
    from triskel.detect2d.crop_networks.torch_network import TorchNetwork

    return TorchNetwork(source, device=device, precision="float32" if precision == "auto" else precision)


def _has_litert() -> bool:
    """Return whether LiteRT is installed and its compiled part loads on this machine."""
    try:
        importlib.import_module("ai_edge_litert.interpreter")
    except ImportError:
        return False
    return True
