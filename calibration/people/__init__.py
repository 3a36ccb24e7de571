"""Calibration from people who walk where the cameras look: no board."""

from triskel.calibration.people.drift import DriftEvent, DriftRow
from triskel.calibration.people.initial import rig_from_people
from triskel.calibration.people.refine import refine_from_people
from triskel.calibration.people.reprojection import ErrorChange, ErrorSummary, compare_errors
from triskel.calibration.people.results import CameraMove, PeopleCalibration
from triskel.calibration.people.sightings import RefineOptions

__all__ = [
    "CameraMove",
    "DriftEvent",
    "DriftRow",
    "ErrorChange",
    "ErrorSummary",
    "PeopleCalibration",
    "RefineOptions",
    "compare_errors",
    "refine_from_people",
    "rig_from_people",
]
