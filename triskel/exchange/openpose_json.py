"""OpenPose's JSON 1.3: one folder a camera, one file a frame."""

import json
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from triskel.camera import Rig
from triskel.errors import InputError
from triskel.files import atomic_folder
from triskel.motion import Detections2D, Motion3D
from triskel.projection import project_rig
from triskel.skeleton import BODY_25, BODY_25B, COCO_17, COCO_18, MPII_15, Skeleton

logger = logging.getLogger(__name__)

MATCH_SHARE = 0.05
"""A detection belongs to a 3D person whose median joint reprojects nearer than this share of the longer image side."""

MOST_EMPTY_FRAMES = 1000
"""Frames without any file that are still taken for frames without people, and not for numbers that are no count."""

BY_LENGTH = {3 * len(skeleton): skeleton for skeleton in (MPII_15, COCO_17, COCO_18, BODY_25)}
"""Joint set by the number of values of a person; BODY_25 and BODY_25B share one and are told apart by geometry."""

_VIEW_SUFFIX = re.compile(r"_keypoints(_\d+)?$")


class _Person(NamedTuple):
    """One person of one file; `frame` is the number in the file's name."""

    frame: int
    camera: int
    place: int
    values: list[float]
    path: Path


def write_openpose_json(
    folder: str | Path, detections: Detections2D, *, motion: Motion3D | None = None, rig: Rig | None = None
) -> None:
    """Write `folder/<camera>/<camera>_<frame, 12 digits>_keypoints.json`, one file a frame and view.

    Missing joints are written as zeros, which the format demands; an image without people gets a file too. With
    `motion`, each person detected is matched to the nearest reprojected 3D person, whose joints become
    `pose_keypoints_3d` and whose id becomes `person_id`; a 3D person whom a view did not see is not in its files.

    Args:
        folder: where the cameras' folders go; an earlier export of the same camera is replaced.
        detections: what the cameras saw.
        motion: people in 3D with the same frames and joints, or None for 2D only.
        rig: the cameras, needed with `motion`.

    Raises:
        InputError: `motion` comes without `rig` or does not fit `detections`, or a camera's folder holds other files.
    """
    folder = Path(folder)
    positions, ids = _matched(detections, motion, rig) if motion is not None else (None, None)
    for name in detections.cameras:
        _refuse_foreign_files(folder / name)
    for c, name in enumerate(detections.cameras):
        with atomic_folder(folder / name) as temporary:
            for f, keypoints in enumerate(detections.keypoints[:, c]):
                present = np.flatnonzero((keypoints[..., 2] > 0).any(axis=-1))
                people = [
                    openpose_person(
                        keypoints[n],
                        None if positions is None else positions[f, c, n],
                        -1 if ids is None else int(ids[f, c, n]),
                    )
                    for n in present
                ]
                text = json.dumps({"version": 1.3, "people": people}, separators=(",", ":"))
                (temporary / f"{name}_{f:012d}_keypoints.json").write_text(text, encoding="utf-8")


def openpose_person(
    keypoints: NDArray[np.float64], position: NDArray[np.float64] | None, identity: int
) -> dict[str, list[float] | list[int]]:
    """Return one entry of `people`; `keypoints` (J, 3) px and score, `position` (J, 4) m and score, NaN = missing."""
    # A thousandth of a pixel and a micrometre: below what any detector resolves, and files stay small.
    return {
        "person_id": [identity],
        "pose_keypoints_2d": _rounded(keypoints, 3),
        "face_keypoints_2d": [],
        "hand_left_keypoints_2d": [],
        "hand_right_keypoints_2d": [],
        "pose_keypoints_3d": [] if position is None else _rounded(position, 6),
        "face_keypoints_3d": [],
        "hand_left_keypoints_3d": [],
        "hand_right_keypoints_3d": [],
    }


def _rounded(values: NDArray[np.float64], decimals: int) -> list[float]:
    """Return coordinates rounded to `decimals` and scores (last column) to 6 as one flat list, NaN as 0."""
    rounded = np.nan_to_num(np.round(values, decimals))
    rounded[:, -1] = np.round(values[:, -1], 6)
    return rounded.ravel().tolist()


