import importlib.util
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from triskel import Rig
from triskel.calibration.boards import Board, BoardView
from triskel.calibration.intrinsics import IntrinsicsResult, calibrate_intrinsics
from triskel.calibration.report import CalibrationNumbers, gather_numbers
from triskel.calibration.rig import HeldOut, RigCalibration, calibrate_rig, held_out


class Recording(NamedTuple):
    """What 4 cameras with 0.3 px of noise saw of a board, and what became of it; shot 0 lay on the floor."""

    board: Board
    truth: Rig
    shots: list
    intrinsics: dict[str, IntrinsicsResult]
    calibration: RigCalibration
    held_out: HeldOut

    def calibrated(self, shots, cameras=None) -> RigCalibration:
        return calibrate_rig(shots, cameras or self.truth, self.board, floor_shot=0)


@pytest.fixture(scope="session")
def recording(scene) -> Recording:
    spec = importlib.util.spec_from_file_location("calibration_rigs", Path(__file__).parents[1] / "conftest.py")
    rigs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rigs)
    truth = rigs.make_rig(4)
    shots = scene.shots_of(truth, 40, noise_px=0.3, near=24, flat_first=True)
    intrinsics = {
        camera.name: calibrate_intrinsics(
            [shot[camera.name] for shot in shots if camera.name in shot],
            scene.BOARD,
            size_wh=camera.size_wh,
            name=camera.name,
        )
        for camera in truth
    }
    cameras = [result.camera for result in intrinsics.values()]
    calibration = calibrate_rig(shots, cameras, scene.BOARD, floor_shot=0)
    return Recording(scene.BOARD, truth, shots, intrinsics, calibration, held_out(shots, cameras, scene.BOARD))


@pytest.fixture(scope="session")
def numbers(recording) -> CalibrationNumbers:
    """Return the numbers of the rig alone, its lenses taken as given."""
    return gather_numbers(calibration=recording.calibration, held_out=recording.held_out, boards=[recording.board])


@pytest.fixture(scope="session")
def changed():
    """Return a function that gives the shots with one camera's views put through a function; None removes a view."""

    def change(shots, name, function):
        result = []
        for s, shot in enumerate(shots):
            new = {other: view for other, view in shot.items() if other != name}
            if name in shot:
                view = function(s, shot[name])
                if view is not None and len(view.ids) >= 6:
                    new[name] = BoardView(np.asarray(view.ids), np.asarray(view.xy))
            result.append(new)
        return result

    return change
