"""First poses: of boards in single images, of cameras along the graph of shared shots, of boards in the world."""

import numba
import numpy as np
from numpy.typing import NDArray

from triskel import lens
from triskel.calibration.flat_poses import flat_poses
from triskel.calibration.rig import kernel
from triskel.calibration.rig.bundle import CornerTable, pack_boards
from triskel.camera import Camera
from triskel.projection import pixel_rays
from triskel.rigid import Rigid

MAX_ANGLE_COSINE = 0.2
"""Corners whose ray leaves the axis by more than acos of this (78 degrees) are left out of the first pose."""
_CLIP_PX = 50.0
_MAX_RELATIVE = 75
"""Pairs of views compared for the pose of a camera: four candidates each, and the comparison is quadratic."""


def board_poses(cameras: tuple[Camera, ...], table: CornerTable) -> list[list[Rigid]]:
    """Return, for each view, up to two candidates for `cam_from_board`, the better first (Collins and Bartoli 2014).

    A single flat board has two poses that look almost alike; the wrong one is recognised by the other cameras and
    shots, not by its error in one image.
    """
    return [
        _poses_of_view(cameras[table.view_camera[v]], table.X[a:b], table.xy[a:b])
        for v, (a, b) in enumerate(zip(table.first[:-1], table.first[1:], strict=True))
    ]


def _poses_of_view(camera: Camera, X: NDArray[np.float64], xy: NDArray[np.float64]) -> list[Rigid]:
    rays = pixel_rays(camera, xy)
    good = rays[:, 2] > MAX_ANGLE_COSINE  # False for NaN
    if good.sum() < 4:
        return []
    found = flat_poses(X[good], rays[good, :2] / rays[good, 2:])
    return [Rigid(R, t) for R, t in zip(found.R, found.t, strict=True)]


def camera_poses(n_cameras: int, table: CornerTable, candidates: list[list[Rigid]]) -> dict[int, Rigid]:
    """Return `world_from_cam` of the cameras that the first one is linked to, directly or through others.

    The first camera is the world. Next comes always the camera that shares most shots with those that have a pose.
    """
    pairs = _pairs(table, candidates)
    placed = {0: Rigid.identity()}
    while len(placed) < n_cameras:
        counts = {
            camera: sum(len(pairs.get((other, camera), [])) for other in placed)
            for camera in range(n_cameras)
            if camera not in placed
        }
        best = max(counts, key=lambda camera: (counts[camera], -camera))
        if counts[best] == 0:
            break
        links: dict[int, list[tuple[Rigid, int, int]]] = {}
        for other in sorted(placed):
            for i, j in pairs.get((other, best), []):
                links.setdefault(int(table.view_shot[i]), []).append((placed[other], i, j))
        placed[best] = _most_agreed(links, candidates)
    return placed


def _pairs(table: CornerTable, candidates: list[list[Rigid]]) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """Return, for each ordered pair of cameras, the pairs of views that they have of the same shot."""
    pairs: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for start, end in zip(table.shot_first[:-1], table.shot_first[1:], strict=True):
        members = [int(v) for v in table.views_of[start:end] if candidates[v]]
        for i in members:
            for j in members:
                if i != j:
                    pairs.setdefault((int(table.view_camera[i]), int(table.view_camera[j])), []).append((i, j))
    return pairs


def _most_agreed(links: dict[int, list[tuple[Rigid, int, int]]], candidates: list[list[Rigid]]) -> Rigid:
    """Return the `world_from_cam` that agrees best with all shots: the one with the least median distance to them.

    Each link is the pose of another camera and the two cameras' views of the shot. Both poses of either flat board
    are tried; only the true ones repeat from shot to shot. Within one shot the wrong pose agrees with itself, seen
    from whichever camera, so a shot has one voice.
    """
    shots = sorted(links)
    chosen = shots[:: -(-sum(map(len, links.values())) // _MAX_RELATIVE)]
    groups = [
        [pose @ a @ b.inverse for pose, i, j in links[s] for a in candidates[i] for b in candidates[j]] for s in chosen
    ]
    options = [option for group in groups for option in group]
    if len(groups) == 1:
        return options[0]  # nothing to compare with: the better pose of either view
    R, t = np.array([option.R for option in options]), np.array([option.t for option in options])
    scale = max(float(np.median(np.linalg.norm(t, axis=1))), 1e-9)
    apart = np.linalg.norm(R[:, None] - R[None], axis=(2, 3)) + np.linalg.norm(t[:, None] - t[None], axis=2) / scale
    # The best option of each shot speaks for it, so that a shot's wrong options do not count.
    starts = np.cumsum([0] + [len(group) for group in groups[:-1]])
    return options[int(np.argmin(np.median(np.minimum.reduceat(apart, starts, axis=1), axis=1)))]


def first_boards(cameras: tuple[Camera, ...], table: CornerTable, candidates: list[list[Rigid]]) -> NDArray[np.float64]:
    """Return `world_from_board` (S, 12) of every shot: the candidate that fits best in all of its views."""
    world_from_cam = [camera.cam_from_world.inverse for camera in cameras]
    poses, shots = [Rigid.identity()] * table.n_shots, list(range(table.n_shots))
    for v in table.views_of:
        for pose in candidates[v]:
            poses.append(world_from_cam[table.view_camera[v]] @ pose)
            shots.append(int(table.view_shot[v]))
    packed, of_shot = pack_boards(tuple(poses)), np.array(shots, dtype=np.int64)
    costs = _pose_costs(
        np.array([lens.pack(camera) for camera in cameras]), packed, of_shot,
        table.view_camera, table.first, table.X, table.xy, table.views_of, table.shot_first,
    )  # fmt: skip
    order = np.lexsort((np.arange(len(costs)), costs, of_shot))
    return np.ascontiguousarray(packed[order[np.searchsorted(of_shot[order], np.arange(table.n_shots))]])


@numba.njit(cache=True, nogil=True)
def _pose_costs(
    packed: NDArray[np.float64],
    poses: NDArray[np.float64],
    of_shot: NDArray[np.int64],
    view_camera: NDArray[np.int64],
    first: NDArray[np.int64],
    X: NDArray[np.float64],
    xy: NDArray[np.float64],
    views_of: NDArray[np.int64],
    shot_first: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return each pose's sum of errors in all views of its shot, px; at most 50 each, as behind the camera."""
    costs = np.zeros(len(poses))
    for p in range(len(poses)):
        for i in range(shot_first[of_shot[p]], shot_first[of_shot[p] + 1]):
            v = views_of[i]
            rows = slice(first[v], first[v + 1])
            one = np.zeros(1, dtype=np.int64)
            bounds = np.array([0, first[v + 1] - first[v]])
            r = kernel.residuals(
                packed[view_camera[v] : view_camera[v] + 1], poses[p : p + 1], one, one, bounds, X[rows], xy[rows]
            )
            for k in range(len(r)):
                e = np.hypot(r[k, 0], r[k, 1])
                costs[p] += e if e < _CLIP_PX else _CLIP_PX  # NaN is not less
    return costs
