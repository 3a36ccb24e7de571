"""Where the cameras are and what their lenses do: calibration from boards, other tools' files, checks.

board = Charuco(squares_xy=(9, 6), square_m=0.08, marker_m=0.06)
views = [board.detect(image_rgb) for image_rgb in images]             # images: (H, W, 3) uint8
camera = calibrate_intrinsics(views, board, size_wh=(1920, 1080), name="cam01").camera
result = calibrate_rig(shots, cameras, board, floor_shot=0)           # shots: list of {camera name: BoardView}
for finding in check_rig(result.rig): ...
write_rig(result.rig, "rig.yaml")
"""

from triskel.calibration.boards import Board, BoardView, Charuco, Chessboard
from triskel.calibration.checks import (
    CameraRow,
    Finding,
    check_rig,
    describe_rig,
    has_black_bars,
    match_image_sizes,
)
from triskel.calibration.formats import FORMATS, load_rig, write_rig
from triskel.calibration.intrinsics import IntrinsicsResult, calibrate_intrinsics
from triskel.calibration.rig import RigCalibration, calibrate_rig

__all__ = [
    "FORMATS",
    "Board",
    "BoardView",
    "CameraRow",
    "Charuco",
    "Chessboard",
    "Finding",
    "IntrinsicsResult",
    "RigCalibration",
    "calibrate_intrinsics",
    "calibrate_rig",
    "check_rig",
    "describe_rig",
    "has_black_bars",
    "load_rig",
    "match_image_sizes",
    "write_rig",
]
