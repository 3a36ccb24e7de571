"""The compiled recursions of the Kalman filter and smoother: position, velocity, acceleration in three axes.

The state is (p, v, a), nine numbers; P is its covariance. Noise of the observations may be correlated between the axes,
so the axes are not filtered one by one.
"""

import math

import numba
import numpy as np
from numpy.typing import NDArray

START_M2, START_M2_S2, START_M2_S4 = 1e2, 1e2, 1e4
"""Variances of position, velocity and acceleration where a run begins: nothing is known but that it is a body."""

UNSETTLED = 3
"""Samples of a run that determine the state and say nothing about the fit."""


@numba.njit(cache=True, nogil=True)
def reset(x: NDArray[np.float64], P: NDArray[np.float64], y: NDArray[np.float64]) -> None:
    """Begin at y with nothing known about the movement."""
    x[:] = 0.0
    P[:] = 0.0
    for i in range(3):
        x[i] = y[i]
        P[i, i], P[3 + i, 3 + i], P[6 + i, 6 + i] = START_M2, START_M2_S2, START_M2_S4


@numba.njit(cache=True, nogil=True)
def predict(x: NDArray[np.float64], P: NDArray[np.float64], dt: float, q: float) -> None:
    """Move the state on by dt seconds, in place, under white jerk of density q, m^2/s^5."""
    h = 0.5 * dt * dt
    for i in range(3):
        x[i] += dt * x[3 + i] + h * x[6 + i]
        x[3 + i] += dt * x[6 + i]
    for i in range(3):
        for k in range(9):
            P[i, k] += dt * P[3 + i, k] + h * P[6 + i, k]
            P[3 + i, k] += dt * P[6 + i, k]
    for k in range(9):
        for i in range(3):
            P[k, i] += dt * P[k, 3 + i] + h * P[k, 6 + i]
            P[k, 3 + i] += dt * P[k, 6 + i]
    for i in range(3):
        P[i, i] += q * dt**5 / 20
        P[3 + i, 3 + i] += q * dt**3 / 3
        P[6 + i, 6 + i] += q * dt
        for a, b, value in ((i, 3 + i, q * dt**4 / 8), (i, 6 + i, q * dt**3 / 6), (3 + i, 6 + i, q * dt**2 / 2)):
            P[a, b] += value
            P[b, a] += value


@numba.njit(cache=True, nogil=True)
def invert(S: NDArray[np.float64], out: NDArray[np.float64]) -> float:
    """Write the inverse of a symmetric 3 x 3 matrix; return the determinant."""
    a, b, c, d, e, f = S[0, 0], S[0, 1], S[0, 2], S[1, 1], S[1, 2], S[2, 2]
    A, B, C = d * f - e * e, c * e - b * f, b * e - c * d
    det = a * A + b * B + c * C
    out[0, 0], out[0, 1], out[0, 2] = A / det, B / det, C / det
    out[1, 0], out[1, 1], out[1, 2] = B / det, (a * f - c * c) / det, (b * c - a * e) / det
    out[2, 0], out[2, 1], out[2, 2] = C / det, (b * c - a * e) / det, (a * d - b * b) / det
    return det


@numba.njit(cache=True, nogil=True)
def update(
    x: NDArray[np.float64],
    P: NDArray[np.float64],
    y: NDArray[np.float64],
    R: NDArray[np.float64],
    K: NDArray[np.float64],
    inverse: NDArray[np.float64],
    innovation: NDArray[np.float64],
) -> tuple[float, float]:
    """Take in an observation of the position, in place; fill gain (9, 3), inverse covariance and innovation.

    Returns the squared normalised innovation and the logarithm of the determinant of its covariance.
    """
    S = np.empty((3, 3))
    for i in range(3):
        innovation[i] = y[i] - x[i]
        for j in range(3):
            S[i, j] = P[i, j] + R[i, j]
    det = invert(S, inverse)
    for k in range(9):
        for j in range(3):
            K[k, j] = P[k, 0] * inverse[0, j] + P[k, 1] * inverse[1, j] + P[k, 2] * inverse[2, j]
    top = P[:3].copy()
    squares = 0.0
    for k in range(9):
        x[k] += K[k, 0] * innovation[0] + K[k, 1] * innovation[1] + K[k, 2] * innovation[2]
        for j in range(k, 9):
            P[k, j] -= K[k, 0] * top[0, j] + K[k, 1] * top[1, j] + K[k, 2] * top[2, j]
            P[j, k] = P[k, j]
    for i in range(3):
        for j in range(3):
            squares += innovation[i] * inverse[i, j] * innovation[j]
    return squares, math.log(max(det, 1e-300))


