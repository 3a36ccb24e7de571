"""Where in the image, how tilted and how near the board was seen: what a calibration rests on."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel import lens
from triskel.calibration.intrinsics.solve import Corners, Fit

CELLS = 10
"""Cells along the image's longer side; they are nearly square. The report draws the same."""
_CORNER_SHARE, _EDGE_SHARE = 0.2, 0.1
"""How far from a corner or an edge of the image, in its width or height, counts as there."""


class Coverage(NamedTuple):
    """What was seen of the board by one camera.

    Attributes:
        counts: (rows, columns) board corners in each cell of the image.
        image_share: share of the cells with at least one board corner.
        radius_share: distance of the outermost board corner from the principal point, over that of the image's
            furthest corner.
        unseen: which corners and edges of the image no board corner came near, such as `top left` or `right`.
        tilt_deg: (V,) angle between the board and the image plane in each view used.
        distance_m: (V,) distance of the board's middle in each view used.
        n_poses: different poses among the views; views of a board at rest are one.
    """

    counts: NDArray[np.int64]
    image_share: float
    radius_share: float
    unseen: tuple[str, ...]
    tilt_deg: NDArray[np.float64]
    distance_m: NDArray[np.float64]
    n_poses: int


def coverage_of(
    fit: Fit, corners: Corners, *, use: NDArray[np.bool_], size_wh: tuple[int, int], groups: NDArray[np.int64]
) -> Coverage:
    """Return the coverage by the corners used; `groups` (V,) are views that show the same pose."""
    xy = corners.xy[use]
    views = np.unique(corners.view[use])
    w, h = size_wh
    columns, rows = (max(2, round(CELLS * side / max(w, h))) for side in (w, h))
    counts, _, _ = np.histogram2d(xy[:, 1], xy[:, 0], bins=(rows, columns), range=((-0.5, h - 0.5), (-0.5, w - 0.5)))
    centre = fit.packed[[lens.CX, lens.CY]]
    outer = np.array([[-0.5, -0.5], [w - 0.5, -0.5], [-0.5, h - 0.5], [w - 0.5, h - 0.5]])
    radius = np.linalg.norm(xy - centre, axis=1).max() / np.linalg.norm(outer - centre, axis=1).max()
    return Coverage(
        counts=counts.astype(np.int64),
        image_share=float((counts > 0).mean()),
        radius_share=float(radius),
        unseen=_unseen((xy + 0.5) / (w, h)),
        tilt_deg=np.degrees(np.arccos(np.clip(np.abs(fit.R[views, 2, 2]), 0.0, 1.0))),
        distance_m=np.linalg.norm(fit.t[views], axis=1),
        n_poses=len(np.unique(groups[views])),
    )


def _unseen(share: NDArray[np.float64]) -> tuple[str, ...]:
    """Return the parts of the image without a point; `share` (N, 2) is the place in the image from 0 to 1."""
    x, y = share.T
    near = {"left": x, "right": 1 - x, "top": y, "bottom": 1 - y}
    parts = {
        f"{one} {other}": np.maximum(near[one], near[other]) < _CORNER_SHARE
        for one in ("top", "bottom")
        for other in ("left", "right")
    }
    parts |= {side: distance < _EDGE_SHARE for side, distance in near.items()}
    return tuple(part for part, inside in parts.items() if not inside.any())
