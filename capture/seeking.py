"""Single frames out of a long video, without decoding all of it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from triskel.capture.video import decoding_failed
from triskel.errors import InputError

NOT_EXACT = ("mpegts", "mpeg", "avi")
"""Containers whose times are those of the transmission, or none: where seeking lands in them is a guess."""
DENSE = 0.5
"""Share of the frames above which decoding in order, on several threads, is faster."""


class VideoIndex(NamedTuple):
    """Where the frames of a video are.

    Attributes:
        pts: (F,) each frame's time in the stream's own unit, in the order shown; nothing where the file does not give
            every frame a time of its own.
        keys: (K,) numbers of the frames that can be decoded without others before them, rising.
    """

    pts: NDArray[np.int64]
    keys: NDArray[np.int64]

    @classmethod
    def unknown(cls) -> "VideoIndex":
        """Return the index of a video that has to be decoded in order."""
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int64))

    @property
    def is_exact(self) -> bool:
        """Return whether one can jump to a frame and know which it is."""
        return len(self.keys) > 0

    def decoded_before(self, frames: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many others have to be decoded to see each of some frames; 0 where one cannot jump at all."""
        if not self.is_exact:
            return np.zeros(len(frames), dtype=np.int64)
        return np.asarray(frames - self.keys[np.searchsorted(self.keys, frames, side="right") - 1])


def index_video(path: Path) -> VideoIndex:
    """Read where the frames of a video are, without decoding them; unknown where the file does not say it exactly."""
    rows: list[tuple[int, bool]] = []
    try:
        with av.open(str(path)) as container:
            if set(container.format.name.split(",")) & set(NOT_EXACT):
                return VideoIndex.unknown()
            for packet in container.demux(container.streams.video[0]):
                if packet.size and (packet.pts is None or packet.is_discard):
                    return VideoIndex.unknown()
                if packet.size and packet.pts is not None:
                    rows.append((packet.pts, packet.is_keyframe))
    except (av.FFmpegError, OSError, IndexError):
        return VideoIndex.unknown()  # decoding in order says what is wrong, and where
    rows.sort()
    pts = np.array([row[0] for row in rows], dtype=np.int64)
    keys = np.flatnonzero([row[1] for row in rows]).astype(np.int64)
    if not len(keys) or keys[0] != 0 or (np.diff(pts) <= 0).any():
        return VideoIndex.unknown()
    return VideoIndex(pts, keys)


def read_frames_at(
    path: Path, frames: Sequence[int] | NDArray[np.int64], *, index: VideoIndex | None = None
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield number and image (H, W, 3) uint8 RGB of some frames of a video, in order.

    Jumps to the keyframe before each, and knows by its time which frame it has; where that does not work out, the
    video is decoded in order from the start.

    Args:
        path: the video.
        frames: numbers of the frames, counted from 0 as `read_frames` yields them; in any order.
        index: of the video, where it is known already.

    Raises:
        InputError: the file cannot be opened, is damaged, or ends before one of the frames.
    """
    wanted = np.unique(np.asarray(frames, dtype=np.int64)).tolist()
    if not wanted:
        return
    index = index_video(path) if index is None else index
    done = 0
    if index.is_exact and wanted[-1] < len(index.pts) and len(wanted) < DENSE * (wanted[-1] + 1):
        for found in _by_jumping(path, wanted, index):
            yield found
            done += 1
    if done < len(wanted):
        yield from _in_order(path, wanted[done:])


def _by_jumping(path: Path, wanted: list[int], index: VideoIndex) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield frames; stops early where one is not found in its place."""
    keys = index.keys[np.searchsorted(index.keys, wanted, side="right") - 1].tolist()
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.thread_type = "SLICE"  # frames side by side would be decoded beyond the wanted one, for nothing
            here = -1
            decoded: Iterator[av.VideoFrame] = iter(())
            for number, key in zip(wanted, keys, strict=True):
                if key > here:
                    container.seek(int(index.pts[key]), stream=stream)
                    decoded = container.decode(stream)
                for frame in decoded:
                    here = int(np.searchsorted(index.pts, frame.pts)) if frame.pts is not None else len(index.pts)
                    if here >= number:
                        break
                if here != number or index.pts[number] != frame.pts:
                    return
                yield number, frame.to_ndarray(format="rgb24")
    except (av.FFmpegError, OSError, IndexError):
        return  # decoding in order says what is wrong, and where


def _in_order(path: Path, wanted: list[int]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    left = iter(wanted)
    following = next(left)
    number = -1
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            for number, frame in enumerate(container.decode(stream)):
                if number == following:
                    yield number, frame.to_ndarray(format="rgb24")
                    if (following := next(left, -1)) < 0:
                        return
    except (av.FFmpegError, OSError, IndexError) as error:
        raise decoding_failed(path, number + 1, error) from error
    raise InputError(f"{path}: ends before frame {following}; it is damaged or was cut")
