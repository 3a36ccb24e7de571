"""Crowds with known poses, the maps a perfect network would give of them, and how many of their joints come back.

For the tests here and for benchmarks/paf.py. Poses are drawn limb by limb: bodies lean, turn and face away, arms reach
anywhere, legs stride, and neighbours stand so near that their limbs cross.
"""

import numpy as np
from scipy.optimize import linear_sum_assignment

from triskel.skeleton import BODY_25

SIZE_WH = (656, 368)
REACH_PX = 8.0
"""A joint counts as found within one map cell, 8 px of network input, of where it is."""
HEIGHTS_PX = {1: (200, 320), 3: (170, 300), 9: (130, 230), 19: (110, 180), 30: (90, 150)}
APART = 0.35  # of the taller one's height between two necks: within reach of each other's arms


def _toward(angle_rad, length):
    """The vector of a length that points down for angle 0, to the image's right for a quarter turn."""
    return length * np.array([np.sin(angle_rad), np.cos(angle_rad)])


def person(rng, height_px):
    """Return (25, 2) joints of somebody of this height, the neck at the origin."""
    lean = rng.normal(0, 0.2)
    turn = rng.uniform(0.35, 1) * rng.choice([-1, 1])  # how wide the body looks; negative from behind
    c, s = np.cos(lean), np.sin(lean)
    along, across = np.array([-s, c]), np.array([c, s])
    at = {"Neck": np.zeros(2), "MidHip": 0.30 * along}
    nod = rng.normal(lean, 0.2)
    up, side = np.array([np.sin(nod), -np.cos(nod)]), np.array([np.cos(nod), np.sin(nod)])
    look = rng.uniform(-0.03, 0.03)
    at["Nose"] = 0.11 * up + look * side
    for name, sign in (("L", turn), ("R", -turn)):
        at[name + "Eye"] = 0.14 * up + (0.03 * sign + 0.8 * look) * side
        at[name + "Ear"] = 0.125 * up + 0.055 * sign * side
        at[name + "Shoulder"] = 0.11 * sign * across
        arm = rng.uniform(-0.5, 2.6) * np.sign(sign) + lean
        at[name + "Elbow"] = at[name + "Shoulder"] + _toward(arm, 0.17 * rng.uniform(0.75, 1))
        at[name + "Wrist"] = at[name + "Elbow"] + _toward(arm + rng.normal(0, 0.9), 0.15 * rng.uniform(0.75, 1))
        at[name + "Hip"] = at["MidHip"] + 0.065 * sign * across
        leg = rng.normal(0.1 * sign, 0.3) + lean / 2
        at[name + "Knee"] = at[name + "Hip"] + _toward(leg, 0.24)
        at[name + "Ankle"] = at[name + "Knee"] + _toward(leg - rng.uniform(0, 0.5) * np.sign(leg), 0.23)
        out = np.array([np.sign(sign) * rng.uniform(0.02, 0.05), 0.045])
        at[name + "BigToe"] = at[name + "Ankle"] + out
        at[name + "SmallToe"] = at[name + "Ankle"] + out + [0.03 * np.sign(sign), -0.01]
        at[name + "Heel"] = at[name + "Ankle"] + [-0.02 * np.sign(sign), 0.03]
    return height_px * np.array([at[joint] for joint in BODY_25.joints])


def crowd(rng, count, *, size_wh=SIZE_WH):
    """Return (N, 25, 2) joints in network input px of people who stand close; joints outside the image are NaN."""
    least, most = HEIGHTS_PX[min(HEIGHTS_PX, key=lambda known: abs(known - count))]
    people, necks, heights = [], [], []
    while len(people) < count:
        height = rng.uniform(least, most)
        neck = rng.uniform((20, 0.2 * height), (size_wh[0] - 20, size_wh[1] - 0.55 * height))
        if all(np.hypot(*(neck - other)) > APART * max(height, h) for other, h in zip(necks, heights, strict=True)):
            necks.append(neck)
            heights.append(height)
            people.append(person(rng, height) + neck)
    xy = np.array(people)
    outside = ((xy < 2) | (xy > np.array(size_wh) - 3)).any(axis=-1)
    xy[outside] = np.nan
    return xy


