"""What each camera should see of people in 3D: their joints, and boxes around hands and faces.

A box is a length in space at the part's distance, not a multiple of a limb as this camera happens to see it: a forearm
that points at the camera still has a hand of full size.
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.camera import Camera, Rig
from triskel.motion import Motion3D
from triskel.projection import project
from triskel.whole_body import WRISTS, parts_of

HAND_BOX = 1.5
"""Side of a hand's box in lengths of the forearm, as in `hand_boxes`; it is 3 extents of a hand."""

FOREARM_M, FOREARM_RANGE_M = 0.25, (0.15, 0.35)
"""An adult's, for people whose own is unknown, and what a forearm can measure."""

BEYOND_WRIST = 0.33
"""Where a hand's middle is that was never seen: beyond the wrist, in lengths of the forearm, as in `hand_boxes`."""

NEAR_S = 0.2
"""A hand keeps its place on the wrist for so long: farther from the frame where it was seen, the forearm says it."""

FEWEST_POINTS = 8
"""Of the twenty of a hand in 3D that say where it is."""

FACE_BOX_M = 0.32
"""Side of a face's box: three times the distance of the eyes' middles from the ears; what `face_boxes` gives for heads
in the median."""

FACE_TURN = -0.17
"""Cosine between the way a face looks and the way to the camera below which only the back of the head is seen."""

STEP_M = 0.02

HandPart = Literal["left_hand", "right_hand"]
ELBOWS: dict[HandPart, str] = {"left_hand": "LElbow", "right_hand": "RElbow"}
HEAD = ("Nose", "REye", "LEye", "REar", "LEar")


class PartsInSpace(NamedTuple):
    """One hand, or the face, of each person in each frame set.

    Attributes:
        centre: (F, N, 3) the middle, m; NaN where unknown.
        root: (F, N, 3) what it hangs on, the wrist; for a face the middle of the ears, m.
        up: (F, N, 3) from its lower end to its upper one, any length.
        side_m: (N,) side of the box around it.
    """

    centre: NDArray[np.float64]
    root: NDArray[np.float64]
    up: NDArray[np.float64]
    side_m: NDArray[np.float64]


class PartsInImage(NamedTuple):
    """Those of one camera: the box's `centre` (F, N, 2), `side` (F, N), `angle_rad` (F, N) and the `root` (F, N, 2)."""

    centre: NDArray[np.float64]
    side: NDArray[np.float64]
    angle_rad: NDArray[np.float64]
    root: NDArray[np.float64]


def hands_in_space(motion: Motion3D, part: HandPart) -> PartsInSpace:
    """Return where the hands of one side are: as seen now, or shortly before or after, else as the forearm says."""
    X, joints = motion.points.X, parts_of(motion.skeleton)[part]
    wrist, elbow = X[:, :, WRISTS[part]], X[:, :, motion.skeleton.index(ELBOWS[part])]
    forearm = np.linalg.norm(wrist - elbow, axis=-1)
    length = _median(forearm, FOREARM_M)
    length = np.where((length >= FOREARM_RANGE_M[0]) & (length <= FOREARM_RANGE_M[1]), length, FOREARM_M)
    hand = X[:, :, joints]
    seen = np.isfinite(hand[..., 0])
    middle = np.where(seen[..., None], hand, 0).sum(axis=2) / np.maximum(seen.sum(axis=2), 1)[..., None]
    offset = np.where((seen.sum(axis=2) >= FEWEST_POINTS)[..., None], middle - wrist, np.nan)
    offset = _held(offset, motion.time_s)
    offset = np.where(np.isfinite(offset), offset, BEYOND_WRIST * (wrist - elbow))
    return PartsInSpace(wrist + offset, wrist, offset, HAND_BOX * length)


def faces_in_space(motion: Motion3D) -> PartsInSpace:
    """Return where the faces are; NaN where nose or both eyes, and both ears, are unknown."""
    X = motion.points.X
    nose, r_eye, l_eye, r_ear, l_ear = (X[:, :, motion.skeleton.index(name)] for name in HEAD)
    eyes, ears = (r_eye + l_eye) / 2, (r_ear + l_ear) / 2
    front = np.where(np.isfinite(nose), nose, eyes)
    # Forward times left is upward.
    up = np.cross(front - ears, l_ear - r_ear)
    return PartsInSpace((2 * front + ears) / 3, ears, up, np.full(X.shape[1], FACE_BOX_M))


def in_image(camera: Camera, parts: PartsInSpace) -> PartsInImage:
    """Return the boxes that one camera sees; NaN where the part is unknown or the lens does not show it."""
    centre, root = project(camera, parts.centre), project(camera, parts.root)
    side = parts.side_m * px_per_m(camera, parts.centre)
    length = np.linalg.norm(parts.up, axis=-1, keepdims=True)
    up = project(camera, parts.centre + STEP_M * parts.up / np.maximum(length, 1e-9)) - centre
    side = np.where(np.isfinite(root[..., 0]), side, np.nan)
    return PartsInImage(centre, side, np.nan_to_num(np.arctan2(up[..., 0], -up[..., 1])), root)


def px_per_m(camera: Camera, X: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how large a metre across the line of sight is at X (..., 3), px; NaN where the lens does not show it."""
    here = project(camera, X)
    # Small steps: a metre aside there may be nothing that the lens shows.
    steps = [np.linalg.norm(project(camera, X + STEP_M * axis) - here, axis=-1) for axis in camera.cam_from_world.R[:2]]
    return np.asarray(sum(steps) / (2 * STEP_M))


def faces_the_camera(camera: Camera, faces: PartsInSpace) -> NDArray[np.bool_]:
    """Return (F, N) True where a camera sees more of a head than its back."""
    looks, to_camera = faces.centre - faces.root, camera.centre - faces.centre
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine = (looks * to_camera).sum(-1) / (np.linalg.norm(looks, axis=-1) * np.linalg.norm(to_camera, axis=-1))
    return np.asarray(cosine >= FACE_TURN)


def inside(camera: Camera, xy: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (...) True for px (..., 2) in the camera's image; False for NaN."""
    return np.asarray(((xy >= -0.5) & (xy < np.array(camera.size_wh) - 0.5)).all(axis=-1))


def bodies_in_images(rig: Rig, motion: Motion3D) -> NDArray[np.float64]:
    """Return the joints of BODY_25 as every camera should see them, (C, F, N, 25, 2) px."""
    X = motion.points.X[:, :, parts_of(motion.skeleton)["body"]]
    return np.stack([project(camera, X) for camera in rig])


def _held(values: NDArray[np.float64], time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values (F, N, 3) with missing ones taken from the nearest frame that has one, at most `NEAR_S` away."""
    out = values.copy()
    for n in range(values.shape[1]):
        known = np.flatnonzero(np.isfinite(values[:, n, 0]))
        if not len(known):
            continue
        after = np.clip(np.searchsorted(time_s[known], time_s), 0, len(known) - 1)
        before = np.maximum(after - 1, 0)
        later = np.abs(time_s[known[after]] - time_s) < np.abs(time_s[known[before]] - time_s)
        nearest = known[np.where(later, after, before)]
        use = np.abs(time_s[nearest] - time_s) <= NEAR_S
        out[use, n] = values[nearest[use], n]
    return out


def _median(values: NDArray[np.float64], otherwise: float) -> NDArray[np.float64]:
    """Return the median (N,) over the frames (F, N); `otherwise` where nothing is known."""
    out = np.full(values.shape[1], otherwise)
    known = np.isfinite(values).any(axis=0)
    if known.any():
        out[known] = np.nanmedian(values[:, known], axis=0)
    return out
