"""Look at a rig before trusting it: what is implausible, and a table of what it says."""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.world.placed import cameras_up
from triskel.camera import Camera, Rig
from triskel.projection import pixel_rays

Severity = Literal["error", "warning"]

MIN_APART_M = 0.01
"""Two cameras closer than this stand inside each other."""
MAX_APART_M = 200.0
"""Two cameras further apart than this are in another unit than metres."""
CLEARLY_UP = 0.75
"""Length of the mean upward direction of the images from which it says where up is."""
MAX_PRINCIPAL_OFFSET = 0.1
"""Distance of the principal point from the image centre, in image diagonals, above which it is worth a warning."""
FOV_RANGE_DEG = (10.0, 170.0)
"""Horizontal fields of view of ordinary lenses; outside it the focal length is mostly in the wrong unit."""
MAX_ASPECT_ERROR = 0.05
"""Pixels are square in practice: fx and fy that differ by more are a sign of a poor or rescaled calibration."""

_IDENTITY = 1e-6
"""A first camera whose pose differs from none by no more than the rounding of a file is the world."""


class Finding(NamedTuple):
    """One thing that is wrong with a rig.

    Attributes:
        severity: `error` where results cannot be right, `warning` where a person should look.
        camera: the camera's name, or names joined by a comma; empty for the rig as a whole.
        message: one line.
        code: a short name that stays the same when the words change, such as `under-floor`.
    """

    severity: Severity
    camera: str
    message: str
    code: str = ""


class CameraRow(NamedTuple):
    """What a table says about one camera; the look-at point is the one closest to all the cameras' axes."""

    name: str
    size_wh: tuple[int, int]
    focal_px: float
    fov_deg: float
    centre_m: tuple[float, float, float]
    look_at_distance_m: float
    model: str


def check_rig(rig: Rig) -> list[Finding]:
    """Return what is implausible about a rig, errors first; an empty list means that nothing was found.

    It knows the geometry only, not the images: a rig can pass and still be wrong. A mirrored rotation cannot occur
    (`Rigid` refuses it).
    """
    findings = [finding for camera in rig for finding in _check_intrinsics(camera)]
    if not has_poses(rig):
        return [_no_poses(), *findings]
    findings += _check_floor(rig) if has_floor(rig) else [_no_floor()]
    findings += _check_up(rig) if has_floor(rig) else []
    findings += _check_apart(rig)
    findings += _check_view(rig)
    return sorted(findings, key=lambda finding: finding.severity != "error")


def has_floor(rig: Rig) -> bool:
    """Say whether z = 0 may be a floor; not where the world is the first camera's frame, as before one was found."""
    first = rig.cameras[0].cam_from_world
    return not (np.allclose(first.R, np.eye(3), rtol=0, atol=_IDENTITY) and np.allclose(first.t, 0, atol=_IDENTITY))


def has_poses(rig: Rig) -> bool:
    """Say whether cameras have places; not where all of them stand at the origin, as in a file of lenses alone."""
    poses = [camera.cam_from_world for camera in rig]
    at_origin = (np.allclose(np.c_[pose.R, pose.t], np.eye(3, 4), rtol=0, atol=_IDENTITY) for pose in poses)
    return len(rig) < 2 or not all(at_origin)


def describe_rig(rig: Rig) -> list[CameraRow]:
    """Return one plain row a camera for a table; `look_at_distance_m` is NaN where the axes have no common point."""
    target = common_look_at(rig)
    return [
        CameraRow(
            name=camera.name,
            size_wh=camera.size_wh,
            focal_px=float((camera.K[0, 0] + camera.K[1, 1]) / 2),
            fov_deg=horizontal_fov_deg(camera),
            centre_m=(float(camera.centre[0]), float(camera.centre[1]), float(camera.centre[2])),
            look_at_distance_m=float(np.linalg.norm(camera.centre - target)),
            model=camera.model,
        )
        for camera in rig
    ]


def common_look_at(rig: Rig) -> NDArray[np.float64]:
    """Return the point (3,), m, closest to all optical axes (least squares); NaN if they are parallel."""
    A, b = np.zeros((3, 3)), np.zeros(3)
    for camera in rig:
        axis = camera.cam_from_world.R[2]
        across = np.eye(3) - np.outer(axis, axis)
        A += across
        b += across @ camera.centre
    if np.linalg.eigvalsh(A)[0] < 1e-6 * len(rig):
        return np.full(3, np.nan)
    return np.asarray(np.linalg.solve(A, b), dtype=np.float64)


def horizontal_fov_deg(camera: Camera) -> float:
    """Return the angle between the rays of the left and right edge's middles, degrees; ideal lens where they fold."""
    w, cy = camera.size_wh[0], float(camera.K[1, 2])
    left, right = pixel_rays(camera, [[-0.5, cy], [w - 0.5, cy]])
    if np.isfinite(left).all() and np.isfinite(right).all():
        # Each half from the axis: together they may exceed 180 degrees.
        return float(np.degrees(sum(np.arccos(np.clip(ray[2], -1, 1)) for ray in (left, right))))
    fx, cx = camera.K[0, 0], camera.K[0, 2]
    return float(np.degrees(np.arctan((cx + 0.5) / fx) + np.arctan((w - 0.5 - cx) / fx)))


