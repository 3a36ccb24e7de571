"""Enough of protobuf's wire format to write files of other programs by hand, as its documentation lays it out."""


def varint(value):
    out = b""
    while True:
        out += bytes([value & 0x7F | (0x80 if value > 0x7F else 0)])
        value >>= 7
        if not value:
            return out


def field(number, *content):
    """Return a field: an integer, or pieces of bytes that follow each other."""
    if isinstance(content[0], int):
        return varint(number << 3) + varint(content[0])
    return varint(number << 3 | 2) + varint(sum(map(len, content))) + b"".join(content)


def one_by_one(number, values):
    """Return a repeated field of floats or doubles that is not packed: a key before each number."""
    key = varint(number << 3 | {4: 5, 8: 1}[values.itemsize])
    return b"".join(key + value.tobytes() for value in values)


def constant(name, array, *, dtype=1, op=b"Const"):
    """Return a NodeDef with one tensor, as protobuf's documentation lays it out."""
    shape = b"".join(field(2, field(1, size)) for size in array.shape)
    tensor = field(1, dtype) + field(2, shape) + field(4, array.tobytes())
    kind = field(5, field(1, b"dtype") + field(2, field(6, dtype)))
    return field(1, field(1, name) + field(2, op) + kind + field(5, field(1, b"value") + field(2, field(8, tensor))))
