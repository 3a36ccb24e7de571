"""Everything a person looks at after a session was processed: exports, overlays, the 3D view, the report.

Part of the pipeline: it joins the viewer and the exchange formats to a finished session.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from triskel.camera import Rig
from triskel.errors import JobError
from triskel.images import write_image_bgr
from triskel.pipeline.frames import frames_looked_at
from triskel.pipeline.report import report_triangulation
from triskel.progress import Progress, silent
from triskel.projection import project_rig
from triskel.session import KEYPOINTS_2D_FILE, KEYPOINTS_3D_FILE, Session

if TYPE_CHECKING:
    from triskel.triangulate import People3D

log = logging.getLogger(__name__)

EXPORTS = {"openpose": "openpose", "trc": "trc", "csv": "keypoints3d.csv"}
"""Formats written for every session, and where they go."""


def write_results(
    session: Session, people: "People3D", *, warnings: Sequence[str] = (), progress: Progress = silent
) -> Session:
    """Write a session's exports, overlay videos, 3D video and picture, and the report.

    Args:
        session: has keypoints in 2D and 3D.
        people: what `triangulate` returned for it.
        warnings: what the stages before warned of, for the report.
        progress: told how far each is.

    Returns:
        The session with the runs noted. Where this machine cannot draw in 3D, a warning says so and the
        rest is written.
    """
    from triskel.exchange import export
    from triskel.viewer import summarise, write_report

    rig = session.rig().select(session.cameras)
    motion, detections = people.motion, session.detections()
    started = time.perf_counter()
    files = []
    for done, (format_, target) in enumerate(EXPORTS.items(), start=1):
        if format_ == "trc" and not len(motion.ids):
            continue  # one file a person: there is none
        export(motion, detections, format=format_, out=session.path / target, rig=rig)
        files.append(session.path / target)
        progress("export", done, len(EXPORTS))
    session = session.with_run("export", time.perf_counter() - started, {"formats": list(EXPORTS)})
    pictures: dict[str, Path] = {}
    notes = list(warnings)
    try:
        session, pictures = _render(session, people, rig, progress)
    except JobError as error:
        log.warning("%s", error)
        notes.append(str(error))
    if session.has_videos:
        session, overlays = _overlays(session, people, rig, progress)
        pictures |= overlays
    report = report_triangulation(session, people, rig, warnings=notes)
    seconds = {run.stage: run.seconds for run in session.info.runs}
    warned = [*notes, *report.doubts]
    counted = people.take(frames_looked_at(session, len(motion.time_s)))
    summary = summarise(counted.motion, rig, observed=counted.observed, stage_seconds=seconds, warnings=warned)
    videos = sorted([*session.path.glob("overlays/*.mp4"), *session.path.glob("view3d.mp4")])
    files = [session.path / KEYPOINTS_3D_FILE, session.path / KEYPOINTS_2D_FILE, *files, *report.files, *videos]
    write_report(
        session.path,
        summary,
        title=session.path.resolve().name,
        quality=report.quality,
        plots=report.plots,
        pictures=pictures,
        files=files,
    )
    return session


def _render(session: Session, people: "People3D", rig: Rig, progress: Progress) -> tuple[Session, dict[str, Path]]:
    """Write the 3D video and picture."""
    from triskel.viewer import render_image, render_video

    started = time.perf_counter()
    motion = people.motion
    picture = session.path / "view3d.png"
    render_image(motion, rig, picture, camera="orbit")
    render_video(
        motion,
        rig,
        session.path / "view3d.mp4",
        fps=_fps(session),
        progress=lambda done, total: progress("render", done, total),
    )
    return session.with_run("render", time.perf_counter() - started, {}), {"People and cameras in 3D": picture}


def _overlays(session: Session, people: "People3D", rig: Rig, progress: Progress) -> tuple[Session, dict[str, Path]]:
    """Write one video a camera with the 3D result reprojected, and a still of each."""
    from triskel.capture import read_frames
    from triskel.viewer import overlay_image, overlay_video

    started = time.perf_counter()
    motion = people.motion
    _, index = session.frames()
    reprojected = project_rig(rig, motion.points.X)
    pictures = {}
    still = int(np.argmax(motion.found.sum(axis=(1, 2)))) if len(motion.ids) else len(index) // 2
    for c, (name, video) in enumerate(session.video_paths().items()):
        sets = np.flatnonzero(index[:, c] >= 0)
        wanted = {int(index[s, c]): int(s) for s in sets}
        kept: list[NDArray[np.uint8]] = []

        def frames(
            video: Path = video, wanted: dict[int, int] = wanted, kept: list[NDArray[np.uint8]] = kept
        ) -> Iterator[NDArray[np.uint8]]:
            for number, image in enumerate(read_frames(video)):
                if number in wanted:
                    if wanted[number] == still:
                        kept.append(image.copy())
                    yield image

        overlay_video(
            frames(),
            reprojected[c][sets],
            people.observed[sets, c],
            session.path / "overlays" / f"{name}.mp4",
            fps=_fps(session),
            skeleton=motion.skeleton,
            text=name,
        )
        if kept:
            picture = session.path / "overlays" / f"{name}.png"
            image = overlay_image(kept[0], reprojected[c][still], people.observed[still, c], motion.skeleton, text=name)
            write_image_bgr(picture, np.ascontiguousarray(image[..., ::-1]))
            pictures[f"{name}: 3D reprojected over frame {still}"] = picture
        progress("overlays", c + 1, len(session.cameras))
    return session.with_run("overlays", time.perf_counter() - started, {}), pictures


def _fps(session: Session) -> float:
    """Return the rate at which results are played: that of the recording."""
    return session.info.fps
