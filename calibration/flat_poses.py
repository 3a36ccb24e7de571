"""Poses of a flat board in front of one camera: the two that look almost alike."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray


class FlatPoses(NamedTuple):
    """Up to two poses `cam_from_board` of one flat board, the better first: R (k, 3, 3), t (k, 3) m."""

    R: NDArray[np.float64]
    t: NDArray[np.float64]


def flat_poses(X: NDArray[np.float64], ideal_xy: NDArray[np.float64]) -> FlatPoses:
    """Return both poses of a flat board that look almost alike (IPPE, Collins and Bartoli 2014); none if it fails.

    The wrong one is recognised by other cameras and shots, not by its error in one image.

    Args:
        X: (n, 3) corners on the board, z = 0, m; four or more.
        ideal_xy: (n, 2) where they are seen, without the lens and at focal length 1.
    """
    try:
        _, rvecs, tvecs, _ = cv2.solvePnPGeneric(
            np.ascontiguousarray(X)[:, None],
            np.ascontiguousarray(ideal_xy)[:, None],
            np.eye(3),
            None,
            flags=cv2.SOLVEPNP_IPPE,
        )
    except cv2.error:  # all corners on one line
        return FlatPoses(np.zeros((0, 3, 3)), np.zeros((0, 3)))
    R = np.array([cv2.Rodrigues(rvec)[0] for rvec in rvecs]).reshape(-1, 3, 3)
    t = np.array(tvecs, dtype=np.float64).reshape(-1, 3)
    good = np.isfinite(t).all(axis=1) & (t[:, 2] > 0) & np.isfinite(R).all(axis=(1, 2))
    return FlatPoses(R[good], t[good])
