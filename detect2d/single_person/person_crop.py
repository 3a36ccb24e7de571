"""Where a person is, whole and upright: the square that a network for one person wants, out of the joints found so far.

The square is centred on the middle of the hips, its upward side points along the spine, and it holds the body with
arms and legs stretched. Where hips were not found they are estimated from the shoulders and the head, because the
network still expects them in the middle: a bust is then seen in the upper half of the square.
"""

import numpy as np
from numpy.typing import NDArray

from triskel.detect2d.crops import Crops
from triskel.skeleton import Skeleton

REACH = 1.65
"""Distance from the hips to the top of the head or the soles, in lengths of the torso (neck to hips), a little less
than a body measures: what is seen of a person decides where it is more, and a tighter square shows it larger (AP 41.6
against 41.3 with 1.8)."""

MARGIN = 1.25
"""How much larger the square is than the circle around hips with that reach; what the network was trained with."""

SMALLEST_PX = 16.0
"""Of a smaller square there is nothing to see that the body network has not seen."""

# Rough proportions of an upright adult, in lengths of the torso: a square a little too large or small does no harm.
_SHOULDERS, _NOSE_TO_NECK, _FACE_WIDTH, _NECK_TO_EYES = 0.83, 0.53, 0.31, 0.5


def person_crops(
    keypoints: NDArray[np.float64], skeleton: Skeleton, image: NDArray[np.intp]
) -> tuple[Crops, NDArray[np.intp]]:
    """Return the square around each person, and whose it is.

    Args:
        keypoints: (N, J, 3) px and score; NaN = missing.
        skeleton: names the joints; those of bodies are used, by name.
        image: (N,) which image each person is in.

    Returns:
        The squares, and the place (B,) of each one's person. Those of whom too little was found have none.
    """
    xy = {name: keypoints[:, skeleton.index(name), :2] for name in skeleton.joints}
    missing = np.full((len(keypoints), 2), np.nan)

    def joint(*names: str) -> NDArray[np.float64]:
        return _middle(*(xy.get(name, missing) for name in names))

    neck = _first(joint("Neck"), joint("LShoulder", "RShoulder"))
    hips = _first(joint("MidHip"), joint("LHip", "RHip"))
    head = _first(joint("Nose"), joint("LEye", "REye", "LEar", "REar"), joint("Head"))
    shoulders = _distance(xy.get("LShoulder", missing), xy.get("RShoulder", missing))
    face = np.nanmax(
        np.stack(
            [_distance(xy.get(f"L{n}", missing), xy.get(f"R{n}", missing)) * k for n, k in (("Ear", 1), ("Eye", 2))]
        ),
        axis=0,
        initial=0,
    )
    # Two of the three lengths may be foreshortened; none is ever seen longer than it is.
    spine = np.nan_to_num(_distance(neck, hips))
    torso = np.fmax(spine, np.nan_to_num(shoulders) / _SHOULDERS)
    head_length = np.nan_to_num(_distance(head, neck)) / _NOSE_TO_NECK
    torso = np.where(spine > 0, torso, np.fmax(torso, head_length))
    # Of a face alone little can be said of the body, so it speaks only where nothing else does.
    torso = np.where(torso > 0, torso, face / _FACE_WIDTH)
    up = _unit(_first(neck - hips, head - neck, head - hips))
    centre = _first(
        hips, neck - up * torso[:, None], head - up * (1 + _NECK_TO_EYES) * torso[:, None], joint_mean(keypoints)
    )
    farthest = np.nanmax(np.linalg.norm(keypoints[..., :2] - centre[:, None], axis=-1), axis=1, initial=0)
    side = 2 * MARGIN * np.fmax(REACH * torso, farthest)
    some = np.flatnonzero(np.isfinite(centre).all(axis=1) & (side >= SMALLEST_PX))
    angle = np.arctan2(up[:, 0], -up[:, 1])
    return Crops.upright(image[some], centre[some], side[some], angle_rad=angle[some]), some


def joint_mean(keypoints: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the middle (N, 2) of the joints found, NaN for none."""
    return _middle(*np.moveaxis(keypoints[..., :2], 1, 0))


def _middle(*points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean (N, 2) of those points that are there."""
    stacked = np.stack(points)
    count = np.isfinite(stacked).sum(axis=0)
    return np.where(count > 0, np.nansum(stacked, axis=0) / np.maximum(count, 1), np.nan)


def _first(*points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the first of the points (N, 2) that is there."""
    found = points[0]
    for other in points[1:]:
        found = np.where(np.isfinite(found).all(axis=1, keepdims=True), found, other)
    return found


def _distance(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(a - b, axis=-1))


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return directions (N, 2); upwards where there is none."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    known = np.isfinite(length) & (length > 1)
    return np.where(known, np.nan_to_num(vectors) / np.where(known, length, 1), (0.0, -1.0))
