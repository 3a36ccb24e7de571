"""Each fault of a rig or a recording is provoked on walking people, and named; the true rig is left in peace."""

import numpy as np
import pytest

from triskel import Rig
from triskel.calibration.checks import check_against_people
from triskel.calibration.checks.fit import exchanged
from triskel.calibration.world import moved_rig
from triskel.errors import ConfigError, InputError
from triskel.exchange import read_openpose_json
from triskel.motion import Detections2D
from triskel.rigid import Rigid


@pytest.fixture(scope="module")
def recording(walker):
    def of(rig):
        return walker.seen_by(rig, walker.walk(70))

    return of


def codes(findings):
    return [(finding.code, finding.camera) for finding in findings]


def changed(detections, camera, change):
    keypoints = detections.keypoints.copy()
    keypoints[:, detections.cameras.index(camera)] = change(keypoints[:, detections.cameras.index(camera)])
    return Detections2D(detections.skeleton, detections.cameras, keypoints)


def bumped(rig, name, degrees, shift_m=0.02):
    turn = Rigid.from_rotvec(np.radians(degrees) * np.array([0.3, 0.95, 0.0]), [0, 0, shift_m])
    return Rig(tuple(c.replace(cam_from_world=turn @ c.cam_from_world) if c.name == name else c for c in rig))


def test_true_rig_has_no_findings(rig, recording):
    assert check_against_people(rig, *recording(rig)) == []
    two = rig.select(["cam01", "cam02"])
    assert check_against_people(rig, *recording(two)) == []


@pytest.mark.parametrize("pair", [("cam01", "cam02"), pytest.param(("cam02", "cam04"), marks=pytest.mark.slow)])
def test_exchanged_videos_are_named(rig, recording, pair):
    findings = check_against_people(exchanged(rig, *pair), *recording(rig))
    assert codes(findings) == [("swapped-cameras", ", ".join(pair))]


@pytest.mark.parametrize("degrees", [5.0, pytest.param(1.0, marks=pytest.mark.slow)])
def test_bumped_camera_is_named_with_its_angle(rig, recording, degrees):
    (finding,) = check_against_people(bumped(rig, "cam03", degrees), *recording(rig))
    assert (finding.code, finding.camera, finding.severity) == ("bumped-camera", "cam03", "error")
    said = float(finding.message.split("by about ")[1].split(" degrees")[0])
    assert said == pytest.approx(degrees, abs=0.3)


@pytest.mark.parametrize(("frames", "word"), [(4, "late"), pytest.param(-7, "early", marks=pytest.mark.slow)])
def test_late_and_early_cameras_are_named(rig, recording, frames, word):
    detections, time_s = recording(rig)
    late = changed(detections, "cam02", lambda seen: np.roll(seen, frames, axis=0))
    (finding,) = check_against_people(rig, late, time_s)
    assert (finding.code, finding.camera) == ("late-camera", "cam02")
    said = float(finding.message.split("about ")[1].split(" frames")[0])
    assert said == pytest.approx(abs(frames), abs=0.3)
    assert f") {word}:" in finding.message


@pytest.mark.slow
def test_one_smaller_video_is_named(rig, recording):
    detections, time_s = recording(rig)
    smaller = changed(
        detections, "cam04", lambda seen: np.concatenate([(seen[..., :2] + 0.5) / 1.5 - 0.5, seen[..., 2:]], -1)
    )
    (finding,) = check_against_people(rig, smaller, time_s)
    assert (finding.code, finding.camera) == ("image-size", "cam04")
    assert "0.67 times" in finding.message


@pytest.mark.slow
def test_videos_that_are_all_smaller_are_named(rig, recording):
    larger = Rig(tuple(camera.resized((2560, 1440)) for camera in rig))
    (finding,) = check_against_people(larger, *recording(rig))
    assert (finding.code, finding.camera) == ("image-size", "")
    assert "0.5 times" in finding.message


def test_larger_and_turned_videos_leave_the_calibrated_image(rig, recording):
    detections, time_s = recording(rig)
    double = changed(detections, "cam01", lambda seen: seen * (2.0, 2.0, 1.0))
    assert codes(check_against_people(rig, double, time_s)) == [("image-size", "cam01")]
    turned = changed(detections, "cam01", lambda seen: np.stack([719 - seen[..., 1], seen[..., 0], seen[..., 2]], -1))
    assert codes(check_against_people(rig, turned, time_s)) == [("turned-video", "cam01")]


