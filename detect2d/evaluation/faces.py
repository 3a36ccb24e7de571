"""Faces: the mean distance of their points from the labels, by the distance of the outer corners of the eyes (NME)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triskel.detect2d.evaluation.ground_truth import GroundTruth
from triskel.detect2d.evaluation.partners import matches, part_points
from triskel.keypoints import People2D
from triskel.skeleton import Skeleton

CORNERS = (36, 45)
"""The outer corners of the eyes in the mark-up of 68 points."""

GROUPS = {
    "jaw": range(17),
    "brows": range(17, 27),
    "nose": range(27, 36),
    "eyes": range(36, 48),
    "mouth": range(48, 68),
}
"""Points of the face by what they are on."""

FAILURE = 0.1
"""A face whose mean error is larger counts as failed, as in the 300-W challenge."""

FACE_REACHES = np.linspace(0, 0.2, 41)

PAIR_REACH = 0.5
"""Of people whose body has no label, the face tells who they are: by points within this share of the eyes' distance."""


@dataclass(frozen=True, eq=False)
class FaceScores:
    """The faces of a data set, in shares of the distance of the eyes' outer corners.

    Attributes:
        labelled: faces that have both corners labelled; `unmeasured`: without one.
        found: how many of them the right detection has, with at least half of the labelled points.
        present: share of the labelled points of the found faces that were found too.
        errors: (found,) mean error of each found face over the points that it has.
        groups: mean over the found faces of the mean error of a group of points; NaN where there is none.
        reaches: (T,) errors allowed.
        curve: (T,) share of the labelled faces whose mean error is within; a face not found never is.
    """

    labelled: int
    unmeasured: int
    found: int
    present: float
    errors: NDArray[np.float64]
    groups: Mapping[str, float]
    reaches: NDArray[np.float64]
    curve: NDArray[np.float64]

    @property
    def nme(self) -> float:
        """Return the mean error of the found faces; NaN if none was found."""
        return float(self.errors.mean()) if len(self.errors) else float("nan")

    @property
    def failures(self) -> float:
        """Return the share of the labelled faces that were not found or whose mean error is above 10 percent."""
        good = int((self.errors <= FAILURE).sum())
        return 1 - good / self.labelled if self.labelled else float("nan")


def score_faces(
    people: Sequence[People2D], truth: GroundTruth, skeleton: Skeleton, *, reaches: NDArray[np.float64] = FACE_REACHES
) -> FaceScores | None:
    """Return the figures of the faces; None if the model has none or nobody has labelled any.

    Args:
        people: the detections of each image.
        truth: the labels.
        skeleton: the detections' joints.
        reaches: (T,) errors of the curve.
    """
    points = part_points(skeleton, truth.joints, "face")
    if points is None:
        return None
    sizes = [_between_corners(image.keypoints[:, points.theirs], points.numbers) for image in truth.images]
    all_of = list(matches(people, truth, points, sizes, PAIR_REACH))
    labels, found = (np.concatenate([one[k] for one in all_of]) for k in (0, 1))
    size_px = np.concatenate([one.sizes_px for one in all_of])
    if not len(labels):
        return None
    measured = np.isfinite(size_px)
    labels, found = labels[measured], found[measured]
    labelled = labels[..., 2] > 0
    both = labelled & (found[..., 2] > 0)
    there = 2 * both.sum(axis=1) >= labelled.sum(axis=1)
    distance = np.linalg.norm(found[..., :2] - labels[..., :2], axis=-1) / size_px[measured, None]
    distance = np.where(both, distance, np.nan)[there]
    errors = np.nanmean(distance, axis=1) if len(distance) else np.zeros(0)
    within = (errors <= reaches[:, None]).sum(axis=1)
    return FaceScores(
        labelled=len(labels),
        unmeasured=int((~measured).sum()),
        found=len(distance),
        present=float(both[there].sum() / labelled[there].sum()) if len(distance) else float("nan"),
        errors=errors,
        groups={name: _group_error(distance, np.isin(points.numbers, group)) for name, group in GROUPS.items()},
        reaches=reaches,
        curve=within / max(len(labels), 1),
    )


def _between_corners(labels: NDArray[np.float64], numbers: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return (N,) the distance of the eyes' outer corners, px; NaN where it is not labelled, or 0."""
    corners = [np.flatnonzero(numbers == corner) for corner in CORNERS]
    if any(not len(corner) for corner in corners):
        return np.full(len(labels), np.nan)
    length = np.linalg.norm(labels[:, corners[0][0], :2] - labels[:, corners[1][0], :2], axis=-1)
    return np.where(length > 0, length, np.nan)


def _group_error(distance: NDArray[np.float64], group: NDArray[np.bool_]) -> float:
    """Return the mean over faces of the mean over the points of a group, of those faces that have any."""
    some = np.isfinite(distance[:, group]).any(axis=1)
    return float(np.nanmean(distance[some][:, group], axis=1).mean()) if some.any() else float("nan")
