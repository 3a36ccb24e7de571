import numpy as np
import pytest
import yaml

from triskel import Detections2D, Rig, Session, SessionError
from triskel.session import CameraEntry, SessionInfo
from triskel.skeleton import COCO_18


def info_of(*videos, **changes):
    cameras = [CameraEntry(name=f"cam{i}", video=video) for i, video in enumerate(videos)]
    return SessionInfo(**({"fps": 29.97, "cameras": cameras} | changes))


@pytest.fixture
def session(tmp_path):
    return Session.create(tmp_path / "s", info_of("videos/a.mp4", None))


def test_a_session_opens_as_it_was_created(session):
    again = Session.open(session.path)
    assert again.info == session.info
    assert again.cameras == ["cam0", "cam1"]
    assert not again.has_videos


def test_a_session_keeps_each_table_it_is_given(session, camera_of):
    rng = np.random.default_rng(0)
    keypoints = rng.uniform(0.1, 1, (3, 2, 1, 18, 3))
    session.save_detections(Detections2D(COCO_18, ("cam0", "cam1"), keypoints))
    session.save_frames(np.arange(3) / 29.97, np.array([[0, 0], [1, 1], [2, -1]]))
    session.save_rig(Rig((camera_of(name="cam0"), camera_of(name="cam1"))))
    again = Session.open(session.path)
    np.testing.assert_allclose(again.detections().keypoints, keypoints, rtol=1e-7, atol=0)
    np.testing.assert_array_equal(again.frames()[1], [[0, 0], [1, 1], [2, -1]])
    assert again.rig().names == ["cam0", "cam1"]


def test_a_stage_that_runs_again_replaces_its_note(session):
    session = session.with_run("detect", 1.5, {"short_side": 368}).with_run("triangulate", 0.1, {})
    session = session.with_run("detect", 2.5, {"scales": [0.7, 1.0]})
    runs = Session.open(session.path).info.runs
    assert [(run.stage, run.seconds) for run in runs] == [("triangulate", 0.1), ("detect", 2.5)]
    assert runs[1].settings == {"scales": [0.7, 1.0]}


@pytest.mark.parametrize("video", ["../other/a.mp4", "videos/../../a.mp4", "/etc/passwd"])
def test_a_video_outside_the_session_is_refused_when_created_and_when_opened(session, video):
    with pytest.raises(SessionError, match="stay inside the session"):
        Session.create(session.path.with_name("t"), info_of(video))
    file = session.path / "session.yaml"
    file.write_text(file.read_text().replace("videos/a.mp4", video))
    with pytest.raises(SessionError, match="stay inside the session"):
        Session.open(session.path)


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "-x", "a\nb", "a b"])
def test_a_camera_name_that_is_no_safe_file_name_is_refused(tmp_path, name):
    with pytest.raises(SessionError, match="camera names use letters"):
        Session.create(tmp_path / "s", info_of(cameras=[CameraEntry(name=name)]))
    assert not (tmp_path / "s").exists()


def test_equal_camera_names_are_refused(tmp_path):
    with pytest.raises(SessionError, match="unique"):
        Session.create(tmp_path, info_of(cameras=[CameraEntry(name="a"), CameraEntry(name="a")]))


def test_a_session_is_not_created_over_another(session):
    with pytest.raises(SessionError, match="is a session already"):
        Session.create(session.path, info_of("b.mp4"))
    assert Session.open(session.path).info == session.info


def test_missing_parts_are_named(session, tmp_path):
    with pytest.raises(SessionError, match="no such folder"):
        Session.open(tmp_path / "none")
    with pytest.raises(SessionError, match=r"no session\.yaml"):
        Session.open(tmp_path)
    with pytest.raises(SessionError, match=r"no rig\.yaml; give the calibration with --rig"):
        session.rig()
    with pytest.raises(SessionError, match=r"a\.mp4: the video of camera cam0 is missing"):
        session.video_paths()
    (session.path / "videos").mkdir()
    (session.path / "videos/a.mp4").touch()
    with pytest.raises(SessionError, match="camera cam1 has no video"):
        session.video_paths()


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("fps", 0, "fps"),
        ("fps", "fast", "fps"),
        ("cameras", [], "cameras"),
        ("colour", "red", "colour"),
        ("version", 2, "version"),
        ("cameras", [{"name": "a", "size": 5}], r"cameras\.0\.size"),
    ],
)
def test_a_mistake_in_session_yaml_is_named_by_its_key_in_one_line(session, key, value, words):
    file = session.path / "session.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | {key: value}))
    with pytest.raises(SessionError, match=words) as caught:
        Session.open(session.path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"- a\n- b\n"])
def test_a_damaged_session_yaml_is_refused_in_one_line(session, content):
    (session.path / "session.yaml").write_bytes(content)
    with pytest.raises(SessionError) as caught:
        Session.open(session.path)
    assert "\n" not in str(caught.value)
