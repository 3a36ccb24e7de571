"""A rig made better from the 2D keypoints of people, and what is said about it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.people.drift import LEAST_MOVE_M, DriftEvent, DriftRow, Step, Verdict, drift, find_step
from triskel.calibration.people.fit import PeopleFit, fit_observed, fit_people, moved_by, sigmas, significance
from triskel.calibration.people.gauge import camera_moves, move_size, reach
from triskel.calibration.people.reprojection import ErrorChange, compare_errors, place_joints
from triskel.calibration.people.sightings import (
    RefineOptions,
    Sightings,
    body_sightings,
    evenly,
    tell_apart,
    widely,
)
from triskel.camera import Rig
from triskel.errors import InputError
from triskel.motion import Detections2D

FEWEST_FRAMES = 10
FEWEST_VIEWS = 60
"""Joints that a camera must have seen together with another one for its pose to be touched."""
FEW_FRAMES = 60
SPREAD_M = 0.4
"""People who stay within less than this, m (standard deviation along the floor's longer side), are in one place."""
LEAST_GAIN = 0.05
"""A rig of which no camera moved for certain is changed if the median error falls by more than this share."""
BUMPED_FACTOR = 4.0
"""A camera is bumped, and not just one of a poor rig, if it moved so many times as far as the usual one."""
_HELD_OUT_PARTS = 12


class CameraMove(NamedTuple):
    """How one camera differs from the old rig.

    Attributes:
        camera: its name.
        moved_mm: distance of the centres.
        turned_deg: angle between the orientations.
        moved_sigma_mm: standard error of the centre (root of the trace of its covariance).
        turned_sigma_deg: standard error of the orientation.
        significance: above 1 it is no chance.
        focal_change: by which share the focal length changed; 0 unless that was asked for.
        verdict: `stayed`, `moved`, `bumped` (moved far more than the others), `placed` (had no pose before), or
            `not seen`.
    """

    camera: str
    moved_mm: float
    turned_deg: float
    moved_sigma_mm: float
    turned_sigma_deg: float
    significance: float
    focal_change: float
    verdict: Verdict


class PeopleCalibration(NamedTuple):
    """A rig from people, and how far it can be trusted.

    Attributes:
        rig: the cameras. The old ones where nothing had moved.
        used: errors of the people it was fitted to, before and after.
        held_out: errors of frame sets that were not used; None where none were held out.
        moves: one for each camera.
        bumped: names of the cameras that were bumped.
        drift: each part of the recording against the whole.
        events: cameras that moved during the recording, and when.
        joints: names of the joints, and
        noise_px: (J,) the standard deviation of their detections along one axis.
        n_frames: frame sets used.
        n_points: joints placed in 3D.
        n_people: people told apart.
        warnings: what a person should know, one line each.
    """

    rig: Rig
    used: ErrorChange
    held_out: ErrorChange | None
    moves: tuple[CameraMove, ...]
    bumped: tuple[str, ...]
    drift: tuple[DriftRow, ...]
    events: tuple[DriftEvent, ...]
    joints: tuple[str, ...]
    noise_px: NDArray[np.float64]
    n_frames: int
    n_points: int
    n_people: int
    warnings: tuple[str, ...]


def refine_from_people(
    rig: Rig, detections: Detections2D, time_s: NDArray[np.float64], *, options: RefineOptions | None = None
) -> PeopleCalibration:
    """Improve the poses of a rig from people who walk where its cameras look.

    People are told apart with the rig as it is, their joints and the cameras are refined together, and that again with
    the better rig. Where the world is, which way it faces and how large it is stay as they were. A camera that moved
    far more than the others is put right alone, the others held; a rig in which nothing moved by more than chance is
    returned as it was.

    Args:
        rig: the rig, near enough that people can be told apart with it (about a tenth of the image).
        detections: people in C cameras, each of which the rig has; hands and faces are not used.
        time_s: (F,) time of each frame set, s.
        options: the defaults when None.

    Returns:
        The rig and what is known of it. Cameras without detections stay as they are.

    Raises:
        InputError: nobody is seen by two cameras at once, or in too few frame sets.
        ConfigError: the rig lacks a camera.
    """
    options = options or RefineOptions()
    sightings = body_sightings(rig, detections, time_s)
    old = rig.select(list(detections.cameras))
    sightings, observed = _chosen(old, sightings, options)
    seen = _seen_enough(observed, options)
    if seen.sum() < 2 or len(sightings.frames) < FEWEST_FRAMES:
        raise InputError(
            f"people are seen by two cameras at once in {len(sightings.frames)} frame sets, too few to tell where"
            " cameras stand: record somebody who walks through the whole volume for half a minute"
        )
    names = [name for name, enough in zip(old.names, seen, strict=True) if enough]
    part, observed = old.select(names), np.ascontiguousarray(observed[:, seen])
    sightings = sightings._replace(detections=sightings.detections.select(names))
    fitted, held = divided(len(sightings.frames), options.held_out)
    fit, people = _fitted(part, sightings, observed, fitted, options)
    step = find_step(fit, people, sightings.time_s[fitted], options=options) if options.most_blocks > 1 else None
    warnings: list[str] = []
    border = 0 if step is None else int(fitted[step.at])
    if step is not None:
        fitted, held, fit, people = _longer_side(part, step, sightings, people, fitted, held, options)
        warnings += [_event_line(event) for event in step.events]
    new, given, rows = _judged(part, fit, people, sightings.time_s[fitted], options)
    everybody = tell_apart(new, sightings, options)
    used = compare_errors(part, new, everybody[fitted], least_score=options.least_score)
    held_out = compare_errors(part, new, everybody[held], least_score=options.least_score) if len(held) else None
    warnings = _unseen(old, seen) + weak_data(fit, sightings) + warnings
    if new is not part and all(row.verdict == "stayed" for row in rows):
        warnings.append(
            "the rig as a whole fits people better now, but no camera can be named that moved for certain: these people"
            " tell too little of each"
        )
    if held_out is not None and held_out.after.median_px > held_out.before.median_px * 1.01:
        warnings.append("people who were not used fit the refined rig worse than the old one: keep the old one")
    return PeopleCalibration(
        rig=_put_back(rig, new),
        used=used,
        held_out=held_out,
        moves=_all_moves(old, names, rows),
        bumped=tuple(row.camera for row in rows if row.verdict == "bumped"),
        drift=drift(fit, everybody, sightings.time_s, options=options, border=border),
        events=() if step is None else step.events,
        joints=sightings.detections.skeleton.joints,
        noise_px=given.bundle.noise_px,
        n_frames=len(fitted),
        n_points=len(fit.bundle.X),
        n_people=everybody.shape[2],
        warnings=tuple(warnings),
    )


def _fitted(
    rig: Rig, sightings: Sightings, observed: NDArray[np.float64], index: NDArray[np.int64], options: RefineOptions
) -> tuple[PeopleFit, NDArray[np.float64]]:
    """Return the fit to some of the frame sets, and the people in them."""
    fit, people = fit_people(rig, sightings.take(index), observed[index], options)
    if fit is None:
        raise InputError("no joint is seen alike by two cameras: check that rig and recording belong together")
    return fit, people


def _longer_side(
    part: Rig,
    step: Step,
    sightings: Sightings,
    people: NDArray[np.float64],
    fitted: NDArray[np.int64],
    held: NDArray[np.int64],
    options: RefineOptions,
) -> tuple[NDArray[np.int64], NDArray[np.int64], PeopleFit, NDArray[np.float64]]:
    """Return the frame sets used and held out, the fit and the people of the longer side of a step."""
    border = fitted[step.at]
    early = step.at >= len(fitted) - step.at
    side = slice(None, step.at) if early else slice(step.at, None)
    index = fitted[side]
    fit, observed = fit_people(part, sightings.take(index), people[side], options)
    return index, held[(held < border) == early], fit or (step.before if early else step.after), observed


def _event_line(event: DriftEvent) -> str:
    return (
        f"camera {event.camera!r} moved at about {event.time_s:.2f} s (by {event.moved_mm:.0f} mm and"
        f" {event.turned_deg:.2f} degrees): no one rig fits all of the recording; this one fits the longer part of it"
    )


def _chosen(old: Rig, sightings: Sightings, options: RefineOptions) -> tuple[Sightings, NDArray[np.float64]]:
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


def _seen_enough(observed: NDArray[np.float64], options: RefineOptions) -> NDArray[np.bool_]:
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


def _judged(
    old: Rig, fit: PeopleFit, observed: NDArray[np.float64], time_s: NDArray[np.float64], options: RefineOptions
) -> tuple[Rig, PeopleFit, list[CameraMove]]:
    """Return the rig to hand out, the fit behind it, and what is said of each camera."""
    moves = camera_moves(old, fit.rig)
    strange = significance(moves, fit.covariance, clusters=fit.clusters)
    size = move_size(moves, reach(old, np.median(fit.bundle.X, axis=0)))
    moved = (strange > 1) & (size > LEAST_MOVE_M)
    verdicts: list[Verdict] = ["moved" if one else "stayed" for one in moved]
    better = compare_errors(old, fit.rig, observed, least_score=options.least_score).median_change < -LEAST_GAIN
    rig = fit.rig if moved.any() or better or options.focal else old
    if moved.any() and len(old) > 2:
        usual = np.array([np.median(np.delete(size, c)) for c in range(len(old))])
        bumped = moved & (size > BUMPED_FACTOR * usual)
        if bumped.any() and bumped.sum() < len(old) / 2:
            verdicts = ["bumped" if b else "moved" if m else "stayed" for b, m in zip(bumped, moved, strict=True)]
            if (moved == bumped).all() and (~bumped).sum() >= 2:
                start = Rig(tuple(b if m else a for a, b, m in zip(old, fit.rig, bumped, strict=True)))
                alone = fit_observed(start, observed, time_s, options=options, free=bumped)
                fit = alone or fit
                rig = fit.rig
    moved_mm, turned_deg = moved_by(old, fit.rig)
    moved_sigma, turned_sigma = sigmas(fit.covariance)
    rows = [
        CameraMove(
            camera=camera.name,
            moved_mm=float(moved_mm[c]),
            turned_deg=float(turned_deg[c]),
            moved_sigma_mm=float(moved_sigma[c]),
            turned_sigma_deg=float(turned_sigma[c]),
            significance=float(strange[c]),
            focal_change=float(fit.rig.cameras[c].K[0, 0] / camera.K[0, 0] - 1),
            verdict=verdicts[c],
        )
        for c, camera in enumerate(old)
    ]
    return rig, fit, rows


def _unseen(old: Rig, seen: NDArray[np.bool_]) -> list[str]:
    """Return a line for each camera that is not touched, and one where two are left."""
    found = [
        f"camera {name!r} hardly saw anybody together with another camera: it stays as it was"
        for name, enough in zip(old.names, seen, strict=True)
        if not enough
    ]
    if seen.sum() == 2:
        found.append("with two cameras nobody can say which of them moved: only how they stand to each other is known")
    return found


def weak_data(fit: PeopleFit, sightings: Sightings) -> list[str]:
    """Return why the people say less than they could."""
    found = []
    if len(sightings.frames) < FEW_FRAMES:
        found.append(f"only {len(sightings.frames)} frame sets show people: record half a minute of walking")
    frame = fit.views.frame
    middles = np.stack([np.median(fit.bundle.X[frame == f], axis=0) for f in np.unique(frame)])
    spread = np.sqrt(np.maximum(np.linalg.eigvalsh(np.cov(middles.T)), 0)) if len(middles) > 2 else np.zeros(3)
    if spread[-1] < SPREAD_M:
        found.append(
            f"people stay in one place ({spread[-1]:.2f} m, standard deviation along the way they went most): let them"
            " walk through the whole volume"
        )
    return found


def _all_moves(old: Rig, names: list[str], rows: list[CameraMove]) -> tuple[CameraMove, ...]:
    by_name = dict(zip(names, rows, strict=True))
    nothing = (np.nan, np.nan, np.nan, np.nan, 0.0, 0.0)
    return tuple(by_name.get(name) or CameraMove(name, *nothing, "not seen") for name in old.names)


def _put_back(rig: Rig, new: Rig) -> Rig:
    """Return the whole rig with the cameras that were refined put in."""
    changed = {camera.name: camera for camera in new}
    return Rig(tuple(changed.get(camera.name, camera) for camera in rig))
