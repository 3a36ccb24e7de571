"""Recordings of boards as they lie on a disk: which images each camera has, and which were taken together."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from triskel.capture import (
    VideoIndex,
    find_videos,
    index_video,
    pair_by_index,
    probe_video,
    probe_videos,
    read_frames_at,
)
from triskel.capture.video import SUFFIXES, VideoInfo
from triskel.errors import InputError
from triskel.images import read_image_bgr
from triskel.session import SESSION_FILE, Session

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
TIMES_FILE = "timestamps.csv"
"""Caliscope's: `sync_index, cam_id, frame_time`, and `frame_index` in later versions."""
MOST_SETS = 10_000_000
"""More than a day at 100 frames a second; a number beyond that is a slip."""


@dataclass(frozen=True, eq=False, kw_only=True)
class CameraRecording:
    """One camera's images.

    Attributes:
        name: of the camera.
        size_wh: width, height of the first image, px.
        frames: (F,) numbers of the frames that belong to a set, rising.
        sets: (F,) the frame set of each.
        time_s: (F,) when each was taken; NaN where nobody knows.
        video: the file; None for pictures.
        pictures: the files, frame 0 first; empty for a video.
    """

    name: str
    size_wh: tuple[int, int]
    frames: NDArray[np.int64]
    sets: NDArray[np.int64]
    time_s: NDArray[np.float64]
    video: Path | None = None
    pictures: tuple[Path, ...] = ()

    def where(self, number: int) -> str:
        """Say which image frame `number` is."""
        return str(self.pictures[number]) if self.video is None else f"{self.video}: frame {number}"

    @cached_property
    def index(self) -> VideoIndex:
        """Return where the video's frames are; pictures have no such index."""
        return index_video(self.video) if self.video is not None else VideoIndex.unknown()

    def at(self, sets: NDArray[np.int64]) -> NDArray[np.intp]:
        """Return the rising indices into `frames` of those that belong to some frame sets."""
        return np.flatnonzero(np.isin(self.sets, sets))

    def images(self, which: NDArray[np.intp]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield number and image (H, W, 3) RGB of some frames; `which` are rising indices into `frames`.

        Raises:
            InputError: a file is damaged, or a video ends too early.
        """
        wanted = self.frames[which]
        if self.video is None:
            for number in wanted.tolist():
                yield number, np.ascontiguousarray(read_image_bgr(self.pictures[number])[..., ::-1])
        else:
            yield from read_frames_at(self.video, wanted, index=self.index)


@dataclass(frozen=True, eq=False, kw_only=True)
class Recording:
    """What all cameras recorded; `fps` is the rate of frame sets, NaN for pictures."""

    path: Path
    cameras: tuple[CameraRecording, ...]
    fps: float

    @property
    def n_sets(self) -> int:
        """Return the number of frame sets up to the last one."""
        return 1 + max((int(one.sets[-1]) for one in self.cameras if len(one.sets)), default=-1)

    @property
    def is_of_pictures(self) -> bool:
        """Return whether there is no video."""
        return all(one.video is None for one in self.cameras)


def open_recording(path: Path, cameras: Sequence[str] | None = None) -> Recording:
    """Find out what kind of recording stands at a path.

    Args:
        path: as for `find_boards`.
        cameras: only these; all if None.

    Raises:
        InputError: there is none, or it lacks a camera.
    """
    if path.is_file():
        if path.suffix.lower() not in SUFFIXES:
            raise InputError(f"{path}: no video ({', '.join(SUFFIXES)}); pictures are given as their folder")
        return _of_videos(path, {path.stem: path}, cameras)
    if not path.is_dir():
        raise InputError(f"{path}: no such recording; give a session, a video, or a folder of videos or pictures")
    if (path / SESSION_FILE).is_file():
        return _of_session(path, cameras)
    if any(_is_visible(file, SUFFIXES) for file in path.iterdir()):
        return _of_videos(path, find_videos(path), cameras)
    folders = {folder.name: _pictures(folder) for folder in sorted(path.iterdir()) if folder.is_dir()}
    folders = {name: files for name, files in folders.items() if files}
    if not folders:
        alone = _pictures(path)
        # Of a board on the floor there is one picture a camera, called like it.
        named: dict[str, tuple[Path, ...]] = {file.stem: (file,) for file in alone if file.stem in (cameras or ())}
        if named:
            return _of_pictures(path, named, None, together=True)
        folders = {path.resolve().name: alone}
    if not any(folders.values()):
        raise InputError(
            f"{path}: neither a session nor videos nor pictures in it; give one of them, or folders of pictures"
        )
    return _of_pictures(path, folders, cameras)


def _of_session(path: Path, wanted: Sequence[str] | None) -> Recording:
    session = Session.open(path)
    videos = session.video_paths()
    time_s, index = session.frames()
    found = []
    for name in _chosen(videos, wanted, path):
        column = index[:, session.cameras.index(name)]
        sets = np.flatnonzero(column >= 0).astype(np.int64)
        info = probe_video(videos[name])
        found.append(
            CameraRecording(
                name=name,
                size_wh=info.size_wh,
                frames=column[sets],
                sets=sets,
                time_s=time_s[sets],
                video=videos[name],
            )
        )
    return Recording(path=path, cameras=tuple(found), fps=session.info.fps)


def _of_videos(path: Path, videos: dict[str, Path], wanted: Sequence[str] | None) -> Recording:
    videos = {name: videos[name] for name in _chosen(videos, wanted, path)}
    infos = probe_videos(videos)
    times = path / TIMES_FILE
    if path.is_dir() and times.is_file():
        return _timed(path, videos, infos, _read_times(times, infos))
    fps = next(iter(infos.values())).fps if len(videos) == 1 else pair_by_index(infos)[0]
    found = []
    for name, info in infos.items():
        number = np.arange(info.frames, dtype=np.int64)
        time_s = number / fps if fps > 0 else np.full(info.frames, np.nan)
        found.append(
            CameraRecording(
                name=name, size_wh=info.size_wh, frames=number, sets=number, time_s=time_s, video=videos[name]
            )
        )
    return Recording(path=path, cameras=tuple(found), fps=fps if fps > 0 else float("nan"))


def _timed(
    path: Path,
    videos: dict[str, Path],
    infos: dict[str, VideoInfo],
    times: dict[str, list[tuple[int, int, float]]],
) -> Recording:
    """Return videos whose frames are paired by a file of times: rows of set, frame, time for each camera."""
    first = min(moment for rows in times.values() for moment, _, _ in rows)
    found, spans = [], []
    for name, rows in times.items():
        table = np.array(sorted(rows))
        sets, frames, time_s = (table[:, 0] - first).astype(np.int64), table[:, 1].astype(np.int64), table[:, 2]
        if (np.diff(frames) <= 0).any() or (np.diff(sets) <= 0).any() or not (np.diff(time_s) > 0).all():
            raise InputError(
                f"{path / TIMES_FILE}: frames of camera {name} do not follow each other in time; repair it"
            )
        if len(frames) and (frames[0] < 0 or frames[-1] >= infos[name].frames):
            raise InputError(
                f"{path / TIMES_FILE}: lists frames of camera {name} up to {frames[-1]}, its video has "
                f"{infos[name].frames}; take the file away to pair frames by their number"
            )
        found.append(
            CameraRecording(
                name=name, size_wh=infos[name].size_wh, frames=frames, sets=sets, time_s=time_s, video=videos[name]
            )
        )
        spans += [float((time_s[-1] - time_s[0]) / (sets[-1] - sets[0]))] if len(sets) > 1 else []
    return Recording(path=path, cameras=tuple(found), fps=1 / float(np.median(spans)) if spans else float("nan"))


def _read_times(file: Path, infos: dict[str, VideoInfo]) -> dict[str, list[tuple[int, int, float]]]:
    """Return set, frame and time of each camera's frames.

    Raises:
        InputError: a column is missing, a cell is no number, or a camera has no row.
    """
    rows: dict[str, list[tuple[int, int, float]]] = {}
    try:
        with file.open(encoding="utf-8", newline="") as text:
            reader = csv.DictReader(text)
            lacks = {"sync_index", "cam_id", "frame_time"} - set(reader.fieldnames or ())
            if lacks:
                raise InputError(f"{file}: lacks the column {sorted(lacks)[0]}; take it away, or repair it")
            for row in reader:
                moment, frame, time_s = (
                    int(row["sync_index"]),
                    int(row.get("frame_index") or -1),
                    float(row["frame_time"]),
                )
                for column, good in (
                    ("sync_index", 0 <= moment < MOST_SETS),
                    ("frame_index", frame < MOST_SETS),
                    ("frame_time", abs(time_s) < float("inf")),
                ):
                    if not good:
                        raise InputError(
                            f"{file}: line {reader.line_num}: {column} is {row[column]}, which cannot be right; repair "
                            "it, or take the file away"
                        )
                rows.setdefault(row["cam_id"].strip(), []).append((moment, frame, time_s))
    except (OSError, UnicodeDecodeError, csv.Error, TypeError) as error:
        raise InputError(f"{file}: cannot be read: {str(error).splitlines()[0]}") from error
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{file}: a cell is no number ({error}); repair it, or take the file away") from error
    found = {}
    for name in infos:
        ids = [key for key in rows if name in (key, f"cam_{key}", f"cam{key}", f"port_{key}", f"camera_{key}")]
        if len(ids) != 1:
            raise InputError(f"{file}: says nothing of camera {name}; it has {', '.join(sorted(rows)) or 'no rows'}")
        mine = sorted(rows[ids[0]])
        if any(frame < 0 for _, frame, _ in mine):  # an early version of the file: every frame, in order
            mine = [(moment, i, time_s) for i, (moment, _, time_s) in enumerate(mine)]
        found[name] = mine
    return found


def _of_pictures(
    path: Path, folders: dict[str, tuple[Path, ...]], wanted: Sequence[str] | None, *, together: bool = False
) -> Recording:
    """Return pictures, paired by number or name; `together` says that each camera has one, of one moment."""
    folders = {name: folders[name] for name in _chosen(folders, wanted, path)}
    keys = {name: [(0, "")] if together else _keys(files) for name, files in folders.items()}
    moments = {key: i for i, key in enumerate(sorted({key for mine in keys.values() for key in mine}))}
    found = []
    for name, files in folders.items():
        height, width = read_image_bgr(files[0]).shape[:2]
        found.append(
            CameraRecording(
                name=name,
                size_wh=(width, height),
                frames=np.arange(len(files), dtype=np.int64),
                sets=np.array([moments[key] for key in keys[name]], dtype=np.int64),
                time_s=np.full(len(files), np.nan),
                pictures=files,
            )
        )
    return Recording(path=path, cameras=tuple(found), fps=float("nan"))


def _pictures(folder: Path) -> tuple[Path, ...]:
    """Return the pictures of a folder, in the order of their numbers or else names."""
    files = sorted(file for file in folder.iterdir() if _is_visible(file, PICTURES))
    order = dict(zip(files, _keys(tuple(files)), strict=True))
    return tuple(sorted(files, key=order.__getitem__))


def _keys(files: tuple[Path, ...]) -> list[tuple[int, str]]:
    """Return what tells which pictures of cameras belong together: the last number in each name, or the name."""
    numbers = [re.findall(r"\d+", file.stem) for file in files]
    last = [int(found[-1]) if found else -1 for found in numbers]
    if -1 not in last and len(set(last)) == len(last):
        return [(number, "") for number in last]
    return [(0, file.stem) for file in files]


def _is_visible(file: Path, suffixes: tuple[str, ...]) -> bool:
    return file.is_file() and file.suffix.lower() in suffixes and not file.name.startswith(".")


def _chosen(
    known: dict[str, Path] | dict[str, tuple[Path, ...]], wanted: Sequence[str] | None, path: Path
) -> list[str]:
    """Return the cameras wanted, in the order of the recording.

    Raises:
        InputError: one of them is not there.
    """
    for name in wanted or ():
        if name not in known:
            raise InputError(f"{path}: no camera {name!r}; there are {', '.join(known)}")
    return [name for name in known if wanted is None or name in wanted]
