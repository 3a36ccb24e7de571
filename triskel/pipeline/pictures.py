"""Detection without a session: an image, a folder of images or a video to files that people and software read."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from triskel.errors import InputError
from triskel.files import check_folder
from triskel.images import read_image_bgr
from triskel.keypoints import People2D
from triskel.pipeline.frames import ALL_FRAMES, FrameRange
from triskel.pipeline.picture_files import (
    Found,
    Picture,
    PictureOutputs,
    draw_overlay,
    write_coco_json,
    write_found,
    write_picture,
)
from triskel.progress import Progress, silent
from triskel.session import SESSION_FILE, VIDEOS

if TYPE_CHECKING:
    from triskel.detect2d import HeatMaps, WholeBodyDetector
    from triskel.detect2d.parsing import Candidates

log = logging.getLogger(__name__)

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm")

BATCH = 8
"""Pictures that go into the network at once; more keeps a large GPU busier, and holds more of them in memory."""

COCO_RESULTS = "coco_results.json"
"""The one file that holds the people of all pictures, where it is asked for."""

DEFAULT_FPS = 30.0
"""Rate of an overlay where the video does not say its own."""


class Written(NamedTuple):
    """How much was done: pictures or frames looked at, people found in them."""

    pictures: int
    people: int


@dataclass
class Everybody:
    """The people of all pictures: their number, and where one file holds them all, themselves."""

    count: int = 0
    names: list[str] = field(default_factory=list)
    kept: list[People2D] = field(default_factory=list)

    def add(self, name: str, people: People2D, *, keep: bool) -> None:
        """Count the people of one picture, and keep them if they are to be written at the end."""
        self.count += len(people)
        if keep:
            self.names.append(name)
            self.kept.append(people)


def kind_of(target: Path) -> Literal["session", "images", "video"]:
    """Say what a path is for `triskel detect`: a session (or a folder that becomes one), images, or a video.

    Raises:
        InputError: it is none of these.
    """
    from triskel.capture.video import SUFFIXES

    if target.is_dir():
        if (target / SESSION_FILE).exists() or (target / VIDEOS).is_dir():
            return "session"
        if not _images_of(target):
            raise InputError(
                f"{target}: neither a session nor a folder of images (known are {_listed(IMAGE_SUFFIXES)})"
            )
        return "images"
    if not target.is_file():
        raise InputError(f"{target}: no such session, image, folder of images or video")
    if target.suffix.lower() in SUFFIXES:
        return "video"
    if target.suffix.lower() in IMAGE_SUFFIXES:
        return "images"
    raise InputError(
        f"{target}: neither an image nor a video by its name (known are {_listed((*IMAGE_SUFFIXES, *SUFFIXES))})"
    )


def _listed(suffixes: Iterable[str]) -> str:
    return ", ".join(suffix[1:] for suffix in suffixes)


def _images_of(target: Path) -> list[Path]:
    """Return an image, or those of a folder ordered by name."""
    if target.is_file():
        return [target]
    seen = (path for path in sorted(target.iterdir()) if not path.name.startswith("."))
    return [path for path in seen if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()]


@dataclass(frozen=True)
class PictureJob:
    """Pictures that were found to be readable, and where their results go.

    Attributes:
        target: the image, folder or video.
        out: the folder of results.
        images: the images to look at; none where `target` is a video.
        wanted: the frames of the video to look at.
        fps: of the overlay video.
    """

    target: Path
    out: Path
    images: tuple[Path, ...] = ()
    wanted: range = range(0)
    fps: float = DEFAULT_FPS


def plan_pictures(target: Path, out: Path, frames: FrameRange = ALL_FRAMES) -> PictureJob:
    """Check everything that a detection in pictures needs, before a network is loaded and before anything is written.

    Args:
        target: an image, a folder of images, or a video.
        out: a folder for the results, made when missing; earlier results of the same names are replaced.
        frames: which frames of the video, or images in the order of their names, are looked at.

    Raises:
        InputError: there is nothing to look at, a file cannot be read, or the results would lie among the images.
    """
    from triskel.capture import probe_video

    check_folder(out)
    if kind_of(target) == "video":
        info = probe_video(target)
        wanted = frames.of(info.frames, str(target))
        if not info.fps > 0:
            log.warning("%s does not say its frame rate; the overlay takes it for %g frames/s", target, DEFAULT_FPS)
        return PictureJob(target, out, wanted=wanted, fps=(info.fps or DEFAULT_FPS) / frames.step)
    paths = _images_of(target)
    if any(out.resolve() == path.parent.resolve() for path in paths):
        raise InputError(f"{out}: the overlays would lie among the images; choose another folder with --out")
    chosen = tuple(paths[i] for i in frames.of(len(paths), str(target)))
    # All are decoded once, small and quickly: a damaged one is named now, not in an hour.
    for path in chosen:
        read_image(path, quick=True)
    return PictureJob(target, out, images=chosen)


def detect_pictures(
    job: PictureJob,
    detector: "WholeBodyDetector",
    *,
    outputs: PictureOutputs | None = None,
    progress: Progress = silent,
) -> Written:
    """Find the people in images or a video; write JSON and an overlay of each, and what else is wanted.

    The overlays of a video become one video, of the frames looked at.

    Args:
        job: what `plan_pictures` returned.
        detector: finds the people.
        outputs: what is written; keypoints and overlays alone when None.
        progress: told after each batch.

    Raises:
        InputError: a file has changed and can no longer be read.
        JobError: a file cannot be written.
    """
    outputs = outputs or PictureOutputs()
    run = _detect_images if job.images else _detect_video
    return run(job, detector, outputs, progress)


def _detect_images(
    job: PictureJob, detector: "WholeBodyDetector", outputs: PictureOutputs, progress: Progress
) -> Written:
    names, people = _names(job.images), Everybody()
    for start in range(0, len(job.images), BATCH):
        batch = job.images[start : start + BATCH]
        for path, found in zip(batch, _look([read_image(path) for path in batch], detector, outputs), strict=True):
            write_found(job.out, names[path], found, outputs.keypoint_scale)
            write_picture(job.out / f"{names[path]}_overlay.jpg", draw_overlay(found, outputs))
            people.add(path.name, found.people, keep=outputs.coco_json)
        progress("detect", start + len(batch), len(job.images))
    if outputs.coco_json:
        write_coco_json(job.out / COCO_RESULTS, people.names, people.kept)
    return Written(len(job.images), people.count)


def _detect_video(
    job: PictureJob, detector: "WholeBodyDetector", outputs: PictureOutputs, progress: Progress
) -> Written:
    from triskel.capture import read_frames
    from triskel.viewer import write_video

    wanted, name, people = job.wanted, job.target.stem, Everybody()

    def overlays() -> Iterator[Picture]:
        chosen = iter(islice(read_frames(job.target), wanted.start, wanted.stop, wanted.step))
        done = 0
        while images := list(islice(chosen, BATCH)):
            for number, found in zip(wanted[done:], _look(images, detector, outputs, stream=name), strict=False):
                write_found(job.out, f"{name}_{number:012d}", found, outputs.keypoint_scale)
                people.add(str(number), found.people, keep=outputs.coco_json)
                yield draw_overlay(found, outputs)
            done += len(images)
            progress("detect", done, len(wanted))

    frames = write_video(job.out / f"{name}_overlay.mp4", overlays(), fps=job.fps, crf=21)
    if outputs.coco_json:
        write_coco_json(job.out / COCO_RESULTS, people.names, people.kept)
    return Written(frames, people.count)


def read_image(path: Path, *, quick: bool = False) -> Picture:
    """Read an image as (H, W, 3) uint8 RGB, turned as its EXIF data says.

    Args:
        path: of the file.
        quick: return a small grey one, only to see that it can be read.

    Raises:
        InputError: it cannot be read whole.
    """
    image = read_image_bgr(path, quick=quick)
    return image if quick else np.ascontiguousarray(image[..., ::-1])


def _names(paths: Sequence[Path]) -> dict[Path, str]:
    """Return what the results of each image are called: its name, with the suffix where two differ in that alone."""
    stems = Counter(path.stem for path in paths)
    names = {path: path.stem if stems[path.stem] == 1 else path.name for path in paths}
    # Beside a.jpg and a.png there may be a.jpg.png.
    return names if len(set(names.values())) == len(paths) else {path: path.name for path in paths}


def _candidates(maps: "HeatMaps", detector: "WholeBodyDetector") -> "Candidates":
    """Return the part candidates, numbered as the joints of the result, which are not those of the body network."""
    candidates = maps.candidates(detector.parse)
    ours, networks = detector.skeleton.shared(maps.layout.skeleton)
    number = np.full(len(maps.layout.skeleton), -1)
    number[networks] = ours
    part = number[candidates.part]
    kept = part >= 0
    return candidates._replace(xy=candidates.xy[kept], score=candidates.score[kept], part=part[kept])


def _look(
    images: list[Picture], detector: "WholeBodyDetector", outputs: PictureOutputs, stream: str | None = None
) -> list[Found]:
    """Run the detector, and keep of its maps what is written; `stream` names the video that the images follow in."""
    maps = detector.maps(images) if outputs.heatmaps or outputs.part_candidates else None
    streams = None if stream is None else [stream] * len(images)
    found = []
    for i, (image, people) in enumerate(zip(images, detector(images, maps=maps, streams=streams), strict=True)):
        net_wh = detector.input_size((image.shape[1], image.shape[0]))
        one = Found(image, people, net_wh)
        if maps is not None:
            one = one._replace(
                maps=maps[i] if outputs.heatmaps else None,
                candidates=_candidates(maps[i], detector) if outputs.part_candidates else None,
            )
        found.append(one)
    return found
