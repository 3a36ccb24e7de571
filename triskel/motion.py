"""People over time: what a whole session holds in 2D and in 3D."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triskel.keypoints import People2D, Points3D
from triskel.skeleton import Skeleton


@dataclass(frozen=True, eq=False)
class Detections2D:
    """The people each camera saw in each frame set.

    Attributes:
        skeleton: names the J joints.
        cameras: C names, in the order of the arrays.
        keypoints: (F, C, N, J, 3) x px, y px, score; N is the largest number of people in any image, unused places
            and missing joints are NaN, NaN, 0. The person axis has no meaning across cameras or frames.
    """

    skeleton: Skeleton
    cameras: tuple[str, ...]
    keypoints: NDArray[np.float64]

    def __post_init__(self) -> None:
        expected = (len(self.cameras), len(self.skeleton))
        got = self.keypoints.shape
        if len(got) != 5 or (got[1], got[3], got[4]) != (*expected, 3):
            raise ValueError(f"keypoints are (F, {expected[0]}, N, {expected[1]}, 3), got {got}")

    @classmethod
    def from_people(
        cls, skeleton: Skeleton, cameras: list[str], people: Sequence[Sequence[People2D | None]]
    ) -> "Detections2D":
        """Stack `people[frame][camera]` into one array; None where the camera has no image in that set."""
        most = max((len(one) for row in people for one in row if one is not None), default=0)
        keypoints = np.full((len(people), len(cameras), most, len(skeleton), 3), np.nan)
        keypoints[..., 2] = 0
        for f, row in enumerate(people):
            for c, one in enumerate(row):
                if one is not None:
                    keypoints[f, c, : len(one)] = one.keypoints
        return cls(skeleton, tuple(cameras), keypoints)

    def people(self, frame: int, camera: int) -> NDArray[np.float64]:
        """Return the people of one image (n, J, 3) without the unused places."""
        one = self.keypoints[frame, camera]
        return one[(one[..., 2] > 0).any(axis=-1)]

    def select(self, cameras: list[str]) -> "Detections2D":
        """Return the detections of the named cameras, in that order."""
        index = [self.cameras.index(name) for name in cameras]
        return Detections2D(self.skeleton, tuple(cameras), self.keypoints[:, index])


@dataclass(frozen=True, eq=False)
class Motion3D:
    """People in 3D over time.

    Attributes:
        skeleton: names the J joints.
        cameras: C names, the last axis of `points.views`.
        time_s: (F,) time of each frame set, s.
        ids: (N,) identity of each person, stable over the session.
        points: `Points3D` with leading shape (F, N, J).
        gap: (F, N, J) True where the position was interpolated, not seen.
    """

    skeleton: Skeleton
    cameras: tuple[str, ...]
    time_s: NDArray[np.float64]
    ids: NDArray[np.int64]
    points: Points3D
    gap: NDArray[np.bool_]

    def __post_init__(self) -> None:
        shape = (len(self.time_s), len(self.ids), len(self.skeleton))
        if self.points.X.shape != (*shape, 3) or self.gap.shape != shape:
            raise ValueError(f"X is {(*shape, 3)} and gap {shape}, got {self.points.X.shape} and {self.gap.shape}")
        if self.points.views.shape != (*shape, len(self.cameras)):
            raise ValueError(f"views is {(*shape, len(self.cameras))}, got {self.points.views.shape}")

    @property
    def found(self) -> NDArray[np.bool_]:
        """Return (F, N, J) True where a joint has a position."""
        return np.isfinite(self.points.X[..., 0])

    @property
    def fps(self) -> float:
        """Return the mean rate of the frame sets, per second; NaN for fewer than two."""
        span = float(self.time_s[-1] - self.time_s[0]) if len(self.time_s) > 1 else 0.0
        return (len(self.time_s) - 1) / span if span > 0 else float("nan")
