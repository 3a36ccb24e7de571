"""What a rig's calibration is worth in the space between the cameras, mm, and that space seen from above."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay, QhullError

from triskel.camera import Rig
from triskel.projection import project_rig

DETECTOR_PX = 5.0
"""Noise of a good detector of body joints in images about 1000 px high: what a calibration has to be compared with."""

ROOM_HEIGHTS_M = (0.1, 1.0, 1.8)
"""Ankles, hips and head of a person on the floor."""

GRID = 40
"""Cells along the longer side of a map."""

MOST_PLACES = 60
"""Places of boards that stand for the volume; more say the same."""

UPRIGHT = 0.85
"""Cosine between the world's z and the cameras' own up from which on z is taken to be up (32 degrees)."""

PointSigma = Callable[..., NDArray[np.float64]]
"""(X (..., 3) m, noise_px=None) -> (...) mm, as `RigUncertainty.point_sigma_mm`."""


class Plan(NamedTuple):
    """The view from above that pictures are drawn in.

    Attributes:
        plan_from_world: (3, 3) rotation; the third row is up.
        is_world: the plan's axes are the world's, so that heights are above the floor.
        low, high: (2,) bounds of the pictures, m, in the plan.
        middle: (3,) m in the world: where most boards were, or else what all cameras look at.
    """

    plan_from_world: NDArray[np.float64]
    is_world: bool
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    middle: NDArray[np.float64]


class Slice(NamedTuple):
    """A horizontal slice: standard error of points due to the calibration.

    It is NaN where under two cameras see them, and outside the cameras where these stand all around.

    Attributes:
        height_m: in the plan.
        typical_mm: RMS over the places above and below those where the boards were.
        sigma_mm: (rows, columns) over the plan.
    """

    height_m: float
    typical_mm: float
    sigma_mm: NDArray[np.float64]


class Volume(NamedTuple):
    """What points are worth: standard errors, per axis (RMS over the three).

    Attributes:
        typical_mm: due to the calibration, RMS over the places where the boards were. Not in the very middle: the
            errors of all cameras together move the whole world, which does no harm, and least of all there.
        detector_mm: the same due to a detector of `DETECTOR_PX` alone.
        slices: from the lowest to the highest.
        board_low_m, board_high_m: heights between which the boards stood; NaN without any.
    """

    typical_mm: float
    detector_mm: float
    slices: tuple[Slice, ...]
    board_low_m: float
    board_high_m: float


def plan_of(rig: Rig, boards: NDArray[np.float64], look_at: NDArray[np.float64]) -> Plan:
    """Choose the view from above.

    Args:
        rig: the cameras.
        boards: (B, 3) middles of the boards in the world, m; none is fine.
        look_at: (3,) the point that the cameras look at; NaN where there is none.
    """
    centres = np.array([camera.centre for camera in rig])
    up = -np.array([camera.cam_from_world.R[1] for camera in rig]).mean(axis=0)
    length = float(np.linalg.norm(up))
    up = up / length if length > 1e-6 else np.array([0.0, 0.0, 1.0])
    is_world = bool(up[2] > UPRIGHT)
    plan_from_world = np.eye(3) if is_world else _axes(up)
    middle = np.median(boards, axis=0) if len(boards) else look_at
    if not np.isfinite(middle).all():
        middle = centres.mean(axis=0)
    points = np.vstack([centres, boards.reshape(-1, 3), middle]) @ plan_from_world.T
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    margin = 0.08 * max(float((high - low).max()), 1e-3)
    # Cameras in a row would make a picture without height.
    short = np.maximum(0.35 * (high - low).max() - (high - low), 0) / 2
    return Plan(plan_from_world, is_world, low - margin - short, high + margin + short, middle)


def measure_volume(rig: Rig, plan: Plan, boards: NDArray[np.float64], point_sigma_mm: PointSigma) -> Volume:
    """Return the standard errors over the volume and its slices; boards (B, 3) m say where that is."""
    tall = boards @ plan.plan_from_world[2]
    low, high = (float(tall.min()), float(tall.max())) if len(tall) else (float("nan"), float("nan"))
    places = boards[:: max(1, len(boards) // MOST_PLACES)] if len(boards) else plan.middle[None]
    calibration = point_sigma_mm(places)
    # The two are independent, so their variances add.
    both = point_sigma_mm(places, noise_px=DETECTOR_PX)
    detector = np.sqrt(np.maximum(both**2 - calibration**2, 0.0))
    slices = tuple(_slice(rig, plan, height, places, point_sigma_mm) for height in _heights(rig, plan, tall))
    return Volume(_rms(calibration), _rms(detector), slices, low, high)


def height_words(plan: Plan, height_m: float) -> str:
    """Say how high something is: over the floor, or by the middle of the volume where there is no floor."""
    if plan.is_world:
        return f"{height_m:.1f} m above the floor"
    above = height_m - float(plan.middle @ plan.plan_from_world[2])
    if abs(above) < 0.005:
        return "at the height of the middle"
    return f"{abs(above):.2f} m {'above' if above > 0 else 'below'} the middle"


def _slice(rig: Rig, plan: Plan, height_m: float, places: NDArray[np.float64], point_sigma_mm: PointSigma) -> Slice:
    """Return the map at one height, where at least two cameras see the point."""
    span = plan.high - plan.low
    columns, rows = (max(2, round(GRID * side / span.max())) for side in span)
    step = span / (columns, rows)
    x, y = (plan.low[k] + (np.arange(n) + 0.5) * step[k] for k, n in ((0, columns), (1, rows)))
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    flat = np.vstack([grid, (places @ plan.plan_from_world.T)[:, :2]])
    X = np.c_[flat, np.full(len(flat), height_m)] @ plan.plan_from_world
    between = _between_cameras(rig, plan, flat)
    sizes = np.array([camera.size_wh for camera in rig])[:, None]
    xy = project_rig(rig, X)
    with np.errstate(invalid="ignore"):
        inside = ((xy >= -0.5) & (xy <= sizes - 0.5)).all(axis=-1).sum(axis=0) >= 2
    inside &= between
    sigma = np.full(len(X), np.nan)
    if inside.any():
        sigma[inside] = point_sigma_mm(X[inside])
    return Slice(height_m, _rms(sigma[len(grid) :]), sigma[: len(grid)].reshape(rows, columns))


def _between_cameras(rig: Rig, plan: Plan, flat: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Say which points (n, 2) of the plan lie between the cameras, where these surround the middle; else all do."""
    centres = (np.array([camera.centre for camera in rig]) @ plan.plan_from_world.T)[:, :2]
    everywhere = np.ones(len(flat), dtype=bool)
    try:
        triangles = Delaunay(centres)
    except (QhullError, ValueError):  # fewer than three cameras, or all in a row
        return everywhere
    if triangles.find_simplex((plan.plan_from_world @ plan.middle)[:2]) < 0:
        return everywhere
    return np.asarray(triangles.find_simplex(flat) >= 0)


