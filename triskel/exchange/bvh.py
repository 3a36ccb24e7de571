"""BVH, the motion file of animation programs: one file a person, a hierarchy of bones and its turns over time."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from triskel.errors import InputError
from triskel.exchange.bvh_pose import Pose, pose_of
from triskel.exchange.options import PER_METRE, Y_UP, ExportOptions, Unit, select_people
from triskel.files import atomic_path
from triskel.motion import Motion3D

logger = logging.getLogger(__name__)

LONGEST_ROOT_GAP_S = 1.0
"""Nobody's way is guessed for longer: the hips stay where they were last seen."""

LOCKED = 1e-9
"""How near the sine of X is to 1 where Z and Y turn about the same axis and only their sum can be told."""

PLACE = "Xposition Yposition Zposition"
TURN = "Zrotation Xrotation Yrotation"

DECIMALS = {"m": 6, "cm": 4, "mm": 3}
"""A micrometre."""


def write_bvh(folder: str | Path, motion: Motion3D, *, options: ExportOptions | None = None) -> list[Path]:
    """Write `folder/person_<id>.bvh` for each person, in centimetres and with y up unless asked otherwise.

    At rest the person stands with arms out to the sides, palms down, looking along z (x where z is up), hips in the
    origin. Offsets are the person's own, the median over time, left and right each for itself. The root has place and
    turn, the others a turn: Z, X, Y in degrees. Fingers are there where hands were found. Eyes, heels and small toes
    turn head and feet but are no bones.

    The format cannot say that something is missing: turns are then interpolated, or held before the first and after the
    last that was seen, and so is the place of the hips for up to `LONGEST_ROOT_GAP_S`. One warning a person says how
    many. A file goes from the person's first frame to the last; frames are as far apart as they are on average.

    Args:
        folder: where the files go; created when missing.
        motion: people in 3D.
        options: whom of them, with fingers or without, in which unit and axes.

    Returns:
        The files written, in the order of the people.

    Raises:
        InputError: the joint set has no hips or shoulders, or nobody's were found, or the body is not to be exported.
    """
    options = options or ExportOptions()
    if options.parts is not None and "body" not in options.parts:
        raise InputError("bvh export: hands hang on the body, so the body has to be among the parts")
    fingers = options.parts is None or bool({"left_hand", "right_hand"} & set(options.parts))
    motion = select_people(motion, options)
    units, fps = options.units or "cm", motion.fps if np.isfinite(motion.fps) else 1.0
    written = []
    for n, identity in enumerate(motion.ids):
        X = motion.points.X[:, n][..., Y_UP]
        frames = np.flatnonzero(np.isfinite(X[..., 0]).any(axis=1))
        X = X[frames[0] : frames[-1] + 1] if len(frames) else X[:0]
        pose = pose_of(motion.skeleton, X, fingers=fingers, most_gap=round(LONGEST_ROOT_GAP_S * fps))
        if pose is None:
            logger.warning("person %d has no BVH: hips and shoulders were never found together", identity)
            continue
        _say_held(int(identity), pose, int(frames[0]), len(motion.time_s))
        text = _bvh(pose, fps, units, y_up=options.y_up is None or options.y_up)
        path = Path(folder) / f"person_{identity}.bvh"
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
        written.append(path)
    if not written:
        raise InputError(
            f"bvh export: of nobody hips and shoulders were found in {motion.skeleton.name}, on which the bones hang"
        )
    return written


def _say_held(identity: int, pose: Pose, first: int, total: int) -> None:
    """Warn, in one line, of what the file says though it was not seen."""
    F, B = pose.held.shape
    notes = []
    if total > F:
        notes.append(f"frames {first} to {first + F - 1} of 0 to {total - 1}")
    if pose.held.any():
        share = 100 * pose.held.mean()
        notes.append(f"{int(pose.held.sum())} turns ({share:.1f} % of {F} frames x {B} bones) interpolated or held")
    if pose.root_held.any():
        notes.append(f"the hips' place in {int(pose.root_held.sum())} frames")
    if notes:
        logger.warning("person_%d.bvh: %s; BVH cannot say that something is missing", identity, ", ".join(notes))


