"""Detections of a whole session to people in 3D: association, tracking, triangulation."""

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.camera import Rig
from triskel.errors import InputError
from triskel.keypoints import Missing, missing_points
from triskel.motion import Detections2D, Motion3D
from triskel.triangulate.by_part import triangulate_by_part
from triskel.triangulate.over_time import OverTimeOptions, refine_over_time, repair_motion, repair_views
from triskel.triangulate.plausible import drop_implausible
from triskel.triangulate.points import REFERENCE_PIXELS, TriangulateOptions
from triskel.triangulate.who import Track, find_people
from triskel.whole_body import parts_of


@dataclass(frozen=True, kw_only=True)
class PeopleOptions:
    """How people are found in 3D.

    Attributes:
        most_people: people kept, those with the most support over the session; None for all that are there.
        association_px: error beyond which a joint does not speak for two detections being one person, px in a
            1280 x 1024 image; wider than the bound of triangulation, since hypotheses come from two views only.
        least_seen_s: a person is seen for at least this time in all, s; false detections agree for moments only.
        points: how each joint is triangulated; an automatic bound is found for body, hands and face separately.
        over_time: what is done with them then.
    """

    most_people: int | None = None
    association_px: float = 60.0
    least_seen_s: float = 0.25
    points: TriangulateOptions = field(default_factory=TriangulateOptions)
    over_time: OverTimeOptions = field(default_factory=OverTimeOptions)

    def __post_init__(self) -> None:
        if self.most_people is not None and self.most_people < 1:
            raise ValueError(f"most_people is 1 or more, or None for all, got {self.most_people}")
        if not 0 < self.association_px < float("inf"):
            raise ValueError(f"association_px is positive, got {self.association_px}")
        if not 0 <= self.least_seen_s < float("inf"):
            raise ValueError(f"least_seen_s is 0 or more seconds, got {self.least_seen_s}")


class People3D(NamedTuple):
    """People in 3D, and what they were made from.

    Attributes:
        motion: the people, after everything that was done over time.
        observed: (F, C, N, J, 3) the detection of each person in each camera, px and score; NaN, NaN, 0 for none.
        raw: the people as they were triangulated, each frame set by itself; left and right are put right already.
    """

    motion: Motion3D
    observed: NDArray[np.float64]
    raw: Motion3D

    def take(self, index: NDArray[np.intp]) -> "People3D":
        """Return the people in some of the frame sets."""

        def of(motion: Motion3D) -> Motion3D:
            return replace(motion, time_s=motion.time_s[index], points=motion.points.at(index), gap=motion.gap[index])

        return People3D(of(self.motion), self.observed[index], of(self.raw))

    def spread(self, index: NDArray[np.intp], time_s: NDArray[np.float64]) -> "People3D":
        """Return the people of some frame sets, those of `index`, among all (F,): nobody is in the others."""

        def among_all(motion: Motion3D) -> Motion3D:
            points = missing_points((len(time_s), *motion.points.score.shape[1:]), len(motion.cameras))
            gap = np.zeros(points.score.shape, bool)
            gap[index] = motion.gap
            whole: tuple[NDArray[Any], ...] = points
            for values, some in zip(whole, motion.points, strict=True):
                values[index] = some
            return replace(motion, time_s=time_s, points=points, gap=gap)

        observed = np.full((len(time_s), *self.observed.shape[1:]), np.nan)
        observed[..., 2] = 0
        observed[index] = self.observed
        return People3D(among_all(self.motion), observed, among_all(self.raw))


