"""Boards found in recordings: sessions, videos, folders of pictures."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from os import cpu_count
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from triskel.calibration.boards import Board, BoardView
from triskel.calibration.footage import BoardFootage, CameraBoards
from triskel.errors import InputError
from triskel.pipeline.calibrating.recordings import CameraRecording, Recording, open_recording
from triskel.progress import Progress, silent

STAGE = "find boards"
MOST_FRAMES = 600
"""Looked at of each camera if `every` is not given; a board shown by hand moves little in the meantime."""
KEPT_PICTURES = 12
FEWEST_CORNERS = 4


def find_boards(
    source: str | Path,
    boards: Board | Sequence[Board],
    *,
    cameras: Sequence[str] | None = None,
    every: int | None = None,
    workers: int | None = None,
    progress: Progress = silent,
) -> BoardFootage:
    """Look for boards in a recording.

    Args:
        source: a session; a folder of videos, one a camera and named like it; a folder of folders of pictures; a
            folder of pictures, or a video, of one camera.
        boards: what to look for.
        cameras: only these.
        every: look at every n-th frame; if None, at up to 600 frames of each camera and at every picture.
        workers: images looked at side by side; the number of cores if None.
        progress: told after each image.

    Returns:
        Where each camera saw each board.

    Raises:
        InputError: there is no recording at `source`, a file in it is damaged, pictures of one camera differ in size,
            or no board is in any of them.
    """
    wanted: tuple[Board, ...] = tuple(boards) if isinstance(boards, Sequence) else (boards,)
    if not wanted:
        raise InputError("no board to look for; describe one, or more than one, in a file")
    if every is not None and every < 1:
        raise InputError(f"every is 1 for every frame, 2 for every other one, and so on; got {every}")
    recording = open_recording(Path(source), cameras)
    stride = every or max(1, -(-recording.longest_video // MOST_FRAMES))
    total = sum(len(one.frames[::stride]) for one in recording.cameras)
    found: list[CameraBoards] = []
    pictures: list[NDArray[np.uint8]] = []
    done = 0
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # images are looked at side by side instead
    try:
        with ThreadPoolExecutor(workers or cpu_count() or 1) as pool:
            for one in recording.cameras:
                rows: list[list[BoardView]] = []
                for views in _detected(pool, one, wanted, stride, pictures):
                    rows.append(views)
                    done += 1
                    progress(STAGE, done, total)
                found += [_boards_of(one, rows, stride, b) for b in range(len(wanted))]
        if not any(len(one) for one in found):
            raise InputError(_not_found(recording, wanted, pictures, total))
    finally:
        cv2.setNumThreads(threads)
    return BoardFootage(cameras=tuple(found), boards=wanted, fps=recording.fps, source=str(source))


def _detected(
    pool: ThreadPoolExecutor,
    camera: CameraRecording,
    boards: tuple[Board, ...],
    stride: int,
    pictures: list[NDArray[np.uint8]],
) -> Iterator[list[BoardView]]:
    """Yield what was seen of each board in each frame looked at; keeps a few pictures for advice where nothing is."""
    waiting: list[Future[list[BoardView]]] = []
    for number, image in camera.images(stride):
        here = (image.shape[1], image.shape[0])
        if here != camera.size_wh:
            w, h = camera.size_wh
            raise InputError(
                f"{camera.where(number)}: is {here[0]} x {here[1]} px, the first one is {w} x {h}; one camera has one "
                "image size, take the others out"
            )
        if len(pictures) < KEPT_PICTURES and (number // stride) % max(1, len(camera.frames) // stride // 4) == 0:
            pictures.append(image)
        waiting.append(pool.submit(_detect, image, boards))
        # Decoding must not run ahead of detection, or a whole video stands in memory.
        if len(waiting) > 2 * pool._max_workers:
            yield waiting.pop(0).result()
    for future in waiting:
        yield future.result()


def _detect(image_rgb: NDArray[np.uint8], boards: tuple[Board, ...]) -> list[BoardView]:
    """Return what is seen of each board in one image."""
    views = [board.detect(image_rgb) for board in boards]
    return [view if len(view.ids) >= FEWEST_CORNERS else BoardView.empty() for view in views]


def _boards_of(camera: CameraRecording, rows: list[list[BoardView]], stride: int, board: int) -> CameraBoards:
    """Return where a camera saw one board."""
    seen = np.array([i for i, views in enumerate(rows) if len(views[board].ids)], dtype=np.int64)
    return CameraBoards(
        camera=camera.name,
        size_wh=camera.size_wh,
        frames=camera.frames[::stride][seen],
        views=tuple(rows[i][board] for i in seen),
        board=board,
        sets=camera.sets[::stride][seen],
        time_s=camera.time_s[::stride][seen],
        looked_at=len(rows),
    )


def _not_found(recording: Recording, boards: tuple[Board, ...], pictures: list[NDArray[np.uint8]], total: int) -> str:
    """Say that no board was found, and whether a slightly different one would have been."""
    names = ", ".join(board.describe() for board in boards)
    said = f"{recording.path}: none of the {total} images shows {names}"
    for board in boards:
        for key, words in (("inverted", "the other way round in colour"), ("legacy", "in OpenCV's other pattern")):
            other = _other(board, key)
            seen = sum(len(_detect(image, (other,))[0].ids) > 0 for image in pictures) if other else 0
            if other and seen > len(pictures) // 4:
                value = str(getattr(other, key)).lower()
                return f"{said}, but one {words} is there; set {key}: {value} in the board's description"
    return f"{said}; check the board's description (squares, dictionary), and that it is sharp, whole and large enough"


def _other(board: Board, key: str) -> Board | None:
    """Return the board with one of its properties the other way; None if it has no such property."""
    if key not in getattr(board, "__dataclass_fields__", ()):
        return None
    changed: Board = replace(board, **{key: not getattr(board, key)})  # type: ignore[type-var] # a dataclass, as seen
    return changed
