"""Reader of OpenPose's JSON: bodies of any of its joint sets, with hands and faces where the files hold them."""

import json
import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.errors import InputError
from triskel.exchange.openpose_json import PART_ARRAYS
from triskel.motion import Detections2D
from triskel.skeleton import BODY_25, BODY_25B, COCO_17, COCO_18, MPII_15, WHOLE_BODY_135, Skeleton
from triskel.whole_body import WRISTS, parts_of

logger = logging.getLogger(__name__)

MOST_EMPTY_FRAMES = 1000
"""Frames without any file that are still taken for frames without people, and not for numbers that are no count."""

BY_LENGTH = {3 * len(skeleton): skeleton for skeleton in (MPII_15, COCO_17, COCO_18, BODY_25)}
"""Joint set by the number of values of a person; BODY_25 and BODY_25B share one and are told apart by geometry."""

_VIEW_SUFFIX = re.compile(r"_keypoints(_\d+)?$")


class _Person(NamedTuple):
    """One person of one file: `frame` is the number in the file's name, `parts` are the hands and the face."""

    frame: int
    camera: int
    place: int
    values: list[float]
    parts: Mapping[str, list[float]]
    path: Path


def read_openpose_json(folder: str | Path, cameras: Sequence[str], *, skeleton: Skeleton | None = None) -> Detections2D:
    """Read OpenPose-style JSON files.

    Frames are matched between cameras by the last number in the file name, so ranges may differ: a camera without a
    file for a frame saw nobody. The first row is the lowest frame number of any camera (see `openpose_frames`).

    Hands and faces are read if the body is that of BODY_25 and anybody has a point of them, or if `skeleton` asks for
    `whole_body_135`. A hand's first point is the wrist and gives way to the body's, unless the body has none.

    Args:
        folder: holds one folder a camera, called `<camera>` or `<camera>_json`.
        cameras: C names, in the order wanted.
        skeleton: the joint set; None tells it by the number of values, and BODY_25 from BODY_25B by geometry.

    Returns:
        The detections; zeros in the files are missing joints (NaN, score 0).

    Raises:
        InputError: a camera's folder is missing or empty, a file is not such JSON, or has another number of joints.
    """
    listing = _listing(Path(folder), cameras)
    frames = _frame_range(listing)
    people = [
        _Person(frame, c, place, values, parts, path)
        for c, files in enumerate(listing)
        for frame, path in sorted(files.items())
        for place, (values, parts) in enumerate(_people(path))
    ]
    whole = skeleton is not None and skeleton.joints == WHOLE_BODY_135.joints
    values = _stack(people, BODY_25 if whole else skeleton)
    if skeleton is None:
        skeleton = _guess_skeleton(values, Path(folder))
        more = any(any(numbers) for person in people for numbers in person.parts.values())
        whole = more and skeleton is BODY_25
        if more and not whole:
            logger.warning(
                "%s: hands and faces are read with the body of body_25 alone, here it is %s", folder, skeleton.name
            )
    if whole:
        skeleton, values = WHOLE_BODY_135, _whole_body(people, values)
    most = max((person.place + 1 for person in people), default=0)
    keypoints = np.full((len(frames), len(cameras), most, len(skeleton), 3), np.nan)
    keypoints[..., 2] = 0
    if people:
        numbers, c, n = np.array([person[:3] for person in people]).T
        keypoints[np.searchsorted(frames, numbers), c, n] = values
    return Detections2D(skeleton, tuple(cameras), keypoints)


def openpose_frames(folder: str | Path, cameras: Sequence[str]) -> NDArray[np.int64]:
    """Return the frame number of each row that `read_openpose_json` makes of the same folder, (F,).

    Raises:
        InputError: a camera's folder is missing or empty.
    """
    return _frame_range(_listing(Path(folder), cameras))


