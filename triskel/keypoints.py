"""What detection and triangulation hand on: people in one image, points in the world."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.skeleton import Skeleton


@dataclass(frozen=True, eq=False)
class People2D:
    """The people found in one image.

    Attributes:
        skeleton: names the J joints.
        keypoints: (N, J, 3) x px, y px, score in [0, 1]; a missing joint is NaN, NaN, 0.
        scores: (N,) score of each person in [0, 1].
    """

    skeleton: Skeleton
    keypoints: NDArray[np.float64]
    scores: NDArray[np.float64]

    def __post_init__(self) -> None:
        J = len(self.skeleton.joints)
        if self.keypoints.ndim != 3 or self.keypoints.shape[1:] != (J, 3):
            raise ValueError(f"keypoints of {self.skeleton.name} are (N, {J}, 3), got {self.keypoints.shape}")
        if self.scores.shape != self.keypoints.shape[:1]:
            raise ValueError(f"scores are ({len(self.keypoints)},), got {self.scores.shape}")
        if not np.array_equal(np.isnan(self.keypoints[..., 0]), self.keypoints[..., 2] == 0):
            raise ValueError("a joint is missing with NaN coordinates and score 0, or has both; got a mixture")

    @classmethod
    def empty(cls, skeleton: Skeleton) -> "People2D":
        """Return the result of an image without people."""
        return cls(skeleton, np.zeros((0, len(skeleton.joints), 3)), np.zeros(0))

    def __len__(self) -> int:
        return len(self.keypoints)

    @property
    def boxes(self) -> NDArray[np.float64]:
        """Return (N, 4) tight boxes x_min, y_min, x_max, y_max around the joints found, px."""
        if not len(self):
            return np.zeros((0, 4))
        xy = self.keypoints[..., :2]
        return np.concatenate([np.nanmin(xy, axis=1), np.nanmax(xy, axis=1)], axis=-1)

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_] | list[int]) -> "People2D":
        """Return the people at `index`, in that order."""
        return replace(self, keypoints=self.keypoints[index], scores=self.scores[index])


class Points3D(NamedTuple):
    """Triangulated points; every array starts with the same shape (...).

    Attributes:
        X: (..., 3) world position, m; NaN where it could not be reconstructed.
        score: (...) in [0, 1]; 0 where missing.
        reproj_px: (...) mean reprojection error over the views used, raw px; NaN where missing.
        views: (..., C) which cameras were used.
        sigma_mm: (..., 3) standard deviation along the world axes, mm, from the spread of the reprojection
            errors; NaN where missing.
    """

    X: NDArray[np.float64]
    score: NDArray[np.float64]
    reproj_px: NDArray[np.float64]
    views: NDArray[np.bool_]
    sigma_mm: NDArray[np.float64]

    @property
    def n_views(self) -> NDArray[np.int64]:
        """Return (...) the number of views used."""
        return np.asarray(self.views.sum(axis=-1), dtype=np.int64)
