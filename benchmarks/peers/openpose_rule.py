"""The rule by which OpenPose triangulates, written anew from a description of it, in NumPy, for all points at once.

OpenPose itself cannot be called on stored detections. What it does with a point: the linear solution of all views whose
score is above 0.35 and that lie more than 8 px from every border; if the mean reprojection error is above half a bound
and there are four views or more, the best of the solutions without one of them, if it is clearly better; a robust
refinement if the error is neither tiny nor hopeless; then it is kept if the error is below the bound and not five times
the mean of the frame. The time says little, since the original is C++.
"""

import cv2
import numpy as np

LEAST_SCORE, BORDER_PX, HUBER_PX = 0.35, 8.0, 2.0
BOUND_PX, BOUND_AREA = 25.0, 1310720
LEAVE_OUT_ABOVE, CLEARLY_BETTER = 0.5, 0.9
REFINE_FROM_PX, REFINE_UP_TO = 3.0, 1.5
OF_THE_MEAN = 5.0


def linear(P, xy, used):
    """Return points (N, 3) of views xy (N, C, 2), those `used` (N, C)."""
    xy = np.where(used[..., None], xy, 0.0)
    rows = np.concatenate([xy[..., :1] * P[:, 2] - P[:, 0], xy[..., 1:] * P[:, 2] - P[:, 1]], axis=1)
    rows *= np.concatenate([used, used], axis=1)[..., None]
    x = np.linalg.svd(rows)[2][:, 3] if len(rows) else np.zeros((0, 4))
    return x[:, :3] / x[:, 3:]


def offsets(P, X, xy, used):
    """Return observed minus projected (N, C, 2), 0 where not used, and homogeneous image points (N, C, 3)."""
    x = np.einsum("cij,nj->nci", P[..., :3], X) + P[..., 3]
    return np.where(used[..., None], xy - x[..., :2] / x[..., 2:], 0.0), x


def mean_error(P, X, xy, used):
    """Return the mean reprojection error (N,), px."""
    return np.linalg.norm(offsets(P, X, xy, used)[0], axis=-1).sum(axis=-1) / used.sum(axis=-1)


def refine(P, X, xy, used):
    """Return X after Gauss-Newton steps with Huber's loss."""
    for _ in range(10):
        r, x = offsets(P, X, xy, used)
        size = np.linalg.norm(r, axis=-1)
        w = used * np.where(size > HUBER_PX, HUBER_PX / np.maximum(size, 1e-12), 1.0)
        J = (P[:, :2, :3] - (x[..., :2] / x[..., 2:])[..., None] * P[:, 2:, :3]) / x[..., 2:, None]
        A = np.einsum("nc,ncki,nckj->nij", w, J, J) + 1e-9 * np.eye(3)
        X = X + np.linalg.solve(A, np.einsum("nc,ncki,nck->ni", w, J, r)[..., None])[..., 0]
    return X


def openpose_rule(scene):
    """Return the triangulation of a scene of benchmarks/peers/triangulation.py, to be run."""
    C, F, J = scene["score"].shape
    P = scene["K"] @ np.concatenate([scene["R"], scene["t"][..., None]], axis=-1)
    width, height = scene["size"][0]
    bound = BOUND_PX * np.sqrt(width * height / BOUND_AREA)

    def run():
        flat = scene["xy"].reshape(C, -1, 1, 2)
        views = zip(flat, scene["K"], scene["dist"], strict=True)
        # It wants the images undistorted beforehand.
        ideal = np.stack([cv2.undistortPoints(xy, K, d, P=K)[:, 0] for xy, K, d in views], axis=1)
        inside = ((ideal > BORDER_PX) & (ideal < (width - BORDER_PX, height - BORDER_PX))).all(axis=-1)
        used = inside & (scene["score"].reshape(C, -1).T > LEAST_SCORE)
        enough = np.flatnonzero(used.sum(axis=1) >= max(2, min(4, C - 1)))
        xy, used = ideal[enough], used[enough]
        X = linear(P, xy, used)
        error = mean_error(P, X, xy, used)
        doubtful = np.flatnonzero((error > LEAVE_OUT_ABOVE * bound) & (used.sum(axis=1) >= 4))
        limit, chosen = CLEARLY_BETTER * error, used.copy()
        for c in range(C):
            some = doubtful[used[doubtful, c]]
            fewer = used[some].copy()
            fewer[:, c] = False
            trial = linear(P, xy[some], fewer)
            trial_error = mean_error(P, trial, xy[some], fewer)
            better = trial_error < np.minimum(limit[some], error[some])
            at = some[better]
            X[at], error[at], chosen[at] = trial[better], trial_error[better], fewer[better]
        some = np.flatnonzero((error > REFINE_FROM_PX) & (error < REFINE_UP_TO * bound))
        X[some] = refine(P, X[some], xy[some], chosen[some])
        error[some] = mean_error(P, X[some], xy[some], chosen[some])
        frame = enough // J
        mean = np.bincount(frame, error, F) / np.maximum(np.bincount(frame, minlength=F), 1)
        keep = np.isfinite(X).all(axis=1) & (error < OF_THE_MEAN * mean[frame]) & (error < bound)
        out = np.full((F * J, 3), np.nan)
        out[enough[keep]] = X[keep]
        return out

    return run
