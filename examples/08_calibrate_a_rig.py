"""Calibrate a rig from a board, say in millimetres how good it is, and put the floor where the board lay.

Writes `calibration/` into the current folder: rig, report, and the rig for COLMAP. Corners are made up here; with
pictures they come from `board.detect(image_rgb)`, or from whole recordings by `triskel calibrate rig`.
"""

import numpy as np
from scipy.spatial.transform import Rotation

from triskel import Camera, Rig, Rigid, project
from triskel.calibration import (
    BoardView,
    Charuco,
    calibrate_intrinsics,
    calibrate_rig,
    check_shots,
    held_out,
    write_rig,
)
from triskel.calibration.report import write_calibration_report

BOARD = Charuco(squares_xy=(9, 6), square_m=0.08, marker_m=0.06)
NOISE_PX, SIZE_WH = 0.2, (1280, 720)
RNG = np.random.default_rng(4)


def camera_at(name, angle):
    centre = np.array([3 * np.cos(angle), 3 * np.sin(angle), 2.0])
    forward = np.array([0, 0, 1.0]) - centre
    forward /= np.linalg.norm(forward)
    right = np.array([-np.sin(angle), np.cos(angle), 0])
    R = np.stack([right, np.cross(forward, right), forward])
    K = np.array([[905.0, 0, 642], [0, 904, 357], [0, 0, 1]])
    return Camera(
        name=name, size_wh=SIZE_WH, K=K, dist=np.array([-0.12, 0.06, 0, 0]), cam_from_world=Rigid(R, -R @ centre)
    )


def seen_by(cameras, world_from_board):
    """Return what each camera sees of the board (its face is -z): noisy corners inside the image."""
    shot = {}
    for camera in cameras:
        facing = (camera.centre - world_from_board.t) @ world_from_board.R[:, 2] < -0.5
        xy = project(camera, world_from_board.apply(BOARD.corners - BOARD.corners.mean(axis=0)))
        inside = np.flatnonzero(((xy > 5) & (xy < np.array(SIZE_WH) - 5)).all(axis=1))
        if facing and len(inside) >= 8:
            shot[camera.name] = BoardView(inside, xy[inside] + RNG.normal(0, NOISE_PX, (len(inside), 2)))
    return shot


def main():
    truth = Rig(tuple(camera_at(f"cam{i + 1}", angle) for i, angle in enumerate((0.0, 1.1, 2.2, 4.0))))
    turned = [
        Rotation.from_euler("x", 180, degrees=True) * Rotation.from_rotvec(RNG.normal(0, 0.5, 3)) for _ in range(60)
    ]
    shots = [seen_by(truth, Rigid(np.diag([1.0, -1, -1]), np.array([0, 0, 0])))]  # first it lies on the floor
    for R in turned:  # then it is moved about, facing up more or less, as cameras look down
        shots.append(seen_by(truth, Rigid(R.as_matrix(), RNG.uniform([-0.8, -0.8, 0.2], [0.8, 0.8, 1.5]))))
    for camera in truth:  # and close to each camera, into the corners of its image
        for _ in range(25):
            at = np.r_[RNG.uniform([-0.6, -0.33], [0.6, 0.33]), 1] * RNG.uniform(0.6, 1.3)
            R = Rotation.from_rotvec(RNG.normal(0, 0.4, 3)).as_matrix()
            shots.append(seen_by([camera], camera.cam_from_world.inverse @ Rigid(R, at)))

    lenses = {
        name: calibrate_intrinsics([s[name] for s in shots if name in s], BOARD, size_wh=SIZE_WH, name=name)
        for name in truth.names
    }
    for name, found in lenses.items():
        model = next(score.name for score in found.models if score.chosen)
        print(f"{name}: {model}, f {found.camera.K[0, 0]:.1f} +- {found.sigma[0]:.1f} px, RMS {found.rms_px:.2f} px")

    cameras = [found.camera for found in lenses.values()]
    result = calibrate_rig(shots, cameras, BOARD, floor_shot=0, refine_intrinsics=True)
    measured = held_out(shots, cameras, BOARD, refine_intrinsics=True)
    print(f"boards that were not used: {measured.median_mm:.2f} mm ({measured.median_percent:.2f} %)")
    print(f"a point 1 m up: +- {result.uncertainty.point_sigma_mm([0.0, 0.0, 1.0]):.2f} mm from the calibration")

    findings = check_shots(shots, cameras, BOARD, rig=result.rig)
    assert not [finding for finding in findings if finding.severity == "error"], findings
    gaps = [np.linalg.norm(a.centre - result.rig.cameras[0].centre) for a in result.rig]
    true_gaps = [np.linalg.norm(a.centre - truth.cameras[0].centre) for a in truth]
    assert np.allclose(gaps, true_gaps, atol=0.003)
    assert all(abs(camera.centre[2] - 2) < 0.005 for camera in result.rig)  # above the floor

    page = write_calibration_report("calibration", intrinsics=lenses, calibration=result, held_out=measured,
                                    boards=[BOARD], findings=findings)  # fmt: skip
    write_rig(result.rig, "calibration/rig.yaml")
    write_rig(result.rig, "calibration/colmap", format="colmap")
    print(page)


if __name__ == "__main__":
    main()
