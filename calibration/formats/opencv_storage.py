"""OpenCV's FileStorage as plain Python: YAML that is not quite YAML, and XML.

OpenCV's YAML begins with `%YAML:1.0`, which YAML parsers refuse, and marks matrices by `!!opencv-matrix`. A matrix is a
mapping of rows, cols, dt and data in both languages; everything else is numbers, texts, lists and mappings.
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Hashable, Mapping
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from triskel.calibration.formats.base import has_bool, numbers, one_line, read_text
from triskel.calibration.formats.xml_tree import parse_xml
from triskel.errors import ConfigError

HEADER = "%YAML:1.0\n---\n"

Node = dict[str, object]


class _Loader(yaml.SafeLoader):
    """YAML in which a key that stands twice is an error: PyYAML takes the last, and a camera would get lost."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        if twice:
            raise yaml.constructor.ConstructorError(problem=f"{', '.join(twice)} stands there twice; names are unique")
        return super().construct_mapping(node, deep=deep)


def read_storage(path: Path) -> Node:
    """Return a FileStorage file, YAML or XML, as dictionaries, lists, numbers and texts.

    Raises:
        ConfigError: unreadable, broken, with a key twice, or with YAML aliases, which can make a small file huge.
    """
    text = read_text(path)
    if text.lstrip().startswith("<"):
        data = _from_xml(parse_xml(path))
    else:
        # The header and the tag are not YAML 1.1.
        text = re.sub(r"^%YAML:?.*$", "", text, flags=re.MULTILINE).replace("!!opencv-matrix", "")
        if re.search(r"(^|[\s\[{,:-])[&*]\w", text):
            raise ConfigError(f"{path}: YAML anchors and aliases are refused; no calibration needs them")
        try:
            data = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
        except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
            raise ConfigError(f"{path}: broken YAML: {one_line(error)[:120]}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: expected keys and values, got {type(data).__name__}")
    return {str(key): value for key, value in data.items()}


def _from_xml(element: ET.Element) -> object:
    """Return an element as what the same data would be in YAML."""
    children = list(element)
    if not children:
        text = (element.text or "").strip().strip('"')
        try:
            return int(text)
        except ValueError:
            return text
    if all(child.tag == "_" for child in children):
        return [_from_xml(child) for child in children]
    tags = [child.tag for child in children]
    twice = sorted({tag for tag in tags if tags.count(tag) > 1})
    if twice:
        raise ConfigError(f"<{element.tag}>: {', '.join(twice)} stands there twice; names are unique")
    return {child.tag: _from_xml(child) for child in children}


def matrix_of(data: Mapping[str, object], key: str, *, where: str) -> NDArray[np.float64]:
    """Return a matrix (rows, cols) of a storage; a plain list counts as one row of each of its lists.

    Raises:
        ConfigError: it is missing, or its numbers are not as many as it says.
    """
    node = data.get(key)
    if isinstance(node, list):
        return np.atleast_2d(numbers(node, where=f"{where}: {key}", shape=np.shape(_plain(node))))
    if not isinstance(node, dict) or not {"rows", "cols", "data"} <= node.keys():
        raise ConfigError(f"{where}: {key} is missing or not a matrix of rows, cols and data")
    values = node["data"].split() if isinstance(node["data"], str) else node["data"]
    flat = numbers(values, where=f"{where}: {key}")
    rows, cols = node["rows"], node["cols"]
    whole = isinstance(rows, int) and isinstance(cols, int) and not has_bool([rows, cols])
    if not whole or rows * cols != len(flat) or rows < 0:
        raise ConfigError(f"{where}: {key} is {rows} x {cols} but holds {len(flat)} numbers")
    return flat.reshape(rows, cols)


def _plain(node: list[object]) -> NDArray[np.float64]:
    """Return a list as an array, for its shape; an empty one where it has none."""
    try:
        return np.asarray(node, dtype=np.float64)
    except (TypeError, ValueError):
        return np.zeros(0)


def matrix_text(key: str, matrix: NDArray[np.float64], *, indent: int = 0) -> str:
    """Return a matrix as FileStorage YAML."""
    rows, cols = matrix.shape
    pad = " " * indent
    lines = (f"rows: {rows}", f"cols: {cols}", "dt: d", f"data: {matrix.ravel().tolist()}")
    return f"{pad}{key}: !!opencv-matrix\n" + "".join(f"{pad}  {line}\n" for line in lines)
