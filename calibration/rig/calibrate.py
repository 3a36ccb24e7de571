"""Where the cameras of a rig stand, from shots in which several of them see the same board at once."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from triskel.calibration.boards import Board, BoardView
from triskel.calibration.intrinsics import is_usable, outlier_limit_px
from triskel.calibration.rig.bundle import BundleState, CornerView, refine, view_errors
from triskel.camera import Camera, Rig
from triskel.errors import InputError
from triskel.projection import pixel_rays
from triskel.rigid import Rigid

MIN_CORNERS = 6
MAX_ANGLE_COSINE = 0.2
"""Corners whose ray leaves the axis by more than acos of this (78 degrees) are left out of the first pose."""
_CLIP_PX = 50.0
_MAX_RELATIVE = 300  # candidates compared for the relative pose of two cameras: the comparison is quadratic


class RigCalibration(NamedTuple):
    """A calibrated rig and how well it fits.

    Attributes:
        rig: the cameras.
        rms_px: RMS reprojection error over all corners kept, px.
        camera_rms_px: the same for each camera, by name.
        camera_views: number of board views of each camera, by name.
        shot_rms_px: (S,) RMS of each shot given; NaN for shots that were not used.
        n_outliers: corners left out as misdetected.
        world_from_board: the board's pose in each shot used, by the shot's index.
    """

    rig: Rig
    rms_px: float
    camera_rms_px: dict[str, float]
    camera_views: dict[str, int]
    shot_rms_px: NDArray[np.float64]
    n_outliers: int
    world_from_board: dict[int, Rigid]


def calibrate_rig(
    shots: Sequence[Mapping[str, BoardView]],
    cameras: Iterable[Camera],
    board: Board,
    *,
    floor_shot: int | None = None,
    refine_intrinsics: bool = False,
    huber_px: float = 1.0,
) -> RigCalibration:
    """Find the poses of all cameras, and refine them with the boards' poses in one robust least-squares problem.

    A single flat board has two poses that look almost alike; the wrong one is recognised by the other cameras and
    shots, not by its error in one image. The images of one shot must have been taken at the same time.

    Args:
        shots: for each shot, what each camera saw, by camera name; cameras that saw nothing may be left out. Shots
            seen by a single camera count only with `refine_intrinsics`.
        cameras: the cameras with their intrinsics; their poses are ignored.
        board: the board, rigid and the same in all shots.
        floor_shot: index of a shot with the board on the floor: the world is then the board's frame, turned so that
            z is up. Without it the world is the FIRST CAMERA's frame, whose z is not up.
        refine_intrinsics: also refine K and up to 5 distortion coefficients. Only where each camera has seen the
            board in all parts of its image: on a recording of 57 frames with poor coverage the RMS fell from 1.28 to
            1.01 px while a camera moved by 132 mm.
        huber_px: errors beyond this, px, count linearly in the refinement.

    Returns:
        The rig and its errors.

    Raises:
        InputError: fewer than two cameras, a camera that shares no shot with the others, or an unusable floor shot.
    """
    rig = Rig(tuple(cameras))
    views, index_of = _collect(shots, rig, board.corners, keep_single=refine_intrinsics)
    candidates = [_board_poses(rig.cameras[view.camera], view) for view in views]
    world_from_cam = _chain(rig, views, candidates)
    posed = tuple(camera.replace(cam_from_world=pose.inverse) for camera, pose in zip(rig, world_from_cam, strict=True))
    state = BundleState(posed, _first_boards(posed, views, candidates, n_shots=len(index_of)))
    state = refine(state, views, huber_px=huber_px, refine_intrinsics=refine_intrinsics)
    kept, n_outliers = _without_outliers(state, views)
    if n_outliers:
        state = refine(state, kept, huber_px=huber_px, refine_intrinsics=refine_intrinsics)
    if floor_shot is not None:
        if floor_shot not in index_of:
            raise InputError(f"floor shot {floor_shot}: the board was not seen by two cameras in it; choose another")
        state = _on_floor(state, index_of.index(floor_shot))
    return _report(state, kept, index_of, n_shots=len(shots), n_outliers=n_outliers)


def _collect(
    shots: Sequence[Mapping[str, BoardView]], rig: Rig, corners: NDArray[np.float64], *, keep_single: bool
) -> tuple[list[CornerView], list[int]]:
    """Return the usable views, and the index among `shots` of each shot that they count in."""
    if len(rig) < 2:
        raise InputError(f"a rig needs at least two cameras, got {len(rig)}")
    views: list[CornerView] = []
    index_of: list[int] = []
    for s, shot in enumerate(shots):
        for name in shot:
            rig[name]  # raises for an unknown name
        seen = [i for i, name in enumerate(rig.names) if name in shot]
        seen = [i for i in seen if is_usable(shot[rig.names[i]], corners, min_corners=MIN_CORNERS)]
        if len(seen) < (1 if keep_single else 2):
            continue
        for i in seen:
            view = shot[rig.names[i]]
            xy = np.ascontiguousarray(view.xy, dtype=np.float64)
            views.append(CornerView(i, len(index_of), np.ascontiguousarray(corners[view.ids]), xy))
        index_of.append(s)
    return views, index_of


def _board_poses(camera: Camera, view: CornerView) -> list[Rigid]:
    """Return up to two candidates for `cam_from_board`, the better first (IPPE, Collins and Bartoli 2014)."""
    rays = pixel_rays(camera, view.xy)
    good = rays[:, 2] > MAX_ANGLE_COSINE  # False for NaN
    if good.sum() < 4:
        return []
    ideal = rays[good, :2] / rays[good, 2:]
    try:
        _, rvecs, tvecs, _ = cv2.solvePnPGeneric(
            view.X[good][:, None], ideal[:, None], np.eye(3), None, flags=cv2.SOLVEPNP_IPPE
        )
    except cv2.error:  # the corners lie on one line after all
        return []
    poses = [(rvec.ravel(), tvec.ravel()) for rvec, tvec in zip(rvecs, tvecs, strict=True)]
    return [Rigid.from_rotvec(rvec, t) for rvec, t in poses if np.isfinite(rvec).all() and t[2] > 0]


def _chain(rig: Rig, views: list[CornerView], candidates: list[list[Rigid]]) -> list[Rigid]:
    """Return `world_from_cam` of every camera with camera 0 as the world, along the pairs with most shared shots."""
    shared = _shared_views(views, candidates)
    world_from_cam: dict[int, Rigid] = {0: Rigid.identity()}
    while len(world_from_cam) < len(rig):
        edges = [
            (len(pairs), a, b) for (a, b), pairs in shared.items() if a in world_from_cam and b not in world_from_cam
        ]
        if not edges:
            apart = [name for i, name in enumerate(rig.names) if i not in world_from_cam]
            joined = [rig.names[i] for i in sorted(world_from_cam)]
            raise InputError(
                f"{', '.join(apart)} share no shot of the board with {', '.join(joined)}; "
                "record shots in which cameras of both groups see the board at once"
            )
        _, a, b = max(edges)
        world_from_cam[b] = world_from_cam[a] @ _relative(shared[a, b], candidates)
    return [world_from_cam[i] for i in range(len(rig))]


def _shared_views(
    views: list[CornerView], candidates: list[list[Rigid]]
) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """Return, for each ordered pair of cameras, the pairs of views (indices) that they have of the same shot."""
    by_shot: dict[int, list[int]] = {}
    for i, view in enumerate(views):
        if candidates[i]:
            by_shot.setdefault(view.shot, []).append(i)
    shared: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for members in by_shot.values():
        for i in members:
            for j in members:
                if i != j:
                    shared.setdefault((views[i].camera, views[j].camera), []).append((i, j))
    return shared


def _relative(pairs: list[tuple[int, int]], candidates: list[list[Rigid]]) -> Rigid:
    """Return `a_from_b` that agrees best with all shots: the candidate with the least median distance to the others.

    Both poses of either flat board are tried. Only the true ones repeat from shot to shot.
    """
    chosen = pairs[:: max(1, len(pairs) // (_MAX_RELATIVE // 4))]
    groups = [[a @ b.inverse for a in candidates[i] for b in candidates[j]] for i, j in chosen]
    options = [option for group in groups for option in group]
    if len(groups) == 1:
        return options[0]  # nothing to compare with: the better pose of either view
    R, t = np.array([option.R for option in options]), np.array([option.t for option in options])
    scale = max(float(np.median(np.linalg.norm(t, axis=1))), 1e-9)
    apart = np.linalg.norm(R[:, None] - R[None], axis=(2, 3)) + np.linalg.norm(t[:, None] - t[None], axis=2) / scale
    # The best option of each shot speaks for it, so that a shot's wrong options do not count.
    starts = np.cumsum([0] + [len(group) for group in groups[:-1]])
    return options[int(np.argmin(np.median(np.minimum.reduceat(apart, starts, axis=1), axis=1)))]


def _first_boards(
    cameras: tuple[Camera, ...], views: list[CornerView], candidates: list[list[Rigid]], *, n_shots: int
) -> tuple[Rigid, ...]:
    """Return `world_from_board` of every shot: the candidate that fits best in all of its views."""
    members: list[list[int]] = [[] for _ in range(n_shots)]
    for i, view in enumerate(views):
        members[view.shot].append(i)
    boards = []
    for shot in members:
        best, best_cost = Rigid.identity(), np.inf
        for i in shot:
            for pose in candidates[i]:
                trial = cameras[views[i].camera].cam_from_world.inverse @ pose
                cost = sum(_clipped(cameras, views[j], trial) for j in shot)
                if cost < best_cost:
                    best, best_cost = trial, cost
        boards.append(best)
    return tuple(boards)


def _clipped(cameras: tuple[Camera, ...], view: CornerView, world_from_board: Rigid) -> float:
    """Return the sum of errors of a board pose in one view, px, each at most 50; behind the camera counts as 50."""
    errors = view_errors(BundleState(cameras, (world_from_board,)), view._replace(shot=0))
    return float(np.minimum(np.nan_to_num(errors, nan=_CLIP_PX), _CLIP_PX).sum())


def _without_outliers(state: BundleState, views: list[CornerView]) -> tuple[list[CornerView], int]:
    """Return the views without misdetected corners, and how many those were."""
    errors = [view_errors(state, view) for view in views]
    every = np.concatenate(errors)
    limit = outlier_limit_px(every[np.isfinite(every)])
    kept, n_outliers = [], 0
    for view, error in zip(views, errors, strict=True):
        good = error <= limit  # False for NaN
        n_outliers += int((~good).sum())
        if good.any():
            kept.append(view._replace(X=view.X[good], xy=view.xy[good]))
    return kept, n_outliers


def _on_floor(state: BundleState, shot: int) -> BundleState:
    """Return the state in the frame of one shot's board, turned over if the cameras would stand under it."""
    board_from_world = state.boards[shot].inverse
    heights = [board_from_world.apply(camera.centre)[2] for camera in state.cameras]
    turn = Rigid(np.diag([1.0, -1.0, -1.0]) if np.median(heights) < 0 else np.eye(3), np.zeros(3))
    new_from_old = turn @ board_from_world
    old_from_new = new_from_old.inverse
    cameras = tuple(c.replace(cam_from_world=c.cam_from_world @ old_from_new) for c in state.cameras)
    return BundleState(cameras, tuple(new_from_old @ board for board in state.boards))


