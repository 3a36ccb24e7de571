"""The world from people who stand or walk: the floor under their feet, up along their bodies."""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.world.body import Bodies, body_axis, foot_joints, measure_bodies, middle_of
from triskel.calibration.world.placed import Placed, axes_of, cameras_up, moved_rig
from triskel.camera import Rig
from triskel.errors import InputError
from triskel.motion import Motion3D

PeopleOrigin = Literal["person", "cameras"]

FEWEST_CONTACTS = 20
STILL = 0.2
"""A foot that moves slower than this, statures a second, is on the floor."""
LOW = 0.04
"""Of a person's foot points those are on the floor that are within this, statures, of the lowest."""
SAME_FLOOR = 0.08
"""People whose feet are this close in height, statures, stand on one floor."""
LEAN_SIGMA_DEG = 2.0
"""How far off the vertical people's mean axis may be: what holds the floor level where feet hardly cover any of it."""
MAX_DISAGREE_DEG = 12.0
MAX_CAMERAS_OFF_DEG = 60.0
_ROUNDS = 10


class _Contacts(NamedTuple):
    """Points on the floor: X (n, 3), how far each is above the floor there (n,), and whose they are (n,)."""

    X: NDArray[np.float64]
    above: NDArray[np.float64]
    person: NDArray[np.intp]


def place_from_people(rig: Rig, motion: Motion3D, *, origin: PeopleOrigin = "person") -> Placed:
    """Find the floor from feet that stand on it, and up from the people's bodies; both must agree.

    Nothing is measured of how tall they should be: the scale stays (see `scale_from_height`). Feet that cover little
    of the floor leave its tilt open, and there the bodies decide.

    Args:
        rig: the cameras.
        motion: the people, in the rig's present world, whichever that is.
        origin: on the floor below the first person's hips where he or she is first seen standing, with x where the
            person faces; or below the middle of the cameras, with x to the first camera.

    Returns:
        The rig; `residual_mm` is the RMS height of the feet above the floor.

    Raises:
        InputError: nobody stands, feet are missing or on no common floor, or the cameras lie on their side.
    """
    if origin not in ("person", "cameras"):
        raise InputError(f"origin is person or cameras, got {origin!r}")
    X, skeleton = motion.points.X, motion.skeleton
    bodies = measure_bodies(skeleton, X)
    axis = body_axis(bodies)
    if np.isnan(axis).any():
        raise InputError(
            f"floor from people: {_standing_words(bodies)}; they must stand or walk upright, seen from "
            "shoulders to feet"
        )
    _refuse_lying(rig, axis)
    contacts = _contacts(motion, bodies, axis)
    if len(contacts.X) < FEWEST_CONTACTS:
        raise InputError(
            f"floor from people: feet stand still on the floor {len(contacts.X)} times, {FEWEST_CONTACTS} are needed; "
            "let the cameras see the feet, and pause in several places"
        )
    size = float(np.median(bodies.stature[np.unique(contacts.person)]))
    contacts, messages = _one_floor(contacts, axis, size)
    up, level, height, kept = _fit_floor(contacts, axis, size)
    free, covered = _free_tilt_deg(contacts, axis, size)
    if covered and free > MAX_DISAGREE_DEG:
        raise InputError(
            f"floor from people: the floor under their feet is {free:.0f} degrees off from where their bodies say it "
            "is; do they walk on stairs or a slope, or lean?"
        )
    if not covered:
        messages.append("feet cover little of the floor: its tilt comes from the people's bodies, to 2 degrees or so")
    at, toward = _first_person(motion, bodies, up) if origin == "person" else _below_cameras(rig, up)
    at = at - (at @ up - level) * up
    world_from_old = axes_of(at, up=up, toward=toward)
    placed = moved_rig(rig, world_from_old)
    below = [camera.name for camera in placed if camera.centre[2] < 0]
    if below:
        messages.append(f"{', '.join(below)} would stand under this floor: check it")
    lean = float(np.degrees(np.arccos(np.clip(axis @ up, -1, 1))))
    messages.insert(
        0,
        f"floor from {int(kept.sum())} foot contacts of {len(np.unique(contacts.person))} people; "
        f"bodies lean {lean:.1f} degrees",
    )
    residual = 1000 * float(np.sqrt(np.mean(height[kept] ** 2)))
    return Placed(placed, world_from_old, 1.0, residual, tuple(messages))


