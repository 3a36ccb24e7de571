"""A crowd with known truth: people who walk through each other inside a ring of cameras, seen with noise.

Shared by the tests and by `benchmarks/people.py`; built on the scene of `shared/bench/scene.py`.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from triskel import Camera, Rig, Rigid
from triskel.projection import project_rig

FEWEST_VISIBLE = 6
"""Joints inside the image below which a detector finds nobody."""

NEAR_M = 0.15
"""A person is found if half of the joints are closer than this to the truth."""


class Crowd(NamedTuple):
    """The scene: `rig`, `time_s` (F,), the truth `X` (F, N, J, 3) m, NaN where a person is away, what was seen,
    `keypoints` (F, C, P, J, 3), and `who` (F, C, P) it is: the person's number, -1 a false person, -2 nobody."""

    rig: Rig
    time_s: np.ndarray
    X: np.ndarray
    keypoints: np.ndarray
    who: np.ndarray


class CrowdScore(NamedTuple):
    """How well people were found: `switches` are changes of the identity that one true person has."""

    recall: float
    precision: float
    switches: int
    ids: int
    mean_mm: float


def make_crowd(
    scene, *, people=10, cameras=6, frames=300, fps=30.0, noise_px=3.0, missed=0.1, false=0.1, occluded=0.5, seed=0
):
    """Return a crowd. `occluded` is the share of people lost of those behind another who covers them."""
    rng = np.random.default_rng(seed)
    made = scene.make_rig(cameras)
    rig = Rig(
        tuple(
            Camera(name=c["name"], size_wh=c["size"], K=c["K"], dist=c["dist"], cam_from_world=Rigid(c["R"], c["t"]))
            for c in made
        )
    )
    time_s = np.arange(frames) / fps
    gait = _gait(scene, frames + 90, fps)
    X = np.stack([_walk(gait, time_s, rng, n / people) for n in range(people)], axis=1)
    keypoints, who = observe_people(rig, X, noise_px=noise_px, missed=missed, false=false, occluded=occluded, rng=rng)
    return Crowd(rig, time_s, X, keypoints, who)


def _gait(scene, frames, fps):
    """Return somebody walking on the spot (F, 25, 3), facing +y: the scene's walker without the way."""
    X = scene.make_motion(frames, fps)
    turn = -2 * np.pi * np.arange(frames) / fps / 9.0
    cos, sin = np.cos(turn), np.sin(turn)
    local = X - X[:, 8:9] * (1, 1, 0)
    x, y = local[..., 0], local[..., 1]
    return np.stack([cos[:, None] * x - sin[:, None] * y, sin[:, None] * x + cos[:, None] * y, local[..., 2]], axis=-1)


def _walk(gait, time_s, rng, turn):
    """Return one person (F, 25, 3) of their own size and stride, to and fro on a narrow ellipse through the middle."""
    start = rng.integers(0, len(gait) - len(time_s) + 1)
    body = gait[start : start + len(time_s)] * rng.uniform(0.85, 1.1)
    phase = 2 * np.pi * (time_s / rng.uniform(7, 11) + rng.random())
    long, short = rng.uniform(1.4, 2.0), rng.uniform(0.2, 0.45)
    path = np.stack([long * np.cos(phase), short * np.sin(phase)], axis=-1) + rng.uniform(-0.25, 0.25, 2)
    ahead = np.stack([-long * np.sin(phase), short * np.cos(phase)], axis=-1)
    turn = 2 * np.pi * turn + rng.uniform(-0.2, 0.2)
    R = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    path, ahead = path @ R.T, ahead @ R.T
    heading = np.arctan2(ahead[:, 1], ahead[:, 0]) - np.pi / 2
    cos, sin = np.cos(heading)[:, None], np.sin(heading)[:, None]
    x = cos * body[..., 0] - sin * body[..., 1] + path[:, None, 0]
    y = sin * body[..., 0] + cos * body[..., 1] + path[:, None, 1]
    return np.stack([x, y, body[..., 2]], axis=-1)


