"""How late pictures are, out of the boards that move in them, when the rig is known or nearly so.

A picture taken `delay` after its moment shows a corner that moves at v px a frame set v * delay px ahead of where the
rigid board, placed by all cameras together, has it. The board's pose takes up a part of that: it is solved for
together with the delays. Delays that all cameras of a shot share are no delays, only another moment.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.boards import BoardView
from triskel.calibration.footage.motion import CornerMotion, corner_motion
from triskel.calibration.footage.types import BoardFootage, Shots
from triskel.camera import Camera, Rig
from triskel.projection import project
from triskel.rigid import Rigid

CAUCHY = 2.385
"""Scale of the robust weight in standard deviations: 95 % efficient for normal errors."""

MAD = 1.4826
ROUNDS = 10
STEP_M = 1e-4
LEAST_MOTION_PX = 0.5
"""Corners slower than this, px a frame set, say nothing about time."""
FEWEST_SHOTS = 10
NEGLIGIBLE_SETS = 1e-3

Motions = list[dict[str, CornerMotion]]
"""How the corners of each view of each shot move."""


class CameraLags(NamedTuple):
    """How late each camera's pictures are.

    Attributes:
        cameras: their names.
        lag_sets: (C,) how many frame sets later than the others this camera took the picture that stands in a set;
            the median camera has 0. NaN where nothing tells.
        sigma_sets: (C,) the standard error.
    """

    cameras: tuple[str, ...]
    lag_sets: NDArray[np.float64]
    sigma_sets: NDArray[np.float64]

    @classmethod
    def unknown(cls, cameras: tuple[str, ...]) -> "CameraLags":
        """Return the lags of cameras of which nothing is known."""
        return cls(cameras, np.full(len(cameras), np.nan), np.full(len(cameras), np.nan))

    def of(self, camera: str) -> float:
        """Return the lag of one camera, frame sets; NaN where nothing tells, and for a camera that is not there."""
        return float(self.lag_sets[self.cameras.index(camera)]) if camera in self.cameras else float("nan")

    def late(self, *, least_sets: float = 0.1, sigmas: float = 3.0) -> list[str]:
        """Return the cameras whose lag is beyond doubt and large enough to matter."""
        with np.errstate(invalid="ignore"):
            clear = (np.abs(self.lag_sets) >= least_sets) & (np.abs(self.lag_sets) >= sigmas * self.sigma_sets)
        return [name for name, is_late in zip(self.cameras, clear, strict=True) if is_late]

    def describe(self, fps: float = float("nan")) -> list[str]:
        """Say of each late camera how late it is, one line each; in ms too where the rate (1/s) is known."""
        lines = []
        for name in self.late():
            lag, sigma = (float(row[self.cameras.index(name)]) for row in (self.lag_sets, self.sigma_sets))
            in_ms = f" ({1000 * abs(lag) / fps:.0f} ms)" if np.isfinite(fps) else ""
            lines.append(
                f"camera {name} is {abs(lag):.2f} ± {sigma:.2f} frames{in_ms} {'late' if lag > 0 else 'early'}; "
                f"shift its video, or record with cameras that are triggered together"
            )
        return lines


class ViewDelays(NamedTuple):
    """How late each picture of each shot is, frame sets, by camera name.

    The median picture of a shot has 0. Pictures without known motion are missing.
    """

    of_shot: list[dict[str, float]]


class _Corners(NamedTuple):
    """Corners seen in shots: camera, shot (n,); velocity, residual (n, 2) px; moves (n, 2, 6) px per m and rad."""

    camera: NDArray[np.int64]
    shot: NDArray[np.int64]
    velocity: NDArray[np.float64]
    residual: NDArray[np.float64]
    moves: NDArray[np.float64]


def view_delays(
    footage: BoardFootage,
    shots: Shots,
    rig: Rig,
    world_from_board: Mapping[int, Rigid],
    *,
    expected_sets: float = 0.2,
    noise_px: float = 0.3,
    lag_sets: Mapping[str, float] | None = None,
    motions: Motions | None = None,
) -> ViewDelays:
    """Estimate the delay of every single picture: cameras that run freely are late by another amount each time.

    Args:
        footage: of which the shots are; it knows how the boards move.
        shots: as the footage gives them, not yet moved to one moment.
        rig: calibrated.
        world_from_board: the board's pose in each shot, by the shot's index.
        expected_sets: standard deviation of delays, frame sets: what motion too slow to tell is pulled to the
            camera's lag by.
        noise_px: of the corners.
        lag_sets: how late each camera is on the whole, by name; 0 where it is missing.
        motions: as `shot_motions` gives them, where they are known already.
    """
    corners = _gather(shots, rig, world_from_board, motions or shot_motions(footage, shots))
    lag = np.array([(lag_sets or {}).get(name, 0.0) for name in rig.names])
    found: list[dict[str, float]] = [{} for _ in shots.shots]
    for rows in _groups(corners.shot):
        cameras, which = np.unique(corners.camera[rows], return_inverse=True)
        if len(cameras) < 2:
            continue
        own = np.zeros((len(rows), 2, len(cameras)))
        own[np.arange(len(rows)), :, which] = corners.velocity[rows]
        A = np.concatenate([corners.moves[rows], own], axis=2).reshape(2 * len(rows), -1) / noise_px
        ahead = corners.velocity[rows] * lag[corners.camera[rows], None]
        r = (corners.residual[rows] - ahead).reshape(-1) / noise_px
        prior = np.r_[np.full(6, 1e-6), np.full(len(cameras), 1 / expected_sets)]
        solution = _ridge(A, r, prior)
        # What all share is only another moment; with one picture far off it is the others that say which.
        late = solution[6:] + lag[cameras]
        late = late - np.median(late)
        for camera, delay in zip(cameras, late, strict=True):
            found[int(corners.shot[rows[0]])][rig.names[camera]] = float(delay)
    return ViewDelays(found)


def constant_delays(shots: Shots, lag_sets: Mapping[str, float], motions: Motions) -> ViewDelays:
    """Return the delays of pictures of cameras that are late by the same amount all the time.

    A shot of which nobody knows how the board moved has none: it is taken as it is.
    """
    found = []
    for shot, motion in zip(shots.shots, motions, strict=True):
        moving = any(np.isfinite(one.velocity).all() for one in motion.values())
        found.append({name: lag_sets.get(name, 0.0) for name in shot} if moving else {})
    return ViewDelays(found)


def at_one_moment(shots: Shots, delays: ViewDelays, motions: Motions, *, largest_sets: float = 0.5) -> Shots:
    """Return the shots with their corners where they would have been, had all pictures been taken at once.

    Along a parabola through three frames, which holds for a part of the time between two: pictures that are later or
    earlier than `largest_sets` are left out, and so are those of which nobody knows how the board moved.
    """
    moved = []
    for shot, late, motion in zip(shots.shots, delays.of_shot, motions, strict=True):
        kept: dict[str, BoardView] = {}
        for name, view in shot.items():
            delay = late.get(name)
            if delay is not None and abs(delay) <= NEGLIGIBLE_SETS:
                kept[name] = view
            elif delay is None or not np.isfinite(motion[name].velocity).all():
                # Where the whole shot has no known motion, as with pictures taken one by one, it is taken as it is.
                if not late:
                    kept[name] = view
            elif abs(delay) <= largest_sets:
                kept[name] = BoardView(view.ids, view.xy + motion[name].after(-delay))
        moved.append(kept)
    return Shots(moved, shots.boards, shots.sets)


def delay_spread_px(delays: ViewDelays, motions: Motions) -> float:
    """Return the RMS of what delays move the corners by, px; 0 where nothing moves."""
    squares = [
        ((motion[name].velocity * delay) ** 2).sum(axis=1)
        for late, motion in zip(delays.of_shot, motions, strict=True)
        for name, delay in late.items()
    ]
    moved = np.concatenate(squares) if squares else np.zeros(0)
    moved = moved[np.isfinite(moved)]
    return float(np.sqrt(moved.mean())) if len(moved) else 0.0


def lags_from_residuals(
    footage: BoardFootage,
    shots: Shots,
    rig: Rig,
    world_from_board: Mapping[int, Rigid],
    *,
    motions: Motions | None = None,
) -> CameraLags:
    """Estimate each camera's constant lag from what is left over after calibration.

    Least squares with Cauchy's weights; the standard error takes the shots for independent, not their corners.
    A calibration that was made from late pictures has taken up a part of the lag, so a large one comes out too small:
    correct it, calibrate again, and see what is left.

    Args:
        footage: of which the shots are.
        shots: as the footage gives them; with `motions` also moved to one moment.
        rig: calibrated from them.
        world_from_board: the board's pose in each shot, by the shot's index.
        motions: as `shot_motions` gives them, where they are known already.
    """
    C = len(rig)
    corners = _gather(shots, rig, world_from_board, motions or shot_motions(footage, shots))
    fast = np.hypot(*corners.velocity.T) >= LEAST_MOTION_PX
    groups = [rows for rows in _groups(corners.shot) if len(np.unique(corners.camera[rows])) > 1 and fast[rows].any()]
    nothing = np.full(C, np.nan)
    if len(groups) < FEWEST_SHOTS:
        return CameraLags(tuple(rig.names), nothing, nothing.copy())
    lag, weight, inverse, pulls = np.zeros(C), np.ones(len(corners.shot)), np.zeros((C, C)), np.zeros((0, C))
    for _ in range(ROUNDS):
        H, g, parts = _reduced(corners, groups, weight, C)
        inverse = np.asarray(np.linalg.pinv(H, rcond=1e-6), np.float64)
        lag = inverse @ g
        pulls, left = _left_over(parts, lag, corners, groups)
        scale = max(MAD * float(np.median(left[np.isfinite(left)])) / 1.1774, 1e-3)
        weight = 1 / (1 + (np.nan_to_num(left) / (CAUCHY * scale)) ** 2)
    # Only differences of lags mean something, so their common part is no error of theirs.
    pushes = pulls @ inverse
    sigma = np.sqrt(((pushes - pushes.mean(axis=1, keepdims=True)) ** 2).sum(axis=0))
    seen = np.array([np.isin(c, corners.camera[np.concatenate(groups)]) for c in range(C)])
    lag, sigma = np.where(seen, lag, np.nan), np.where(seen, sigma, np.nan)
    return CameraLags(tuple(rig.names), lag - np.nanmedian(lag), sigma)


def _reduced(
    corners: _Corners, groups: list[NDArray[np.intp]], weight: NDArray[np.float64], C: int
) -> tuple[
    NDArray[np.float64], NDArray[np.float64], list[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]]
]:
    """Return the normal equations of the lags, H (C, C) and g (C,), the boards' poses eliminated, and each shot's part.

    A part is what a shot's lag columns and residuals are once the pose has taken what it can, and their weights.
    """
    H, g, parts = np.zeros((C, C)), np.zeros(C), []
    for rows in groups:
        w = np.repeat(np.sqrt(weight[rows]), 2)
        own = np.zeros((len(rows), 2, C))
        own[np.arange(len(rows)), :, corners.camera[rows]] = corners.velocity[rows]
        A = own.reshape(-1, C) * w[:, None]
        r = corners.residual[rows].reshape(-1) * w
        q = np.linalg.qr(corners.moves[rows].reshape(-1, 6) * w[:, None])[0]
        A, r = A - q @ (q.T @ A), r - q @ (q.T @ r)
        H, g = H + A.T @ A, g + A.T @ r
        parts.append((A, r, w))
    return H, g, parts


def _left_over(
    parts: list[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]],
    lag: NDArray[np.float64],
    corners: _Corners,
    groups: list[NDArray[np.intp]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each shot's pull on the lags (S, C), and what is left of each corner's residual (n,), px."""
    left, pulls = np.full(len(corners.shot), np.nan), []
    for rows, (A, r, w) in zip(groups, parts, strict=True):
        e = r - A @ lag
        pulls.append(A.T @ e)
        left[rows] = np.hypot(*(e / w).reshape(-1, 2).T)
    return np.array(pulls), left


