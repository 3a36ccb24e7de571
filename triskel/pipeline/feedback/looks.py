"""The looks themselves: crops of one batch of images through the networks, and what they find into the detections."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from triskel.keypoints import People2D
from triskel.motion import Detections2D
from triskel.pipeline.feedback.plan import HANDS, PLACES, PartPlan, Plan
from triskel.skeleton import BODY_25
from triskel.whole_body import Part, parts_of

if TYPE_CHECKING:
    from triskel.detect2d import WholeBodyDetector

MISSING = (np.nan, np.nan, 0.0)


class Looker:
    """Takes a plan and the images, and keeps the detections that come of it.

    Attributes:
        counts: looks and finds of people, hands and faces, in that order.
    """

    def __init__(self, detector: "WholeBodyDetector", detections: Detections2D, plan: Plan) -> None:
        self.detector, self.plan = detector, plan
        self.skeleton, self.cameras = detections.skeleton, detections.cameras
        self.counts = [0] * 6
        self._keypoints = detections.keypoints.copy()
        self._rows, self._trusted = plan.rows.copy(), plan.trusted.copy()

    def detections(self) -> Detections2D:
        """Return the detections as they are by now."""
        return Detections2D(self.skeleton, self.cameras, self._keypoints)

    def look(
        self, frames: NDArray[np.intp], cameras: NDArray[np.intp], images_rgb: Sequence[NDArray[np.uint8]]
    ) -> None:
        """Do what is due in these images, whose frame sets and cameras (B,) are given."""
        self._find_people(frames, cameras, images_rgb)
        for part, plan in self.plan.parts.items():
            image, n = np.nonzero(plan.wanted[frames, cameras] & (self._rows[frames, cameras] >= 0))
            if len(image):
                find = self._find_faces if part == "face" else self._find_hands
                find(part, plan, frames, cameras, image, n, images_rgb)

    def _find_people(
        self, frames: NDArray[np.intp], cameras: NDArray[np.intp], images_rgb: Sequence[NDArray[np.uint8]]
    ) -> None:
        from triskel.detect2d.expected import ExpectedPeople, find_expected_people

        image, n = np.nonzero(self.plan.people[frames, cameras])
        if self.detector.pose is None or not len(image):
            return
        expected = ExpectedPeople(image, self.plan.bodies[frames[image], cameras[image], n])
        found = find_expected_people(self.detector.pose, images_rgb, expected)
        found = self.detector.without_unwanted(found)
        self.counts[0] += len(image)
        for f, c, person, points in zip(frames[image], cameras[image], n, found, strict=True):
            if (points[:, 2] > 0).any() and not self._known(f, c, points):
                self._rows[f, c, person] = self._add(f, c, points)
                self.counts[1] += 1

    def _known(self, f: int, c: int, points: NDArray[np.float64]) -> bool:
        """Say whether an image has that person already: somebody else, or one whom 3D did not want."""
        from triskel.detect2d.single_person import unlike

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
        self._trusted[f, c, row] = False
        return row

    def _find_hands(
        self,
        part: Part,
        plan: PartPlan,
        frames: NDArray[np.intp],
        cameras: NDArray[np.intp],
        image: NDArray[np.intp],
        n: NDArray[np.intp],
        images_rgb: Sequence[NDArray[np.uint8]],
    ) -> None:
        from triskel.detect2d.expected import ExpectedHands, find_expected_hands
        from triskel.detect2d.parts import PartBoxes

        assert self.detector.hands is not None, "without a detector of hands none are due"
        f, c = frames[image], cameras[image]
        where = plan.where
        boxes = PartBoxes(where.centre[f, c, n], where.side[f, c, n], where.angle_rad[f, c, n])
        left = np.full(len(image), part == "left_hand")
        expected = ExpectedHands(image, boxes, left, where.root[f, c, n])
        found = find_expected_hands(self.detector.hands, images_rgb, expected)[:, 1:]
        found = np.where(found[..., 2:] >= max(self.detector.parts.least_hand_score, 1e-9), found, MISSING)
        self.counts[2] += len(image)
        rows, side = self._rows[f, c, n], HANDS.index(part)
        for i in np.argsort(-found[..., 2].sum(axis=1), kind="stable"):
            place = int(f[i]), int(c[i]), int(rows[i])
            if (found[i, :, 2] > 0).any() and not self._somebody_elses(place, side, found[i]):
                self._keypoints[*place, PLACES[part]] = found[i]
                self._trusted[*place, side] = True
                self.counts[3] += 1

    def _somebody_elses(self, place: tuple[int, int, int], side: int, hand: NDArray[np.float64]) -> bool:
        """Say whether a hand lies on another one of the image that 3D did not reject."""
        from triskel.detect2d.parts.plausible import on_one_hand

        f, c, row = place
        others = self._trusted[f, c].copy()
        others[row, side] = False
        hands = np.stack([self._keypoints[f, c][:, PLACES[part]] for part in HANDS], axis=1)
        return any(on_one_hand(hand, other) for other in hands[others])

    def _find_faces(
        self,
        part: Part,
        plan: PartPlan,
        frames: NDArray[np.intp],
        cameras: NDArray[np.intp],
        image: NDArray[np.intp],
        n: NDArray[np.intp],
        images_rgb: Sequence[NDArray[np.uint8]],
    ) -> None:
        from triskel.detect2d.expected import ExpectedFaces, find_expected_faces
        from triskel.detect2d.parts import PartBoxes

        assert self.detector.face is not None, "without a detector of faces none are due"
        f, c = frames[image], cameras[image]
        where = plan.where
        boxes = PartBoxes(where.centre[f, c, n], where.side[f, c, n], where.angle_rad[f, c, n])
        found = find_expected_faces(self.detector.face, images_rgb, ExpectedFaces(image, boxes))
        found = np.where(found[..., 2:] >= max(self.detector.parts.least_face_score, 1e-9), found, MISSING)
        there = np.flatnonzero((found[..., 2] > 0).any(axis=1))
        rows = self._rows[f, c, n]
        self._keypoints[f[there, None], c[there, None], rows[there, None], PLACES[part]] = found[there]
        self.counts[4] += len(image)
        self.counts[5] += len(there)