def _rms(values: NDArray[np.float64]) -> float:
    """Return the RMS of what is finite; NaN of nothing."""
    values = values[np.isfinite(values)]
    return float(np.sqrt(np.mean(values**2))) if len(values) else float("nan")


def _heights(rig: Rig, plan: Plan, tall: NDArray[np.float64]) -> Sequence[float]:
    """Return the heights of the slices: of a person in a room, else from where the boards and cameras are."""
    cameras = np.array([camera.centre for camera in rig]) @ plan.plan_from_world[2]
    room = plan.is_world and cameras.max() > 0.8 and cameras.min() > -0.1 and float((plan.high - plan.low).max()) > 1.5
    if room:
        return ROOM_HEIGHTS_M
    middle = float(plan.middle @ plan.plan_from_world[2])
    if len(tall) and tall.max() - tall.min() > 1e-3:
        low, high = (float(value) for value in np.percentile(tall, [5, 95]))
        return sorted([low, middle, high])
    half = 0.15 * float((plan.high - plan.low).max())
    return [middle - half, middle, middle + half]


def _axes(up: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a rotation (3, 3) whose third row is `up` and whose first is the world's x as far as that can be."""
    x = np.eye(3)[0] if abs(up[0]) < 0.9 else np.eye(3)[2]
    x = x - up * (x @ up)
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(up, x), up])
