import numpy as np
import pytest

from triskel import Rig
from triskel.calibration import check_rig, describe_rig
from triskel.calibration.checks import common_look_at, has_poses
from triskel.calibration.world import moved_rig
from triskel.rigid import Rigid


def with_first(rig, **changes):
    return Rig((rig.cameras[0].replace(**changes), *rig.cameras[1:]))


def only(rig):
    (finding,) = check_rig(rig)
    return finding


def with_focal_scaled(camera, factor):
    K = camera.K.copy()
    K[[0, 1], [0, 1]] *= factor
    return K


def test_sound_rig_has_no_findings(rig):
    assert check_rig(rig) == []


def test_camera_under_the_floor_is_an_error(rig):
    moved = Rig(tuple(c.replace(cam_from_world=c.cam_from_world @ Rigid(np.eye(3), [0, 0, 5.0])) for c in rig))
    findings = check_rig(moved)
    assert [f.camera for f in findings] == rig.names
    assert all(f.severity == "error" and "under the floor" in f.message for f in findings)


def test_cameras_inside_each_other_are_an_error(rig):
    found = only(with_first(rig, cam_from_world=rig["cam02"].cam_from_world))
    assert found.severity == "error"
    assert found.camera == "cam01, cam02"


def test_rotations_that_look_away_are_an_error(rig):
    turn = Rigid(np.diag([-1.0, 1, -1]), np.zeros(3))
    assert (
        "all cameras look away"
        in only(Rig(tuple(c.replace(cam_from_world=turn @ c.cam_from_world) for c in rig))).message
    )
    found = only(with_first(rig, cam_from_world=turn @ rig["cam01"].cam_from_world))
    assert found.camera == "cam01"


def test_parallel_axes_are_noticed(rig):
    cameras = [
        c.replace(cam_from_world=Rigid(rig["cam01"].cam_from_world.R, [0.3 * i, 0, 1])) for i, c in enumerate(rig)
    ]
    assert any("parallel" in finding.message for finding in check_rig(Rig(tuple(cameras))))


def test_principal_point_far_from_the_centre_is_a_warning(rig):
    K = rig["cam01"].K.copy()
    K[0, 2] += 300
    assert "principal point" in only(with_first(rig, K=K)).message


@pytest.mark.parametrize("factor", [64, 1 / 64])
def test_focal_length_in_the_wrong_unit_is_a_warning(rig, factor):
    findings = check_rig(with_first(rig, K=with_focal_scaled(rig["cam01"], factor), dist=np.zeros(5)))
    assert any("wrong unit" in finding.message for finding in findings)


def test_lens_that_folds_inside_the_image_is_found(rig):
    found = only(with_first(rig, dist=np.array([-0.9, 0, 0, 0, 0])))
    assert (found.severity, found.camera) == ("error", "cam01")
    assert "folds" in found.message


def test_single_camera_can_be_checked_and_described(rig):
    one = rig.select(["cam01"])
    assert check_rig(one) == []
    assert np.isnan(describe_rig(one)[0].look_at_distance_m)


def test_description_gives_known_geometry(rig):
    ideal = Rig(tuple(c.replace(dist=np.zeros(5)) for c in rig))
    np.testing.assert_allclose(common_look_at(ideal), [0, 0, 1], atol=1e-9)
    row = describe_rig(ideal)[0]
    assert row.fov_deg == pytest.approx(np.degrees(2 * np.arctan(640 / 901.3)), abs=0.01)
    assert row.look_at_distance_m == pytest.approx(np.hypot(3, 0.8))
    assert row.name == "cam01"


@pytest.mark.parametrize(("rotvec", "name"), [((-np.pi / 2, 0, 0), "y is up"), ((np.pi / 2, 0, 0), "-y is up")])
def test_world_with_another_axis_up_is_a_warning(rig, rotvec, name):
    turned = moved_rig(rig, Rigid.from_rotvec(rotvec, [0, 0, 9.0]))
    found = only(turned)
    assert (found.code, found.severity) == ("not-z-up", "warning")
    assert found.message.startswith(name)


def test_rig_that_is_upside_down_is_said_to_be(rig):
    findings = check_rig(moved_rig(rig, Rigid.from_rotvec([np.pi, 0, 0], [0, 0, 0])))
    assert {f.code for f in findings} == {"under-floor"}
    assert len(findings) == len(rig)
    assert all("upside down" in f.message for f in findings)


def test_rig_in_millimetres_is_named(rig):
    assert "unit" in {f.code for f in check_rig(moved_rig(rig, Rigid.identity(), scale=1000.0))}


def test_every_finding_has_a_code(rig):
    broken = with_first(rig, K=with_focal_scaled(rig["cam01"], 64), cam_from_world=rig["cam02"].cam_from_world)
    assert {f.code for f in check_rig(broken)} >= {"focal-unit", "same-place"}
    assert all(f.code for f in check_rig(broken))


def test_a_world_without_a_floor_is_one_warning_and_nothing_stands_under_it(rig):
    first = rig.cameras[0].cam_from_world.inverse
    found = only(Rig(tuple(c.replace(cam_from_world=c.cam_from_world @ first) for c in rig)))
    assert (found.code, found.severity, found.camera) == ("no-floor", "warning", "")
    assert found.message.endswith("no floor yet; see 'triskel calibrate world'")


def test_other_faults_are_found_without_a_floor_too(rig):
    first = rig.cameras[0].cam_from_world.inverse
    floorless = Rig(tuple(c.replace(cam_from_world=c.cam_from_world @ first) for c in rig))
    same = Rig((*floorless.cameras[:3], floorless.cameras[3].replace(cam_from_world=floorless["cam03"].cam_from_world)))
    assert [f.code for f in check_rig(same)] == ["same-place", "no-floor"]


def test_a_file_of_lenses_alone_is_said_to_be_one_and_nothing_else(rig):
    lenses = Rig(tuple(camera.replace(cam_from_world=Rigid.identity()) for camera in rig))
    assert [finding.code for finding in check_rig(lenses)] == ["no-poses"]
    assert not has_poses(lenses)
    assert has_poses(rig)
