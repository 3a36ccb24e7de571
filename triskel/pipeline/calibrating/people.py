"""A session's rig from the people in it: refined, or found without any board."""

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.camera import Rig
from triskel.errors import InputError, SessionError
from triskel.files import atomic_path
from triskel.motion import Detections2D
from triskel.pipeline.frames import frames_looked_at
from triskel.pipeline.stages import fit_rig
from triskel.rig_file import save_rig
from triskel.session import KEYPOINTS_2D_FILE, RIG_FILE, Session

if TYPE_CHECKING:
    from triskel.calibration.checks import Finding
    from triskel.calibration.people import PeopleCalibration, RefineOptions

log = logging.getLogger(__name__)

FOLDER, OLD_RIG_FILE = "calibration", "rig_before.yaml"
"""Where a session keeps a rig that came from its people, and the first of the rigs that were there before."""


class Refined(NamedTuple):
    """A session's rig from its people.

    Attributes:
        session: with the run noted.
        result: the rig, and how far it can be trusted.
        findings: what the people say against that rig, errors first; empty where nothing was found.
    """

    session: Session
    result: "PeopleCalibration"
    findings: "tuple[Finding, ...]"


def refine_session(
    session: Session,
    *,
    rig: Rig | None = None,
    options: "RefineOptions | None" = None,
    height_m: float | None = None,
    person: int | None = None,
) -> Refined:
    """Improve a session's rig from its people, or find the poses of its cameras with nothing but their lenses.

    The new rig is then held against the same people: refining keeps a wrong scale or floor. No rig is written: see
    `write_people_calibration`.

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
    findings = _findings(result.rig, session, detections, time_s)
    return Refined(session.with_run("calibrate", time.perf_counter() - started, settings), result, findings)


def _findings(
    rig: Rig, session: Session, detections: Detections2D, time_s: NDArray[np.float64]
) -> "tuple[Finding, ...]":
    """Return what a session's people say against a rig; that nothing can be said is a finding too."""
    from triskel.calibration.checks import Finding, check_against_people

    looked_at = frames_looked_at(session, len(time_s))
    seen = replace(detections, keypoints=detections.keypoints[looked_at])
    try:
        return tuple(check_against_people(rig, seen, time_s[looked_at]))
    except InputError as error:
        return (Finding("warning", "", f"the rig was not checked against the people: {error}"),)


def rig_for(session: Session, rig: Rig | None) -> Rig:
    """Return a rig, or the session's own, for the cameras and image sizes of the session; nothing is saved."""
    if rig is None:
        return session.rig().select(session.cameras)
    return fit_rig(rig, session.video_paths()) if session.has_videos else rig.select(session.cameras)


def write_people_calibration(
    session: Session,
    result: "PeopleCalibration",
    *,
    findings: "Sequence[Finding]" = (),
    use: bool = False,
    force: bool = False,
) -> tuple[Path, Path | None]:
    """Write the rig and a report into the session's folder `calibration`.

    No rig is lost: what stood there, and with `use` the session's own, is kept as `rig_before.yaml`, or with a number
    behind that where it is taken.

    Args:
        session: the session.
        result: what `refine_session` returned.
        findings: those that `refine_session` returned.
        use: make it the session's rig.
        force: write the rig whatever the checks say.

    Returns:
        The report's page, and the rig; None where it was held back, since a check failed.
    """
    from triskel.calibration.report import write_calibration_report

    folder = session.path / FOLDER
    page = write_calibration_report(
        folder, people=result, findings=findings, title=f"Calibration from people: {session.path.resolve().name}"
    )
    if not force and any(finding.severity == "error" for finding in findings):
        return page, None
    if use:
        _keep(session.path / RIG_FILE, folder)
        session.save_rig(result.rig)
    _keep(folder / RIG_FILE, folder)
    save_rig(result.rig, folder / RIG_FILE)
    return page, folder / RIG_FILE


def _keep(rig: Path, folder: Path) -> None:
    """Keep a rig's file in a folder under the first of the names for old rigs that is free, unless it is kept already.

    Refining again and again must not cost the rig that it began with.
    """
    if not rig.is_file():
        return
    content, first = rig.read_bytes(), folder / OLD_RIG_FILE
    for number in count(1):
        path = first if number == 1 else first.with_name(f"{first.stem}_{number}{first.suffix}")
        if not path.exists():
            with atomic_path(path) as temporary:
                temporary.write_bytes(content)
            return
        if path.read_bytes() == content:
            return
