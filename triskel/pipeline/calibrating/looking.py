"""Looking for boards in the images of several cameras side by side."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from os import cpu_count
from threading import Event, Lock
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from triskel.calibration.boards import Board, BoardView
from triskel.errors import InputError
from triskel.pipeline.calibrating.recordings import CameraRecording
from triskel.progress import Progress, silent

KEPT_PICTURES = 6
"""Of each camera, for advice; fewer where there are many cameras."""
MOST_KEPT = 48
FEWEST_CORNERS = 4
MOST_DECODERS = 16


class Looked(NamedTuple):
    """What came of looking at images of one camera.

    Attributes:
        rows: for each image what was seen of each board.
        spread: a few images, all over the recording.
        seen: a few images in which a board was found.
    """

    rows: list[list[BoardView]]
    spread: list[NDArray[np.uint8]]
    seen: list[NDArray[np.uint8]]

    @property
    def shown(self) -> NDArray[np.bool_]:
        """Return (n,) in which images a board was seen."""
        return np.array([any(len(view.ids) for view in views) for views in self.rows], dtype=bool)


def look(
    cameras: Sequence[CameraRecording],
    which: Sequence[NDArray[np.intp]],
    boards: tuple[Board, ...],
    *,
    stage: str,
    workers: int | None = None,
    progress: Progress = silent,
) -> list[Looked]:
    """Look for boards; every camera's images are decoded in a thread of its own.

    Args:
        cameras: whose images.
        which: for each camera, rising indices into its frames.
        boards: what to look for.
        stage: told to `progress`, after each image.
        workers: images looked at side by side; the number of cores if None.
        progress: told how far it is, from the threads that decode.

    Raises:
        InputError: a file is damaged, or images of one camera differ in size.
    """
    threads = workers or cpu_count() or 1
    told = _Counter(progress, stage, sum(map(len, which)))
    kept = max(1, min(KEPT_PICTURES, MOST_KEPT // max(1, len(cameras))))
    stop = Event()
    with (
        _opencv_on_one_thread(),
        ThreadPoolExecutor(threads) as eyes,
        ThreadPoolExecutor(max(1, min(len(cameras), MOST_DECODERS))) as decoders,
    ):
        # Decoding must not run ahead of looking, or whole videos stand in memory.
        ahead = max(2, 2 * threads // max(1, len(cameras)))
        jobs = [
            decoders.submit(_look, one, mine, boards, eyes=eyes, ahead=ahead, kept=kept, told=told, stop=stop)
            for one, mine in zip(cameras, which, strict=True)
        ]
        try:
            return [job.result() for job in jobs]
        finally:
            stop.set()


def detect(image_rgb: NDArray[np.uint8], boards: tuple[Board, ...]) -> list[BoardView]:
    """Return what is seen of each board in one image."""
    views = [board.detect(image_rgb) for board in boards]
    return [view if len(view.ids) >= FEWEST_CORNERS else BoardView.empty() for view in views]


class _Counter:
    """Tells how many images are done, from several threads."""

    def __init__(self, progress: Progress, stage: str, total: int) -> None:
        self._progress, self._stage, self._total = progress, stage, total
        self._done, self._lock = 0, Lock()

    def one_more(self) -> None:
        with self._lock:
            self._done += 1
            self._progress(self._stage, self._done, self._total)


def _look(
    camera: CameraRecording,
    which: NDArray[np.intp],
    boards: tuple[Board, ...],
    *,
    eyes: ThreadPoolExecutor,
    ahead: int,
    kept: int,
    told: _Counter,
    stop: Event,
) -> Looked:
    looked = Looked([], [], [])
    apart = max(1, len(which) // kept)
    waiting: deque[tuple[NDArray[np.uint8], Future[list[BoardView]]]] = deque()

    def take() -> None:
        image, future = waiting.popleft()
        views = future.result()
        k = len(looked.rows)
        looked.rows.append(views)
        if k % apart == 0 and len(looked.spread) < kept:
            looked.spread.append(image)
        if any(len(view.ids) for view in views) and len(looked.seen) <= min(k // apart, kept - 1):
            looked.seen.append(image)
        told.one_more()

    for image in _images(camera, which):
        if stop.is_set():
            break
        waiting.append((image, eyes.submit(detect, image, boards)))
        if len(waiting) > ahead:
            take()
    while waiting and not stop.is_set():
        take()
    return looked


def _images(camera: CameraRecording, which: NDArray[np.intp]) -> Iterator[NDArray[np.uint8]]:
    """Yield images that have the size of the camera's first one."""
    w, h = camera.size_wh
    for number, image in camera.images(which):
        here = (image.shape[1], image.shape[0])
        if here != (w, h):
            raise InputError(
                f"{camera.where(number)}: is {here[0]} x {here[1]} px, the first one is {w} x {h}; one camera has one "
                "image size, take the others out"
            )
        yield image


@contextmanager
def _opencv_on_one_thread() -> Iterator[None]:
    """Keep OpenCV from using all cores for each image: images are looked at side by side instead."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)
