"""One camera's intrinsics from views of a board."""

from triskel.calibration.intrinsics.calibrate import (
    IntrinsicsResult,
    calibrate_intrinsics,
    is_usable,
    outlier_limit_px,
)

__all__ = ["IntrinsicsResult", "calibrate_intrinsics", "is_usable", "outlier_limit_px"]
