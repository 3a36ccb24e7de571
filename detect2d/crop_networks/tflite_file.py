"""A .tflite file as a small graph: tensors and operators, with the constants in float32.

Reads the file's structure alone and runs nothing. Half-precision constants, which such files unpack at run time by
DEQUANTIZE operators, are unpacked here.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tflite
from numpy.typing import NDArray

from triskel.errors import InputError


class Tensor(NamedTuple):
    """One tensor: its name, shape (as stored, for a batch of one), and value where it is a constant."""

    name: str
    shape: tuple[int, ...]
    value: NDArray[np.float32] | NDArray[np.int32] | None


@dataclass(frozen=True)
class Operator:
    """One operator of the graph; the attributes that its kind does not have keep their defaults.

    Attributes:
        kind: e.g. `CONV_2D`, as in the format's own list.
        inputs: places of the tensors it takes; -1 for one that is left out.
        outputs: places of the tensors it makes.
        same_padding: whether the borders are filled up so that a stride of 1 keeps the size.
        stride_hw: step of the window.
        dilation_hw: distance of the filter's taps.
        window_hw: size of a pooling window.
        activation: applied to the result: `NONE`, `RELU`, `RELU6`.
        align_corners: of a resize: corner pixels fall on corner pixels.
        half_pixel_centers: of a resize: pixels are squares with centres at a half.
        keep_dims: of a mean: the axes stay, with length 1.
    """

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    same_padding: bool = False
    stride_hw: tuple[int, int] = (1, 1)
    dilation_hw: tuple[int, int] = (1, 1)
    window_hw: tuple[int, int] = (1, 1)
    activation: str = "NONE"
    align_corners: bool = False
    half_pixel_centers: bool = False
    keep_dims: bool = False


class Graph(NamedTuple):
    """A network: operators in an order in which they can run, and the places of its input and outputs."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def output(self, name: str) -> int:
        """Return the place of an output.

        Raises:
            KeyError: no output is called that.
        """
        return {self.tensors[i].name: i for i in self.outputs}[name]


_ACTIVATIONS = {0: "NONE", 1: "RELU", 3: "RELU6"}
_DTYPES = {
    tflite.TensorType.FLOAT32: np.float32,
    tflite.TensorType.FLOAT16: np.float16,
    tflite.TensorType.INT32: np.int32,
}
_KINDS = {code: name for name, code in vars(tflite.BuiltinOperator).items() if isinstance(code, int)}


