"""What detection and triangulation hand on: people in one image, points in the world."""

from dataclasses import dataclass, replace
from enum import IntEnum
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


class Missing(IntEnum):
    """Why a point has no position."""

    FOUND = 0
    """It has one."""
    NO_PERSON = 1
    """Its person was not found in that frame set."""
    FEW_VIEWS = 2
    """Too few cameras saw it."""
    PARALLEL = 3
    """The rays that see it are parallel, or so nearly that the distance is a guess."""
    BEHIND = 4
    """Its rays meet only behind a camera."""
    DISAGREE = 5
    """Too few of the cameras that saw it agree where it is."""
    IMPLAUSIBLE = 6
    """No body has it there: a limb of impossible length, a hand away from its wrist."""
    OUTLIER = 7
    """It leaves its own path in time and comes back."""
    UNKNOWN = 8
    """Read from a file, which does not say."""


class Points3D(NamedTuple):
    """Triangulated points; every array starts with the same shape (...).

    Attributes:
        X: (..., 3) world position, m; NaN where it could not be reconstructed.
        score: (...) in [0, 1]; 0 where missing.
        reproj_px: (...) mean reprojection error over the views used, raw px; NaN where missing.
        views: (..., C) which cameras were used.
        cov_mm2: (..., 3, 3) covariance in world axes, mm^2, float32; NaN where missing. What the noise of the
            detections does to the position: a wrong calibration, or a joint that all cameras see in the wrong place, is
            not in it.
        missing: (...) uint8, a `Missing`: `FOUND` where there is a position, else why there is none.
    """

    X: NDArray[np.float64]
    score: NDArray[np.float64]
    reproj_px: NDArray[np.float64]
    views: NDArray[np.bool_]
    cov_mm2: NDArray[np.float32]
    missing: NDArray[np.uint8]

    @property
    def n_views(self) -> NDArray[np.int64]:
        """Return (...) the number of views used."""
        return np.asarray(self.views.sum(axis=-1), dtype=np.int64)

    @property
    def sigma_mm(self) -> NDArray[np.float64]:
        """Return (..., 3) the standard deviations along the world axes, mm; NaN where missing."""
        variances = np.diagonal(self.cov_mm2, axis1=-2, axis2=-1).astype(np.float64)
        return np.sqrt(np.maximum(variances, 0))  # rounding leaves a variance of nearly nothing below it

    def at(self, *index: NDArray[np.intp]) -> "Points3D":
        """Return the points at some places: as many indices, of one shape, as the leading shape has axes."""
        return Points3D(
            X=self.X[index],
            score=self.score[index],
            reproj_px=self.reproj_px[index],
            views=self.views[index],
            cov_mm2=self.cov_mm2[index],
            missing=self.missing[index],
        )

    def without(self, gone: NDArray[np.bool_], why: Missing) -> "Points3D":
        """Return the points with those of `gone` (...) missing; what was missing before keeps its reason."""
        gone = gone & np.isfinite(self.X[..., 0])
        return Points3D(
            X=np.where(gone[..., None], np.nan, self.X),
            score=np.where(gone, 0.0, self.score),
            reproj_px=np.where(gone, np.nan, self.reproj_px),
            views=self.views & ~gone[..., None],
            cov_mm2=np.where(gone[..., None, None], np.float32(np.nan), self.cov_mm2),
            missing=np.where(gone, np.uint8(why), self.missing),
        )


def missing_points(shape: tuple[int, ...], cameras: int, why: Missing = Missing.NO_PERSON) -> Points3D:
    """Return `Points3D` of a leading shape in which every point is missing."""
    return Points3D(
        X=np.full((*shape, 3), np.nan),
        score=np.zeros(shape),
        reproj_px=np.full(shape, np.nan),
        views=np.zeros((*shape, cameras), bool),
        cov_mm2=np.full((*shape, 3, 3), np.nan, np.float32),
        missing=np.full(shape, why, np.uint8),
    )
