"""Weights out of Caffe's binary files, read from the protobuf bytes without Caffe.

Both generations of the format are read, V1 (`layers`) and V2 (`layer`). The file is mapped, not loaded: each layer is
copied once, into the network.
"""

import math
import mmap
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from triskel.detect2d.weights.caffe_layers import caffe_layers
from triskel.detect2d.weights.compare import compare_layers
from triskel.detect2d.weights.protobuf import fields, message, text, varints
from triskel.errors import InputError

Blob = NDArray[np.float32] | NDArray[np.float64]

# Field numbers: of the layers in a NetParameter, and of name and blobs in a layer of either generation.
_V1, _V2 = 2, 100
_NAME = {_V1: 4, _V2: 1}
_BLOBS = {_V1: 6, _V2: 7}
_MAX_AXES = 32  # as many as Caffe allows


def read_caffemodel(path: Path) -> dict[str, list[Blob]]:
    """Read the layers that have parameters.

    Args:
        path: a serialised NetParameter.

    Returns:
        Layer name to its blobs, views of the mapped file; a blob of the legacy form has 4 axes.

    Raises:
        InputError: the file cannot be read, is no caffemodel, or is cut off.
    """
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: cannot be read: it is no file")
    try:
        with path.open("rb") as file:
            data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        layers = _layers(data)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (IndexError, ValueError) as error:
        raise InputError(f"{path}: not a caffemodel, or cut off ({error})") from error
    if not layers:
        raise InputError(f"{path}: not a caffemodel: it has no layer with parameters")
    return layers


def caffe_state(path: Path, preset: str, *, network: nn.Module) -> dict[str, Tensor]:
    """Read a released network's parameters, checked layer by layer.

    Args:
        path: the caffemodel.
        preset: which network it should be. `mpi_4` takes the file of `mpi` and leaves out the last two stages.
        network: of that preset, for the shapes; it is not changed.

    Returns:
        Parameter name to float32 tensor, complete and of the right shapes.

    Raises:
        InputError: the file is no caffemodel, or not of that network; the message names the layers that are missing, of
            another shape, left over, or damaged.
    """
    layers = read_caffemodel(path)
    expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    table = {layer.name: [expected[one] for one in layer.parameters] for layer in caffe_layers(preset)}
    given = {name: _shapes(blobs, table.get(name, [])) for name, blobs in layers.items()}
    if preset == "mpi_4":
        given = {name: shapes for name, shapes in given.items() if name in table}
    compare_layers(given, table, where=f"{path}: not {preset}")
    state = {}
    for layer in caffe_layers(preset):
        for name, blob in zip(layer.parameters, layers[layer.name], strict=True):
            if not np.isfinite(blob).all():
                raise InputError(f"{path}: damaged, numbers of layer {layer.name} are not finite; fetch the file again")
            state[name] = torch.from_numpy(np.array(blob, dtype=np.float32, order="C").reshape(expected[name]))
    return state


def _shapes(blobs: list[Blob], wanted: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Return the shapes of a layer's blobs without the leading ones that the legacy form fills up to 4 axes with."""
    shapes = []
    for i, blob in enumerate(blobs):
        extra = blob.ndim - len(wanted[i]) if i < len(wanted) else 0
        shapes.append(blob.shape[extra:] if extra > 0 and set(blob.shape[:extra]) == {1} else blob.shape)
    return shapes


def _layers(data: memoryview) -> dict[str, list[Blob]]:
    """Return the blobs of every layer that has some."""
    layers: dict[str, list[Blob]] = {}
    for kind, value in fields(data):
        if kind not in _NAME:
            continue
        name, blobs = "", []
        for number, content in fields(message(value)):
            if number == _NAME[kind]:
                name = text(content)
            elif number == _BLOBS[kind]:
                blobs.append(message(content))
        if blobs:
            if name in layers:
                raise ValueError(f"two layers are called {name!r}")
            layers[name] = [_blob(blob, name) for blob in blobs]
    return layers


def _blob(data: memoryview, layer: str) -> Blob:
    """Decode a BlobProto: data (field 5) or double_data (8), shape (7) or the four legacy sizes (1 to 4)."""
    floats: list[memoryview] = []
    doubles: list[memoryview] = []
    legacy = {1: 1, 2: 1, 3: 1, 4: 1}
    shape: list[int] | None = None
    for number, value in fields(data):
        if number == 5:
            floats.append(message(value))
        elif number == 8:
            doubles.append(message(value))
        elif number == 7:
            shape = _dimensions(message(value))
        elif number in legacy and isinstance(value, int):
            legacy[number] = value
    values = _joined(doubles, "<f8") if doubles else _joined(floats, "<f4")
    sizes = list(legacy.values()) if shape is None else shape
    if len(sizes) > _MAX_AXES or math.prod(sizes) != values.size:
        raise ValueError(f"layer {layer!r}: {values.size} numbers for the shape {sizes[:_MAX_AXES]}")
    return values.reshape(sizes)


def _dimensions(data: memoryview) -> list[int]:
    """Decode a BlobShape: its sizes, packed or one by one."""
    sizes: list[int] = []
    for number, value in fields(data):
        if number == 1:
            sizes += [value] if isinstance(value, int) else varints(value)
    return sizes


def _joined(parts: list[memoryview], dtype: str) -> Blob:
    """Return the numbers of one or several packed pieces; one piece, the usual case, is not copied."""
    arrays = [np.frombuffer(part, dtype=dtype) for part in parts]
    if len(arrays) == 1:
        return arrays[0]
    return np.concatenate(arrays) if arrays else np.empty(0, np.float32)
