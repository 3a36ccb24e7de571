"""Whether a file's layers are those of a network; if not, one line that says which are missing, wrong, left over."""

from collections.abc import Mapping, Sequence

from triskel.errors import InputError

Shape = tuple[int, ...]

_NAMED = 3  # of each kind; a file of another network has hundreds
_LONGEST = 160  # letters of each; a damaged file has names of any length


def compare_layers(
    given: Mapping[str, Sequence[Shape]], expected: Mapping[str, Sequence[Shape]], *, where: str
) -> None:
    """Check that both have the same layers, with arrays of the same shapes.

    Args:
        given: layer to the shapes of its arrays, as the file has them.
        expected: the same as the network has them.
        where: what the message starts with.

    Raises:
        InputError: they differ; the first few of each kind are named, and how many there are.
    """
    missing = [name for name in expected if name not in given]
    wrong = [
        f"{name} is {_shapes(given[name])}, expected {_shapes(expected[name])}"
        for name in expected
        if name in given and list(given[name]) != list(expected[name])
    ]
    extra = [name for name in given if name not in expected]
    kinds = (("missing", missing), ("of another shape", wrong), ("left over", extra))
    found = [f"{len(names)} {kind} ({_few(names)})" for kind, names in kinds if names]
    if found:
        raise InputError(f"{where}: of {len(expected)} layers {'; '.join(found)}")


def _few(names: Sequence[str]) -> str:
    short = (name if len(name) <= _LONGEST else f"{name[:_LONGEST]}..." for name in names[:_NAMED])
    return ", ".join(short) + (", ..." if len(names) > _NAMED else "")


def _shapes(shapes: Sequence[Shape]) -> str:
    return " and ".join("x".join(map(str, shape)) or "a number" for shape in shapes) or "empty"
