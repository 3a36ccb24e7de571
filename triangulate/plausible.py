"""What no body does: joints metres from the rest, limbs of changing length.

A false detection that two or three cameras share passes every geometric test. A person's own body over the session does
not let it pass: such points become missing, never corrected.
"""

import numpy as np
from numpy.typing import NDArray

from triskel.keypoints import Missing, Points3D
from triskel.skeleton import Skeleton
from triskel.triangulate.fine_parts import bad_fine_points
from triskel.triangulate.medians import nanmedian
from triskel.whole_body import part_names, parts_of

FARTHEST_M = 1.5
"""How far a joint may be from the middle of its person."""

LIMB_RANGE = (0.55, 1.6)
LIMB_SLACK_M = 0.05
"""Shortest and longest a limb may appear, as a share of its median over the session; less than the slack is noise of
the ends, which on an ankle and a heel 7 cm apart says nothing."""

FEWEST_SAMPLES = 5


def drop_implausible(skeleton: Skeleton, points: Points3D, time_s: NDArray[np.float64]) -> Points3D:
    """Return the points without those that cannot belong to a body.

    Args:
        skeleton: the limbs of its body are taken to be rigid; hands and faces have rules of their own.
        points: leading shape (F, N, J).
        time_s: (F,) s.

    Returns:
        The same points; dropped ones are NaN with score 0 and no views.
    """
    body = parts_of(skeleton)["body"]
    bad = np.zeros(points.score.shape, bool)
    X = points.X[:, :, body].copy()
    X[_far_away(X)] = np.nan
    limbs = _rigid_limbs(skeleton)
    X[_bad_limbs(limbs, X, points.n_views[:, :, body], points.reproj_px[:, :, body])] = np.nan
    bad[:, :, body] = np.isnan(X[..., 0])
    points = points.without(bad, Missing.IMPLAUSIBLE)
    return points.without(bad_fine_points(skeleton, points.X, time_s), Missing.IMPLAUSIBLE)


def _far_away(X: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (F, N, J) True for joints too far from the middle of their person."""
    if not X.size:
        return np.zeros(X.shape[:-1], bool)
    return np.linalg.norm(X - nanmedian(X, axis=2)[:, :, None], axis=-1) > FARTHEST_M


def _rigid_limbs(skeleton: Skeleton) -> NDArray[np.intp]:
    """Return the limbs (L, 2) of the body that keep their length: those drawn, and the soles of the feet."""
    parts = part_names(skeleton)
    limbs = [limb for limb in skeleton.limbs if parts[limb[0]] == parts[limb[1]] == "body"]
    soles = [(f"{side}Heel", f"{side}BigToe") for side in "LR"]
    limbs += [(skeleton.index(a), skeleton.index(b)) for a, b in soles if {a, b} <= set(skeleton.joints)]
    return np.array(limbs, dtype=np.intp).reshape(-1, 2)


def _bad_limbs(
    limbs: NDArray[np.intp], X: NDArray[np.float64], n_views: NDArray[np.int64], error_px: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return (F, N, J) True for the worse end of each limb of impossible length."""
    bad = np.zeros(X.shape[:-1], bool)
    if not X.size or not len(limbs):
        return bad
    lengths = np.linalg.norm(X[:, :, limbs[:, 0]] - X[:, :, limbs[:, 1]], axis=-1)
    typical = nanmedian(lengths, axis=0)
    enough = np.isfinite(lengths).sum(axis=0) >= FEWEST_SAMPLES
    wrong = enough & ((lengths < LIMB_RANGE[0] * typical) | (lengths > LIMB_RANGE[1] * typical))
    wrong &= np.abs(lengths - typical) > LIMB_SLACK_M
    blame = np.zeros(X.shape[:-1])
    for (a, b), at_fault in zip(limbs, np.moveaxis(wrong, -1, 0), strict=True):
        blame[:, :, a] += at_fault
        blame[:, :, b] += at_fault
    # Of two ends equally often at fault the one seen worse goes: fewer views, then the larger error.
    worse = blame - 0.1 * n_views + 1e-4 * np.nan_to_num(error_px)
    for (a, b), at_fault in zip(limbs, np.moveaxis(wrong, -1, 0), strict=True):
        a_worse = worse[:, :, a] > worse[:, :, b]
        bad[:, :, a] |= at_fault & a_worse
        bad[:, :, b] |= at_fault & ~a_worse
    return bad
