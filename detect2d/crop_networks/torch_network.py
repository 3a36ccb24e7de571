"""A .tflite graph as a PyTorch module: batched, on any device, only as much of it as is asked for."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from triskel.detect2d.crop_networks.network import Answers, Source
from triskel.detect2d.crop_networks.tflite_file import Graph, Operator
from triskel.detect2d.options import Precision
from triskel.detect2d.replicas import enough_memory, resolve_precision, usable_device

BATCH = 32
"""Pieces that go through the network at once; more fill the memory and are no faster."""

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "NONE": lambda x: x,
    "RELU": functional.relu,
    "RELU6": functional.relu6,
}
_WITHOUT_ARITHMETIC = ("RESHAPE", "LOGISTIC", "PAD")


class TfliteModule(nn.Module):
    """The operators that some outputs of a graph need, in order.

    Tensors of four axes are kept as (B, C, H, W) inside and given out as (B, H, W, C), as the file has them. Under
    autocast the layers that make an output stay in float32: a coordinate of 200 px has no room in bfloat16.
    """

    def __init__(self, graph: Graph, outputs: Sequence[int]) -> None:
        super().__init__()
        self._outputs = tuple(outputs)
        self._input = graph.inputs[0]
        wanted = _needed(graph, outputs)
        self._operators = tuple(wanted)
        self._exact = _exact(wanted, set(outputs))
        self._last_use = {i: n for n, operator in enumerate(wanted) for i in operator.inputs}
        self._layers = nn.ModuleList(_LAYERS[operator.kind](graph, operator) for operator in wanted)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Run a batch.

        Args:
            x: (B, C, H, W) float.

        Returns:
            The outputs asked for, float32, each with the leading axis B.
        """
        values = {self._input: x}
        for n, (operator, layer) in enumerate(zip(self._operators, self._layers, strict=True)):
            taken = [values[i] for i in operator.inputs if i in values]
            if n in self._exact:
                with torch.autocast(x.device.type, enabled=False):
                    made = layer(*(one.float() for one in taken))
            else:
                made = layer(*taken)
            values[operator.outputs[0]] = made
            for i in operator.inputs:
                if self._last_use[i] == n and i not in self._outputs:
                    values.pop(i, None)
        return [_channels_last_axis(values[i]).float() for i in self._outputs]


def _channels_last_axis(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1) if x.dim() == 4 else x


def _needed(graph: Graph, outputs: Sequence[int]) -> list[Operator]:
    """Return the operators that the outputs depend on, in the file's order."""
    wanted, chosen = set(outputs), []
    for operator in reversed(graph.operators):
        if wanted.intersection(operator.outputs):
            chosen.append(operator)
            wanted.update(operator.inputs)
    return chosen[::-1]


def _exact(operators: Sequence[Operator], outputs: set[int]) -> set[int]:
    """Return the places of the operators that lead straight to an output: the last one that calculates, and after."""
    straight, places = set(outputs), set()
    for n in reversed(range(len(operators))):
        if straight.intersection(operators[n].outputs):
            places.add(n)
            if operators[n].kind in _WITHOUT_ARITHMETIC:
                straight.update(operators[n].inputs)
    return places


