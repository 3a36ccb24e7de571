"""Where the cameras of a rig stand, from shots in which several of them see the same board at once."""

from triskel.calibration.corners import CornerErrors
from triskel.calibration.rig.calibrate import RigCalibration, calibrate_rig
from triskel.calibration.rig.held_out import HeldOut, held_out
from triskel.calibration.rig.uncertainty import RigUncertainty

__all__ = ["CornerErrors", "HeldOut", "RigCalibration", "RigUncertainty", "calibrate_rig", "held_out"]