def _ridge(A: NDArray[np.float64], r: NDArray[np.float64], prior: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the robust solution x of A x = r, pulled to 0 by `prior`; errors are in standard deviations."""
    weight, x = np.ones(len(r)), np.zeros(A.shape[1])
    for _ in range(ROUNDS):
        H = (A * weight[:, None]).T @ A + np.diag(prior**2)
        scale = 1 / np.sqrt(np.maximum(np.diagonal(H), 1e-300))
        x = scale * np.linalg.solve(H * np.outer(scale, scale), scale * (A.T @ (weight * r)))
        weight = 1 / (1 + ((r - A @ x) / CAUCHY) ** 2)
    return np.asarray(x)


def _gather(shots: Shots, rig: Rig, world_from_board: Mapping[int, Rigid], motions: Motions) -> _Corners:
    """Return all corners of which motion, residual and effect of the board's pose are known."""
    tables: list[_Corners] = []
    for c, camera in enumerate(rig):
        at = [s for s, shot in enumerate(shots.shots) if camera.name in shot and s in world_from_board]
        if not at:
            continue
        views = [shots.shots[s][camera.name] for s in at]
        local = [shots.boards[s].corners[view.ids] for s, view in zip(at, views, strict=True)]
        X = np.concatenate([world_from_board[s].apply(points) for s, points in zip(at, local, strict=True)])
        middle = np.concatenate(
            [
                np.broadcast_to(world_from_board[s].apply(points.mean(axis=0)), points.shape)
                for s, points in zip(at, local, strict=True)
            ]
        )
        velocity = np.concatenate([motions[s][camera.name].velocity for s in at])
        residual = np.concatenate([view.xy for view in views]) - project(camera, X)
        shot = np.repeat(np.array(at, dtype=np.int64), [len(view.ids) for view in views])
        moves = _moves(camera, X, X - middle)
        good = (
            np.isfinite(velocity).all(axis=1) & np.isfinite(residual).all(axis=1) & np.isfinite(moves).all(axis=(1, 2))
        )
        index = np.full(int(good.sum()), c, dtype=np.int64)
        tables.append(_Corners(index, shot[good], velocity[good], residual[good], moves[good]))
    if not tables:
        return _Corners(
            np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 2)), np.zeros((0, 2)), np.zeros((0, 2, 6))
        )
    return _Corners(*(np.concatenate(columns) for columns in zip(*tables, strict=True)))


