"""Where cameras stand, each by itself, from points with known places: when there is no board that two cameras see."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from triskel.calibration.fits import spread_of
from triskel.calibration.world.scene_file import ScenePoint, pixels_of
from triskel.camera import Camera, Rig
from triskel.errors import InputError
from triskel.projection import pixel_rays, project
from triskel.rigid import Rigid

FEWEST_PLANAR, FEWEST_IN_SPACE = 4, 6
"""Fewer points have several poses, or leave a wrong point unnoticed."""
BAD_POINT_PX = 8.0
BAD_POINT_RATIO = 4.0
WARN_RMS_PX = 5.0


class PlacedCameras(NamedTuple):
    """Cameras placed by known points.

    Attributes:
        rig: the cameras in the points' world.
        rms_px: (C,) RMS reprojection error of each camera over the points kept.
        residual_px: (C, n) of each point, also of those left out; NaN where a camera was not given it.
        kept: (C, n) which points count.
        messages: what a person should know, one line each.
    """

    rig: Rig
    rms_px: NDArray[np.float64]
    residual_px: NDArray[np.float64]
    kept: NDArray[np.bool_]
    messages: tuple[str, ...]


def place_cameras(cameras: Iterable[Camera], points: Sequence[ScenePoint]) -> PlacedCameras:
    """Find each camera's pose from points with known places; the intrinsics stay, earlier poses are ignored.

    A point that spoils the fit of a camera which has enough others is left out there, and named.

    Args:
        cameras: with their intrinsics.
        points: at least four for each camera where they lie in one plane, six otherwise; others are passed over.

    Raises:
        ConfigError: a camera that is not among `cameras`.
        InputError: too few points for a camera, all on one line, or no pose from which they look like that.
    """
    rig = Rig(tuple(cameras))
    xy = pixels_of(rig, [point.px for point in points])
    X = np.array([point.world_m for point in points], dtype=np.float64).reshape(-1, 3)
    posed, messages = [], []
    residual, kept = np.full(xy.shape[:2], np.nan), np.isfinite(xy[..., 0])
    for c, camera in enumerate(rig):
        seen = np.flatnonzero(kept[c])
        _refuse_weak(camera, X[seen])
        pose, good = _pose_without_bad(camera, X[seen], xy[c, seen])
        posed.append(camera.replace(cam_from_world=pose))
        residual[c, seen] = _errors(posed[-1], X[seen], xy[c, seen])
        kept[c, seen] = good
        messages += [
            f"{camera.name}: {points[i].name} left out, it is {residual[c, i]:.0f} px off" for i in seen[~good]
        ]
    rms = np.array([np.sqrt(np.mean(residual[c, kept[c]] ** 2)) for c in range(len(rig))])
    messages += [
        f"{name}: {px:.1f} px RMS is much for picked points; are its intrinsics, or the points' places, wrong?"
        for name, px in zip(rig.names, rms, strict=True)
        if px > WARN_RMS_PX
    ]
    return PlacedCameras(Rig(tuple(posed)), rms, residual, kept, tuple(messages))


def pose_from_points(camera: Camera, X: NDArray[np.float64], xy: NDArray[np.float64]) -> Rigid | None:
    """Return `cam_from_world` that shows points (n, 3), m, at raw px (n, 2): linear, then refined in the raw image.

    Four points of a plane or six in space; None if no pose has them in front of the camera.
    """
    rays = pixel_rays(camera, xy)
    good = rays[:, 2] > 0.1  # False for NaN; a planar start cannot use rays square to the axis
    if good.sum() < FEWEST_PLANAR:
        return None
    ideal, places = rays[good, :2] / rays[good, 2:], np.ascontiguousarray(X[good])
    best, best_cost = None, np.inf
    for start in _starts(places, ideal):
        found = least_squares(
            _residuals,
            np.r_[start.rotvec, start.t],
            args=(camera, X[good], xy[good]),
            loss="soft_l1",
            f_scale=3.0,
        )
        if found.cost < best_cost:
            best, best_cost = Rigid.from_rotvec(found.x[:3], found.x[3:]), found.cost
    return best


def _starts(X: NDArray[np.float64], ideal: NDArray[np.float64]) -> list[Rigid]:
    """Return first poses from ideal image points (n, 2) at focal length 1."""
    planar = spread_of(X)[2] < 0.01 * spread_of(X)[0]
    methods = [cv2.SOLVEPNP_IPPE, cv2.SOLVEPNP_SQPNP] if planar else [cv2.SOLVEPNP_SQPNP, cv2.SOLVEPNP_EPNP]
    poses = []
    for method in methods:
        try:
            _, rvecs, tvecs, _ = cv2.solvePnPGeneric(X[:, None], ideal[:, None], np.eye(3), None, flags=method)
        except cv2.error:  # degenerate for this method
            continue
        poses += [
            Rigid.from_rotvec(rvec.ravel(), tvec.ravel())
            for rvec, tvec in zip(rvecs, tvecs, strict=True)
            if np.isfinite(rvec).all() and np.isfinite(tvec).all()
        ]
    return [pose for pose in poses if (pose.apply(X)[:, 2] > 0).all()]


def _residuals(
    parameters: NDArray[np.float64], camera: Camera, X: NDArray[np.float64], xy: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return what is left, (2 n,) px, at most 1000: behind the camera there is no image."""
    pose = Rigid.from_rotvec(parameters[:3], parameters[3:])
    return np.clip(np.nan_to_num(project(camera.replace(cam_from_world=pose), X) - xy, nan=1000.0), -1000, 1000).ravel()


