import runpy
from pathlib import Path

import numpy as np
import pytest

from triskel.detect2d.weights.protobuf import fields, message, text, varints

WIRE = runpy.run_path(str(Path(__file__).with_name("protobuf.py")))  # tests are not a package
varint, field, one_by_one = WIRE["varint"], WIRE["field"], WIRE["one_by_one"]


def read(data):
    return [(n, value if isinstance(value, int) else bytes(value)) for n, value in fields(memoryview(data))]


def test_numbers_texts_and_messages_come_in_their_order():
    data = field(1, 300) + field(2, b"abc") + field(200, b"") + field(1, 0)
    assert read(data) == [(1, 300), (2, b"abc"), (200, b""), (1, 0)]


@pytest.mark.parametrize("number", [5, 100], ids=["key of one byte", "key of two"])
@pytest.mark.parametrize("dtype", ["<f4", "<f8"])
@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 255, 256, 257, 5000])
def test_numbers_written_one_by_one_come_as_if_packed(count, dtype, number):
    values = np.arange(count, dtype=dtype) / 3
    after = field(number + 1, 7)
    assert read(one_by_one(number, values) + after) == [(number, values.tobytes()), (number + 1, 7)]
    assert read(one_by_one(number, values)) == [(number, values.tobytes())]


def test_runs_of_two_fields_stay_apart():
    a, b = np.float32([1, 2]), np.float32([3])
    data = one_by_one(1, a) + one_by_one(2, b) + one_by_one(1, b)
    assert read(data) == [(1, a.tobytes()), (2, b.tobytes()), (1, b.tobytes())]


def test_a_run_cut_off_inside_a_number_is_an_error():
    data = one_by_one(5, np.arange(100, dtype="<f4"))
    for keep in (4, 7, 322, len(data) - 1):
        with pytest.raises((ValueError, IndexError)):
            read(data[:keep])


def test_packed_integers_are_split():
    assert varints(memoryview(varint(1) + varint(300) + varint(1 << 40))) == [1, 300, 1 << 40]


def test_a_number_is_neither_a_message_nor_a_text():
    for use in (message, text):
        with pytest.raises(ValueError, match="a number where a message was expected"):
            use(5)
