"""What a fit says of each camera: stayed, moved, perhaps, or bumped; and which rig is handed out for it."""

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.people.drift import LEAST_MOVE_M, Verdict
from triskel.calibration.people.fit import (
    PeopleFit,
    clear,
    fit_observed,
    moved_by,
    neutral_covariance,
    sigmas,
    significance,
)
from triskel.calibration.people.gauge import camera_moves, move_size, reach
from triskel.calibration.people.reprojection import compare_errors
from triskel.calibration.people.results import CameraMove
from triskel.calibration.people.sightings import RefineOptions
from triskel.camera import Rig

LEAST_GAIN = 0.05
"""A rig of which no camera moved for certain is changed if the median error falls by more than this share."""
BUMPED_FACTOR = 4.0
"""A camera is bumped, and not just one of a poor rig, if it moved so many times as far as the usual one."""


def judged(
    old: Rig, fit: PeopleFit, observed: NDArray[np.float64], time_s: NDArray[np.float64], options: RefineOptions
) -> tuple[Rig, PeopleFit, list[CameraMove]]:
    """Return the rig to hand out, the fit behind it, and what is said of each camera."""
    moves = camera_moves(old, fit.rig)
    strange = significance(moves, fit.covariance, clusters=fit.clusters)
    size = move_size(moves, reach(old, np.median(fit.bundle.X, axis=0)))
    moved = (strange > 1) & (size > LEAST_MOVE_M)
    verdicts: list[Verdict] = ["moved" if one else "stayed" for one in moved]
    rig, neutral = fit.rig, neutral_covariance(fit, time_s, options=options)
    usual = np.array([np.median(np.delete(size, c)) for c in range(len(old))])
    bumped = moved & (size > BUMPED_FACTOR * usual)
    order = np.argsort(np.where(moved, -strange, 0.0), kind="stable")[: int(moved.sum())]
    for k in range(1, min(len(order), (len(old) - 1) // 2) + 1):
        # As few cameras as explain it: one that moved strains the others, which then look as if they had moved too.
        few = np.isin(np.arange(len(old)), order[:k])
        start = Rig(tuple(b if m else a for a, b, m in zip(old, fit.rig, few, strict=True)))
        alone = fit_observed(start, observed, time_s, options=options, free=few)
        if alone is not None and _gain(alone.rig, fit.rig, observed, options) < LEAST_GAIN:
            verdicts, bumped = ["moved" if one else "stayed" for one in few], few
            fit, rig = alone, alone.rig
            break
    if not (moved.any() or options.focal) and _gain(old, fit.rig, observed, options) < LEAST_GAIN:
        rig = old
    if len(old) > 2 and bumped.sum() < len(old) / 2:
        verdicts = ["bumped" if b else one for b, one in zip(bumped, verdicts, strict=True)]
    return rig, fit, _rows(old, fit, strange, verdicts, neutral)


def _rows(
    old: Rig,
    fit: PeopleFit,
    strange: NDArray[np.float64],
    verdicts: list[Verdict],
    neutral: NDArray[np.float64],
) -> list[CameraMove]:
    """Return what is said of each camera, in words that its numbers carry: what only one of them says is `perhaps`."""
    moved_mm, turned_deg = moved_by(old, fit.rig)
    moved_sigma, turned_sigma = sigmas(neutral)
    size = move_size(camera_moves(old, fit.rig), reach(old, np.median(fit.bundle.X, axis=0)))
    shown = clear(moved_mm, turned_deg, moved_sigma, turned_sigma) & (size > LEAST_MOVE_M)
    words: list[Verdict] = [
        "perhaps" if one != (verdict != "stayed") else verdict for one, verdict in zip(shown, verdicts, strict=True)
    ]
    return [
        CameraMove(
            camera=camera.name,
            moved_mm=float(moved_mm[c]),
            turned_deg=float(turned_deg[c]),
            moved_sigma_mm=float(moved_sigma[c]),
            turned_sigma_deg=float(turned_sigma[c]),
            significance=float(strange[c]),
            focal_change=float(fit.rig.cameras[c].K[0, 0] / camera.K[0, 0] - 1),
            verdict=words[c],
        )
        for c, camera in enumerate(old)
    ]


def _gain(old: Rig, new: Rig, observed: NDArray[np.float64], options: RefineOptions) -> float:
    """Return by which share the median error falls from one rig to the other."""
    return -compare_errors(old, new, observed, least_score=options.least_score).median_change
