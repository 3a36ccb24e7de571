"""A session's rig from the people in it: refined, or found without any board."""

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from triskel.camera import Rig
from triskel.errors import SessionError
from triskel.pipeline.stages import fit_rig
from triskel.rig_file import save_rig
from triskel.session import KEYPOINTS_2D_FILE, RIG_FILE, Session

if TYPE_CHECKING:
    from triskel.calibration.checks import Finding
    from triskel.calibration.people import PeopleCalibration, RefineOptions

log = logging.getLogger(__name__)

FOLDER, OLD_RIG_FILE = "calibration", "rig_before.yaml"
"""Where a session keeps a rig that came from its people, and the rig that it had before."""


def refine_session(
    session: Session,
    *,
    rig: Rig | None = None,
    options: "RefineOptions | None" = None,
    height_m: float | None = None,
    person: int | None = None,
) -> "tuple[Session, PeopleCalibration]":
    """Improve a session's rig from its people, or find the poses of its cameras with nothing but their lenses.

    No rig is written: see `write_people_calibration`.

    Args:
        session: has 2D keypoints.
        rig: the rig to start from; the session's when None. With `height_m` only its lenses count.
        options: how; the defaults when None.
        height_m: how tall somebody is; poses are then found from nothing.
        person: who that is, from 0, where there are several.

    Raises:
        InputError: people cannot carry it; the message says why.
        SessionError: there are no 2D keypoints.
    """
    from triskel.calibration.people import refine_from_people, rig_from_people

    if not (session.path / KEYPOINTS_2D_FILE).exists():
        raise SessionError(f"{session.path}: has no 2D keypoints yet; run 'triskel detect {session.path}' first")
    started = time.perf_counter()
    fitting = rig_for(session, rig)
    detections, (time_s, _) = session.detections(), session.frames()
    if height_m is None:
        result = refine_from_people(fitting, detections, time_s, options=options)
    else:
        result = rig_from_people(fitting, detections, time_s, height_m=height_m, person=person, options=options)
    for warning in result.warnings:
        log.warning("%s", warning)
    settings = {"from_nothing": height_m is not None, "height_m": height_m, "frames": result.n_frames}
    return session.with_run("calibrate", time.perf_counter() - started, settings), result


def rig_for(session: Session, rig: Rig | None) -> Rig:
    """Return a rig, or the session's own, for the cameras and image sizes of the session; nothing is saved."""
    if rig is None:
        return session.rig().select(session.cameras)
    return fit_rig(rig, session.video_paths()) if session.has_videos else rig.select(session.cameras)


def write_people_calibration(
    session: Session, result: "PeopleCalibration", *, findings: "Sequence[Finding]" = (), use: bool = False
) -> list[Path]:
    """Write the rig and a report into the session's folder `calibration`.

    Args:
        session: the session.
        result: what `refine_session` returned.
        findings: what checks found.
        use: make it the session's rig; the one that it had is kept beside the new one.

    Returns:
        The report's page, and the rig.
    """
    from triskel.calibration.report import write_calibration_report

    folder = session.path / FOLDER
    page = write_calibration_report(
        folder, people=result, findings=findings, title=f"Calibration from people: {session.path.resolve().name}"
    )
    save_rig(result.rig, folder / RIG_FILE)
    if use:
        if (session.path / RIG_FILE).exists():
            save_rig(session.rig(), folder / OLD_RIG_FILE)
        session.save_rig(result.rig)
    return [page, folder / RIG_FILE]
