"""What is wrong with one camera, by comparing its detections with people reconstructed from all the others."""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.checks.fit import LEAST_SCORE, at_frames, fit_people, pixel_factor
from triskel.calibration.world.pnp import pose_from_points
from triskel.camera import Camera, Rig
from triskel.motion import Detections2D
from triskel.projection import project
from triskel.rigid import Rigid
from triskel.skeleton import Skeleton

LONGEST_LAG = 20
"""Frames by which a camera is tried earlier and later."""
CAP_PX = 200.0
FEWEST_JOINTS, FEWEST_FRAMES = 5, 10
LEAST_LAG = 0.4
FEWEST_POINTS = 100
MAX_POINTS = 1500
MOST_TRIED = 4
LATE_RATIO, OTHER_RATIO = 0.75, 0.36
"""The error that is left after a camera is put right, as a share of that before, for its fault to be believed."""
LATE_GAIN_PX, OTHER_GAIN_PX = 1.0, 4.0
"""And how much smaller it must be. People look different from each side: pixels of single figures prove no fault."""
SAME_SCALE, SAME_ANGLE_DEG = 0.08, 25.0
"""An image that differs less than this from where it should be was not rescaled or turned: its camera was moved."""

Kind = Literal["late", "moved", "resized", "turned", "mirrored"]


class Fault(NamedTuple):
    """What one camera's detections say about it.

    Attributes:
        kind: what was done to it.
        before_px: median distance of its detections from the people that the others see.
        after_px: what is left of it once that is undone.
        amount: frames late, image scale or angle in degrees; for `moved` the angle by which it was turned, degrees.
        distance_m: for `moved`, how far the camera has gone.
        cam_from_world: for `moved`, where it is now.
        image: for images changed as a whole, (2, 3) that takes detections back to where they should be.
    """

    kind: Kind
    before_px: float
    after_px: float
    amount: float = float("nan")
    distance_m: float = float("nan")
    cam_from_world: Rigid | None = None
    image: NDArray[np.float64] | None = None


class _Pairs(NamedTuple):
    """Joints of the others' people (n, 3), m, and where one camera detected them (n, 2), px."""

    X: NDArray[np.float64]
    xy: NDArray[np.float64]


def examine_camera(
    rig: Rig, detections: Detections2D, time_s: NDArray[np.float64], name: str, frames: NDArray[np.intp]
) -> Fault | None:
    """Compare a camera with all the others together.

    Args:
        rig: holds the cameras of `detections`, three or more.
        detections: of the whole recording.
        time_s: (F,) s.
        name: the camera.
        frames: which frames to look at.

    Returns:
        The fault that explains most; None where there is no sign of one, the others see nobody, or it does not.
    """
    some = at_frames(detections.select([other for other in detections.cameras if other != name]), frames)
    X = fit_people(rig, some, time_s[frames]).people.raw.points.X
    camera, seen = rig[name], detections.keypoints[:, detections.cameras.index(name)]
    seen = np.where(seen[..., 2:] >= LEAST_SCORE, seen[..., :2], np.nan)
    projected, factor = project(camera, X), pixel_factor(rig)
    cap = CAP_PX * factor
    shifts = np.arange(-LONGEST_LAG, LONGEST_LAG + 1)
    errors = np.array([_error(projected, _shifted(seen, frames + k), cap) for k in shifts])
    before = float(errors[LONGEST_LAG])
    if np.isnan(before):
        return None
    lag, late = _lowest(shifts, errors)
    best, left = None, before
    if abs(lag) >= LEAST_LAG and late < LATE_RATIO * before and before - late > LATE_GAIN_PX * factor:
        best, left = Fault("late", before, late, lag), late
    changed = _changed_image(detections.skeleton, projected, seen[frames], before)
    moved = _moved(camera, X, projected, seen[frames], before, cap)
    for other in (changed, moved):
        # What came first is the simpler story: another one has to explain clearly more.
        if other and other.after_px < OTHER_RATIO * left and left - other.after_px > OTHER_GAIN_PX * factor:
            best, left = other, other.after_px
    return best


def distance_px(
    rig: Rig, detections: Detections2D, time_s: NDArray[np.float64], name: str, frames: NDArray[np.intp]
) -> float:
    """Return a camera's median distance from the people that all others see, px; arguments as in `examine_camera`."""
    some = at_frames(detections, frames)
    X = fit_people(rig, some.select([other for other in some.cameras if other != name]), time_s[frames]).people.raw
    seen = some.keypoints[:, some.cameras.index(name)]
    seen = np.where(seen[..., 2:] >= LEAST_SCORE, seen[..., :2], np.nan)
    return _error(project(rig[name], X.points.X), seen, CAP_PX * pixel_factor(rig))


