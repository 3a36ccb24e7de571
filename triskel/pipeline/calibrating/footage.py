"""Boards found in recordings: sessions, videos, folders of pictures."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.boards import Board
from triskel.calibration.footage import BoardFootage, CameraBoards
from triskel.errors import InputError
from triskel.pipeline.calibrating.advice import other_board, wrong_sizes
from triskel.pipeline.calibrating.bursts import around, sets_worth_looking
from triskel.pipeline.calibrating.looking import Looked, look
from triskel.pipeline.calibrating.recordings import CameraRecording, Recording, open_recording
from triskel.progress import Progress, silent

log = logging.getLogger(__name__)

STAGE = "find boards"
FEW = 0.02
"""Share of images with a board below which the description may be that of another one, found by luck."""


def find_boards(
    source: str | Path,
    boards: Board | Sequence[Board],
    *,
    cameras: Sequence[str] | None = None,
    every: int | None = None,
    also: Sequence[int] = (),
    workers: int | None = None,
    progress: Progress = silent,
) -> BoardFootage:
    """Look for boards in a recording.

    Args:
        source: a session; a folder of videos, one a camera and named like it; a folder of folders of pictures; a
            folder of pictures, or a video, of one camera.
        boards: what to look for.
        cameras: only these.
        every: look at every n-th frame set; if None, at all of a short recording and at every picture, and in a long
            one at bursts of frames all over the time in which a board is shown.
        also: frame sets that are looked at in any case, with their neighbours.
        workers: images looked at side by side; the number of cores if None.
        progress: told after each image, from the threads that decode.

    Returns:
        Where each camera saw each board. What looks wrong with the description of a board, and cameras that see none,
        are logged as warnings.

    Raises:
        InputError: there is no recording at `source`, a file in it is damaged, pictures of one camera differ in size,
            `also` names a frame set that is not there, or no board is in any of them.
    """
    wanted: tuple[Board, ...] = tuple(boards) if isinstance(boards, Sequence) else (boards,)
    if not wanted:
        raise InputError("no board to look for; describe one, or more than one, in a file")
    if every is not None and every < 1:
        raise InputError(f"every is 1 for every frame, 2 for every other one, and so on; got {every}")
    recording = open_recording(Path(source), cameras)
    n = recording.n_sets
    for moment in also:
        if not 0 <= moment < n:
            raise InputError(f"{source}: no frame {moment}; it has frames 0 to {n - 1}")
    if every is None:
        sets = sets_worth_looking(recording, wanted, workers=workers, progress=progress)
        sets = np.union1d(sets, around(also, n))
    else:
        # Neighbours would be the shortest step of all then, by which motion is told.
        sets = np.union1d(np.arange(0, n, every, dtype=np.int64), np.asarray(also, dtype=np.int64))
    which = [one.at(sets) for one in recording.cameras]
    looked = look(recording.cameras, which, wanted, stage=STAGE, workers=workers, progress=progress)
    _advise(recording, wanted, looked)
    found = [
        _boards_of(one, mine, seen, board)
        for one, mine, seen in zip(recording.cameras, which, looked, strict=True)
        for board in range(len(wanted))
    ]
    return BoardFootage(cameras=tuple(found), boards=wanted, fps=recording.fps, source=str(source))


def _boards_of(camera: CameraRecording, which: NDArray[np.intp], looked: Looked, board: int) -> CameraBoards:
    """Return where a camera saw one board."""
    seen = np.array([i for i, views in enumerate(looked.rows) if len(views[board].ids)], dtype=np.int64)
    return CameraBoards(
        camera=camera.name,
        size_wh=camera.size_wh,
        frames=camera.frames[which[seen]],
        views=tuple(looked.rows[i][board] for i in seen),
        board=board,
        sets=camera.sets[which[seen]],
        time_s=camera.time_s[which[seen]],
        looked_at=len(looked.rows),
    )


def _advise(recording: Recording, boards: tuple[Board, ...], looked: Sequence[Looked]) -> None:
    """Warn of cameras that see no board, and of boards that are not as described.

    Raises:
        InputError: no board is in any image.
    """
    total = sum(len(one.rows) for one in looked)
    sizes = wrong_sizes([image for one in looked for image in one.seen or one.spread], boards)
    hardly = [one.shown.sum() <= FEW * len(one.rows) for one in looked]
    others = [
        "" if not few or sizes else other_board(one.spread, boards) for one, few in zip(looked, hardly, strict=True)
    ]
    if not any(one.shown.any() for one in looked):
        names = ", ".join(board.describe() for board in boards)
        why = "; ".join([*sizes, *dict.fromkeys(filter(None, others))])
        unknown = "; check the board's description (squares, dictionary), and that it is sharp, whole and large enough"
        raise InputError(
            f"{recording.path}: none of the {total} images shows {names}{f', but {why}' if why else unknown}"
        )
    for said in sizes:
        log.warning("%s: %s", recording.path, said)
    seeing = ",".join(camera.name for camera, one in zip(recording.cameras, looked, strict=True) if one.shown.any())
    for camera, one, other in zip(recording.cameras, looked, others, strict=True):
        if other or not one.shown.any():
            log.warning(
                "camera %s: saw a board in %d of %d images%s%s",
                camera.name,
                one.shown.sum(),
                len(one.rows),
                other and f", but {other}",
                "" if other else f"; show it one, or leave it out with --cameras {seeing}",
            )
