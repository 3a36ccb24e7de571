"""What makes a calibration weaker than its errors look, in words."""

import numpy as np
from numpy.typing import NDArray

from triskel.calibration.rig.adjust import Fit
from triskel.calibration.rig.bundle import CornerTable
from triskel.calibration.rig.kernel import PER_CAMERA, POSE, REFINED_DIST
from triskel.calibration.rig.uncertainty import RigUncertainty
from triskel.camera import Rig

LEAST_TILT_DEG = 10.0
"""Boards whose normals all lie within this of their mean direction count as parallel."""
_WORSE = 2.5
_MANY_OUTLIERS = 0.1
_SPOILT = 0.5
_VAGUE_MM = 10.0
_VAGUE_LENS = 0.01
_CHANGED = 0.03


def fit_warnings(
    given: Rig, rig: Rig, fit: Fit, table: CornerTable, index_of: list[int], uncertainty: RigUncertainty
) -> list[str]:
    """Say what is wrong with the solution `rig` of the cameras `given`: parallel boards, bad views, vague places."""
    return [
        *_parallel(rig, fit, table),
        *_held_lenses(rig, fit),
        *_doubtful_lenses(given, rig, fit, uncertainty),
        *_worse_cameras(rig, fit, table),
        *_spoilt_views(rig, fit, table, index_of),
        *_vague(rig, uncertainty),
    ]


def _parallel(rig: Rig, fit: Fit, table: CornerTable) -> list[str]:
    """Name boards that never tilt: for refined lenses in front of one camera, for poses among all cameras."""
    boards_z = fit.state.boards[:, [2, 5, 8]]
    views = np.bincount(table.view_shot, minlength=table.n_shots)
    common = boards_z[views >= 2]
    if len(common) > 1 and _spread_deg(common) < LEAST_TILT_DEG:
        return [
            f"the boards of all {len(common)} shared shots are nearly parallel (within {_spread_deg(common):.1f} deg): "
            "tilt the board in different directions"
        ]
    found = []
    for i, camera in enumerate(rig):
        # Turned into the camera; tilts of one board seen by different cameras do not help this one's lens.
        normals = boards_z[table.view_shot[table.view_camera == i]] @ camera.cam_from_world.R.T
        if fit.free[i, POSE:].any() and len(normals) and _spread_deg(normals) < LEAST_TILT_DEG:
            found.append(
                f"{camera.name} saw all boards at nearly the same tilt (within {_spread_deg(normals):.1f} deg), which "
                "cannot carry its focal length: tilt the board, or do not refine the intrinsics"
            )
    return found


def _held_lenses(rig: Rig, fit: Fit) -> list[str]:
    """Name lenses that stay although refining was asked for."""
    held = [c.name for i, c in enumerate(rig) if fit.free[:, POSE:].any() and not fit.free[i, POSE:].any()]
    if not held:
        return []
    return [
        f"the intrinsics of {', '.join(held)} are kept: lenses of more than {REFINED_DIST} coefficients are not refined"
    ]


def _doubtful_lenses(given: Rig, rig: Rig, fit: Fit, uncertainty: RigUncertainty) -> list[str]:
    """Name lenses that the refinement changed a lot, or that it knows badly.

    Of lenses that were kept, their own calibration has said it.
    """
    found = []
    for i, (before, after) in enumerate(zip(given, rig, strict=True)):
        if not fit.free[i, POSE:].any():
            continue
        change = float(after.K[0, 0] / before.K[0, 0] - 1)
        at = i * PER_CAMERA + POSE
        share = float(np.sqrt(uncertainty.covariance[at, at])) / float(after.K[0, 0])
        if abs(change) > _CHANGED:
            found.append(
                f"refining changed the focal length of {after.name} by {100 * change:+.1f} %: either it was wrong, or "
                "the board was not seen in all parts of the image, and then it is better kept"
            )
        elif share > _VAGUE_LENS:
            found.append(
                f"the focal length of {after.name} is known only to {100 * share:.1f} %: show the board closer and "
                "tilted in all parts of its image, or do not refine the intrinsics"
            )
    return found


def _worse_cameras(rig: Rig, fit: Fit, table: CornerTable) -> list[str]:
    """Name cameras whose corners err more than those of the others, or are often left out."""
    found = []
    camera = table.view_camera[table.row_view]
    share = 1 - np.bincount(camera, fit.kept, minlength=len(rig)) / np.maximum(
        np.bincount(camera, minlength=len(rig)), 1
    )
    noise = np.array([np.median(fit.weights.sigma_px[table.view_camera == i]) for i in range(len(rig))])
    for i, name in enumerate(rig.names):
        others = float(np.median(np.delete(noise, i)))
        if noise[i] > _WORSE * others:
            found.append(
                f"{name} fits worse than the others ({noise[i]:.2f} px against {others:.2f} px): check its intrinsics, "
                "its focus, and that its video is in step"
            )
        if share[i] > _MANY_OUTLIERS:
            found.append(f"{name}: {100 * share[i]:.0f} % of its corners were left out as misdetected")
    return found


def _spoilt_views(rig: Rig, fit: Fit, table: CornerTable, index_of: list[int]) -> list[str]:
    """Name views of shared shots most of whose corners were left out."""
    total = np.diff(table.first)
    share = 1 - np.diff(table.only(fit.kept).first) / np.maximum(total, 1)
    shared = np.bincount(table.view_shot, minlength=table.n_shots)[table.view_shot] > 1
    spoilt = np.flatnonzero((share > _SPOILT) & shared)
    if not len(spoilt):
        return []
    named = [f"{rig.names[table.view_camera[v]]} in shot {index_of[table.view_shot[v]]}" for v in spoilt[:5]]
    return [
        f"{len(spoilt)} of {shared.sum()} views do not fit what the other cameras saw in the same shot "
        f"({', '.join(named)}{' ...' if len(spoilt) > 5 else ''}): the board moved between the images, or it was "
        "misdetected"
    ]


def _vague(rig: Rig, uncertainty: RigUncertainty) -> list[str]:
    """Name cameras whose place is known badly."""
    sigma = np.linalg.norm(uncertainty.centre_sigma_mm, axis=1)
    return [
        f"{name} is known only to {s:.0f} mm: show it more boards together with other cameras"
        for name, s in zip(rig.names, sigma, strict=True)
        if s > _VAGUE_MM
    ]


def _spread_deg(normals: NDArray[np.float64]) -> float:
    """Return the largest angle of unit normals (n, 3) from their mean direction."""
    mean = np.linalg.svd(normals)[2][0]
    return float(np.degrees(np.arccos(np.clip(np.abs(normals @ mean), 0, 1)).max()))
