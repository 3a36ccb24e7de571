"""Where the cameras are and what their lenses do: calibration from boards or people, other tools' files, checks.

board = Charuco(squares_xy=(9, 6), square_m=0.08, marker_m=0.06)      # or load_boards("board.yaml")
views = [board.detect(image_rgb) for image_rgb in images]             # images: (H, W, 3) uint8
camera = calibrate_intrinsics(views, board, size_wh=(1920, 1080), name="cam01").camera
result = calibrate_rig(shots, cameras, board, floor_shot=0)           # shots: list of {camera name: BoardView}
held_out(shots, cameras, board).median_mm                             # on shots that were not used
for finding in check_rig(result.rig): ...
write_rig(result.rig, "rig.yaml")
better = refine_from_people(result.rig, detections, time_s).rig

Rooms: boards, footage (what recordings of boards come to), intrinsics, rig, world (floor, up, scale), people, checks,
report, formats. Reading videos is not done here: see `triskel.pipeline.calibrating`.
"""

from triskel.calibration.boards import (
    Board,
    BoardView,
    Charuco,
    Chessboard,
    MarkerGrid,
    load_boards,
    save_boards,
)
from triskel.calibration.checks import (
    CameraRow,
    Finding,
    check_against_people,
    check_rig,
    check_shots,
    describe_rig,
    has_black_bars,
    match_image_sizes,
)
from triskel.calibration.formats import FORMATS, load_rig, write_rig
from triskel.calibration.intrinsics import IntrinsicsResult, calibrate_intrinsics
from triskel.calibration.people import (
    PeopleCalibration,
    RefineOptions,
    refine_from_people,
    rig_from_people,
)
from triskel.calibration.rig import HeldOut, RigCalibration, RigUncertainty, calibrate_rig, held_out

__all__ = [
    "FORMATS",
    "Board",
    "BoardView",
    "CameraRow",
    "Charuco",
    "Chessboard",
    "Finding",
    "HeldOut",
    "IntrinsicsResult",
    "MarkerGrid",
    "PeopleCalibration",
    "RefineOptions",
    "RigCalibration",
    "RigUncertainty",
    "calibrate_intrinsics",
    "calibrate_rig",
    "check_against_people",
    "check_rig",
    "check_shots",
    "describe_rig",
    "has_black_bars",
    "held_out",
    "load_boards",
    "load_rig",
    "match_image_sizes",
    "refine_from_people",
    "rig_from_people",
    "save_boards",
    "write_rig",
]
