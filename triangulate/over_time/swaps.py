"""Left and right exchanged, in one view or in space, put right."""

import numba
import numpy as np
from numpy.typing import NDArray

from triskel.camera import Rig
from triskel.keypoints import Points3D
from triskel.motion import Motion3D
from triskel.projection import project
from triskel.skeleton import Skeleton
from triskel.triangulate.medians import nanmedian
from triskel.triangulate.over_time.limb_groups import Group, limb_groups

FITS = 5.0
"""A detection fits a joint up to so many times the usual error of its camera, and no less than `FITS_PX`."""

FITS_PX = 4.0
FARTHER = 2.0
"""It is clearly the other side's if its own side is farther away by at least this factor, too."""

LONGEST_MEMORY_S = 0.5
"""A side says nothing about one seen longer ago: by then a body has turned."""

TURN, TURN_PER_S = 0.35, 6.0
"""How far the way from right to left changes between frames, as a share of its usual length, at once and with time."""

MOST_EVIDENCE = 16.0
"""So that one joint found wrongly decides nothing."""

LENGTH_M = 0.03
"""How well a bone's length in one frame tells whose it is."""

CHANGE = 5.0
"""Evidence against a change from right to exchanged or back between two frames. Over a gap of a fifth of a second, in
which legs pass each other, no turn outweighs it."""

BONES_LAST_S = 0.3
"""For how long an error of a bone's length stays, so that it is one piece of evidence and not one for each frame."""

SWAPPED_PER_S = 6.0
"""Evidence against being exchanged, for every second of it: most of a recording is as labelled."""


