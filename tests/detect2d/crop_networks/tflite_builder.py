"""Writes small .tflite files, one operator or a few, for the tests of what reads them."""

from dataclasses import dataclass, field

import flatbuffers
import numpy as np
import tflite

_TYPES = {
    name.lower(): getattr(tflite.TensorType, name) for name in ("FLOAT32", "FLOAT16", "INT32", "INT8")
}  # as numpy calls them
_SAME, _VALID = tflite.Padding.SAME, tflite.Padding.VALID
_ACTIVATIONS = {"NONE": 0, "RELU": 1, "RELU6": 3, "TANH": 4}


@dataclass
class TfliteFile:
    """A graph that is put together tensor by tensor, and written at the end."""

    tensors: list = field(default_factory=list)  # (name, shape, type, constant bytes)
    operators: list = field(default_factory=list)  # (code, inputs, outputs, options type, function that writes options)
    inputs: list = field(default_factory=list)
    outputs: list = field(default_factory=list)

    def tensor(self, name, shape, value=None):
        value = None if value is None else np.ascontiguousarray(value)
        kind = "float32" if value is None else value.dtype.name
        self.tensors.append((name, tuple(shape), _TYPES[kind], b"" if value is None else value.tobytes()))
        return len(self.tensors) - 1

    def constant(self, value):
        value = np.asarray(value)
        return self.tensor(f"constant{len(self.tensors)}", value.shape, value)

    def input(self, shape):
        self.inputs.append(self.tensor("input", shape))
        return self.inputs[-1]

    def output(self, place, name=None):
        if name is not None:
            self.tensors[place] = (name, *self.tensors[place][1:])
        self.outputs.append(place)

    def operator(self, kind, inputs, shape, options=None):
        """Add an operator with one output of a shape; `options` is (type, function of a builder) or None."""
        made = self.tensor(f"made{len(self.tensors)}", shape)
        self.operators.append((getattr(tflite.BuiltinOperator, kind), list(inputs), [made], options))
        return made

    def write(self, path):
        path.write_bytes(self._data())
        return path

    def _data(self):
        b = flatbuffers.Builder(1024)
        buffers = [_buffer(b, b"")]
        tensors = []
        for name, shape, kind, data in self.tensors:
            if data:
                buffers.append(_buffer(b, data))
            tensors.append(_tensor(b, name, shape, kind, len(buffers) - 1 if data else 0))
        codes = sorted({code for code, *_ in self.operators})
        code_tables = [_code(b, code) for code in codes]
        operators = [_operator(b, codes.index(code), i, o, options) for code, i, o, options in self.operators]
        graph = _graph(b, tensors, operators, self.inputs, self.outputs)
        graphs, code_vector, buffer_vector = (_tables(b, one) for one in ([graph], code_tables, buffers))
        tflite.ModelStart(b)
        tflite.ModelAddVersion(b, 3)
        tflite.ModelAddOperatorCodes(b, code_vector)
        tflite.ModelAddSubgraphs(b, graphs)
        tflite.ModelAddBuffers(b, buffer_vector)
        b.Finish(tflite.ModelEnd(b), file_identifier=b"TFL3")
        return bytes(b.Output())


def _tables(b, offsets):
    b.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    return b.EndVector()


def _buffer(b, data):
    vector = None
    if data:
        b.StartVector(1, len(data), 16)  # constants are read in place, so they are aligned
        b.head = b.head - len(data)
        b.Bytes[b.head : b.head + len(data)] = data
        vector = b.EndVector()
    tflite.BufferStart(b)
    if vector is not None:
        tflite.BufferAddData(b, vector)
    return tflite.BufferEnd(b)


def _tensor(b, name, shape, kind, buffer):
    text, sides = b.CreateString(name), b.CreateNumpyVector(np.array(shape, np.int32))
    tflite.TensorStart(b)
    tflite.TensorAddName(b, text)
    tflite.TensorAddShape(b, sides)
    tflite.TensorAddType(b, kind)
    tflite.TensorAddBuffer(b, buffer)
    return tflite.TensorEnd(b)


def _code(b, code):
    tflite.OperatorCodeStart(b)
    tflite.OperatorCodeAddDeprecatedBuiltinCode(b, min(code, 127))
    tflite.OperatorCodeAddBuiltinCode(b, code)
    tflite.OperatorCodeAddVersion(b, 1)
    return tflite.OperatorCodeEnd(b)


def _operator(b, code, inputs, outputs, options):
    kind, table = (0, None) if options is None else (options[0], options[1](b))
    i, o = (b.CreateNumpyVector(np.array(places, np.int32)) for places in (inputs, outputs))
    tflite.OperatorStart(b)
    tflite.OperatorAddOpcodeIndex(b, code)
    tflite.OperatorAddInputs(b, i)
    tflite.OperatorAddOutputs(b, o)
    if table is not None:
        tflite.OperatorAddBuiltinOptionsType(b, kind)
        tflite.OperatorAddBuiltinOptions(b, table)
    return tflite.OperatorEnd(b)


def _graph(b, tensors, operators, inputs, outputs):
    tensor_vector, operator_vector = _tables(b, tensors), _tables(b, operators)
    i, o = (b.CreateNumpyVector(np.array(places, np.int32)) for places in (inputs, outputs))
    tflite.SubGraphStart(b)
    tflite.SubGraphAddTensors(b, tensor_vector)
    tflite.SubGraphAddInputs(b, i)
    tflite.SubGraphAddOutputs(b, o)
    tflite.SubGraphAddOperators(b, operator_vector)
    return tflite.SubGraphEnd(b)


def _options(name, **values):
    """Return (type, function) of an options table whose fields have these values."""

    def write(b):
        getattr(tflite, f"{name}Start")(b)
        for field_name, value in values.items():
            getattr(tflite, f"{name}Add{field_name}")(b, value)
        return getattr(tflite, f"{name}End")(b)

    return getattr(tflite.BuiltinOptions, name), write


def conv(*, same=True, stride=1, activation="NONE", dilation=1):
    return _options(
        "Conv2DOptions", Padding=_SAME if same else _VALID, StrideW=stride, StrideH=stride,
        FusedActivationFunction=_ACTIVATIONS[activation], DilationWFactor=dilation, DilationHFactor=dilation,
    )  # fmt: skip


def depthwise(*, same=True, stride=1, activation="NONE", multiplier=1):
    return _options(
        "DepthwiseConv2DOptions", Padding=_SAME if same else _VALID, StrideW=stride, StrideH=stride,
        DepthMultiplier=multiplier, FusedActivationFunction=_ACTIVATIONS[activation], DilationWFactor=1,
        DilationHFactor=1,
    )  # fmt: skip


def pool(*, same=True, stride=2, window=2):
    return _options(
        "Pool2DOptions", Padding=_SAME if same else _VALID, StrideW=stride, StrideH=stride, FilterWidth=window,
        FilterHeight=window, FusedActivationFunction=0,
    )  # fmt: skip


def add(activation="NONE"):
    return _options("AddOptions", FusedActivationFunction=_ACTIVATIONS[activation])


def fully_connected(activation="NONE"):
    return _options("FullyConnectedOptions", FusedActivationFunction=_ACTIVATIONS[activation])


def resize(*, align_corners=False, half_pixel_centers=True):
    return _options("ResizeBilinearOptions", AlignCorners=align_corners, HalfPixelCenters=half_pixel_centers)


def mean(*, keep_dims=False):
    return _options("ReducerOptions", KeepDims=keep_dims)
