"""What no hand and no face does: hands away from their wrist, long fingers, faces away from their head or bent.

The rules of `plausible` are made for bodies, metres large. A hand or a face is small, hangs on one place of the body,
and is drawn by networks that always give all their points: what is wrong with it is mostly wrong with all of it.
"""

import numpy as np
from numpy.typing import NDArray

from triskel.skeleton import Skeleton
from triskel.triangulate.medians import leaves_median, nanmedian
from triskel.whole_body import WRISTS, Part, parts_of

REACH_M = 0.30
"""How far a point may be from the part's place on the body: a long hand has 0.22 m, a chin 0.15, from places that are
a few cm off."""

PALM_M = 0.16
"""How far the middle of the five knuckles may be from the wrist, or it is another hand; in a long hand it has 0.10."""

FINGER_BONE_M = 0.09
"""Longest bone of a finger; the longest of a large hand is 0.06 m."""

FACE_REACH_M = 0.20
"""How far a point of a face may be from the face's middle; chin and temples have up to 0.12 m."""

HEAD_M = 0.20
"""How far the middle of the face may be from that of nose, eyes and ears."""

FACE_BEND_M = 0.04
"""How far a point of the face may leave its usual place among the others; a yawning chin has nearly that."""

FEWEST_POINTS = {"left_hand": 5, "right_hand": 5, "face": 10}
"""A part with fewer points is missing altogether: so few come together by chance."""

JUMP_M = 0.08
JUMP_WINDOW_S = 0.10
"""A point farther than this from its median, over this time before and after and relative to what the part hangs on,
is an outlier. A hand waved thrice a second stays below."""

FEWEST_SAMPLES = 5
ROUNDS = 4
"""Of finding a person's usual face and turning every frame's onto it; it changes little after the second."""

HEAD_JOINTS = ("Nose", "REye", "LEye", "REar", "LEar")
KNUCKLES = (0, 4, 8, 12, 16)
"""The first point of each finger among the twenty of a hand."""


def anchors(skeleton: Skeleton, X: NDArray[np.float64]) -> dict[Part, NDArray[np.float64]]:
    """Return where on the body (..., J, 3) each fine part hangs, (..., 3): the wrists, the middle of the head.

    NaN where that is missing; empty for a skeleton without fine parts.
    """
    found: dict[Part, NDArray[np.float64]] = {}
    for part in parts_of(skeleton):
        if part == "face":
            found[part] = nanmedian(X[..., [skeleton.index(name) for name in HEAD_JOINTS], :], axis=-2)
        elif part != "body":
            found[part] = X[..., WRISTS[part], :]
    return found


def bad_fine_points(skeleton: Skeleton, X: NDArray[np.float64], time_s: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (F, N, J) True for points of hands and faces that cannot belong to this person's.

    A part whose place on the body is unknown goes altogether: nothing says whose it is.

    Args:
        skeleton: names the J joints; without fine parts nothing is bad.
        X: (F, N, J, 3) m, the body's own outliers already missing.
        time_s: (F,) s.
    """
    bad = np.zeros(X.shape[:-1], bool)
    if not X.size:
        return bad
    parts = parts_of(skeleton)
    for part, anchor in anchors(skeleton, X).items():
        points = X[:, :, parts[part]].copy()
        seen = np.isfinite(points[..., 0])
        if part == "face":
            points[_off_the_face(points, anchor)] = np.nan
            points[_bent(points)] = np.nan
        else:
            points[_off_the_hand(points, anchor)] = np.nan
        points[leaves_median(points - anchor[:, :, None], time_s, JUMP_M, JUMP_WINDOW_S)] = np.nan
        few = np.isfinite(points[..., 0]).sum(axis=-1) < FEWEST_POINTS[part]
        points[few] = np.nan
        bad[:, :, parts[part]] = seen & np.isnan(points[..., 0])
    return bad


def _off_the_hand(points: NDArray[np.float64], wrist: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (F, N, 20) True for hands that are not at the wrist, and for what is too far from wrist or own finger."""
    distance = np.linalg.norm(points - wrist[:, :, None], axis=-1)
    # A comparison with NaN is false, so what has no wrist is bad.
    bad = ~(distance <= REACH_M)
    bad |= (nanmedian(distance[..., KNUCKLES], axis=-1) > PALM_M)[..., None]
    for first in KNUCKLES:
        finger = points[:, :, first : first + 4]
        lengths = np.linalg.norm(np.diff(finger, axis=2), axis=-1)
        # Outwards: what hangs on a bone that cannot be hangs in the air.
        bad[:, :, first + 1 : first + 4] |= np.logical_or.accumulate(lengths > FINGER_BONE_M, axis=-1)
    return bad


def _off_the_face(points: NDArray[np.float64], head: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (F, N, 70) True for faces that are not at the head, and for points too far from the face's middle."""
    middle = nanmedian(points, axis=2)
    elsewhere = ~(np.linalg.norm(middle - head, axis=-1) <= HEAD_M)
    return np.asarray((np.linalg.norm(points - middle[:, :, None], axis=-1) > FACE_REACH_M) | elsewhere[..., None])


def _bent(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (F, N, P) True for points away from where the person's face, over the session, has them."""
    bad = np.zeros(points.shape[:-1], bool)
    for n in range(points.shape[1]):
        X = points[:, n]
        seen = np.isfinite(X[..., 0])
        usual = X[int(seen.sum(axis=-1).argmax())]
        weight = seen
        for _ in range(ROUNDS):
            turned = _turned_onto(usual, X, weight)
            middle = nanmedian(turned, axis=0)
            usual = np.where((seen.sum(axis=0) >= FEWEST_SAMPLES)[:, None], middle, np.nan)
            away_m = np.linalg.norm(turned - usual, axis=-1)
            # What is out of place must not turn the rest of the face.
            weight = seen & (away_m <= FACE_BEND_M)
        bad[:, n] = away_m > FACE_BEND_M
    return bad


def _turned_onto(usual: NDArray[np.float64], X: NDArray[np.float64], weight: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return points (F, P, 3) moved rigidly so that those of `weight` (F, P) are nearest to `usual` (P, 3).

    Least squares by singular values (Kabsch 1976).
    """
    w = (weight & np.isfinite(usual[:, 0]))[..., None].astype(np.float64)
    total = np.maximum(w.sum(axis=1, keepdims=True), 1)
    here, there = np.nan_to_num(X), np.nan_to_num(usual)
    from_middle, to_middle = (
        (w * here).sum(axis=1, keepdims=True) / total,
        (w * there).sum(axis=1, keepdims=True) / total,
    )
    U, _, Vt = np.linalg.svd(np.swapaxes(w * (here - from_middle), 1, 2) @ (there - to_middle))
    U[:, :, 2] *= np.sign(np.linalg.det(U @ Vt))[:, None]
    return np.asarray((X - from_middle) @ (U @ Vt) + to_middle)
