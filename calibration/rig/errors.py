"""What is left over between the corners as observed and as the calibrated cameras would see them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


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
