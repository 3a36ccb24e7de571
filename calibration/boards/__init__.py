"""Calibration boards: what they are, and how they are found in an image."""

from triskel.calibration.boards.patterns import Board, BoardView, Charuco, Chessboard

__all__ = ["Board", "BoardView", "Charuco", "Chessboard"]