def observe_people(rig, X, *, noise_px, missed, false, occluded, rng):
    """Return what a detector sees of people X (F, N, J, 3) in shuffled places: keypoints and who it is."""
    (F, N, J, _), C = X.shape, len(rig)
    clean = np.moveaxis(project_rig(rig, X), 0, 1)  # (F, C, N, J, 2)
    size = np.array([camera.size_wh for camera in rig])[:, None, None]
    inside = ((clean >= 0) & (clean < size)).all(axis=-1)
    depth = np.stack([camera.cam_from_world.apply(X)[..., 8, 2] for camera in rig], axis=1)  # (F, C, N)
    lost = inside.sum(axis=-1) < FEWEST_VISIBLE
    lost |= rng.random(lost.shape) < missed
    lost |= _covered(clean, inside, depth) & (rng.random(lost.shape) < occluded)
    # False people: a real one's shape elsewhere, of another size, and every second one mirrored.
    source = rng.permuted(np.broadcast_to(np.arange(N), (F, C, N)), axis=-1)
    shape = np.take_along_axis(clean, source[..., None, None], axis=2)
    middle = np.nanmean(np.where(np.isnan(shape), 0, shape), axis=3, keepdims=True)
    zoom = rng.uniform(0.7, 1.3, (F, C, N, 1, 1)) * np.concatenate(
        [np.sign(rng.random((F, C, N, 1, 1)) - 0.5), np.ones((F, C, N, 1, 1))], axis=-1
    )
    shape = (shape - middle) * zoom + middle + rng.uniform(-500, 500, (F, C, N, 1, 2))
    shape_inside = ((shape >= 0) & (shape < size)).all(axis=-1)
    absent = (rng.random((F, C, N)) >= false) | (shape_inside.sum(axis=-1) < FEWEST_VISIBLE)
    xy = np.concatenate([clean, shape], axis=2) + rng.normal(0, noise_px, (F, C, 2 * N, J, 2))
    seen = np.concatenate([inside & ~lost[..., None], shape_inside & ~absent[..., None]], axis=2)
    score = np.where(seen, rng.uniform(0.5, 0.95, seen.shape), 0.0)
    keypoints = np.concatenate([np.where(seen[..., None], xy, np.nan), score[..., None]], axis=-1)
    who = np.concatenate([np.where(lost, -2, np.arange(N)), np.where(absent, -2, -1)], axis=-1)
    places = np.argsort(np.where(who == -2, 2.0, rng.random(who.shape)), axis=-1)
    most = int((who != -2).sum(axis=-1).max())
    who = np.take_along_axis(who, places, axis=-1)[..., :most]
    return np.take_along_axis(keypoints, places[..., None, None], axis=2)[:, :, :most], who


def _covered(xy, inside, depth):
    """Return (F, C, N) True for people most of whose joints lie inside the box of somebody nearer."""
    low = np.where(inside[..., None], xy, np.inf).min(axis=3)
    high = np.where(inside[..., None], xy, -np.inf).max(axis=3)
    middle = 0.5 * (low + high)
    low, high = middle + 0.8 * (low - middle), middle + 0.8 * (high - middle)
    covered = np.zeros(depth.shape, bool)
    for n in range(depth.shape[2]):  # n covers the others
        within = (xy >= low[:, :, n, None, None]) & (xy <= high[:, :, n, None, None])
        share = (within.all(axis=-1) & inside).sum(axis=-1) / np.maximum(inside.sum(axis=-1), 1)
        covered |= (share > 0.8) & (depth[..., n : n + 1] < depth - 0.1)
    return covered


def score_people(truth, found, *, near_m=NEAR_M):
    """Compare people (F, M, J, 3) with the truth (F, N, J, 3), NaN where there is nobody."""
    F, N, _, _ = truth.shape
    there, reported = np.isfinite(truth[..., 0]).any(axis=-1), np.isfinite(found[..., 0]).any(axis=-1)
    last, switches, hits, errors = np.full(N, -1), 0, 0, []
    for f in range(F):
        rows, columns = np.flatnonzero(there[f]), np.flatnonzero(reported[f])
        error = np.linalg.norm(truth[f][rows][:, None] - found[f][columns][None], axis=-1)
        middle = np.where(np.isfinite(error), error, np.inf)
        known = np.maximum(np.isfinite(error).sum(axis=-1), 1)
        middle = np.take_along_axis(np.sort(middle, axis=-1), ((known - 1) // 2)[..., None], axis=-1)[..., 0]
        for i, k in zip(*linear_sum_assignment(np.where(middle < near_m, middle - 1e3, 0.0)), strict=True):
            if middle[i, k] < near_m:
                n, m = rows[i], columns[k]
                switches += last[n] not in (-1, m)
                last[n] = m
                hits += 1
                errors.append(error[i, k][np.isfinite(error[i, k])])
    mean_mm = 1000 * float(np.concatenate(errors).mean()) if errors else float("nan")
    return CrowdScore(
        hits / max(there.sum(), 1),
        hits / max(reported.sum(), 1),
        int(switches),
        int(reported.any(axis=0).sum()),
        mean_mm,
    )
