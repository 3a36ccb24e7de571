"""Which frames to calibrate from: few, sharp, and different from each other.

Every frame of a video would take minutes and gain nothing: neighbours look alike, and what moves is blurred and, in
cameras that do not expose at the same instant, at another place in each. Frames are taken greedily, the next one
always the one that adds most: far from those taken in place, size and tilt, and slow.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.boards import BoardView
from triskel.calibration.footage.motion import speeds_px
from triskel.calibration.footage.types import BoardFootage, CameraBoards, Shots

MOST_VIEWS, MOST_SHOTS = 80, 120
SLOW_PX = 2.0
"""Motion, px a frame set, at which a frame counts half."""
GRID_XY = (12, 8)
"""Cells of the image; a view that shows corners where none was yet is worth more."""
_NEW_CELL = 0.15
_SINGLE = 0.02  # worth of a shot that one camera sees, against 1 for a new pair


def choose_views(boards: CameraBoards, *, most: int = MOST_VIEWS, fewest_corners: int = 8) -> NDArray[np.int64]:
    """Choose the views that a camera's intrinsics are best made from.

    Args:
        boards: where the camera saw one board.
        most: number of views.
        fewest_corners: views with fewer are left out.

    Returns:
        Rising indices into `boards.views`.
    """
    usable = np.array([len(view.ids) >= fewest_corners for view in boards.views], dtype=bool)
    features = _features(boards)
    worth = _slowness(speeds_px(boards)) * usable
    cells = _cells(boards.views, boards.size_wh)
    covered = np.zeros(cells.shape[1], dtype=bool)
    far = np.full(len(boards), 1.0)
    taken: list[int] = []
    while len(taken) < most:
        gain = worth * (far + _NEW_CELL * (cells & ~covered).sum(axis=1))
        if not gain.max(initial=0) > 0:
            break
        best = int(gain.argmax())
        taken.append(best)
        worth[best] = 0
        covered |= cells[best]
        far = np.minimum(far, np.linalg.norm(features - features[best], axis=1) + 1e-6)
    return np.array(sorted(taken), dtype=np.int64)


def choose_shots(footage: BoardFootage, *, most: int = MOST_SHOTS, singles: bool = True) -> BoardFootage:
    """Choose the shots that a rig is best made from: slow, different, and of pairs of cameras that have few yet.

    Args:
        footage: of all cameras.
        most: number of shots.
        singles: also take shots that one camera sees, where there is room: they help the intrinsics.

    Returns:
        The footage of the chosen shots alone. How the boards move is to be asked of the whole footage.
    """
    shots = footage.shots()
    place, slow = _by_shot(footage, shots)
    seen = np.isfinite(place[..., 0])
    a, b = np.triu_indices(len(footage.names), 1)
    pairs = seen[:, a] & seen[:, b]
    worth = np.where(seen.sum(axis=1) > 1, 1.0, _SINGLE if singles else 0.0) * slow
    count, far = np.zeros(len(a)), np.full(len(shots.shots), 1.0)
    taken: list[int] = []
    while len(taken) < most:
        wanted = pairs @ (1 / (1 + count)) if len(a) else np.zeros(len(far))
        gain = worth * np.where(pairs.any(axis=1), wanted, 1.0) * (0.1 + far)
        if not gain.max(initial=0) > 0:
            break
        best = int(gain.argmax())
        taken.append(best)
        worth[best] = 0
        count += pairs[best]
        far = np.minimum(far, _apart(place, best))
    number = {board.name: i for i, board in enumerate(footage.boards)}
    kept = {(int(shots.sets[i]), number[shots.boards[i].name]) for i in taken}
    cameras = [
        one[np.array([(moment, one.board) in kept for moment in one.sets.tolist()], dtype=bool)]
        for one in footage.cameras
    ]
    return replace(footage, cameras=tuple(cameras))


def _by_shot(footage: BoardFootage, shots: Shots) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each shot's features in every camera (S, C, 5), NaN where it does not see it, and its slowness (S,)."""
    number = {board.name: i for i, board in enumerate(footage.boards)}
    row = {
        (int(moment), number[board.name]): s
        for s, (moment, board) in enumerate(zip(shots.sets, shots.boards, strict=True))
    }
    place = np.full((len(shots.shots), len(footage.names), 5), np.nan)
    slow = np.ones(len(shots.shots))
    for one in footage.cameras:
        if len(one):
            at = np.array([row[moment, one.board] for moment in one.sets.tolist()])
            place[at, footage.names.index(one.camera)] = _features(one)
            slow[at] = np.minimum(slow[at], _slowness(speeds_px(one)))
    return place, slow


def _apart(place: NDArray[np.float64], best: int) -> NDArray[np.float64]:
    """Return how far each shot is from one of them: the mean over the cameras that see both, 1 where none does."""
    distance = np.linalg.norm(place - place[best], axis=2)
    both = np.isfinite(distance)
    return np.where(both.any(axis=1), np.where(both, distance, 0).sum(axis=1) / np.maximum(both.sum(axis=1), 1), 1.0)


def _slowness(speed_px: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 for a board at rest, towards 0 for a fast one; where nobody knows, as for the typical frame."""
    known = speed_px[np.isfinite(speed_px)]
    speed = np.where(np.isfinite(speed_px), speed_px, np.median(known) if len(known) else 0.0)
    return np.asarray(1 / (1 + (speed / SLOW_PX) ** 2))


def _features(boards: CameraBoards) -> NDArray[np.float64]:
    """Return where a board is, how large and how tilted, as numbers (V, 5) of which 1 is a great difference."""
    w, h = boards.size_wh
    rows = [_shape(view) for view in boards.views]
    x, y, size, tilt_x, tilt_y = np.array(rows).reshape(-1, 5).T
    return np.stack([x / w, y / h, np.log(np.maximum(size, 1.0)), tilt_x, tilt_y], axis=1)


def _shape(view: BoardView) -> tuple[float, float, float, float, float]:
    """Return middle, px, size, px, and the two numbers that say how the corners' spread is squeezed by tilt."""
    xy = view.xy - view.xy.mean(axis=0)
    xx, yy, xy_ = (
        float(value) for value in ((xy[:, 0] ** 2).mean(), (xy[:, 1] ** 2).mean(), (xy[:, 0] * xy[:, 1]).mean())
    )
    total = max(xx + yy, 1e-9)
    x, y = (float(value) for value in view.xy.mean(axis=0))
    return x, y, total**0.5, (xx - yy) / total, 2 * xy_ / total


def _cells(views: tuple[BoardView, ...], size_wh: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which cells of the image (V, cells) each view has corners in."""
    nx, ny = GRID_XY
    cells = np.zeros((len(views), nx * ny), dtype=bool)
    for v, view in enumerate(views):
        column = np.clip(((view.xy[:, 0] + 0.5) * nx / size_wh[0]).astype(int), 0, nx - 1)
        line = np.clip(((view.xy[:, 1] + 0.5) * ny / size_wh[1]).astype(int), 0, ny - 1)
        cells[v, line * nx + column] = True
    return cells
