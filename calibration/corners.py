"""What lenses and rigs are told by corners: what is left over between them and the cameras, and which to trust."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.boards import BoardView

MIN_CORNERS = 8
"""Fewer corners say too little about a pose and a lens at once."""
OUTLIER_SIGMAS = 6.0
"""A corner further off than this many robust standard deviations is left out of the second pass."""
MIN_OUTLIER_PX = 1.0
BAD_VIEW_FACTOR = 5.0
"""A view whose median error is this many times that of the others is left out whole: moved, or numbered wrongly."""


class CornerErrors(NamedTuple):
    """Every corner observed, one row each, in one long table.

    Attributes:
        camera: (n,) index of the camera in the rig.
        shot: (n,) index of the shot among those given.
        corner: (n,) id on the board.
        xy: (n, 2) observed, raw px.
        residual_px: (n, 2) observed minus projected, px; NaN where the corner would lie behind the camera.
        kept: (n,) False for corners left out as misdetected.
    """

    camera: NDArray[np.int64]
    shot: NDArray[np.int64]
    corner: NDArray[np.int64]
    xy: NDArray[np.float64]
    residual_px: NDArray[np.float64]
    kept: NDArray[np.bool_]


def is_usable(view: BoardView, corners: NDArray[np.float64], *, min_corners: int = MIN_CORNERS) -> bool:
    """Say whether a view has enough corners, not all on one line, to fix a pose."""
    if len(view.ids) < min_corners or not np.isfinite(view.xy).all():
        return False
    spread = corners[view.ids] - corners[view.ids].mean(axis=0)
    singular = np.linalg.svd(spread, compute_uv=False)
    return bool(singular[1] > 0.05 * singular[0])


def outlier_limit_px(errors: NDArray[np.float64]) -> float:
    """Return the error, px, above which a corner counts as misdetected; from the median, so outliers do not move it."""
    return max(MIN_OUTLIER_PX, OUTLIER_SIGMAS * noise_px(errors))


def noise_px(errors: NDArray[np.float64]) -> float:
    """Return the noise of a coordinate, px, that explains the median of Euclidean errors (n,), px."""
    # For 2D Gaussian noise the median distance is 1.1774 sigma (Rayleigh distribution).
    return float(np.median(errors)) / 1.1774


def bad_views(errors: NDArray[np.float64], view: NDArray[np.int64], *, n_views: int) -> NDArray[np.bool_]:
    """Return the views (V,) that fit so much worse than the others that no corner of them is to be trusted."""
    medians = np.array([np.median(errors[view == v]) if (view == v).any() else 0.0 for v in range(n_views)])
    limit = max(2 * MIN_OUTLIER_PX, BAD_VIEW_FACTOR * float(np.median(medians)))
    return np.asarray(medians > limit)
