"""Calibration boards: what they are, and how they are found in an image."""

from triskel.calibration.boards.board import Board, BoardView, PrintableBoard, check_names, edges
from triskel.calibration.boards.charuco import Charuco
from triskel.calibration.boards.chessboard import Chessboard
from triskel.calibration.boards.description import load_board, load_boards, save_boards
from triskel.calibration.boards.marker_grid import MarkerGrid

__all__ = [
    "Board",
    "BoardView",
    "Charuco",
    "Chessboard",
    "MarkerGrid",
    "PrintableBoard",
    "check_names",
    "edges",
    "load_board",
    "load_boards",
    "save_boards",
]
