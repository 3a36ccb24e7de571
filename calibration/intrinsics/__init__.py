"""One camera's intrinsics from views of a board."""

# First, since the rig's code takes these while the lines below are still being imported (they need its errors.py).
from triskel.calibration.intrinsics.outliers import is_usable, outlier_limit_px

# isort: split

from triskel.calibration.intrinsics.calibrate import IntrinsicsResult, calibrate_intrinsics
from triskel.calibration.intrinsics.certainty import LensCertainty
from triskel.calibration.intrinsics.choose import ModelScore
from triskel.calibration.intrinsics.coverage import Coverage
from triskel.calibration.intrinsics.models import Choice

__all__ = [
    "Choice",
    "Coverage",
    "IntrinsicsResult",
    "LensCertainty",
    "ModelScore",
    "calibrate_intrinsics",
    "is_usable",
    "outlier_limit_px",
]
