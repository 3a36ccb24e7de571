"""The stages, each on a session on disk: capture -> detect2d -> triangulate, and all of them in a row.

Each function does one stage on a `Session`, reads what the stage before wrote, and notes in `session.yaml` that it ran.
"""

import logging
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from triskel.camera import Rig
from triskel.errors import InputError, SessionError
from triskel.files import atomic_folder
from triskel.keypoints import People2D
from triskel.motion import Detections2D
from triskel.pipeline.frames import ALL_FRAMES, FrameRange, frames_looked_at
from triskel.progress import Progress, silent
from triskel.session import (
    FRAMES_FILE,
    KEYPOINTS_2D_FILE,
    SESSION_FILE,
    VIDEOS,
    CameraEntry,
    Session,
    SessionInfo,
    Setting,
)

if TYPE_CHECKING:
    from triskel.detect2d import DetectOptions, WholeBodyDetector, WholeBodyOptions
    from triskel.triangulate import People3D, PeopleOptions

log = logging.getLogger(__name__)


def load_rig(path: str | Path) -> Rig:
    """Read a rig: triskel's own YAML, or any format `triskel.calibration.formats` knows, told apart by content."""
    from triskel.calibration.formats import load_rig as load

    return load(path)


def new_session(path: str | Path, videos: str | Path, *, rig: Rig | None = None, fps: float | None = None) -> Session:
    """Make a session from a folder of videos that started together, one a camera, named like the rig's cameras.

    The videos are copied, so that the session is complete in itself. A rig calibrated at another image size is adapted
    (see `triskel.calibration.checks.image_sizes`), with a warning.

    Args:
        path: the session's folder; missing or empty.
        videos: the folder of videos; it may be `path`/videos itself, which is then taken as it is.
        rig: the calibration; it can also be given later.
        fps: the frame rate, where the videos are wrong about it.

    Raises:
        InputError: a video cannot be read, they do not fit each other, or the folder is in use.
        ConfigError: the rig lacks a camera, or is of another image size that cannot be explained.
    """
    from triskel.capture import find_videos, pair_by_index, probe_videos

    path, videos = Path(path), Path(videos)
    in_place = videos.resolve() == (path / VIDEOS).resolve()
    if (path / SESSION_FILE).exists():
        raise SessionError(f"{path}: is a session already; open it, or choose another folder")
    if path.exists() and not path.is_dir():
        raise InputError(f"{path}: is a file; a session is a folder")
    if not in_place and path.exists() and any(path.iterdir()):
        raise InputError(f"{path}: the folder is not empty; choose a new one, so that nothing in it is lost")
    found = find_videos(videos)
    infos = probe_videos(found)
    if fps is not None:
        infos = {name: info._replace(fps=fps) for name, info in infos.items()}
    rate, time_s, index, warnings = pair_by_index(infos)
    for warning in warnings:
        log.warning("%s", warning)
    if rig is not None:
        rig = fit_rig(rig, found)
    entries = [
        CameraEntry(name=name, video=f"{VIDEOS}/{file.name}", size_wh=infos[name].size_wh, frames=infos[name].frames)
        for name, file in found.items()
    ]
    info = SessionInfo(fps=rate, cameras=entries)

    def fill(folder: Path) -> None:
        # session.yaml last: a folder without it is no session, so a crash here leaves none that is half made.
        draft = Session(folder, info)
        draft.check()
        draft.save_frames(time_s, index)
        if rig is not None:
            draft.save_rig(rig)
        Session.create(folder, info)

    if in_place:
        fill(path)
    else:
        with atomic_folder(path) as temporary:
            for file in found.values():
                (temporary / VIDEOS).mkdir(exist_ok=True)
                shutil.copyfile(file, temporary / VIDEOS / file.name)
            fill(temporary)
    return Session.open(path)


def fit_rig(rig: Rig, videos: dict[str, Path]) -> Rig:
    """Take the cameras of the videos out of a rig, adapted to the size of their images; warn of every change.

    Raises:
        ConfigError: a camera is missing, or its size cannot be explained.
    """
    from triskel.calibration import has_black_bars, match_image_sizes
    from triskel.capture import read_frames

    rig = rig.select(list(videos))
    first = {name: next(iter(read_frames(file))) for name, file in videos.items()}
    sizes = {name: (image.shape[1], image.shape[0]) for name, image in first.items()}
    letterboxed = [name for name in rig.names if sizes[name] != rig[name].size_wh and has_black_bars(first[name])]
    rig, warnings = match_image_sizes(rig, sizes, letterboxed=letterboxed)
    for warning in warnings:
        log.warning("%s", warning)
    return rig