def _bvh(pose: Pose, fps: float, units: Unit, *, y_up: bool) -> str:
    """Return the file's text."""
    # The pose has y up; where z is to be up, everything is told in axes turned back.
    axes = [0, 1, 2] if y_up else [2, 0, 1]
    scale, decimals = PER_METRE[units], DECIMALS[units]
    lines = ["HIERARCHY"]
    _joint_lines(pose, 0, 0, lines, lambda offset: " ".join(f"{v:.{decimals}f}" for v in offset[axes] * scale))
    turns = pose.turns[..., axes, :][..., :, axes]
    angles = np.rad2deg(euler_zxy(turns))
    F = len(angles)
    place = np.char.mod(f"%.{decimals}f", pose.root[:, axes] * scale)
    rows = np.concatenate([place, np.char.mod("%.6f", angles.reshape(F, -1))], axis=1)
    lines += ["MOTION", f"Frames: {F}", f"Frame Time: {1 / fps:.8f}", *(" ".join(row) for row in rows)]
    return "\n".join(lines) + "\n"


def _joint_lines(
    pose: Pose, b: int, depth: int, lines: list[str], offset: Callable[[NDArray[np.float64]], str]
) -> None:
    """Append a bone and all that hangs on it."""
    bone, tab = pose.bones[b], "\t" * depth
    lines += [f"{tab}{'JOINT' if bone.parent else 'ROOT'} {bone.name}", f"{tab}{{"]
    lines.append(f"{tab}\tOFFSET {offset(pose.offsets[b])}")
    lines.append(f"{tab}\tCHANNELS {f'3 {TURN}' if bone.parent else f'6 {PLACE} {TURN}'}")
    children = [i for i, other in enumerate(pose.bones) if other.parent == bone.name]
    for child in children:
        _joint_lines(pose, child, depth + 1, lines, offset)
    if not children:
        lines += [f"{tab}\tEnd Site", f"{tab}\t{{", f"{tab}\t\tOFFSET {offset(pose.tips[b])}", f"{tab}\t}}"]
    lines.append(f"{tab}}}")


def euler_zxy(turns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the angles about Z, X and Y (F, ..., 3), rad, of R = Rz Rx Ry, without jumps in time.

    Of the two ways to say a rotation, and of all whole turns more or less, the one nearest to the frame before is
    taken: animation programs interpolate angles. Where X is a right angle, Y stays and Z says the rest.

    Args:
        turns: (F, ..., 3, 3) rotations.
    """
    sine = np.clip(turns[..., 2, 1], -1, 1)
    z = np.arctan2(-turns[..., 0, 1], turns[..., 1, 1])
    y = np.arctan2(-turns[..., 2, 0], turns[..., 2, 2])
    angles = np.stack([z, np.arcsin(sine), y], axis=-1)
    locked = np.abs(sine) > 1 - LOCKED
    before = np.zeros(angles.shape[1:])
    for f in range(len(angles)):
        now = angles[f]
        if locked[f].any():
            back = Rotation.from_euler("Y", -before[..., 2].reshape(-1, 1)).as_matrix()
            unturned = turns[f] @ back.reshape(turns[f].shape)
            z = np.where(locked[f], np.arctan2(unturned[..., 1, 0], unturned[..., 0, 0]), now[..., 0])
            now = np.stack([z, now[..., 1], np.where(locked[f], before[..., 2], now[..., 2])], axis=-1)
        other = now * (1, -1, 1) + np.pi
        both = np.stack([one + 2 * np.pi * np.round((before - one) / (2 * np.pi)) for one in (now, other)])
        far = np.abs(both - before).sum(axis=-1)
        before = angles[f] = np.where((far[0] <= far[1])[..., None], both[0], both[1])
    return angles
