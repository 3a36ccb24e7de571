"""One fit of a rig to people: placed, refined together, laid over the old world, and how certain that is."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import f as f_distribution

from triskel.calibration.people.bundle import Bundle, joint_noise, refine_bundle
from triskel.calibration.people.certainty import CLUSTER_S, camera_covariance
from triskel.calibration.people.gauge import POSE, camera_moves, lay_over, move_size
from triskel.calibration.people.reprojection import place_joints
from triskel.calibration.people.sightings import RefineOptions, Sightings, tell_apart
from triskel.calibration.people.views import JointViews, joint_views
from triskel.camera import Rig

SIGNIFICANCE = 1e-5
"""Chance of calling a camera moved that was not."""
CLEAR = 3.0
"""A camera went further than the table's standard errors let a reader doubt, from so many of them on."""
_RANK = 1e-5
_SETTLED_M = 5e-4


class PeopleFit(NamedTuple):
    """A rig fitted to people.

    Attributes:
        rig: the cameras in the world of the old rig.
        bundle: the same with the joints.
        views: what it was fitted to.
        covariance: (C, 7, 7) of each camera's turn (rad), centre (m) and logarithm of the focal length.
        weight: (C,) what the cameras had to say in laying the rig over the old one; None where held cameras did that.
        clusters: independent pieces of evidence behind the covariance, roughly.
    """

    rig: Rig
    bundle: Bundle
    views: JointViews
    covariance: NDArray[np.float64]
    weight: NDArray[np.float64] | None
    clusters: int


def fit_observed(
    rig: Rig,
    observed: NDArray[np.float64],
    time_s: NDArray[np.float64],
    *,
    options: RefineOptions,
    old: Rig | None = None,
    free: NDArray[np.bool_] | None = None,
    noise_px: NDArray[np.float64] | None = None,
) -> PeopleFit | None:
    """Fit a rig to people (F, C, N, J, 3) who were told apart.

    Args:
        rig: where to start.
        observed: their views.
        time_s: (F,) of the frame sets, s.
        options: see there.
        old: the rig whose world is kept; `rig` when None.
        free: (C,) which cameras may move; all when None. Where two or more are held, they hold the world.
        noise_px: (J,) noise of each joint; estimated when None.

    Returns:
        The fit; None where fewer than ten joints are placed.
    """
    views = joint_views(observed, least_score=options.least_score)
    X = place_joints(rig, observed, least_score=options.least_score)[views.frame, views.person, views.joint]
    placed = np.isfinite(X[:, 0])
    if placed.sum() < 10:
        return None
    views, X = views.take(placed), X[placed]
    joints = observed.shape[3]
    movable = np.ones(len(rig), bool) if free is None else free
    held = int((~movable).sum()) >= 2
    for _ in range(2 if noise_px is None else 1):
        noise = joint_noise(rig, views, X, joints=joints) if noise_px is None else noise_px
        bundle = refine_bundle(rig, X, views, noise_px=noise, free=movable, focal=options.focal)
        rig, X = bundle.rig, bundle.X
    weight = None
    if not held:
        laid = lay_over(rig, old or rig, X)
        bundle, weight = bundle._replace(rig=laid.rig, X=laid.X), laid.weight
    if noise_px is None:
        bundle = bundle._replace(noise_px=joint_noise(bundle.rig, views, bundle.X, joints=joints))
    covariance = camera_covariance(bundle, views, time_s, free=movable, weight=weight, focal=options.focal)
    return PeopleFit(bundle.rig, bundle, views, covariance, weight, _clusters(views, time_s))


def fit_sightings(
    rig: Rig,
    sightings: Sightings,
    observed: NDArray[np.float64],
    options: RefineOptions,
    *,
    old: Rig | None = None,
) -> tuple[PeopleFit | None, NDArray[np.float64]]:
    """Fit a rig, telling people apart anew as it gets better.

    Args:
        rig: where to start.
        sightings: what was seen.
        observed: (F, C, N, J, 3) the people in it as `rig` tells them apart.
        options: see there.
        old: the rig whose world is kept; `rig` when None.

    Returns:
        The fit, None where nothing can be placed, and the people (F, C, N, J, 3) it was made of.
    """
    old = old or rig
    fit = fit_observed(rig, observed, sightings.time_s, options=options, old=old)
    for _ in range(options.rounds - 1):
        if fit is None:
            break
        before, observed = fit.rig, tell_apart(fit.rig, sightings, options)
        fit = fit_observed(before, observed, sightings.time_s, options=options, old=old)
        if fit is None or move_size(camera_moves(before, fit.rig), 3.0).max() < _SETTLED_M:
            break
    return fit, observed


def significance(moves: NDArray[np.float64], covariance: NDArray[np.float64], *, clusters: int) -> NDArray[np.float64]:
    """Return (C,) how each move (C, 6) compares with what chance does: above 1 it is none, by Hotelling's test.

    Directions in which the choice of the world leaves no freedom do not count.
    """
    n = max(clusters, POSE + 2)
    out = np.zeros(len(moves))
    for c, move in enumerate(moves):
        block = covariance[c, :POSE, :POSE]
        if not block.any():
            continue
        scale = np.sqrt(np.maximum(np.diagonal(block), 1e-300))
        values, vectors = np.linalg.eigh(block / np.outer(scale, scale))
        certain = values > _RANK * values[-1]
        rank = int(certain.sum())
        limit = rank * (n - 1) / (n - rank) * f_distribution.ppf(1 - SIGNIFICANCE, rank, n - rank)
        along = (vectors.T @ (move / scale))[certain]
        out[c] = np.sqrt((along**2 / values[certain]).sum() / limit)
    return out


def neutral_covariance(fit: PeopleFit, time_s: NDArray[np.float64], *, options: RefineOptions) -> NDArray[np.float64]:
    """Return the covariance (C, 7, 7) of all cameras in the world in which none of them has more to say than another.

    Laying one rig over another by the least sum of moves all but pins one camera where people tell little, whose
    standard error is then 0 without anybody knowing it any better; among equals what is not known shows.
    """
    everyone = np.ones(len(fit.rig))
    return camera_covariance(fit.bundle, fit.views, time_s, free=everyone > 0, weight=everyone, focal=options.focal)


def clear(
    moved_mm: NDArray[np.float64],
    turned_deg: NDArray[np.float64],
    moved_sigma_mm: NDArray[np.float64],
    turned_sigma_deg: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Return (C,) whether who reads these numbers beside each other would agree that the camera moved."""
    return np.asarray((moved_mm > CLEAR * moved_sigma_mm) | (turned_deg > CLEAR * turned_sigma_deg))


def sigmas(covariance: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the standard errors of centres (C,), mm, and turns (C,), degrees: roots of the traces."""
    centre = np.trace(covariance[:, 3:6, 3:6], axis1=1, axis2=2)
    turn = np.trace(covariance[:, :3, :3], axis1=1, axis2=2)
    return 1000 * np.sqrt(np.maximum(centre, 0)), np.degrees(np.sqrt(np.maximum(turn, 0)))


def moved_by(old: Rig, new: Rig) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how far each camera went (C,), mm, and turned (C,), degrees."""
    moves = camera_moves(old, new)
    return 1000 * np.linalg.norm(moves[:, 3:], axis=1), np.degrees(np.linalg.norm(moves[:, :3], axis=1))


def _clusters(views: JointViews, time_s: NDArray[np.float64]) -> int:
    stretches = len(np.unique(np.floor(time_s[views.frame] / CLUSTER_S)))
    return max(len(np.unique(views.joint)), stretches)
