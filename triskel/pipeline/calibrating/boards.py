"""From what boards were seen to lenses and a rig, with everything that says how good they are."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.boards import Board, BoardView
from triskel.calibration.footage import BoardFootage, Shots
from triskel.camera import Camera, Rig
from triskel.errors import InputError, JobError
from triskel.progress import Progress, silent

if TYPE_CHECKING:
    from triskel.calibration.checks import Finding
    from triskel.calibration.footage import CameraLags, InStep
    from triskel.calibration.intrinsics import Choice, IntrinsicsResult
    from triskel.calibration.rig import HeldOut, RigCalibration
    from triskel.calibration.world import Placed

log = logging.getLogger(__name__)


FLOOR_CODES = ("under-floor", "not-z-up")
"""Findings that mean nothing in a world without a floor."""


class BoardCalibration(NamedTuple):
    """A rig from boards, and how far it can be trusted.

    Attributes:
        rig: the cameras, in the world that was asked for.
        lenses: how each lens was found, by camera; none for lenses that were given.
        calibration: the poses and their errors, in the world of `rig`.
        held_out: errors in millimetres on shots that were not used; None where there are too few shots.
        findings: what the checks found wrong.
        footage: the shots used.
        placed: what the world was based on; None where it is the first camera's frame.
    """

    rig: Rig
    lenses: dict[str, "IntrinsicsResult"]
    calibration: "RigCalibration"
    held_out: "HeldOut | None"
    findings: "tuple[Finding, ...]"
    footage: BoardFootage
    placed: "Placed | None"


class OneBoard(NamedTuple):
    """Several boards as one list of corners, for what looks at each view by itself: there a corner is a corner.

    Attributes:
        corners: (K, 3) m, board after board.
        first: (B,) where each board's corners begin.
    """

    corners: NDArray[np.float64]
    first: NDArray[np.int64]

    @property
    def name(self) -> str:
        """Return a name that no file gives a board."""
        return "all boards"

    def describe(self) -> str:
        """Say what it is."""
        return f"{len(self.first)} boards with {len(self.corners)} corners in all"

    @classmethod
    def of(cls, boards: Sequence[Board]) -> "OneBoard":
        """Join boards."""
        counts = [len(board.corners) for board in boards]
        return cls(np.concatenate([board.corners for board in boards]), np.cumsum([0, *counts[:-1]]))

    def view(self, view: BoardView, board: int) -> BoardView:
        """Return a view of one of the boards with ids of all of them."""
        return BoardView(view.ids + self.first[board], view.xy)

    def detect(self, image_rgb: NDArray[np.uint8]) -> BoardView:
        """Refuse: corners of different boards do not lie in one plane."""
        raise NotImplementedError("several boards are looked for one by one")


def lenses_from_boards(
    footage: BoardFootage,
    *,
    cameras: Sequence[str] | None = None,
    model: "Choice" = "auto",
    force: bool = False,
    progress: Progress = silent,
) -> "dict[str, IntrinsicsResult]":
    """Calibrate each camera of a recording by itself.

    Args:
        footage: what was seen; some hundred views a camera at most are used, those that say most.
        cameras: the cameras wanted; all when None.
        model: the lens model; `auto` chooses by errors on views that were left out.
        force: take what the data cannot carry, with a warning.
        progress: told after each camera.

    Raises:
        InputError: what a camera saw cannot carry a calibration; the message names every such camera.
    """
    from triskel.calibration.footage import choose_views
    from triskel.calibration.intrinsics import calibrate_intrinsics

    wanted = list(footage.names) if cameras is None else list(cameras)
    joined = OneBoard.of(footage.boards)
    found, refused = {}, []
    for done, name in enumerate(wanted, start=1):
        views = []
        for k in range(len(footage.boards)):
            one = footage.of(name, k)
            chosen = one[choose_views(one)]
            views += [joined.view(view, k) for view in chosen.views]
        try:
            found[name] = calibrate_intrinsics(
                views, joined, size_wh=footage.sizes[name], name=name, model=model, force=force
            )
        except (InputError, JobError) as error:
            refused.append(str(error))
        progress("lenses", done, len(wanted))
    if refused:
        raise InputError("; ".join(refused))
    for result in found.values():
        for warning in result.warnings:
            log.warning("%s", warning)
    return found


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
        force: take what the data cannot carry, with a warning.
    """

    given: Rig | None = None
    close_ups: BoardFootage | None = None
    model: "Choice" = "auto"
    refine_intrinsics: bool | None = None
    floor_set: int | None = None
    floor_origin: Literal["corner", "middle"] = "corner"
    still: bool = False
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
    from triskel.calibration.checks import check_shots
    from triskel.calibration.footage import calibrate_in_step, in_sync, lags_from_motion
    from triskel.calibration.rig import held_out

    request = request or RigRequest()
    names = list(footage.names)
    if len(names) < 2:
        raise InputError(f"{footage.source}: a rig needs at least two cameras, got {', '.join(names) or 'none'}")
    late = lags_from_motion(footage)
    footage = in_sync(footage, late)
    lenses, cameras = _lenses(footage, request, progress)
    # Weak lenses adjusted with the poses take up what is no lens: on four webcams the error fell, and a camera moved.
    sound = bool(lenses) and not any(found.warnings for found in lenses.values())
    refine = sound if request.refine_intrinsics is None else request.refine_intrinsics
    shots = _shots(footage, request, refine_intrinsics=refine)
    known = {name: found.certainty.covariance for name, found in lenses.items()}
    solved = calibrate_in_step(footage, shots, cameras, refine_intrinsics=refine, lens_covariance=known)
    for line in solved.describe():
        log.warning("%s", line)
    progress("rig", 1, 2)
    error = held_out(solved.shots.shots, cameras, solved.shots.boards, refine_intrinsics=refine)
    progress("rig", 2, 2)
    calibration, placed = _on_floor(solved.calibration, footage, request)
    findings = check_shots(shots.shots, cameras, shots.boards, rig=calibration.rig)
    if placed is None:  # the first camera's frame has no floor to stand under
        findings = [finding for finding in findings if finding.code not in FLOOR_CODES]
        log.info("no floor was given, so the world is the first camera's frame; see --floor")
    findings += _out_of_step(footage, shots, late, solved)
    return BoardCalibration(
        rig=calibration.rig,
        lenses=lenses,
        calibration=calibration,
        held_out=error if len(error.distance_mm) else None,
        findings=tuple(findings),
        footage=footage,
        placed=placed,
    )


