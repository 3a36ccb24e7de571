import runpy
import struct
from pathlib import Path

import numpy as np
import pytest

from triskel import InputError
from triskel.detect2d.weights.frozen_graph import read_constants

WIRE = runpy.run_path(str(Path(__file__).with_name("protobuf.py")))  # tests are not a package
varint, field, constant = WIRE["varint"], WIRE["field"], WIRE["constant"]

ARRAY = np.arange(300, dtype="<f4").reshape(3, 4, 25) / 7
NODES = constant(b"a/weights", ARRAY) + constant(b"b", np.float32([0.5]))
OTHERS = constant(b"whole", np.arange(3, dtype="<i4"), dtype=3) + field(1, field(1, b"x") + field(2, b"Placeholder"))
VERSIONS = field(4, field(1, 22)) + varint(9 << 3 | 5) + struct.pack("<f", 1.5) + varint(10 << 3 | 1) + bytes(8)


def test_float_constants_are_read_and_everything_else_is_left_out(tmp_path):
    file = tmp_path / "graph.pb"
    file.write_bytes(NODES + OTHERS + VERSIONS)
    constants = read_constants(file)
    assert sorted(constants) == ["a/weights", "b"]
    np.testing.assert_array_equal(constants["a/weights"], ARRAY)
    np.testing.assert_array_equal(constants["b"], np.float32([0.5]))


def test_a_graph_cut_off_anywhere_inside_a_node_is_refused(tmp_path):
    file = tmp_path / "graph.pb"
    first = len(constant(b"a/weights", ARRAY))
    for keep in [*range(1, 60), first // 2, first - 1, first + 1, len(NODES) - 1]:
        file.write_bytes(NODES[:keep])
        with pytest.raises(InputError, match="not a frozen TensorFlow graph, or cut off") as caught:
            read_constants(file)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("seed", range(5))
def test_garbage_is_refused_or_holds_no_constant(tmp_path, seed):
    file = tmp_path / "graph.pb"
    file.write_bytes(np.random.default_rng(seed).bytes(2000))
    with pytest.raises(InputError, match=r"graph\.pb: not a frozen TensorFlow graph"):
        read_constants(file)


@pytest.mark.parametrize(
    "content",
    [
        constant(b"short", ARRAY).replace(field(1, 25), field(1, 26)),  # the shape asks for more than there is
        constant(b"\xff\xfe", ARRAY),  # a name that is no UTF-8
        field(1, field(1, b"n") + field(2, b"Const")),  # a constant without a value
        field(1, field(1, 5)),  # a number for a name
        b"\x0b",  # a wire type that protobuf gave up
        b"\x80" * 12,  # a number without an end
    ],
    ids=["shape", "name", "no value", "number", "wire type", "endless"],
)
def test_a_malformed_graph_is_refused_in_one_line(tmp_path, content):
    file = tmp_path / "graph.pb"
    file.write_bytes(content)
    with pytest.raises(InputError, match="not a frozen TensorFlow graph") as caught:
        read_constants(file)
    assert "\n" not in str(caught.value)
