"""Recordings of boards: which corners each camera saw in which frame, which frames to use, who was late."""

from triskel.calibration.footage.delays import CameraLags, ViewDelays, at_one_moment, lags_from_residuals, view_delays
from triskel.calibration.footage.in_step import InStep, calibrate_in_step
from triskel.calibration.footage.motion import CornerMotion, corner_motion, speeds_px
from triskel.calibration.footage.selection import choose_shots, choose_views
from triskel.calibration.footage.still import StillShots, merge_still
from triskel.calibration.footage.storage import load_footage, save_footage
from triskel.calibration.footage.sync import in_sync, lags_from_motion
from triskel.calibration.footage.synchronised import calibrate_synchronised
from triskel.calibration.footage.types import BoardFootage, CameraBoards, Shots

__all__ = [
    "BoardFootage",
    "CameraBoards",
    "CameraLags",
    "CornerMotion",
    "InStep",
    "Shots",
    "StillShots",
    "ViewDelays",
    "at_one_moment",
    "calibrate_in_step",
    "calibrate_synchronised",
    "choose_shots",
    "choose_views",
    "corner_motion",
    "in_sync",
    "lags_from_motion",
    "lags_from_residuals",
    "load_footage",
    "merge_still",
    "save_footage",
    "speeds_px",
    "view_delays",
]
