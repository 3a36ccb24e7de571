"""Hands and faces of all people of some images: boxes out of bodies, networks, what is rejected, points in their place.

All hands of all images go through the network together, and all faces; images that follow each other in one video go
one after another, for each hand tells where to look for it in the next.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from triskel.detect2d.crops import Crops
from triskel.detect2d.parts.boxes import HandSide, PartBoxes, face_boxes, hand_boxes
from triskel.detect2d.parts.detector import PartDetector
from triskel.detect2d.parts.plausible import (
    reject_implausible_faces,
    reject_implausible_hands,
    reject_overlapping_hands,
)
from triskel.detect2d.parts.tracking import HandTracker
from triskel.detect2d.whole_body_options import WholeBodyOptions
from triskel.keypoints import People2D
from triskel.skeleton import FACE_70, HAND_21, WHOLE_BODY_135
from triskel.whole_body import Part, parts_of

Images = Sequence[NDArray[np.uint8]]
Boxes = Mapping[Part, PartBoxes]
"""Boxes of one image's people, by part."""

SIDES: tuple[HandSide, ...] = ("left_hand", "right_hand")
_PLACES = parts_of(WHOLE_BODY_135)


class HandsAndFaces:
    """Adds hands and faces to people whose bodies are known; remembers the hands of each video's last frame."""

    def __init__(self, hands: PartDetector | None, face: PartDetector | None, options: WholeBodyOptions) -> None:
        self.hands, self.face, self.options = hands, face, options
        self._tracker = HandTracker()

    def __call__(
        self,
        images_rgb: Images,
        people: Sequence[People2D],
        *,
        streams: Sequence[str] | None = None,
        boxes: Sequence[Boxes] | None = None,
    ) -> list[People2D]:
        """Return the people with their hands and faces.

        Args:
            images_rgb: (H, W, 3) uint8 each.
            people: in WHOLE_BODY_135, one entry an image; what hands and face they have is replaced.
            streams: the video each image is of, see `WholeBodyDetector`.
            boxes: where to look instead of where the bodies say, for each image by part, one box a person; NaN in one
                leaves it to the body.
        """
        keypoints = [one.keypoints.copy() for one in people]
        given = boxes if boxes is not None else [{} for _ in people]
        if self.face is not None:
            self._add_faces(self.face, images_rgb, keypoints, given)
        if self.hands is not None:
            follow = streams if self.options.track_hands else None
            if follow is not None:
                self._tracker.forget_others(follow)
            for turn in _turns(len(people), follow):
                self._add_hands(self.hands, images_rgb, keypoints, turn, follow, given)
        return [replace(one, keypoints=points) for one, points in zip(people, keypoints, strict=True)]

    def _add_faces(
        self, face: PartDetector, images_rgb: Images, keypoints: list[NDArray[np.float64]], given: Sequence[Boxes]
    ) -> None:
        boxes = [
            _preferred(face_boxes(points, WHOLE_BODY_135), one.get("face"))
            for points, one in zip(keypoints, given, strict=True)
        ]
        found = _look(face, images_rgb, [(i, one, False) for i, one in enumerate(boxes)], len(FACE_70))
        for points, faces, where in zip(keypoints, found, boxes, strict=True):
            kept = reject_implausible_faces(faces, where)
            points[:, _PLACES["face"]] = _at_least(kept, self.options.least_face_score)

    def _add_hands(
        self,
        hands: PartDetector,
        images_rgb: Images,
        keypoints: list[NDArray[np.float64]],
        turn: Sequence[int],
        streams: Sequence[str] | None,
        given: Sequence[Boxes],
    ) -> None:
        """Add the hands of the images `turn`, no two of which are of one stream."""
        wanted: list[tuple[int, PartBoxes, bool]] = []
        for i in turn:
            boxes = hand_boxes(keypoints[i], WHOLE_BODY_135)
            if streams is not None:
                boxes = self._tracker.boxes(streams[i], boxes, keypoints[i], WHOLE_BODY_135)
            # The networks know right hands; left ones are mirrored on the way in and back on the way out.
            wanted += [(i, _preferred(boxes[side], given[i].get(side)), side == "left_hand") for side in SIDES]
        found = iter(_look(hands, images_rgb, wanted, len(HAND_21)))
        for i in turn:
            both = {side: next(found) for side in SIDES}
            both = reject_implausible_hands(both, keypoints[i], WHOLE_BODY_135)
            both = reject_overlapping_hands(both)
            if streams is not None:
                self._tracker.update(streams[i], both)
            for side, hand in both.items():
                # The wrist is the body's own.
                keypoints[i][:, _PLACES[side]] = _at_least(hand[:, 1:], self.options.least_hand_score)


def _preferred(boxes: PartBoxes, given: PartBoxes | None) -> PartBoxes:
    """Return the boxes given from outside, and the body's where there is none."""
    if given is None:
        return boxes
    there = np.isfinite(given.side)
    return PartBoxes(
        np.where(there[:, None], given.centre, boxes.centre),
        np.where(there, given.side, boxes.side),
        np.where(there, given.angle_rad, boxes.angle_rad),
    )


def _turns(images: int, streams: Sequence[str] | None) -> Iterator[list[int]]:
    """Yield the images to look at together: all of them, or the next one of each stream."""
    if streams is None:
        yield list(range(images))
        return
    queues: dict[str, list[int]] = {}
    for i, stream in enumerate(streams):
        queues.setdefault(stream, []).append(i)
    for turn in range(max(map(len, queues.values()), default=0)):
        yield [queue[turn] for queue in queues.values() if turn < len(queue)]


def _look(
    detector: PartDetector, images_rgb: Images, wanted: Sequence[tuple[int, PartBoxes, bool]], points: int
) -> list[NDArray[np.float64]]:
    """Look into boxes, given as (image, one box a person, whether mirrored); return (N, points, 3) for each entry."""
    cuts = [boxes.crops(np.full(len(boxes.side), i, dtype=np.intp), mirrored=mirrored) for i, boxes, mirrored in wanted]
    found = detector(images_rgb, _join([crops for crops, _ in cuts]))
    results, start = [], 0
    for (_, boxes, _), (crops, whose) in zip(wanted, cuts, strict=True):
        one = np.full((len(boxes.side), points, 3), np.nan)
        one[..., 2] = 0
        one[whose] = found[start : start + len(crops)]
        results.append(one)
        start += len(crops)
    return results


def _join(crops: Sequence[Crops]) -> Crops:
    """Return several sets of squares as one."""
    return Crops(
        np.concatenate([np.zeros(0, np.intp), *(one.image for one in crops)]),
        np.concatenate([np.zeros((0, 2)), *(one.centre for one in crops)]),
        np.concatenate([np.zeros(0), *(one.side for one in crops)]),
        np.concatenate([np.zeros(0), *(one.angle_rad for one in crops)]),
        np.concatenate([np.zeros(0, bool), *(one.mirrored for one in crops)]),
    )


def _at_least(points: NDArray[np.float64], score: float) -> NDArray[np.float64]:
    """Return points (N, J, 3) with those below a score missing."""
    return np.where(points[..., 2:] >= max(score, 1e-9), points, (np.nan, np.nan, 0.0))
