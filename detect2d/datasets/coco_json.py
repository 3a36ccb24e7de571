"""COCO-format keypoint annotations: one JSON file beside a folder of images.

Feet, faces and hands of COCO-WholeBody's annotations are joints like those of the body (`part_labels`).

What is wrong with a file is found here, before hours of work: a missing image, keypoints of another number than the
joints, no person at all. Keypoints outside their image are taken for unlabelled, and counted in a warning.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from triskel.detect2d.datasets.part_labels import FARTHEST_PX, PartField, fields_of, is_box, raw_labels
from triskel.errors import InputError, shown
from triskel.images import read_image_bgr

log = logging.getLogger(__name__)

OUTSIDE_PX = 1.0
"""Labels farther than this outside their image are mistakes; nearer ones are rounding on the last pixel's edge."""

Polygon = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LabelledImage:
    """One image and its people.

    Attributes:
        id: the file's number of the image.
        path: the image file; it exists.
        size_wh: as the annotations say, px.
        keypoints: (N, J, 3) x px, y px, visibility 1 (labelled, hidden) or 2 (visible); NaN, NaN, 0 where unlabelled.
            Only people with at least one labelled joint.
        boxes: (N, 4) x, y, width, height, px.
        areas: (N,) px^2, the scale of COCO's object keypoint similarity.
        unlabelled: outlines (K, 2) px of people and crowds without keypoints, which no loss and no score may count;
            also of people whose feet, face or hands alone are labelled.
    """

    id: int
    path: Path
    size_wh: tuple[int, int]
    keypoints: NDArray[np.float64]
    boxes: NDArray[np.float64]
    areas: NDArray[np.float64]
    unlabelled: tuple[Polygon, ...] = ()


@dataclass(frozen=True, eq=False)
class KeypointDataset:
    """Images with labelled people.

    Attributes:
        annotations: the JSON file.
        joints: names of the J joints, as the file has them; those of `parts` come last.
        images: those that were asked for, with people or without.
        parts: feet, face and hands that the file labels in fields of their own.
    """

    annotations: Path
    joints: tuple[str, ...]
    images: tuple[LabelledImage, ...]
    parts: tuple[PartField, ...] = ()

    @property
    def people(self) -> int:
        """Return the number of labelled people."""
        return sum(len(image.keypoints) for image in self.images)


def read_dataset(
    annotations: str | Path, images: str | Path | None = None, *, first: int | None = None
) -> KeypointDataset:
    """Read COCO-format keypoints.

    Args:
        annotations: the JSON file, or a folder with one `keypoints.json` in it.
        images: folder of the image files; `images` beside the annotations when None.
        first: only that many images that have labelled people, in the order of their numbers; all images when None.

    Raises:
        InputError: a file is missing or broken; the message names the file and the annotation.
    """
    path = Path(annotations)
    path = path / "keypoints.json" if path.is_dir() else path
    folder = Path(images) if images is not None else path.parent / "images"
    if not path.exists():
        raise InputError(f"{path}: no such file; give COCO-format keypoint annotations (JSON), or their folder")
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of images; name it with the images of {path}")
    data = _load(path)
    own, category = _joints(path, data)
    annotations_read = _list(path, data, "annotations")
    parts = fields_of(path, annotations_read, own)
    labels = _Labels(own, parts)
    by_image: dict[int, list[dict[str, Any]]] = {}
    for annotation in annotations_read:
        if annotation.get("category_id", category) != category:
            continue  # a thing without keypoints in a file of many things
        by_image.setdefault(_get(path, annotation, "image_id", int), []).append(annotation)
    wanted = sorted(_list(path, data, "images"), key=lambda image: _get(path, image, "id", int))
    _check_numbers(path, wanted)
    read = []
    for entry in wanted:
        image = _image(path, folder, entry, by_image.pop(entry["id"], []), labels)
        if first is not None and not len(image.keypoints):
            continue
        read.append(image)
        if first is not None and len(read) == first:
            break
    if first is None and by_image:
        raise InputError(f"{path}: has annotations of image {min(by_image)}, but no such image")
    if not sum(len(image.keypoints) for image in read):
        raise InputError(f"{path}: has no person with a labelled joint in {len(wanted)} images")
    _check_files(path, read)
    labels.warn(path)
    return KeypointDataset(path, labels.joints, tuple(read), parts)


