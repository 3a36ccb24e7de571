"""Which moments of a long recording to look at: short bursts where there is a board, the same in all cameras.

Of an hour 600 frames evenly spread would be 6 s apart, and nothing could be told of how a board moves. So one image of
each camera is looked at every so often, and where a board was in one, a few frames in a row are looked at. One longer
run tells how late cameras are: lags of up to its length can be seen in it.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.boards import Board
from triskel.pipeline.calibrating.looking import look
from triskel.pipeline.calibrating.recordings import CameraRecording, Recording
from triskel.progress import Progress, silent

WHOLE_SETS = 600
"""Recordings of up to so many frame sets are looked at from end to end."""
PLACES = 100
"""Moments at which is looked whether there is a board at all."""
BURSTS, BURST = 60, 5
"""Bursts, and frame sets of each: the inner three have a velocity and an acceleration."""
RUN = 180
"""Frame sets of the one longer run."""
STAGE = "look where boards are"


def sets_worth_looking(
    recording: Recording, boards: tuple[Board, ...], *, workers: int | None = None, progress: Progress = silent
) -> NDArray[np.int64]:
    """Return the rising frame sets of a recording in which to look for boards: all of a short one.

    Raises:
        InputError: a video is damaged.
    """
    n = recording.n_sets
    if recording.is_of_pictures or n <= WHOLE_SETS:
        return np.arange(n, dtype=np.int64)
    effort = np.array([_effort(one, n) for one in recording.cameras])
    edges = np.linspace(0, n, PLACES + 1).astype(np.int64)
    places = [np.array([_cheapest(mine, a, b) for a, b in _pairs(edges)]) for mine in effort]
    which = [one.at(mine) for one, mine in zip(recording.cameras, places, strict=True)]
    looked = look(recording.cameras, which, boards, stage=STAGE, workers=workers, progress=progress)
    columns = []
    for one, mine, of in zip(recording.cameras, which, looked, strict=True):
        at = np.searchsorted(edges, one.sets[mine][of.shown], side="right") - 1
        columns.append(np.isin(np.arange(PLACES), at))
    seen = np.stack(columns, axis=1)
    total = effort.sum(axis=0)
    sets = [_run(total, start, BURST) for start in _starts(seen, edges, total)]
    if seen.any():
        sets.append(_run(total, _cheapest(total, *_longest_seen(seen, edges)), RUN))
    return np.unique(np.concatenate(sets))


def around(sets: Sequence[int], n: int, *, reach: int = BURST // 2) -> NDArray[np.int64]:
    """Return frame sets of a recording of n, and their neighbours."""
    near = np.add.outer(np.asarray(sets, dtype=np.int64), np.arange(-reach, reach + 1)).reshape(-1)
    return np.unique(near[(near >= 0) & (near < n)])


def spread(seen: NDArray[np.bool_], most: int) -> NDArray[np.int64]:
    """Choose places such that every camera and every pair of cameras gets its share, and all of the time.

    Args:
        seen: (P, C) where each camera saw a board.
        most: number of places.

    Returns:
        Rising indices of places at which a board was seen, all of them where there are no more.
    """
    a, b = np.triu_indices(seen.shape[1], 1)
    shared = np.c_[seen, seen[:, a] & seen[:, b]].astype(float)
    free = np.array(seen.any(axis=1), dtype=np.bool_, ndmin=1)
    count, far = np.zeros(shared.shape[1]), np.ones(len(seen))
    taken: list[int] = []
    while len(taken) < most and free.any():
        gain = np.where(free, (shared @ (1 / (1 + count))) * far, -1.0)
        best = int(gain.argmax())
        taken.append(best)
        free[best] = False
        count += shared[best]
        away = np.abs(np.arange(len(seen)) - best) / len(seen)
        far = np.minimum(far, 0.01 + away)
    return np.array(sorted(taken), dtype=np.int64)


def _starts(seen: NDArray[np.bool_], edges: NDArray[np.int64], effort: NDArray[np.float64]) -> list[int]:
    """Return where bursts begin: at places where a board was seen, several in each where there are few."""
    places = spread(seen, BURSTS)
    if not len(places):  # perhaps between them: everywhere
        return [_cheapest(effort, a, b) for a, b in _pairs(np.linspace(0, len(effort), BURSTS + 1).astype(np.int64))]
    found = []
    for i, place in enumerate(places):
        a, b = int(edges[place]), int(edges[place + 1])
        each = BURSTS // len(places) + (i < BURSTS % len(places))
        # A window is no shorter than a burst, or bursts would overlap.
        parts = max(1, min(each, (b - a) // BURST))
        found += [_cheapest(effort, *window) for window in _pairs(np.linspace(a, b, parts + 1).astype(np.int64))]
    return found


def _longest_seen(seen: NDArray[np.bool_], edges: NDArray[np.int64]) -> tuple[int, int]:
    """Return begin and end of the place at which most cameras see a board, and go on seeing it."""
    count = seen.sum(axis=1).astype(float)
    near = np.r_[0, count[:-1]] + np.r_[count[1:], 0]
    best = int((count + 0.25 * near).argmax())
    return int(edges[best]), int(edges[best + 1])


def _effort(camera: CameraRecording, n: int) -> NDArray[np.float64]:
    """Return how many frames of a camera have to be decoded to see each of n frame sets; more where it has none."""
    effort = np.full(n, float(n))
    effort[camera.sets] = camera.index.decoded_before(camera.frames)
    return effort


def _cheapest(effort: NDArray[np.float64], begin: int, end: int) -> int:
    """Return the frame set within a window that the least has to be decoded for."""
    return int(begin) + int(effort[begin : max(end, begin + 1)].argmin())


def _run(effort: NDArray[np.float64], start: int, length: int) -> NDArray[np.int64]:
    """Return frame sets in a row, all within the recording."""
    start = max(0, min(start, len(effort) - length))
    return np.arange(start, min(start + length, len(effort)), dtype=np.int64)


def _pairs(edges: NDArray[np.int64]) -> list[tuple[int, int]]:
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
