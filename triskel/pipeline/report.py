"""The quality report of people in 3D: a page, its pictures, and the same numbers as text and JSON."""

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from triskel.camera import Rig
from triskel.files import atomic_folder, write_text
from triskel.pipeline.frames import frames_looked_at
from triskel.session import KEYPOINTS_2D_FILE, Session

if TYPE_CHECKING:
    from triskel.triangulate import People3D
    from triskel.viewer import Plot, Quality

log = logging.getLogger(__name__)

REPORT_FOLDER, REPORT_JSON = "triangulation", "report.json"


class TriangulationReport(NamedTuple):
    """What was written about people in 3D.

    Attributes:
        quality: the numbers.
        plots: the pictures, where they are now.
        doubts: what the user should look after, one line each.
        files: everything written, the page first.
    """

    quality: "Quality"
    plots: "list[Plot]"
    doubts: list[str]
    files: list[Path]


def write_triangulation_report(
    session: Session, people: "People3D", rig: Rig, *, warnings: Sequence[str] = ()
) -> list[Path]:
    """Write `report.html`, `summary.txt`, `report.json` and PNG pictures into the session's folder `triangulation`.

    The folder is replaced as a whole. Cameras that disagree with the others are also warned of.

    Args:
        session: has keypoints in 2D.
        people: what `triangulate` returned for it.
        rig: the cameras that the people were triangulated with.
        warnings: what the stages before warned of, for the report.

    Returns:
        The files, the page first.
    """
    return report_triangulation(session, people, rig, warnings=warnings).files


def report_triangulation(
    session: Session, people: "People3D", rig: Rig, *, warnings: Sequence[str] = ()
) -> TriangulationReport:
    """Do as `write_triangulation_report`, and return the numbers and pictures for another page."""
    from triskel.triangulate import triangulate_points
    from triskel.viewer import (
        camera_doubts,
        measure_quality,
        quality_json,
        summarise,
        write_quality_plots,
        write_report,
    )

    detections = session.detections()
    looked_at = frames_looked_at(session, len(people.motion.time_s))
    if len(looked_at) < len(people.motion.time_s):
        people = people.take(looked_at)
        detections = replace(detections, keypoints=detections.keypoints[looked_at])
    told = list(warnings)  # it may be a list that what is logged here is added to
    quality = measure_quality(
        people.motion,
        people.raw,
        rig,
        observed=people.observed,
        detections=detections,
        triangulate=triangulate_points,
    )
    doubts = [] if len(people.motion.ids) else [f"nobody was found in 3D: see the detections in {KEYPOINTS_2D_FILE}"]
    doubts += camera_doubts(quality)
    for doubt in doubts:
        log.warning("%s", doubt)
    seconds = {run.stage: run.seconds for run in session.info.runs}
    summary = summarise(people.motion, rig, observed=people.observed, stage_seconds=seconds, warnings=[*told, *doubts])
    folder = session.path / REPORT_FOLDER
    with atomic_folder(folder) as temporary:
        write_text(temporary / REPORT_JSON, json.dumps(quality_json(quality), indent=1, allow_nan=False) + "\n")
        plots = write_quality_plots(quality, temporary)
        title = f"{session.path.resolve().name}: people in 3D"
        files = [temporary / REPORT_JSON, *(plot.path for plot in plots)]
        page = write_report(temporary, summary, title=title, quality=quality, plots=plots, files=files)
    # The folder has its final name only now.
    names = [page.name, "summary.txt", *(file.name for file in files)]
    plots = [plot._replace(path=folder / plot.path.name) for plot in plots]
    return TriangulationReport(quality, plots, doubts, [folder / name for name in names])
