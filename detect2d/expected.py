"""A look where somebody is expected: a 3D model of the people, made from all cameras, says what this one should see.

The network for one person, and those of hands and faces, need no body network before them but a square. Where that one
missed a person, or was wrong about an arm, the other cameras know the square. Nothing here takes over an expectation:
what is returned was seen in the image, and the expectation only says where to look and what to refuse.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.detect2d.parts import (
    HandDetector,
    HandLimits,
    HandOptions,
    PartBoxes,
    PartDetector,
    reject_implausible_faces,
)
from triskel.detect2d.parts.plausible import hand_extent
from triskel.detect2d.single_person import BlazePose, person_crops
from triskel.errors import InputError
from triskel.skeleton import BODY_25

Images = Sequence[NDArray[np.uint8]]

EXPECTED_HAND = HandOptions(first_scales=(0.5, 0.65, 1.0), least_presence=0.2, least_side=0.3)
"""How MediaPipe's network looks for a hand whose place, size and side are known: tighter squares first, and hands that
it is less sure of. With the usual thresholds Demo_SinglePerson had ten points or more of both hands in 75 % of its
frames before gaps were filled, with these in 87 %, and the fingers' bones were no less steady."""


class ExpectedPeople(NamedTuple):
    """B people who should be in some of the images.

    Attributes:
        image: (B,) which image each is in.
        xy: (B, 25, 2) where its joints should be, px; NaN where unknown.
    """

    image: NDArray[np.intp]
    xy: NDArray[np.float64]


class ExpectedHands(NamedTuple):
    """B hands that should be in some of the images.

    Attributes:
        image: (B,) which image each is in.
        boxes: where to look for each, of the size that `hand_boxes` gives.
        left: (B,) True for left hands.
        wrist: (B, 2) where its wrist should be, px.
    """

    image: NDArray[np.intp]
    boxes: PartBoxes
    left: NDArray[np.bool_]
    wrist: NDArray[np.float64]


class ExpectedFaces(NamedTuple):
    """B faces that should be in some of the images: which image (B,) each is in, and the boxes to look into."""

    image: NDArray[np.intp]
    boxes: PartBoxes


@dataclass(frozen=True, kw_only=True)
class ExpectedOptions:
    """When what was found is what was expected.

    Attributes:
        least_presence: probability of a person in the square below which nobody is there.
        agreement: distance within which a joint is where it was expected, in lengths from the hips to the top of the
            stretched body.
        least_share: share of the joints that are in the picture and were expected of which that holds, or it is
            somebody else.
        least_joints: number of such joints.
        least_visibility: a joint that is less probably visible is missing.
    """

    least_presence: float = 0.5
    agreement: float = 0.15
    least_share: float = 0.7
    least_joints: int = 5
    least_visibility: float = 0.05

    def __post_init__(self) -> None:
        for name in ("least_presence", "least_share", "least_visibility"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is 0 to 1, got {getattr(self, name)}")
        if not self.agreement > 0:
            raise InputError(f"agreement is above 0, got {self.agreement}")


def find_expected_people(
    pose: BlazePose, images_rgb: Images, expected: ExpectedPeople, *, options: ExpectedOptions | None = None
) -> NDArray[np.float64]:
    """Look for people with the network for one person.

    Args:
        pose: the network.
        images_rgb: (H, W, 3) uint8 each.
        expected: whom to look for.
        options: what passes for them; the defaults when None.

    Returns:
        (B, 25, 3) px and score of BODY_25; NaN, NaN, 0 for joints that are not seen, and for all of a person who is not
        there, or not where expected: that may be a neighbour. A score is half the visibility, as where the second look
        finds what the body network did not.
    """
    options = options or ExpectedOptions()
    found = np.full((len(expected.image), len(BODY_25), 3), (np.nan, np.nan, 0.0))
    known = np.isfinite(expected.xy[..., :1])
    crops, whose = person_crops(np.concatenate([expected.xy, known], axis=-1), BODY_25, expected.image)
    if not len(crops):
        return found
    poses = pose(images_rgb, crops)
    size_wh = np.array([(images_rgb[i].shape[1], images_rgb[i].shape[0]) for i in crops.image])[:, None]
    inside = ((poses.xy >= -0.5) & (poses.xy < size_wh - 0.5)).all(axis=-1)
    seen = inside & (poses.visibility >= options.least_visibility)
    distance = np.linalg.norm(poses.xy - expected.xy[whose], axis=-1) / poses.reach[:, None]
    compared = inside & np.isfinite(distance)
    agreeing = (compared & (distance <= options.agreement)).sum(axis=1)
    there = (poses.presence >= options.least_presence) & (agreeing >= options.least_joints)
    there &= agreeing >= options.least_share * compared.sum(axis=1)
    keypoints = np.concatenate([poses.xy, 0.5 * poses.visibility[..., None]], axis=-1)
    found[whose] = np.where((seen & there[:, None])[..., None], keypoints, (np.nan, np.nan, 0.0))
    return found


def find_expected_hands(
    hands: PartDetector, images_rgb: Images, expected: ExpectedHands, *, limits: HandLimits | None = None
) -> NDArray[np.float64]:
    """Look for hands, and refuse those that are not at their wrist or not of a hand's size.

    Args:
        hands: what looks; MediaPipe's network with `EXPECTED_HAND` in place of its own options.
        images_rgb: (H, W, 3) uint8 each.
        expected: what to look for.
        limits: what is at the wrist, and what a hand's size; the defaults when None.

    Returns:
        (B, 21, 3) px and score; NaN, NaN, 0 where missing or refused.
    """
    limits = limits or HandLimits()
    if isinstance(hands, HandDetector):
        hands = HandDetector(hands.network, EXPECTED_HAND)
    found = np.full((len(expected.image), 21, 3), (np.nan, np.nan, 0.0))
    if not len(found):
        return found
    crops, whose = expected.boxes.crops(expected.image)
    crops.mirrored[:] = expected.left[whose]
    found[whose] = hands(images_rgb, crops)
    side = expected.boxes.side
    size = hand_extent(found)
    far = np.linalg.norm(found[:, 0, :2] - expected.wrist, axis=-1) > limits.most_wrist * side
    wrong = far | (size < limits.least_size * side) | (size > limits.most_size * side)
    return np.where(wrong[:, None, None], (np.nan, np.nan, 0.0), found)


def find_expected_faces(face: PartDetector, images_rgb: Images, expected: ExpectedFaces) -> NDArray[np.float64]:
    """Look for faces, and refuse those that are not in their box.

    Args:
        face: what looks.
        images_rgb: (H, W, 3) uint8 each.
        expected: what to look for.

    Returns:
        (B, 70, 3) px and score; NaN, NaN, 0 where missing or refused.
    """
    found = np.full((len(expected.image), 70, 3), (np.nan, np.nan, 0.0))
    if len(found):
        crops, whose = expected.boxes.crops(expected.image)
        found[whose] = face(images_rgb, crops)
    return reject_implausible_faces(found, expected.boxes)