def corrected(rig: Rig, detections: Detections2D, name: str, fault: Fault) -> tuple[Rig, Detections2D]:
    """Return the rig and the detections with a fault undone."""
    c = detections.cameras.index(name)
    keypoints = detections.keypoints.copy()
    if fault.cam_from_world is not None:
        moved = rig[name].replace(cam_from_world=fault.cam_from_world)
        rig = Rig(tuple(moved if camera.name == name else camera for camera in rig))
    elif fault.image is not None:
        keypoints[:, c, ..., :2] = keypoints[:, c, ..., :2] @ fault.image[:, :2].T + fault.image[:, 2]
        if fault.kind == "mirrored":
            keypoints[:, c] = keypoints[:, c][..., list(detections.skeleton.flips), :]
    else:
        late = np.arange(len(keypoints)) + round(fault.amount)
        there = ((late >= 0) & (late < len(keypoints)))[:, None, None, None]
        nothing = np.array([np.nan, np.nan, 0.0])
        keypoints[:, c] = np.where(there, keypoints[np.clip(late, 0, len(keypoints) - 1), c], nothing)
    return rig, Detections2D(detections.skeleton, detections.cameras, keypoints)


def _moved(
    camera: Camera,
    X: NDArray[np.float64],
    projected: NDArray[np.float64],
    seen: NDArray[np.float64],
    before: float,
    cap: float,
) -> Fault | None:
    """Return where the camera must stand to see the others' people where it does; None if too little can be matched."""
    pairs = _matched(X, projected, seen, cap)
    pose = pose_from_points(camera, pairs.X, pairs.xy) if len(pairs.X) >= FEWEST_POINTS else None
    if pose is None:
        return None
    new = camera.replace(cam_from_world=pose)
    turned = float(np.degrees(np.linalg.norm((pose @ camera.cam_from_world.inverse).rotvec)))
    gone = float(np.linalg.norm(new.centre - camera.centre))
    return Fault("moved", before, _error(project(new, X), seen, cap), turned, gone, cam_from_world=pose)