def use_rig(session: Session, rig: Rig | None) -> Rig:
    """Return the session's rig: the given one, adapted and saved with the session, or the one it has."""
    fitting = _rig_for(session, rig)
    if rig is not None:
        session.save_rig(fitting)
    return fitting


def _rig_for(session: Session, rig: Rig | None) -> Rig:
    if rig is None:
        return session.rig().select(session.cameras)
    return fit_rig(rig, session.video_paths()) if session.has_videos else rig.select(session.cameras)


def _check_poses(session: Session, rig: Rig) -> None:
    """Refuse a file of lenses alone, with which nobody would be found and nothing would say why.

    Raises:
        InputError: all cameras stand at the origin.
    """
    from triskel.calibration.checks import has_poses

    if not has_poses(rig):
        raise InputError(
            f"{session.path}: its rig holds lenses only, all cameras stand at the origin; calibrate the poses with "
            "'triskel calibrate rig --intrinsics' or 'triskel calibrate refine --from-people'"
        )


def open_or_adopt(path: str | Path) -> Session:
    """Open a session; a folder that only has `videos/` becomes one."""
    path = Path(path)
    if not (path / SESSION_FILE).exists() and (path / VIDEOS).is_dir():
        return new_session(path, path / VIDEOS)
    return Session.open(path)


def detect(
    session: Session,
    *,
    model: str = "body",
    options: "DetectOptions | None" = None,
    parts: "WholeBodyOptions | None" = None,
    frames: FrameRange = ALL_FRAMES,
    progress: Progress = silent,
) -> Session:
    """Find the people in every image of a session and write `keypoints2d.parquet`.

    Args:
        session: has videos.
        model: see `triskel.detect2d.load_whole_body`; the joints it finds become those of the session.
        options: how the body network runs; what suits it when None.
        parts: what is done with each person; what suits the model when None.
        frames: which frame sets are looked at; nobody is seen in the others.
        progress: told after each set.

    Raises:
        InputError: a video is missing or damaged, no model is called that, or there are no such frames.
        JobError: the network's weights cannot be fetched.
    """
    return _detect(session, _load_detector(model, options, parts), frames, progress)


def _load_detector(
    model: str, options: "DetectOptions | None", parts: "WholeBodyOptions | None"
) -> "WholeBodyDetector":
    """Load what suits a session."""
    from triskel.detect2d import load_whole_body, suited_whole_body
    from triskel.detect2d.quality import suited_quality

    preset = suited_quality(model, recording=True)
    if options is None and preset is not None:
        options = preset.detect_options()
    return load_whole_body(model, options=options, parts=parts or suited_whole_body(model, quality=preset))


def _detect(session: Session, detector: "WholeBodyDetector", frames: FrameRange, progress: Progress) -> Session:
    from triskel.capture import read_sets

    videos = session.video_paths()
    _, index = session.frames()
    chosen = frames.of(len(index), str(session.path))
    started = time.perf_counter()
    keypoints: list[list[People2D | None]] = [[None] * len(session.cameras) for _ in index]
    sets = read_sets(videos, index[chosen.start : chosen.stop : chosen.step])
    for done, (row, images) in enumerate(zip(chosen, sets, strict=True), start=1):
        found = dict(zip(images, detector(list(images.values()), streams=list(images)), strict=True))
        keypoints[row] = [found.get(name) for name in session.cameras]
        progress("detect", done, len(chosen))
    detections = Detections2D.from_people(detector.skeleton, session.cameras, keypoints)
    session.save_detections(detections)
    return session.with_run("detect", time.perf_counter() - started, _detect_settings(detector, frames))


def _detect_settings(detector: "WholeBodyDetector", frames: FrameRange) -> dict[str, Setting]:
    """Return how a detector ran, for `session.yaml`."""
    options, parse = detector.options, detector.parse
    settings: dict[str, Setting] = {
        "network": detector.name,
        "short_side": options.short_side if options.net_size is None else None,
        "net_size": None if options.net_size is None else list(options.net_size),
        "scales": list(options.scales),
        "mirror": options.mirror,
        "rotations_deg": list(options.rotations_deg),
        "precision": detector.precision,
        "device": ",".join(detector.devices),
        "method": parse.method,
        "peak_threshold": parse.peak_threshold,
        "good_share": parse.good_share,
        "most_people": parse.most_people,
        "least_joint_score": options.least_joint_score,
        "frame_first": frames.first,
        "frame_last": frames.last,
        "frame_step": frames.step,
    }
    return settings | detector.settings()