def repair_views(
    rig: Rig, skeleton: Skeleton, observed: NDArray[np.float64], X: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Exchange left and right in single views where the points in space say so.

    A pair is exchanged if each side that was seen fits the other side in space, and clearly not its own. Pairs that
    say nothing, because both fit or a point in space is missing, go with their group (arms, legs, trunk, head) if all
    pairs of it that do say something were exchanged. Hands go with the wrists.

    Args:
        rig: C cameras.
        skeleton: names the J joints.
        observed: (C, F, N, J, 3) px and score of each person's joints, NaN = missing.
        X: (F, N, J, 3) where most views have them, m.

    Returns:
        The detections, and (C, F, N, J) True for the joints that got the other side's. Triangulate again.
    """
    swapped = np.zeros(observed.shape[:-1], bool)
    out = observed.copy()
    if not X.size:
        return out, swapped
    groups = limb_groups(skeleton)
    for c, camera in enumerate(rig):
        xy, places = observed[c, ..., :2], project(camera, X)
        error = np.linalg.norm(xy - places, axis=-1)
        usual = nanmedian(error.reshape(-1), axis=0)
        fits_px = max(FITS_PX, FITS * float(usual)) if np.isfinite(usual) else FITS_PX
        for group in groups:
            exchange = _exchanged_pairs(xy, places, group, fits_px)
            for (i, j), at in zip(group.all_pairs, np.moveaxis(exchange, -1, 0), strict=True):
                out[c, ..., i, :] = np.where(at[..., None], observed[c, ..., j, :], observed[c, ..., i, :])
                out[c, ..., j, :] = np.where(at[..., None], observed[c, ..., i, :], observed[c, ..., j, :])
                swapped[c, ..., i] = swapped[c, ..., j] = at
    return out, swapped


def _exchanged_pairs(
    xy: NDArray[np.float64], places: NDArray[np.float64], group: Group, fits_px: float
) -> NDArray[np.bool_]:
    """Return (F, N, P + Q) which pairs of a group are exchanged in one view, from px (F, N, J, 2) seen and expected."""
    i, j = group.pairs.T
    own = np.stack([np.linalg.norm(xy[:, :, one] - places[:, :, one], axis=-1) for one in (i, j)])
    other = np.stack([np.linalg.norm(xy[:, :, a] - places[:, :, b], axis=-1) for a, b in ((i, j), (j, i))])
    seen = np.isfinite(own) & np.isfinite(other)
    clearly_other = (other < fits_px) & (own > fits_px) & (own > FARTHER * other)
    clearly_own = (own < fits_px) & (other > fits_px) & (other > FARTHER * own)
    # Every side that can be judged must be for it: half a pair exchanged would put two detections on one joint.
    pair_other = clearly_other.any(axis=0) & (clearly_other | ~seen).all(axis=0)
    pair_own = clearly_own.any(axis=0)
    silent = ~pair_other & ~pair_own
    together = pair_other.any(axis=-1) & ~pair_own.any(axis=-1)
    exchange = pair_other | (silent & together[..., None])
    followers = np.repeat(exchange[..., -1:], len(group.with_them), axis=-1)
    return np.concatenate([exchange, followers], axis=-1)


def repair_motion(motion: Motion3D) -> tuple[Motion3D, NDArray[np.bool_]]:
    """Exchange left and right in frames where most views had them exchanged, so that the points in space have it too.

    For each person and group, the sequence of right and exchanged frames is found that fits best as a whole (Viterbi
    1967): the way from right to left turns little from frame to frame, the bones next to the body have their usual
    lengths, and most frames are as labelled. Hands go with the wrists.

    Returns:
        The motion, and (F, N, J) True for the joints that got the other side's.
    """
    F, N, J = motion.found.shape
    swapped = np.zeros((F, N, J), bool)
    order = np.tile(np.arange(J), (F, N, 1))
    X = motion.points.X.copy()
    for group in limb_groups(motion.skeleton):
        for n in range(N):
            wrong = _exchanged_frames(X[:, n], group, motion.time_s)
            if not wrong.any():
                continue
            for i, j in group.all_pairs:
                order[wrong, n, i], order[wrong, n, j] = j, i
                X[wrong, n, i], X[wrong, n, j] = X[wrong, n, j].copy(), X[wrong, n, i].copy()
                swapped[wrong, n, i] = swapped[wrong, n, j] = True
    if not swapped.any():
        return motion, swapped
    frames, people = np.arange(F)[:, None, None], np.arange(N)[None, :, None]
    at, old = (frames, people, order), motion.points
    points = Points3D(
        X=old.X[at],
        score=old.score[at],
        reproj_px=old.reproj_px[at],
        views=old.views[at],
        cov_mm2=old.cov_mm2[at],
        missing=old.missing[at],
    )
    gap = motion.gap[at]
    return Motion3D(motion.skeleton, motion.cameras, motion.time_s, motion.ids, points, gap), swapped


def _exchanged_frames(X: NDArray[np.float64], group: Group, time_s: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (F,) True where one person's (F, J, 3) left and right of a group are exchanged."""
    across = X[:, group.pairs[:, 0]] - X[:, group.pairs[:, 1]]
    usual_m = nanmedian(np.linalg.norm(across, axis=-1), axis=0)
    if not np.isfinite(usual_m).any():
        return np.zeros(len(X), bool)
    steps = np.diff(time_s, prepend=time_s[:1])
    # Bones are wrong for a while, not for a frame: each frame's say is as long as the time it stands for.
    bones = _bones_against(X, group) * np.clip(steps / BONES_LAST_S, 0, 1)
    against = SWAPPED_PER_S * np.clip(steps, 0, LONGEST_MEMORY_S) + bones
    turned = _evidence_of_turns(np.ascontiguousarray(across / usual_m[:, None]), np.ascontiguousarray(time_s))
    return _most_probable(turned, against)


def _bones_against(X: NDArray[np.float64], group: Group) -> NDArray[np.float64]:
    """Return (F,) how much worse the bones that the limbs hang on fit their usual length if exchanged.

    Negative where they fit better. Bones beyond change no length: their two ends change sides together.
    """
    against = np.zeros(len(X))
    if group.root is None:
        return against
    first = group.pairs[0]
    kept, crossed = np.zeros(len(X)), np.zeros(len(X))
    lengths = np.stack([np.linalg.norm(X[:, r] - X[:, j], axis=-1) for r, j in zip(group.root, first, strict=True)])
    usual = nanmedian(lengths, axis=1)  # each side's own: no two arms are alike, nor are they seen alike
    for side, root in enumerate(group.root):
        kept += ((lengths[side] - usual[side]) / LENGTH_M) ** 2
        crossed += ((np.linalg.norm(X[:, root] - X[:, first[1 - side]], axis=-1) - usual[side]) / LENGTH_M) ** 2
    return np.clip(np.nan_to_num(crossed - kept), -MOST_EVIDENCE, MOST_EVIDENCE)


@numba.njit(cache=True, nogil=True)
def _evidence_of_turns(across: NDArray[np.float64], time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (F,) evidence that a frame is labelled the other way round than those before it.

    Args:
        across: (F, P, 3) from right to left, in usual lengths.
        time_s: (F,) s.
    """
    F, P = across.shape[:2]
    out, last = np.zeros(F), np.full(P, -1)
    for f in range(F):
        total, n = 0.0, 0
        for p in range(P):
            if not np.isfinite(across[f, p, 0]):
                continue
            if last[p] >= 0 and time_s[f] - time_s[last[p]] <= LONGEST_MEMORY_S:
                dot = 0.0
                for i in range(3):
                    dot += across[f, p, i] * across[last[p], p, i]
                spread = TURN**2 + (TURN_PER_S * (time_s[f] - time_s[last[p]])) ** 2
                total += min(max(-4.0 * dot / spread, -MOST_EVIDENCE), MOST_EVIDENCE)
                n += 1
            last[p] = f
        if n > 0:
            out[f] = total / n
    return out


@numba.njit(cache=True, nogil=True)
def _most_probable(turned: NDArray[np.float64], against: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return the sequence of states, False as labelled and True exchanged, of least cost."""
    F = len(turned)
    came_from = np.zeros((F, 2), np.int64)
    cost = np.array([0.0, against[0]])
    for f in range(1, F):
        new = np.empty(2)
        for state in range(2):
            stay, change = cost[state], cost[1 - state] + CHANGE - turned[f]
            came_from[f, state] = state if stay <= change else 1 - state
            new[state] = min(stay, change) + (against[f] if state == 1 else 0.0)
        cost = new
    out = np.zeros(F, np.bool_)
    state = 0 if cost[0] <= cost[1] else 1
    for f in range(F - 1, -1, -1):
        out[f] = state == 1
        state = came_from[f, state]
    return out
