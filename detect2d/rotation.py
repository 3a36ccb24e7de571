"""The rotation search of section 5.6: people upside down or lying are looked for in the turned picture.

Networks are trained on people who stand, a little tilted at most. The same network run on the turned picture sees
them standing; of each person the pose with the highest confidence is kept.
"""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from triskel.keypoints import People2D

GREY = 128
"""Fills the corners of a turned picture; it is zero in the network's input, where borders are zero as well."""

NEAR_SHARE = 0.1
"""Joints nearer than this share of the person's size fall together."""

SAME_SHARE = 0.5
"""Poses with more than this share of their joints together are of one person."""


def turned_from_image(size_wh: tuple[int, int], angle_deg: float) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """Return the affine map (2, 3), px to px, of a picture turned clockwise without cutting corners, and its size."""
    angle = np.deg2rad(angle_deg)
    c, s = np.round([np.cos(angle), np.sin(angle)], 12)
    W, H = size_wh
    turned_wh = (int(np.ceil(abs(c) * W + abs(s) * H - 1e-6)), int(np.ceil(abs(s) * W + abs(c) * H - 1e-6)))
    R = np.array([[c, -s], [s, c]])
    middle, turned_middle = (np.array(size_wh) - 1) / 2, (np.array(turned_wh) - 1) / 2
    return np.concatenate([R, (turned_middle - R @ middle)[:, None]], axis=1), turned_wh


def turn_image(image_rgb: NDArray[np.uint8], angle_deg: float) -> NDArray[np.uint8]:
    """Return an image (H, W, 3) turned clockwise on a canvas that holds all of it; right angles change no pixel."""
    quarters = angle_deg / 90
    if quarters == round(quarters):
        return np.ascontiguousarray(np.rot90(image_rgb, -round(quarters)))
    A, turned_wh = turned_from_image((image_rgb.shape[1], image_rgb.shape[0]), angle_deg)
    turned = cv2.warpAffine(image_rgb, A, turned_wh, flags=cv2.INTER_LINEAR, borderValue=(GREY, GREY, GREY))
    return np.asarray(turned, dtype=np.uint8)


def turn_back(people: People2D, image_wh: tuple[int, int], angle_deg: float) -> People2D:
    """Return people found in the turned picture in the pixels of the picture itself."""
    A, _ = turned_from_image(image_wh, angle_deg)
    keypoints = people.keypoints.copy()
    keypoints[..., :2] = (keypoints[..., :2] - A[:, 2]) @ A[:, :2]  # the inverse of R is its transpose
    return replace(people, keypoints=keypoints)


def merge_turns(found: Sequence[People2D]) -> People2D:
    """Merge the people found at several turns of one image: of each person the pose with the highest confidence.

    The confidence of a pose is the sum of its joints' scores: a mean would prefer three sure joints to a whole body.
    Two poses of different turns are of one person if more than half of the weaker one's joints lie on joints of the
    stronger one, whatever they are called: a network that sees somebody upside down takes feet for hands. People of
    one turn are never merged; the parse has told them apart.

    Args:
        found: people of each turn, in the same pixels.

    Returns:
        The people, ordered by score and size as the parse orders them.
    """
    skeleton = found[0].skeleton
    keypoints = np.concatenate([people.keypoints for people in found])
    scores = np.concatenate([people.scores for people in found])
    turn = np.repeat(np.arange(len(found)), [len(people) for people in found])
    everyone = People2D(skeleton, keypoints, scores)
    extent = everyone.boxes[:, 2:] - everyone.boxes[:, :2]
    kept: list[int] = []
    for n in np.argsort(-keypoints[..., 2].sum(axis=-1), kind="stable"):
        others = [m for m in kept if turn[m] != turn[n]]
        if not any(_together(keypoints[n], keypoints[m], extent[[n, m]]) > SAME_SHARE for m in others):
            kept.append(int(n))
    rank = scores * np.sqrt(extent.prod(axis=-1) + 1e-9)
    return everyone.take(sorted(kept, key=lambda n: -rank[n]))


def _together(weaker: NDArray[np.float64], stronger: NDArray[np.float64], extent: NDArray[np.float64]) -> float:
    """Return the share of a pose's joints (J, 3) that lie on joints of another one."""
    near = NEAR_SHARE * float(np.linalg.norm(extent, axis=-1).max())
    a, b = (pose[pose[:, 2] > 0, :2] for pose in (weaker, stronger))
    distance = np.linalg.norm(a[:, None] - b[None], axis=-1)
    return float((distance.min(axis=1) <= near).mean())
