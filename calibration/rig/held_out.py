"""Held-out error in millimetres: how far apart known corners come out on shots that the calibration did not use."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.boards import Board, BoardView, edges
from triskel.calibration.fits import fit_points
from triskel.calibration.rig.adjust import Fit, adjust, readjust
from triskel.calibration.rig.bundle import BundleState, CornerTable, free_columns
from triskel.calibration.rig.calibrate import first_state
from triskel.calibration.rig.graph import boards_of, collect, groups_of, shared_shots
from triskel.calibration.rig.kernel import POSE
from triskel.camera import Camera, Rig
from triskel.errors import InputError, JobError
from triskel.triangulate import triangulate_points

_MM = 1000.0
_NONE, _NO_SHOT = np.zeros(0), np.zeros(0, dtype=np.int64)
_MIN_SHAPE_CORNERS = 4
FOLDS = 4
_BLOCKS_A_FOLD = 2
"""Each fold tests so many stretches of the recording: one alone may hold all that ties a camera to the others."""


class HeldOut(NamedTuple):
    """What the cameras measure on boards that were not used to calibrate them.

    Attributes:
        distance_error_mm: (n,) triangulated minus true distance of neighbouring corners.
        distance_mm: (n,) the true distances.
        pair_shot: (n,) index of the shot of each distance.
        shape_error_mm: (s,) RMS distance of the triangulated corners from the board, laid over them rigidly.
        shot: (s,) index of the shot of each shape.
        folds: number of calibrations that this rests on.
        lenses_held_out: whether each of them had lenses of its own (`cameras_of`, or refined); otherwise they were
            taken as given, and may know the boards they are tested on.
    """

    distance_error_mm: NDArray[np.float64]
    distance_mm: NDArray[np.float64]
    pair_shot: NDArray[np.int64]
    shape_error_mm: NDArray[np.float64]
    shot: NDArray[np.int64]
    folds: int
    lenses_held_out: bool = False

    @property
    def median_percent(self) -> float:
        """Return the median of |error| in percent of the distance; NaN if there is none."""
        return _median(100 * np.abs(self.distance_error_mm) / self.distance_mm)

    @property
    def median_mm(self) -> float:
        """Return the median of |error|, mm; NaN if there is none."""
        return _median(np.abs(self.distance_error_mm))

    @property
    def rms_mm(self) -> float:
        """Return the RMS error of the distances, mm; NaN if there is none."""
        return float(np.sqrt(np.mean(self.distance_error_mm**2))) if len(self.distance_error_mm) else float("nan")

    @property
    def bias_percent(self) -> float:
        """Return by how much distances come out too long in the median, percent: an error of scale."""
        return _median(100 * self.distance_error_mm / self.distance_mm)


def held_out(
    shots: Sequence[Mapping[str, BoardView]],
    cameras: Iterable[Camera],
    board: Board | Sequence[Board],
    *,
    refine_intrinsics: bool = False,
    huber_px: float = 1.0,
    folds: int = FOLDS,
    cameras_of: Callable[[NDArray[np.bool_]], Sequence[Camera]] | None = None,
) -> HeldOut:
    """Calibrate on part of the shots and measure the boards in the rest, in turn.

    Shots in order of time are tested in stretches: those before and after a shot are nearly the same shot, and would
    be no news. Every fold starts from the solution of all shots and forgets the held-out ones by iterating to
    convergence. Corners of a held-out shot are triangulated from all cameras that see them, at least two; those that
    the calibration of all shots took for misdetected are left out. Neighbouring corners err alike, so distances
    between them say more about detection and scale than about the far side of the volume; see `RigUncertainty` for
    that. What was put right in the shots beforehand, such as the delay of each picture, is not held out.

    Args:
        shots: as for `calibrate_rig`; where they have an order in time, in this order.
        cameras: as for `calibrate_rig`. Intrinsics that come from the same shots are held out only with `cameras_of`.
        board: as for `calibrate_rig`.
        refine_intrinsics: as for `calibrate_rig`.
        huber_px: as for `calibrate_rig`.
        folds: number of parts, at least 2; fewer are made of few shots.
        cameras_of: returns the same cameras with lenses that know only some of the shots: those of the mask (S,).
            Called for every fold; one that it refuses (InputError, JobError) is left out.

    Returns:
        The errors of distances and shapes; empty where leaving out any stretch takes the cameras apart, as with a
        single shot.

    Raises:
        InputError: as for `calibrate_rig`, or fewer than two folds.
    """
    if folds < 2:
        raise InputError(f"folds is at least 2, got {folds}")
    rig = Rig(tuple(cameras))
    boards = boards_of(board, len(shots))
    table, index_of = collect(shots, rig, boards, keep_single=refine_intrinsics)
    full = adjust(rig.cameras, first_state(rig, table), table, huber_px=huber_px, refine_intrinsics=refine_intrinsics)
    table = table.only(full.kept)
    edges_of = {id(each): edges(each) for each in boards}
    parts: list[_Measured] = []
    given = np.array(index_of, dtype=np.int64)
    for tested in _parts(table, given, folds, n_shots=len(shots)):
        held = tested[given][table.view_shot[table.row_view]]
        rest = table.only(~held)
        if len(groups_of(shared_shots(rest, len(rig)))) > 1:
            continue
        start, fold_rig = full, rig
        if cameras_of is not None:
            try:
                fold_rig = Rig(tuple(cameras_of(~tested))).select(rig.names)
            except (InputError, JobError):
                continue
            start = _with_lenses(full, fold_rig, refine_intrinsics=refine_intrinsics)
        fit = readjust(fold_rig.cameras, start, rest)
        points = _triangulated(Rig(fit.state.cameras(fold_rig.cameras)), table.only(held))
        parts.append(_measure(points, [boards[s] for s in index_of], edges_of))
    own_lenses = cameras_of is not None or bool(full.free[:, POSE:].any(axis=1).all())
    return _joined(parts, given)._replace(lenses_held_out=own_lenses)


def _with_lenses(fit: Fit, rig: Rig, *, refine_intrinsics: bool) -> Fit:
    """Return a fit to start from with the lenses of `rig`, each camera where it stood."""
    posed = tuple(
        camera.replace(cam_from_world=stood.cam_from_world)
        for camera, stood in zip(rig, fit.state.cameras(rig.cameras), strict=True)
    )
    state = BundleState(BundleState.of(posed, ()).packed, fit.state.boards)
    return fit._replace(state=state, free=free_columns(rig.cameras, refine_intrinsics=refine_intrinsics), prior=None)


class _Points(NamedTuple):
    """Corners triangulated: the shot's index in the table (n,), id (n,), place on the board and in the world (n, 3)."""

    shot: NDArray[np.int64]
    corner: NDArray[np.int64]
    X_board: NDArray[np.float64]
    X: NDArray[np.float64]