def _refuse_foreign_files(folder: Path) -> None:
    """Raise if replacing `folder` would delete anything but an earlier export."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError(f"{folder}: a file is in the way of this camera's folder; choose another --out")
    foreign = next((path.name for path in folder.iterdir() if not path.name.endswith("_keypoints.json")), None)
    if foreign is not None:
        raise InputError(f"{folder}: holds other files ({foreign}), which would be lost; choose another --out")


def _matched(
    detections: Detections2D, motion: Motion3D, rig: Rig | None
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the 3D joints (F, C, N, J, 4), m and score, and the id (F, C, N), -1 for none, of each detection."""
    F, C, N, J, _ = detections.keypoints.shape
    if rig is None:
        raise InputError("openpose export: 3D joints need the rig, to match them with the people of each view")
    if len(motion.time_s) != F or motion.skeleton.joints != detections.skeleton.joints:
        raise InputError(
            f"openpose export: 2D and 3D must share frames and joints, got {F} and {len(motion.time_s)} frames, "
            f"{detections.skeleton.name} and {motion.skeleton.name}; rerun the triangulation"
        )
    rig = rig.select(list(detections.cameras))
    positions, ids = np.zeros((F, C, N, J, 4)), np.full((F, C, N), -1, dtype=np.int64)
    known = np.concatenate([motion.points.X, motion.points.score[..., None]], axis=-1)
    reprojected = project_rig(rig, motion.points.X)
    for c, camera in enumerate(rig):
        limit_px = MATCH_SHARE * max(camera.size_wh)
        for f in range(F):
            offset = detections.keypoints[f, c, :, None, :, :2] - reprojected[c, f]
            px = np.ma.masked_invalid(np.linalg.norm(offset, axis=-1))
            distance = np.ma.median(px, axis=-1).filled(np.inf)  # type: ignore[no-untyped-call]
            for n, m in zip(*linear_sum_assignment(np.minimum(distance, 2 * limit_px)), strict=True):
                if distance[n, m] <= limit_px:
                    positions[f, c, n], ids[f, c, n] = known[f, m], motion.ids[m]
    return positions, ids


def read_openpose_json(folder: str | Path, cameras: Sequence[str], *, skeleton: Skeleton | None = None) -> Detections2D:
    """Read the body keypoints of OpenPose-style JSON files; hands and faces are not read.

    Frames are matched between cameras by the last number in the file name, so ranges may differ: a camera without a
    file for a frame saw nobody. The first row is the lowest frame number of any camera (see `openpose_frames`).

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
        _Person(frame, c, place, values, path)
        for c, files in enumerate(listing)
        for frame, path in sorted(files.items())
        for place, values in enumerate(_people(path))
    ]
    values = _stack(people, skeleton)
    skeleton = skeleton or _guess_skeleton(values, Path(folder))
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


def _people(path: Path) -> list[list[float]]:
    """Return the body values of each person in a file, those without any left out."""
    try:
        data = json.loads(path.read_bytes())
        people = [person["pose_keypoints_2d"] for person in data["people"]]
        if not all(isinstance(values, list) for values in people):
            raise TypeError("keypoints that are no list")
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: broken JSON ({error}); write this frame again or delete the file") from error
    except (KeyError, TypeError) as error:
        raise InputError(
            f"{path}: not OpenPose JSON, it lacks a list 'people' with 'pose_keypoints_2d'; check the detector's format"
        ) from error
    return [values for values in people if values]


def _stack(people: list[_Person], skeleton: Skeleton | None) -> NDArray[np.float64]:
    """Return (P, J, 3) of all people, missing joints as NaN with score 0."""
    expected = 3 * len(skeleton) if skeleton else len(people[0].values) if people else 3 * len(BODY_25)
    for person in people:
        if len(person.values) != expected:
            where = f"{skeleton.name} has" if skeleton else f"{people[0].path.name} had"
            raise InputError(
                f"{person.path}: a person with {len(person.values)} values, {where} {expected}; "
                "read files of one joint set only, or name the right skeleton"
            )
    if expected % 3:
        raise InputError(f"{people[0].path}: a person with {expected} values, not x, y, score triples; check the file")
    try:
        values = np.array([person.values for person in people], dtype=np.float64).reshape(-1, expected // 3, 3)
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
