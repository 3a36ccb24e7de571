"""From one person's joints over time to the offsets and turns of a hierarchy of bones."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from triskel.exchange.bvh_tree import HEAD, HIPS, NECK, Bone, bones, points_of
from triskel.skeleton import Skeleton

FEWEST_SHARE = 0.05
"""A joint found in a smaller share of the frames gets no bone: it would stand still nearly all the time."""

BENT = 0.25
"""Sine of the angle from which on a limb is bent enough that the plane of its two bones says how it is twisted."""

Points = dict[str, NDArray[np.float64]]


class Pose(NamedTuple):
    """A person as a hierarchy of bones.

    Attributes:
        bones: B bones, parents before children.
        offsets: (B, 3) m, from the parent's place to the bone's, at rest.
        tips: (B, 3) m, from the bone's place to its end, at rest; 0 where it has none of its own.
        root: (F, 3) m, place of the first bone.
        turns: (F, B, 3, 3) rotation of each bone against its parent.
        held: (F, B) True where the turn was not seen but interpolated or held.
        root_held: (F,) the same of the root's place.
    """

    bones: list[Bone]
    offsets: NDArray[np.float64]
    tips: NDArray[np.float64]
    root: NDArray[np.float64]
    turns: NDArray[np.float64]
    held: NDArray[np.bool_]
    root_held: NDArray[np.bool_]


def pose_of(skeleton: Skeleton, X: NDArray[np.float64], *, fingers: bool, most_gap: int) -> Pose | None:
    """Fit the hierarchy to one person.

    A bone's length is the median over time, so that places deviate by what the measured lengths vary.

    Args:
        skeleton: names the J joints.
        X: (F, J, 3) m, y up; NaN where missing.
        fingers: whether hands get them, where they were found.
        most_gap: frames over which the root's place is interpolated where it is missing; over more it is held.

    Returns:
        The pose, or None for a person whose hips and shoulders were never found.
    """
    points = points_of(skeleton, X)
    kept = _kept_bones(points, fingers=fingers)
    if not kept:
        return None
    F, B = len(X), len(kept)
    root, root_held = _filled_root(points[HIPS], most_gap)
    turns, held = np.empty((F, B, 3, 3)), np.empty((F, B), bool)
    offsets, tips = np.zeros((B, 3)), np.zeros((B, 3))
    at = {bone.name: b for b, bone in enumerate(kept)}
    place, whole = np.empty((F, B, 3)), np.empty((F, B, 3, 3))
    for b, bone in enumerate(kept):
        if bone.parent is None:
            place[:, b], parent = root, np.broadcast_to(np.eye(3), (F, 3, 3))
        else:
            p = at[bone.parent]
            parent = whole[:, p]
            offsets[b] = _offset(kept[p], bone.at, points, parent)
            place[:, b] = place[:, p] + parent @ offsets[b]
        turns[:, b], held[:, b] = _turns(bone, points, place[:, b], parent)
        whole[:, b] = parent @ turns[:, b]
        if bone.along and bone.along[0] == bone.at and bone.along[1] in points:
            tips[b] = _offset(bone, bone.along[1], points, whole[:, b])
    return Pose(kept, offsets, tips, root, turns, held, root_held)


def _kept_bones(points: Points, *, fingers: bool) -> list[Bone]:
    """Return the bones whose places were found often enough; none without hips and shoulders."""
    needed = [points.get(name) for name in ("LHip", "RHip", NECK)]
    if (
        any(one is None for one in needed)
        or not np.isfinite(np.stack([one for one in needed if one is not None])).all(axis=(0, 2)).any()
    ):
        return []
    fewest = max(1, FEWEST_SHARE * len(points[HIPS]))
    kept: dict[str, Bone] = {}
    for bone in bones():
        often = bone.at in points and int(np.isfinite(points[bone.at][:, 0]).sum()) >= fewest
        finger = "Hand" in bone.name and not bone.name.endswith("Hand")
        if bone.parent is None or (often and bone.parent in kept and (fingers or not finger)):
            kept[bone.name] = bone
    return list(kept.values())


def _turns(
    bone: Bone, points: Points, place: NDArray[np.float64], parent: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return a bone's rotations against its parent (F, 3, 3), and where they were not seen (F,).

    Args:
        bone: the bone.
        points: as they were seen.
        place: (F, 3) where the bone sits, by the bones before it.
        parent: (F, 3, 3) rotation of its parent.
    """
    F = len(parent)
    still = np.broadcast_to(np.eye(3), (F, 3, 3)).copy()
    along = _aim(bone, points, place)
    if along is None:
        return still, np.zeros(F, bool)
    seen = np.isfinite(along[:, 0])
    if bone.parent is None:
        seen &= np.isfinite(_side(bone, points)[:, 0])
    if not seen.any():
        return still, np.ones(F, bool)
    local = np.einsum("fji,fj->fi", parent[seen], along[seen])
    turns = _swing(_unit(np.array(bone.rest)), local)
    twist = _twist(bone, points, parent, turns, seen)
    turns = turns @ Rotation.from_rotvec(twist[:, None] * _unit(np.array(bone.rest))).as_matrix()
    return _interpolated(turns, np.flatnonzero(seen), F), ~seen