class _Measured(NamedTuple):
    """What one fold measured, as in `HeldOut`; shots are indices in the table."""

    error_mm: NDArray[np.float64]
    distance_mm: NDArray[np.float64]
    pair_shot: NDArray[np.int64]
    shape_mm: NDArray[np.float64]
    shot: NDArray[np.int64]


def _parts(table: CornerTable, given: NDArray[np.int64], folds: int, *, n_shots: int) -> list[NDArray[np.bool_]]:
    """Return which of the shots given (S,) each fold tests: stretches of equally many that two cameras see.

    Shots of single cameras within a stretch are of the same time, and belong to it.
    """
    views = np.bincount(table.view_shot, minlength=table.n_shots)
    common = given[views >= 2]
    folds = min(folds, len(common))
    if folds < 2:
        return []
    stretches = np.array_split(common, min(_BLOCKS_A_FOLD * folds, len(common)))
    parts = np.zeros((folds, n_shots), dtype=bool)
    for k, stretch in enumerate(stretches):
        parts[k % folds, stretch[0] : stretch[-1] + 1] = True
    return list(parts)


def _triangulated(rig: Rig, table: CornerTable) -> _Points:
    """Return the corners that at least two cameras see, triangulated."""
    most = int(table.corner.max(initial=0)) + 1
    key = table.view_shot[table.row_view] * most + table.corner
    _, first, point = np.unique(key, return_index=True, return_inverse=True)
    xy = np.full((len(rig), len(first), 2), np.nan)
    xy[table.view_camera[table.row_view], point] = table.xy
    X = triangulate_points(rig, xy).X
    good = np.isfinite(X).all(axis=-1)
    first = first[good]
    return _Points(table.view_shot[table.row_view[first]], table.corner[first], table.X[first], X[good])


def _measure(points: _Points, boards: Sequence[Board], edges_of: Mapping[int, NDArray[np.int64]]) -> _Measured:
    """Compare triangulated corners with their boards."""
    errors, distances, pair_shots, shapes, shots = [_NONE], [_NONE], [_NO_SHOT], [_NONE], [_NO_SHOT]
    bounds = np.r_[np.searchsorted(points.shot, np.unique(points.shot)), len(points.shot)]
    for start, end in pairwise(bounds):  # none where no corner was seen twice
        shot, at = int(points.shot[start]), slice(int(start), int(end))
        row_of = np.full(len(boards[shot].corners), -1)
        row_of[points.corner[at]] = np.arange(end - start)
        pairs = row_of[edges_of[id(boards[shot])]]
        pairs = pairs[(pairs >= 0).all(axis=1)]
        X_board, X = points.X_board[at], points.X[at]
        true = np.linalg.norm(X_board[pairs[:, 0]] - X_board[pairs[:, 1]], axis=1)
        errors.append(_MM * (np.linalg.norm(X[pairs[:, 0]] - X[pairs[:, 1]], axis=1) - true))
        distances.append(_MM * true)
        pair_shots.append(np.full(len(pairs), shot))
        if len(X) >= _MIN_SHAPE_CORNERS:
            shapes.append(np.array([_MM * fit_points(X_board, X, fixed_scale=True).rms_m]))
            shots.append(np.array([shot]))
    return _Measured(
        np.concatenate(errors),
        np.concatenate(distances),
        np.concatenate(pair_shots),
        np.concatenate(shapes),
        np.concatenate(shots),
    )


def _joined(parts: list[_Measured], index_of: NDArray[np.int64]) -> HeldOut:
    """Return all folds as one, with shots as the caller counts them."""
    every = [_Measured(_NONE, _NONE, _NO_SHOT, _NONE, _NO_SHOT), *parts]
    error, distance, pair_shot, shape, shot = (np.concatenate(column) for column in zip(*every, strict=True))
    return HeldOut(error, distance, index_of[pair_shot], shape, index_of[shot], len(parts))


def _median(values: NDArray[np.float64]) -> float:
    return float(np.median(values)) if len(values) else float("nan")
