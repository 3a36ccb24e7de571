"""Constants of a frozen TensorFlow graph, read from the protobuf bytes without TensorFlow.

Only what a frozen inference graph of float weights holds is read (GraphDef.node, NodeDef.name/op/attr,
AttrValue.tensor, TensorProto of type float): anything else is an error, never a guess.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from triskel.errors import InputError

_FLOAT = 1  # DataType.DT_FLOAT
_WIDTHS = {1: 8, 5: 4}  # wire types of fixed width, bytes

Field = tuple[int, "int | memoryview"]


def read_constants(path: Path) -> dict[str, NDArray[np.float32]]:
    """Read every float constant of a frozen graph.

    Args:
        path: a serialised GraphDef.

    Returns:
        Node name to array, in TensorFlow's layout (convolution weights H, W, in, out).

    Raises:
        InputError: the file is no GraphDef, or is cut off.
    """
    try:
        return dict(_constants(memoryview(path.read_bytes())))
    except (IndexError, ValueError, KeyError) as error:
        raise InputError(f"{path}: not a frozen TensorFlow graph, or cut off ({error})") from error


def _constants(data: memoryview) -> Iterator[tuple[str, NDArray[np.float32]]]:
    for number, node in _fields(data):
        if number != 1 or not isinstance(node, memoryview):  # GraphDef.node; versions and library do not matter
            continue
        name, op, attributes = "", "", {}
        for field, value in _fields(node):
            if field == 1:
                name = _text(value)
            elif field == 2:
                op = _text(value)
            elif field == 5:
                entry = dict(_fields(_bytes(value)))
                attributes[_text(entry[1])] = entry[2]
        if op == "Const":
            tensor = dict(_fields(_bytes(attributes["value"]))).get(8)
            if tensor is not None and dict(_fields(_bytes(tensor))).get(1) == _FLOAT:
                yield name, _tensor(_bytes(tensor))


def _tensor(data: memoryview) -> NDArray[np.float32]:
    """Decode a TensorProto of floats: its shape (field 2) and raw little-endian content (field 4)."""
    fields = dict(_fields(data))
    dimensions = (dict(_fields(_bytes(dim))).get(1, 0) for n, dim in _fields(_bytes(fields[2])) if n == 2)
    shape = [size for size in dimensions if isinstance(size, int)]
    return np.frombuffer(_bytes(fields[4]), dtype="<f4").reshape(shape)


def _fields(data: memoryview) -> Iterator[Field]:
    """Split a protobuf message into (field number, value); values are integers or bytes."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire == 2:
            length, at = _varint(data, at)
        elif wire in _WIDTHS:
            length = _WIDTHS[wire]
        else:
            raise ValueError(f"wire type {wire} at byte {at}")
        if at + length > len(data):
            raise ValueError(f"field {number} runs past the end")
        yield number, data[at : at + length]
        at += length


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError(f"a number longer than 64 bits at byte {at}")


def _bytes(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ValueError("a number where a message was expected")
    return value


def _text(value: int | memoryview) -> str:
    return bytes(_bytes(value)).decode("utf-8")
