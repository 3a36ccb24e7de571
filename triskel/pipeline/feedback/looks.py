"""The looks themselves: crops of one batch of images through the networks, and what they find into the detections."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.detect2d import WholeBodyDetector
from triskel.detect2d.expected import (
    ExpectedFaces,
    ExpectedHands,
    ExpectedPeople,
    find_expected_faces,
    find_expected_hands,
    find_expected_people,
)
from triskel.detect2d.parts import PartBoxes
from triskel.detect2d.parts.plausible import on_one_hand
from triskel.detect2d.single_person import unlike
from triskel.keypoints import People2D
from triskel.motion import Detections2D
from triskel.pipeline.feedback.expectation import HandPart
from triskel.pipeline.feedback.plan import HANDS, PLACES, Plan
from triskel.skeleton import BODY_25
from triskel.whole_body import Part, parts_of

Images = Sequence[NDArray[np.uint8]]
MISSING = (np.nan, np.nan, 0.0)


class _Due(NamedTuple):
    """B looks that are due in a batch: which of its images, that one's frame set and camera, and which person."""

    image: NDArray[np.intp]
    f: NDArray[np.intp]
    c: NDArray[np.intp]
    n: NDArray[np.intp]


class Looker:
    """Takes a plan and the images, and keeps the detections that come of it.

    Attributes:
        counts: looks and finds of people, hands and faces, in that order.
    """

    def __init__(self, detector: WholeBodyDetector, detections: Detections2D, plan: Plan) -> None:
        self.detector, self.plan = detector, plan
        self.skeleton, self.cameras = detections.skeleton, detections.cameras
        self.counts = [0] * 6
        self._keypoints = detections.keypoints.copy()
        self._rows, self._trusted = plan.rows.copy(), plan.trusted.copy()

    def detections(self) -> Detections2D:
        """Return the detections as they are by now."""
        return Detections2D(self.skeleton, self.cameras, self._keypoints)

    def look(self, frames: NDArray[np.intp], cameras: NDArray[np.intp], images_rgb: Images) -> None:
        """Do what is due in these images, whose frame sets and cameras (B,) are given."""

        def due(wanted: NDArray[np.bool_]) -> _Due:
            image, n = np.nonzero(wanted[frames, cameras])
            return _Due(image, frames[image], cameras[image], n)

        self._find_people(due(self.plan.people), images_rgb)
        for part in self.plan.parts:
            # A person who was looked for in vain has no place to put a hand.
            looks = due(self.plan.parts[part].wanted & (self._rows >= 0))
            if not len(looks.image):
                continue
            if part == "face":
                self._find_faces(looks, images_rgb)
            elif part != "body":
                self._find_hands(part, looks, images_rgb)

    def _find_people(self, due: _Due, images_rgb: Images) -> None:
        if self.detector.pose is None or not len(due.image):
            return
        expected = ExpectedPeople(due.image, self.plan.bodies[due.f, due.c, due.n])
        found = find_expected_people(self.detector.pose, images_rgb, expected)
        found = self.detector.without_unwanted(found)
        self.counts[0] += len(due.image)
        for f, c, n, points in zip(due.f, due.c, due.n, found, strict=True):
            if (points[:, 2] > 0).any() and not self._known(f, c, points):
                self._rows[f, c, n] = self._add(f, c, points)
                self.counts[1] += 1

    def _known(self, f: int, c: int, points: NDArray[np.float64]) -> bool:
        """Say whether an image has that person already: as somebody else, or as one whom 3D did not want."""
        here = self._keypoints[f, c][:, parts_of(self.skeleton)["body"]]
        here = here[(here[..., 2] > 0).any(axis=-1)]
        scores = np.r_[np.ones(len(here)), 0.0]
        return len(here) not in unlike(People2D(BODY_25, np.concatenate([here, points[None]]), scores))

    def _add(self, f: int, c: int, points: NDArray[np.float64]) -> int:
        """Put a person into a free place of an image and return the place; the array grows where there is none."""
        free = np.flatnonzero(~(self._keypoints[f, c, :, :, 2] > 0).any(axis=-1))
        if not len(free):
            free = np.array([self._keypoints.shape[2]])
            more = np.full((*self._keypoints.shape[:2], 1, *self._keypoints.shape[3:]), MISSING)
            self._keypoints = np.concatenate([self._keypoints, more], axis=2)
            self._trusted = np.concatenate([self._trusted, np.ones((*self._trusted.shape[:2], 1, 2), bool)], axis=2)
        row = int(free[0])
        self._keypoints[f, c, row, parts_of(self.skeleton)["body"]] = points
        return row

    def _boxes(self, part: Part, due: _Due) -> PartBoxes:
        centre, side, angle_rad, _ = (one[due.f, due.c, due.n] for one in self.plan.parts[part].where)
        return PartBoxes(centre, side, angle_rad)

    def _find_hands(self, part: HandPart, due: _Due, images_rgb: Images) -> None:
        assert self.detector.hands is not None, "without a detector of hands none are due"
        wrist = self.plan.parts[part].where.root[due.f, due.c, due.n]
        left = np.full(len(due.image), part == "left_hand")
        expected = ExpectedHands(due.image, self._boxes(part, due), left, wrist)
        # The wrist is the body's own.
        found = find_expected_hands(self.detector.hands, images_rgb, expected)[:, 1:]
        found = _at_least(found, self.detector.parts.least_hand_score)
        self.counts[2] += len(due.image)
        rows, side = self._rows[due.f, due.c, due.n], HANDS.index(part)
        for i in np.argsort(-found[..., 2].sum(axis=1), kind="stable"):
            place = int(due.f[i]), int(due.c[i]), int(rows[i])
            if (found[i, :, 2] > 0).any() and not self._somebody_elses(place, side, found[i]):
                self._keypoints[*place, PLACES[part]] = found[i]
                self._trusted[*place, side] = True
                self.counts[3] += 1

    def _somebody_elses(self, place: tuple[int, int, int], side: int, hand: NDArray[np.float64]) -> bool:
        """Say whether a hand lies on another one of the image that 3D did not reject."""
        f, c, row = place
        others = self._trusted[f, c].copy()
        others[row, side] = False
        hands = np.stack([self._keypoints[f, c][:, PLACES[part]] for part in HANDS], axis=1)
        return any(on_one_hand(hand, other) for other in hands[others])

    def _find_faces(self, due: _Due, images_rgb: Images) -> None:
        assert self.detector.face is not None, "without a detector of faces none are due"
        expected = ExpectedFaces(due.image, self._boxes("face", due))
        found = find_expected_faces(self.detector.face, images_rgb, expected)
        found = _at_least(found, self.detector.parts.least_face_score)
        there = np.flatnonzero((found[..., 2] > 0).any(axis=1))
        f, c, rows = (one[there, None] for one in (due.f, due.c, self._rows[due.f, due.c, due.n]))
        self._keypoints[f, c, rows, PLACES["face"]] = found[there]
        self.counts[4] += len(due.image)
        self.counts[5] += len(there)


def _at_least(points: NDArray[np.float64], score: float) -> NDArray[np.float64]:
    """Return points (B, J, 3) with those below a score missing."""
    return np.where(points[..., 2:] >= max(score, 1e-9), points, MISSING)
