"""Cameras next to each other are named, with what their angle costs; others are not."""

import numpy as np
import pytest

from triskel import Camera, Rig
from triskel.calibration.checks.weak_geometry import check_baselines
from triskel.projection import project
from triskel.rigid import Rigid
from triskel.triangulate import triangulate_points

MIDDLE = np.array([0.0, 0.0, 1.0])


def camera(name, angle_deg, distance_m=2.5):
    a = np.radians(angle_deg)
    forward = -np.array([np.cos(a), np.sin(a), 0.0])
    right = np.cross(forward, [0, 0, 1.0])
    R = np.stack([right, np.cross(forward, right), forward])
    K = np.array([[1000.0, 0, 640], [0, 1000, 360], [0, 0, 1]])
    centre = MIDDLE - distance_m * forward
    return Camera(name=name, size_wh=(1280, 720), K=K, dist=np.zeros(0), cam_from_world=Rigid(R, -R @ centre))


def rig(*angles_deg):
    return Rig(tuple(camera(f"cam{k}", angle) for k, angle in enumerate(angles_deg)))


@pytest.mark.parametrize("angles", [(0, 20), (0, 8, 90), (0, 150), (0, 8, 16)])
def test_cameras_that_differ_enough_are_fine(angles):
    assert check_baselines(rig(*angles), MIDDLE) == []


@pytest.mark.parametrize("angles", [(0, 8), (0, 4, 8), (0, 1e-7)])
def test_cameras_next_to_each_other_are_named(angles):
    (finding,) = check_baselines(rig(*angles), MIDDLE)
    assert (finding.severity, finding.code) == ("warning", "narrow-baseline")
    assert finding.camera == f"cam0, cam{len(angles) - 1}"  # the widest pair: even that one is too narrow
    assert f"only {angles[-1]:.0f} degrees apart" in finding.message


def test_cameras_that_face_each_other_are_on_one_line_too():
    (finding,) = check_baselines(rig(0, 175), MIDDLE)
    assert "face each other across the volume to 5 degrees" in finding.message


def test_what_the_angle_costs_is_what_triangulation_makes_of_the_noise():
    pair = rig(0, 8)
    (finding,) = check_baselines(pair, MIDDLE)
    rng = np.random.default_rng(0)
    xy = np.array([project(one, np.repeat(MIDDLE[None], 4000, axis=0)) for one in pair])
    X = triangulate_points(pair, xy + rng.normal(0, 5, xy.shape)).X
    along = np.nanstd((X - MIDDLE) @ [np.cos(np.radians(4)), np.sin(np.radians(4)), 0])
    said = float(finding.message.split("worth ")[1].split(" mm")[0])
    assert said == pytest.approx(1000 * along, rel=0.15)


def test_a_wide_pair_counts_only_where_both_see_the_place():
    away = camera("away", 90)
    turned = away.replace(cam_from_world=Rigid(np.diag([-1.0, 1, -1]) @ away.cam_from_world.R, [0, 0, -2.5]))
    (finding,) = check_baselines(Rig((*rig(0, 8).cameras, turned)), MIDDLE)
    assert finding.camera == "cam0, cam1"


def test_one_place_that_is_seen_from_two_sides_is_enough():
    near = MIDDLE + np.array([1.5, 0, 0])  # closer by, the same two cameras see it from further apart
    assert check_baselines(rig(0, 12), MIDDLE)
    assert check_baselines(rig(0, 12), np.array([MIDDLE, near])) == []


@pytest.mark.parametrize("middle", [np.full(3, np.nan), np.zeros((0, 3)), np.array([0, 0, 500.0])])
def test_where_nobody_looks_nothing_is_said(middle):
    assert check_baselines(rig(0, 8), middle) == []
    assert check_baselines(rig(0), MIDDLE) == []
