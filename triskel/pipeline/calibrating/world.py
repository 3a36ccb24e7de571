"""Where a rig's world is and how large: from recordings and files to the placing functions of the calibration."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.boards import Board
from triskel.camera import Rig
from triskel.errors import InputError
from triskel.motion import Motion3D
from triskel.progress import Progress, silent
from triskel.session import Session

if TYPE_CHECKING:
    from triskel.calibration.world import Placed
    from triskel.calibration.world.board import BoardAxis, Origin

PEOPLE_M = (0.7, 2.5)
"""Heights of people: children who stand to the tallest."""
WAND_COLUMNS = ("frame", "camera", "marker", "x_px", "y_px")


def place_on_floor_board(
    rig: Rig,
    source: str | Path,
    boards: Sequence[Board],
    *,
    origin: "Origin" = "corner",
    x_axis: "BoardAxis" = "x",
    height_m: float = 0.0,
    progress: Progress = silent,
) -> "Placed":
    """Make a board that lies on the floor in a recording, or in one picture a camera, the rig's world.

    Raises:
        InputError: several boards are described, or the rig's cameras do not see the board.
    """
    from triskel.calibration.world import place_on_board
    from triskel.pipeline.calibrating.footage import find_boards

    if len(boards) != 1:
        raise InputError(f"the floor needs one board, {len(boards)} are described: give a file with that one alone")
    footage = find_boards(Path(source), boards, cameras=rig.names, progress=progress)
    shots = footage.shots()
    return place_on_board(rig, shots.shots, boards[0], origin=origin, x_axis=x_axis, height_m=height_m)


def people_in_world(rig: Rig, session: Session) -> "tuple[Placed, Motion3D]":
    """Return a session's people as a rig sees them, whatever its world is; nothing is saved.

    What a body can be is known in metres, so a rig in other units, or of no known scale, is first brought to where
    people are about as tall as people are.

    Returns:
        The rig, scaled if need be, and the people in its world.

    Raises:
        InputError: the rig lacks a camera, or no scale makes people of those who were seen.
        SessionError: there are no 2D keypoints.
    """
    from triskel.calibration.world import scale_by, statures
    from triskel.pipeline.calibrating.people import rig_for
    from triskel.triangulate import triangulate_people

    detections, (time_s, _) = session.detections(), session.frames()
    fitting = rig_for(session, rig)
    for factor in (1.0, 0.001, 1000.0, 0.1, 10.0, 0.01, 100.0):
        placed = scale_by(fitting, factor)
        motion = triangulate_people(placed.rig, detections, time_s).motion
        heights = statures(motion)[0]
        heights = heights[np.isfinite(heights)]
        if len(heights) and PEOPLE_M[0] <= np.median(heights) <= PEOPLE_M[1]:
            return placed, motion
    raise InputError(
        f"{session.path}: nobody is seen from shoulders to ankles by cameras that agree; is the rig that of this "
        "recording?"
    )


def read_wand(path: str | Path, rig: Rig) -> NDArray[np.float64]:
    """Read the pixels of a wand's two markers: CSV with the columns frame, camera, marker (0 or 1), x_px, y_px.

    Returns:
        (F, C, 2, 2) raw px; NaN where a marker was not seen.

    Raises:
        InputError: a column is missing, a value is none, or a camera is unknown; the message names the line.
    """
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as CSV: {str(error).splitlines()[0]}") from error
    if not rows or not set(WAND_COLUMNS) <= set(rows[0]):
        raise InputError(f"{path}: needs the columns {', '.join(WAND_COLUMNS)}, and lines below them")
    index = {name: c for c, name in enumerate(rig.names)}
    values: dict[tuple[int, int, int], tuple[float, float]] = {}
    for number, row in enumerate(rows, start=2):
        try:
            frame, marker = int(row["frame"]), int(row["marker"])
            x, y = float(row["x_px"]), float(row["y_px"])
        except (TypeError, ValueError) as error:
            raise InputError(f"{path}: line {number}: {error}") from error
        if row["camera"] not in index or marker not in (0, 1) or not np.isfinite([x, y]).all():
            known = ", ".join(rig.names)
            raise InputError(
                f"{path}: line {number}: camera is one of {known}, marker 0 or 1, and pixels are finite numbers"
            )
        values[frame, index[row["camera"]], marker] = x, y
    frames = {frame: f for f, frame in enumerate(sorted({key[0] for key in values}))}
    xy = np.full((len(frames), len(rig), 2, 2), np.nan)
    for (frame, camera, marker), place in values.items():
        xy[frames[frame], camera, marker] = place
    return xy
