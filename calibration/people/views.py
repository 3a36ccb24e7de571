"""The joints of people as the bundle adjustment takes them: one row for each joint seen by a camera."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class JointViews(NamedTuple):
    """Joints of people at moments (the points), and where cameras saw them (the views), sorted by point.

    Attributes:
        first: (P + 1,) index of each point's first view; the last entry is the number of views.
        camera: (n,) index of the camera of each view.
        xy: (n, 2) raw px.
        score: (n,) in (0, 1].
        frame: (P,) frame set of each point.
        person: (P,) index of the person.
        joint: (P,) index of the joint.
    """

    first: NDArray[np.int64]
    camera: NDArray[np.int64]
    xy: NDArray[np.float64]
    score: NDArray[np.float64]
    frame: NDArray[np.int64]
    person: NDArray[np.int64]
    joint: NDArray[np.int64]

    @property
    def point(self) -> NDArray[np.int64]:
        """Return the point (n,) of each view."""
        return np.repeat(np.arange(len(self.frame)), np.diff(self.first))

    def take(self, chosen: NDArray[np.bool_], *, keep: NDArray[np.bool_] | None = None) -> "JointViews":
        """Return some of the points (P,), and of those the views to `keep` (n,)."""
        point = self.point
        rows = chosen[point] if keep is None else chosen[point] & keep
        counts = np.bincount(point[rows], minlength=len(self.frame))[chosen]
        return JointViews(
            first=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            camera=self.camera[rows],
            xy=np.ascontiguousarray(self.xy[rows]),
            score=self.score[rows],
            frame=self.frame[chosen],
            person=self.person[chosen],
            joint=self.joint[chosen],
        )


def joint_views(observed: NDArray[np.float64], *, least_score: float, least_views: int = 2) -> JointViews:
    """Return the views of people (F, C, N, J, 3) who were told apart, without joints in fewer than `least_views`."""
    by_point = np.moveaxis(observed, 1, -2)  # (F, N, J, C, 3)
    with np.errstate(invalid="ignore"):
        seen = np.isfinite(by_point[..., 0]) & np.isfinite(by_point[..., 1]) & (by_point[..., 2] >= least_score)
    frame, person, joint = np.nonzero(seen.sum(axis=-1) >= least_views)
    seen, values = seen[frame, person, joint], by_point[frame, person, joint]
    rows, camera = np.nonzero(seen)
    flat = values[rows, camera]
    return JointViews(
        first=np.concatenate([[0], np.cumsum(seen.sum(axis=1))]).astype(np.int64),
        camera=camera.astype(np.int64),
        xy=np.ascontiguousarray(flat[:, :2]),
        score=np.clip(flat[:, 2], 1e-3, 1.0),
        frame=frame.astype(np.int64),
        person=person.astype(np.int64),
        joint=joint.astype(np.int64),
    )