@pytest.mark.slow
def test_mirrored_video_is_named(rig, recording):
    detections, time_s = recording(rig)
    flips = list(detections.skeleton.flips)
    mirrored = changed(detections, "cam02", lambda seen: ((1279, 0, 0) + seen * (-1.0, 1.0, 1.0))[..., flips, :])
    assert codes(check_against_people(rig, mirrored, time_s)) == [("mirrored-video", "cam02")]


@pytest.mark.parametrize(("scale", "severity"), [(0.1, "error"), (1000.0, "error"), (0.65, "warning")])
def test_wrong_square_size_makes_dwarfs_and_giants(rig, recording, scale, severity):
    findings = check_against_people(moved_rig(rig, Rigid.identity(), scale=scale), *recording(rig))
    assert codes(findings) == [("wrong-scale", "")]
    assert findings[0].severity == severity
    said = float(findings[0].message.split("people are ")[1].split(" m tall")[0])
    assert said == pytest.approx(1.75 * scale, rel=0.03)


@pytest.mark.parametrize(
    ("rotvec", "axis"), [((-np.pi / 2, 0, 0), "y"), ((np.pi, 0, 0), "-z"), ((np.pi / 2, 0, 0), "-y")]
)
def test_worlds_whose_z_is_not_up_are_named(rig, recording, rotvec, axis):
    world = moved_rig(rig, Rigid.from_rotvec(rotvec, [0, 0, 0]))
    (finding,) = check_against_people(world, *recording(rig))
    assert finding.code == "not-z-up"
    assert f"along {axis}," in finding.message


def test_a_world_without_a_floor_says_nothing_about_posture_and_feet(rig, recording):
    assert check_against_people(moved_rig(rig, rig.cameras[0].cam_from_world), *recording(rig)) == []


def test_floor_that_nobody_walks_on_is_named(rig, recording):
    high = moved_rig(rig, Rigid(np.eye(3), [0, 0, 0.8]))
    (finding,) = check_against_people(high, *recording(rig))
    assert finding.code == "floor-height"
    assert "above the floor" in finding.message


@pytest.mark.slow
def test_rig_of_another_recording_does_not_fit(rig_of, recording):
    rng = np.random.default_rng(5)
    rig = rig_of()
    other = Rig(
        tuple(
            c.replace(cam_from_world=Rigid.from_rotvec(rng.normal(0, 0.5, 3), rng.normal(0, 1, 3)) @ c.cam_from_world)
            for c in rig
        )
    )
    findings = check_against_people(other, *recording(rig))
    assert "error" in [finding.severity for finding in findings]


def test_empty_and_impossible_input_is_refused(rig, recording):
    detections, time_s = recording(rig)
    with pytest.raises(InputError, match="two cameras or more"):
        check_against_people(rig, detections.select(["cam01"]), time_s)
    with pytest.raises(InputError, match="times of shape"):
        check_against_people(rig, detections, time_s[:-1])
    nothing = Detections2D(detections.skeleton, detections.cameras, np.full((9, 4, 0, 25, 3), np.nan))
    with pytest.raises(InputError, match="nowhere seen by two cameras"):
        check_against_people(rig, nothing, np.arange(9) / 30)
    none = Detections2D(detections.skeleton, detections.cameras, np.zeros((0, 4, 1, 25, 3)))
    with pytest.raises(InputError, match="nowhere seen"):
        check_against_people(rig, none, np.zeros(0))
    with pytest.raises(ConfigError, match="no camera 'cam03'"):
        check_against_people(rig.select(["cam01", "cam02"]), detections, time_s)


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.parametrize("name", ["single", "multi"])
def test_real_recordings_with_their_own_rig_have_no_findings_and_exchanged_ones_do(shared, name):
    from triskel.calibration import load_rig
    from triskel.samples import get_sample

    rig = load_rig(get_sample(name) / "Calib.qca.txt")
    detections = read_openpose_json(shared / "data/rigs/pose2sim_openpose_json" / name, rig.names)
    time_s = np.arange(len(detections.keypoints)) / 60
    assert check_against_people(rig, detections, time_s) == []
    found = check_against_people(exchanged(rig, "cam01", "cam03"), detections, time_s)
    assert codes(found) == [("swapped-cameras", "cam01, cam03")]
    found = check_against_people(bumped(rig, "cam02", 4.0), detections, time_s)
    assert codes(found) == [("bumped-camera", "cam02")]
    late = changed(detections, "cam02", lambda seen: np.roll(seen, 8, axis=0))
    assert ("late-camera", "cam02") in codes(check_against_people(rig, late, time_s))