def _lenses(
    footage: BoardFootage, request: RigRequest, progress: Progress
) -> "tuple[dict[str, IntrinsicsResult], list[Camera]]":
    """Return how lenses were found, and all cameras with their lenses."""
    given = request.given
    unknown = [name for name in footage.names if given is None or name not in given.names]
    source = request.close_ups or footage
    missing = [name for name in unknown if name not in source.names]
    if missing:
        raise InputError(f"{source.source}: no recording of {', '.join(missing)}; it has {', '.join(source.names)}")
    lenses: dict[str, IntrinsicsResult] = {}
    if unknown:
        lenses = lenses_from_boards(
            source, cameras=unknown, model=request.model, force=request.force, progress=progress
        )
    cameras = []
    for name in footage.names:
        camera = lenses[name].camera if name in lenses else _given(given, name)
        if camera.size_wh != footage.sizes[name]:
            camera = _fitted(camera, footage.sizes[name])
        cameras.append(camera)
    return lenses, cameras


def _given(rig: Rig | None, name: str) -> Camera:
    if rig is None:
        raise ValueError(f"no lens for {name}")
    return rig[name]


def _fitted(camera: Camera, size_wh: tuple[int, int]) -> Camera:
    """Return a camera for images of another size than its lens was calibrated at, with a warning."""
    from triskel.calibration.checks import match_image_sizes

    rig, warnings = match_image_sizes(Rig((camera,)), {camera.name: size_wh})
    for warning in warnings:
        log.warning("%s", warning)
    return rig.cameras[0]


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


def _out_of_step(footage: BoardFootage, shots: Shots, late: "CameraLags", solved: "InStep") -> "list[Finding]":
    """Return findings about videos that are late as a whole: those put right already, and what is left in them."""
    from triskel.calibration.checks import Finding
    from triskel.calibration.footage import lags_from_residuals

    calibration = solved.calibration
    left = lags_from_residuals(footage, shots, calibration.rig, calibration.world_from_board)
    corrected = " (corrected here)" if any(solved.delays.of_shot) else ""
    return [
        Finding("warning", name, f"{line.removeprefix(f'camera {name} ')}{done}", "unsynchronised")
        for lags, done in ((late, " (shifted here)"), (left, corrected))
        for name, line in zip(lags.late(), lags.describe(footage.fps), strict=True)
    ]


def _on_floor(
    calibration: "RigCalibration", footage: BoardFootage, request: RigRequest
) -> "tuple[RigCalibration, Placed | None]":
    """Return the calibration with the floor where the board lay in one frame set, and what that was based on."""
    from triskel.calibration.rig.moved import moved_calibration
    from triskel.calibration.world import place_on_board

    if request.floor_set is None:
        return calibration, None
    whole = footage.shots()
    at = np.flatnonzero(whole.sets == request.floor_set)
    if not len(at):
        near = whole.sets[np.argsort(np.abs(whole.sets - request.floor_set))[:3]]
        raise InputError(
            f"floor: no board was found in frame {request.floor_set}; the nearest frames with one are "
            f"{', '.join(map(str, sorted(set(near.tolist()))))}"
        )
    views, board = whole.shots[at[0]], whole.boards[at[0]]
    placed = place_on_board(calibration.rig, views, board, origin=request.floor_origin)
    for message in placed.messages:
        log.info("%s", message)
    return moved_calibration(calibration, placed.world_from_old), placed


def open_footage(source: str | Path, boards: Sequence[Board], *, progress: Progress = silent) -> BoardFootage:
    """Return the boards in a recording, or in the file of an earlier run, which knows its boards.

    Raises:
        InputError: no boards are described for a recording, or there is nothing usable at `source`.
    """
    from triskel.calibration.footage import load_footage
    from triskel.pipeline.calibrating.footage import find_boards

    source = Path(source)
    if source.suffix == ".parquet":
        return load_footage(source)
    if not boards:
        raise InputError(f"{source}: say which board it shows: --board BOARD.yaml, as 'triskel board make' writes it")
    return find_boards(source, boards, progress=progress)
