"""Writer of OpenPose's JSON 1.3: one folder a camera, one file a frame. Its reader is `openpose_read`."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from triskel.camera import Rig
from triskel.errors import InputError
from triskel.files import atomic_folder
from triskel.motion import Detections2D, Motion3D
from triskel.projection import project_rig
from triskel.skeleton import Skeleton
from triskel.whole_body import hand_with_wrist, parts_of

MATCH_SHARE = 0.05
"""A detection belongs to a 3D person whose median joint reprojects nearer than this share of the longer image side."""

PART_ARRAYS = {"face": "face", "left_hand": "hand_left", "right_hand": "hand_right"}
"""Part of the body to what its arrays are called in the format, before `_keypoints_2d`; the body's are `pose`."""


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
                        detections.skeleton,
                        keypoints[n],
                        None if positions is None else positions[f, c, n],
                        -1 if ids is None else int(ids[f, c, n]),
                    )
                    for n in present
                ]
                text = json.dumps({"version": 1.3, "people": people}, separators=(",", ":"))
                (temporary / f"{name}_{f:012d}_keypoints.json").write_text(text, encoding="utf-8")


def openpose_person(
    skeleton: Skeleton,
    keypoints: NDArray[np.float64],
    position: NDArray[np.float64] | None,
    identity: int,
    *,
    decimals: int = 3,
) -> dict[str, list[float] | list[int]]:
    """Return one entry of `people`.

    Hands and face have arrays in `whole_body_135` alone, a hand's first point being the body's wrist; a part without
    any point found is all zeros. The arrays of other joint sets are empty, and all their joints are the pose.

    Args:
        skeleton: names the J joints.
        keypoints: (J, 3) px and score, NaN = missing.
        position: (J, 4) m and score, NaN = missing; None for a person in 2D alone.
        identity: the person's number, -1 for none.
        decimals: of the coordinates of `keypoints`.
    """
    person: dict[str, list[float] | list[int]] = {"person_id": [identity]}
    # A thousandth of a pixel and a micrometre: below what any detector resolves, and files stay small.
    for dimension, values, digits in (("2d", keypoints, decimals), ("3d", position, 6)):
        parts = {} if values is None else _parts(skeleton, values)
        for part, name in (("body", "pose"), *PART_ARRAYS.items()):
            person[f"{name}_keypoints_{dimension}"] = _rounded(parts[part], digits) if part in parts else []
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
