"""A rig held against a recording: do its people agree with where the cameras are said to stand?"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.camera import Rig
from triskel.errors import ConfigError, InputError
from triskel.pipeline.frames import frames_looked_at
from triskel.session import FRAMES_FILE, KEYPOINTS_2D_FILE, Session

if TYPE_CHECKING:
    from triskel.calibration.checks import Finding
    from triskel.motion import Detections2D
    from triskel.viewer.camera_quality import CameraQuality


BIAS_PX, BIAS = 4.0, 0.5
"""Median offset of a camera's detections, px and as a share of their median distance, that is no matter of chance."""


class RigCheck(NamedTuple):
    """What a recording says about a rig.

    Attributes:
        findings: what is wrong or doubtful, errors first; empty where nothing was found.
        cameras: how each camera's detections agree with the people; empty where nobody is in 3D.
        people: how many people were reconstructed.
        frames: how many frame sets were looked at.
    """

    findings: "list[Finding]"
    cameras: "tuple[CameraQuality, ...]"
    people: int
    frames: int


def findings_of(rig: Rig) -> "list[Finding]":
    """Return what is wrong with a rig by itself, errors first."""
    from triskel.calibration.checks import check_rig

    return check_rig(rig)


def check_with_session(rig: Rig, path: str | Path) -> RigCheck:
    """Triangulate a session's people with `rig`, and return what does not fit; the session is only read.

    Args:
        rig: any rig with the session's cameras; it need not be the session's own.
        path: the session, with people detected.

    Raises:
        SessionError: no session there, or nobody was looked for in it.
        ConfigError: the rig lacks a camera.
        InputError: no camera saw anybody, or there is only one camera: nothing can be compared.
    """
    from triskel.calibration.checks.people import check_against_people
    from triskel.triangulate import triangulate_people
    from triskel.viewer import measure_quality

    session = Session.open(path)
    detections, time_s = _seen(session)
    fitting, changes = fit_sizes(rig, session)
    found = [*findings_of(fitting), *changes]
    people = triangulate_people(fitting, detections, time_s)
    motion = people.raw
    if len(motion.ids):
        cameras = tuple(measure_quality(people.motion, motion, fitting, observed=people.observed).cameras)
    else:
        cameras = ()
        found.append(_nobody(detections))
    # What the geometry alone already says is not said twice.
    told = {(one.camera, one.message) for one in found}
    more = check_against_people(fitting, detections, time_s)
    found += [one for one in more if (one.camera, one.message) not in told]
    if cameras and not any(finding.severity == "error" for finding in found):
        found += _poor_fit(cameras)
    findings = sorted(found, key=lambda finding: finding.severity != "error")
    return RigCheck(findings, cameras, len(motion.ids), len(time_s))


def _poor_fit(cameras: "tuple[CameraQuality, ...]") -> "list[Finding]":
    """Return a finding about a rig that fits everywhere a little and nowhere well: detectors err to all sides."""
    from triskel.calibration.checks import Finding

    off = [one for one in cameras if np.hypot(one.bias_x_px, one.bias_y_px) > max(BIAS_PX, BIAS * one.median_px)]
    if not off:
        return []
    most = max(float(np.hypot(one.bias_x_px, one.bias_y_px)) for one in off)
    return [
        Finding(
            "warning",
            ", ".join(one.camera for one in off),
            f"people are seen up to {most:.0f} px beside where the cameras together have them, all in one direction: "
            "the poses are off; 'triskel calibrate refine' may put that right",
            "poor-fit",
        )
    ]


def fit_sizes(rig: Rig, session: Session) -> "tuple[Rig, list[Finding]]":
    """Return the session's cameras of a rig for images of the session's sizes, and a finding for each that changed.

    A size that no rule explains is an error among the findings; the rig then stays as it is.
    """
    from triskel.calibration.checks import Finding, match_image_sizes

    chosen = rig.select(session.cameras)
    sizes = {one.name: one.size_wh for one in session.info.cameras if one.size_wh is not None}
    found = []
    cameras = []
    for camera in chosen:
        size = {camera.name: sizes[camera.name]} if camera.name in sizes else {}
        try:
            (fitting,), changes = match_image_sizes(Rig((camera,)), size)
        except ConfigError as error:
            found.append(Finding("error", camera.name, str(error)))
            fitting, changes = camera, []
        found += [Finding("warning", camera.name, change) for change in changes]
        cameras.append(fitting)
    return Rig(tuple(cameras)), found


def _seen(session: Session) -> "tuple[Detections2D, NDArray[np.float64]]":
    """Return the detections and times of the frame sets in which people were looked for."""
    detections = session.detections()
    if len(session.cameras) < 2:
        raise InputError(f"{session.path}: has one camera; nothing can be compared with it")
    if not (detections.keypoints[..., 2] > 0).any():
        raise InputError(f"{session.path}: nobody in {KEYPOINTS_2D_FILE}; a rig is checked with people in view")
    F = len(detections.keypoints)
    time_s = session.frames()[0] if (session.path / FRAMES_FILE).exists() else np.arange(F) / session.info.fps
    if len(time_s) != F:
        raise InputError(f"{session.path}: {FRAMES_FILE} has {len(time_s)} frame sets, {KEYPOINTS_2D_FILE} {F}")
    looked_at = frames_looked_at(session, F)
    keypoints = detections.select(session.cameras).keypoints[looked_at]
    return replace(detections, cameras=tuple(session.cameras), keypoints=keypoints), time_s[looked_at]


def _nobody(detections: "Detections2D") -> "Finding":
    """Return the finding that people were seen, but in no two cameras at the same place."""
    from triskel.calibration.checks import Finding

    seen = (detections.keypoints[..., 2] > 0).any(axis=(2, 3))
    by_camera = ", ".join(
        f"{name} {share:.0%}" for name, share in zip(detections.cameras, seen.mean(axis=0), strict=True)
    )
    message = (
        f"nobody can be put together in 3D, though people were seen ({by_camera} of the frames): "
        "the rig does not belong to this recording, or the videos do not start together"
    )
    return Finding("error", "", message)