def read_tflite(path: str | Path) -> Graph:
    """Read a .tflite file.

    Raises:
        InputError: it cannot be read, is damaged, or holds what is not supported; the message names the file.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    if data[4:8] != b"TFL3":
        raise InputError(f"{path}: no .tflite file, or a damaged one")
    try:
        return _graph(tflite.Model.GetRootAs(data, 0))
    except _UnsupportedError as error:
        raise InputError(f"{path}: has {error}, which is not supported") from error
    except (struct.error, IndexError, ValueError, TypeError, AttributeError, OverflowError, MemoryError) as error:
        raise InputError(f"{path}: damaged .tflite file ({type(error).__name__})") from error


class _UnsupportedError(Exception):
    """Names what of the format is not read."""


def _graph(model: tflite.Model) -> Graph:
    if model.SubgraphsLength() != 1:
        raise _UnsupportedError(f"{model.SubgraphsLength()} graphs")
    source = model.Subgraphs(0)
    tensors = [_tensor(model, source.Tensors(i)) for i in range(source.TensorsLength())]
    operators = []
    for i in range(source.OperatorsLength()):
        operator = _operator(model, source.Operators(i))
        if operator.kind == "DEQUANTIZE":
            value = tensors[operator.inputs[0]].value
            if value is None:
                raise _UnsupportedError("numbers that are not constant in half precision")
            made = operator.outputs[0]
            tensors[made] = tensors[made]._replace(value=value)
        else:
            operators.append(operator)
    return Graph(
        tuple(tensors),
        tuple(operators),
        tuple(source.InputsAsNumpy().tolist()),
        tuple(source.OutputsAsNumpy().tolist()),
    )


def _tensor(model: tflite.Model, source: tflite.Tensor) -> Tensor:
    shape = tuple(int(side) for side in source.ShapeAsNumpy()) if source.ShapeLength() else ()
    name = source.Name().decode("utf-8", errors="replace")
    data = model.Buffers(source.Buffer()).DataAsNumpy()
    if isinstance(data, int) or not len(data):
        return Tensor(name, shape, None)
    if source.Type() not in _DTYPES:
        raise _UnsupportedError(f"constants of type {source.Type()}")
    values = np.frombuffer(data.tobytes(), _DTYPES[source.Type()]).reshape(shape)
    return Tensor(name, shape, values if values.dtype == np.int32 else values.astype(np.float32))


def _operator(model: tflite.Model, source: tflite.Operator) -> Operator:
    code = model.OperatorCodes(source.OpcodeIndex())
    # Old files have the number in a byte, new ones in an int; the larger one is meant.
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    kind = _KINDS.get(number, f"operator {number}")
    known = Operator(kind, tuple(source.InputsAsNumpy().tolist()), tuple(source.OutputsAsNumpy().tolist()))
    if kind in _READERS:
        return _READERS[kind](known, source.BuiltinOptions())
    if kind not in _WITHOUT_OPTIONS:
        raise _UnsupportedError(f"the operator {kind}")
    return known


def _activation(number: int) -> str:
    if number not in _ACTIVATIONS:
        raise _UnsupportedError(f"activation {number}")
    return _ACTIVATIONS[number]


def _conv(known: Operator, table: object) -> Operator:
    is_depthwise = known.kind == "DEPTHWISE_CONV_2D"
    options = tflite.DepthwiseConv2DOptions() if is_depthwise else tflite.Conv2DOptions()
    options.Init(table.Bytes, table.Pos)  # type: ignore[attr-defined] # flatbuffers are untyped
    return Operator(
        known.kind,
        known.inputs,
        known.outputs,
        same_padding=options.Padding() == tflite.Padding.SAME,
        stride_hw=(options.StrideH(), options.StrideW()),
        dilation_hw=(options.DilationHFactor(), options.DilationWFactor()),
        activation=_activation(options.FusedActivationFunction()),
    )


def _pool(known: Operator, table: object) -> Operator:
    options = tflite.Pool2DOptions()
    options.Init(table.Bytes, table.Pos)  # type: ignore[attr-defined]
    return Operator(
        known.kind,
        known.inputs,
        known.outputs,
        same_padding=options.Padding() == tflite.Padding.SAME,
        stride_hw=(options.StrideH(), options.StrideW()),
        window_hw=(options.FilterHeight(), options.FilterWidth()),
        activation=_activation(options.FusedActivationFunction()),
    )


def _add(known: Operator, table: object) -> Operator:
    if table is None:
        return known
    options = tflite.AddOptions()
    options.Init(table.Bytes, table.Pos)  # type: ignore[attr-defined]
    activation = _activation(options.FusedActivationFunction())
    return Operator(known.kind, known.inputs, known.outputs, activation=activation)


def _fully_connected(known: Operator, table: object) -> Operator:
    options = tflite.FullyConnectedOptions()
    options.Init(table.Bytes, table.Pos)  # type: ignore[attr-defined]
    activation = _activation(options.FusedActivationFunction())
    return Operator(known.kind, known.inputs, known.outputs, activation=activation)


def _resize(known: Operator, table: object) -> Operator:
    options = tflite.ResizeBilinearOptions()
    options.Init(table.Bytes, table.Pos)  # type: ignore[attr-defined]
    return Operator(
        known.kind,
        known.inputs,
        known.outputs,
        align_corners=options.AlignCorners(),
        half_pixel_centers=options.HalfPixelCenters(),
    )


def _mean(known: Operator, table: object) -> Operator:
    options = tflite.ReducerOptions()
    options.Init(table.Bytes, table.Pos)  # type: ignore[attr-defined]
    return Operator(known.kind, known.inputs, known.outputs, keep_dims=options.KeepDims())


_READERS = {
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _conv,
    "MAX_POOL_2D": _pool,
    "ADD": _add,
    "FULLY_CONNECTED": _fully_connected,
    "RESIZE_BILINEAR": _resize,
    "MEAN": _mean,
}
_WITHOUT_OPTIONS = ("DEQUANTIZE", "PAD", "RESHAPE", "LOGISTIC", "PRELU")
SUPPORTED = (*_READERS, *_WITHOUT_OPTIONS)
"""Every operator that is read."""
