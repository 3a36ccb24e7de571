"""A .tflite file as a small graph: tensors and operators, with the constants in float32.

Reads the file's structure alone and runs nothing. Half-precision constants, which such files unpack at run time by
DEQUANTIZE operators, are unpacked here.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import tflite
from numpy.typing import NDArray

from triskel.errors import InputError

Options = TypeVar("Options")


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
    inputs, outputs = source.InputsAsNumpy().tolist(), source.OutputsAsNumpy().tolist()
    for operator in operators:
        _check(operator, tensors)
    if not inputs or not outputs or not all(0 <= i < len(tensors) for i in (*inputs, *outputs)):
        raise ValueError("no inputs or outputs, or some that are not in the graph")
    return Graph(tuple(tensors), tuple(operators), tuple(inputs), tuple(outputs))


# The inputs of each kind that have to be constants, by the number of their axes.
_CONSTANT_AXES: dict[str, dict[int, tuple[int, ...]]] = {
    "CONV_2D": {1: (4,), 2: (1,)},
    "DEPTHWISE_CONV_2D": {1: (4,), 2: (1,)},
    "FULLY_CONNECTED": {1: (2,), 2: (1,)},
    "PRELU": {1: (1, 2, 3, 4)},
    "PAD": {1: (2,)},
    "RESIZE_BILINEAR": {1: (1,)},
    "MEAN": {1: (0, 1)},
}
_ON_IMAGES = ("CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D", "PAD", "RESIZE_BILINEAR", "MEAN")


def _check(operator: Operator, tensors: list[Tensor]) -> None:
    """Refuse an operator that points outside the graph, or whose tensors are not what its kind works on."""
    if not operator.inputs or not all(-1 <= i < len(tensors) for i in operator.inputs):
        raise ValueError(f"{operator.kind} takes tensors that are not in the graph")
    if len(operator.outputs) != 1 or not 0 <= operator.outputs[0] < len(tensors):
        raise ValueError(f"{operator.kind} makes tensors that are not in the graph")
    if min(*operator.stride_hw, *operator.dilation_hw, *operator.window_hw) < 1:
        raise ValueError(f"{operator.kind} with a window that does not move")
    if operator.kind in _ON_IMAGES and len(tensors[operator.inputs[0]].shape) != 4:
        raise _UnsupportedError(f"{operator.kind} on {len(tensors[operator.inputs[0]].shape)} axes")
    for n, axes in _CONSTANT_AXES.get(operator.kind, {}).items():
        if n < len(operator.inputs) and operator.inputs[n] >= 0:
            value = tensors[operator.inputs[n]].value
            if value is None:
                raise _UnsupportedError(f"{operator.kind} with numbers that are not constant")
            if value.ndim not in axes:
                raise ValueError(f"{operator.kind} with constants of {value.ndim} axes")
        elif n == 1:
            raise ValueError(f"{operator.kind} without its constants")
    if operator.kind == "MEAN" and sorted(np.ravel(np.asarray(tensors[operator.inputs[1]].value)) % 4) != [1, 2]:
        raise _UnsupportedError("MEAN over other axes than height and width")


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


def _read(options: Options, table: object) -> Options:
    """Return an options object of the format's own reader, placed at a table of the file."""
    options.Init(table.Bytes, table.Pos)  # type: ignore[attr-defined] # both classes come without types
    return options


def _conv(known: Operator, table: object) -> Operator:
    is_depthwise = known.kind == "DEPTHWISE_CONV_2D"
    options = _read(tflite.DepthwiseConv2DOptions() if is_depthwise else tflite.Conv2DOptions(), table)
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
    options = _read(tflite.Pool2DOptions(), table)
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
    options = _read(tflite.AddOptions(), table)
    activation = _activation(options.FusedActivationFunction())
    return Operator(known.kind, known.inputs, known.outputs, activation=activation)


def _fully_connected(known: Operator, table: object) -> Operator:
    options = _read(tflite.FullyConnectedOptions(), table)
    activation = _activation(options.FusedActivationFunction())
    return Operator(known.kind, known.inputs, known.outputs, activation=activation)


def _resize(known: Operator, table: object) -> Operator:
    options = _read(tflite.ResizeBilinearOptions(), table)
    if not (options.AlignCorners() or options.HalfPixelCenters()):
        raise _UnsupportedError("RESIZE_BILINEAR that counts pixels from their corners")
    return Operator(
        known.kind,
        known.inputs,
        known.outputs,
        align_corners=options.AlignCorners(),
        half_pixel_centers=options.HalfPixelCenters(),
    )


def _mean(known: Operator, table: object) -> Operator:
    options = _read(tflite.ReducerOptions(), table)
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
