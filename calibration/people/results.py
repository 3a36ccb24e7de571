"""What calibration from people hands out."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.people.drift import DriftEvent, DriftRow, Verdict
from triskel.calibration.people.reprojection import ErrorChange
from triskel.camera import Rig


class CameraMove(NamedTuple):
    """How one camera differs from the old rig.

    Attributes:
        camera: its name.
        moved_mm: distance of the centres.
        turned_deg: angle between the orientations.
        moved_sigma_mm: standard error of the centre (root of the trace of its covariance), in a world in which all
            cameras count alike.
        turned_sigma_deg: standard error of the orientation, in that world.
        significance: above 1 it is no chance; direction counts, which the standard errors do not know. NaN where there
            was nothing to compare with.
        focal_change: by which share the focal length changed; 0 unless that was asked for.
        verdict: `stayed`, `moved`, `bumped` (moved far more than the others), `perhaps` (either the significance or the
            standard errors say that it moved, but not both), `placed` (had no pose before), or `not seen`.
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
        old: the rig before; None where the cameras had no poses.
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
    old: Rig | None = None

    @property
    def from_nothing(self) -> bool:
        """Return whether the cameras had no poses before, so that there is nothing to compare with."""
        return all(move.verdict == "placed" for move in self.moves)
