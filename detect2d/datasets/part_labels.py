"""Labels of feet, face and hands beside those of the body, as COCO-WholeBody's annotations have them.

An annotation has a field of points (`foot_kpts`, ...), one that says whether they are labels (`foot_valid`, ...) and,
of hands and face, a box. All of them become joints after those of the category, under the names of `whole_body_135`;
only the first point of a hand, its wrist, has another name, for that skeleton's wrists are the body's.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.detect2d.datasets.joint_names import plain_name
from triskel.errors import InputError, shown
from triskel.skeleton import BODY_25, FACE_70, WHOLE_BODY_135
from triskel.whole_body import WRISTS, Part, parts_of

FARTHEST_PX = 1e7
"""Numbers beyond are no places in an image, and too large to be calculated with."""

HAND_WRISTS = {"left_hand": "LHandWrist", "right_hand": "RHandWrist"}
"""What the wrist is called where it is a hand's label."""


class PartField(NamedTuple):
    """One part's points in an annotation.

    Attributes:
        name: `foot`, `face`, `lefthand` or `righthand`: before `_kpts`, `_valid` and `_box`.
        joints: names of its points.
    """

    name: str
    joints: tuple[str, ...]


def _hand(part: Literal["left_hand", "right_hand"]) -> tuple[str, ...]:
    fingers = parts_of(WHOLE_BODY_135)[part]
    return (HAND_WRISTS[part], *(WHOLE_BODY_135.joints[i] for i in fingers))


PART_FIELDS = (
    PartField("foot", BODY_25.joints[19:]),
    PartField("face", FACE_70.joints[:68]),
    PartField("lefthand", _hand("left_hand")),
    PartField("righthand", _hand("right_hand")),
)


def fields_of(path: Path, annotations: Sequence[Mapping[str, Any]], joints: Sequence[str]) -> tuple[PartField, ...]:
    """Return the parts that any of the annotations has.

    Args:
        path: of the file, for messages.
        annotations: all of the file.
        joints: names of the category's own joints.

    Raises:
        InputError: a part's joints are among the category's own.
    """
    own = {plain_name(joint) for joint in joints}
    fields = tuple(field for field in PART_FIELDS if any(f"{field.name}_kpts" in one for one in annotations))
    for field in fields:
        if twice := [joint for joint in field.joints if plain_name(joint) in own]:
            raise InputError(
                f"{path}: labels {twice[0]} twice, in 'keypoints' and in '{field.name}_kpts'; leave one of them out"
            )
    return fields


def raw_labels(
    path: Path, annotation: Mapping[str, Any], count: int, fields: Sequence[PartField]
) -> NDArray[np.float64]:
    """Return an annotation's labels (J, 3) as they are in the file: its `count` own joints, then those of the parts.

    What is left out, or not valid, is 0, 0, 0.

    Raises:
        InputError: a field holds another number of numbers, or something else.
    """
    rows = [_points(path, annotation, "keypoints", count)]
    for field in fields:
        points = _points(path, annotation, f"{field.name}_kpts", len(field.joints))
        rows.append(points * bool(annotation.get(f"{field.name}_valid", True)))
    return np.concatenate(rows)


def _points(path: Path, annotation: Mapping[str, Any], key: str, count: int) -> NDArray[np.float64]:
    numbers = annotation.get(key)
    if not numbers:
        return np.zeros((count, 3))
    where = f"annotation {annotation.get('id', '?')}"
    if not isinstance(numbers, list) or len(numbers) != 3 * count:
        got = len(numbers) if isinstance(numbers, list) else type(numbers).__name__
        what = "keypoints" if key == "keypoints" else f"points in {key!r}"
        raise InputError(f"{path}: {where} has {got} numbers for {count} {what}, not {3 * count}")
    try:
        points = np.array(numbers)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{path}: {key} of {where} are not numbers: {error}") from error
    if points.shape != (3 * count,) or points.dtype.kind not in "fiu" or not np.isfinite(points).all():
        raise InputError(f"{path}: {key} of {where} are not numbers: expected {3 * count} finite ones")
    return points.astype(np.float64).reshape(count, 3)


def part_columns(joints: Sequence[str], part: Part) -> dict[int, int]:
    """Return which joints are points of a hand or of the face: number of the point to index in `joints`.

    Points are told by the names of `whole_body_135`, in any spelling. Point 0 of a hand is its wrist: the hand's own
    label, or else the body's. Empty where none but a wrist is there.
    """
    index = {plain_name(joint): i for i, joint in reversed(list(enumerate(joints)))}
    names = [WHOLE_BODY_135.joints[i] for i in parts_of(WHOLE_BODY_135)[part]]
    start = 1 if part in WRISTS else 0
    columns = {k: index[plain_name(name)] for k, name in enumerate(names, start) if plain_name(name) in index}
    if part in WRISTS and columns:
        for name in (HAND_WRISTS[part], WHOLE_BODY_135.joints[WRISTS[part]]):
            if plain_name(name) in index:
                return {0: index[plain_name(name)], **columns}
    return columns


def part_box(path: Path, annotation: Mapping[str, Any], field: str) -> list[float] | None:
    """Return the box of a part, x, y, width, height, px; None where the annotation has none, or an empty one.

    Raises:
        InputError: it is something else.
    """
    box = annotation.get(f"{field}_box")
    if box is None or not annotation.get(f"{field}_valid", True):
        return None
    if not is_box(box):
        raise InputError(
            f"{path}: {field}_box of annotation {annotation.get('id', '?')} is x, y, width, height, got {shown(box)}"
        )
    return [float(side) for side in box] if min(box[2:]) > 0 else None


def is_box(value: object) -> bool:
    """Say whether a value of the file is x, y, width, height, px."""
    return (
        isinstance(value, list)
        and len(value) == 4
        and all(isinstance(side, int | float) and abs(side) <= FARTHEST_PX for side in value)
    )
