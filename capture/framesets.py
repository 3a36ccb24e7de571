"""Videos that were recorded together to frame sets: one image of each camera at one time."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from triskel.capture.video import SUFFIXES, VideoInfo, probe_video, read_frames
from triskel.errors import InputError

RATE_TOLERANCE = 0.01
"""Relative difference of frame rates up to which videos count as recorded at one rate."""


def find_videos(folder: Path) -> dict[str, Path]:
    """Return the videos of a folder by camera: a file's name without its suffix is the camera's.

    Raises:
        InputError: the folder is missing, has no video, or two for one camera.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of videos")
    videos: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in SUFFIXES and not path.name.startswith("."):
            if path.stem in videos:
                raise InputError(f"{folder}: two videos for camera {path.stem}: {videos[path.stem].name}, {path.name}")
            videos[path.stem] = path
    if not videos:
        raise InputError(f"{folder}: no video in it (looked for {', '.join(SUFFIXES)})")
    return videos


def pair_by_index(videos: Mapping[str, VideoInfo]) -> tuple[float, NDArray[np.float64], NDArray[np.int64], list[str]]:
    """Build the frame sets of videos that started together: frame i of each belongs to set i.

    Nothing is estimated here: videos that were not synchronized need their offsets found first.

    Args:
        videos: camera to what its video is like.

    Returns:
        The rate per second, times (F,) s, frame indices (F, C) with -1 where a video has ended, and warnings.

    Raises:
        InputError: frame rates differ, or a video does not say its own.
    """
    rates = {name: info.fps for name, info in videos.items()}
    if min(rates.values()) <= 0:
        unknown = [name for name, rate in rates.items() if rate <= 0]
        raise InputError(f"the video of {unknown[0]} does not say its frame rate; give it with --fps")
    fps = float(np.median(list(rates.values())))
    off = {name: rate for name, rate in rates.items() if abs(rate / fps - 1) > RATE_TOLERANCE}
    if off:
        name, rate = next(iter(off.items()))
        raise InputError(f"the video of {name} runs at {rate:.2f} frames/s, the others at {fps:.2f}: not one recording")
    counts = {name: info.frames for name, info in videos.items()}
    sets = max(counts.values())
    warnings = [
        f"the video of {name} ends after {count} of {sets} frames; it is missing from the sets after that"
        for name, count in counts.items()
        if count < sets
    ]
    index = np.stack([np.where(np.arange(sets) < count, np.arange(sets), -1) for count in counts.values()], axis=-1)
    return fps, np.arange(sets) / fps, index, warnings


def read_sets(videos: Mapping[str, Path], index: NDArray[np.int64]) -> Iterator[dict[str, NDArray[np.uint8]]]:
    """Yield the images of each frame set by camera, RGB; a camera that the set lacks is left out.

    Args:
        videos: camera to its video, in the order of `index`.
        index: (F, C) frame indices, increasing in each column, -1 where a set lacks the camera.

    Raises:
        InputError: a video is damaged, or shorter than the index says.
    """
    sources = {name: enumerate(read_frames(path)) for name, path in videos.items()}
    for row in index:
        images = {}
        for name, wanted in zip(videos, row, strict=True):
            if wanted < 0:
                continue
            for number, image in sources[name]:
                if number == wanted:
                    images[name] = image
                    break
            else:
                raise InputError(f"{videos[name]}: ends before frame {wanted}; it is shorter than the session says")
        yield images


def probe_videos(videos: Mapping[str, Path]) -> dict[str, VideoInfo]:
    """Probe each camera's video.

    Raises:
        InputError: one cannot be read.
    """
    return {name: probe_video(path) for name, path in videos.items()}
