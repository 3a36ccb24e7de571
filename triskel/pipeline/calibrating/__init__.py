"""Calibration with recordings and sessions: what `triskel calibrate` and `triskel rig check` do.

footage = find_boards("videos", load_boards("board.yaml"))     # every board in every camera
result = rig_from_boards(footage)                             # lenses, poses, error in mm, checks
write_board_calibration("calibration", result)                # rig.yaml, report.html
"""

from triskel.pipeline.calibrating.boards import (
    BoardCalibration,
    RigRequest,
    open_footage,
    rig_from_boards,
)
from triskel.pipeline.calibrating.footage import find_boards
from triskel.pipeline.calibrating.lenses import lenses_from_boards, say_warnings
from triskel.pipeline.calibrating.people import Refined, refine_session, write_people_calibration
from triskel.pipeline.calibrating.results import keep_footage, write_board_calibration, write_lenses
from triskel.pipeline.calibrating.world_request import WorldRequest, change_world

__all__ = [
    "BoardCalibration",
    "Refined",
    "RigRequest",
    "WorldRequest",
    "change_world",
    "find_boards",
    "keep_footage",
    "lenses_from_boards",
    "open_footage",
    "refine_session",
    "rig_from_boards",
    "say_warnings",
    "write_board_calibration",
    "write_lenses",
    "write_people_calibration",
]