def triangulate(
    session: Session, *, rig: Rig | None = None, options: "PeopleOptions | None" = None, progress: Progress = silent
) -> "tuple[Session, People3D]":
    """Reconstruct the people of a session in 3D: `keypoints3d.parquet`, and `keypoints3d_raw.parquet` beside it.

    Returns:
        The session, and the people with the detections they were made from.

    Raises:
        SessionError: there are no detections yet, or no rig.
        InputError: the device that is asked for is not there.
    """
    from triskel.triangulate import PeopleOptions, triangulate_people

    options = options or PeopleOptions()
    detections = session.detections()
    given, rig = rig, _rig_for(session, rig)
    _check_poses(session, rig)
    time_s = session.frames()[0] if (session.path / FRAMES_FILE).exists() else _times(session, detections)
    started = time.perf_counter()
    progress("triangulate", 0, len(time_s))
    if len(time_s) != len(detections.keypoints):
        raise SessionError(
            f"{session.path}: {FRAMES_FILE} has {len(time_s)} frame sets but {KEYPOINTS_2D_FILE} "
            f"{len(detections.keypoints)}; detect again"
        )
    looked_at = frames_looked_at(session, len(time_s))
    _check_cutoff(options, time_s[looked_at])
    seen = replace(detections, keypoints=detections.keypoints[looked_at])
    people = triangulate_people(rig, seen, time_s[looked_at], options=options)
    if len(looked_at) < len(time_s):
        people = people.spread(looked_at, time_s)
    if given is not None:
        session.save_rig(rig)
    session.save_motion(people.motion, raw=people.raw)
    progress("triangulate", len(time_s), len(time_s))
    settings: dict[str, Setting] = {
        "most_people": options.most_people,
        "max_reproj_px": options.points.max_reproj_px,
        "least_views": options.points.least_views,
        "device": options.points.device,
    }
    return session.with_run("triangulate", time.perf_counter() - started, settings | asdict(options.over_time)), people


def _check_cutoff(options: "PeopleOptions", time_s: NDArray[np.float64]) -> None:
    """Warn of a filter that the frame rate leaves nothing to do."""
    cutoff = options.over_time.cutoff_hz
    if cutoff is not None and len(time_s) > 1 and cutoff >= 0.5 / float(np.median(np.diff(time_s))):
        log.warning("a cutoff of %g Hz is beyond half the frame rate: the filter does nothing", cutoff)


def _times(session: Session, detections: Detections2D) -> NDArray[np.float64]:
    return np.arange(len(detections.keypoints)) / session.info.fps


def look_again(
    session: Session, people: "People3D", detector: "WholeBodyDetector", *, progress: Progress = silent
) -> Session:
    """Look again for what the people in 3D say the cameras should have seen; rewrites `keypoints2d.parquet`.

    See `triskel.pipeline.feedback`; triangulate again after it.
    """
    from triskel.pipeline.feedback import improve_detections

    started = time.perf_counter()
    detections, counts = improve_detections(session, people, detector, session.rig(), progress=progress)
    session.save_detections(detections)
    return session.with_run("feedback", time.perf_counter() - started, counts._asdict())


def process(
    session: Session,
    *,
    rig: Rig | None = None,
    model: str = "body",
    detect_options: "DetectOptions | None" = None,
    parts: "WholeBodyOptions | None" = None,
    frames: FrameRange = ALL_FRAMES,
    people_options: "PeopleOptions | None" = None,
    feedback: bool = True,
    warnings: Sequence[str] = (),
    progress: Progress = silent,
) -> "tuple[Session, People3D]":
    """Detect, triangulate, and write every result a person looks at; see `triskel.pipeline.results`.

    Args:
        session: has videos.
        rig: the calibration; the session's own when None.
        model: see `detect`, as the next three.
        detect_options: how the body network runs.
        parts: what is done with each person.
        frames: which frame sets are looked at.
        people_options: how people are found in 3D.
        feedback: look again for what the first 3D says was missed, and triangulate once more.
        warnings: what the report is to say besides.
        progress: told how far each stage is.
    """
    from triskel.pipeline.results import write_results

    rig = use_rig(session, rig)
    detector = _load_detector(model, detect_options, parts)
    session = _detect(session, detector, frames, progress)
    session, people = triangulate(session, options=people_options, progress=progress)
    if feedback and len(people.motion.ids) and (detector.parts.refine or detector.parts.hands or detector.parts.face):
        session = look_again(session, people, detector, progress=progress)
        session, people = triangulate(session, options=people_options, progress=progress)
    session = write_results(session, people, warnings=warnings, progress=progress)
    return session, people
