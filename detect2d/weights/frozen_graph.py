"""Constants of a frozen TensorFlow graph, read from the protobuf bytes without TensorFlow.

Only what a frozen inference graph of float weights holds is read (GraphDef.node, NodeDef.name/op/attr,
AttrValue.tensor, TensorProto of type float): anything else is an error, never a guess.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from triskel.detect2d.weights.protobuf import fields, message, text
from triskel.errors import InputError

_FLOAT = 1  # DataType.DT_FLOAT


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
    for number, node in fields(data):
        if number != 1 or not isinstance(node, memoryview):  # GraphDef.node; versions and library do not matter
            continue
        name, op, attributes = "", "", {}
        for field, value in fields(node):
            if field == 1:
                name = text(value)
            elif field == 2:
                op = text(value)
            elif field == 5:
                entry = dict(fields(message(value)))
                attributes[text(entry[1])] = entry[2]
        if op == "Const":
            tensor = dict(fields(message(attributes["value"]))).get(8)
            if tensor is not None and dict(fields(message(tensor))).get(1) == _FLOAT:
                yield name, _tensor(message(tensor))


def _tensor(data: memoryview) -> NDArray[np.float32]:
    """Decode a TensorProto of floats: its shape (field 2) and raw little-endian content (field 4)."""
    tensor = dict(fields(data))
    dimensions = (dict(fields(message(dim))).get(1, 0) for n, dim in fields(message(tensor[2])) if n == 2)
    shape = [size for size in dimensions if isinstance(size, int)]
    return np.frombuffer(message(tensor[4]), dtype="<f4").reshape(shape)
