"""Part affinity fields to limb candidates: the line integral of section 3.3, equations 11 and 12 of the paper."""

import math

import numba
import numpy as np
from numpy.typing import NDArray

FEWEST_SAMPLES, MOST_SAMPLES = 5, 25


@numba.njit(cache=True, nogil=True)
def _bilinear(field: NDArray[np.float32], x: float, y: float) -> float:
    """Sample a map (H, W) at cell coordinates, clamped to its border."""
    height, width = field.shape
    x = min(max(x, 0.0), width - 1.0)
    y = min(max(y, 0.0), height - 1.0)
    x0, y0 = min(int(x), max(width - 2, 0)), min(int(y), max(height - 2, 0))
    x1, y1 = min(x0 + 1, width - 1), min(y0 + 1, height - 1)
    fx, fy = x - x0, y - y0
    top = field[y0, x0] * (1.0 - fx) + field[y0, x1] * fx
    bottom = field[y1, x0] * (1.0 - fx) + field[y1, x1] * fx
    return top * (1.0 - fy) + bottom * fy


@numba.njit(cache=True, nogil=True)
def _affinity(
    field_x: NDArray[np.float32],
    field_y: NDArray[np.float32],
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    sample_threshold: float,
    stride: float,
) -> tuple[float, float]:
    """Integrate the field along a to b; return the mean over good samples and the share of samples that are good."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    length = math.hypot(dx, dy)
    if length < 1e-9:
        return 0.0, 0.0
    # More samples the longer the limb is in network input pixels.
    wanted = round(math.sqrt(5.0 * stride * max(abs(dx), abs(dy))))
    samples = min(max(int(wanted), FEWEST_SAMPLES), MOST_SAMPLES)
    ux, uy = dx / length, dy / length
    total, good = 0.0, 0
    for s in range(samples):
        t = s / (samples - 1)
        x, y = a[0] + t * dx, a[1] + t * dy
        value = ux * _bilinear(field_x, x, y) + uy * _bilinear(field_y, x, y)
        if value > sample_threshold:
            total += value
            good += 1
    return (total / good if good else 0.0), good / samples


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
        xy: (M, 2) candidates in map cells, grouped by part.
        start: (J + 1,) where each part's candidates start.
        sample_threshold: least affinity of a good sample.
        good_share: a limb needs more than this share of good samples.
        near_cells: candidates closer than this may join although their limb is too short to be seen in the field ...
        near_score: ... with this affinity.
        stride: network input pixels per map cell.

    Returns:
        (K, 3) limb, candidate a, candidate b; and (K,) affinity.
    """
    capacity = 0
    for k in range(len(limbs)):
        a, b = limbs[k]
        capacity += (start[a + 1] - start[a]) * (start[b + 1] - start[b])
    pairs = np.empty((capacity, 3), np.int64)
    scores = np.empty(capacity)
    count = 0
    for k in range(len(limbs)):
        a, b = limbs[k]
        for i in range(start[a], start[a + 1]):
            for j in range(start[b], start[b + 1]):
                value, share = _affinity(affinity[2 * k], affinity[2 * k + 1], xy[i], xy[j], sample_threshold, stride)
                if share <= good_share:
                    if math.hypot(xy[j, 0] - xy[i, 0], xy[j, 1] - xy[i, 1]) >= near_cells:
                        continue
                    value = near_score
                pairs[count, 0], pairs[count, 1], pairs[count, 2] = k, i, j
                scores[count] = value
                count += 1
    return pairs[:count], scores[:count]
