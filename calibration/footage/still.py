"""Boards that stand still while the cameras run: many frames, one shot, and less noise."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.boards import BoardView
from triskel.calibration.footage.types import BoardFootage, Shots

STILL_PX = 0.7
"""Corners that stay this close to where they were, in every camera, have not moved: twice their noise."""
FEWEST_FRAMES = 3
_OUTLIER_MAD = 3.0 * 1.4826


class StillShots(NamedTuple):
    """Shots of which some are averages.

    Attributes:
        shots: one for each board and time that it stood still, and one for each frame set in between.
        frames: (S,) how many frame sets each shot is made of.
    """

    shots: Shots
    frames: NDArray[np.int64]

    def describe(self) -> str:
        """Say how much was averaged, in one line."""
        many = self.frames > 1
        return f"{int(self.frames[many].sum())} frames of boards at rest make {int(many.sum())} shots"


def merge_still(footage: BoardFootage, *, still_px: float = STILL_PX, fewest: int = FEWEST_FRAMES) -> StillShots:
    """Average the frames in which a board stands still into one shot each.

    A board counts as still from the first frame set on for as long as no camera that sees it sees it away from there.
    A camera that loses sight of it in between (somebody walks past) ends nothing.

    Args:
        footage: of all cameras.
        still_px: how far its corners may be from where they were, px, median over the corners of one camera.
        fewest: frame sets that make a pause; shorter ones stay single shots.
    """
    rows: list[tuple[int, int, dict[str, BoardView], int]] = []
    for board, cameras in enumerate(footage.per_board()):
        moments = np.unique(np.concatenate([one.sets for one in cameras])) if cameras else np.zeros(0, np.int64)
        seen = [dict(zip(one.sets.tolist(), one.views, strict=True)) for one in cameras]
        for run in _runs(moments.tolist(), seen, still_px):
            parts = [run] if len(run) >= fewest else [[moment] for moment in run]
            for part in parts:
                views = {
                    one.camera: _average([mine[m] for m in part if m in mine])
                    for one, mine in zip(cameras, seen, strict=True)
                }
                rows.append((part[0], board, {name: view for name, view in views.items() if len(view.ids)}, len(part)))
    rows.sort(key=lambda row: row[:2])
    shots = Shots(
        [views for _, _, views, _ in rows],
        [footage.boards[board] for _, board, _, _ in rows],
        np.array([moment for moment, _, _, _ in rows], dtype=np.int64),
    )
    return StillShots(shots, np.array([count for _, _, _, count in rows], dtype=np.int64))


def _runs(moments: list[int], seen: list[dict[int, BoardView]], still_px: float) -> list[list[int]]:
    """Return the moments in groups between which the board has moved."""
    runs: list[list[int]] = []
    start: list[BoardView | None] = [None] * len(seen)
    for moment in moments:
        now = [mine.get(moment) for mine in seen]
        shifts = [shift for a, b in zip(start, now, strict=True) if (shift := _shift_px(a, b)) is not None]
        if runs and shifts and max(shifts) <= still_px:
            runs[-1].append(moment)
            start = [a if a is not None else b for a, b in zip(start, now, strict=True)]
        else:
            runs.append([moment])
            start = now
    return runs


def _shift_px(before: BoardView | None, after: BoardView | None) -> float | None:
    """Return the median distance between the corners that two views have in common; None without any."""
    if before is None or after is None:
        return None
    _, a, b = np.intersect1d(before.ids, after.ids, return_indices=True)
    return float(np.median(np.hypot(*(after.xy[b] - before.xy[a]).T))) if len(a) else None


def _average(views: list[BoardView]) -> BoardView:
    """Return the mean of each corner without its outliers; corners in less than half of the views are left out."""
    if len(views) < 2:
        return views[0] if views else BoardView.empty()
    ids = np.unique(np.concatenate([view.ids for view in views]))
    xy = np.full((len(views), len(ids), 2), np.nan)
    for v, view in enumerate(views):
        xy[v, np.searchsorted(ids, view.ids)] = view.xy
    often = np.isfinite(xy[..., 0]).sum(axis=0) * 2 >= len(views)
    ids, xy = ids[often], xy[:, often]
    off = np.linalg.norm(xy - np.nanmedian(xy, axis=0), axis=2)
    good = off <= np.maximum(_OUTLIER_MAD * np.nanmedian(off, axis=0), 1e-6)
    mean = np.where(good[..., None], xy, 0).sum(axis=0) / good.sum(axis=0)[:, None]
    return BoardView(ids.astype(np.int64), mean)
