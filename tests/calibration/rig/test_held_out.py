from importlib import import_module

import numpy as np
import pytest

from triskel.calibration.boards import BoardView, edges
from triskel.calibration.rig import calibrate_rig, held_out
from triskel.errors import InputError
from triskel.projection import project_rig
from triskel.rigid import Rigid
from triskel.triangulate import triangulate_points


def forget_poses(rig):
    return [camera.replace(cam_from_world=Rigid.identity()) for camera in rig]


def test_without_noise_distances_and_shapes_are_exact(rig, scene):
    shots = scene.shots_of(rig, 16)
    found = held_out(shots, forget_poses(rig), scene.BOARD)
    assert found.folds == 4
    assert len(found.distance_mm) > 500
    np.testing.assert_allclose(found.distance_mm, 80.0, atol=1e-9)
    assert np.abs(found.distance_error_mm).max() < 1e-3
    assert found.shape_error_mm.max() < 1e-3
    assert set(found.shot) == {s for s, shot in enumerate(shots) if len(shot) > 1}
    assert set(found.pair_shot) == set(found.shot)


def test_errors_are_those_of_the_noise_and_medians_say_so(rig, scene):
    found = held_out(scene.shots_of(rig, 24, noise_px=0.3, outliers=0.01), forget_poses(rig), scene.BOARD)
    # Two corners of 0.3 px at 3 m and f = 900 px are 1 mm each in one view; several views and two corners: about 1 mm.
    assert 0.2 < found.median_mm < 1.2
    assert found.median_percent == pytest.approx(100 * found.median_mm / 80, rel=1e-9)
    assert abs(found.bias_percent) < 0.1
    assert found.rms_mm > found.median_mm


def test_wrong_lenses_show_in_the_distances(rig, scene):
    wrong = [c.replace(dist=np.array([0.15, 0.0, 0.0, 0.0, 0.0])) for c in forget_poses(rig)]
    assert held_out(scene.shots_of(rig, 24), wrong, scene.BOARD).median_percent > 0.2


def test_each_fold_measures_as_a_calibration_that_never_saw_its_shots(rig, scene):
    shots = [shot for shot in scene.shots_of(rig, 24, noise_px=0.3) if len(shot) > 1]
    found = held_out(shots, forget_poses(rig), scene.BOARD, folds=2)
    stretches = np.array_split(np.arange(len(shots)), 4)  # two a fold
    rest = [shots[s] for s in np.concatenate(stretches[1::2])]
    fresh = calibrate_rig(rest, forget_poses(rig), scene.BOARD).rig
    shot = shots[4]
    xy = np.full((4, 40, 2), np.nan)
    for i, camera in enumerate(rig):
        if camera.name in shot:
            xy[i, shot[camera.name].ids] = shot[camera.name].xy
    X = triangulate_points(fresh, xy).X
    pairs = edges(scene.BOARD)
    lengths = 1000 * np.linalg.norm(X[pairs[:, 0]] - X[pairs[:, 1]], axis=1)
    errors = found.distance_error_mm[found.pair_shot == 4]
    np.testing.assert_allclose(np.sort(errors), np.sort(lengths[np.isfinite(lengths)] - 80), atol=0.02)


def test_neighbours_in_time_are_held_out_together(rig, scene):
    shots = scene.shots_of(rig, 32, near=2)
    allowed = []

    def cameras_of(usable):
        allowed.append(usable)
        return forget_poses(rig)

    found = held_out(shots, forget_poses(rig), scene.BOARD, folds=4, cameras_of=cameras_of)
    tested = ~np.array(allowed)
    assert tested.shape == (4, len(shots))
    assert tested.sum(axis=0).max() == 1
    # Two stretches each, so that at most four shots have a neighbour that was used.
    assert (np.diff(tested.astype(int), axis=1, prepend=0, append=0) == 1).sum(axis=1).tolist() == [2] * 4
    assert tested[:, found.shot].all(axis=1).sum() == 0
    assert tested[:, found.shot].any(axis=0).all()
    assert not tested[:, 32:].any()  # close-ups for the lenses, in no stretch


def test_lenses_are_those_that_do_not_know_the_boards(rig, scene):
    shots = scene.shots_of(rig, 24, noise_px=0.1)
    wrong = [c.replace(dist=np.array([0.15, 0.0, 0.0, 0.0, 0.0])) for c in forget_poses(rig)]
    plain = held_out(shots, forget_poses(rig), scene.BOARD)
    nested = held_out(shots, forget_poses(rig), scene.BOARD, cameras_of=lambda usable: wrong[::-1])
    assert nested.median_percent > 2 * plain.median_percent
    assert nested.median_percent == pytest.approx(held_out(shots, wrong, scene.BOARD).median_percent, rel=0.05)
    assert (plain.lenses_held_out, nested.lenses_held_out) == (False, True)


def test_a_fold_whose_lenses_are_refused_is_left_out(rig, scene):
    def cameras_of(usable):
        if not usable[0]:
            raise InputError("too few views")
        return forget_poses(rig)

    shots = scene.shots_of(rig, 24)
    found = held_out(shots, forget_poses(rig), scene.BOARD, cameras_of=cameras_of)
    assert found.folds == 3
    assert 0 not in found.shot
    assert len(found.distance_mm) > 300


def test_one_shot_cannot_be_held_out(rig, scene):
    where = Rigid.from_rotvec([0.3, 0.2, 0.1], [0.05, 0.02, 1.0])
    xy = project_rig(rig, where.apply(scene.BOARD.corners))
    shots = [{c.name: BoardView(np.arange(40), xy[i]) for i, c in enumerate(rig)}]
    found = held_out(shots, forget_poses(rig), scene.BOARD)
    assert found.folds == 0
    assert len(found.distance_error_mm) == 0
    assert np.isnan([found.median_mm, found.median_percent, found.rms_mm, found.bias_percent]).all()


def test_fewer_than_two_folds_are_refused(rig, scene):
    with pytest.raises(InputError, match="folds is at least 2, got 1"):
        held_out(scene.shots_of(rig, 5), rig, scene.BOARD, folds=1)


def test_a_fold_without_a_corner_that_two_cameras_see_measures_nothing():
    module = import_module("triskel.calibration.rig.held_out")  # the function has the same name
    empty = module._Points(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 3)), np.zeros((0, 3)))
    assert len(module._measure(empty, [], {}).distance_mm) == 0
