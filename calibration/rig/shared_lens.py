"""What the cameras' lenses have in common: cameras of one make differ little, and how little the data tell.

Each lens alone is known only up to the noise of its own views, and coefficients such as k3 trade against others. Where
the estimates scatter no more than their standard errors explain, the cameras share that coefficient and each gains
from the views of all; where they differ by more, as between unlike cameras, nothing changes (empirical Bayes:
Efron and Morris 1975, "Data analysis using Stein's estimator and its generalizations").
"""

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.rig.bundle import (
    BundleState,
    CornerTable,
    Weights,
    lens_unknowns,
    normal_equations,
    reduced_system,
)
from triskel.calibration.rig.kernel import LENS, PER_CAMERA, POSE
from triskel.camera import Camera

_FEWEST = 3
_ROUNDS = 60
_LEAST_SHARE = 0.05
"""The least spread that is assumed, as a share of the standard error: none at all would be a division by zero."""


def shared_prior(
    cameras: tuple[Camera, ...],
    state: BundleState,
    table: CornerTable,
    weights: Weights,
    *,
    free: NDArray[np.bool_],
) -> NDArray[np.float64] | None:
    """Return a prior for `bundle.refine` that draws like lenses together; None if no three cameras are alike.

    Like are cameras with the same lens model and image size. Focal lengths' mean, their difference
    (the aspect), principal point and each coefficient have a spread of their own, found with the marginal likelihood
    (REML, by the EM algorithm).

    Args:
        cameras: the cameras, for what they are.
        state: the solution without the prior.
        table: the observations.
        weights: how they count.
        free: (C, 18) the unknowns that were refined.
    """
    information = _lens_information(state, table, weights, free=free)
    prior, found = np.zeros_like(information), False
    for group in _alike(cameras, free):
        camera, column = np.nonzero(free[group][:, POSE:])
        at = np.array(group)[camera] * LENS + column
        to_features = _features(camera, column)
        back = np.linalg.inv(to_features)
        values = to_features @ lens_unknowns(state.packed)[at]
        apart = _spread_precision(back.T @ _marginal(information, at) @ back, values, column)
        prior[np.ix_(at, at)] = to_features.T @ apart @ to_features
        found = True
    return prior if found else None


def _alike(cameras: tuple[Camera, ...], free: NDArray[np.bool_]) -> list[list[int]]:
    """Return the groups of at least three refined cameras of one kind."""
    groups: dict[tuple[str, tuple[int, int]], list[int]] = {}
    for i, camera in enumerate(cameras):
        if free[i, POSE:].any():
            groups.setdefault((camera.model, camera.size_wh), []).append(i)
    return [group for group in groups.values() if len(group) >= _FEWEST]


def _features(camera: NDArray[np.int64], column: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the matrix that turns each camera's fx and fy into their mean and difference, the rest unchanged."""
    matrix = np.eye(len(camera))
    fx, fy = np.flatnonzero(column == 0), np.flatnonzero(column == 1)
    matrix[fx, fx], matrix[fx, fy], matrix[fy, fx] = 0.5, 0.5, -1.0
    return matrix


def _lens_information(
    state: BundleState, table: CornerTable, weights: Weights, *, free: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the information (C * 12, C * 12) on the lenses with all poses unknown; zero where nothing was refined."""
    reduced, _, _ = reduced_system(normal_equations(state, table, weights, free=free), table)
    C = len(free)
    columns = np.arange(C * PER_CAMERA).reshape(C, PER_CAMERA)
    poses = columns[:, :POSE][free[:, :POSE]]
    lenses = columns[:, POSE:].ravel()
    H_lp = reduced[np.ix_(lenses, poses)]
    return np.asarray(reduced[np.ix_(lenses, lenses)] - H_lp @ np.linalg.solve(reduced[np.ix_(poses, poses)], H_lp.T))


def _marginal(information: NDArray[np.float64], at: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the information on some unknowns with the others unknown."""
    diagonal = np.diagonal(information)
    rest = np.setdiff1d(np.flatnonzero(diagonal > 0), at)
    inner = information[np.ix_(at, at)]
    if not len(rest):
        return inner
    scale = 1 / np.sqrt(diagonal[rest])
    cross = information[np.ix_(at, rest)] * scale
    return np.asarray(
        inner - cross @ np.linalg.pinv(information[np.ix_(rest, rest)] * np.outer(scale, scale)) @ cross.T
    )


def _spread_precision(
    information: NDArray[np.float64], values: NDArray[np.float64], feature: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the precision matrix of the values' scatter about their common means, from their estimates (n,).

    feature (n,) says what each value is; a feature that fewer than three cameras have gets no prior.
    """
    unit = np.ones(len(values))
    centre = []
    for k in np.unique(feature):
        of_k = feature == k
        unit[of_k] = np.exp(-0.5 * np.log(np.maximum(np.diagonal(information)[of_k], 1e-300)).mean())
        if of_k.sum() >= _FEWEST:
            centre.append(np.diag(of_k.astype(float)) - np.outer(of_k, of_k) / of_k.sum())
    information, values = information * np.outer(unit, unit), values / unit
    middle = np.array([values[feature == k].mean() for k in feature])
    right = information @ (values - middle)
    covariance = np.linalg.pinv(information, hermitian=True)
    count = np.array([round(np.trace(C)) for C in centre])
    least = np.array([_LEAST_SHARE**2 * np.sum(np.diag(C) * np.diag(covariance)) for C in centre]) / count
    variance = np.array([values @ C @ values for C in centre]) / count
    for _ in range(_ROUNDS):
        apart = sum(C / v for C, v in zip(centre, np.maximum(variance, least), strict=True))
        posterior = np.linalg.inv(information + apart)
        mean = posterior @ right
        variance = np.array([mean @ C @ mean + np.sum(C * posterior) for C in centre]) / count
    apart = sum(C / v for C, v in zip(centre, np.maximum(variance, least), strict=True))
    return np.asarray(apart / np.outer(unit, unit))
