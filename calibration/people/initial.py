"""A rig from people alone: cameras with known intrinsics, no board, the size from somebody's height."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.people.chain import Chained, chain_cameras
from triskel.calibration.people.drift import drift
from triskel.calibration.people.fit import fit_sightings, neutral_covariance, sigmas
from triskel.calibration.people.refine import weak_data
from triskel.calibration.people.reprojection import compare_errors, place_joints, triangulated
from triskel.calibration.people.results import CameraMove, PeopleCalibration
from triskel.calibration.people.selection import divided
from triskel.calibration.people.sightings import RefineOptions, Sightings, body_sightings, evenly, tell_apart
from triskel.calibration.world.body import foot_joints, measure_bodies
from triskel.calibration.world.people import place_from_people
from triskel.calibration.world.placed import axes_of, cameras_up, moved_rig
from triskel.calibration.world.scale import check_height, scale_from_height
from triskel.camera import Camera, Rig
from triskel.errors import InputError
from triskel.motion import Detections2D, Motion3D
from triskel.rigid import Rigid

_USUAL_HEIGHT_M = 1.7
DOUBTFUL_PX = 25.0
"""Median reprojection error, px, from which on a rig from people is likely to be wrong."""


def rig_from_people(
    cameras: Iterable[Camera],
    detections: Detections2D,
    time_s: NDArray[np.float64],
    *,
    height_m: float,
    person: int | None = None,
    options: RefineOptions | None = None,
) -> PeopleCalibration:
    """Find where cameras stand from people who walk where they look; the intrinsics must be known.

    Two cameras are joined by the epipolar geometry of the people's joints, the others are added one by one, then all
    is refined as in `refine_from_people`. The floor is where the feet stand, z is up, and the size comes from a height,
    which makes it good to 2 or 3 % and no better.

    Args:
        cameras: cameras with K and dist; their poses are ignored.
        detections: people in C of these cameras.
        time_s: (F,) time of each frame set, s.
        height_m: the stature of somebody in the recording, without shoes.
        person: whose height that is, by support from 0; needed where people of different heights are seen.
        options: as of `refine_from_people`.

    Returns:
        The rig of the cameras in `detections`. `moves` has their standard errors in a world in which all cameras count
        alike; `used` and `held_out` compare with the rig before its last refinement.

    Raises:
        InputError: too few people, cameras that share none, no height, or people who do not stand.
        ConfigError: a camera is missing.
    """
    check_height(height_m)  # before the work
    options = options or RefineOptions()
    rig = Rig(tuple(cameras))
    sightings = evenly(body_sightings(rig, detections, time_s), options.most_frames)
    rig = rig.select(list(detections.cameras))
    chained = _near_real_size(chain_cameras(rig.cameras, sightings), sightings, options)
    fitted, held = divided(len(sightings.frames), options.held_out)
    observed = tell_apart(chained, sightings, options)
    fit, _ = fit_sightings(chained, sightings.take(fitted), observed[fitted], options)
    if fit is None:
        raise InputError("cameras were joined by people, but nothing fits: check the intrinsics and the image sizes")
    everybody = tell_apart(fit.rig, sightings, options)
    compared = [
        compare_errors(chained, fit.rig, everybody[index], least_score=options.least_score) if len(index) else None
        for index in (fitted, held)
    ]
    motion = _motion(fit.rig, sightings, everybody, options)
    sized = scale_from_height(fit.rig, motion, height_m, person=person)
    motion = _motion(sized.rig, sightings, everybody, options)
    warnings = [*weak_data(fit, sightings), *sized.messages]
    try:
        placed = place_from_people(sized.rig, motion)
        new = placed.rig
        warnings += placed.messages
    except InputError as error:
        new = _level(sized.rig, motion)
        warnings.append(f"the floor is rough, from the bodies' mean direction and their lowest feet: {error}")
    used = compared[0]
    assert used is not None
    if used.after.median_px > DOUBTFUL_PX:
        warnings.append(
            f"the joints are {used.after.median_px:.0f} px off (median): the rig is doubtful; check the intrinsics"
        )
    covariance = neutral_covariance(fit, sightings.time_s[fitted], options=options)
    return PeopleCalibration(
        rig=new,
        used=used,
        held_out=compared[1],
        moves=_standard_errors(fit.rig, covariance, sized.scale),
        bumped=(),
        drift=drift(fit, everybody, sightings.time_s, fit_s=sightings.time_s[fitted], options=options),
        events=(),
        joints=sightings.detections.skeleton.joints,
        noise_px=fit.bundle.noise_px,
        n_frames=len(fitted),
        n_points=len(fit.bundle.X),
        n_people=everybody.shape[2],
        warnings=tuple(warnings),
    )


def _near_real_size(chained: Chained, sightings: Sightings, options: RefineOptions) -> Rig:
    """Return the rig scaled so that people are of a usual size: telling them apart goes by metres."""
    X = place_joints(chained.rig, chained.observed, least_score=options.least_score)
    stature = measure_bodies(sightings.detections.skeleton, X).stature
    known = stature[np.isfinite(stature) & (stature > 0)]
    if not len(known):
        raise InputError(
            "nobody was seen from shoulders to ankles by two cameras often enough to measure a height: step back from"
            " the cameras"
        )
    return moved_rig(chained.rig, Rigid.identity(), scale=_USUAL_HEIGHT_M / float(np.median(known)))


def _level(rig: Rig, motion: Motion3D) -> Rig:
    """Return the rig with z along the bodies and the floor where the lowest feet are: no foot need stand still."""
    X, skeleton = motion.points.X, motion.skeleton
    bodies = measure_bodies(skeleton, X)
    axes = bodies.axis[np.isfinite(bodies.axis[..., 0])]
    up = np.median(axes / np.linalg.norm(axes, axis=1, keepdims=True), axis=0) if len(axes) else cameras_up(rig)
    up = up / np.linalg.norm(up)
    feet, _ = foot_joints(skeleton)
    heights = (X[:, :, feet] @ up).ravel()
    floor = float(np.nanpercentile(heights, 2)) if np.isfinite(heights).any() else 0.0
    middle = np.mean([camera.centre for camera in rig], axis=0)
    return moved_rig(rig, axes_of(middle + (floor - middle @ up) * up, up=up, toward=rig.cameras[0].centre - middle))


def _motion(rig: Rig, sightings: Sightings, observed: NDArray[np.float64], options: RefineOptions) -> Motion3D:
    """Return the people (F, C, N, J, 3) in 3D, each frame set by itself."""
    points = triangulated(rig, observed, least_score=options.least_score)
    ids = np.arange(observed.shape[2], dtype=np.int64)
    names = tuple(rig.names)
    return Motion3D(
        sightings.detections.skeleton, names, sightings.time_s, ids, points, np.zeros(points.score.shape, bool)
    )


def _standard_errors(rig: Rig, covariance: NDArray[np.float64], scale: float) -> tuple[CameraMove, ...]:
    centre, turn = sigmas(covariance)
    nan = float("nan")
    return tuple(
        CameraMove(camera.name, nan, nan, scale * float(centre[c]), float(turn[c]), nan, 0.0, "placed")
        for c, camera in enumerate(rig)
    )
