"""Which looks are due: the persons, hands and faces that a camera should see and has not, or not as the others did."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.camera import Rig
from triskel.errors import InputError
from triskel.motion import Detections2D, Motion3D
from triskel.pipeline.feedback.expectation import (
    HandPart,
    PartsInImage,
    bodies_in_images,
    faces_in_space,
    faces_the_camera,
    hands_in_space,
    in_image,
    inside,
)
from triskel.skeleton import WHOLE_BODY_135
from triskel.triangulate import People3D
from triskel.whole_body import Part, parts_of

HANDS: tuple[HandPart, HandPart] = ("left_hand", "right_hand")
PLACES = parts_of(WHOLE_BODY_135)

FEWEST_JOINTS = 8
"""A person of whom fewer joints are known, or in the picture, is not looked for: too little says that it is the one."""

USED = 0.5
"""Share of a part's points that a camera gave to 3D from which on it saw the part."""


@dataclass(frozen=True, kw_only=True)
class FeedbackOptions:
    """What is looked for again.

    Attributes:
        people: persons whom a camera missed.
        hands: hands that it missed, or that the others did not believe.
        faces: the same of faces.
        enough_views: a hand or face that so many cameras gave to 3D needs no more.
        images: pictures held at a time.
    """

    people: bool = True
    hands: bool = True
    faces: bool = True
    enough_views: int = 4
    images: int = 16

    def __post_init__(self) -> None:
        if self.enough_views < 1 or self.images < 1:
            raise InputError(f"enough_views and images are 1 or more, got {self.enough_views} and {self.images}")


class PartPlan(NamedTuple):
    """One part of each person in each image: whether to look (F, C, N), and where, with leading shape (F, C, N)."""

    wanted: NDArray[np.bool_]
    where: PartsInImage


@dataclass(frozen=True, eq=False)
class Plan:
    """The looks that are due.

    Attributes:
        rows: (F, C, N) place of each person among the detections of each image; -1 for none.
        people: (F, C, N) persons to look for.
        bodies: (F, C, N, 25, 2) where their joints should be, px.
        parts: the hands and faces to look for; of persons who are looked for themselves too.
        trusted: (F, C, M, 2) detected hands, left and right, that 3D did not reject.
    """

    rows: NDArray[np.intp]
    people: NDArray[np.bool_]
    bodies: NDArray[np.float64]
    parts: dict[Part, PartPlan]
    trusted: NDArray[np.bool_]

    @property
    def images(self) -> NDArray[np.bool_]:
        """Return (F, C) the images in which something is due."""
        wanted = self.people.any(axis=-1)
        for part in self.parts.values():
            wanted = wanted | part.wanted.any(axis=-1)
        return np.asarray(wanted)


def make_plan(
    rig: Rig, people: People3D, detections: Detections2D, there: NDArray[np.bool_], options: FeedbackOptions
) -> Plan:
    """Compare what every camera should have seen with what it saw.

    Args:
        rig: the cameras, in the order of the detections.
        people: made of these detections.
        detections: of the first look.
        there: (F, C) True where the set has an image of the camera.
        options: what is wanted at all.
    """
    motion = people.motion
    whole = motion.skeleton.joints == WHOLE_BODY_135.joints
    rows = find_rows(people.observed, detections)
    somewhere = (rows >= 0).any(axis=1, keepdims=True) & there[..., None]
    bodies = np.moveaxis(bodies_in_images(rig, motion), 0, 1)
    in_picture = np.stack([inside(camera, bodies[:, c]) for c, camera in enumerate(rig)], axis=1)
    missed = somewhere & (rows < 0) & (in_picture.sum(axis=-1) >= FEWEST_JOINTS) & options.people
    known = (rows >= 0) | missed
    parts: dict[Part, PartPlan] = {}
    trusted = np.ones((*detections.keypoints.shape[:3], 2), bool)
    for part in PLACES if whole else ():
        if part == "body" or not (options.faces if part == "face" else options.hands):
            continue
        used = np.moveaxis(people.motion.points.views[:, :, PLACES[part]].mean(axis=2) >= USED, -1, 1)
        where, visible = _expected(rig, motion, part)
        few = used.sum(axis=1, keepdims=True) < options.enough_views
        parts[part] = PartPlan(somewhere & known & visible & ~used & few, where)
        if part in HANDS:
            f, c, n = np.nonzero((rows >= 0) & ~used)
            trusted[f, c, rows[f, c, n], HANDS.index(part)] = False
    return Plan(rows, missed, bodies, parts, trusted)


