"""How certain the cameras are that people gave: errors of a joint stick together, and are counted together.

A detector puts a joint in the wrong place in the same way frame after frame, so a thousand frames of one walk tell
little more than a few. What the residuals of one joint, and those of one stretch of time, add up to is therefore taken
as one error each (clusters in two ways: Cameron, Gelbach & Miller 2011, "Robust inference with multiway clustering").
"""

import numpy as np
from numpy.typing import NDArray

from triskel import lens
from triskel.calibration.people.bundle import TAIL, Bundle
from triskel.calibration.people.gauge import POSE, reach, similarity_directions, similarity_weights
from triskel.calibration.people.kernel import PER_CAMERA, reduced_equations
from triskel.calibration.people.views import JointViews

CLUSTER_S = 0.5
"""Length of the stretches of time whose errors are taken as one."""
_FEWEST_CLUSTERS = 4


def camera_covariance(
    bundle: Bundle,
    views: JointViews,
    time_s: NDArray[np.float64],
    *,
    free: NDArray[np.bool_],
    weight: NDArray[np.float64] | None,
    focal: bool = False,
) -> NDArray[np.float64]:
    """Return the covariance (C, 7, 7) of each camera's turn (rad), centre (m) and logarithm of the focal length.

    Args:
        bundle: the minimum.
        views: what it was fitted to.
        time_s: (F,) time of each frame set, s.
        free: (C,) which cameras moved; the covariance of the others is 0.
        weight: (C,) of the cameras in laying the rig over the old one; None where fixed cameras hold the world.
        focal: focal lengths were refined.
    """
    rig = bundle.rig
    C, n = len(rig), len(rig) * PER_CAMERA
    packed = np.stack([lens.pack(camera) for camera in rig])
    noise = views.score / bundle.noise_px[views.joint[views.point]] ** 2
    H, _, g, _, _ = reduced_equations(packed, views.first, views.camera, views.xy, noise, bundle.X, TAIL, 0.0)
    chosen = np.zeros((C, PER_CAMERA), bool)
    chosen[free, : PER_CAMERA if focal else PER_CAMERA - 1] = True
    unknown = chosen.ravel()
    middle = np.median(bundle.X, axis=0)
    constraint = np.zeros((n, 0))
    if weight is not None:
        R = np.stack([camera.cam_from_world.R for camera in rig])
        G = similarity_directions(R, np.stack([camera.centre for camera in rig]), middle)
        constraint = G * similarity_weights(weight, reach(rig, middle))[:, None]
    # With the constraints as further equations the matrix is regular, and its inverse is that of the chosen world.
    A, B = H[np.ix_(unknown, unknown)], constraint[unknown]
    scale = 1 / np.sqrt(np.maximum(np.diagonal(A), 1e-300))
    B = B * scale[:, None]
    B /= np.maximum(np.linalg.norm(B, axis=0), 1e-300)
    k = B.shape[1]
    bordered = np.block([[A * np.outer(scale, scale), B], [B.T, np.zeros((k, k))]])
    inverse = np.linalg.pinv(bordered, rcond=1e-13)[: len(A), : len(A)] * np.outer(scale, scale)
    meat = _clustered(g[:, unknown], views, time_s)
    full = np.zeros((n, n))
    full[np.ix_(unknown, unknown)] = inverse @ meat @ inverse
    blocks = full.reshape(C, PER_CAMERA, C, PER_CAMERA)
    return np.stack([blocks[c, :, c] for c in range(C)])


def _clustered(g: NDArray[np.float64], views: JointViews, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the covariance of the sum of the points' gradients g (P, n)."""
    stretch = np.floor((time_s[views.frame] - time_s[views.frame].min()) / CLUSTER_S).astype(np.int64)
    joint = views.person * (views.joint.max() + 1) + views.joint
    frame = np.unique(views.frame, return_inverse=True)[1]
    if len(np.unique(stretch)) < _FEWEST_CLUSTERS:
        stretch = frame
    both = joint * (stretch.max() + 1) + stretch
    by_joint, by_time, by_both = (
        _outer(g, np.unique(label, return_inverse=True)[1]) for label in (joint, stretch, both)
    )
    together = by_joint + by_time - by_both
    # The difference need not be a covariance where clusters are few: what is negative is taken for nothing.
    values, vectors = np.linalg.eigh((together + together.T) / 2)
    repaired = (vectors * np.maximum(values, 0)) @ vectors.T
    least = by_both  # errors are at least as large as if clusters knew nothing of each other
    return np.asarray(np.where(np.diagonal(repaired).sum() > np.diagonal(least).sum(), repaired, least))


def _outer(g: NDArray[np.float64], label: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the sum over clusters of the outer product of what each adds up to."""
    sums = np.zeros((int(label.max()) + 1, g.shape[1]))
    np.add.at(sums, label, g)
    n = len(sums)
    # The residuals were fitted by six unknowns a camera, which few clusters show: their sums come out too small.
    return np.asarray(sums.T @ sums * (n / max(n - POSE, 1)))