def _shifted(seen: NDArray[np.float64], frames: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the detections (F, M, J, 2) of other frames; NaN beyond the recording."""
    there = (frames >= 0) & (frames < len(seen))
    return np.where(there[:, None, None, None], seen[np.clip(frames, 0, len(seen) - 1)], np.nan)


def _distances(projected: NDArray[np.float64], seen: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean distance (F, N, M) between people (F, N, J, 2) and detections (F, M, J, 2); inf where unknown."""
    d = np.linalg.norm(projected[:, :, None] - seen[:, None], axis=-1)
    good = np.isfinite(d)
    n = good.sum(axis=-1)
    mean = np.where(good, d, 0).sum(axis=-1) / np.maximum(n, 1)
    return np.asarray(np.where(n >= FEWEST_JOINTS, mean, np.inf))


def _error(projected: NDArray[np.float64], seen: NDArray[np.float64], cap: float) -> float:
    """Return the median distance of people from their detections, at most `cap`; NaN where there are too few."""
    if not projected.size or not seen.size:
        return float("nan")
    distance = _distances(projected, seen)
    by_person, by_detection = distance.min(axis=2), distance.min(axis=1)
    # Somebody behind may be seen by the others alone, or by this camera alone: whoever there are fewer of is matched.
    fewer = np.isfinite(by_person).sum(axis=1) <= np.isfinite(by_detection).sum(axis=1)
    matched = np.concatenate([by_person[fewer].ravel(), by_detection[~fewer].ravel()])
    matched = matched[np.isfinite(matched)]
    return float(np.median(np.minimum(matched, cap))) if len(matched) >= FEWEST_FRAMES else float("nan")


def _lowest(shifts: NDArray[np.int64], errors: NDArray[np.float64]) -> tuple[float, float]:
    """Return the shift with the least error, between frames where the neighbours tell, and that error."""
    k = int(np.nanargmin(errors))
    if 0 < k < len(errors) - 1 and np.isfinite(errors[k - 1 : k + 2]).all():
        # Off by a fraction of a frame the error grows like |shift|, on both sides alike: a V rather than a parabola.
        left, middle, right = errors[k - 1 : k + 2]
        slope = max(left, right) - middle
        if slope > 1e-9:
            return float(shifts[k] + 0.5 * (left - right) / slope), float(middle)
    return float(shifts[k]), float(errors[k])


def _matched(X: NDArray[np.float64], projected: NDArray[np.float64], seen: NDArray[np.float64], cap: float) -> _Pairs:
    """Return joints with the detections that belong to them, allowing for an image shifted as a whole."""
    if not projected.size or not seen.size:
        return _Pairs(np.zeros((0, 3)), np.zeros((0, 2)))
    offset = np.zeros(2)
    for _ in range(4):
        distance = _distances(projected + offset, seen)
        nearest = distance.argmin(axis=2)
        own = np.take_along_axis(distance, nearest[..., None], axis=2)[..., 0]
        away = np.take_along_axis(seen, nearest[..., None, None], axis=1) - projected
        mutual = np.take_along_axis(distance.argmin(axis=1), nearest, axis=1) == np.arange(distance.shape[1])
        good = np.isfinite(away[..., 0]) & (mutual & (own < 2 * cap))[..., None]
        if good.sum() < FEWEST_POINTS:
            return _Pairs(np.zeros((0, 3)), np.zeros((0, 2)))
        offset = np.median(away[good], axis=0)
    places, pixels = X[good], (projected + away)[good]
    every = max(1, len(places) // MAX_POINTS)
    return _Pairs(places[::every], pixels[::every])


def _changed_image(
    skeleton: Skeleton, projected: NDArray[np.float64], seen: NDArray[np.float64], before: float
) -> Fault | None:
    """Return what the image as a whole was done to: the largest detection, wherever it is, should be somebody there."""
    if not projected.size or not seen.size:
        return None
    d = _largest(seen)
    people = [_largest(projected), *(projected[:, n] for n in range(min(projected.shape[1], MOST_TRIED)))]
    best: tuple[complex, complex, float, bool] | None = None
    for mirror, p in ((mirror, p) for mirror in (False, True) for p in people):
        # In a mirrored image the left hand is detected as a right one, and people are seen at minus x.
        source = p * (-1.0, 1.0) if mirror else p
        target = d[:, list(skeleton.flips)] if mirror else d
        good = np.isfinite(source[..., 0]) & np.isfinite(target[..., 0])
        if good.sum() < FEWEST_POINTS:
            continue
        found = _similarity(source[good], target[good])
        if best is None or found[2] < 0.7 * best[2]:
            best = (*found, mirror)
    if best is None:
        return None
    factor, shift, after, mirror = best
    back = 1 / factor
    image = np.array([[back.real, -back.imag], [back.imag, back.real]])
    image = np.c_[image, -image @ (shift.real, shift.imag)]
    scale, angle = abs(factor), float(np.degrees(np.angle(factor)))
    if mirror:
        return Fault("mirrored", before, after, image=image * np.array([[-1.0], [1.0]]))
    if abs(angle) > SAME_ANGLE_DEG:
        return Fault("turned", before, after, angle, image=image)
    return Fault("resized", before, after, scale, image=image) if abs(scale - 1) > SAME_SCALE else None


def _largest(people: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return of people (F, N, J, 2) the one with the largest box in each frame: (F, J, 2); NaN where none is."""
    good = np.isfinite(people[..., :1])
    low = np.where(good, people, np.inf).min(axis=2)
    high = np.where(good, people, -np.inf).max(axis=2)
    size = np.where(good.sum(axis=(2, 3)) >= FEWEST_JOINTS, np.hypot(*np.moveaxis(high - low, -1, 0)), -1.0)
    who = size.argmax(axis=1)
    chosen = people[np.arange(len(people)), who]
    return np.asarray(np.where(size.max(axis=1)[:, None, None] > 0, chosen, np.nan))


def _similarity(source: NDArray[np.float64], target: NDArray[np.float64]) -> tuple[complex, complex, float]:
    """Return factor and shift of the robust similarity between points (n, 2) as complex numbers, and what it leaves."""
    a, b = source @ (1, 1j), target @ (1, 1j)
    weight, left = np.ones(len(a)), np.zeros(len(a))
    factor, shift = complex(1), complex(0)
    for _ in range(30):
        a0, b0 = (weight * a).sum() / weight.sum(), (weight * b).sum() / weight.sum()
        factor = complex((weight * np.conj(a - a0) * (b - b0)).sum() / (weight * np.abs(a - a0) ** 2).sum())
        shift = complex(b0 - factor * a0)
        left = np.abs(b - shift - factor * a)
        weight = 1 / np.maximum(left, 1.0)  # least absolute distances
    return factor, shift, float(np.median(left))
