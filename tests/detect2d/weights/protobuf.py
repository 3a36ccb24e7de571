"""Enough of protobuf's wire format to write a frozen graph by hand, as its documentation lays it out."""


def varint(value):
    out = b""
    while True:
        out += bytes([value & 0x7F | (0x80 if value > 0x7F else 0)])
        value >>= 7
        if not value:
            return out


def field(number, content):
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def constant(name, array, *, dtype=1, op=b"Const"):
    """Return a NodeDef with one tensor, as protobuf's documentation lays it out."""
    shape = b"".join(field(2, field(1, size)) for size in array.shape)
    tensor = field(1, dtype) + field(2, shape) + field(4, array.tobytes())
    kind = field(5, field(1, b"dtype") + field(2, field(6, dtype)))
    return field(1, field(1, name) + field(2, op) + kind + field(5, field(1, b"value") + field(2, field(8, tensor))))
