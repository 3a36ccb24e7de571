"""One Euro: a low pass whose cutoff rises with speed, steady at rest and quick in motion."""

import math
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from triskel.triangulate.over_time.filters.filtered import Filtered
from triskel.triangulate.over_time.runs import median_step_s, run_starts

LEAST_HZ = 2.0
SPEED_FACTOR = 20.0
SPEED_HZ = 2.0


@numba.njit(cache=True, nogil=True)
def _share(cutoff_hz: float, dt: float) -> float:
    """Return the share of a new sample in an exponential average."""
    r = 2 * math.pi * cutoff_hz * dt
    return r / (r + 1)


@numba.njit(cache=True, nogil=True)
def step(
    place: NDArray[np.float64],
    speed: NDArray[np.float64],
    X: NDArray[np.float64],
    dt: float,
    least_hz: float,
    speed_factor: float,
) -> None:
    """Take one sample (3,) into a point's filtered place and speed, in place.

    The cutoff depends on the point's speed in space, not on that of each coordinate, so that turning the world's axes
    turns the result and no more.
    """
    a = _share(SPEED_HZ, dt)
    square = 0.0
    for i in range(3):
        speed[i] += a * ((X[i] - place[i]) / dt - speed[i])
        square += speed[i] * speed[i]
    b = _share(least_hz + speed_factor * math.sqrt(square), dt)
    for i in range(3):
        place[i] += b * (X[i] - place[i])


class OneEuro:
    """One Euro filter of a stream of points (Casiez, Roussel & Vogel, CHI 2012).

    It looks at the past only, so it lags by about 1 / (2 pi cutoff). A missing point stays missing, and begins anew
    when it was gone for longer than `longest_gap_s`.

    Args:
        cutoff_hz: cutoff of a point at rest.
        speed_factor: by how much the cutoff rises with speed, Hz per m/s.
        longest_gap_s: longest time between two samples of one movement, s.
    """

    def __init__(
        self, *, cutoff_hz: float = LEAST_HZ, speed_factor: float = SPEED_FACTOR, longest_gap_s: float = 0.2
    ) -> None:
        self.cutoff_hz, self.speed_factor, self.longest_gap_s = cutoff_hz, speed_factor, longest_gap_s
        self._place = np.zeros((0, 3))
        self._speed = np.zeros((0, 3))
        self._seen_s = np.zeros(0)

    def update(
        self, X: NDArray[np.float64], time_s: float, cov_mm2: NDArray[np.floating] | None = None
    ) -> NDArray[np.float64]:
        """Return the points filtered with those before.

        Args:
            X: (..., 3) m, NaN = missing; the same shape each time, or all begins anew.
            time_s: later than that of the last call, s.
            cov_mm2: not used; other filters of streams weigh samples by it.
        """
        points = np.ascontiguousarray(X, dtype=np.float64).reshape(-1, 3)
        if points.shape != self._place.shape:
            self._place, self._speed = np.zeros(points.shape), np.zeros(points.shape)
            self._seen_s = np.full(len(points), -math.inf)
        out = np.full(points.shape, np.nan)
        _update(
            self._place, self._speed, self._seen_s, points, float(time_s), out,
            (float(self.cutoff_hz), float(self.speed_factor), float(self.longest_gap_s)),
        )  # fmt: skip
        return out.reshape(np.shape(X))


@numba.njit(cache=True, nogil=True)
def _update(
    place: NDArray[np.float64],
    speed: NDArray[np.float64],
    seen_s: NDArray[np.float64],
    X: NDArray[np.float64],
    time_s: float,
    out: NDArray[np.float64],
    settings: tuple[float, float, float],
) -> None:
    """Take in the points of one moment."""
    least_hz, speed_factor, longest_gap_s = settings
    for s in range(len(X)):
        if not np.isfinite(X[s, 0]):
            continue
        dt = time_s - seen_s[s]
        if dt > longest_gap_s:
            place[s] = X[s]
            speed[s] = 0.0
        elif dt > 0.0:
            step(place[s], speed[s], X[s], dt, least_hz, speed_factor)
        # What comes late, or twice, tells nothing new and does not turn the clock back.
        seen_s[s] = max(seen_s[s], time_s)
        out[s] = place[s]


@dataclass(frozen=True, kw_only=True)
class OneEuroBothWays:
    """One Euro of a finished recording: the mean of a run forwards and one backwards, whose lags cancel.

    Attributes:
        cutoff_hz: cutoff of a point at rest; None for 2 Hz.
        speed_factor: by how much the cutoff rises with speed, Hz per m/s.
    """

    cutoff_hz: float | None = None
    speed_factor: float = SPEED_FACTOR

    def smooth(self, X: NDArray[np.float64], time_s: NDArray[np.float64], cov_mm2: NDArray[np.float64]) -> Filtered:
        """See `Filter.smooth`; what noise is left depends on the speed, so covariances are given as they were."""
        if median_step_s(time_s) > 0:
            hz, factor = float(self.cutoff_hz or LEAST_HZ), float(self.speed_factor)
            starts = run_starts(X, time_s)
            there = _one_way(np.ascontiguousarray(X), np.ascontiguousarray(time_s), starts, hz, factor)
            ends = run_starts(X[::-1], -time_s[::-1])
            back = _one_way(np.ascontiguousarray(X[::-1]), np.ascontiguousarray(-time_s[::-1]), ends, hz, factor)
            X = 0.5 * (there + back[::-1])
        return Filtered(X.copy(), np.array(cov_mm2, dtype=np.float64))


@numba.njit(cache=True, nogil=True)
def _one_way(
    X: NDArray[np.float64], time_s: NDArray[np.float64], starts: NDArray[np.bool_], least_hz: float, factor: float
) -> NDArray[np.float64]:
    """Return the series (F, S, 3) filtered forwards, each run by itself."""
    F, S = X.shape[:2]
    out = np.full((F, S, 3), np.nan)
    place, speed = np.zeros((S, 3)), np.zeros((S, 3))
    for f in range(F):
        for s in range(S):
            if starts[f, s]:
                place[s] = X[f, s]
                speed[s] = 0.0
            elif np.isfinite(X[f, s, 0]):
                step(place[s], speed[s], X[f, s], time_s[f] - time_s[f - 1], least_hz, factor)
            if np.isfinite(X[f, s, 0]):
                out[f, s] = place[s]
    return out
