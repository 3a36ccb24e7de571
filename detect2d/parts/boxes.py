"""Where hands and faces are, by the joints of the body around them.

The rules and their numbers are OpenPose's, so that its networks see what they were trained on. A box is a square; what
has no box has NaN in all three numbers.
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.detect2d.crops import Crops
from triskel.skeleton import Skeleton

HandSide = Literal["left_hand", "right_hand"]

LEAST_ARM_SCORE = 0.03
LEAST_HEAD_SCORE = 0.25
SMALLEST_HAND_PX = 1.0
SMALLEST_HAND_AREA_PX = 10.0
SMALLEST_FACE_PX = 40.0
MOST_TILT_RAD = np.pi / 3


class PartBoxes(NamedTuple):
    """One box a person; NaN where there is none.

    Attributes:
        centre: (N, 2) px.
        side: (N,) px.
        angle_rad: (N,) clockwise turn of the part's upward axis: see `forearm_angle` and `face_angle`.
    """

    centre: NDArray[np.float64]
    side: NDArray[np.float64]
    angle_rad: NDArray[np.float64]

    def crops(self, image: NDArray[np.intp], *, mirrored: bool = False) -> tuple[Crops, NDArray[np.intp]]:
        """Return the squares to cut out, and whose (B,) they are.

        Args:
            image: (N,) which image each person is in.
            mirrored: True for left hands: the networks know right ones.
        """
        some = np.flatnonzero(np.isfinite(self.side))
        angle = self.angle_rad[some]
        return Crops.upright(image[some], self.centre[some], self.side[some], angle_rad=angle, mirrored=mirrored), some


def hand_boxes(keypoints: NDArray[np.float64], skeleton: Skeleton) -> dict[HandSide, PartBoxes]:
    """Return the boxes of both hands: beyond the wrist, as the forearm points.

    A hand needs wrist, elbow and shoulder. Left and right are the person's own, by the names of the joints.

    Args:
        keypoints: (N, J, 3) px and score.
        skeleton: names the joints; without arms there are no boxes.
    """
    boxes: dict[HandSide, PartBoxes] = {}
    angles = forearm_angle(keypoints, skeleton)
    sides: tuple[tuple[HandSide, str], ...] = (("left_hand", "L"), ("right_hand", "R"))
    for part, letter in sides:
        names = (f"{letter}{joint}" for joint in ("Wrist", "Elbow", "Shoulder"))
        wrist, elbow, shoulder = (joint_xy(keypoints, skeleton, name, LEAST_ARM_SCORE) for name in names)
        centre = wrist + 0.33 * (wrist - elbow)
        side = 1.5 * np.maximum(_distance(wrist, elbow), 0.9 * _distance(elbow, shoulder))
        boxes[part] = _kept(centre, side, angles[part], (side > SMALLEST_HAND_PX) & (side**2 > SMALLEST_HAND_AREA_PX))
    return boxes


def face_boxes(
    keypoints: NDArray[np.float64], skeleton: Skeleton, *, least_side_px: float = SMALLEST_FACE_PX
) -> PartBoxes:
    """Return the boxes of the faces: the mean of what neck and nose, eyes, ears, or the head's top say.

    Args:
        keypoints: (N, J, 3) px and score.
        skeleton: names the joints; without a head there are no boxes.
        least_side_px: a box must be larger than this; OpenPose's number unless given.
    """
    names = ("Neck", "Nose", "LEye", "REye", "LEar", "REar", "Head")
    neck, nose, l_eye, r_eye, l_ear, r_ear, head = (
        joint_xy(keypoints, skeleton, name, LEAST_HEAD_SCORE) for name in names
    )
    estimates = [
        (_middle(neck, nose), 2 * _distance(neck, nose)),
        (_middle(l_eye, r_eye), 3 * _distance(l_eye, r_eye)),
        (_middle(l_ear, r_ear), 2 * _distance(l_ear, r_ear)),
        (np.where(np.isfinite(neck), head, np.nan), 1.33 * _distance(head, neck)),
    ]
    # In profile neck and nose alone would put the box on the throat.
    left = [_found(l_eye) & _found(l_ear), ~(_found(l_eye) | _found(l_ear))]
    right = [_found(r_eye) & _found(r_ear), ~(_found(r_eye) | _found(r_ear))]
    for profile, eye, ear in ((left[0] & right[1], l_eye, l_ear), (right[0] & left[1], r_eye, r_ear)):
        centre, side = estimates[0]
        size = 0.85 * (_distance(nose, eye) + _distance(nose, ear) + _distance(neck, nose))
        seen = profile & np.isfinite(size)
        estimates[0] = (
            np.where(seen[:, None], (eye + ear + nose) / 3, centre),
            np.where(seen, size, side),
        )
    centres, sides = np.stack([c for c, _ in estimates]), np.stack([s for _, s in estimates])
    count = np.isfinite(sides).sum(axis=0)
    divisor = np.where(count > 0, count, np.nan)
    centre, side = np.nansum(centres, axis=0) / divisor[:, None], np.nansum(sides, axis=0) / divisor
    return _kept(centre, side, face_angle(keypoints, skeleton), side > least_side_px)


def forearm_angle(keypoints: NDArray[np.float64], skeleton: Skeleton) -> dict[HandSide, NDArray[np.float64]]:
    """Return the turn (N,) rad at which each forearm, from the elbow to the wrist, points up; 0 where it is unknown."""
    angles: dict[HandSide, NDArray[np.float64]] = {}
    sides: tuple[tuple[HandSide, str], ...] = (("left_hand", "L"), ("right_hand", "R"))
    for part, letter in sides:
        wrist = joint_xy(keypoints, skeleton, f"{letter}Wrist", LEAST_ARM_SCORE)
        angles[part] = upward_angle(wrist - joint_xy(keypoints, skeleton, f"{letter}Elbow", LEAST_ARM_SCORE))
    return angles


def face_angle(keypoints: NDArray[np.float64], skeleton: Skeleton) -> NDArray[np.float64]:
    """Return the turn (N,) rad at which each face is upright.

    The line of the eyes says it, else that of the ears, else the direction from the neck to nose or head; 0 where none
    is there. From the right to the left eye is to the right in the image, because the face looks at the camera; in
    profile and from behind that line says nothing, so it must agree with the direction from the neck to within 60
    degrees where that is known.
    """

    def joint(name: str) -> NDArray[np.float64]:
        return joint_xy(keypoints, skeleton, name, LEAST_HEAD_SCORE)

    ups = [joint("Nose") - joint("Neck"), joint("Head") - joint("Neck")]
    up = np.where(np.isfinite(ups[0]).all(axis=-1, keepdims=True), ups[0], ups[1])
    level = np.where(np.isfinite(up).all(axis=-1), upward_angle(up), np.nan)
    angle = np.full(len(keypoints), np.nan)
    for across in (joint("LEye") - joint("REye"), joint("LEar") - joint("REar")):
        said = np.arctan2(across[:, 1], across[:, 0])
        apart = np.abs((said - level + np.pi) % (2 * np.pi) - np.pi)
        known = np.isfinite(across).all(axis=-1) & (np.linalg.norm(across, axis=-1) > 0) & ~(apart > MOST_TILT_RAD)
        angle = np.where(np.isnan(angle) & known, said, angle)
    return np.nan_to_num(np.where(np.isnan(angle), level, angle))


def upward_angle(up: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the clockwise turn (N,) rad that brings the image's upward direction onto `up` (N, 2); 0 for NaN."""
    return np.nan_to_num(np.arctan2(up[:, 0], -up[:, 1]))


def joint_xy(keypoints: NDArray[np.float64], skeleton: Skeleton, name: str, least_score: float) -> NDArray[np.float64]:
    """Return one joint (N, 2); NaN where its score is not above `least_score` or the skeleton lacks it."""
    if name not in skeleton.joints:
        return np.full((len(keypoints), 2), np.nan)
    joint = keypoints[:, skeleton.index(name)]
    return np.where(joint[:, 2:] > least_score, joint[:, :2], np.nan)


def _kept(
    centre: NDArray[np.float64], side: NDArray[np.float64], angle: NDArray[np.float64], keep: NDArray[np.bool_]
) -> PartBoxes:
    return PartBoxes(
        np.where(keep[:, None], centre, np.nan), np.where(keep, side, np.nan), np.where(keep, angle, np.nan)
    )


def _middle(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return (a + b) / 2


def _distance(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(a - b, axis=-1))


def _found(xy: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(xy).all(axis=-1))
