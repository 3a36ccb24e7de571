"""The world of a rig: where the floor is, which way is up, how large a metre is.

placed = place_on_board(rig, {"cam01": view, "cam02": view}, board)   # a board on the floor
placed = place_by_three(rig, load_floor_points("floor.yaml"))         # origin, a point on x, a point on the floor
placed = place_by_points(rig, load_scene_points("scene.yaml"))        # points with known places, scale included
placed = place_from_people(rig, motion)                               # feet on the floor, bodies upright
placed = scale_from_height(placed.rig, motion, 1.78)
placed.rig, placed.residual_mm, placed.messages
"""

from triskel.calibration.world.board import place_on_board, place_on_pose
from triskel.calibration.world.people import place_from_people
from triskel.calibration.world.placed import Placed, moved_points, moved_rig
from triskel.calibration.world.pnp import PlacedCameras, place_cameras
from triskel.calibration.world.points import place_by_points, place_by_three
from triskel.calibration.world.scale import (
    board_sizes,
    scale_by,
    scale_from_board,
    scale_from_height,
    scale_from_wand,
    statures,
)
from triskel.calibration.world.scene_file import FloorPoints, ScenePoint, load_floor_points, load_scene_points

__all__ = [
    "FloorPoints",
    "Placed",
    "PlacedCameras",
    "ScenePoint",
    "board_sizes",
    "load_floor_points",
    "load_scene_points",
    "moved_points",
    "moved_rig",
    "place_by_points",
    "place_by_three",
    "place_cameras",
    "place_from_people",
    "place_on_board",
    "place_on_pose",
    "scale_by",
    "scale_from_board",
    "scale_from_height",
    "scale_from_wand",
    "statures",
]