def _listing(folder: Path, cameras: Sequence[str]) -> list[dict[int, Path]]:
    """Return each camera's files by frame number."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give the one that holds a folder of JSON files per camera")
    return [_camera_files(folder, camera) for camera in cameras]


def _camera_files(folder: Path, camera: str) -> dict[int, Path]:
    places = [folder / camera, folder / f"{camera}_json"]
    place = next((path for path in places if path.is_dir()), None)
    if place is None:
        there = ", ".join(sorted(path.name for path in folder.iterdir() if path.is_dir())) or "no folders"
        raise InputError(f"{folder}: no folder {camera} or {camera}_json (it has {there}); name it like the camera")
    files: dict[int, Path] = {}
    for path in sorted(place.glob("*.json")):
        numbers = re.findall(r"\d+", _VIEW_SUFFIX.sub("", path.stem))
        if not numbers:
            raise InputError(f"{path}: no frame number in the file name; name it like {camera}_000000000012.json")
        frame = int(numbers[-1])
        if frame in files:
            raise InputError(
                f"{place}: {files[frame].name} and {path.name} are both frame {frame}; keep one view per folder"
            )
        files[frame] = path
    if not files:
        raise InputError(f"{place}: no .json files; run the detector for {camera} with JSON output into this folder")
    return files


def _frame_range(listing: list[dict[int, Path]]) -> NDArray[np.int64]:
    """Return all frame numbers from first to last at their common step, files or not."""
    numbers = np.array(sorted(set().union(*listing)), dtype=np.int64)
    if len(numbers) < 2:
        return numbers
    step = np.gcd.reduce(np.diff(numbers))
    if (numbers[-1] - numbers[0]) // step >= len(numbers) + MOST_EMPTY_FRAMES:
        logger.warning(
            "file numbers run from %d to %d for %d frames: taken in order, as if none were missing",
            numbers[0], numbers[-1], len(numbers),
        )  # fmt: skip
        return numbers
    return np.arange(numbers[0], numbers[-1] + 1, step, dtype=np.int64)


MOST_PX = 1e6
"""No image is wider."""


def _people(path: Path) -> list[tuple[list[float], dict[str, list[float]]]]:
    """Return the values of each person's body, and of hands and face by part; those without either are left out.

    A body that was not looked for is an empty list.
    """
    try:
        data = json.loads(path.read_bytes())
        people = [
            (
                person["pose_keypoints_2d"],
                {part: person.get(f"{name}_keypoints_2d") or [] for part, name in PART_ARRAYS.items()},
            )
            for person in data["people"]
        ]
        if not all(isinstance(one, list) for values, parts in people for one in (values, *parts.values())):
            raise TypeError("keypoints that are no list")
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: broken JSON ({error}); write this frame again or delete the file") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: not OpenPose JSON, it lacks a list 'people' with 'pose_keypoints_2d'; check the detector's format"
        ) from error
    return [(values, parts) for values, parts in people if values or any(any(numbers) for numbers in parts.values())]


def _stack(people: list[_Person], skeleton: Skeleton | None) -> NDArray[np.float64]:
    """Return (P, J, 3) of all bodies, missing joints as NaN with score 0."""
    first = next((person for person in people if person.values), None)
    expected = 3 * len(skeleton) if skeleton else len(first.values) if first else 3 * len(BODY_25)
    for person in people:
        if person.values and len(person.values) != expected:
            where = f"{skeleton.name} has" if skeleton else f"{(first or person).path.name} had"
            raise InputError(
                f"{person.path}: a person with {len(person.values)} values, {where} {expected}; "
                "read files of one joint set only, or name the right skeleton"
            )
    if first is not None and expected % 3:
        raise InputError(f"{first.path}: a person with {expected} values, not x, y, score triples; check the file")
    return _cleaned([person.values or [0.0] * expected for person in people], expected // 3, people)


def _whole_body(people: list[_Person], bodies: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (P, 135, 3) out of the bodies (P, 25, 3) of BODY_25 and the people's hands and faces."""
    values = np.full((len(people), len(WHOLE_BODY_135), 3), np.nan)
    values[..., 2] = 0
    values[:, : len(BODY_25)] = bodies
    for part, joints in parts_of(WHOLE_BODY_135).items():
        if part == "body":
            continue
        wrist = WRISTS.get(part)
        count = len(joints) + (wrist is not None)
        for person in people:
            if len(person.parts[part]) not in (0, 3 * count):
                raise InputError(
                    f"{person.path}: {PART_ARRAYS[part]}_keypoints_2d of {len(person.parts[part])} values, "
                    f"not {3 * count}; check the detector's format"
                )
        points = _cleaned([person.parts[part] or [0.0] * 3 * count for person in people], count, people)
        values[:, joints] = points[:, count - len(joints) :]
        if wrist is not None:
            no_body = values[:, wrist, 2] == 0
            values[no_body, wrist] = points[no_body, 0]
    return values


def _cleaned(numbers: list[list[float]], count: int, people: list[_Person]) -> NDArray[np.float64]:
    """Return points (P, `count`, 3) of flat lists, missing ones as NaN with score 0."""
    try:
        flat = np.array(numbers)
        if flat.size and flat.dtype.kind not in "fi":
            raise TypeError(f"some are {flat.dtype.type.__name__}")
        values = flat.astype(np.float64).reshape(-1, count, 3)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(
            f"{people[0].path.parent}: keypoints that are not numbers ({error}); check its files"
        ) from error
    # A coordinate beyond any image is a broken one, and would not fit the tables.
    missing = ~(np.abs(values) < MOST_PX).all(axis=-1) | (values[..., 2] <= 0) | (values[..., :2] == 0).all(axis=-1)
    values[..., 2] = np.clip(values[..., 2], 0, 1)
    values[missing] = np.nan, np.nan, 0
    return values


def _guess_skeleton(values: NDArray[np.float64], folder: Path) -> Skeleton:
    """Tell the joint set of people (P, J, 3)."""
    length = 3 * values.shape[1]
    if length not in BY_LENGTH:
        known = ", ".join(f"{n} ({skeleton.name})" for n, skeleton in BY_LENGTH.items())
        raise InputError(f"{folder}: people with {length} values, known are {known}; name the skeleton")
    if length != 3 * len(BODY_25):
        return BY_LENGTH[length]
    # BODY_25's neck and mid-hip are by definition midpoints; BODY_25B has its upper neck near the shoulders' instead.
    xy = values[..., :2]
    as_body_25 = np.r_[_off_middle(xy, BODY_25, "Neck", "Shoulder"), _off_middle(xy, BODY_25, "MidHip", "Hip")]
    as_body_25b = _off_middle(xy, BODY_25B, "UpperNeck", "Shoulder")
    if not np.isfinite(as_body_25).any() or not np.isfinite(as_body_25b).any():
        return BODY_25B if np.isfinite(as_body_25b).any() else BODY_25
    return BODY_25 if np.nanmedian(as_body_25) <= np.nanmedian(as_body_25b) else BODY_25B


def _off_middle(xy: NDArray[np.float64], skeleton: Skeleton, middle: str, pair: str) -> NDArray[np.float64]:
    """Return how far (P,) a joint lies from the middle between a left and a right one, px."""
    m, left, right = (skeleton.index(joint) for joint in (middle, f"L{pair}", f"R{pair}"))
    return np.asarray(np.linalg.norm(xy[:, m] - (xy[:, left] + xy[:, right]) / 2, axis=-1))
