"""From what boards were seen to lenses and a rig, with everything that says how good they are."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.boards import Board, BoardView
from triskel.calibration.footage import BoardFootage, Shots
from triskel.camera import Camera, Rig
from triskel.errors import InputError
from triskel.pipeline.calibrating.lenses import Lenses, lenses_of, say_warnings
from triskel.progress import Progress, silent

if TYPE_CHECKING:
    from triskel.calibration.checks import Finding
    from triskel.calibration.footage import InStep
    from triskel.calibration.intrinsics import Choice, IntrinsicsResult
    from triskel.calibration.rig import HeldOut, RigCalibration
    from triskel.calibration.world import Placed

log = logging.getLogger(__name__)


class BoardCalibration(NamedTuple):
    """A rig from boards, and how far it can be trusted.

    Attributes:
        rig: the cameras, in the world that was asked for.
        lenses: how each lens was found, by camera; none for lenses that were given.
        calibration: the poses and their errors, in the world of `rig`.
        held_out: errors in millimetres on shots that were not used; None where there are too few shots.
        findings: what the checks found wrong.
        footage: what it was made from, as it was given.
        placed: what the world was based on; None where it is the first camera's frame.
    """

    rig: Rig
    lenses: dict[str, "IntrinsicsResult"]
    calibration: "RigCalibration"
    held_out: "HeldOut | None"
    findings: "tuple[Finding, ...]"
    footage: BoardFootage
    placed: "Placed | None"


class RigRequest(NamedTuple):
    """How a rig is to be calibrated.

    Attributes:
        given: cameras whose lenses are known; the others are calibrated. Poses are ignored.
        close_ups: another recording for the lenses, in which cameras need not see the board together.
        model: lens model of those that are calibrated.
        refine_intrinsics: also adjust the lenses together with the poses; None: those that were not given.
        floor_set: frame set in which the board lay on the floor.
        floor_origin: where on that board the world's origin is.
        still: the boards stand still; their corners are averaged over time.
        synchronise: put cameras in step that are late; otherwise they are only named.
        distances_m: measured distances between lenses, by the cameras' names: the only check on the board's own size.
        force: take what the data cannot carry, with a warning.
    """

    given: Rig | None = None
    close_ups: BoardFootage | None = None
    model: "Choice" = "auto"
    refine_intrinsics: bool | None = None
    floor_set: int | None = None
    floor_origin: Literal["corner", "middle"] = "corner"
    still: bool = False
    synchronise: bool = True
    distances_m: Mapping[tuple[str, str], float] = MappingProxyType({})
    force: bool = False


def rig_from_boards(
    footage: BoardFootage, request: RigRequest | None = None, *, progress: Progress = silent
) -> BoardCalibration:
    """Calibrate a rig from a recording of boards: lenses, poses, error in millimetres, checks.

    Args:
        footage: what all cameras saw at the same time.
        request: how; everything from `footage` when None.
        progress: told about what takes long.

    Raises:
        InputError: a lens cannot be calibrated, or cameras share no shot of the board.
    """
    from triskel.calibration.checks import check_camera_distances, check_shots
    from triskel.calibration.checks.flatness import check_flatness
    from triskel.calibration.checks.weak_geometry import check_baselines
    from triskel.calibration.footage import calibrate_synchronised
    from triskel.calibration.rig import held_out
    from triskel.calibration.rig.moved import moved_calibration
    from triskel.calibration.world import place_on_board

    request = request or RigRequest()
    if len(footage.names) < 2:
        raise InputError(f"{footage.source}: a rig needs two cameras, got {', '.join(footage.names) or 'none'}")
    floor = None if request.floor_set is None else _floor_shot(footage, request.floor_set)
    lenses = _lenses(footage, request, progress)
    say_warnings(lenses.found)
    # Weak lenses adjusted with the poses take up what is no lens: on four webcams the error fell, and a camera moved.
    refine = lenses.are_sound if request.refine_intrinsics is None else request.refine_intrinsics
    solved = calibrate_synchronised(
        footage,
        lenses.cameras,
        shots=lambda some: _shots(some, request, refine_intrinsics=refine),
        refine_intrinsics=refine,
        lens_covariance=lenses.covariance,
        correct=request.synchronise,
    )
    for line in solved.describe():
        log.warning("%s", line)
    progress("rig", 1, 2)
    error = held_out(
        solved.shots.shots,
        lenses.cameras,
        solved.shots.boards,
        refine_intrinsics=refine,
        cameras_of=_without_shots(solved, lenses, request),
    )
    progress("rig", 2, 2)
    calibration, placed = solved.calibration, None
    if floor is not None:
        placed = place_on_board(calibration.rig, *floor, origin=request.floor_origin)
        calibration = moved_calibration(calibration, placed.world_from_old)
    findings = [
        *check_shots(solved.shots.shots, lenses.cameras, solved.shots.boards, rig=calibration.rig),
        *check_flatness(calibration, solved.shots.boards),
        *check_baselines(calibration.rig, _middles(calibration)),
        *check_camera_distances(calibration.rig, request.distances_m),
        *_out_of_step(solved, footage.fps, corrected=request.synchronise),
    ]
    return BoardCalibration(
        rig=calibration.rig,
        lenses=lenses.found,
        calibration=calibration,
        held_out=error if len(error.distance_mm) else None,
        findings=tuple(findings),
        footage=footage,
        placed=placed,
    )


def _middles(calibration: "RigCalibration") -> NDArray[np.float64]:
    """Return where the boards were (n, 3), m."""
    return np.array([pose.t for pose in calibration.world_from_board.values()]).reshape(-1, 3)


def _without_shots(
    solved: "InStep", lenses: Lenses, request: RigRequest
) -> "Callable[[NDArray[np.bool_]], Sequence[Camera]]":
    """Return the function that gives cameras whose lenses know only some of the shots."""

    def cameras(usable: NDArray[np.bool_]) -> Sequence[Camera]:
        if not lenses.found or request.close_ups is not None:
            return lenses.cameras  # they come from elsewhere
        tested = solved.shots.sets[~usable]
        rest = tuple(one[~np.isin(one.sets, tested)] for one in solved.footage.cameras)
        return _lenses(replace(solved.footage, cameras=rest), request._replace(force=True)).cameras

    return cameras


def _lenses(footage: BoardFootage, request: RigRequest, progress: Progress = silent) -> Lenses:
    return lenses_of(
        footage,
        given=request.given,
        close_ups=request.close_ups,
        model=request.model,
        force=request.force,
        progress=progress,
    )


def _floor_shot(footage: BoardFootage, floor_set: int) -> "tuple[dict[str, BoardView], Board]":
    """Return the shot of the board on the floor, and the board.

    Raises:
        InputError: no board was seen in that frame set; the nearest ones with a board are named.
    """
    whole = footage.shots()
    at = np.flatnonzero(whole.sets == floor_set)
    if len(at):
        return whole.shots[at[0]], whole.boards[at[0]]
    near = whole.sets[np.argsort(np.abs(whole.sets - floor_set), kind="stable")[:3]]
    raise InputError(
        f"floor: no board was found in frame {floor_set}; the nearest frames with one are "
        f"{', '.join(map(str, sorted(set(near.tolist()))))}"
    )


def _shots(footage: BoardFootage, request: RigRequest, *, refine_intrinsics: bool) -> Shots:
    """Return the shots to calibrate with; close-ups of single cameras stand behind the others."""
    from triskel.calibration.footage import choose_shots, choose_views, merge_still

    shots = merge_still(footage).shots if request.still else choose_shots(footage, singles=refine_intrinsics).shots()
    if request.close_ups is None or not refine_intrinsics:
        return shots
    single: list[dict[str, BoardView]] = []
    boards: list[Board] = []
    for one in request.close_ups.cameras:
        if one.camera in footage.names and request.close_ups.sizes[one.camera] == footage.sizes[one.camera]:
            chosen = one[choose_views(one)]
            single += [{one.camera: view} for view in chosen.views]
            boards += [request.close_ups.boards[one.board]] * len(chosen)
    # Sets that the footage does not have: of these pictures nobody knows how the board moved.
    sets = -1 - np.arange(len(single), dtype=np.int64)
    return Shots([*shots.shots, *single], [*shots.boards, *boards], np.r_[shots.sets, sets])


def _out_of_step(solved: "InStep", fps: float, *, corrected: bool) -> "list[Finding]":
    """Return findings about videos that are late as a whole: those put right, and those that cannot be."""
    from triskel.calibration.checks import Finding

    lost = solved.out_of_step()
    found = []
    for lags, left in ((solved.lags, False), (solved.remaining, True)):
        for name, line in zip(lags.late(), lags.describe(fps), strict=True):
            if left != (name in lost):
                continue
            how_late = line.removeprefix(f"camera {name} ").partition(";")[0]
            if left:
                message = f"{how_late} in every attempt to put it right: cut its video to the others' start"
            else:
                message = f"{how_late}; {'put in step here' if corrected else 'not corrected, as asked'}"
            found.append(Finding("error" if left else "warning", name, message, "unsynchronised"))
    return found


def open_footage(
    source: str | Path,
    boards: Sequence[Board],
    *,
    cameras: Sequence[str] | None = None,
    also: Sequence[int] = (),
    progress: Progress = silent,
) -> BoardFootage:
    """Return the boards in a recording, or in the file of an earlier run, which knows its boards.

    Args:
        source: as of `find_boards`, or a file of `save_footage`.
        boards: what to look for; a file knows.
        cameras: only these.
        also: frame sets that are looked at in any case.
        progress: told after each image.

    Raises:
        InputError: no boards are described for a recording, or there is nothing usable at `source`.
    """
    from triskel.calibration.footage import load_footage
    from triskel.pipeline.calibrating.footage import find_boards

    source = Path(source)
    if source.suffix == ".parquet":
        return _of(_with_boards(load_footage(source), boards), cameras)
    if not boards:
        raise InputError(f"{source}: say which board it shows: --board BOARD.yaml, as 'triskel board make' writes it")
    return find_boards(source, boards, cameras=cameras, also=also, progress=progress)


def _with_boards(footage: BoardFootage, boards: Sequence[Board]) -> BoardFootage:
    """Return the footage with its boards as they are described now: their sizes may be put right, not their patterns.

    Raises:
        InputError: these are other boards than those that were looked for.
    """
    if not boards:
        return footage
    same = len(boards) == len(footage.boards) and all(
        _same_pattern(old, new) for old, new in zip(footage.boards, boards, strict=True)
    )
    if not same:
        raise InputError(
            f"{footage.source}: holds {', '.join(one.describe() for one in footage.boards)}, not "
            f"{', '.join(one.describe() for one in boards)}; leave --board out, or give the recording itself"
        )
    return replace(footage, boards=tuple(boards))


def _same_pattern(old: Board, new: Board) -> bool:
    """Say whether two boards have the same corners but for their size."""
    if type(old) is not type(new) or old.corners.shape != new.corners.shape:
        return False
    a, b = (one.corners[:, :2] - one.corners[0, :2] for one in (old, new))
    return bool(np.allclose(a / np.abs(a).max(), b / np.abs(b).max(), atol=0.05))


def _of(footage: BoardFootage, cameras: Sequence[str] | None) -> BoardFootage:
    """Return the footage of some cameras."""
    for name in cameras or ():
        footage.of(name)  # raises for an unknown name
    return replace(footage, cameras=tuple(one for one in footage.cameras if cameras is None or one.camera in cameras))
