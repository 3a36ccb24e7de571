"""Filters over time by name, one file a method; and those of streams, `OneEuro` and `KalmanFilter`."""

from collections.abc import Callable

from triskel.triangulate.over_time.filters.butterworth import Butterworth
from triskel.triangulate.over_time.filters.filtered import Filter, Filtered
from triskel.triangulate.over_time.filters.hampel import Hampel
from triskel.triangulate.over_time.filters.kalman import Kalman
from triskel.triangulate.over_time.filters.kalman_stream import KalmanFilter
from triskel.triangulate.over_time.filters.median import Median
from triskel.triangulate.over_time.filters.one_euro import OneEuro, OneEuroBothWays
from triskel.triangulate.over_time.filters.savitzky_golay import SavitzkyGolay

FILTERS: dict[str, Callable[..., Filter]] = {
    "kalman": Kalman,
    "butterworth": Butterworth,
    "savitzky_golay": SavitzkyGolay,
    "median": Median,
    "hampel": Hampel,
    "one_euro": OneEuroBothWays,
}
"""Classes of filters of finished recordings; each has `cutoff_hz` or `window_s`, None for its own default."""
