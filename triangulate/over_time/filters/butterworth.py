"""Butterworth low pass, run forwards and backwards: the usual filter of movement analysis."""

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from triskel.triangulate.over_time.filters.filtered import Filtered
from triskel.triangulate.over_time.runs import even_times, runs, white_gain

FEWEST_SAMPLES = 5
"""A run with fewer is left as it is."""


@dataclass(frozen=True, kw_only=True)
class Butterworth:
    """Zero-lag Butterworth filter of order 4: two passes of order 2.

    The cutoff is that of both passes together, 3 dB: each is set higher by 1 / (2^(1/2) - 1)^(1/4) = 1.247 (Winter,
    Biomechanics and Motor Control of Human Movement, 4th ed., section 3.4.4). Uneven times are resampled to even ones
    and back. Where the rate is too low for the cutoff there is nothing to filter, and nothing is.

    Attributes:
        cutoff_hz: None for 6 Hz.
    """

    cutoff_hz: float | None = None

    def smooth(self, X: NDArray[np.float64], time_s: NDArray[np.float64], cov_mm2: NDArray[np.float64]) -> Filtered:
        """See `Filter.smooth`; covariances shrink as white noise does in the filter, away from the ends of runs."""
        out, cov = X.copy(), np.array(cov_mm2, dtype=np.float64)
        gains: dict[float, float] = {}
        for a, b, series in runs(X, time_s):
            if b - a < FEWEST_SAMPLES:
                continue
            rate = (b - a - 1) / (time_s[b - 1] - time_s[a])
            wanted = (self.cutoff_hz or 6.0) / (rate / 2)
            if wanted >= 1:
                continue
            # In the bilinear transform's own frequencies, so that the cutoff is right at low rates too.
            corner = 2 / math.pi * math.atan(math.tan(math.pi / 2 * wanted) / (math.sqrt(2) - 1) ** 0.25)
            pad = max(9, math.ceil(3 / corner))
            if pad > b - a - 1:
                continue  # shorter than the filter remembers: it would only bend the run to its ends
            twice = partial(sosfiltfilt, butter(2, corner, output="sos"), axis=0, padtype="odd", padlen=pad)
            out[a:b, series] = even_times(twice, X[a:b, series], time_s[a:b])
            # Runs of one rate share it.
            key = round(corner, 4)
            if key not in gains:
                gains[key] = white_gain(twice, max(400, 4 * pad + 2))
            cov[a:b, series] *= gains[key]
        return Filtered(out, cov)