def _moves(camera: Camera, X: NDArray[np.float64], arm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n, 2, 6) how the images of points move with the board: px per m along, per rad about the world's axes."""
    ahead, behind = (project(camera, X[:, None] + sign * STEP_M * np.eye(3)) for sign in (1, -1))
    along = np.swapaxes((ahead - behind) / (2 * STEP_M), 1, 2)
    # Turned about unit vector u, a corner moves along u x arm.
    turning = np.swapaxes(np.cross(np.eye(3)[None], arm[:, None]), 1, 2)
    return np.concatenate([along, along @ turning], axis=2)


def shot_motions(footage: BoardFootage, shots: Shots) -> Motions:
    """Return for each view of each shot how its corners move; unknown for views that are not the footage's."""
    number = {board.name: i for i, board in enumerate(footage.boards)}
    found: Motions = [
        {name: CornerMotion.unknown(len(view.ids)) for name, view in shot.items()} for shot in shots.shots
    ]
    wanted: dict[tuple[str, int], list[int]] = {}
    for s, (shot, board) in enumerate(zip(shots.shots, shots.boards, strict=True)):
        for name in shot:
            wanted.setdefault((name, number.get(board.name, -1)), []).append(s)
    for one in footage.cameras:
        of_set = {moment: i for i, moment in enumerate(one.sets.tolist())}
        at = [
            (s, i)
            for s in wanted.get((one.camera, one.board), ())
            if (i := of_set.get(int(shots.sets[s]))) is not None
            and np.array_equal(one.views[i].xy, shots.shots[s][one.camera].xy)
        ]
        for (s, _), motion in zip(at, corner_motion(one, [i for _, i in at]), strict=True):
            found[s][one.camera] = motion
    return found


def _groups(shot: NDArray[np.int64]) -> list[NDArray[np.intp]]:
    """Return the rows of each shot, in order."""
    if len(shot) == 0:
        return []
    order = np.argsort(shot, kind="stable")
    return list(np.split(order, np.flatnonzero(np.diff(shot[order])) + 1))
