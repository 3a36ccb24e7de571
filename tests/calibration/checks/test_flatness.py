"""A board that is bent or stretched is found by cameras that see it from several sides; a flat one is left alone."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from triskel.calibration import calibrate_intrinsics, calibrate_rig
from triskel.calibration.checks.flatness import board_shapes, check_flatness


@dataclass(frozen=True, eq=False)
class Misshapen:
    """The corners of a board as they stand in truth."""

    corners: np.ndarray


@pytest.fixture
def filmed(scene, rig_of):
    """Return a function: calibrates from a board of some shape that is taken for flat, lenses included or as given."""

    def film(*, bow_m=0.0, stretch=0.0, given=False, refine=True, n=60):
        flat = scene.BOARD
        corners = np.array(flat.corners)
        x = (corners - corners.mean(axis=0))[:, 0]
        corners[:, 0] += stretch * x
        corners[:, 2] -= bow_m * (x / np.abs(x).max()) ** 2
        truth = rig_of(4)
        scene.BOARD = Misshapen(corners)
        try:
            shots = scene.shots_of(truth, n, noise_px=0.3, near=0 if given else 20, seed=3)
        finally:
            scene.BOARD = flat
        cameras = truth.cameras
        if not given:
            cameras = tuple(
                calibrate_intrinsics(
                    [shot[c.name] for shot in shots if c.name in shot], flat, size_wh=c.size_wh, name=c.name
                ).camera
                for c in truth
            )
        return calibrate_rig(shots, cameras, flat, refine_intrinsics=refine and not given), truth

    return film


def focal_too_long(calibration, truth):
    return float(np.median([a.K[0, 0] / b.K[0, 0] - 1 for a, b in zip(calibration.rig, truth, strict=True)]))


@pytest.mark.parametrize("given", [True, False])
def test_a_flat_board_is_left_alone(filmed, scene, given):
    calibration, _ = filmed(given=given)
    assert check_flatness(calibration, scene.BOARD) == []
    (shape,) = board_shapes(calibration, scene.BOARD)
    assert shape.bow_m < 0.0003
    assert shape.bow_sigmas < 4
    assert shape.stretch < 0.0005


def test_a_bent_board_that_lenses_came_from_is_an_error_and_says_how_far_it_bends(filmed, scene):
    calibration, truth = filmed(bow_m=0.003, refine=False)
    (finding,) = check_flatness(calibration, scene.BOARD)
    (shape,) = board_shapes(calibration, scene.BOARD)
    assert shape.bow_m == pytest.approx(0.003, rel=0.3)
    assert focal_too_long(calibration, truth) > 0.01
    assert shape.focal == pytest.approx(focal_too_long(calibration, truth), rel=0.4)
    assert (finding.severity, finding.code) == ("error", "bent-board")
    assert f"bent by about {1000 * shape.bow_m:.1f} mm over the 560 mm" in finding.message
    assert "too long" in finding.message


def test_with_lenses_from_elsewhere_a_bent_board_is_a_warning(filmed, scene):
    calibration, _ = filmed(bow_m=-0.003, given=True)
    (finding,) = check_flatness(calibration, scene.BOARD)
    assert (finding.severity, finding.code) == ("warning", "bent-board")
    assert "focal" not in finding.message
    (shape,) = board_shapes(calibration, scene.BOARD)
    assert shape.bow_m == pytest.approx(0.003, rel=0.15)


def test_a_board_stretched_one_way_is_told_from_a_bent_one(filmed, scene):
    calibration, _ = filmed(stretch=0.01)
    (finding,) = check_flatness(calibration, scene.BOARD)
    assert (finding.severity, finding.code) == ("warning", "stretched-board")
    (shape,) = board_shapes(calibration, scene.BOARD)
    assert shape.stretch == pytest.approx(0.01, rel=0.2)


def test_boards_are_judged_apart_and_named(filmed, scene):
    calibration, _ = filmed(bow_m=0.003, given=True)
    other = replace(scene.BOARD, name="other")
    boards = [scene.BOARD if s % 2 else other for s in range(len(calibration.shot_rms_px))]
    findings = check_flatness(calibration, boards)
    assert len(findings) == 2
    assert any("'other'" in finding.message for finding in findings)


def test_too_few_shots_say_nothing(filmed, scene):
    calibration, _ = filmed(bow_m=0.003, given=True, n=6)
    assert check_flatness(calibration, scene.BOARD) == []
    assert board_shapes(calibration, scene.BOARD) == []
