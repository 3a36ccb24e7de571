"""How late each camera's pictures are, out of the people who move in them.

Where a picture is taken `lag` later than the frame set says, a joint that moves at v px/s is seen v * lag px ahead of
where the other cameras have it. These may be late themselves, which moves the joint that is compared with, by as much
as least squares gives them weight: all lags are solved for together.
"""

import numpy as np
from numpy.typing import NDArray

from triskel.camera import Rig
from triskel.motion import Motion3D
from triskel.projection import project_rig

LONGEST_STEP_S = 0.25
"""Between the frames before and after; over longer times the speed in between says little."""

FEWEST = 60
BLOCKS = 20
"""Neighbouring frames err alike, so the standard error counts this many blocks of time, not single detections."""

CAUCHY = 2.385
"""Scale of the robust weight in standard deviations: 95 % efficient for normal errors."""

ROUNDS = 10
MAD = 1.4826
STEP_M = 0.005


def velocities(
    motion: Motion3D, frames: NDArray[np.intp], people: NDArray[np.intp], joints: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return how fast joints move, (S, P, 3) m/s; NaN at the ends and beside what is missing.

    Args:
        motion: the people, best after filtering.
        frames: (S,) in which frame sets.
        people: (S,) whose, as places in `motion.ids`.
        joints: (P,) which.
    """
    F = len(motion.time_s)
    before, after = np.maximum(frames - 1, 0), np.minimum(frames + 1, F - 1)
    step = motion.time_s[after] - motion.time_s[before]
    good = (frames > 0) & (frames < F - 1) & (step > 0) & (step <= LONGEST_STEP_S)
    moved = motion.points.X[after, people] - motion.points.X[before, people]
    return np.asarray(moved[:, joints] / np.where(good, step, np.nan)[:, None, None])


def camera_lags(
    rig: Rig,
    X: NDArray[np.float64],
    velocity: NDArray[np.float64],
    residual: NDArray[np.float64],
    used: NDArray[np.bool_],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Estimate each camera's lag from points that were made without it.

    Lags have no common zero: the median camera has none.

    Args:
        rig: C cameras.
        X: (S, ..., 3) the points, m, in order of time.
        velocity: (S, ..., 3) m/s.
        residual: (C, S, ..., 2) detection - reprojection of the point made without that camera, px.
        used: (C, C, S, ...) whether that point, made without the first camera, is made with the second one.

    Returns:
        (C,) lag and (C,) its standard error, s; NaN where nobody moves or is seen.
    """
    C, S = len(rig), len(X)
    nothing = np.full(C, np.nan)
    block = np.broadcast_to((np.arange(S) * BLOCKS // max(S, 1)).reshape(-1, *(1,) * (X.ndim - 2)), X.shape[:-1])
    moving = np.isfinite(X[..., 0]) & np.isfinite(velocity[..., 0])
    X, velocity, block = X[moving], velocity[moving], block[moving]
    residual, used = residual[:, moving], used[:, :, moving]
    jacobian = _jacobians(rig, X)
    moves, rows = [], []
    for c in range(C):
        move = _moves(c, jacobian, velocity, used[c])
        good = np.isfinite(residual[c, :, 0]) & np.isfinite(move).all(axis=(0, 2))
        moves.append(move[:, good])
        rows.append((residual[c, good], block[good]))
    known = np.array([len(r) >= FEWEST for r, _ in rows])
    if known.sum() < 3:
        return nothing, nothing
    lag, sigma = _solve(moves, rows, known)
    lag = np.where(known, lag, np.nan)
    return lag - np.nanmedian(lag), np.where(known, sigma, np.nan)


def _jacobians(rig: Rig, X: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (C, K, 2, 3) how the image of each point moves with it, px/m."""
    ahead, behind = (project_rig(rig, X[:, None] + sign * STEP_M * np.eye(3)) for sign in (1, -1))
    return np.moveaxis((ahead - behind) / (2 * STEP_M), -2, -1)


def _moves(
    c: int, jacobian: NDArray[np.float64], velocity: NDArray[np.float64], used: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return (C, K, 2) how the residual in camera c moves with each camera's lag, px/s; NaN where it is not known.

    Its own lag moves the detection. The others' move the point made of them, by their share in its least squares.
    """
    weighted = np.where(used[..., None, None], np.nan_to_num(jacobian), 0)
    squares = np.einsum("ckia,ckib->ckab", weighted, weighted)
    total = squares.sum(axis=0)
    # Two parallel rays leave one direction open; such points say nothing here.
    open_ = ~(np.linalg.det(total) > 1e-9 * np.einsum("kaa->k", total) ** 3)
    pushed = np.linalg.solve(
        np.where(open_[:, None, None], np.eye(3), total)[None], np.einsum("ckab,kb->cka", squares, velocity)[..., None]
    )[..., 0]
    move = -np.einsum("kia,cka->cki", jacobian[c], pushed)
    move[c] = np.einsum("kia,ka->ki", jacobian[c], velocity)
    move[:, open_] = np.nan
    return move


def _solve(
    moves: list[NDArray[np.float64]],
    rows: list[tuple[NDArray[np.float64], NDArray[np.intp]]],
    known: NDArray[np.bool_],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return lags and standard errors, with Cauchy's weights and an offset for each camera and axis.

    Each camera's own lag has to fit its own residuals. A camera that is late is partly outvoted in the points that it
    helps to make, so the others' residuals would say less than its lag.
    """
    C = len(moves)
    lag, inverse = np.zeros(C), np.zeros((C, C))
    pulls = np.zeros((C, BLOCKS))
    for _ in range(ROUNDS):
        system, right = np.zeros((C, C)), np.zeros(C)
        for c in np.flatnonzero(known):
            A, (r, block) = moves[c], rows[c]
            left = r - np.einsum("cki,c->ki", A, lag)
            left = left - np.median(left, axis=0)
            scale = max(MAD * float(np.median(np.abs(left))), 1e-6)
            weight = 1 / (1 + (left / (CAUCHY * scale)) ** 2)
            A = A - (weight * A).sum(axis=1, keepdims=True) / weight.sum(axis=0)
            r = r - (weight * r).sum(axis=0) / weight.sum(axis=0)
            own = weight * A[c]
            strength = max(float((own * A[c]).sum()), 1e-9)
            system[c] = np.einsum("ki,aki->a", own, A) / strength
            right[c] = (own * r).sum() / strength
            pull = (own * (r - np.einsum("cki,c->ki", A, lag))).sum(axis=-1)
            pulls[c] = np.bincount(block, pull, minlength=BLOCKS) / strength
        inverse = np.asarray(np.linalg.pinv(system, rcond=1e-6), np.float64)
        lag = inverse @ right
    return lag, np.sqrt(((inverse @ pulls) ** 2).sum(axis=1))
