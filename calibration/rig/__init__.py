"""Where the cameras of a rig stand, from shots in which several of them see the same board at once."""

from triskel.calibration.rig.calibrate import RigCalibration, calibrate_rig

__all__ = ["RigCalibration", "calibrate_rig"]