def _same_padding(size: int, window: int, stride: int) -> tuple[int, int]:
    """Return how much is added before and after so that the result has ceil(size / stride) values."""
    total = max((-(-size // stride) - 1) * stride + window - size, 0)
    return total // 2, total - total // 2


def _paddings(graph: Graph, operator: Operator, window_hw: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return left, right, top, bottom."""
    if not operator.same_padding:
        return 0, 0, 0, 0
    _, height, width, _ = graph.tensors[operator.inputs[0]].shape
    windows = [(window - 1) * step + 1 for window, step in zip(window_hw, operator.dilation_hw, strict=True)]
    top, bottom = _same_padding(height, windows[0], operator.stride_hw[0])
    left, right = _same_padding(width, windows[1], operator.stride_hw[1])
    return left, right, top, bottom


def _constant(graph: Graph, operator: Operator, place: int) -> np.ndarray:
    value = graph.tensors[operator.inputs[place]].value
    assert value is not None, "files in which it is not constant are refused"
    return np.asarray(value)


class _Conv(nn.Module):
    def __init__(self, graph: Graph, operator: Operator) -> None:
        super().__init__()
        kernel = torch.from_numpy(_constant(graph, operator, 1).copy())
        depthwise = operator.kind == "DEPTHWISE_CONV_2D"
        # Stored as (out, h, w, in), depthwise as (1, h, w, out); PyTorch wants (out, in / groups, h, w).
        weight = kernel.permute(3, 0, 1, 2) if depthwise else kernel.permute(0, 3, 1, 2)
        self.weight = nn.Parameter(weight.contiguous(), requires_grad=False)
        has_bias = len(operator.inputs) > 2 and operator.inputs[2] >= 0
        bias = _constant(graph, operator, 2) if has_bias else np.zeros(len(weight), np.float32)
        self.bias = nn.Parameter(torch.from_numpy(bias.copy()), requires_grad=False)
        self._groups = graph.tensors[operator.inputs[0]].shape[3] if depthwise else 1
        self._stride, self._dilation = operator.stride_hw, operator.dilation_hw
        left, right, top, bottom = _paddings(graph, operator, (int(weight.shape[2]), int(weight.shape[3])))
        even = left == right and top == bottom
        self._padding = (top, left) if even else (0, 0)
        self._before = None if even else (left, right, top, bottom)
        self._activation = _ACTIVATIONS[operator.activation]

    def forward(self, x: Tensor) -> Tensor:
        if self._before is not None:
            x = functional.pad(x, self._before)
        y = functional.conv2d(x, self.weight, self.bias, self._stride, self._padding, self._dilation, self._groups)
        return self._activation(y)


class _MaxPool(nn.Module):
    def __init__(self, graph: Graph, operator: Operator) -> None:
        super().__init__()
        self._before = _paddings(graph, operator, operator.window_hw)
        self._window, self._stride = operator.window_hw, operator.stride_hw
        self._activation = _ACTIVATIONS[operator.activation]

    def forward(self, x: Tensor) -> Tensor:
        if any(self._before):
            x = functional.pad(x, self._before, value=float("-inf"))
        return self._activation(functional.max_pool2d(x, self._window, self._stride))


class _Add(nn.Module):
    def __init__(self, graph: Graph, operator: Operator) -> None:
        super().__init__()
        constants = [graph.tensors[i].value for i in operator.inputs if graph.tensors[i].value is not None]
        self.constant: Tensor | None
        self.register_buffer("constant", _nchw(np.asarray(constants[0], np.float32)) if constants else None)
        self._activation = _ACTIVATIONS[operator.activation]

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        other = self.constant if y is None else y
        assert other is not None, "an addition has two terms"
        return self._activation(x + other)


def _nchw(value: np.ndarray) -> Tensor:
    """Return a constant that is spread over (B, H, W, C) as one that is spread over (B, C, H, W)."""
    padded = torch.from_numpy(value.copy()).reshape((1,) * (4 - value.ndim) + value.shape)
    return padded.permute(0, 3, 1, 2).contiguous()


class _Prelu(nn.Module):
    def __init__(self, graph: Graph, operator: Operator) -> None:
        super().__init__()
        self.alpha: Tensor
        self.register_buffer("alpha", _nchw(_constant(graph, operator, 1)))

    def forward(self, x: Tensor) -> Tensor:
        alpha = self.alpha.to(x.dtype)
        if alpha.shape[2:] == (1, 1):
            return functional.prelu(x, alpha.reshape(-1))
        return torch.where(x > 0, x, alpha * x)


class _Pad(nn.Module):
    def __init__(self, graph: Graph, operator: Operator) -> None:
        super().__init__()
        (_, _), height, width, channels = (tuple(map(int, pair)) for pair in _constant(graph, operator, 1))
        self._before = (*width, *height, *channels)

    def forward(self, x: Tensor) -> Tensor:
        return functional.pad(x, self._before)


class _Resize(nn.Module):
    def __init__(self, graph: Graph, operator: Operator) -> None:
        super().__init__()
        height, width = _constant(graph, operator, 1)
        self._size = (int(height), int(width))
        self._align_corners = operator.align_corners

    def forward(self, x: Tensor) -> Tensor:
        return functional.interpolate(x, self._size, mode="bilinear", align_corners=self._align_corners)


class _Reshape(nn.Module):
    def __init__(self, graph: Graph, operator: Operator) -> None:
        super().__init__()
        self._shape = graph.tensors[operator.outputs[0]].shape[1:]

    def forward(self, x: Tensor) -> Tensor:
        y = _channels_last_axis(x).reshape(len(x), *self._shape)
        return y.permute(0, 3, 1, 2) if y.dim() == 4 else y


class _Logistic(nn.Module):
    def __init__(self, graph: Graph, operator: Operator) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(x)


class _Mean(nn.Module):
    def __init__(self, graph: Graph, operator: Operator) -> None:
        super().__init__()
        self._keep = operator.keep_dims

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=(2, 3), keepdim=self._keep)


class _FullyConnected(nn.Module):
    def __init__(self, graph: Graph, operator: Operator) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.from_numpy(_constant(graph, operator, 1).copy()), requires_grad=False)
        has_bias = len(operator.inputs) > 2 and operator.inputs[2] >= 0
        bias = _constant(graph, operator, 2) if has_bias else np.zeros(len(self.weight), np.float32)
        self.bias = nn.Parameter(torch.from_numpy(bias.copy()), requires_grad=False)
        self._activation = _ACTIVATIONS[operator.activation]

    def forward(self, x: Tensor) -> Tensor:
        flat = _channels_last_axis(x).flatten(1)
        return self._activation(functional.linear(flat, self.weight, self.bias))


_LAYERS: dict[str, Callable[[Graph, Operator], nn.Module]] = {
    "CONV_2D": _Conv,
    "DEPTHWISE_CONV_2D": _Conv,
    "MAX_POOL_2D": _MaxPool,
    "ADD": _Add,
    "PRELU": _Prelu,
    "PAD": _Pad,
    "RESIZE_BILINEAR": _Resize,
    "RESHAPE": _Reshape,
    "LOGISTIC": _Logistic,
    "MEAN": _Mean,
    "FULLY_CONNECTED": _FullyConnected,
}


class TorchNetwork:
    """The `CropNetwork` on PyTorch; see there for what it takes and returns."""

    def __init__(self, source: Source, *, device: str | None, precision: Precision) -> None:
        self.name, self.size, self.outputs = source.name, source.size, source.outputs
        self._source = source
        self._device = usable_device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self._half = resolve_precision(precision, self._device) == "bfloat16"
        module = TfliteModule(source.graph, [source.graph.output(name) for name in source.in_file]).eval()
        self.module = module.to(self._device)
        self.module.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # torch's stubs lack it

    def __call__(self, pieces: NDArray[np.uint8]) -> Answers:
        """Look at (B, size, size, 3) RGB."""
        runs = [self._run(pieces[start : start + BATCH]) for start in range(0, max(len(pieces), 1), BATCH)]
        return self._source.answers([np.concatenate(values) for values in zip(*runs, strict=True)])

    def _run(self, pieces: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        with enough_memory(f"{self._device}: out of memory; look at fewer images at a time"):
            x = torch.from_numpy(np.ascontiguousarray(pieces)).to(self._device).permute(0, 3, 1, 2).float() / 255
            with torch.inference_mode(), torch.autocast(self._device.type, torch.bfloat16, enabled=self._half):
                values = self.module(x.contiguous(memory_format=torch.channels_last))
            return [value.cpu().numpy() for value in values]
