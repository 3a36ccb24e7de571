"""One camera's intrinsics from views of a board."""

from triskel.calibration.corners import CornerErrors
from triskel.calibration.intrinsics.calibrate import IntrinsicsResult, calibrate_intrinsics
from triskel.calibration.intrinsics.certainty import LensCertainty
from triskel.calibration.intrinsics.choose import ModelScore
from triskel.calibration.intrinsics.coverage import Coverage
from triskel.calibration.intrinsics.models import Choice

__all__ = [
    "Choice",
    "CornerErrors",
    "Coverage",
    "IntrinsicsResult",
    "LensCertainty",
    "ModelScore",
    "calibrate_intrinsics",
]
