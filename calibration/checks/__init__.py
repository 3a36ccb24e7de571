"""What is wrong with a rig, or with the recording that it came from, before anyone trusts it."""

from triskel.calibration.checks.geometry import (
    CameraRow,
    Finding,
    check_rig,
    common_look_at,
    describe_rig,
    horizontal_fov_deg,
)
from triskel.calibration.checks.image_sizes import has_black_bars, match_image_sizes

__all__ = [
    "CameraRow",
    "Finding",
    "check_rig",
    "common_look_at",
    "describe_rig",
    "has_black_bars",
    "horizontal_fov_deg",
    "match_image_sizes",
]
