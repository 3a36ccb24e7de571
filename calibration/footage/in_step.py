"""A rig from boards that moved while cameras that nobody triggers took their pictures."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.footage.delays import (
    CameraLags,
    Motions,
    ViewDelays,
    at_one_moment,
    constant_delays,
    delay_spread_px,
    lags_from_residuals,
    shot_motions,
    view_delays,
)
from triskel.calibration.footage.sync import stride
from triskel.calibration.footage.types import BoardFootage, Shots
from triskel.calibration.rig import RigCalibration, calibrate_rig
from triskel.camera import Camera
from triskel.errors import InputError

ROUNDS = 6
WORTHWHILE_PX = 0.25
"""Cameras that are in step come out with less than this of delay times motion, by noise alone."""
LARGEST_SETS = 0.5
WORTHLESS_SETS = 0.5
DONE_SETS = 0.005


class InStep(NamedTuple):
    """A rig, and what was done about pictures that were not taken together.

    Attributes:
        calibration: of the rig; its errors are of the corners in `shots`.
        shots: those it was made from, with moving corners where they would have been at one moment.
        delays: how late each picture was, within its set; nothing where the cameras are in step.
        delay_px: RMS of what the delays moved corners by, px, before anything was corrected, beyond the lags of
            whole cameras.
        left_out: pictures too late to be corrected.
        footage: of which the shots are, late cameras moved by whole sets.
        lags: how late each camera is in the footage as it was given, as settled on; NaN where nothing tells.
        remaining: what of that is left in the calibration; clear lags of half a set or more make it worthless.
    """

    calibration: RigCalibration
    shots: Shots
    delays: ViewDelays
    delay_px: float
    left_out: int
    footage: BoardFootage
    lags: CameraLags
    remaining: CameraLags

    def out_of_step(self) -> list[str]:
        """Return the cameras that are late by half a frame or more even now: the rig cannot be trusted."""
        return self.remaining.late(least_sets=WORTHLESS_SETS)

    def describe(self) -> list[str]:
        """Say what was corrected; nothing where the cameras are in step."""
        late = np.array([delay for row in self.delays.of_shot for delay in row.values()])
        if not len(late):
            return []
        return [
            f"the cameras did not take their pictures together: {float(np.std(late)):.2f} frames apart (RMS), which "
            f"moved corners by {self.delay_px:.1f} px; corrected along the boards' motion, {self.left_out} of "
            f"{sum(map(len, self.shots.shots)) + self.left_out} pictures were too late for that and left out"
        ]


Solve = Callable[[Shots], RigCalibration]


def calibrate_in_step(
    footage: BoardFootage,
    shots: Shots,
    cameras: Iterable[Camera],
    *,
    refine_intrinsics: bool = False,
    lens_covariance: Mapping[str, NDArray[np.float64]] | None = None,
) -> InStep:
    """Calibrate a rig from chosen shots, and correct for pictures that were taken too late or too early.

    For cameras that run freely, each picture late by another part of a frame; `calibrate_synchronised` also looks for
    cameras that are late as a whole, by any number of frames.

    Args:
        footage: the whole recording: it knows how the boards moved between the chosen frames.
        shots: those to use, all or chosen.
        cameras: with their intrinsics.
        refine_intrinsics: as for `calibrate_rig`.
        lens_covariance: as for `calibrate_rig`.

    Raises:
        InputError: as `calibrate_rig`.
    """
    solve = solver(cameras, refine_intrinsics=refine_intrinsics, lens_covariance=lens_covariance)
    motions = shot_motions(footage, shots)
    first = solve(shots)
    lags = lags_from_residuals(footage, shots, first.rig, first.world_from_board, motions=motions)
    found = correct_pictures(footage, shots, motions, solve, first=first, lag_sets={})
    return found._replace(lags=lags)


def solver(
    cameras: Iterable[Camera],
    *,
    refine_intrinsics: bool,
    lens_covariance: Mapping[str, NDArray[np.float64]] | None,
) -> Solve:
    """Return the function that calibrates from shots."""
    fixed = tuple(cameras)

    def solve(shots: Shots) -> RigCalibration:
        try:
            # Views of different moments fit nothing; how certain the nonsense is cannot be said, nor does it matter.
            with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
                return calibrate_rig(
                    shots.shots,
                    fixed,
                    shots.boards,
                    refine_intrinsics=refine_intrinsics,
                    lens_covariance=lens_covariance,
                )
        except np.linalg.LinAlgError as error:
            raise InputError(
                "the cameras' views of the board do not fit together: check that the videos are in step"
            ) from error

    return solve


def correct_pictures(
    footage: BoardFootage,
    shots: Shots,
    motions: Motions,
    solve: Solve,
    *,
    first: RigCalibration,
    lag_sets: Mapping[str, float],
) -> InStep:
    """Calibrate with each picture's own delay taken out, about the constant lags of cameras.

    The delay of each picture is estimated from how far its corners lie ahead on their way; they are moved back, and
    the rig is calibrated again, in turn. Where delays explain nothing the first calibration is the result.

    Args:
        footage: of which the shots are.
        shots: those to use, as the footage gives them.
        motions: of the shots.
        solve: calibrates from shots.
        first: the calibration with the constant lags taken out.
        lag_sets: the constant lags, less than half a frame; nothing where there are none.
    """
    every = stride(footage)
    largest_sets = LARGEST_SETS * every
    constant = constant_delays(shots, lag_sets, motions) if lag_sets else ViewDelays([{} for _ in shots.shots])
    plain = at_one_moment(shots, constant, motions, largest_sets=np.inf) if lag_sets else shots

    def told(result: RigCalibration, used: Shots, delays: ViewDelays, delay_px: float) -> InStep:
        left = lags_from_residuals(footage, used, result.rig, result.world_from_board, motions=motions)
        left_out = sum(map(len, shots.shots)) - sum(map(len, used.shots))
        return InStep(result, used, delays, delay_px, left_out, footage, CameraLags.unknown(left.cameras), left)

    def estimate(result: RigCalibration) -> ViewDelays:
        return view_delays(footage, shots, result.rig, result.world_from_board, lag_sets=lag_sets, motions=motions)

    delays = estimate(first)
    delay_px = delay_spread_px(_beyond(delays, lag_sets), motions)
    if not delay_px > WORTHWHILE_PX:
        return told(first, plain, constant, delay_px)
    result, moved = first, plain
    for done in range(ROUNDS):
        # The first delays still hold errors of the poses: nothing is left out for good before the last round.
        largest = largest_sets if done >= ROUNDS // 2 else np.inf
        moved = at_one_moment(shots, delays, motions, largest_sets=largest)
        try:
            result = solve(moved)
        except InputError:  # too few shots are left: late pictures are better than none
            return told(first, plain, constant, delay_px)
        if done < ROUNDS - 1:
            before, delays = delays, estimate(result)
            if done >= ROUNDS // 2 and _change(before, delays) < DONE_SETS:
                break
    return told(result, moved, delays, delay_px)


def _beyond(delays: ViewDelays, lag_sets: Mapping[str, float]) -> ViewDelays:
    """Return the delays without the constant lags of cameras; the median picture of a shot has 0 again."""
    found = []
    for late in delays.of_shot:
        own = {name: delay - lag_sets.get(name, 0.0) for name, delay in late.items()}
        middle = float(np.median(list(own.values()))) if own else 0.0
        found.append({name: delay - middle for name, delay in own.items()})
    return ViewDelays(found)


def _change(before: ViewDelays, after: ViewDelays) -> float:
    """Return the RMS of how much delays have changed, frame sets."""
    squares = [
        (late[name] - was[name]) ** 2
        for was, late in zip(before.of_shot, after.of_shot, strict=True)
        for name in late
        if name in was
    ]
    return float(np.sqrt(np.mean(squares))) if squares else 0.0
