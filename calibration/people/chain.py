"""Camera poses from nothing but people: two cameras by their epipolar geometry, the others one by one.

Joints of one person at one moment are corresponding points. Who in one camera is who in another is not known, so each
pair of tracks makes a hypothesis, and the one that most joints of all tracks agree with is taken. References: Nistér
2004, "An efficient solution to the five-point relative pose problem"; Hartley & Zisserman, 2nd ed., sections 9.6, 18.3.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from triskel.calibration.people.bundle import joint_noise, refine_bundle
from triskel.calibration.people.reprojection import place_joints
from triskel.calibration.people.sightings import Sightings
from triskel.calibration.people.tracks_2d import Track2D, joints_of, tracks_2d
from triskel.calibration.people.views import joint_views
from triskel.camera import Camera, Rig
from triskel.errors import InputError
from triskel.projection import pixel_rays
from triskel.rigid import Rigid
from triskel.triangulate.points import REFERENCE_PIXELS

GOOD_SCORE = 0.3
TOLERANCE_PX = 10.0
"""How far joints may be from where the geometry has them, px in a 1280 x 1024 image: detectors are no better."""
FEWEST_JOINTS = 100
"""Joints that must agree for a pose to be believed: it could be chance, and it would be poor."""
LEAST_SHARE = 0.5
"""The same as a share of those that are compared: two different people agree in fewer."""
MOST_COMPARED = 1500
_HYPOTHESES = 1000
_LEAST_PARALLAX = np.sin(np.radians(4))


class Chained(NamedTuple):
    """Cameras that people joined: the rig in a world of its own, and the people (F, C, N, J, 3) who did it."""

    rig: Rig
    observed: NDArray[np.float64]


class _Pair(NamedTuple):
    """Two cameras: the second's pose from the first, which tracks are one person, and how much speaks for it."""

    a: int
    b: int
    b_from_a: Rigid
    same: list[tuple[int, int]]
    support: float


class _Views(NamedTuple):
    """Joints of one track: normalised image points (F, J, 2) on the plane z = 1, NaN where poor, and raw (F, J, 3)."""

    ideal: NDArray[np.float64]
    raw: NDArray[np.float64]


def chain_cameras(cameras: tuple[Camera, ...], sightings: Sightings) -> Chained:
    """Find where all cameras stand, up to the world; poses they have already are ignored.

    Raises:
        InputError: a camera that shares too few people with the others, or people too small or too far to tell.
    """
    keypoints = sightings.detections.keypoints
    tracks = [tracks_of(camera, keypoints[:, c], sightings.time_s) for c, camera in enumerate(cameras)]
    tolerance = np.array([tolerance_of(camera) for camera in cameras])
    pair = _best_pair(cameras, tracks, tolerance)
    rig = [camera.replace(cam_from_world=Rigid.identity()) for camera in cameras]
    rig[pair.b] = cameras[pair.b].replace(cam_from_world=pair.b_from_a)
    observed = np.full((len(keypoints), len(cameras), len(pair.same), *keypoints.shape[3:]), np.nan)
    observed[..., 2] = 0
    for p, (i, j) in enumerate(pair.same):
        observed[:, pair.a, p], observed[:, pair.b, p] = tracks[pair.a][i].raw, tracks[pair.b][j].raw
    known = [pair.a, pair.b]
    rig = _refined(rig, observed, known)
    while len(known) < len(cameras):
        X = _joints(rig, observed, known)
        offers = [resected(c, tracks[c], X, tolerance[c]) for c in range(len(cameras)) if c not in known]
        best = max(offers, key=lambda offer: offer.support)
        if best.support < FEWEST_JOINTS:
            names = ", ".join(cameras[offer.b].name for offer in offers)
            raise InputError(
                f"cameras {names} see too little of the people whom {', '.join(cameras[c].name for c in known)} see"
                " together: let people walk where all of them look"
            )
        rig[best.b] = cameras[best.b].replace(cam_from_world=best.b_from_a)
        for p, track in best.same:
            observed[:, best.b, p] = tracks[best.b][track].raw
        known.append(best.b)
        rig = _refined(rig, observed, known)
    missing = ~np.isfinite(observed[..., :1])
    return Chained(Rig(tuple(rig)), np.where(missing, (np.nan, np.nan, 0.0), observed))


def tracks_of(camera: Camera, keypoints: NDArray[np.float64], time_s: NDArray[np.float64]) -> list[_Views]:
    """Return the bodies of one camera (F, N, J, 3), best supported first."""
    rays = pixel_rays(camera, keypoints[..., :2])
    with np.errstate(invalid="ignore", divide="ignore"):
        good = (keypoints[..., 2] >= GOOD_SCORE) & (rays[..., 2] > 0.1)
        ideal = np.where(good[..., None], rays[..., :2] / rays[..., 2:], np.nan)
    found: list[Track2D] = tracks_2d(keypoints, time_s)
    return [_Views(joints_of(ideal, track), joints_of(keypoints, track)) for track in found]


