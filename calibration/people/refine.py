"""A rig made better from the 2D keypoints of people, and what is said about it."""

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.people.drift import DriftEvent, Step, drift, find_step
from triskel.calibration.people.fit import PeopleFit, fit_sightings
from triskel.calibration.people.judgement import judged
from triskel.calibration.people.reprojection import ErrorChange, compare_errors
from triskel.calibration.people.results import CameraMove, PeopleCalibration
from triskel.calibration.people.selection import chosen_frames, divided, found_again, seen_enough
from triskel.calibration.people.sightings import RefineOptions, Sightings, body_sightings, tell_apart
from triskel.camera import Rig
from triskel.errors import InputError
from triskel.motion import Detections2D

FEWEST_FRAMES = 10
FEW_FRAMES = 60
SPREAD_M = 0.4
"""People who stay within less than this, m (standard deviation along the way they went most), are in one place."""


def refine_from_people(
    rig: Rig, detections: Detections2D, time_s: NDArray[np.float64], *, options: RefineOptions | None = None
) -> PeopleCalibration:
    """Improve the poses of a rig from people who walk where its cameras look.

    People are told apart with the rig as it is, their joints and the cameras are refined together, and that again with
    the better rig. Where the world is, which way it faces and how large it is stay as they were. If few cameras
    explain what is seen, they are put right alone and the others are held; a rig in which nothing moved by more than
    chance is returned as it was.

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
    sightings, observed = chosen_frames(old, sightings, options)
    start, observed, again = found_again(old, sightings, observed, options)
    seen = seen_enough(observed, options)
    if seen.sum() < 2 or len(sightings.frames) < FEWEST_FRAMES:
        raise InputError(
            f"people are seen by two cameras at once in {len(sightings.frames)} frame sets, too few to tell where"
            " cameras stand: record somebody who walks through the whole volume for half a minute"
        )
    names = [name for name, enough in zip(old.names, seen, strict=True) if enough]
    part, start, observed = old.select(names), start.select(names), np.ascontiguousarray(observed[:, seen])
    sightings = sightings._replace(detections=sightings.detections.select(names))
    fitted, held = divided(len(sightings.frames), options.held_out)
    fit, people = fit_sightings(start, sightings.take(fitted), observed[fitted], options, old=part)
    if fit is None:
        raise InputError("no joint is seen alike by two cameras: check that rig and recording belong together")
    step = find_step(fit, people, sightings.time_s[fitted], options=options) if options.most_blocks > 1 else None
    border = 0 if step is None else int(fitted[step.at])
    if step is not None:
        fitted, held, fit, people = _longer_side(part, step, sightings, people, fitted, held, options)
    new, given, rows = judged(part, fit, people, sightings.time_s[fitted], options)
    everybody = tell_apart(new, sightings, options)
    used, held_out = (
        compare_errors(part, new, everybody[index], least_score=options.least_score) if len(index) else None
        for index in (fitted, held)
    )
    assert used is not None
    events = () if step is None else step.events
    warnings = [
        *_camera_lines(old, seen, again, events),
        *weak_data(fit, sightings),
        *_doubts(held_out, rows, changed=new is not part),
    ]
    return PeopleCalibration(
        rig=_put_back(rig, new),
        used=used,
        held_out=held_out,
        moves=_all_moves(old, names, rows),
        bumped=tuple(row.camera for row in rows if row.verdict == "bumped"),
        drift=drift(fit, everybody, sightings.time_s, fit_s=sightings.time_s[fitted], options=options, border=border),
        events=events,
        joints=sightings.detections.skeleton.joints,
        noise_px=given.bundle.noise_px,
        n_frames=len(fitted),
        n_points=len(fit.bundle.X),
        n_people=everybody.shape[2],
        warnings=tuple(warnings),
        old=rig,
    )


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
    fit, observed = fit_sightings(part, sightings.take(index), people[side], options)
    return index, held[(held < border) == early], fit or (step.before if early else step.after), observed


def _camera_lines(
    old: Rig, seen: NDArray[np.bool_], again: tuple[str, ...], events: tuple[DriftEvent, ...]
) -> list[str]:
    """Return a line for each camera that is not touched, was far off or moved, and one where two are left."""
    found = [
        f"camera {name!r} hardly saw anybody whom another camera saw: it stays as it was"
        for name, enough in zip(old.names, seen, strict=True)
        if not enough
    ]
    found += [
        f"camera {name!r} saw people, but not where the others have them: its pose was found anew; was it moved?"
        for name in again
    ]
    found += [
        f"camera {event.camera!r} moved at about {event.time_s:.2f} s (by {event.moved_mm:.0f} mm and"
        f" {event.turned_deg:.2f} degrees): no one rig fits all of the recording; this one fits the longer part of it"
        for event in events
    ]
    if seen.sum() == 2:
        found.append("with two cameras nobody can say which of them moved: only how they stand to each other is known")
    return found


def _doubts(held_out: ErrorChange | None, rows: list[CameraMove], *, changed: bool) -> list[str]:
    """Return what speaks against the new rig."""
    found = []
    perhaps = ", ".join(row.camera for row in rows if row.verdict == "perhaps")
    if perhaps and not changed:
        found.append(f"perhaps {perhaps} moved, but these people tell too little of it: the rig stays as it was")
    if changed and not any(row.verdict in ("moved", "bumped") for row in rows):
        found.append(
            "the rig as a whole fits people better now, but no camera can be named that moved for certain"
            f"{f' (perhaps {perhaps})' if perhaps else ''}: these people tell too little of each"
        )
    if held_out is not None and held_out.after.median_px > 1.01 * held_out.before.median_px:
        found.append("people who were not used fit the refined rig worse than the old one: keep the old one")
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
    nothing = (np.nan, np.nan, np.nan, np.nan, np.nan, 0.0)
    return tuple(by_name.get(name) or CameraMove(name, *nothing, "not seen") for name in old.names)


def _put_back(rig: Rig, new: Rig) -> Rig:
    """Return the whole rig with the cameras that were refined put in."""
    changed = {camera.name: camera for camera in new}
    return Rig(tuple(changed.get(camera.name, camera) for camera in rig))
