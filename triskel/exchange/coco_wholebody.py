"""Writer of COCO's results file: the keypoints of COCO, with feet, face and hands as COCO-WholeBody's evaluation wants.

The orders are those of the benchmark: 17 points of the body, 6 of the feet, 68 of the face, 21 of each hand.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from triskel.files import write_text
from triskel.keypoints import People2D
from triskel.skeleton import BODY_25, COCO_17, WHOLE_BODY_135, Skeleton
from triskel.whole_body import WRISTS, parts_of

FEET = BODY_25.joints[19:]
"""Big toe, small toe and heel of the left foot, then of the right one."""

PERSON = 1
"""COCO's number of what is found: people."""


def result_fields(skeleton: Skeleton) -> dict[str, NDArray[np.intp]]:
    """Return the fields of a result and the skeleton's joint of each of their points, -1 where it has none.

    `keypoints` are COCO's 17, or all joints of a skeleton that has none of those; `foot_kpts` where it has feet;
    `face_kpts` (68, no pupils), `lefthand_kpts` and `righthand_kpts` (21, the wrist is the body's) of the whole body.
    """
    fields = {"keypoints": _at(skeleton, COCO_17.joints)}
    if (fields["keypoints"] < 0).all():
        return {"keypoints": np.arange(len(skeleton), dtype=np.intp)}
    feet = _at(skeleton, FEET)
    if (feet >= 0).any():
        fields["foot_kpts"] = feet
    if skeleton.joints == WHOLE_BODY_135.joints:
        parts = parts_of(skeleton)
        fields["face_kpts"] = parts["face"][:68]
        for field, part in (("lefthand_kpts", "left_hand"), ("righthand_kpts", "right_hand")):
            fields[field] = np.r_[WRISTS[part], parts[part]]  # type: ignore[index] # these are its names
    return fields


def _at(skeleton: Skeleton, joints: Sequence[str]) -> NDArray[np.intp]:
    return np.array([skeleton.joints.index(joint) if joint in skeleton.joints else -1 for joint in joints])


def coco_entries(image_id: int, people: People2D, *, category_id: int = PERSON) -> list[dict[str, object]]:
    """Return one entry of the results for each person in an image.

    A missing point is 0, 0, 0. The box goes around all points found: with it, evaluations tell medium people from large
    ones by what was found, and not by the corner of the image, where the missing points lie.
    """
    fields = result_fields(people.skeleton)
    entries: list[dict[str, object]] = []
    for keypoints, box, score in zip(people.keypoints, people.boxes, people.scores, strict=True):
        # A last row that -1 finds.
        points = np.concatenate([np.nan_to_num(keypoints.round(3)), np.zeros((1, 3))])
        low, high = box[:2], box[2:]
        entry: dict[str, object] = {"image_id": image_id, "category_id": category_id}
        entry |= {field: points[joints].ravel().tolist() for field, joints in fields.items()}
        entry |= {"score": float(score), "bbox": np.r_[low, high - low].round(3).tolist()}
        entries.append(entry)
    return entries


def write_coco_wholebody(
    path: str | Path, found: Iterable[tuple[int, People2D]], *, file_names: Mapping[int, str] | None = None
) -> None:
    """Write a results file of COCO or, for people in `whole_body_135`, of COCO-WholeBody.

    Args:
        path: the `.json` file.
        found: each image's number, and the people in it.
        file_names: by the image's number, put into the entries where the numbers are made up.

    Raises:
        JobError: the file cannot be written.
    """
    entries = []
    for image_id, people in found:
        name = {"file_name": file_names[image_id]} if file_names else {}
        entries += [entry | name for entry in coco_entries(image_id, people)]
    write_text(Path(path), json.dumps(entries, separators=(",", ":")) + "\n")
