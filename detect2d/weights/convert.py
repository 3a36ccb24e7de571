"""From published files to triskel's own: a frozen graph's constants into a PyTorch module's parameters."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from triskel.detect2d.networks.mobilenet_thin import MobilenetThin, graph_names
from triskel.detect2d.weights.frozen_graph import read_constants
from triskel.errors import InputError


def convert_mobilenet_thin(graph: Path) -> dict[str, Tensor]:
    """Read the published frozen graph of `mobilenet_thin` into a state dict.

    Args:
        graph: `graph_opt.pb`.

    Returns:
        Parameter name to float32 tensor, complete and of the right shapes.

    Raises:
        InputError: a layer is missing or has another shape; the message names it.
    """
    constants = read_constants(graph)
    model = MobilenetThin()
    expected = model.state_dict()
    state: dict[str, Tensor] = {}
    for parameter, node in graph_names(model).items():
        if node not in constants:
            raise InputError(f"{graph}: has no layer {node!r}, so it is not mobilenet_thin")
        array = constants[node]
        if array.ndim != expected[parameter].ndim:
            raise InputError(f"{graph}: layer {node!r} is {array.shape}, expected {expected[parameter].ndim} axes")
        if parameter.endswith("depthwise.weight"):
            array = array.transpose(2, 3, 0, 1)  # H, W, channel, 1 -> channel, 1, H, W
        elif parameter.endswith("weight"):
            array = array.transpose(3, 2, 0, 1)  # H, W, in, out -> out, in, H, W
        if array.shape != tuple(expected[parameter].shape):
            raise InputError(f"{graph}: layer {node!r} is {array.shape}, expected {tuple(expected[parameter].shape)}")
        state[parameter] = torch.from_numpy(np.array(array, dtype=np.float32, order="C"))
    missing = sorted(set(expected) - set(state))
    assert not missing, f"parameters without a source: {missing}"
    return state