def _twist(
    bone: Bone, points: Points, parent: NDArray[np.float64], swing: NDArray[np.float64], seen: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the turn about the bone itself in the frames seen, rad; between those that tell it, it is interpolated."""
    side = _side(bone, points)[seen]
    rest, side_rest = _unit(np.array(bone.rest)), np.array(bone.side_rest)
    # What `side` points at, in the frame of the bone swung but not twisted, and there square to the bone.
    local = np.einsum("fji,fj->fi", parent[seen] @ swing, side)
    local -= (local @ rest)[:, None] * rest
    level = side_rest - (side_rest @ rest) * rest
    angle = np.arctan2(local @ np.cross(rest, level), local @ level)
    told = np.isfinite(angle) & (np.linalg.norm(np.nan_to_num(local), axis=-1) > 1e-6)
    told &= np.abs(np.where(told, angle, 0)) <= bone.most_twist_rad
    if not told.any():
        return np.zeros(len(angle))
    frames = np.flatnonzero(seen)
    return np.asarray(np.interp(frames, frames[told], np.unwrap(angle[told])))


def _side(bone: Bone, points: Points) -> NDArray[np.float64]:
    """Return the direction (F, 3) that tells a bone's twist, NaN where nothing does."""
    nothing = np.full_like(points[HEAD], np.nan)
    if bone.bend:
        a, b, c = bone.bend
        upper, lower = _direction(points, (a, b)), _direction(points, (b, c))
        if upper is None or lower is None:
            return nothing
        normal = np.cross(upper, lower)
        bent = np.linalg.norm(np.nan_to_num(normal), axis=-1) >= BENT
        return np.where(bent[:, None], normal, np.nan)
    side = _direction(points, bone.side)
    return nothing if side is None else side


def _aim(bone: Bone, points: Points, place: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return the direction (F, 3) in which a bone points, NaN where it was not seen; None where it has none."""
    if bone.along is None or bone.along[1] not in points:
        return None
    return _direction(points | {bone.at: place} if bone.reaches else points, bone.along)


def _direction(points: Points, pair: tuple[str, str] | None) -> NDArray[np.float64] | None:
    """Return the unit vector (F, 3) from the first point to the second, NaN where either is missing or both are one."""
    if pair is None or pair[0] not in points or pair[1] not in points:
        return None
    vector = points[pair[1]] - points[pair[0]]
    length = np.linalg.norm(vector, axis=-1, keepdims=True)
    return np.asarray(np.divide(vector, length, out=np.full_like(vector, np.nan), where=length > 1e-6))


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(vector / np.linalg.norm(vector))


def _swing(rest: NDArray[np.float64], along: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the shortest rotations (F, 3, 3) that turn `rest` to the unit vectors (F, 3)."""
    cosine = np.clip(along @ rest, -1, 1)
    axis = np.cross(rest, along)
    length = np.linalg.norm(axis, axis=-1)
    # Straight back, every way round is the shortest: take one, always the same.
    any_axis = np.cross(rest, np.eye(3)[int(np.argmin(np.abs(rest)))])
    straight = length < 1e-9
    axis = np.where(straight[:, None], any_axis, axis)
    angle = np.where(straight, np.where(cosine < 0, np.pi, 0.0), np.arctan2(length, cosine))
    axis /= np.linalg.norm(axis, axis=-1, keepdims=True)
    return Rotation.from_rotvec(angle[:, None] * axis).as_matrix()


def _interpolated(turns: NDArray[np.float64], frames: NDArray[np.intp], F: int) -> NDArray[np.float64]:
    """Return rotations for all F frames from those of some: the shortest way between, held before and after."""
    if len(frames) == F:
        return turns
    if len(frames) == 1:
        return np.repeat(turns, F, axis=0)
    between = Slerp(frames.astype(float), Rotation.from_matrix(turns))
    return np.asarray(between(np.clip(np.arange(F), frames[0], frames[-1]).astype(float)).as_matrix())


def _offset(bone: Bone, to: str, points: Points, whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where a point lies in the frame of a bone (3,), m: the median; 0 where both were never seen together.

    The point that the bone is aimed at lies in the direction of rest, as far away as the median distance.
    """
    vector = points[to] - points[bone.at]
    seen = np.isfinite(vector[:, 0])
    if not seen.any():
        return np.zeros(3)
    if bone.along and bone.along == (bone.at, to):
        return np.asarray(_unit(np.array(bone.rest)) * np.median(np.linalg.norm(vector[seen], axis=-1)))
    return np.asarray(np.median(np.einsum("fji,fj->fi", whole[seen], vector[seen]), axis=0))


def _filled_root(place: NDArray[np.float64], most_gap: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the root's place in every frame, and where it was not seen."""
    seen = np.isfinite(place[:, 0])
    frames, at = np.arange(len(place)), np.flatnonzero(seen)
    before = at[np.clip(np.searchsorted(at, frames, side="right") - 1, 0, None)]
    after = at[np.clip(np.searchsorted(at, frames), None, len(at) - 1)]
    filled = np.stack([np.interp(frames, at, place[at, i]) for i in range(3)], axis=-1)
    long = ~seen & (after - before - 1 > most_gap)
    filled[long] = place[before[long]]
    return filled, ~seen
