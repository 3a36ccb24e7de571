"""A calibration in another world: the same cameras, boards and certainty, seen from elsewhere."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.rig.calibrate import RigCalibration
from triskel.calibration.rig.kernel import PER_CAMERA
from triskel.calibration.rig.uncertainty import RigUncertainty, centre_jacobian
from triskel.camera import Rig
from triskel.rigid import Rigid


def moved_calibration(calibration: RigCalibration, new_from_old: Rigid) -> RigCalibration:
    """Return a calibration whose world is another one; reprojection errors stay what they are.

    Args:
        calibration: the calibration.
        new_from_old: the new world from the present one; rigid, since the boards' size has set the scale.
    """
    old_from_new = new_from_old.inverse

    def moved(rig: Rig) -> Rig:
        return Rig(tuple(camera.replace(cam_from_world=camera.cam_from_world @ old_from_new) for camera in rig))

    return calibration._replace(
        rig=moved(calibration.rig),
        world_from_board={shot: new_from_old @ board for shot, board in calibration.world_from_board.items()},
        uncertainty=_moved_uncertainty(calibration.uncertainty, new_from_old, moved(calibration.uncertainty.rig)),
    )


def _moved_uncertainty(uncertainty: RigUncertainty, new_from_old: Rigid, rig: Rig) -> RigUncertainty:
    """Return the certainty in the new world.

    A pose errs as (R exp(d), t + e). In the new world the same error is d' = W d and e' = e + R [W^T w]_x d, where W
    and w are the rotation and translation of the new world from the old one.
    """
    W, w = new_from_old.R, new_from_old.t
    S = np.eye(len(uncertainty.covariance))
    for i, camera in enumerate(uncertainty.rig):
        at = i * PER_CAMERA
        S[at : at + 3, at : at + 3] = W
        S[at + 3 : at + 6, at : at + 3] = camera.cam_from_world.R @ _cross(W.T @ w)
    covariance = S @ uncertainty.covariance @ S.T
    centre = np.zeros((len(rig), 3))
    for i, camera in enumerate(rig):
        pose = slice(i * PER_CAMERA, i * PER_CAMERA + 6)
        J = centre_jacobian(camera.cam_from_world.R, camera.cam_from_world.t)
        centre[i] = np.diagonal(J @ covariance[pose, pose] @ J.T)
    return replace(uncertainty, rig=rig, covariance=covariance, centre_sigma_mm=1000 * np.sqrt(np.maximum(centre, 0)))


def _cross(v: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return [v]_x, the matrix of the cross product with v."""
    x, y, z = v
    return np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