def _check_intrinsics(camera: Camera) -> list[Finding]:
    """Return findings about one camera's K and lens."""
    found = []
    size = np.array(camera.size_wh, dtype=np.float64)
    offset = np.linalg.norm(camera.K[:2, 2] - (size - 1) / 2)
    if offset > MAX_PRINCIPAL_OFFSET * np.linalg.norm(size):
        message = f"principal point is {offset:.0f} px from the image centre; was the image cropped or turned?"
        found.append(Finding("warning", camera.name, message, "principal-point"))
    fov = horizontal_fov_deg(camera)
    limit = 360.0 if camera.model == "fisheye" else FOV_RANGE_DEG[1]
    if not FOV_RANGE_DEG[0] <= fov <= limit:
        message = f"focal length {camera.K[0, 0]:.0f} px gives a field of view of {fov:.1f} degrees: a wrong unit?"
        found.append(Finding("warning", camera.name, message, "focal-unit"))
    if abs(camera.K[0, 0] / camera.K[1, 1] - 1) > MAX_ASPECT_ERROR:
        message = f"fx {camera.K[0, 0]:.0f} and fy {camera.K[1, 1]:.0f} px differ by more than {MAX_ASPECT_ERROR:.0%}"
        found.append(Finding("warning", camera.name, message, "pixel-aspect"))
    lost = _share_without_ray(camera)
    if lost > 0:
        message = f"the lens model folds inside the image: {lost:.1%} of it has no viewing ray; too much distortion"
        found.append(Finding("error" if lost > 0.05 else "warning", camera.name, message, "lens-folds"))
    return found


def _share_without_ray(camera: Camera) -> float:
    """Return the share of a grid over the image, border included, where no viewing ray reaches the pixel."""
    w, h = camera.size_wh
    grid = np.stack(np.meshgrid(np.linspace(0, w - 1, 25), np.linspace(0, h - 1, 25)), axis=-1)
    return float(np.isnan(pixel_rays(camera, grid)[..., 0]).mean())


def _no_poses() -> Finding:
    """Return the finding about a file of lenses alone."""
    message = (
        "lenses only: all cameras stand at the origin; find their poses with 'triskel calibrate rig --intrinsics', "
        "'calibrate world --place-cameras' or 'calibrate refine --from-people'"
    )
    return Finding("error", "", message, "no-poses")


def _check_floor(rig: Rig) -> list[Finding]:
    """Return cameras below z = 0; where all are, and their images are upside down, the whole world is."""
    below = [camera for camera in rig if camera.centre[2] < -MIN_APART_M]
    over = len(below) == len(rig) and cameras_up(rig)[2] < -CLEARLY_UP
    why = "the whole rig is upside down: was the board's pose mirrored?" if over else "is z up?"
    return [
        Finding("error", camera.name, f"stands {-camera.centre[2]:.2f} m under the floor (z = 0); {why}", "under-floor")
        for camera in below
    ]


def _no_floor() -> Finding:
    """Return a word about a world in which nothing can stand under the floor."""
    message = "the world is the first camera's frame: no floor yet; see 'triskel calibrate world'"
    return Finding("warning", "", message, "no-floor")


def _check_up(rig: Rig) -> list[Finding]:
    """Return a word about worlds in which another axis than z is up, as most cameras have it."""
    up = cameras_up(rig)
    axis = int(np.argmax(np.abs(up)))
    if np.linalg.norm(up) < CLEARLY_UP or axis == 2 or np.abs(up[axis]) < CLEARLY_UP:
        return []
    name = f"{'-' if up[axis] < 0 else ''}{'xyz'[axis]}"
    message = f"{name} is up in the cameras' images, not z; is this another tool's world?"
    return [Finding("warning", "", message, "not-z-up")]


def _check_apart(rig: Rig) -> list[Finding]:
    """Return pairs of cameras in the same place."""
    found = []
    for i, first in enumerate(rig.cameras):
        for second in rig.cameras[i + 1 :]:
            gap = float(np.linalg.norm(first.centre - second.centre))
            if gap < MIN_APART_M:
                message = f"are {gap * 1000:.1f} mm apart: no depth can be measured between them; is the unit metres?"
                found.append(Finding("error", f"{first.name}, {second.name}", message, "same-place"))
    centres = np.array([camera.centre for camera in rig])
    widest = float(np.linalg.norm(np.ptp(centres, axis=0)))
    if widest > MAX_APART_M:
        message = f"the cameras are up to {widest:.0f} m apart: is the unit of the file millimetres?"
        found.append(Finding("error", "", message, "unit"))
    return found


def _check_view(rig: Rig) -> list[Finding]:
    """Return cameras that look away from the point that the axes share."""
    if len(rig) < 2:
        return []
    target = common_look_at(rig)
    if np.isnan(target).any():
        message = "all optical axes are parallel: the cameras share no point they look at"
        return [Finding("warning", "", message, "parallel-axes")]
    away = [camera.name for camera in rig if camera.cam_from_world.apply(target)[2] <= 0]
    if len(away) == len(rig):
        message = "all cameras look away from their common volume; is the rotation inverted?"
        return [Finding("error", "", message, "looks-away")]
    message = "looks away from the volume that the other cameras see; is its rotation inverted?"
    return [Finding("warning", name, message, "looks-away") for name in away]
