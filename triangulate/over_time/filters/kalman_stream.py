"""Kalman filter of a stream: the past only, for live use."""

import math

import numba
import numpy as np
from numpy.typing import NDArray

from triskel.triangulate.over_time.filters.state_space import predict, reset, update

UNKNOWN_MM = 10.0
"""Standard deviation of points given without a covariance."""


class KalmanFilter:
    """Filter of a stream of points: position, speed and acceleration of each, weighed by the points' covariances.

    A missing point stays missing and begins anew when it was gone for longer than `longest_gap_s`. With the past alone,
    a filter as smooth as the smoother `Kalman` would lag. The default is best for a walking person seen with 3 mm of
    noise within a factor of ten: the mean error goes from 2.9 to 2.4 mm at 60 frames a second, to 2.7 mm at 30.

    Args:
        jerk_density: spectral density of the movement's white jerk, m^2/s^5: more follows faster and smooths less.
        longest_gap_s: longest time between two samples of one movement, s.
    """

    def __init__(self, *, jerk_density: float = 300.0, longest_gap_s: float = 0.2) -> None:
        self.jerk_density, self.longest_gap_s = jerk_density, longest_gap_s
        self._x, self._P = np.zeros((0, 9)), np.zeros((0, 9, 9))
        self._seen_s = np.zeros(0)

    def update(
        self, X: NDArray[np.float64], time_s: float, cov_mm2: NDArray[np.floating] | None = None
    ) -> NDArray[np.float64]:
        """Return the points filtered with those before.

        Args:
            X: (..., 3) m, NaN = missing; the same shape each time, or all begins anew.
            time_s: later than that of the last call, s.
            cov_mm2: (..., 3, 3) mm^2; where missing, as for a standard deviation of 10 mm.
        """
        points = np.ascontiguousarray(X, dtype=np.float64).reshape(-1, 3)
        if len(points) != len(self._x):
            self._x, self._P = np.zeros((len(points), 9)), np.zeros((len(points), 9, 9))
            self._seen_s = np.full(len(points), -math.inf)
        R = np.tile(1e-6 * UNKNOWN_MM**2 * np.eye(3), (len(points), 1, 1))
        if cov_mm2 is not None:
            given = 1e-6 * np.asarray(cov_mm2, dtype=np.float64).reshape(-1, 3, 3)
            R = np.where(np.isfinite(given), given + 1e-9 * np.eye(3), R)
        out = np.full(points.shape, np.nan)
        settings = (float(self.jerk_density), float(self.longest_gap_s))
        _update(self._x, self._P, self._seen_s, points, np.ascontiguousarray(R), float(time_s), out, settings)
        return out.reshape(np.shape(X))


@numba.njit(cache=True, nogil=True)
def _update(
    x: NDArray[np.float64],
    P: NDArray[np.float64],
    seen_s: NDArray[np.float64],
    X: NDArray[np.float64],
    R: NDArray[np.float64],
    time_s: float,
    out: NDArray[np.float64],
    settings: tuple[float, float],
) -> None:
    """Take in the points of one moment."""
    jerk_density, longest_gap_s = settings
    K, inverse, innovation = np.zeros((9, 3)), np.zeros((3, 3)), np.zeros(3)
    for s in range(len(X)):
        if not np.isfinite(X[s, 0]):
            continue
        dt = time_s - seen_s[s]
        if dt > longest_gap_s:
            reset(x[s], P[s], X[s])
            dt = 1.0
        elif dt > 0.0:
            predict(x[s], P[s], dt, jerk_density)
        if dt > 0.0:
            update(x[s], P[s], X[s], R[s], K, inverse, innovation)
            seen_s[s] = time_s
        out[s] = x[s, :3]
