"""What is done to people over time."""

from dataclasses import dataclass

from triskel.errors import ConfigError
from triskel.triangulate.over_time.filters import FILTERS

LIMITS = {
    "cutoff_hz": (0.01, 1000),
    "window_s": (1e-4, 60),
    "outlier_sigmas": (0.1, 1e6),
    "outlier_least_m": (1e-6, 10),
}
"""What the options may say: beyond, nothing is left of a movement, or nothing is done to it."""


@dataclass(frozen=True, kw_only=True)
class OverTimeOptions:
    """How raw people become final ones; each step can be left out.

    The defaults suit footage of 25 to 120 frames a second of people who walk, run, reach and wave.

    Attributes:
        repair_swaps: left and right exchanged for some frames are put right.
        drop_outliers: points that leave their own path and come back become missing.
        outlier_sigmas: by how many times the usual distance from the path a point must be off.
        outlier_least_m: and by how much at least, m.
        longest_gap_s: gaps are filled up to this long, from the last sample before to the first after; 0 fills none.
        filter: `kalman`, `butterworth`, `savitzky_golay`, `median`, `hampel`, `one_euro` or `none`.
        cutoff_hz: of `kalman`, `butterworth` and `one_euro`; None takes what the method has itself: for `kalman` a
            choice by likelihood for each joint, between 2 and 20 Hz; for `butterworth` 6 Hz.
        window_s: of `savitzky_golay`, `median` and `hampel`; None takes the method's own.
        bones: joints are moved so that each person's limbs keep their length.
    """

    repair_swaps: bool = True
    drop_outliers: bool = True
    outlier_sigmas: float = 6.0
    outlier_least_m: float = 0.03
    longest_gap_s: float = 0.2
    filter: str = "kalman"
    cutoff_hz: float | None = None
    window_s: float | None = None
    bones: bool = True

    def __post_init__(self) -> None:
        if self.filter not in (*FILTERS, "none"):
            raise ConfigError(f"filter is one of {', '.join(FILTERS)}, none; got {self.filter!r}")
        if not 0 <= self.longest_gap_s < float("inf"):
            raise ConfigError(f"longest_gap_s is 0 or more seconds, got {self.longest_gap_s}")
        for name, (least, most) in LIMITS.items():
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise ConfigError(f"{name} is {least:g} to {most:g}, got {value}")
        for name in ("cutoff_hz", "window_s"):
            if getattr(self, name) is not None and self.filter != "none" and not hasattr(FILTERS[self.filter], name):
                fitting = ", ".join(method for method, kind in FILTERS.items() if hasattr(kind, name))
                raise ConfigError(f"{name} is for {fitting}; the filter {self.filter} has none: leave it out")
