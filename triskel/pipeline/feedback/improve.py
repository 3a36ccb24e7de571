"""Detections made better by what they were made into: a second look where the people in 3D say that one is due.

A person whom a camera missed, and a hand or face that it missed or that the other cameras did not believe, are looked
for where the 3D model has them. What is found is a detection like any other: the next triangulation judges it. Images
in which nothing is due are read past, so that a session which was seen well costs little more than that.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.camera import Rig
from triskel.capture import read_sets
from triskel.detect2d import WholeBodyDetector
from triskel.errors import InputError
from triskel.motion import Detections2D
from triskel.pipeline.feedback.looks import Looker
from triskel.pipeline.feedback.plan import FeedbackOptions, make_plan, put_right
from triskel.progress import Progress, silent
from triskel.session import Session
from triskel.triangulate import People3D


class FeedbackCounts(NamedTuple):
    """How many looks a second detection took, and how many of them found what they were for."""

    people_looked_for: int = 0
    people: int = 0
    hands_looked_for: int = 0
    hands: int = 0
    faces_looked_for: int = 0
    faces: int = 0


def improve_detections(
    session: Session,
    people: People3D,
    detector: WholeBodyDetector,
    rig: Rig,
    *,
    options: FeedbackOptions | None = None,
    progress: Progress = silent,
) -> tuple[Detections2D, FeedbackCounts]:
    """Look again for what the people in 3D say the session's cameras should have seen.

    It writes nothing and triangulates nothing.

    Args:
        session: has videos and detections.
        people: made of these detections.
        detector: what made them.
        rig: has the session's cameras.
        options: the defaults when None.
        progress: told after each set of frames that was looked at.

    Returns:
        The detections, with what was found added or put in the place of what 3D had rejected, and how much that was.

    Raises:
        InputError: a video is missing or damaged, or people or detector are of other joints than the detections.
        JobError: a device's memory is too small.
    """
    options = options or FeedbackOptions()
    videos, (_, index) = session.video_paths(), session.frames()
    detections = session.detections()
    for name, skeleton in (("people", people.motion.skeleton), ("detector", detector.skeleton)):
        if skeleton.joints != detections.skeleton.joints:
            raise InputError(
                f"{session.path}: its detections are of {detections.skeleton.name}, the {name} of {skeleton.name}; "
                "detect and triangulate again"
            )
    options = replace(
        options,
        people=options.people and detector.pose is not None,
        hands=options.hands and detector.hands is not None,
        faces=options.faces and detector.face is not None,
    )
    plan = make_plan(rig.select(list(detections.cameras)), people, detections, index >= 0, options)
    detections = put_right(detections, people.observed, plan.rows)
    due = plan.images
    sets = np.flatnonzero(due.any(axis=1))
    looker = Looker(detector, detections, plan)
    done = 0
    for frames, cameras, images in _batches(session, videos, np.where(due, index, -1), sets, options.images):
        looker.look(frames, cameras, images)
        done += len(np.unique(frames))
        progress("look again", done, len(sets))
    return looker.detections(), FeedbackCounts(*looker.counts)


def _batches(
    session: Session, videos: dict[str, Path], index: NDArray[np.int64], sets: NDArray[np.intp], most: int
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp], list[NDArray[np.uint8]]]]:
    """Yield images with their frame sets and cameras, whole sets at a time."""
    batch: list[tuple[int, int, NDArray[np.uint8]]] = []
    for f, images in zip(sets, read_sets(videos, index[sets]), strict=True):
        if batch and len(batch) + len(images) > most:
            yield _split(batch)
            batch = []
        batch += [(int(f), session.cameras.index(name), image) for name, image in images.items()]
    if batch:
        yield _split(batch)


def _split(
    batch: list[tuple[int, int, NDArray[np.uint8]]],
) -> tuple[NDArray[np.intp], NDArray[np.intp], list[NDArray[np.uint8]]]:
    frames, cameras, images = zip(*batch, strict=True)
    return np.array(frames, dtype=np.intp), np.array(cameras, dtype=np.intp), list(images)