def render(people, layout, *, size_wh=SIZE_WH, sigma_px=7.0, band_px=8.0, noise=0.0, rng=None):
    """Render the ideal maps of people, equations 7 to 10 of the paper, with Gaussians exp(-d^2 / 2 sigma^2).

    A cell is on a limb within `band_px` of it; so the fields of limbs shorter than a cell are seen as well.

    Returns:
        (J, h, w) confidence, (2 L, h, w) affinity, both float32, with normal noise of that deviation.
    """
    stride = layout.stride
    w, h = size_wh[0] // stride, size_wh[1] // stride
    grid = np.stack(np.meshgrid(np.arange(w), np.arange(h)), axis=-1) * float(stride) + (stride - 1) / 2
    distance2 = ((grid - people[:, :, None, None]) ** 2).sum(axis=-1)
    confidence = np.nan_to_num(np.exp(-distance2 / (2 * sigma_px**2))).max(axis=0)
    affinity = np.zeros((len(layout.limbs), 2, h, w))
    for k, (a, b) in enumerate(layout.limbs):
        both = people[np.isfinite(people[:, [a, b], 0]).all(axis=1)]
        vector = both[:, b] - both[:, a]
        length = np.linalg.norm(vector, axis=-1)
        unit = vector / np.maximum(length, 1e-9)[:, None]
        from_a = grid - both[:, a, None, None]
        along = np.einsum("nhwc,nc->nhw", from_a, unit)
        across = from_a[..., 0] * -unit[:, 1, None, None] + from_a[..., 1] * unit[:, 0, None, None]
        beyond = along - np.clip(along, 0, length[:, None, None])
        on = (np.hypot(across, beyond) <= band_px) & (length > 0)[:, None, None]
        affinity[k] = np.einsum("nhw,nc->chw", on, unit) / np.maximum(on.sum(axis=0), 1)
    affinity = affinity.reshape(-1, h, w)
    if noise:
        confidence = confidence + rng.normal(0, noise, confidence.shape)
        affinity = affinity + rng.normal(0, noise, affinity.shape)
    return confidence.astype(np.float32), affinity.astype(np.float32)


def crossings(people, layout):
    """Count how often limbs of two people cross in the image: limbs of any types, and limbs of one type.

    Limbs of one type are what is hard: they share a field, which is the mean of both where they cross.
    """

    def side(a, b, c):
        return (b[..., 0] - a[..., 0]) * (c[..., 1] - a[..., 1]) - (b[..., 1] - a[..., 1]) * (c[..., 0] - a[..., 0])

    ends = people[:, layout.limb_array].reshape(-1, 2, 2)
    whose, kind = np.divmod(np.arange(len(ends)), len(layout.limbs))
    a, b, c, d = ends[:, None, 0], ends[:, None, 1], ends[None, :, 0], ends[None, :, 1]
    crossed = (side(a, b, c) * side(a, b, d) < 0) & (side(c, d, a) * side(c, d, b) < 0)
    crossed &= whose[:, None] < whose
    return int(crossed.sum()), int((crossed & (kind[:, None] == kind)).sum())


def found_joints(keypoints, people, *, reach_px=REACH_PX):
    """Pair the people found with those who are there, so that the most joints are right.

    Args:
        keypoints: (N, J, 3) found, NaN where missing.
        people: (M, J, 2) truth, NaN where not in the image.
        reach_px: a joint is right this near to the same joint of the paired person.

    Returns:
        Joints that are right, joints found, joints that are there.
    """
    distance = np.linalg.norm(keypoints[:, None, :, :2] - people[None], axis=-1)
    right = (np.nan_to_num(distance, nan=np.inf) <= reach_px).sum(axis=-1)
    pair = linear_sum_assignment(right, maximize=True)
    found, there = np.isfinite(keypoints[..., 0]).sum(), np.isfinite(people[..., 0]).sum()
    return int(right[pair].sum()), int(found), int(there)


def recall_and_precision(counts):
    """Return recall and precision over several results of `found_joints`."""
    right, found, there = np.sum(counts, axis=0)
    return right / there, right / max(found, 1)