def _report(
    state: BundleState, views: list[CornerView], index_of: list[int], *, n_shots: int, n_outliers: int
) -> RigCalibration:
    """Gather the errors of the final state."""
    by_camera: list[list[NDArray[np.float64]]] = [[] for _ in state.cameras]
    by_shot: list[list[NDArray[np.float64]]] = [[] for _ in state.boards]
    for view in views:
        errors = view_errors(state, view)
        by_camera[view.camera].append(errors)
        by_shot[view.shot].append(errors)
    shot_rms = np.full(n_shots, np.nan)
    for i, groups in enumerate(by_shot):
        shot_rms[index_of[i]] = _rms(groups)
    names = [camera.name for camera in state.cameras]
    return RigCalibration(
        rig=Rig(state.cameras),
        rms_px=_rms([errors for groups in by_camera for errors in groups]),
        camera_rms_px={name: _rms(groups) for name, groups in zip(names, by_camera, strict=True)},
        camera_views={name: len(groups) for name, groups in zip(names, by_camera, strict=True)},
        shot_rms_px=shot_rms,
        n_outliers=n_outliers,
        world_from_board={index_of[i]: board for i, board in enumerate(state.boards)},
    )


def _rms(groups: list[NDArray[np.float64]]) -> float:
    """Return the RMS over all groups; NaN if there is nothing."""
    return float(np.sqrt(np.nanmean(np.concatenate(groups) ** 2))) if groups else float("nan")