def _errors(camera: Camera, X: NDArray[np.float64], xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the reprojection errors (n,), px; what lies behind the camera counts as infinitely far off."""
    return np.asarray(np.nan_to_num(np.linalg.norm(project(camera, X) - xy, axis=1), nan=np.inf))


def _refuse_weak(camera: Camera, X: NDArray[np.float64]) -> None:
    """Refuse points that do not fix a pose."""
    spread = spread_of(X)
    if len(X) >= 2 and spread[1] < 0.02 * spread[0]:
        raise InputError(f"camera {camera.name!r}: its {len(X)} scene points lie on one line; add some beside it")
    planar = spread[2] < 0.01 * max(spread[0], 1e-12)
    need = FEWEST_PLANAR if planar and len(X) >= FEWEST_PLANAR else FEWEST_IN_SPACE
    if len(X) < need:
        raise InputError(
            f"camera {camera.name!r}: {len(X)} scene points, {FEWEST_IN_SPACE} are needed ({FEWEST_PLANAR} if they all "
            "lie in one plane)"
        )


def _pose_without_bad(
    camera: Camera, X: NDArray[np.float64], xy: NDArray[np.float64]
) -> tuple[Rigid, NDArray[np.bool_]]:
    """Return the pose, and which points count: a bad one is dropped while more than the fewest are left."""
    kept = np.ones(len(X), dtype=bool)
    pose = _pose_or_refuse(camera, X, xy)
    while kept.sum() > FEWEST_IN_SPACE:
        rms = _rms(_errors(camera.replace(cam_from_world=pose), X[kept], xy[kept]))
        places = np.flatnonzero(kept)
        trials: list[tuple[float, int, Rigid, float]] = []
        for k in places.tolist():
            some = places[places != k]
            trial = pose_from_points(camera, X[some], xy[some])
            if trial is not None and spread_of(X[some])[1] > 0.02 * spread_of(X[some])[0]:
                errors = _errors(camera.replace(cam_from_world=trial), X, xy)
                trials.append((_rms(errors[some]), k, trial, float(errors[k])))
        if not trials:
            break
        best_rms, k, trial, away = min(trials, key=lambda one: one[:2])
        if rms < BAD_POINT_RATIO * best_rms or away < BAD_POINT_PX:
            break
        kept[k], pose = False, trial
    return pose, kept


def _pose_or_refuse(camera: Camera, X: NDArray[np.float64], xy: NDArray[np.float64]) -> Rigid:
    pose = pose_from_points(camera, X, xy)
    if pose is None:
        raise InputError(
            f"camera {camera.name!r}: from nowhere do the scene points look like their pixels; are names and "
            "places right?"
        )
    return pose


def _rms(errors: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(errors**2)))