def _expected(rig: Rig, motion: Motion3D, part: Part) -> tuple[PartsInImage, NDArray[np.bool_]]:
    """Return where a part should be in every image, (F, C, N), and whether it can be seen there."""
    assert part != "body", "the body has its own joints for an expectation"
    space = faces_in_space(motion) if part == "face" else hands_in_space(motion, part)
    seen = [in_image(camera, space) for camera in rig]
    visible = [inside(camera, one.centre) & np.isfinite(one.side) for camera, one in zip(rig, seen, strict=True)]
    if part == "face":
        visible = [one & faces_the_camera(camera, space) for camera, one in zip(rig, visible, strict=True)]
    return PartsInImage(*(np.stack(arrays, axis=1) for arrays in zip(*seen, strict=True))), np.stack(visible, axis=1)


def find_rows(observed: NDArray[np.float64], detections: Detections2D) -> NDArray[np.intp]:
    """Return (F, C, N) which detection of each image is each person, -1 for none.

    The body's joints say it, each as it was detected or under the name of its mirror image: triangulation may have
    swapped left and right, or left joints out.

    Args:
        observed: (F, C, N, J, 3) the detections of each person.
        detections: of which these are.
    """
    body = parts_of(detections.skeleton)["body"]
    flips = np.array(detections.skeleton.flips)[body]
    theirs = detections.keypoints[..., :2]
    F, C, N = observed.shape[:3]
    rows = np.full((F, C, N), -1, dtype=np.intp)
    most = np.zeros((F, C, N), dtype=np.intp)
    ours = observed[..., body, :2]
    for m in range(theirs.shape[2]):
        one = theirs[:, :, m, None]
        equal = (ours == one[..., body, :]) | (ours == one[..., flips, :])
        count = equal.all(axis=-1).sum(axis=-1)
        better = count > most
        rows[better], most[better] = m, count[better]
    return rows


def put_right(detections: Detections2D, observed: NDArray[np.float64], rows: NDArray[np.intp]) -> Detections2D:
    """Return the detections with left and right as triangulation has them; it loses nothing.

    Hands are looked for by the 3D body's sides, and would be exchanged with the arms of a view that is put right later.

    Args:
        detections: F frame sets of C cameras.
        observed: (F, C, N, J, 3) each person's detection, perhaps with joints under the name of their mirror image.
        rows: which detection that is, see `find_rows`.
    """
    f, c, n = np.nonzero(rows >= 0)
    theirs, ours = detections.keypoints[f, c, rows[f, c, n]], observed[f, c, n]
    flips = list(detections.skeleton.flips)
    changed, mirrored = ~_same(ours, theirs), _same(ours, theirs[:, flips])
    # A joint that went over without its partner would be there twice, or lost.
    moved = changed.any(axis=-1) & (mirrored | ~changed).all(axis=-1) & (changed == changed[:, flips]).all(axis=-1)
    keypoints = detections.keypoints.copy()
    keypoints[f[moved], c[moved], rows[f, c, n][moved]] = ours[moved]
    return replace(detections, keypoints=keypoints)


def _same(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (..., J) True for joints (..., J, 3) that are the same, missing ones included."""
    return np.asarray(((a == b) | (np.isnan(a) & np.isnan(b))).all(axis=-1))
