"""What is wrong with a rig, or with the recording that it came from, before anyone trusts it."""

from triskel.calibration.checks.geometry import (
    CameraRow,
    Finding,
    check_rig,
    common_look_at,
    describe_rig,
    has_poses,
    horizontal_fov_deg,
)
from triskel.calibration.checks.image_sizes import has_black_bars, match_image_sizes
from triskel.calibration.checks.known import check_camera_distances, check_markers
from triskel.calibration.checks.people import check_against_people
from triskel.calibration.checks.shots import check_shots

__all__ = [
    "CameraRow",
    "Finding",
    "check_against_people",
    "check_camera_distances",
    "check_markers",
    "check_rig",
    "check_shots",
    "common_look_at",
    "describe_rig",
    "has_black_bars",
    "has_poses",
    "horizontal_fov_deg",
    "match_image_sizes",
]
