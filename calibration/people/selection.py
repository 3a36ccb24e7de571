"""Which frame sets and cameras of a recording are used, and cameras that stand quite elsewhere found again."""

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.people.chain import FEWEST_JOINTS, resected, tolerance_of, tracks_of
from triskel.calibration.people.reprojection import place_joints
from triskel.calibration.people.sightings import RefineOptions, Sightings, evenly, tell_apart, widely
from triskel.camera import Rig
from triskel.errors import InputError

FEWEST_VIEWS = 60
"""Joints that a camera must have seen together with another one for its pose to be touched."""
_HELD_OUT_PARTS = 12


def chosen_frames(old: Rig, sightings: Sightings, options: RefineOptions) -> tuple[Sightings, NDArray[np.float64]]:
    """Return the frame sets to use, and the people in them as the old rig tells them apart."""
    sightings = evenly(sightings, 2 * options.most_frames)
    observed = tell_apart(old, sightings, options)
    placed = place_joints(old, observed, least_score=options.least_score)
    there = np.flatnonzero(np.isfinite(placed[..., 0]).any(axis=(1, 2)))
    if not len(there):
        raise InputError(
            "no person is seen alike by two cameras: check that rig and recording belong together; a rig that is off by"
            " more than a tenth of the image must be calibrated anew"
        )
    index = there[widely(placed[there], options.most_frames)]
    return sightings.take(index), observed[index]


def seen_enough(observed: NDArray[np.float64], options: RefineOptions) -> NDArray[np.bool_]:
    """Return which cameras (C,) share enough joints with others."""
    with np.errstate(invalid="ignore"):
        views = np.moveaxis(observed[..., 2] >= options.least_score, 1, 0)
    shared = views & (views.sum(axis=0) >= 2)
    return np.asarray(shared.reshape(len(shared), -1).sum(axis=1) >= FEWEST_VIEWS)


def divided(n: int, share: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which of n frame sets are used and which are held out: whole stretches, since neighbours are alike."""
    if share <= 0:
        return np.arange(n), np.zeros(0, np.int64)
    stretch = np.arange(n) * _HELD_OUT_PARTS // n
    every = max(round(1 / share), 2)
    out = stretch % every == every - 1
    return np.flatnonzero(~out), np.flatnonzero(out)


def found_again(
    rig: Rig, sightings: Sightings, observed: NDArray[np.float64], options: RefineOptions
) -> tuple[Rig, NDArray[np.float64], tuple[str, ...]]:
    """Look for cameras that see people, but not where the others have them: they were moved far, or carry no pose.

    Args:
        rig: C cameras.
        sightings: what all of them saw.
        observed: (F, C, N, J, 3) the people as the rig tells them apart.
        options: see there.

    Returns:
        The rig with those cameras where the joints of the others put them, the people told apart with it, and the
        cameras' names.
    """
    seen, keypoints = seen_enough(observed, options), sightings.detections.keypoints
    has_people = ((keypoints[..., 2] >= options.least_score).sum(axis=(0, 2, 3))) >= FEWEST_VIEWS
    lost = np.flatnonzero(~seen & has_people)
    if not len(lost) or seen.sum() < 2:
        return rig, observed, ()
    others = rig.select([name for name, enough in zip(rig.names, seen, strict=True) if enough])
    X = place_joints(others, np.ascontiguousarray(observed[:, seen]), least_score=options.least_score)
    cameras, names = list(rig), []
    for c in lost:
        camera = cameras[c]
        found = resected(int(c), tracks_of(camera, keypoints[:, c], sightings.time_s), X, tolerance_of(camera))
        if found.support >= FEWEST_JOINTS:
            cameras[c] = camera.replace(cam_from_world=found.b_from_a)
            names.append(camera.name)
    if not names:
        return rig, observed, ()
    rig = Rig(tuple(cameras))
    return rig, tell_apart(rig, sightings, options), tuple(names)
