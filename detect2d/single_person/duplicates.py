"""One person found twice: two fragments of somebody can both grow into the whole when they are looked at again."""

import numpy as np
from numpy.typing import NDArray

from triskel.keypoints import People2D

MOST_ALIKE = 0.6
"""Mean similarity of the joints from which on two people are taken for one."""

LEAST_SHARED = 6


def unlike(people: People2D) -> NDArray[np.intp]:
    """Return the people (M,) of an image without those that are a better one's double, best first.

    Similarity is COCO's object keypoint similarity of the joints that both have, relative to the smaller of the two.

    Args:
        people: of a skeleton with sigmas.
    """
    assert people.skeleton.sigmas is not None, "similarity needs the joints' sigmas"
    spread = 2 * np.array(people.skeleton.sigmas)
    boxes = people.boxes
    # A person fills about half of the box, as where labels have a box and no outline.
    areas = 0.53 * np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    kept: list[int] = []
    for i in np.argsort(-people.scores, kind="stable"):
        if not any(_alike(people, int(i), k, float(min(areas[i], areas[k])), spread) for k in kept):
            kept.append(int(i))
    return np.array(kept, dtype=np.intp)


def _alike(people: People2D, a: int, b: int, area: float, spread: NDArray[np.float64]) -> bool:
    distance = np.linalg.norm(people.keypoints[a, :, :2] - people.keypoints[b, :, :2], axis=-1)
    shared = np.isfinite(distance)
    if shared.sum() < LEAST_SHARED or area <= 0:
        return False
    similarity = np.exp(-(distance[shared] ** 2) / (2 * area * spread[shared] ** 2))
    return float(similarity.mean()) > MOST_ALIKE
