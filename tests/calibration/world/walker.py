"""Somebody of known height who walks in a circle on the floor z = 0, as joints of BODY_25."""

import numpy as np

from triskel import project
from triskel.keypoints import Points3D
from triskel.motion import Detections2D, Motion3D
from triskel.skeleton import BODY_25

FPS = 30.0


def walk(n_frames=150, *, stature=1.75, radius=0.8, centre=(0.0, 0.0), start=0.0):
    """Return joints (F, 1, 25, 3), m. Each foot stands still for half of its 1.2 s cycle."""
    time_s = np.arange(n_frames) / FPS
    X = np.full((n_frames, 1, 25, 3), np.nan)
    middle = np.array([*centre, 0.0])

    def on_path(t, beside=0.0):
        a = start + 0.6 * np.asarray(t) / radius
        r = radius - beside
        return middle + np.stack([r * np.cos(a), r * np.sin(a), np.zeros_like(a)], axis=-1)

    a = start + 0.6 * time_s / radius
    forward = np.stack([-np.sin(a), np.cos(a), np.zeros_like(a)], axis=-1)
    left = np.stack([-np.cos(a), -np.sin(a), np.zeros_like(a)], axis=-1)
    up = np.array([0.0, 0.0, 1.0])

    def put(name, along=0.0, beside=0.0, height=0.0):
        X[:, 0, BODY_25.index(name)] = on_path(time_s) + stature * (along * forward + beside * left + height * up)

    put("MidHip", height=0.53)
    put("Neck", height=0.818)
    put("Nose", along=0.06, height=0.925)
    for side, sign in (("L", 1.0), ("R", -1.0)):
        put(f"{side}Eye", along=0.05, beside=0.02 * sign, height=0.936)
        put(f"{side}Ear", beside=0.045 * sign, height=0.93)
        put(f"{side}Shoulder", beside=0.11 * sign, height=0.818)
        put(f"{side}Elbow", beside=0.13 * sign, height=0.63)
        put(f"{side}Wrist", along=0.03, beside=0.14 * sign, height=0.485)
        put(f"{side}Hip", beside=0.06 * sign, height=0.53)
        phase = (time_s / 1.2 + (0.0 if side == "L" else 0.5)) % 1.0
        stands_at = time_s - 1.2 * phase + 0.3
        share = np.clip((phase - 0.5) / 0.5, 0, 1)
        foot_time = stands_at + 1.2 * share  # still while the phase is below a half, then on to the next place
        foot = on_path(foot_time, beside=0.06 * stature * sign) + stature * 0.05 * np.sin(np.pi * share)[:, None] * up
        for name, along, height in (("Ankle", 0.0, 0.053), ("Heel", -0.03, 0.024), ("BigToe", 0.1, 0.012)):
            X[:, 0, BODY_25.index(side + name)] = foot + stature * (along * forward + height * up)
        X[:, 0, BODY_25.index(f"{side}SmallToe")] = foot + stature * (0.09 * forward + 0.03 * sign * left + 0.012 * up)
        hip, ankle = (X[:, 0, BODY_25.index(side + name)] for name in ("Hip", "Ankle"))
        X[:, 0, BODY_25.index(f"{side}Knee")] = (hip + ankle) / 2
    return X


def motion_of(X, *, noise_m=0.0, seed=0):
    """Return the motion of people (F, N, 25, 3)."""
    X = X + np.random.default_rng(seed).normal(0, 1, X.shape) * noise_m
    found = np.isfinite(X[..., 0])
    points = Points3D(
        X=X,
        score=found.astype(float),
        reproj_px=np.where(found, 1.0, np.nan),
        views=np.repeat(found[..., None], 4, axis=-1),
        cov_mm2=np.full((*X.shape, 3), np.nan, np.float32),
        missing=np.where(found, 0, 2).astype(np.uint8),
    )
    names = ("cam01", "cam02", "cam03", "cam04")
    time_s = np.arange(len(X)) / FPS
    return Motion3D(BODY_25, names, time_s, np.arange(X.shape[1]), points, np.zeros(found.shape, bool))


def seen_by(rig, X, *, noise_px=1.5, seed=0):
    """Return what the rig's cameras detect of people (F, N, 25, 3), and the times."""
    rng = np.random.default_rng(seed)
    keypoints = np.full((len(X), len(rig), X.shape[1], 25, 3), np.nan)
    for c, camera in enumerate(rig):
        xy = project(camera, X)
        xy = xy + rng.normal(0, noise_px, xy.shape)
        with np.errstate(invalid="ignore"):
            xy[~((xy >= 0) & (xy < camera.size_wh)).all(axis=-1)] = np.nan
        keypoints[:, c, ..., :2] = xy
        keypoints[:, c, ..., 2] = np.where(np.isfinite(xy[..., 0]), 0.9, 0.0)
    return Detections2D(BODY_25, tuple(rig.names), keypoints), np.arange(len(X)) / FPS
