"""Part affinity fields to limb candidates: the line integral of section 3.4, equations 11 and 12 of the paper."""

import math

import numba
import numpy as np
from numpy.typing import NDArray

FEWEST_SAMPLES, MOST_SAMPLES = 5, 25
_STEPS = np.array([0.0, 0.0] + [1 / (samples - 1) for samples in range(2, MOST_SAMPLES + 1)])


@numba.njit(cache=True, nogil=True)
def _allowed_failures(good_share: float) -> NDArray[np.int64]:
    """Return, for each number of samples, how many may fail while the share of good ones still exceeds `good_share`."""
    allowed = np.full(MOST_SAMPLES + 1, -1, np.int64)
    for samples in range(1, MOST_SAMPLES + 1):
        for failed in range(samples + 1):
            if (samples - failed) / samples > good_share:
                allowed[samples] = failed
    return allowed


@numba.njit(nogil=True, error_model="numpy", inline="always")  # a call would cost a fifth of the time
def _integrate(
    field_x: NDArray[np.float32],
    field_y: NDArray[np.float32],
    ax: float,
    ay: float,
    dx: float,
    dy: float,
    sample_threshold: float,
    allowed: NDArray[np.int64],
    stride: float,
) -> tuple[float, int, int]:
    """Sample the field from a to a + d; return the mean over the good samples, their number, and that of all samples.

    Ends as soon as more have failed than allowed. Most pairs belong to two people and fail at once in the middle, where
    neither's own limb is near; so the middle comes first, and nothing is divided before it has passed.
    """
    longest = max(abs(dx), abs(dy))
    if longest < 1e-9:
        return 0.0, 0, 1
    # More samples the longer the limb is in network input pixels.
    samples = min(max(int(math.sqrt(5.0 * stride * longest) + 0.5), FEWEST_SAMPLES), MOST_SAMPLES)
    height, width = field_x.shape
    last_row, last_column = max(height - 2, 0), max(width - 2, 0)
    down, right = min(1, height - 1), min(1, width - 1)
    length = math.sqrt(dx * dx + dy * dy)
    least = sample_threshold * length  # the vector along the limb keeps its length, so products carry it
    step = _STEPS[samples]
    total, good, failed, middle = 0.0, 0, 0, samples // 2
    for k in range(samples):
        t = step * (middle + k if k < samples - middle else samples - 1 - k)
        x, y = ax + t * dx, ay + t * dy
        j, i = min(int(x), last_column), min(int(y), last_row)
        fx, fy = x - j, y - i
        above = (dx * field_x[i, j] + dy * field_y[i, j]) * (1.0 - fx)
        above += (dx * field_x[i, j + right] + dy * field_y[i, j + right]) * fx
        below = (dx * field_x[i + down, j] + dy * field_y[i + down, j]) * (1.0 - fx)
        below += (dx * field_x[i + down, j + right] + dy * field_y[i + down, j + right]) * fx
        value = above * (1.0 - fy) + below * fy
        if value > least:
            total += value
            good += 1
        else:
            failed += 1
            if failed > allowed[samples]:
                break
    return (total / (good * length) if good else 0.0), good, samples


@numba.njit(cache=True, nogil=True)
def score_limbs(
    affinity: NDArray[np.float32],
    limbs: NDArray[np.int64],
    xy: NDArray[np.float64],
    start: NDArray[np.int64],
    sample_threshold: float,
    good_share: float,
    near_cells: float,
    near_score: float,
    stride: float,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Score every pair of candidates that a limb could join.

    Args:
        affinity: (2 L, H, W) fields, x then y of each limb.
        limbs: (L, 2) parts each limb joins, in the direction of its field.
        xy: (M, 2) candidates in map cells, within the map, grouped by part.
        start: (J + 1,) where each part's candidates start.
        sample_threshold: least affinity of a good sample.
        good_share: a limb needs more than this share of good samples.
        near_cells: candidates closer than this may join although their limb is too short to be seen in the field ...
        near_score: ... with this affinity.
        stride: network input pixels per map cell.

    Returns:
        (K, 3) limb, candidate a, candidate b; and (K,) affinity.
    """
    pairs, scores = np.empty((len(xy) * 2 + 16, 3), np.int64), np.empty(len(xy) * 2 + 16)
    allowed = _allowed_failures(good_share)
    near2 = near_cells * near_cells
    count = 0
    for k in range(len(limbs)):
        a, b = limbs[k]
        field_x, field_y = affinity[2 * k], affinity[2 * k + 1]
        for i in range(start[a], start[a + 1]):
            ax, ay = xy[i, 0], xy[i, 1]
            for j in range(start[b], start[b + 1]):
                dx, dy = xy[j, 0] - ax, xy[j, 1] - ay
                value, good, samples = _integrate(field_x, field_y, ax, ay, dx, dy, sample_threshold, allowed, stride)
                if samples - good > allowed[samples]:
                    if dx * dx + dy * dy >= near2:
                        continue
                    value = near_score
                if count == len(scores):
                    pairs = np.concatenate((pairs, np.empty_like(pairs)))
                    scores = np.concatenate((scores, np.empty_like(scores)))
                pairs[count, 0], pairs[count, 1], pairs[count, 2] = k, i, j
                scores[count] = value
                count += 1
    return pairs[:count], scores[:count]


@numba.njit(cache=True, nogil=True)
def good_shares(
    affinity: NDArray[np.float32],
    pairs: NDArray[np.int64],
    xy: NDArray[np.float64],
    sample_threshold: float,
    stride: float,
) -> NDArray[np.float64]:
    """Return (K,) the share of good samples of pairs (K, 3), every sample looked at; arguments as `score_limbs` has."""
    shares = np.empty(len(pairs))
    allowed = np.full(MOST_SAMPLES + 1, MOST_SAMPLES, np.int64)
    for k in range(len(pairs)):
        limb, i, j = pairs[k]
        dx, dy = xy[j, 0] - xy[i, 0], xy[j, 1] - xy[i, 1]
        field_x, field_y = affinity[2 * limb], affinity[2 * limb + 1]
        found = _integrate(field_x, field_y, xy[i, 0], xy[i, 1], dx, dy, sample_threshold, allowed, stride)
        shares[k] = found[1] / found[2]
    return shares
