"""Joint refinement of cameras and the joints of people: Levenberg-Marquardt with Cauchy's loss, points eliminated.

What a detector calls a knee lies elsewhere for each direction it is seen from, by more than its random error, and some
joints are much worse than others. So every joint has a noise of its own, which is estimated from the residuals along
with the rest. Reference for the elimination: Triggs et al. 2000, "Bundle adjustment - a modern synthesis", section 6.1.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from triskel import lens
from triskel.calibration.people.kernel import PER_CAMERA, moved_points, reduced_equations, view_residuals
from triskel.calibration.people.views import JointViews
from triskel.camera import Camera, Rig
from triskel.rigid import Rigid

TAIL = 2.0
"""Knee of the loss in standard deviations: beyond, an error counts less and less."""
LEAST_NOISE_PX = 0.05
_STEPS = 40
_DONE = 1e-6
_INITIAL_DAMPING, _MAX_DAMPING = 1e-4, 1e8
_FEWEST_FOR_NOISE = 30


class Bundle(NamedTuple):
    """Cameras and joints that fit together.

    Attributes:
        rig: C cameras.
        X: (P, 3) joints, m.
        noise_px: (J,) standard deviation of each joint's detections along one axis, px.
        cost: of the loss, in squared standard deviations.
    """

    rig: Rig
    X: NDArray[np.float64]
    noise_px: NDArray[np.float64]
    cost: float


def refine_bundle(
    rig: Rig,
    X: NDArray[np.float64],
    views: JointViews,
    *,
    noise_px: NDArray[np.float64],
    free: NDArray[np.bool_],
    focal: bool = False,
    steps: int = _STEPS,
) -> Bundle:
    """Return the cameras and points with the least loss of the reprojection errors.

    The world is not held: where no camera is fixed, the rig may drift as a whole, and grow (see `gauge`).

    Args:
        rig: C cameras, to start with.
        X: (P, 3) points, to start with, in front of their cameras; views that do not see them count nothing.
        views: what was seen.
        noise_px: (J,) standard deviation of each joint's detections, px.
        free: (C,) which cameras may move.
        focal: also let their focal lengths change, each by one factor.
        steps: at most so many.
    """
    weight = views.score / noise_px[views.joint[views.point]] ** 2
    unknowns = np.zeros((len(rig), PER_CAMERA), dtype=bool)
    unknowns[free, : PER_CAMERA if focal else PER_CAMERA - 1] = True
    unknown = unknowns.ravel()
    packed = np.stack([lens.pack(camera) for camera in rig])
    X, damping = np.ascontiguousarray(X), _INITIAL_DAMPING
    cost = _cost(packed, views, weight, X)
    for _ in range(steps):
        gain = 0.0
        while damping < _MAX_DAMPING:
            step, W, back = _step(packed, views, weight, X, damping=damping, unknown=unknown)
            moved = moved_rig(rig, step)
            if moved is not None:
                trial_X = moved_points(views.first, views.camera, X, W, back, step)
                trial = np.stack([lens.pack(camera) for camera in moved])
                trial_cost = _cost(trial, views, weight, trial_X)
                if trial_cost < cost:
                    gain = (cost - trial_cost) / max(cost, 1e-300)
                    rig, packed, X, cost = moved, trial, trial_X, trial_cost
                    break
            damping *= 10
        damping = max(damping / 10, 1e-10)
        if gain < _DONE:
            break
    return Bundle(rig, X, noise_px, cost)


def residuals(rig: Rig, views: JointViews, X: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return projected minus observed (n, 2), px; NaN where the camera cannot see the point."""
    packed = np.stack([lens.pack(camera) for camera in rig])
    return np.asarray(view_residuals(packed, views.first, views.camera, views.xy, np.ascontiguousarray(X)))


def joint_noise(rig: Rig, views: JointViews, X: NDArray[np.float64], *, joints: int) -> NDArray[np.float64]:
    """Estimate the standard deviation (J,) of each joint's detections along one axis, px.

    From the median of the squared errors of its points, each of which was fitted to n views and so has 2 n - 3 degrees
    of freedom left; joints seen too seldom get the value of all.
    """
    square = (residuals(rig, views, X) ** 2).sum(axis=1)
    counts = np.diff(views.first)
    scale = counts / np.maximum(counts - 1.5, 0.5)  # what was fitted to few views looks better than it is
    values = square * scale[views.point]
    joint = views.joint[views.point]
    usable = np.isfinite(values)
    noise = np.full(joints, _sigma(values[usable]))
    for j in range(joints):
        some = values[usable & (joint == j)]
        if len(some) >= _FEWEST_FOR_NOISE:
            noise[j] = _sigma(some)
    return np.asarray(np.maximum(noise, LEAST_NOISE_PX))


def _sigma(squares: NDArray[np.float64]) -> float:
    """Return the standard deviation along one axis from squared distances in the plane (median 2 ln 2 sigma^2)."""
    return float(np.sqrt(np.median(squares) / (2 * np.log(2)))) if len(squares) else LEAST_NOISE_PX


def moved_rig(rig: Rig, step: NDArray[np.float64]) -> Rig | None:
    """Return the rig after a step (7 C,); None if it leads out of the valid range."""
    if not np.isfinite(step).all() or np.abs(step.reshape(-1, PER_CAMERA)[:, 6]).max() > 1:
        return None
    cameras: list[Camera] = []
    for camera, delta in zip(rig, step.reshape(-1, PER_CAMERA), strict=True):
        if not delta.any():
            cameras.append(camera)
            continue
        R = Rotation.from_rotvec(delta[:3]).as_matrix() @ camera.cam_from_world.R
        changed = camera.replace(cam_from_world=Rigid(R, -R @ (camera.centre + delta[3:6])))
        if delta[6]:
            K = camera.K.copy()
            K[[0, 0, 1], [0, 1, 1]] *= np.exp(delta[6])
            changed = changed.replace(K=K)
        cameras.append(changed)
    return Rig(tuple(cameras))


def _cost(packed: NDArray[np.float64], views: JointViews, weight: NDArray[np.float64], X: NDArray[np.float64]) -> float:
    """Return Cauchy's loss; a point that goes behind one of its cameras costs what a wild outlier does."""
    r = view_residuals(packed, views.first, views.camera, views.xy, X)
    square = weight * (r**2).sum(axis=1)
    square = np.where(np.isfinite(square), square, 1e6)
    return float(0.5 * TAIL**2 * np.log1p(square / TAIL**2).sum())


def _step(
    packed: NDArray[np.float64],
    views: JointViews,
    weight: NDArray[np.float64],
    X: NDArray[np.float64],
    *,
    damping: float,
    unknown: NDArray[np.bool_],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the damped step of the cameras (7 C,), and what moves the points along."""
    H, diagonal, gradients, W, back = reduced_equations(
        packed, views.first, views.camera, views.xy, weight, X, TAIL, float(damping)
    )
    step = np.zeros(len(unknown))
    if unknown.any():
        H, diagonal = H[np.ix_(unknown, unknown)], diagonal[unknown]
        scale = 1 / np.sqrt(np.maximum(diagonal, 1e-300))
        scaled = H * np.outer(scale, scale) + np.diag(np.where(diagonal > 0, damping, 1.0))
        right = -gradients.sum(axis=0)[unknown] * scale
        step[unknown] = scale * np.linalg.lstsq(scaled, right, rcond=1e-13)[0]
    return step, W, back
