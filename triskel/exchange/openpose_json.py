"""Writer of OpenPose's JSON 1.3: one folder a camera, one file a frame. Its reader is `openpose_read`."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from triskel.camera import Rig
from triskel.errors import InputError
from triskel.exchange.options import PER_METRE, Y_UP, ExportOptions, select_people
from triskel.files import atomic_folder
from triskel.motion import Detections2D, Motion3D
from triskel.projection import project_rig
from triskel.skeleton import Skeleton
from triskel.whole_body import Part, hand_with_wrist, parts_of

MATCH_SHARE = 0.05
"""A detection belongs to a 3D person whose median joint reprojects nearer than this share of the longer image side."""

PART_ARRAYS = {"face": "face", "left_hand": "hand_left", "right_hand": "hand_right"}
"""Part of the body to what its arrays are called in the format, before `_keypoints_2d`; the body's are `pose`."""


WORLD = "3d"
"""The folder, and in the files' names the camera, of people in 3D that go with no camera's detections."""


def write_openpose_json(
    folder: str | Path,
    detections: Detections2D | None,
    *,
    motion: Motion3D | None = None,
    rig: Rig | None = None,
    options: ExportOptions | None = None,
) -> None:
    """Write `folder/<camera>/<camera>_<frame, 12 digits>_keypoints.json`, one file a frame and view.

    Missing joints are written as zeros, which the format demands; an image without people gets a file too. With
    `motion`, each person detected is matched to the nearest reprojected 3D person, whose joints become
    `pose_keypoints_3d` and whose id becomes `person_id`; a 3D person whom a view did not see is not in its files.
    Without `detections`, everybody in 3D goes into `folder/3d/3d_<frame>_keypoints.json`, with empty 2D arrays.

    Args:
        folder: where the cameras' folders go; an earlier export of the same camera is replaced.
        detections: what the cameras saw, or None for 3D only.
        motion: people in 3D with the same frames and joints, or None for 2D only.
        rig: the cameras, needed with both.
        options: of the people in 3D, metres and z up by default; parts not asked for are empty arrays, in 2D too.

    Raises:
        InputError: there is nothing to write, `motion` comes without `rig` or does not fit `detections`, or a camera's
            folder holds other files.
    """
    folder, options = Path(folder), options or ExportOptions()
    if motion is not None:
        motion = select_people(motion, options)
    if detections is not None:
        positions, ids = _matched(detections, motion, rig, options) if motion is not None else (None, None)
        _write_views(folder, detections, positions, ids, options.parts)
    elif motion is not None:
        _write_world(folder / WORLD, motion, options)
    else:
        raise InputError("openpose export: neither 2D nor 3D keypoints to write; run 'triskel detect' first")


def _write_views(
    folder: Path,
    detections: Detections2D,
    positions: NDArray[np.float64] | None,
    ids: NDArray[np.int64] | None,
    parts: tuple[Part, ...] | None,
) -> None:
    """Write the folder of each camera: positions (F, C, N, J, 4) and ids (F, C, N) are those of the detections."""
    for name in detections.cameras:
        _refuse_foreign_files(folder / name)
    for c, name in enumerate(detections.cameras):
        with atomic_folder(folder / name) as temporary:
            for f, keypoints in enumerate(detections.keypoints[:, c]):
                people = [
                    openpose_person(
                        detections.skeleton,
                        keypoints[n],
                        None if positions is None else positions[f, c, n],
                        -1 if ids is None else int(ids[f, c, n]),
                        parts=parts,
                    )
                    for n in np.flatnonzero((keypoints[..., 2] > 0).any(axis=-1))
                ]
                _write_frame(temporary, name, f, people)


def _write_world(folder: Path, motion: Motion3D, options: ExportOptions) -> None:
    """Write everybody in 3D, one file a frame, without anything in 2D."""
    _refuse_foreign_files(folder)
    known, found = _known(motion, options), np.asarray(motion.found.any(axis=-1))
    with atomic_folder(folder) as temporary:
        for f, everybody in enumerate(known):
            people = [
                openpose_person(motion.skeleton, None, everybody[n], int(motion.ids[n]), parts=options.parts)
                for n in np.flatnonzero(found[f])
            ]
            _write_frame(temporary, folder.name, f, people)


def _write_frame(folder: Path, name: str, frame: int, people: list[dict[str, list[float] | list[int]]]) -> None:
    text = json.dumps({"version": 1.3, "people": people}, separators=(",", ":"))
    (folder / f"{name}_{frame:012d}_keypoints.json").write_text(text, encoding="utf-8")


def _known(motion: Motion3D, options: ExportOptions) -> NDArray[np.float64]:
    """Return the positions in the unit and axes asked for, with scores (F, N, J, 4)."""
    X = motion.points.X[..., Y_UP] if options.y_up else motion.points.X
    return np.concatenate([X * PER_METRE[options.units or "m"], motion.points.score[..., None]], axis=-1)


def openpose_person(
    skeleton: Skeleton,
    keypoints: NDArray[np.float64] | None,
    position: NDArray[np.float64] | None,
    identity: int,
    *,
    decimals: int = 3,
    parts: tuple[Part, ...] | None = None,
) -> dict[str, list[float] | list[int]]:
    """Return one entry of `people`.

    Hands and face have arrays in `whole_body_135` alone, a hand's first point being the body's wrist; a part without
    any point found is all zeros. The arrays of other joint sets are empty, and all their joints are the pose.

    Args:
        skeleton: names the J joints.
        keypoints: (J, 3) px and score, NaN = missing; None for a person in 3D alone.
        position: (J, 4) position and score, NaN = missing; None for a person in 2D alone.
        identity: the person's number, -1 for none.
        decimals: of the coordinates of `keypoints`.
        parts: whose arrays are filled; None for all.
    """
    person: dict[str, list[float] | list[int]] = {"person_id": [identity]}
    # A thousandth of a pixel and a micrometre: below what any detector resolves, and files stay small.
    for dimension, values, digits in (("2d", keypoints, decimals), ("3d", position, 6)):
        points = {} if values is None else _parts(skeleton, values)
        for part, name in (("body", "pose"), *PART_ARRAYS.items()):
            wanted = part in points and (parts is None or part in parts)
            person[f"{name}_keypoints_{dimension}"] = _rounded(points[part], digits) if wanted else []
    return person


def _parts(skeleton: Skeleton, values: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return the points of each part, with the wrists in the hands; a part that was not found is NaN, its scores 0."""
    parts: dict[str, NDArray[np.float64]] = {}
    for part, joints in parts_of(skeleton).items():
        points = hand_with_wrist(values, part) if part in ("left_hand", "right_hand") else values[joints]
        if not (values[joints, -1] > 0).any():
            points = np.full_like(points, np.nan)
            points[:, -1] = 0
        parts[part] = points
    return parts


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
    detections: Detections2D, motion: Motion3D, rig: Rig | None, options: ExportOptions
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the 3D joints and scores (F, C, N, J, 4), and the id (F, C, N), -1 for none, of each detection."""
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
    known = _known(motion, options)
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
