"""The world from points: three of the floor, or any number whose places are known."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.fits import PointFit, fit_points_robustly, spread_of
from triskel.calibration.world.placed import Placed, axes_of, moved_rig
from triskel.calibration.world.scale import doubts
from triskel.calibration.world.scene_file import FloorPoints, ScenePoint, pixels_of
from triskel.camera import Rig
from triskel.errors import InputError
from triskel.projection import reprojection_error
from triskel.triangulate import TriangulateOptions, triangulate_points

MAX_POINT_PX = 40.0
"""Views of a picked point that disagree by more than this are not of one point."""
MIN_APART_M = 0.05
SCALE_DIFFERS = 0.005
"""Share by which the known places may ask for another scale before a word about it."""
MIRROR_RATIO = 5.0
"""Points that fit this many times better in a mirror are given in left-handed axes."""
MISFIT = 0.05
"""Share of the points' spread by which they may miss their places, RMS, before they are taken for other points."""
EXCHANGED_RATIO = 4.0
"""Points that fit this many times better once two of them have changed places were given each other's name."""
MOST_EXCHANGED = 40
"""Of more points than this, pairs are not tried: a thousand fits take no time, a hundred thousand do."""


def place_by_three(rig: Rig, points: FloorPoints) -> Placed:
    """Make three points the floor: the first is the origin, the second lies on the x axis, z is up.

    Which side is up is where the cameras are. The scale stays.

    Raises:
        ConfigError: a camera that the rig does not have.
        InputError: a point that fewer than two cameras agree on, points on one line, or cameras on both sides.
    """
    X, error = _triangulated(rig, [points.origin, points.x, points.floor], list(points._fields))
    origin, on_x, on_floor = X
    normal = np.cross(on_x - origin, on_floor - origin)
    longest = max(np.linalg.norm(on_x - origin), np.linalg.norm(on_floor - origin))
    if np.linalg.norm(on_x - origin) < MIN_APART_M or np.linalg.norm(normal) < MIN_APART_M * longest:
        raise InputError(
            f"three points: they lie within {1000 * MIN_APART_M:.0f} mm of one line or of each other; "
            "choose them far apart, in a triangle"
        )
    heights = np.array([(camera.centre - origin) @ normal for camera in rig])
    up = normal if np.median(heights) >= 0 else -normal
    world_from_old = axes_of(origin, up=up, toward=on_x - origin)
    placed = moved_rig(rig, world_from_old)
    messages = [f"{name}: {px:.1f} px reprojection error" for name, px in zip(points._fields, error, strict=True)]
    below = [camera.name for camera in placed if camera.centre[2] < 0]
    if below:
        messages.append(f"{', '.join(below)} would stand under this floor: is one of the points not on it?")
    return Placed(placed, world_from_old, 1.0, float("nan"), tuple(messages))


def place_by_points(rig: Rig, points: Sequence[ScenePoint], *, fixed_scale: bool = False) -> Placed:
    """Turn, move and scale the rig so that points come to lie where they are known to be.

    From five points on, one that spoils the fit is left out and named.

    Args:
        rig: the cameras.
        points: at least three, not on one line, each seen by two cameras or more; others are passed over.
        fixed_scale: keep the rig's scale, and only say by how much it is off.

    Raises:
        ConfigError: a camera that the rig does not have.
        InputError: too few points, all on one line, given in left-handed axes, or not where they are said to be.
    """
    X, _ = _triangulated(rig, [point.px for point in points], [point.name for point in points], refuse=False)
    target = np.array([point.world_m for point in points], dtype=np.float64).reshape(-1, 3)
    good = np.isfinite(X[:, 0])
    if good.sum() < 3:
        raise InputError(
            f"scene points: {int(good.sum())} of {len(points)} are seen by two cameras that agree, three are needed"
        )
    spread = spread_of(target[good])
    if spread[1] < 0.02 * spread[0] or spread[0] < MIN_APART_M / 2:
        raise InputError("scene points: those that two cameras see lie on one line or in one place; add one beside it")
    _refuse_left_handed(X[good], target[good])
    free = fit_points_robustly(X[good], target[good])
    fit = fit_points_robustly(X[good], target[good], fixed_scale=True) if fixed_scale else free
    messages = [
        f"{point.name}: not used, two cameras must agree on it"
        for point, ok in zip(points, good, strict=True)
        if not ok
    ]
    _refuse_misfit(X[good], target[good], free, [point.name for point, ok in zip(points, good, strict=True) if ok])
    distance, kept = np.full(len(points), np.nan), np.ones(len(points), dtype=bool)
    distance[good], kept[good] = 1000 * fit.distance_m, fit.kept
    messages += [
        f"{points[i].name}: left out, it is {distance[i]:.0f} mm from where it should be"
        for i in np.flatnonzero(~kept).tolist()
    ]
    if abs(free.scale - 1) > SCALE_DIFFERS:
        what = "it is kept" if fixed_scale else f"lengths were multiplied by {free.scale:.4f}"
        messages.append(f"the calibration's scale is off by {1 / free.scale - 1:+.1%}; {what}")
    placed = moved_rig(rig, fit.target_from_source, scale=fit.scale)
    messages += doubts(placed, free.scale)
    return Placed(
        placed,
        fit.target_from_source,
        fit.scale,
        1000 * fit.rms_m,
        tuple(messages),
        tuple((point.name, float(d)) for point, d in zip(points, distance, strict=True)),
    )


