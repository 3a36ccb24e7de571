"""Labelled people as an evaluation needs them: with what must be ignored, and how large heads and torsos are.

`read_dataset` drops what training cannot use. Scores need it: a crowd swallows detections instead of making them false.
Hands are measured here too; faces are measured between their labels, by what scores them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triskel.detect2d.datasets import OUTSIDE_PX, KeypointDataset, LabelledImage
from triskel.detect2d.datasets.joint_names import plain_name
from triskel.detect2d.datasets.part_labels import PartField, is_box, part_box, part_columns, raw_labels
from triskel.errors import InputError, shown
from triskel.whole_body import Part

_HEAD_BOXES = ("head_bbox", "headbox")
_HEAD_TOPS, _NECKS = ("headtop", "head"), ("neck", "upperneck")
_HANDS: tuple[tuple[Part, str], ...] = (("left_hand", "lefthand"), ("right_hand", "righthand"))
_DIAGONALS = (("lshoulder", "rhip"), ("rshoulder", "lhip"))


@dataclass(frozen=True, eq=False)
class LabelledPeople:
    """The people of one image, those to be ignored among them.

    Attributes:
        image_id: the file's number of the image.
        keypoints: (N, J, 3) x px, y px, visibility; NaN, NaN, 0 where unlabelled.
        boxes: (N, 4) x, y, width, height, px.
        areas: (N,) px^2, the scale of the object keypoint similarity.
        crowd: (N,) a group that no one has told apart; any number of detections may fall into it.
        head_px: (N,) size of the head; NaN where nothing tells it.
        torso_px: (N,) size of the torso; NaN where nothing tells it.
        hand_px: (N, 2) size of the left and the right hand; NaN where nothing tells it.
    """

    image_id: int
    keypoints: NDArray[np.float64]
    boxes: NDArray[np.float64]
    areas: NDArray[np.float64]
    crowd: NDArray[np.bool_]
    head_px: NDArray[np.float64]
    torso_px: NDArray[np.float64]
    hand_px: NDArray[np.float64]

    @property
    def ignored(self) -> NDArray[np.bool_]:
        """Return (N,) the people that count neither as found nor as missed: crowds, and those without a label."""
        return np.asarray(self.crowd | ~self.labelled.any(axis=1))

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Return (N, J) the joints that have a label."""
        return np.asarray(self.keypoints[..., 2] > 0)


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """What detections are compared with.

    Attributes:
        annotations: the file.
        joints: names of the J joints.
        images: one entry an image, in the order of the data set.
        category_id: the file's number for what has these joints.
        parts: feet, face and hands that the file has in fields of their own; their joints come last.
    """

    annotations: Path
    joints: tuple[str, ...]
    images: tuple[LabelledPeople, ...]
    category_id: int = 1
    parts: tuple[PartField, ...] = ()

    def select(self, index: Sequence[int]) -> "GroundTruth":
        """Return the same people with only the joints at `index`; heads and torsos keep their sizes."""
        chosen = list(index)
        images = tuple(replace(image, keypoints=image.keypoints[:, chosen]) for image in self.images)
        return replace(self, joints=tuple(self.joints[i] for i in chosen), images=images, parts=())

    @property
    def people(self) -> int:
        """Return the number of people that count."""
        return sum(int((~image.ignored).sum()) for image in self.images)


def read_ground_truth(dataset: KeypointDataset) -> GroundTruth:
    """Read the people of a data set's images once more, with what is to be ignored.

    The size of a head is 0.6 times the diagonal of its box (`head_bbox` or `headbox`: x, y, width, height) where the
    annotation has one, MPII's definition; otherwise the distance from the top of the head (`HeadTop`, `Head`) to the
    neck. The size of a torso is the longer labelled diagonal between a shoulder and the hip of the other side. The size
    of a hand is the longer side of its box (`lefthand_box`, `righthand_box`), or else of the one around its labels.

    Raises:
        InputError: the file changed and cannot be read any more, or the box of a head or hand is not four numbers.
    """
    path = dataset.annotations
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON: {str(error).splitlines()[0]}") from error
    category = next(c.get("id") for c in data["categories"] if c.get("keypoints") and isinstance(c["keypoints"], list))
    by_image: dict[int, list[dict[str, Any]]] = {image.id: [] for image in dataset.images}
    for annotation in data["annotations"]:
        if annotation.get("category_id", category) == category and annotation["image_id"] in by_image:
            by_image[annotation["image_id"]].append(annotation)
    people = (_people(dataset, image, by_image[image.id]) for image in dataset.images)
    number = category if isinstance(category, int) else 1
    return GroundTruth(path, dataset.joints, tuple(people), number, dataset.parts)


