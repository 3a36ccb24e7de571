"""Where people who were seen before are expected next: joints of constant velocity, kept for all people at once."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from triskel.triangulate.medians import nanmedian

NEW_SPEED_M_S = 5.0
"""How fast the joints of somebody seen once or twice may move: their velocity is not known yet."""

SPEED_CHANGE_M_S = 1.5
"""How far off a known velocity may be until the next sighting."""

NOISE_M = 0.03
"""How far off an expected joint is however short the time."""

SWING_S = 0.1
"""A limb keeps its own velocity so long; then it is taken to hang on to the body."""

FASTEST_M_S = 12.0
"""No joint is faster; what seems to be was measured badly."""

FORGOTTEN_S = 0.5
"""A joint not seen for so long while its person was is expected nowhere."""

SMOOTHING = 0.5
"""Share of the change seen by which a velocity follows."""


@dataclass(kw_only=True, eq=False)
class Paths:
    """The last known joints of T people, and how they move. Times only have to go one way, backwards as well.

    Attributes:
        joints: J.
        X: (T, J, 3) last known places, m, NaN = never seen.
        velocity: (T, J, 3) m/s.
        drift: (T, 3) the body's own velocity, m/s.
        joint_s: (T, J) when each joint was seen last, s.
        seen_s: (T,) when the person was seen last, s.
        sightings: (T,) how often the person was seen.
    """

    joints: int
    X: NDArray[np.float64] = field(init=False)
    velocity: NDArray[np.float64] = field(init=False)
    drift: NDArray[np.float64] = field(init=False)
    joint_s: NDArray[np.float64] = field(init=False)
    seen_s: NDArray[np.float64] = field(init=False)
    sightings: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self.X, self.velocity = np.empty((0, self.joints, 3)), np.empty((0, self.joints, 3))
        self.drift, self.joint_s = np.empty((0, 3)), np.empty((0, self.joints))
        self.seen_s, self.sightings = np.empty(0), np.empty(0, np.int64)

    def __len__(self) -> int:
        return len(self.seen_s)

    def expected(self, time_s: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the joints (T, J, 3) expected at a time, NaN = nowhere, and how far off they may be (T,), m."""
        age = np.abs(time_s - self.joint_s)
        swing = (self.velocity - self.drift[:, None]) * np.minimum(age, SWING_S)[..., None]
        X = self.X + self.drift[:, None] * age[..., None] + swing
        unseen_s = np.abs(time_s - self.seen_s)
        X[age > unseen_s[:, None] + FORGOTTEN_S] = np.nan
        speed = np.where(self.sightings < 3, NEW_SPEED_M_S, SPEED_CHANGE_M_S)
        return X, NOISE_M + speed * unseen_s

    def observe(self, people: NDArray[np.int64], X: NDArray[np.float64], time_s: float) -> None:
        """Take in joints (P, J, 3), NaN = not seen, of the people with these numbers (P,), each there once."""
        age = np.abs(time_s - self.joint_s[people])
        age[age == 0] = np.nan  # the same moment twice tells no speed
        seen = np.isfinite(X[..., 0])
        speed = np.clip((X - self.X[people]) / age[..., None], -FASTEST_M_S, FASTEST_M_S)
        both = np.isfinite(speed[..., 0])
        first = self.sightings[people] == 1
        body = nanmedian(speed, axis=1)
        known = np.isfinite(body[:, 0])
        follow = np.where(first, 1.0, SMOOTHING)[:, None]
        drift = self.drift[people]
        drift[known] += (follow * (body - drift))[known]
        self.drift[people] = drift
        velocity = self.velocity[people]
        velocity = np.where(both[..., None], velocity + follow[:, None] * (speed - velocity), drift[:, None])
        self.velocity[people] = np.where(seen[..., None], velocity, self.velocity[people])
        self.X[people] = np.where(seen[..., None], X, self.X[people])
        self.joint_s[people] = np.where(seen, time_s, self.joint_s[people])
        self.seen_s[people] = time_s
        self.sightings[people] += 1

    def add(self, X: NDArray[np.float64], time_s: float) -> None:
        """Append people (P, J, 3) seen for the first time."""
        P = len(X)
        self.X = np.concatenate([self.X, X])
        self.velocity = np.concatenate([self.velocity, np.zeros((P, self.joints, 3))])
        self.drift = np.concatenate([self.drift, np.zeros((P, 3))])
        self.joint_s = np.concatenate([self.joint_s, np.full((P, self.joints), time_s)])
        self.seen_s = np.concatenate([self.seen_s, np.full(P, time_s)])
        self.sightings = np.concatenate([self.sightings, np.ones(P, np.int64)])

    def select(self, kept: NDArray[np.bool_]) -> Self:
        """Forget the people not `kept` (T,)."""
        for name in ("X", "velocity", "drift", "joint_s", "seen_s", "sightings"):
            setattr(self, name, getattr(self, name)[kept])
        return self
