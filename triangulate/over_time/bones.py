"""The lengths of a person's bones over a session, and joints moved so that the bones have them.

A bone keeps its length, so its length is known far better than any one frame shows it, and takes back part of the error
of its two ends. What is measured between joints is not always a bone: between shoulders and neck, hips and neck, neck
and nose a body gives way. There the data themselves say how much, and what gives way much is hardly held.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.skeleton import Skeleton
from triskel.triangulate.medians import nanmedian
from triskel.whole_body import part_names

_RIGID = (
    "*Shoulder-*Elbow *Elbow-*Wrist *Hip-*Knee *Knee-*Ankle *Ankle-*Heel *Ankle-*BigToe *Ankle-*SmallToe "
    "*BigToe-*SmallToe *Heel-*BigToe *Heel-*SmallToe LHip-RHip MidHip-*Hip Nose-*Eye Nose-*Ear *Eye-*Ear LEye-REye "
    "LEar-REar"
).split()
"""Pairs of joints on one bone, foot or head; * stands for either side. Other limbs of a skeleton give way."""

FEWEST_SAMPLES = 20
"""Frames that a length is learnt from at least; with fewer a limb is not held."""

PLAY = 0.002
"""How far a bone may differ from its length, as a share of it: joints of the body turn about points that move."""

GIVE = 0.5
"""How far a length may be off, as a share of the usual noise of its ends: detected joints are not points of a bone.
On the sample `single` a camera that was left out is predicted better by all of mean, median and 95th percentile than
without lengths from 0.5 on; harder, the median gets worse. Four fifths of a limb's variation go."""

MOST_LONGER = 0.1
"""A limb that noise lengthens by more than this share is too short for its noise, and is not held."""

BLOCKS = 16
"""Pieces of a session whose means show how far errors that last many frames move a length."""

STEPS = 4
FRAMES_AT_ONCE = 256
"""So many that the matrices stay in the cache."""

FREEDOM = 5.0
"""Degrees of freedom of the t distribution by which a joint that must move far is believed less."""


class LimbLengths(NamedTuple):
    """Lengths of L limbs of N people.

    Attributes:
        limbs: (L, 2) joints.
        rigid: (L,) True for bones; False where a body gives way.
        length_m: (N, L) m; NaN where it was seen too seldom, or is too short for its noise.
        sigma_m: (N, L) standard error of `length_m`, m.
        spread_m: (N, L) standard deviation of the length over time beyond what the noise of its ends explains, m. For
            a rigid limb it measures what the covariances do not know: joints found in the wrong place by all cameras.
    """

    limbs: NDArray[np.intp]
    rigid: NDArray[np.bool_]
    length_m: NDArray[np.float64]
    sigma_m: NDArray[np.float64]
    spread_m: NDArray[np.float64]


