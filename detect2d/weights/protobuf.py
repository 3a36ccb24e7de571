"""Protobuf's wire format, enough to read the files of other programs without those programs."""

from collections.abc import Iterator

import numpy as np

Field = tuple[int, "int | memoryview"]

_WIDTHS = {1: 8, 5: 4}  # wire types of fixed width, bytes
_RUN = 64  # entries of a run looked at first; then four times as many, and so on


def fields(data: memoryview) -> Iterator[Field]:
    """Split a message into (field number, value).

    Values are integers, or bytes without a copy. Numbers of fixed width that were written one by one come as one run of
    bytes, as if they had been packed: protobuf holds both for the same, and files hold millions of them.

    Raises:
        ValueError: the bytes are no message.
        IndexError: they end inside a number.
    """
    at = 0
    while at < len(data):
        start = at
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield number, value
        elif wire == 2:
            length, at = _varint(data, at)
            if at + length > len(data):
                raise ValueError(f"field {number} runs past the end")
            yield number, data[at : at + length]
            at += length
        elif wire in _WIDTHS:
            if at + _WIDTHS[wire] > len(data):
                raise ValueError(f"field {number} runs past the end")
            values, at = _run(data, start, at, _WIDTHS[wire])
            yield number, values
        else:
            raise ValueError(f"wire type {wire} at byte {at}")


def varints(data: memoryview) -> list[int]:
    """Return the integers of a packed field."""
    values, at = [], 0
    while at < len(data):
        value, at = _varint(data, at)
        values.append(value)
    return values


def message(value: int | memoryview) -> memoryview:
    """Return the bytes of a field that holds a message, a text or packed numbers.

    Raises:
        ValueError: it holds a number.
    """
    if isinstance(value, int):
        raise ValueError("a number where a message was expected")
    return value


def text(value: int | memoryview) -> str:
    """Return a field's text.

    Raises:
        ValueError: it holds a number, or bytes that are no UTF-8.
    """
    return bytes(message(value)).decode("utf-8")


def _run(data: memoryview, start: int, at: int, width: int) -> tuple[memoryview, int]:
    """Return the values of all entries from `start` on that have the same key, side by side, and where they end."""
    step = at - start + width
    key = np.frombuffer(data[start:at], dtype=np.uint8)
    count, size = 1, _RUN
    while True:
        size = min(size, (len(data) - start) // step)
        entries = np.frombuffer(data[start : start + size * step], dtype=np.uint8).reshape(size, step)
        same = (entries[:, : len(key)] == key).all(axis=1)
        count = size if same.all() else int(same.argmin())
        if count < size or size == (len(data) - start) // step:
            break
        size *= 4
    values = data[at : at + width] if count == 1 else memoryview(entries[:count, len(key) :].tobytes())
    return values, start + count * step


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