@numba.njit(cache=True, nogil=True)
def forward(
    y: NDArray[np.float64], R: NDArray[np.float64], time_s: NDArray[np.float64], begins: NDArray[np.bool_], q: float
) -> tuple[float, float, float]:
    """Filter n samples (n, 3); return sums of squared innovations and log-determinants, and the numbers summed."""
    x, P, K = np.zeros(9), np.zeros((9, 9)), np.zeros((9, 3))
    inverse, innovation = np.zeros((3, 3)), np.zeros(3)
    squares, logs, count, age = 0.0, 0.0, 0.0, 0
    for f in range(len(y)):
        if begins[f]:
            reset(x, P, y[f])
            age = 0
        else:
            predict(x, P, time_s[f] - time_s[f - 1], q)
        square, log = update(x, P, y[f], R[f], K, inverse, innovation)
        age += 1
        if age > UNSETTLED:
            squares += square
            logs += log
            count += 3.0
    return squares, logs, count


@numba.njit(cache=True, nogil=True)
def smooth_series(
    y: NDArray[np.float64], R: NDArray[np.float64], time_s: NDArray[np.float64], begins: NDArray[np.bool_], q: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Smooth n samples, m and m^2; return positions (n, 3) and their covariances (n, 3, 3)."""
    n = len(y)
    x, P = np.zeros(9), np.zeros((9, 9))
    place, top = np.zeros((n, 3)), np.zeros((n, 3, 9))
    K, inverse, innovation = np.zeros((n, 9, 3)), np.zeros((n, 3, 3)), np.zeros((n, 3))
    for f in range(n):
        if begins[f]:
            reset(x, P, y[f])
        else:
            predict(x, P, time_s[f] - time_s[f - 1], q)
        place[f] = x[:3]
        top[f] = P[:3]
        update(x, P, y[f], R[f], K[f], inverse[f], innovation[f])
    out_X, out_cov = np.zeros((n, 3)), np.zeros((n, 3, 3))
    pull, L = np.zeros(9), np.zeros((9, 9))
    for f in range(n - 1, -1, -1):
        _back_over_update(pull, L, K[f], inverse[f], innovation[f])
        for i in range(3):
            out_X[f, i] = place[f, i]
            for k in range(9):
                out_X[f, i] -= top[f, i, k] * pull[k]
        T = top[f] @ L
        out_cov[f] = top[f, :, :3] - T @ top[f].T
        if begins[f]:
            pull[:] = 0.0
            L[:] = 0.0
        else:
            _back_over_step(pull, L, time_s[f] - time_s[f - 1])
    return out_X, out_cov


@numba.njit(cache=True, nogil=True)
def running_mean(R: NDArray[np.float64], begins: NDArray[np.bool_], reach: int) -> NDArray[np.float64]:
    """Return the mean covariance (n, 3, 3) over up to `reach` samples before and after, within each run."""
    n = len(R)
    out = np.zeros((n, 3, 3))
    for f in range(n):
        count = 1
        out[f] = R[f]
        for g in range(f + 1, min(n, f + reach + 1)):
            if begins[g]:
                break
            out[f] += R[g]
            count += 1
        for g in range(f - 1, max(-1, f - reach - 1), -1):
            if begins[g + 1]:
                break
            out[f] += R[g]
            count += 1
        out[f] /= count
    return out


@numba.njit(cache=True, nogil=True)
def _back_over_update(
    pull: NDArray[np.float64],
    L: NDArray[np.float64],
    K: NDArray[np.float64],
    inverse: NDArray[np.float64],
    innovation: NDArray[np.float64],
) -> None:
    """Take the adjoint state and its matrix back over an observation, in place."""
    # From the right, then from the left on the outcome: taken both at once, what rounding makes unsymmetric grows.
    right = L @ K
    for k in range(9):
        for j in range(3):
            L[k, j] -= right[k, j]
    left = K.T @ L
    for i in range(3):
        for k in range(9):
            L[i, k] -= left[i, k]
        for j in range(3):
            L[i, j] += inverse[i, j]
    less = K.T @ pull + inverse @ innovation
    for i in range(3):
        pull[i] -= less[i]


@numba.njit(cache=True, nogil=True)
def _back_over_step(pull: NDArray[np.float64], L: NDArray[np.float64], dt: float) -> None:
    """Take the adjoint state and its matrix back over a step of dt seconds, in place: by the transposed transition."""
    h = 0.5 * dt * dt
    for i in range(3):
        pull[6 + i] += dt * pull[3 + i] + h * pull[i]
        pull[3 + i] += dt * pull[i]
    for i in range(3):
        for k in range(9):
            L[6 + i, k] += dt * L[3 + i, k] + h * L[i, k]
            L[3 + i, k] += dt * L[i, k]
    for i in range(3):
        for k in range(9):
            L[k, 6 + i] += dt * L[k, 3 + i] + h * L[k, i]
            L[k, 3 + i] += dt * L[k, i]
