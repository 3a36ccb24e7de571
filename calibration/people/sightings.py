"""Who is who under a rig that may be off, and which moments of a recording are worth taking."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.camera import Rig
from triskel.errors import InputError
from triskel.motion import Detections2D
from triskel.skeleton import BODY_25
from triskel.triangulate import OverTimeOptions, PeopleOptions, triangulate_people
from triskel.whole_body import parts_of

_RAW = OverTimeOptions(drop_outliers=False, longest_gap_s=0.0, filter="none", bones=False)
_CELL_M = 0.25
"""Moments in which people stand in the same cell of the floor say much the same."""


@dataclass(frozen=True, kw_only=True)
class RefineOptions:
    """How a rig is refined from people.

    Attributes:
        most_frames: frame sets used; of longer recordings those that are spread most widely.
        least_score: detections with a lower score are not used.
        association_px: how far off the rig may be, px in a 1280 x 1024 image, and people still be told apart.
        held_out: about this share of the frame sets is not used but tests the result.
        rounds: how often people are told apart again with the rig as it became.
        focal: also refine the focal length of every camera by one factor. Needs people near and far.
        most_blocks: parts into which a recording is cut to look for drift; 1 does not look.
    """

    most_frames: int = 400
    least_score: float = 0.1
    association_px: float = 120.0
    held_out: float = 0.34
    rounds: int = 3
    focal: bool = False
    most_blocks: int = 8

    def __post_init__(self) -> None:
        if self.most_frames < 10:
            raise InputError(f"most_frames is 10 or more, got {self.most_frames}")
        if not 0 <= self.least_score < 1:
            raise InputError(f"least_score is at least 0 and below 1, got {self.least_score}")
        if not 0 < self.association_px < float("inf"):
            raise InputError(f"association_px is positive, got {self.association_px}")
        if not 0 <= self.held_out <= 0.5:
            raise InputError(f"held_out is 0 to 0.5, got {self.held_out}")
        if self.rounds < 1 or self.most_blocks < 1:
            raise InputError(f"rounds and most_blocks are 1 or more, got {self.rounds} and {self.most_blocks}")


class Sightings(NamedTuple):
    """Bodies in the frame sets that are used.

    Attributes:
        detections: of the body alone.
        time_s: (F,) of each frame set, s.
        frames: (F,) which frame sets of the recording these are.
    """

    detections: Detections2D
    time_s: NDArray[np.float64]
    frames: NDArray[np.int64]

    def take(self, index: NDArray[np.int64]) -> "Sightings":
        """Return those of some frame sets."""
        seen = self.detections
        part = Detections2D(seen.skeleton, seen.cameras, seen.keypoints[index])
        return Sightings(part, self.time_s[index], self.frames[index])


def body_sightings(rig: Rig, detections: Detections2D, time_s: NDArray[np.float64]) -> Sightings:
    """Check what was given and return the bodies in the frame sets in which two cameras or more saw somebody.

    Raises:
        InputError: cameras, times or detections do not fit, or nobody is seen by two cameras at once.
        ConfigError: the rig lacks a camera of the detections.
    """
    rig.select(list(detections.cameras))
    time_s = np.asarray(time_s, dtype=np.float64)
    if len(detections.cameras) < 2:
        raise InputError(f"people tell cameras' poses from two cameras up, got {len(detections.cameras)}: record more")
    if time_s.shape != (len(detections.keypoints),):
        raise InputError(f"there are {len(detections.keypoints)} frame sets but {time_s.size} times: give one each")
    if not np.isfinite(time_s).all() or not (np.diff(time_s) > 0).all():
        raise InputError("the times of the frame sets are finite and rise from one to the next: correct time_s")
    body = parts_of(detections.skeleton)["body"]
    keypoints = np.array(detections.keypoints[:, :, :, body], order="C")
    keypoints[~np.isfinite(keypoints).all(axis=-1)] = (np.nan, np.nan, 0.0)
    skeleton = detections.skeleton if len(body) == len(detections.skeleton) else BODY_25
    detections = Detections2D(skeleton, detections.cameras, keypoints)
    together = np.flatnonzero((keypoints[..., 2] > 0).any(axis=(2, 3)).sum(axis=1) >= 2)
    if not len(together):
        raise InputError("nobody is seen by two cameras at once: let people walk where the cameras look, all recording")
    return Sightings(detections, time_s, np.arange(len(time_s), dtype=np.int64)).take(together)


def tell_apart(rig: Rig, sightings: Sightings, options: RefineOptions) -> NDArray[np.float64]:
    """Return the people (F, C, N, J, 3) told apart with a rig that may be off, left and right put right."""
    seconds = float(sightings.time_s[-1] - sightings.time_s[0]) if len(sightings.time_s) > 1 else 0.0
    how = PeopleOptions(association_px=options.association_px, least_seen_s=min(0.25, 0.1 * seconds), over_time=_RAW)
    return triangulate_people(rig, sightings.detections, sightings.time_s, options=how).observed


def evenly(sightings: Sightings, most: int) -> Sightings:
    """Return at most so many frame sets, evenly spread over the recording."""
    n = len(sightings.frames)
    if n <= most:
        return sightings
    return sightings.take(np.unique(np.linspace(0, n - 1, most).round().astype(np.int64)))


def widely(X: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Return at most so many frame sets, ascending, in which people (F, N, J, 3) stand in as many places as possible.

    Whoever stands still for an hour and then walks for a minute is used in walking too.
    """
    n = len(X)
    if n <= most:
        return np.arange(n)
    with np.errstate(invalid="ignore"):
        there = np.isfinite(X[..., 0])
    middle = np.where(there[..., None], X, 0).sum(axis=2) / np.maximum(there.sum(axis=2), 1)[..., None]
    first = np.argmax(there.any(axis=2), axis=1)  # of the people in a set, the first stands for all
    cell = np.floor(middle[np.arange(n), first] / _CELL_M).astype(np.int64)
    cell[~there.any(axis=(1, 2))] = np.iinfo(np.int64).min
    label = np.unique(cell, axis=0, return_inverse=True)[1].reshape(-1)
    order = np.random.default_rng(0).permutation(n)
    rank = np.empty(n, np.int64)
    for one in np.unique(label):
        inside = order[label[order] == one]
        rank[inside] = np.arange(len(inside))
    return np.sort(np.lexsort((order, rank))[:most])