def triangulate_people(
    rig: Rig, detections: Detections2D, time_s: NDArray[np.float64], *, options: PeopleOptions | None = None
) -> People3D:
    """Reconstruct people from what synchronized cameras saw.

    Args:
        rig: holds the cameras of `detections`, perhaps more.
        detections: people in each image; their order means nothing across cameras and frames.
        time_s: (F,) time of each frame set, s.
        options: the defaults when None.

    Returns:
        The people that enough cameras agree on, best supported first; nobody is no error, but an empty result.

    Raises:
        ConfigError: the rig lacks a camera.
        InputError: there are fewer than two cameras, times and frames differ in number, or times do not rise.
    """
    options = options or PeopleOptions()
    time_s = np.asarray(time_s, dtype=np.float64)
    if len(detections.cameras) < 2:
        raise InputError(f"3D needs at least two cameras, got {', '.join(detections.cameras) or 'none'}")
    if len(time_s) != len(detections.keypoints):
        raise InputError(f"there are {len(detections.keypoints)} frame sets but {len(time_s)} times")
    if not np.isfinite(time_s).all() or not (np.diff(time_s) > 0).all():
        raise InputError("the times of the frame sets are finite and rise from one to the next")
    rig = rig.select(list(detections.cameras))
    tracks = _tracks(rig, detections, time_s, options)
    observed = _observed(detections, tracks)
    raw, observed = _triangulated(rig, detections, time_s, observed, options)
    points = drop_implausible(raw.skeleton, raw.points, time_s)
    there = np.zeros(points.score.shape[:2], bool)
    for n, one in enumerate(tracks):
        there[list(one), n] = True
    points = points._replace(missing=np.where(there[..., None], points.missing, np.uint8(Missing.NO_PERSON)))
    raw = replace(raw, points=points)
    return People3D(refine_over_time(raw, options.over_time), observed, raw)


def _triangulated(
    rig: Rig,
    detections: Detections2D,
    time_s: NDArray[np.float64],
    observed: NDArray[np.float64],
    options: PeopleOptions,
) -> tuple[Motion3D, NDArray[np.float64]]:
    """Return the motion of people (F, C, N, J, 3) that were told apart, and them, left and right put right in both.

    That comes before the search for what is implausible, which would take an exchanged foot for an outlier.
    """
    skeleton, by_camera = detections.skeleton, np.moveaxis(observed, 1, 0)
    points = triangulate_by_part(rig, skeleton, by_camera, options.points)
    if options.over_time.repair_swaps:
        by_camera, exchanged = repair_views(rig, skeleton, by_camera, points.X)
        if exchanged.any():
            points = triangulate_by_part(rig, skeleton, by_camera, options.points)
    ids, no_gaps = np.arange(points.score.shape[1], dtype=np.int64), np.zeros(points.score.shape, bool)
    motion = Motion3D(skeleton, detections.cameras, time_s, ids, points, no_gaps)
    observed = np.moveaxis(by_camera, 0, 1)
    if options.over_time.repair_swaps:
        motion, all_exchanged = repair_motion(motion)
        observed = np.where(all_exchanged[:, None, ..., None], observed[..., list(skeleton.flips), :], observed)
    return motion, observed


def _tracks(rig: Rig, detections: Detections2D, time_s: NDArray[np.float64], options: PeopleOptions) -> list[Track]:
    """Return the people to keep, each as the frames and detections in which they were found."""
    bound = options.association_px * np.sqrt(max(np.prod(camera.size_wh) for camera in rig) / REFERENCE_PIXELS)
    # Two of many cameras agree by chance too often; two of three are all there may be.
    least_views = max(options.points.least_views, min(3, len(rig) - 1))
    # The body alone says who is who: a hand or a face may be somebody else's, and so many points would outvote it.
    bodies = np.ascontiguousarray(detections.keypoints[..., parts_of(detections.skeleton)["body"], :])
    tracks = find_people(
        rig, bodies, time_s, bound_px=float(bound), least_views=least_views, least_seen_s=options.least_seen_s
    )
    return tracks[: options.most_people]


def _observed(detections: Detections2D, tracks: list[Track]) -> NDArray[np.float64]:
    """Return (F, C, N, J, 3) the detections that each person was found in."""
    F, C, _, J, _ = detections.keypoints.shape
    observed = np.full((F, C, len(tracks), J, 3), np.nan)
    observed[..., 2] = 0
    for n, one in enumerate(tracks):
        for f, sighting in one.items():
            for c in np.flatnonzero(sighting.members >= 0):
                observed[f, c, n] = detections.keypoints[f, c, sighting.members[c]]
    return observed
