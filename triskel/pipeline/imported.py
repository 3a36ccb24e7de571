"""Detections of other software as the beginning of a session."""

import logging
import time
from pathlib import Path

import numpy as np

from triskel.camera import Rig
from triskel.errors import InputError
from triskel.files import atomic_folder
from triskel.motion import Detections2D
from triskel.pipeline.stages import open_or_adopt
from triskel.session import SESSION_FILE, VIDEOS, CameraEntry, Session, SessionInfo
from triskel.skeleton import Skeleton

log = logging.getLogger(__name__)

DEFAULT_FPS = 30.0
"""Frame rate of a session made from saved detections when none is given."""


def import_detections(
    path: str | Path,
    folder: str | Path,
    *,
    rig: Rig | None = None,
    fps: float | None = None,
    skeleton: Skeleton | None = None,
) -> Session:
    """Take 2D keypoints from OpenPose JSON into a session, new or existing, and write `keypoints2d.parquet`.

    Args:
        path: the session; where there is none, one without videos is made, with the cameras of `rig`.
        folder: has one folder of JSON files a camera, named like the camera or `<camera>_json`.
        rig: the calibration; needed for a new session.
        fps: frame rate of a new session; `DEFAULT_FPS`, with a warning, when None.
        skeleton: the joint set; None tells it from the files.

    Raises:
        InputError: a camera's folder is missing, a file is broken, or frames do not fit the session.
    """
    from triskel.exchange import openpose_frames, read_openpose_json

    path, folder = Path(path), Path(folder)
    started = time.perf_counter()
    if (path / SESSION_FILE).exists() or (path / VIDEOS).is_dir():
        session = open_or_adopt(path)
        if fps is not None and fps != session.info.fps:
            raise InputError(f"{path}: is a session of {session.info.fps:g} frames/s already; leave --fps out")
        detections = read_openpose_json(folder, session.cameras, skeleton=skeleton)
        numbers = np.asarray(openpose_frames(folder, session.cameras))
        sets = len(session.frames()[0])
        if numbers.min() < 0 or numbers.max() >= sets:
            raise InputError(
                f"{folder}: frames {numbers.min()} to {numbers.max()}, but {path} has frames 0 to {sets - 1}"
            )
        keypoints = np.full((sets, *detections.keypoints.shape[1:]), np.nan)
        keypoints[..., 2] = 0
        keypoints[numbers] = detections.keypoints
        detections = Detections2D(detections.skeleton, detections.cameras, keypoints)
    else:
        if rig is None:
            raise InputError(f"{path}: is no session yet; give the calibration with --rig to make one")
        if len(rig) < 2:
            raise InputError(f"3D needs at least two cameras, the rig has only {', '.join(rig.names)}")
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise InputError(f"{path}: exists and is no session; choose a new folder, so that nothing in it is lost")
        detections = read_openpose_json(folder, rig.names, skeleton=skeleton)
        if fps is None:
            log.warning("no frame rate given: taking %g frames/s; give it with --fps", DEFAULT_FPS)
        rate = fps or DEFAULT_FPS
        frames = np.arange(len(detections.keypoints))
        info = SessionInfo(fps=rate, sync="saved detections", cameras=[CameraEntry(name=name) for name in rig.names])
        with atomic_folder(path) as temporary:
            draft = Session(temporary, info)
            draft.check()
            draft.save_frames(frames / rate, np.repeat(frames[:, None], len(rig), axis=1))
            draft.save_rig(rig)
            draft.save_detections(detections)
            Session.create(temporary, info)
        session = Session.open(path)
    session.save_detections(detections)
    settings = {"detections": str(folder), "skeleton": detections.skeleton.name}
    return session.with_run("detect", time.perf_counter() - started, settings)
