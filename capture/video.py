"""A video file as a source of frames."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from triskel.errors import InputError

SUFFIXES = (".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".nut")


class VideoInfo(NamedTuple):
    """What a video says of itself, checked against its packets.

    Attributes:
        size_wh: width, height of the frames as shown, px.
        fps: mean frame rate.
        frames: number of frames, counted.
    """

    size_wh: tuple[int, int]
    fps: float
    frames: int


def probe_video(path: Path) -> VideoInfo:
    """Open a video, decode its first frame and count the rest without decoding them.

    Raises:
        InputError: there is no such file, it is no video, or nothing in it can be decoded.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such video file")
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise InputError(f"{path}: has no video stream; give a video file")
            stream = container.streams.video[0]
            first = next(iter(container.decode(stream)), None)
            if first is None:
                raise InputError(f"{path}: no frame can be decoded; the file is damaged or empty")
            size_wh = (first.width, first.height)
            rate = float(stream.average_rate or stream.guessed_rate or 0)
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            frames = sum(1 for packet in container.demux(stream) if packet.size and packet.pts is not None)
    except (av.FFmpegError, OSError) as error:
        raise InputError(f"{path}: cannot be read as a video ({_reason(error)}); is it complete?") from error
    return VideoInfo(size_wh, rate, frames)


def read_frames(path: Path) -> Iterator[NDArray[np.uint8]]:
    """Yield a video's frames in order, (H, W, 3) uint8 RGB; holds one at a time.

    Raises:
        InputError: the file cannot be opened, or is damaged half-way; the message says after which frame.
    """
    count = 0
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            for frame in container.decode(stream):
                yield frame.to_ndarray(format="rgb24")
                count += 1
    except (av.FFmpegError, OSError, IndexError) as error:
        raise decoding_failed(path, count, error) from error


def decoding_failed(path: Path, count: int, error: Exception) -> InputError:
    """Return what to raise where a video cannot be decoded after `count` frames."""
    return InputError(f"{path}: damaged after frame {count} ({_reason(error)}); record or copy it again")


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return str(text).splitlines()[0] if str(text) else type(error).__name__
