"""A rig from boards that moved while cameras that nobody triggers took their pictures."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.footage.delays import ViewDelays, at_one_moment, delay_spread_px, view_delays
from triskel.calibration.footage.types import BoardFootage, Shots
from triskel.calibration.rig import RigCalibration, calibrate_rig
from triskel.camera import Camera
from triskel.errors import InputError

ROUNDS = 6
WORTHWHILE_PX = 0.25
"""Cameras that are in step come out with less than this of delay times motion, by noise alone."""
LARGEST_SETS = 0.5
DONE_SETS = 0.005


class InStep(NamedTuple):
    """A rig, and what was done about pictures that were not taken together.

    Attributes:
        calibration: of the rig; its errors are of the corners in `shots`.
        shots: those it was made from, with moving corners where they would have been at one moment.
        delays: how late each picture was; nothing where the cameras are in step.
        delay_px: RMS of what the delays moved corners by, px, before anything was corrected.
        left_out: pictures too late to be corrected.
    """

    calibration: RigCalibration
    shots: Shots
    delays: ViewDelays
    delay_px: float
    left_out: int

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


def calibrate_in_step(
    footage: BoardFootage,
    shots: Shots,
    cameras: Iterable[Camera],
    *,
    refine_intrinsics: bool = False,
    lens_covariance: Mapping[str, NDArray[np.float64]] | None = None,
    rounds: int = ROUNDS,
    largest_sets: float = LARGEST_SETS,
) -> InStep:
    """Calibrate a rig, and correct for pictures that were taken too late or too early.

    The delay of each picture is estimated from how far its corners lie ahead on their way; they are moved back, and
    the rig is calibrated again, in turn. Where delays explain nothing the first calibration is the result.

    Args:
        footage: the whole recording: it knows how the boards moved between the chosen frames.
        shots: those to use, all or chosen.
        cameras: with their intrinsics.
        refine_intrinsics: as for `calibrate_rig`.
        lens_covariance: as for `calibrate_rig`.
        rounds: of estimating delays and calibrating.
        largest_sets: pictures that are later or earlier than this, frame sets, are left out.

    Raises:
        InputError: as `calibrate_rig`.
    """
    solve = partial(
        calibrate_rig, cameras=tuple(cameras), refine_intrinsics=refine_intrinsics, lens_covariance=lens_covariance
    )
    first = solve(shots.shots, board=shots.boards)
    delays = view_delays(footage, shots, first.rig, first.world_from_board)
    delay_px = delay_spread_px(footage, shots, delays)
    if not delay_px > WORTHWHILE_PX:
        return InStep(first, shots, ViewDelays([{} for _ in shots.shots]), delay_px, 0)
    result, moved = first, shots
    for done in range(rounds):
        # The first delays still hold errors of the poses: nothing is left out for good before the last round.
        largest = largest_sets if done >= rounds // 2 else np.inf
        moved = at_one_moment(footage, shots, delays, largest_sets=largest)
        try:
            result = solve(moved.shots, board=moved.boards)
        except InputError:  # too few shots are left: late pictures are better than none
            return InStep(first, shots, ViewDelays([{} for _ in shots.shots]), delay_px, 0)
        if done < rounds - 1:
            before, delays = delays, view_delays(footage, shots, result.rig, result.world_from_board)
            if done >= rounds // 2 and _change(before, delays) < DONE_SETS:
                break
    left_out = sum(map(len, shots.shots)) - sum(map(len, moved.shots))
    return InStep(result, moved, delays, delay_px, left_out)


def _change(before: ViewDelays, after: ViewDelays) -> float:
    """Return the RMS of how much delays have changed, frame sets."""
    squares = [
        (late[name] - was[name]) ** 2
        for was, late in zip(before.of_shot, after.of_shot, strict=True)
        for name in late
        if name in was
    ]
    return float(np.sqrt(np.mean(squares))) if squares else 0.0