def _standing_words(bodies: Bodies) -> str:
    frames = int(bodies.standing.sum())
    if not np.isfinite(bodies.axis).any():
        return "shoulders, hips, knees and ankles are never seen together"
    return f"somebody stands straight in {frames} frames" if frames < 10 else "people stand in no common direction"


def _refuse_lying(rig: Rig, axis: NDArray[np.float64]) -> None:
    """Refuse bodies that lie across what most cameras have for up: a lying body has the geometry of a standing one."""
    up = cameras_up(rig)
    length = float(np.linalg.norm(up))
    if length < 0.6:
        return  # cameras overhead or turned: they say nothing of where up is
    angle = float(np.degrees(np.arccos(np.clip(axis @ up / length, -1, 1))))
    if angle > MAX_CAMERAS_OFF_DEG:
        raise InputError(
            f"floor from people: their bodies are {angle:.0f} degrees off from what the cameras have for up; they lie, "
            "or the videos are turned"
        )


def _contacts(motion: Motion3D, bodies: Bodies, axis: NDArray[np.float64]) -> _Contacts:
    """Return the foot points that are still, low, and of somebody upright."""
    joints, shares = foot_joints(motion.skeleton)
    feet = motion.points.X[:, :, joints]
    F = len(feet)
    if F < 3 or not len(joints):
        return _Contacts(np.zeros((0, 3)), np.zeros(0), np.zeros(0, np.intp))
    before, after = np.maximum(np.arange(F) - 1, 0), np.minimum(np.arange(F) + 1, F - 1)
    step_s = (motion.time_s[after] - motion.time_s[before])[:, None, None]
    stature = bodies.stature[None, :, None]
    with np.errstate(invalid="ignore"):
        speed = np.linalg.norm(feet[after] - feet[before], axis=-1) / step_s
        height = feet @ axis - shares * stature
        lowest = np.where(np.isfinite(height), height, np.inf).min(axis=-1, keepdims=True)
        good = (speed < STILL * stature) & (height < lowest + LOW * stature) & bodies.upright[..., None]
    person = np.broadcast_to(np.arange(feet.shape[1])[:, None], good.shape[1:])
    above = np.broadcast_to(shares * stature, good.shape)
    return _Contacts(feet[good], above[good], np.broadcast_to(person, good.shape)[good])


def _one_floor(contacts: _Contacts, axis: NDArray[np.float64], size: float) -> tuple[_Contacts, list[str]]:
    """Return the contacts of those who stand on the floor that most people share, the lowest of several."""
    height = contacts.X @ axis - contacts.above
    people = np.unique(contacts.person)
    level = np.array([np.median(height[contacts.person == n]) for n in people])
    near = np.abs(level[:, None] - level[None]) < SAME_FLOOR * size
    best = max(range(len(people)), key=lambda i: (int(near[i].sum()), -level[i]))
    floor = people[near[best]]
    messages = [
        f"person {n} stands {1000 * (level[i] - level[best]):+.0f} mm above that floor and was left out"
        for i, n in enumerate(people)
        if n not in floor
    ]
    keep = np.isin(contacts.person, floor)
    return _Contacts(contacts.X[keep], contacts.above[keep], contacts.person[keep]), messages


