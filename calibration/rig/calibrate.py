"""Where the cameras of a rig stand, from shots in which several of them see the same board at once."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.boards import Board, BoardView
from triskel.calibration.corners import CornerErrors
from triskel.calibration.rig.adjust import Fit, adjust
from triskel.calibration.rig.bundle import BundleState, CornerTable, pack_boards, residuals
from triskel.calibration.rig.graph import boards_of, check_linked, collect, graph_warnings, shared_shots
from triskel.calibration.rig.poses import board_poses, camera_poses, first_boards
from triskel.calibration.rig.uncertainty import RigUncertainty, rig_uncertainty
from triskel.calibration.rig.warnings import fit_warnings
from triskel.camera import Camera, Rig
from triskel.errors import InputError
from triskel.rigid import Rigid


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
        errors: every corner of the shots used.
        shared: (C, C) number of shots that both cameras saw; on the diagonal those that the camera saw at all.
        uncertainty: how well the cameras, and points seen by them, are known.
        warnings: one line each on what makes the result weaker than it looks.
    """

    rig: Rig
    rms_px: float
    camera_rms_px: dict[str, float]
    camera_views: dict[str, int]
    shot_rms_px: NDArray[np.float64]
    n_outliers: int
    world_from_board: dict[int, Rigid]
    errors: CornerErrors
    shared: NDArray[np.int64]
    uncertainty: RigUncertainty
    warnings: tuple[str, ...]


def calibrate_rig(
    shots: Sequence[Mapping[str, BoardView]],
    cameras: Iterable[Camera],
    board: Board | Sequence[Board],
    *,
    floor_shot: int | None = None,
    refine_intrinsics: bool = False,
    huber_px: float = 1.0,
    lens_covariance: Mapping[str, NDArray[np.float64]] | None = None,
) -> RigCalibration:
    """Find the poses of all cameras, and refine them with the boards' poses in one robust least-squares problem.

    Cameras need not all see the board together, as long as shared shots link them one by one. Views that are
    noisier than others as a whole (blurred, moving in videos not quite in step) count less. The images of one shot
    must have been taken at the same time.

    Args:
        shots: for each shot, what each camera saw, by camera name; cameras that saw nothing may be left out. Shots
            seen by a single camera count only with `refine_intrinsics`; give them all then, also those that the
            intrinsics come from.
        cameras: the cameras with their intrinsics; their poses are ignored.
        board: the board, rigid and the same in all shots, or one for each shot.
        floor_shot: index of a shot with the board on the floor: the world is then the board's frame, turned so that
            z is up. Without it the world is the FIRST CAMERA's frame, whose z is not up.
        refine_intrinsics: also refine K and up to 8 distortion coefficients; like lenses help each other. Only where
            each camera has seen the board in all parts of its image: on a recording of 57 frames with poor coverage
            the RMS fell from 1.28 to 1.01 px while a camera moved by 132 mm.
        huber_px: errors beyond this, px, count linearly until the outliers are known.
        lens_covariance: how well intrinsics that are not refined are known, by camera name; see `rig_uncertainty`.

    Returns:
        The rig and its errors.

    Raises:
        InputError: fewer than two cameras, a camera that shares no shot with the others, corners that the board does
            not have, or an unusable floor shot.
    """
    rig = Rig(tuple(cameras))
    table, index_of = collect(shots, rig, boards_of(board, len(shots)), keep_single=refine_intrinsics)
    if floor_shot is not None and floor_shot not in index_of:
        raise InputError(f"floor shot {floor_shot}: the board was not seen by two cameras in it; choose another")
    state = first_state(rig, table)
    fit = adjust(rig.cameras, state, table, huber_px=huber_px, refine_intrinsics=refine_intrinsics)
    if floor_shot is not None:
        fit = fit._replace(state=_on_floor(rig.cameras, fit.state, index_of.index(floor_shot)))
    return _report(rig, fit, table, index_of, n_shots=len(shots), lens_covariance=lens_covariance)


def first_state(rig: Rig, table: CornerTable) -> BundleState:
    """Return poses of cameras and boards, good to some pixels, with the first camera as the world.

    Raises:
        InputError: a camera that shares no shot with the others; the message names the groups.
    """
    candidates = board_poses(rig.cameras, table)
    placed = camera_poses(len(rig), table, candidates)
    check_linked(rig, shared_shots(table, len(rig)), sorted(placed))
    posed = tuple(camera.replace(cam_from_world=placed[i].inverse) for i, camera in enumerate(rig))
    state = BundleState.of(posed, ())
    return BundleState(state.packed, first_boards(posed, table, candidates))


def _on_floor(cameras: tuple[Camera, ...], state: BundleState, shot: int) -> BundleState:
    """Return the state in the frame of one shot's board, turned over if the cameras would stand under it."""
    posed = state.cameras(cameras)
    board_from_world = state.board(shot).inverse
    heights = [board_from_world.apply(camera.centre)[2] for camera in posed]
    turn = Rigid(np.diag([1.0, -1.0, -1.0]) if np.median(heights) < 0 else np.eye(3), np.zeros(3))
    new_from_old = turn @ board_from_world
    old_from_new = new_from_old.inverse
    moved = tuple(c.replace(cam_from_world=c.cam_from_world @ old_from_new) for c in posed)
    boards = pack_boards(tuple(new_from_old @ state.board(s) for s in range(len(state.boards))))
    return BundleState(BundleState.of(moved, ()).packed, boards)


def _report(
    rig: Rig,
    fit: Fit,
    table: CornerTable,
    index_of: list[int],
    *,
    n_shots: int,
    lens_covariance: Mapping[str, NDArray[np.float64]] | None,
) -> RigCalibration:
    """Gather the errors of the final state."""
    solved = Rig(fit.state.cameras(rig.cameras))
    r, kept = residuals(fit.state, table), fit.kept
    camera = table.view_camera[table.row_view]
    shot = np.array(index_of, dtype=np.int64)[table.view_shot[table.row_view]]
    squares = np.where(kept, (r**2).sum(axis=1), 0.0)
    by_camera, by_shot = _rms(squares, kept, camera, len(rig)), _rms(squares, kept, shot, n_shots)
    views = np.bincount(table.view_camera[np.diff(table.only(kept).first) > 0], minlength=len(rig))
    shared = shared_shots(table, len(rig))
    uncertainty = rig_uncertainty(solved, fit, table, lens_covariance)
    errors = CornerErrors(camera, shot, table.corner, table.xy, r, kept)
    return RigCalibration(
        rig=solved,
        rms_px=float(_rms(squares, kept, np.zeros_like(camera), 1)[0]),
        camera_rms_px=dict(zip(rig.names, by_camera.tolist(), strict=True)),
        camera_views=dict(zip(rig.names, views.tolist(), strict=True)),
        shot_rms_px=by_shot,
        n_outliers=int((~kept).sum()),
        world_from_board={s: fit.state.board(i) for i, s in enumerate(index_of)},
        errors=errors,
        shared=shared,
        uncertainty=uncertainty,
        warnings=(*graph_warnings(rig, shared), *fit_warnings(rig, solved, fit, table, index_of, uncertainty)),
    )


def _rms(
    squares: NDArray[np.float64], kept: NDArray[np.bool_], group: NDArray[np.int64], n: int
) -> NDArray[np.float64]:
    """Return the RMS error of the kept corners of each group (n,); NaN for empty groups."""
    count = np.bincount(group, kept, minlength=n)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.sqrt(np.bincount(group, squares, minlength=n) / count))