def _people(dataset: KeypointDataset, image: LabelledImage, annotations: Sequence[Mapping[str, Any]]) -> LabelledPeople:
    path, joints, parts = dataset.annotations, dataset.joints, dataset.parts
    own = len(joints) - sum(len(part.joints) for part in parts)
    keypoints = np.array([raw_labels(path, a, own, parts) for a in annotations]).reshape(-1, len(joints), 3)
    xy, far_edge = keypoints[..., :2], np.array(image.size_wh) - 1
    inside = (np.maximum(-xy, xy - far_edge) <= OUTSIDE_PX).all(axis=-1)
    keypoints[~inside | ~(keypoints[..., 2] > 0)] = np.nan, np.nan, 0
    boxes = np.array([_box(a, k) for a, k in zip(annotations, keypoints, strict=True)]).reshape(-1, 4)
    areas = [float(a.get("area") or box[2] * box[3]) for a, box in zip(annotations, boxes, strict=True)]
    names = [plain_name(joint) for joint in joints]
    heads = [_head_px(path, a, k, names) for a, k in zip(annotations, keypoints, strict=True)]
    hands = [_hands_px(path, a, k, joints) for a, k in zip(annotations, keypoints, strict=True)]
    return LabelledPeople(
        image_id=image.id,
        keypoints=keypoints,
        boxes=boxes,
        areas=np.array(areas, dtype=np.float64),
        crowd=np.array([bool(a.get("iscrowd")) for a in annotations], dtype=np.bool_),
        head_px=np.array(heads, dtype=np.float64),
        torso_px=np.array([_torso_px(k, names) for k in keypoints], dtype=np.float64),
        hand_px=np.array(hands, dtype=np.float64).reshape(-1, 2),
    )


def _box(annotation: Mapping[str, Any], keypoints: NDArray[np.float64]) -> list[float]:
    """Return the annotation's box, or the one around its keypoints, as `read_dataset` does."""
    if annotation.get("bbox") is not None:
        return [float(side) for side in annotation["bbox"]]
    xy = keypoints[keypoints[:, 2] > 0, :2]
    if not len(xy):
        return [0.0, 0.0, 0.0, 0.0]
    low, high = xy.min(axis=0), xy.max(axis=0)
    return [*low.tolist(), *(high - low + 1).tolist()]


def _head_px(path: Path, annotation: Mapping[str, Any], keypoints: NDArray[np.float64], names: Sequence[str]) -> float:
    for key in _HEAD_BOXES:
        box = annotation.get(key)
        if box is None:
            continue
        if not is_box(box):
            raise InputError(
                f"{path}: {key} of annotation {annotation.get('id', '?')} is x, y, width, height, got {shown(box)}"
            )
        return 0.6 * float(np.hypot(box[2], box[3])) or np.nan
    top = next((i for name in _HEAD_TOPS for i, other in enumerate(names) if other == name), None)
    neck = next((i for name in _NECKS for i, other in enumerate(names) if other == name), None)
    return np.nan if top is None or neck is None else _distance(keypoints, top, neck)


def _torso_px(keypoints: NDArray[np.float64], names: Sequence[str]) -> float:
    lengths = [_distance(keypoints, names.index(a), names.index(b)) for a, b in _DIAGONALS if a in names and b in names]
    return max((length for length in lengths if np.isfinite(length)), default=np.nan)


def _hands_px(
    path: Path, annotation: Mapping[str, Any], keypoints: NDArray[np.float64], joints: Sequence[str]
) -> list[float]:
    sizes = []
    for part, field in _HANDS:
        columns = part_columns(joints, part)
        box = part_box(path, annotation, field)
        xy = keypoints[list(columns.values()), :2]
        labelled = xy[np.isfinite(xy).all(axis=1)]
        size = max(box[2:]) if box else float(np.ptp(labelled, axis=0).max()) if len(labelled) else 0.0
        sizes.append(size if size > 0 and columns else np.nan)
    return sizes


def _distance(keypoints: NDArray[np.float64], a: int, b: int) -> float:
    """Return the distance of two joints, NaN where one is unlabelled or both are at one place: no measure of size."""
    length = float(np.linalg.norm(keypoints[a, :2] - keypoints[b, :2]))
    return length if length > 0 else np.nan