def _refuse_misfit(X: NDArray[np.float64], target: NDArray[np.float64], fit: PointFit, names: list[str]) -> None:
    """Refuse places that the points do not have, whatever the scale; name those that were exchanged, or the worst.

    Raises:
        InputError: the points miss their places by more than a share of their spread.
    """
    spread_m = float(np.linalg.norm(spread_of(target)))
    if fit.rms_m <= max(MISFIT * spread_m, 0.001):
        return
    worst = int(np.argmax(fit.distance_m))
    message = (
        f"scene points: they miss their places by {1000 * fit.rms_m:.0f} mm (RMS), {fit.rms_m / spread_m:.0%} of their "
        f"spread of {1000 * spread_m:.0f} mm; the worst is {names[worst]!r}, by {1000 * fit.distance_m[worst]:.0f} mm"
    )
    found: list[tuple[float, str]] = []
    for a, b in combinations(range(len(X)), 2) if len(X) <= MOST_EXCHANGED else ():
        swapped = target.copy()
        swapped[[a, b]] = target[[b, a]]
        trial = fit_points_robustly(X, swapped)
        if trial.kept[[a, b]].all():
            found.append((trial.rms_m, f"{names[a]!r} and {names[b]!r}"))
    rms_m, pair = min(found, default=(np.inf, ""))
    # Three points fit some scale in any order: who was exchanged is known from four on.
    if len(X) > 3 and EXCHANGED_RATIO * rms_m < fit.rms_m and rms_m <= MISFIT * spread_m:
        raise InputError(f"{message}. With {pair} exchanged they fit to {1000 * rms_m:.0f} mm: correct their names")
    raise InputError(f"{message}: measure its world_m again, and see that px is of that point in every camera")


def _refuse_left_handed(X: NDArray[np.float64], target: NDArray[np.float64]) -> None:
    """Refuse places that only a mirror could bring about; points in one plane cannot tell."""
    if len(X) < 4 or spread_of(target)[2] < 0.02 * spread_of(target)[0]:
        return
    plain = fit_points_robustly(X, target).rms_m
    mirrored = fit_points_robustly(X, target * (1.0, 1.0, -1.0)).rms_m
    if plain > MIRROR_RATIO * mirrored and plain > 0.01:
        raise InputError(
            f"scene points: they fit to {1000 * mirrored:.0f} mm in a mirror and to {1000 * plain:.0f} mm as given: "
            "world_m is in left-handed axes; exchange two of them or turn the sign of one"
        )


def _triangulated(
    rig: Rig, pixels: Sequence[Mapping[str, tuple[float, float]]], names: list[str], *, refuse: bool = True
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the points (n, 3), m, and the largest reprojection error of each, px; refuses or leaves NaN."""
    xy = pixels_of(rig, pixels)
    X = triangulate_points(rig, xy, options=TriangulateOptions(max_reproj_px=MAX_POINT_PX)).X
    for k, name in enumerate(names):
        n = int(np.isfinite(xy[:, k, 0]).sum())
        if refuse and np.isnan(X[k, 0]):
            why = (
                f"given in {n} camera{'s' if n != 1 else ''}, two are needed"
                if n < 2
                else (
                    f"its {n} cameras do not agree within {MAX_POINT_PX:g} px: is it the same point in all, and did no "
                    "camera move?"
                )
            )
            raise InputError(f"point {name!r}: {why}")
    error = reprojection_error(rig, X, xy)
    return X, np.nanmax(np.where(np.isfinite(error), error, -np.inf), axis=0)