def tolerance_of(camera: Camera) -> float:
    """Return the tolerance of one camera on the plane z = 1."""
    return float(TOLERANCE_PX * np.sqrt(np.prod(camera.size_wh) / REFERENCE_PIXELS) / camera.K[0, 0])


def _best_pair(cameras: tuple[Camera, ...], tracks: list[list[_Views]], tolerance: NDArray[np.float64]) -> _Pair:
    """Return the two cameras to begin with: much seen by both, from directions that differ."""
    pairs = []
    for a in range(len(cameras)):
        for b in range(a + 1, len(cameras)):
            bound = float(np.hypot(tolerance[a], tolerance[b]) / np.sqrt(2))
            pairs += [_joined(a, b, tracks, first, bound) for first in _overlapping(tracks[a], tracks[b])]
    best = max(pairs, key=lambda pair: pair.support, default=None)
    if best is None or best.support < FEWEST_JOINTS * _LEAST_PARALLAX:
        raise InputError(
            "no two cameras see enough of the same people from different directions: record somebody who walks through"
            f" the volume; {FEWEST_JOINTS} joints that agree are needed"
        )
    return best


def _overlapping(first: list[_Views], second: list[_Views]) -> list[tuple[int, int]]:
    """Return pairs of tracks of two cameras that share enough joints, those that share most first, a few at most."""
    shared = [
        (int(np.isfinite(one.ideal[..., 0] + other.ideal[..., 0]).sum()), i, j)
        for i, one in enumerate(first)
        for j, other in enumerate(second)
    ]
    return [(i, j) for n, i, j in sorted(shared, key=lambda row: -row[0])[:9] if n >= FEWEST_JOINTS]


def _joined(a: int, b: int, tracks: list[list[_Views]], first: tuple[int, int], bound: float) -> _Pair:
    """Return two cameras joined by taking one pair of tracks for one person, and what all tracks say to that."""
    nothing = _Pair(a, b, Rigid.identity(), [], 0.0)
    same = [first]
    for _ in range(2):
        xa = np.concatenate([tracks[a][i].ideal.reshape(-1, 2) for i, _ in same])
        xb = np.concatenate([tracks[b][j].ideal.reshape(-1, 2) for _, j in same])
        xa, xb = _thinned(xa, xb)
        E, mask = cv2.findEssentialMat(
            xa, xb, np.eye(3), method=cv2.RANSAC, prob=0.9999, threshold=bound, maxIters=_HYPOTHESES
        )
        if E is None or E.shape[0] < 3 or mask.sum() < 20:
            return nothing
        _, R, t, mask = cv2.recoverPose(E[:3], xa, xb, np.eye(3), mask=mask)
        b_from_a = Rigid(R, t.ravel())
        counts, shares = _agreement(tracks[a], tracks[b], b_from_a, bound)
        same = _assigned(counts, shares)
        if not same:
            return nothing
    inside = mask.ravel() > 0
    if not inside.any():
        return nothing
    rays_a, rays_b = (np.c_[x[inside], np.ones(inside.sum())] for x in (xa, xb))
    rays_a, rays_b = (rays / np.linalg.norm(rays, axis=1, keepdims=True) for rays in (rays_a, rays_b))
    sine = np.linalg.norm(np.cross(rays_a @ R.T, rays_b), axis=1)
    # Depth is as good as the sine of the angle between the rays: opposite cameras are as poor as neighbouring ones.
    support = sum(counts[i, j] for i, j in same) * float(np.median(sine))
    return _Pair(a, b, b_from_a, same, support)


