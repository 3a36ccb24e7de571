"""Kalman smoothing: a body part whose acceleration drifts, seen through noise of known covariance.

The movement's prior is white jerk, so that position, velocity and acceleration are the state (Bar-Shalom, Li &
Kirubarajan, Estimation with Applications to Tracking and Navigation, section 6.2). A recording is smoothed by the fixed
interval smoother in Bryson and Frazier's form, which gives the result of Rauch, Tung and Striebel without inverting
the predicted covariance (Bierman 1973).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triskel.triangulate.over_time.filters.filtered import Filtered
from triskel.triangulate.over_time.filters.state_space import forward, running_mean, smooth_series
from triskel.triangulate.over_time.runs import median_step_s, run_starts

CUTOFFS_HZ = (1.3, 2.0, 3.0, 4.5, 6.7, 10.0, 15.0)
"""Candidates for the likelihood; the best place between them is interpolated."""

LEARN_FROM, STRETCHES = 1200, 6
"""Samples of a series that the choice is made from, in so many stretches all over the recording."""

SURELY_LESS = 0.8
"""A noise with a smaller share of the variance than this is less than the covariances say, not only by chance."""

EVENED_S = 0.1
"""Covariances that stay are evened out over this time before and after: they jump as cameras come and go."""

LEAST_M2 = 1e-9
"""Variance of the most precise position there is, 0.03 mm: exact ones, as in tests, leave nothing to calculate with."""

FEWEST_SAMPLES = 20
"""Samples below which a series cannot say how smooth it is."""


@dataclass(frozen=True, kw_only=True)
class Kalman:
    """Smoother that weighs each sample by its own covariance.

    Attributes:
        cutoff_hz: where half of a movement's amplitude passes, for a sample of typical covariance; None finds it for
            each series from the series itself by maximum likelihood, between `slowest_hz` and `fastest_hz`. The scale
            of the noise is found with it, so covariances need to be right only relative to each other.
        slowest_hz: lower end of the automatic choice.
        fastest_hz: its upper end: beyond the quickest sports there is only noise, even where its errors last for
            frames and look like movement.
    """

    cutoff_hz: float | None = None
    slowest_hz: float = 2.0
    fastest_hz: float = 20.0

    def smooth(self, X: NDArray[np.float64], time_s: NDArray[np.float64], cov_mm2: NDArray[np.float64]) -> Filtered:
        """See `Filter.smooth`; the covariance returned is that of the smoothed positions."""
        F, S = X.shape[:2]
        step_s = median_step_s(time_s)
        if F < 2 or not S or not step_s > 0:
            return Filtered(X.copy(), np.array(cov_mm2, dtype=np.float64))
        out_X, out_cov = np.full(X.shape, np.nan), np.full((F, S, 3, 3), np.nan)
        R_all, typical = noise(X, cov_mm2)
        starts, reach = run_starts(X, time_s), max(1, round(EVENED_S / step_s))
        for s in range(S):
            found = np.flatnonzero(np.isfinite(X[:, s, 0]))
            if not len(found):
                continue
            y, R = np.ascontiguousarray(X[found, s]), np.ascontiguousarray(R_all[found, s])
            begins = np.ascontiguousarray(starts[found, s])
            times = np.ascontiguousarray(time_s[found])
            cutoff, scale = self._chosen(y, R, times, begins, typical[s] * step_s)
            q = jerk_density(cutoff, typical[s] * step_s)
            out_X[found, s], cov = smooth_series(y, R, times, begins, q)
            cov = _positive(cov, R)
            # Where the noise from frame to frame is less than the covariances say, the rest of them lasts, and stays.
            out_cov[found, s] = 1e6 * (scale * cov + _lasting(scale) * running_mean(R, begins, reach))
        return Filtered(out_X, out_cov)

    def _chosen(
        self,
        y: NDArray[np.float64],
        R: NDArray[np.float64],
        time_s: NDArray[np.float64],
        begins: NDArray[np.bool_],
        density: float,
    ) -> tuple[float, float]:
        """Return the cutoff, Hz, and by how much the noise's variance is larger than R says."""
        if len(y) > LEARN_FROM:
            length = LEARN_FROM // STRETCHES
            first = np.linspace(0, len(y) - length, STRETCHES).astype(int)
            part = (first[:, None] + np.arange(length)).ravel()
            y, R, time_s, begins = y[part], R[part], time_s[part], begins[part]
            begins[::length] = True
        if self.cutoff_hz is not None:
            return self.cutoff_hz, _scale(forward(y, R, time_s, begins, jerk_density(self.cutoff_hz, density)))
        cutoffs = [hz for hz in CUTOFFS_HZ if self.slowest_hz < hz < self.fastest_hz]
        cutoffs = [self.slowest_hz, *cutoffs, self.fastest_hz]
        if len(y) < FEWEST_SAMPLES:
            return cutoffs[-1], 1.0
        misfits = [_misfit(forward(y, R, time_s, begins, jerk_density(hz, density))) for hz in cutoffs]
        cutoff = _lowest(cutoffs, misfits)
        return cutoff, _scale(forward(y, R, time_s, begins, jerk_density(cutoff, density)))