def _fit_floor(
    contacts: _Contacts, axis: NDArray[np.float64], size: float
) -> tuple[NDArray[np.float64], float, NDArray[np.float64], NDArray[np.bool_]]:
    """Return the floor's normal, its level along that, the heights of the contacts above it (n,), and which count."""
    tilt, height, sigma = _tilted(contacts, axis, size, lean_sigma=np.tan(np.radians(LEAN_SIGMA_DEG)))
    up = axis - tilt
    up = up / np.linalg.norm(up)
    along = contacts.X @ up - contacts.above
    kept = np.abs(height) < 3 * sigma
    level = float(np.mean(along[kept]))
    return up, level, along - level, kept


def _free_tilt_deg(contacts: _Contacts, axis: NDArray[np.float64], size: float) -> tuple[float, bool]:
    """Return how far the floor tilts from the bodies if feet alone decide, and whether they cover enough of it."""
    across = contacts.X - (contacts.X @ axis)[:, None] * axis
    spread = np.linalg.svd(across - across.mean(axis=0), compute_uv=False) / np.sqrt(len(across))
    tilt, _, _ = _tilted(contacts, axis, size, lean_sigma=np.inf)
    return float(np.degrees(np.arctan(np.linalg.norm(tilt)))), bool(spread[1] > 0.15 * size)


def _tilted(
    contacts: _Contacts, axis: NDArray[np.float64], size: float, *, lean_sigma: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Fit `height = tilt . across + level` with Cauchy's weights, the tilt being nothing give or take `lean_sigma`.

    Returns:
        The tilt (3,) across the axis, what is left of the heights (n,), and their robust standard deviation.
    """
    first = np.eye(3)[int(np.argmin(np.abs(axis)))]
    e1 = np.cross(axis, first)
    e1 = e1 / np.linalg.norm(e1)
    basis = np.stack([e1, np.cross(axis, e1)])
    across = contacts.X @ basis.T
    A = np.c_[across - np.median(across, axis=0), np.ones(len(across))]
    height = contacts.X @ axis - contacts.above
    solution = np.array([0.0, 0.0, float(np.median(height))])
    left, sigma = height - solution[2], 0.0
    for _ in range(_ROUNDS):
        sigma = max(1.4826 * float(np.median(np.abs(left))), 0.001 * size)
        weight = 1 / (1 + (left / (2.385 * sigma)) ** 2)
        # Contacts of one stance err alike, so many of them are worth little more than a few.
        weight = weight * min(1.0, 40 / len(weight))
        prior = np.diag([(sigma / lean_sigma) ** 2, (sigma / lean_sigma) ** 2, 0.0])
        normal = (A * weight[:, None]).T @ A + prior + 1e-12 * np.eye(3)
        solution = np.linalg.solve(normal, (A * weight[:, None]).T @ height)
        left = height - A @ solution
    return solution[:2] @ basis, left, sigma


def _first_person(
    motion: Motion3D, bodies: Bodies, up: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the hips of who stands first, and where that person faces, the median of the first ten frames."""
    X, skeleton = motion.points.X, motion.skeleton
    left, right = (middle_of(skeleton, X, f"{side}Hip") for side in "LR")
    usable = bodies.standing & np.isfinite(left[..., 0]) & np.isfinite(right[..., 0])
    frame, person = np.argwhere(usable)[0]
    frames = np.flatnonzero(usable[:, person])[:10]
    facing = np.median(np.cross((left - right)[frames, person], up), axis=0)
    if np.linalg.norm(facing - (facing @ up) * up) < 1e-6:
        facing = np.eye(3)[int(np.argmin(np.abs(up)))]
    return (left + right)[frame, person] / 2, facing


def _below_cameras(rig: Rig, up: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the middle of the cameras, and the direction to the first one that is not straight above it."""
    centres = np.array([camera.centre for camera in rig])
    middle = centres.mean(axis=0)
    for centre in centres:
        away = centre - middle
        if np.linalg.norm(away - (away @ up) * up) > 0.01 * float(np.linalg.norm(away)):
            return middle, away
    return middle, np.eye(3)[int(np.argmin(np.abs(up)))]
