"""The world from a board that lies on the floor."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.boards import Board, BoardView
from triskel.calibration.fits import fit_points, spread_of
from triskel.calibration.world.placed import Placed, axes_of, moved_rig
from triskel.camera import Rig
from triskel.errors import InputError
from triskel.rigid import Rigid
from triskel.triangulate import TriangulateOptions, triangulate_points

Origin = Literal["corner", "middle"]
BoardAxis = Literal["x", "-x", "y", "-y"]

MIN_CORNERS = 4
MAX_STILL_PX = 3.0
"""A corner that wanders more than this between frames, median distance, is on a board that does not lie still."""
SIZE_DIFFERS = 0.01
"""Share by which the board may come out larger or smaller before a word about it."""
_AXES = {"x": (1.0, 0.0, 0.0), "-x": (-1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "-y": (0.0, -1.0, 0.0)}


def place_on_pose(
    rig: Rig,
    world_from_board: Rigid,
    board: Board,
    *,
    origin: Origin = "corner",
    x_axis: BoardAxis = "x",
    height_m: float = 0.0,
) -> Placed:
    """Make a board of known pose the floor: z up, turned over if the cameras would stand below it.

    Args:
        rig: the cameras.
        world_from_board: where the board lies in the rig's present world, as `RigCalibration.world_from_board` says.
        board: the board.
        origin: at the board's corner 0, or at the middle of its corners.
        x_axis: which of the board's directions becomes the world's x.
        height_m: how high the printed side lies above the floor.

    Raises:
        InputError: an unknown origin or axis, or cameras on both sides of the board.
    """
    if origin not in ("corner", "middle"):
        raise InputError(f"origin is corner or middle, got {origin!r}")
    if x_axis not in _AXES:
        raise InputError(f"x_axis is one of {', '.join(_AXES)}, got {x_axis!r}")
    corners = np.asarray(board.corners, dtype=np.float64)
    at = corners[0] if origin == "corner" else (corners.min(axis=0) + corners.max(axis=0)) / 2
    normal = world_from_board.R[:, 2]
    heights = np.array([(camera.centre - world_from_board.t) @ normal for camera in rig])
    up = normal if np.median(heights) >= 0 else -normal
    world_from_old = axes_of(world_from_board.apply(at), up=up, toward=world_from_board.R @ np.array(_AXES[x_axis]))
    world_from_old = Rigid(np.eye(3), np.array([0.0, 0.0, height_m])) @ world_from_old
    placed = moved_rig(rig, world_from_old)
    below = [camera.name for camera in placed if camera.centre[2] < 0]
    messages = []
    if below:
        messages.append(
            f"{', '.join(below)} would stand under the floor: the board did not lie flat on it, or the rig is wrong"
        )
    return Placed(placed, world_from_old, 1.0, float("nan"), tuple(messages))


def place_on_board(
    rig: Rig,
    views: Mapping[str, BoardView] | Sequence[Mapping[str, BoardView]],
    board: Board,
    *,
    origin: Origin = "corner",
    x_axis: BoardAxis = "x",
    height_m: float = 0.0,
) -> Placed:
    """Make a board that lies on the floor the world, from pictures of it that need not be in the calibration.

    Its corners are triangulated from all cameras that see them, so a flat board's second pose cannot be taken.

    Args:
        rig: the cameras.
        views: what each camera saw, by name; or a sequence of that for the frames of a recording in which the board
            lies still: each corner's median then counts.
        board: the board.
        origin: as in `place_on_pose`.
        x_axis: as in `place_on_pose`.
        height_m: as in `place_on_pose`.

    Returns:
        The rig. Its size is not changed, though a board that comes out larger or smaller is reported.

    Raises:
        InputError: fewer than two cameras see four corners that are not on one line, or the board moves.
    """
    merged = _merged([views] if isinstance(views, Mapping) else list(views))
    for name in merged:
        rig[name]  # raises for an unknown name
    corners = np.asarray(board.corners, dtype=np.float64)
    xy = np.full((len(rig), len(corners), 2), np.nan)
    for c, name in enumerate(rig.names):
        if name in merged:
            xy[c, merged[name].ids] = merged[name].xy
    seen = [name for c, name in enumerate(rig.names) if np.isfinite(xy[c, :, 0]).sum() >= MIN_CORNERS]
    if len(seen) < 2:
        raise InputError(
            f"board on the floor: {len(seen)} of {len(rig)} cameras see at least {MIN_CORNERS} of its corners"
            f"{' (' + seen[0] + ')' if seen else ''}, two are needed; lay it where more cameras see it"
        )
    X = triangulate_points(rig, xy, options=TriangulateOptions(max_reproj_px=20.0)).X
    good = np.isfinite(X[:, 0])
    if good.sum() < MIN_CORNERS or spread_of(corners[good])[1] < 0.05 * spread_of(corners[good])[0]:
        raise InputError(
            f"board on the floor: {int(good.sum())} corners agree between {', '.join(seen)}, at least {MIN_CORNERS} "
            "not on one line are needed; was the rig calibrated with these cameras where they stand now?"
        )
    size = fit_points(corners[good], X[good]).scale
    fit = fit_points(corners[good], X[good], fixed_scale=True)
    placed = place_on_pose(rig, fit.target_from_source, board, origin=origin, x_axis=x_axis, height_m=height_m)
    messages = [*placed.messages, f"board on the floor: {int(good.sum())} corners from {', '.join(seen)}"]
    if abs(size - 1) > SIZE_DIFFERS:
        messages.append(
            f"the board on the floor comes out {abs(size - 1):.1%} too {'large' if size > 1 else 'small'}: "
            "the rig's scale, or the size given for the board, is wrong"
        )
    return placed._replace(
        residual_mm=1000 * fit.rms_m,
        messages=tuple(messages),
        points_mm=_corner_distances(fit.distance_m, good),
    )


def _corner_distances(distance_m: NDArray[np.float64], good: NDArray[np.bool_]) -> tuple[tuple[str, float], ...]:
    """Return each corner's distance, mm, by its number."""
    ids = np.flatnonzero(good)
    return tuple((f"corner {i}", 1000 * float(d)) for i, d in zip(ids, distance_m, strict=True))


def _merged(shots: list[Mapping[str, BoardView]]) -> dict[str, BoardView]:
    """Return one view a camera with the median of each corner that is in at least half of its frames with a board."""
    merged = {}
    for name in sorted({name for shot in shots for name in shot}):
        views = [shot[name] for shot in shots if name in shot and len(shot[name].ids)]
        if not views:
            continue
        ids = np.concatenate([view.ids for view in views])
        xy = np.concatenate([np.asarray(view.xy, dtype=np.float64) for view in views])
        unique, counts = np.unique(ids, return_counts=True)
        often = unique[2 * counts >= len(views)]
        middle = np.array([np.median(xy[ids == i], axis=0) for i in often]).reshape(-1, 2)
        away = [np.linalg.norm(xy[ids == i] - middle[k], axis=1) for k, i in enumerate(often)]
        if len(views) > 1 and away and float(np.median(np.concatenate(away))) > MAX_STILL_PX:
            raise InputError(
                f"board on the floor: it moves in {name} ({np.median(np.concatenate(away)):.1f} px from its median "
                f"place, at most {MAX_STILL_PX:g}); give frames in which it lies still"
            )
        merged[name] = BoardView(often.astype(np.int64), middle)
    return merged