def _thinned(xa: NDArray[np.float64], xb: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what both have of two sets (n, 2), so many at most."""
    both = np.flatnonzero(np.isfinite(xa[:, 0] + xb[:, 0]))
    chosen = np.random.default_rng(0).permutation(both)[:MOST_COMPARED]
    return np.ascontiguousarray(xa[chosen]), np.ascontiguousarray(xb[chosen])


def _agreement(
    first: list[_Views], second: list[_Views], b_from_a: Rigid, bound: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how many joints of each two tracks agree with two cameras' poses, and which share (A, B)."""
    t = b_from_a.t
    E = np.array([[0, -t[2], t[1]], [t[2], 0, -t[0]], [-t[1], t[0], 0]]) @ b_from_a.R
    counts, shares = np.zeros((len(first), len(second))), np.zeros((len(first), len(second)))
    for i, one in enumerate(first):
        for j, other in enumerate(second):
            xa, xb = one.ideal.reshape(-1, 2), other.ideal.reshape(-1, 2)
            both = np.isfinite(xa[:, 0] + xb[:, 0])
            if both.sum() < FEWEST_JOINTS // 2:
                continue
            ha, hb = np.c_[xa[both], np.ones(both.sum())], np.c_[xb[both], np.ones(both.sum())]
            lines_b, lines_a = ha @ E.T, hb @ E
            slope = (lines_a[:, :2] ** 2).sum(axis=1) + (lines_b[:, :2] ** 2).sum(axis=1)
            sampson = np.abs((hb * lines_b).sum(axis=1)) / np.sqrt(np.maximum(slope, 1e-18))
            agree = sampson < bound
            counts[i, j], shares[i, j] = agree.sum(), agree.mean()
    return counts, shares


def _assigned(counts: NDArray[np.float64], shares: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Return which rows are which columns, so that as many joints as possible agree."""
    good = np.where(shares >= LEAST_SHARE, counts, 0.0)
    return [(int(i), int(j)) for i, j in zip(*linear_sum_assignment(-good), strict=True) if good[i, j] > 0]


def resected(c: int, tracks: list[_Views], X: NDArray[np.float64], tolerance: float) -> _Pair:
    """Return the pose of camera `c` from joints (F, P, J, 3) of known people; `same` are pairs of person and track."""
    best = _Pair(-1, c, Rigid.identity(), [], 0.0)
    for p in range(X.shape[1]):
        for track in tracks:
            both = np.flatnonzero(np.isfinite(X[:, p, :, 0] + track.ideal[..., 0]).ravel())
            if len(both) < FEWEST_JOINTS // 2:
                continue
            chosen = np.random.default_rng(0).permutation(both)[:MOST_COMPARED]
            world = np.ascontiguousarray(X[:, p].reshape(-1, 3)[chosen])
            ideal = np.ascontiguousarray(track.ideal.reshape(-1, 2)[chosen])
            # The joints of other cameras carry errors of their own.
            found, rvec, tvec, _ = cv2.solvePnPRansac(
                world, ideal, np.eye(3), None, iterationsCount=300, reprojectionError=2 * tolerance, confidence=0.9999
            )
            if not found or not np.isfinite(rvec).all() or not np.isfinite(tvec).all():
                continue
            pose = Rigid.from_rotvec(rvec, tvec.ravel())
            counts, shares = _seen_alike(tracks, X, pose, 2 * tolerance)
            same = _assigned(counts, shares)
            support = float(sum(counts[i, j] for i, j in same))
            if support > best.support:
                best = _Pair(-1, c, pose, same, support)
    return best


def _seen_alike(
    tracks: list[_Views], X: NDArray[np.float64], pose: Rigid, bound: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how many joints of each person and track agree with a camera's pose, and which share (P, tracks)."""
    counts, shares = np.zeros((X.shape[1], len(tracks))), np.zeros((X.shape[1], len(tracks)))
    x = pose.apply(X)
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = np.where(x[..., 2:] > 1e-6, x[..., :2] / x[..., 2:], np.nan)
    for p in range(X.shape[1]):
        for k, track in enumerate(tracks):
            apart = np.linalg.norm(expected[:, p] - track.ideal, axis=-1)
            apart = apart[np.isfinite(apart)]
            if len(apart):
                counts[p, k], shares[p, k] = (apart < bound).sum(), (apart < bound).mean()
    return counts, shares


def _joints(rig: list[Camera], observed: NDArray[np.float64], known: list[int]) -> NDArray[np.float64]:
    return place_joints(Rig(tuple(rig[c] for c in known)), observed[:, known], least_score=GOOD_SCORE)


def _refined(rig: list[Camera], observed: NDArray[np.float64], known: list[int]) -> list[Camera]:
    """Return the cameras with the known ones refined together."""
    seen = np.ascontiguousarray(observed[:, known])
    part = Rig(tuple(rig[c] for c in known))
    views = joint_views(seen, least_score=GOOD_SCORE)
    for _ in range(2):
        X = place_joints(part, seen, least_score=GOOD_SCORE)
        flat = X[views.frame, views.person, views.joint]
        placed = np.isfinite(flat[:, 0])
        some = views.take(placed)
        if placed.sum() < FEWEST_JOINTS:
            break
        noise = np.maximum(joint_noise(part, some, flat[placed], joints=seen.shape[3]), 1.0)
        part = refine_bundle(part, flat[placed], some, noise_px=noise, free=np.ones(len(part), bool)).rig
    out = list(rig)
    for c, camera in zip(known, part, strict=True):
        out[c] = camera
    return out