def held_limbs(skeleton: Skeleton) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return the limbs (L, 2) of the body whose lengths say something, and (L,) which of them are bones."""
    pairs: dict[tuple[int, int], bool] = {}
    at = {joint: i for i, joint in enumerate(skeleton.joints)}
    for pattern in _RIGID:
        for side in "LR":
            a, b = (at.get(name.replace("*", side), -1) for name in pattern.split("-"))
            if a >= 0 and b >= 0:
                pairs[min(a, b), max(a, b)] = True
    parts = part_names(skeleton)
    for a, b in skeleton.limbs:
        if parts[a] == parts[b] == "body":
            pairs.setdefault((min(a, b), max(a, b)), False)
    return np.array(list(pairs), dtype=np.intp).reshape(-1, 2), np.array(list(pairs.values()), dtype=bool)


def limb_lengths(skeleton: Skeleton, X: NDArray[np.float64], cov_mm2: NDArray[np.floating]) -> LimbLengths:
    """Estimate the limbs of each person over a session.

    A noisy bone looks too long, by the noise across it; that is taken off. Frames count by their precision, those far
    from the rest less (Huber's weights, from the median).

    Args:
        skeleton: names the J joints.
        X: (F, N, J, 3) m, NaN = missing.
        cov_mm2: (F, N, J, 3, 3) mm^2.
    """
    limbs, rigid = held_limbs(skeleton)
    a, b = limbs.T
    shape = (X.shape[1], len(limbs))
    if not X.size or not len(limbs):
        return LimbLengths(limbs, rigid, *(np.full(shape, np.nan) for _ in range(3)))
    across = X[:, :, a] - X[:, :, b]
    raw = np.linalg.norm(across, axis=-1)
    noise = 1e-6 * (cov_mm2[:, :, a].astype(np.float64) + cov_mm2[:, :, b])
    along = across / np.maximum(raw, 1e-9)[..., None]
    variance = np.einsum("fnli,fnlij,fnlj->fnl", along, noise, along)
    sideways = np.trace(noise, axis1=-2, axis2=-1) - variance
    expected, varies = nanmedian(variance, axis=0), _spread(raw) ** 2
    # A length that varies less than its ends' covariances say has ends that are off in the same way for long.
    sideways *= np.minimum(1, varies / np.maximum(expected, 1e-12))
    longer = 0.5 * sideways / np.maximum(raw, 1e-3)
    seen = np.where(np.isfinite(variance), raw - longer, np.nan)
    middle = nanmedian(seen, axis=0)
    beyond = np.sqrt(np.maximum(_spread(seen) ** 2 - expected, 0))
    scale = np.sqrt(variance + beyond**2 + 1e-10)
    length = middle
    for _ in range(5):
        pull = np.abs(seen - length) / scale
        weight = np.where(np.isfinite(seen), np.minimum(1, 1.5 / np.maximum(pull, 1e-9)) / scale**2, 0)
        total = weight.sum(axis=0)
        length = (weight * np.nan_to_num(seen)).sum(axis=0) / np.where(total > 0, total, np.nan)
    enough = np.isfinite(seen).sum(axis=0) >= FEWEST_SAMPLES
    enough &= nanmedian(longer, axis=0) <= MOST_LONGER * middle
    sigma = _standard_error(seen - length, weight)
    return LimbLengths(limbs, rigid, *(np.where(enough, one, np.nan) for one in (length, sigma, beyond)))


def _spread(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard deviation over the frames as a normal distribution's median distance from the median says."""
    return np.asarray(1.4826 * nanmedian(np.abs(values - nanmedian(values, axis=0)), axis=0))


def _standard_error(residual: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard error (N, L) of weighted means over frames, from the means of blocks of the session.

    Errors that last many frames make fewer independent samples than there are frames.
    """
    edges = np.linspace(0, len(residual), min(BLOCKS, len(residual)) + 1).astype(int)[:-1]
    totals = np.add.reduceat(weight, edges, axis=0)
    sums = np.add.reduceat(weight * np.nan_to_num(residual), edges, axis=0)
    blocks = np.maximum((totals > 0).sum(axis=0), 2)
    total = totals.sum(axis=0)
    squares = (sums**2).sum(axis=0) * blocks / (blocks - 1)
    return np.sqrt(squares) / np.where(total > 0, total, np.nan)


class Held(NamedTuple):
    """Joints after the lengths were imposed.

    Attributes:
        X: (F, N, J, 3) m.
        cov_mm2: (F, N, J, 3, 3) what is left of the covariances, mm^2.
    """

    X: NDArray[np.float64]
    cov_mm2: NDArray[np.float64]


def hold_lengths(X: NDArray[np.float64], cov_mm2: NDArray[np.floating], lengths: LimbLengths) -> Held:
    """Move joints so that limbs have their lengths: each by its covariance, the uncertain ends most.

    In each frame the most probable body is found, by a few Gauss-Newton steps over all limbs at once: the joints are
    seen with their covariances, the lengths known with their standard errors, and how far a limb gives way. A joint
    that would have to move by many of its standard deviations is wrong rather than lucky, and is believed less
    (Student's t), so that it does not bend its neighbours. Missing joints stay missing.

    Args:
        X: (F, N, J, 3) m.
        cov_mm2: (F, N, J, 3, 3) mm^2.
        lengths: of the same N people.
    """
    out = Held(X.copy(), np.array(cov_mm2, dtype=np.float64))
    for n in range(X.shape[1]):
        known = np.isfinite(lengths.length_m[n])
        if not known.any():
            continue
        length = lengths.length_m[n, known]
        slack = np.where(lengths.rigid[known], 0, lengths.spread_m[n, known])
        noise = 1e-6 / 3 * nanmedian(np.trace(out.cov_mm2[:, n], axis1=-2, axis2=-1), axis=0)
        give = GIVE**2 * noise[lengths.limbs[known]].sum(axis=-1)
        variance = lengths.sigma_m[n, known] ** 2 + slack**2 + (PLAY * length) ** 2 + give
        used = np.unique(lengths.limbs[known])
        limbs = np.searchsorted(used, lengths.limbs[known])
        for f in range(0, len(X), FRAMES_AT_ONCE):
            some = slice(f, f + FRAMES_AT_ONCE)
            moved = _most_probable(X[some, n, used], out.cov_mm2[some, n, used], limbs, length, variance)
            out.X[some, n, used], out.cov_mm2[some, n, used] = moved
    return out


def _most_probable(
    seen: NDArray[np.float64],
    cov_mm2: NDArray[np.float64],
    limbs: NDArray[np.intp],
    length: NDArray[np.float64],
    variance: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the bodies (M, J, 3) and covariances that joints and lengths together make most probable."""
    M, J = seen.shape[:2]
    L = len(limbs)
    found = np.isfinite(seen[..., 0]) & np.isfinite(cov_mm2[..., 0, 0])
    both = found[:, limbs[:, 0]] & found[:, limbs[:, 1]]
    start = np.where(found[..., None], seen, 0)
    prior = np.where(found[..., None, None], 1e-6 * cov_mm2, 1e-6 * np.eye(3)) + 1e-12 * np.eye(3)
    precision = np.linalg.inv(prior)
    used, cov, X, rows = prior, prior, start, np.arange(L)
    for _ in range(STEPS):
        between = X[:, limbs[:, 0]] - X[:, limbs[:, 1]]
        now = np.maximum(np.linalg.norm(between, axis=-1), 1e-6)
        direction = np.where(both[..., None], between / now[..., None], 0)
        G = np.zeros((M, L, J, 3))
        G[:, rows, limbs[:, 0]] = direction
        G[:, rows, limbs[:, 1]] = -direction
        spread = np.einsum("mljx,mjxy->mljy", G, cov, optimize=True).reshape(M, L, 3 * J)
        flat = G.reshape(M, L, 3 * J)
        inner = spread @ flat.swapaxes(1, 2) + np.eye(L) * variance
        wrong = np.where(both, length - now, 0) - (flat @ (start - X).reshape(M, 3 * J, 1))[..., 0]
        force = np.linalg.solve(inner, wrong[..., None])
        X = start + (spread.swapaxes(1, 2) @ force).reshape(M, J, 3)
        moved = X - start
        unlikely = np.einsum("mjx,mjxy,mjy->mj", moved, precision, moved)
        used, cov = cov, prior * np.maximum((unlikely + FREEDOM) / (FREEDOM + 3), 1)[..., None, None]
    learnt = np.linalg.solve(inner, spread).reshape(M, L, J, 3)
    # Of the covariances that the last step was made with: another's could leave less than nothing.
    rest = used - np.einsum("mljx,mljy->mjxy", spread.reshape(M, L, J, 3), learnt, optimize=True)
    return np.where(found[..., None], X, seen), np.where(found[..., None, None], 1e6 * rest, np.nan)