def _lowest(cutoffs_hz: list[float], misfits: list[float]) -> float:
    """Return where a parabola through the smallest misfit and its neighbours, over the logarithms, is lowest."""
    best = int(np.argmin(misfits))
    if not 0 < best < len(misfits) - 1:
        return cutoffs_hz[best]
    x = np.log(cutoffs_hz[best - 1 : best + 2])
    curve = np.polyfit(x - x[1], misfits[best - 1 : best + 2], 2)
    if not curve[0] > 0:
        return cutoffs_hz[best]
    return float(np.exp(np.clip(x[1] - 0.5 * curve[1] / curve[0], x[0], x[2])))


def jerk_density(cutoff_hz: float, noise_density: float) -> float:
    """Return the spectral density of the jerk, m^2/s^5, that makes a smoother pass half at `cutoff_hz`.

    The smoother's gain is 1 / (1 + w^6 r / q), with r the noise's variance times the time step.
    """
    return float((2 * math.pi * cutoff_hz) ** 6 * noise_density)


def noise(X: NDArray[np.float64], cov_mm2: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the covariances (F, S, 3, 3) in m^2, fit to be inverted, and the typical variance (S,) of each series."""
    R = 1e-6 * np.asarray(cov_mm2, dtype=np.float64)
    variance = np.trace(R, axis1=-2, axis2=-1) / 3
    usable = np.isfinite(variance) & (variance > 0) & np.isfinite(X[..., 0])
    typical = np.array([float(np.median(v[u])) if u.any() else 1e-6 for v, u in zip(variance.T, usable.T, strict=True)])
    typical = np.maximum(typical, LEAST_M2)
    isotropic = typical[None, :, None, None] * np.eye(3)
    R = np.where(usable[..., None, None], R, isotropic)
    # A sample cannot be trusted without limit: below a hundredth of the typical variance it is rounding.
    return np.ascontiguousarray(R + np.maximum(0.01 * isotropic, LEAST_M2 * np.eye(3))), typical


def _positive(cov: NDArray[np.float64], R: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the covariances with the samples' own in place of what rounding left of nearly exact ones."""
    minors = np.linalg.det(cov[:, :2, :2]), np.linalg.det(cov)
    sound = (cov[:, 0, 0] > 0) & (minors[0] > 0) & (minors[1] > 0)
    sound &= np.trace(cov, axis1=-2, axis2=-1) > 1e-6 * np.trace(R, axis1=-2, axis2=-1)
    return np.asarray(np.where(sound[:, None, None], 0.5 * (cov + np.swapaxes(cov, 1, 2)), R))


def _scale(fit: tuple[float, float, float]) -> float:
    """Return the mean squared normalised innovation: 1 where the covariances are true."""
    squares, _, count = fit
    return squares / count if count > 0 else 1.0


def _lasting(scale: float) -> float:
    """Return the share of the covariances that is not noise from frame to frame; a scale is itself only estimated."""
    return max(0.0, 1 - scale / SURELY_LESS)


def _misfit(fit: tuple[float, float, float]) -> float:
    """Return minus twice the log-likelihood, the noise's scale chosen at its best."""
    squares, log_determinants, count = fit
    return count * math.log(max(squares, 1e-300) / max(count, 1.0)) + log_determinants