class _Labels:
    """The joints that a file labels; counts labels outside their image, and remembers the first."""

    def __init__(self, own: tuple[str, ...], parts: tuple[PartField, ...]) -> None:
        self.own = len(own)
        self.parts = parts
        self.joints = (*own, *(joint for part in parts for joint in part.joints))
        self.count = 0
        self.first = ""

    def warn(self, path: Path) -> None:
        if self.count:
            log.warning(
                "%s: %d keypoints lie outside their image and count as unlabelled, first %s",
                path,
                self.count,
                self.first,
            )


def _load(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as JSON: {str(error).splitlines()[0]}") from error
    if not isinstance(data, dict):
        raise InputError(f"{path}: is no COCO file, it holds a {type(data).__name__} where an object was expected")
    return data


def _list(path: Path, data: dict[str, Any], key: str) -> Sequence[dict[str, Any]]:
    value = data.get(key)
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise InputError(f"{path}: is no COCO file, {key!r} is not a list of objects")
    if not value:
        raise InputError(f"{path}: {key!r} is empty")
    return value


def _get(path: Path, entry: dict[str, Any], key: str, kind: type) -> Any:  # noqa: ANN401 - JSON
    value = entry.get(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise InputError(f"{path}: {_name(entry)} has no {key!r} of type {kind.__name__}, got {value!r}")
    return value


def _name(entry: dict[str, Any]) -> str:
    return f"annotation {entry.get('id', '?')}" if "image_id" in entry else f"image {entry.get('id', '?')}"


def _check_numbers(path: Path, images: Sequence[dict[str, Any]]) -> None:
    """Refuse a number that two images have: whose the annotations are cannot be told."""
    for one, other in pairwise(images):
        if one["id"] == other["id"]:
            raise InputError(f"{path}: two images have the id {one['id']}")


def _joints(path: Path, data: dict[str, Any]) -> tuple[tuple[str, ...], Any]:
    """Return the joints of the one category that has keypoints, and its number."""
    with_keypoints = [
        c for c in _list(path, data, "categories") if c.get("keypoints") and isinstance(c["keypoints"], list)
    ]
    if len(with_keypoints) != 1:
        raise InputError(f"{path}: exactly one category lists its keypoints, here {len(with_keypoints)} do")
    return tuple(map(str, with_keypoints[0]["keypoints"])), with_keypoints[0].get("id")


def _image(
    path: Path,
    folder: Path,
    entry: dict[str, Any],
    annotations: list[dict[str, Any]],
    labels: _Labels,
) -> LabelledImage:
    size_wh = _get(path, entry, "width", int), _get(path, entry, "height", int)
    if min(size_wh) < 1:
        raise InputError(f"{path}: {_name(entry)} is {size_wh[0]} x {size_wh[1]} px")
    people, boxes, areas, unlabelled = [], [], [], []
    for annotation in annotations:
        raw = raw_labels(path, annotation, labels.own, labels.parts)
        keypoints = _keypoints(raw, annotation, size_wh, labels)
        box = _box(path, annotation, raw)
        area = _area(path, annotation, box)
        labelled = keypoints[:, 2] > 0
        if not labelled[: labels.own].any() or annotation.get("iscrowd"):
            unlabelled += _outlines(path, annotation, box, size_wh)
        if not labelled.any() or annotation.get("iscrowd"):
            continue
        people.append(keypoints)
        boxes.append(box)
        areas.append(area)
    return LabelledImage(
        id=entry["id"],
        path=folder / _get(path, entry, "file_name", str),
        size_wh=size_wh,
        keypoints=np.array(people, dtype=np.float64).reshape(-1, len(labels.joints), 3),
        boxes=np.array(boxes, dtype=np.float64).reshape(-1, 4),
        areas=np.array(areas, dtype=np.float64),
        unlabelled=tuple(unlabelled),
    )


def _keypoints(
    raw: NDArray[np.float64], annotation: dict[str, Any], size_wh: tuple[int, int], labels: _Labels
) -> NDArray[np.float64]:
    """Return (J, 3) of what the annotation says, NaN, NaN, 0 where nothing is labelled inside the image."""
    keypoints = raw.copy()
    labelled = keypoints[:, 2] > 0
    far = np.maximum(-keypoints[:, :2], keypoints[:, :2] - (np.array(size_wh) - 1)).max(axis=1)
    wrong = labelled & ~(far <= OUTSIDE_PX)  # NaN is outside too
    if wrong.any():
        joint = int(np.flatnonzero(wrong)[0])
        where = f"{labels.joints[joint]} of {_name(annotation)}: {keypoints[joint, :2].tolist()}"
        labels.first = labels.first or where
        labels.count += int(wrong.sum())
    keypoints[~labelled | wrong] = np.nan, np.nan, 0
    return keypoints


def _box(path: Path, annotation: dict[str, Any], raw: NDArray[np.float64]) -> list[float]:
    """Return the annotation's box, or the box around its labels where it has none."""
    box = annotation.get("bbox")
    if box is None:
        points = raw[(raw[:, 2] > 0) & (np.abs(raw[:, :2]) <= FARTHEST_PX).all(axis=1), :2]
        if not len(points):
            raise InputError(f"{path}: {_name(annotation)} has neither a bbox nor labelled keypoints")
        low, high = points.min(axis=0), points.max(axis=0)
        return [*low.tolist(), *(high - low + 1).tolist()]
    if not is_box(box):
        raise InputError(f"{path}: bbox of {_name(annotation)} is x, y, width, height, got {shown(box)}")
    return [float(side) for side in box]


def _area(path: Path, annotation: dict[str, Any], box: list[float]) -> float:
    """Return the annotation's area, or that of its box where it has none."""
    area = annotation.get("area") or box[2] * box[3]
    if not isinstance(area, int | float) or not 0 <= area <= FARTHEST_PX**2:
        raise InputError(f"{path}: area of {_name(annotation)} is a number of square px, got {shown(area)}")
    return float(area)


def _outlines(path: Path, annotation: dict[str, Any], box: list[float], size_wh: tuple[int, int]) -> list[Polygon]:
    """Return the outlines of what has no keypoints: of its polygons or bitmap, or its box where it has neither."""
    segmentation = annotation.get("segmentation")
    try:
        if isinstance(segmentation, list):
            polygons = [np.array(one[: len(one) // 2 * 2], dtype=np.float64).reshape(-1, 2) for one in segmentation]
            if whole := [one for one in polygons if len(one) >= 3 and (np.abs(one) <= FARTHEST_PX).all()]:
                return whole
        elif isinstance(segmentation, dict):
            return _bitmap_outlines(segmentation, size_wh)
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        raise InputError(f"{path}: segmentation of {_name(annotation)} cannot be read: {error}") from error
    x, y, width, height = box
    return [np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]])]


def _bitmap_outlines(segmentation: dict[str, Any], size_wh: tuple[int, int]) -> list[Polygon]:
    """Return the outlines of a run-length encoded bitmap, as COCO's crowds have it."""
    height, width = segmentation["size"]
    if (width, height) != size_wh:
        raise ValueError(f"a bitmap of {width} x {height} px in an image of {size_wh[0]} x {size_wh[1]}")
    counts = segmentation["counts"]
    if isinstance(counts, list):
        if min(counts, default=0) < 0 or sum(counts) != width * height:
            raise ValueError(f"its runs do not fill {width} x {height} px")
        # Runs of 0 and 1 in turn, column by column.
        runs = np.repeat((np.arange(len(counts)) % 2).astype(np.uint8), counts)
        bitmap = np.ascontiguousarray(runs.reshape(width, height).T)
    else:
        from pycocotools import mask

        bitmap = np.ascontiguousarray(mask.decode(segmentation))
    contours, _ = cv2.findContours(bitmap, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return [np.asarray(contour, dtype=np.float64).reshape(-1, 2) for contour in contours]


def _check_files(path: Path, images: Sequence[LabelledImage]) -> None:
    missing = [image.path for image in images if not image.path.is_file()]
    if missing:
        raise InputError(f"{path}: {len(missing)} of {len(images)} images are missing, first {missing[0]}")


def read_labelled_image(image: LabelledImage) -> NDArray[np.uint8]:
    """Read a labelled image as (H, W, 3) BGR, in the orientation of its pixels, which is that of its labels.

    Raises:
        InputError: the file is no image, or has another size than its annotations say.
    """
    pixels = read_image_bgr(image.path, upright=False)
    size_wh = pixels.shape[1], pixels.shape[0]
    if size_wh != image.size_wh:
        raise InputError(
            f"{image.path}: is {size_wh[0]} x {size_wh[1]} px, its annotations are for {image.size_wh[0]} x "
            f"{image.size_wh[1]}; give the images that were labelled"
        )
    return pixels
