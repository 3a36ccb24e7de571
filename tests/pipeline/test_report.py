"""The folder with the quality report, from a session on disk."""

import json
import logging
import re

import cv2
import numpy as np
import pytest

from triskel import Camera, JobError, Rig, Rigid
from triskel.motion import Detections2D
from triskel.pipeline import write_triangulation_report
from triskel.pipeline.results import write_results
from triskel.projection import project_rig
from triskel.session import CameraEntry, Session, SessionInfo
from triskel.skeleton import get_skeleton
from triskel.triangulate import triangulate_people

BODY = get_skeleton("body_25")
NAMES = ("north", "east", "south", "west")
FILES = ["report.html", "summary.txt", "report.json", "people.png", "joints.png", "reprojection.png", "limbs.png"]


def make_rig():
    K = np.array([[1000.0, 0, 639.5], [0, 1000.0, 479.5], [0, 0, 1]])
    cameras = []
    for i, name in enumerate(NAMES):
        angle = np.pi / 2 * i + 0.2
        eye = np.array([4 * np.cos(angle), 4 * np.sin(angle), 1.5])
        z = (np.array([0, 0, 1.0]) - eye) / np.linalg.norm(np.array([0, 0, 1.0]) - eye)
        x = np.cross(z, (0, 0, 1.0)) / np.linalg.norm(np.cross(z, (0, 0, 1.0)))
        R = np.stack([x, np.cross(z, x), z])
        cameras.append(Camera(name=name, size_wh=(1280, 960), K=K, cam_from_world=Rigid(R, -R @ eye)))
    return Rig(tuple(cameras))


def make_session(path, *, people=True, moved_px=0.0):
    F, rig, rng = 30, make_rig(), np.random.default_rng(0)
    body = rng.uniform((-0.3, -0.2, 0.1), (0.3, 0.2, 1.8), (25, 3))
    X = body + 0.4 * np.sin(np.arange(F) / 9)[:, None, None] * np.array([1, 0.5, 0])
    xy = np.moveaxis(project_rig(rig, X), 0, 1)[:, :, None] + rng.normal(0, 0.5, (F, 4, 1, 25, 2))
    xy[:, 1, ..., 1] += moved_px
    keypoints = np.concatenate([xy, np.full((*xy.shape[:-1], 1), 0.9)], axis=-1)
    if not people:
        keypoints[..., :2], keypoints[..., 2] = np.nan, 0
    session = Session.create(path, SessionInfo(fps=30, cameras=[CameraEntry(name=name) for name in NAMES]))
    session.save_rig(rig)
    session.save_detections(Detections2D(BODY, NAMES, keypoints))
    return session, triangulate_people(rig, session.detections(), np.arange(F) / 30), rig


def test_page_text_numbers_and_pictures_are_written_and_nothing_else(tmp_path):
    session, people, rig = make_session(tmp_path / "walk")
    stale = session.path / "triangulation" / "old.png"
    stale.parent.mkdir()
    stale.write_bytes(b"")
    files = write_triangulation_report(session, people, rig, warnings=["clocks < drift"])
    assert [path.name for path in files] == FILES
    assert sorted(path.name for path in (session.path / "triangulation").iterdir()) == sorted(FILES)
    assert not [path for path in session.path.iterdir() if path.name.startswith(".")]
    numbers = json.loads(files[2].read_text())
    assert [one["person"] for one in numbers["people"]] == [0]
    assert numbers["people"][0]["found_percent"] == 100
    assert numbers["warnings"] == []
    page = files[0].read_text()
    assert "walk: people in 3D" in page
    assert "clocks &lt; drift" in page
    assert 'href="report.json"' in page
    assert "The 4 cameras agree" in files[1].read_text()
    assert all(cv2.imread(str(path)).std() > 1 for path in files[3:])


def test_a_camera_that_moved_is_warned_of_on_the_page_and_in_the_log(tmp_path, caplog):
    session, people, rig = make_session(tmp_path / "walk", moved_px=40.0)
    with caplog.at_level(logging.WARNING):
        files = write_triangulation_report(session, people, rig)
    (doubt,) = json.loads(files[2].read_text())["warnings"]
    assert doubt.startswith("camera east disagrees: ")
    assert doubt in caplog.messages
    assert doubt in files[1].read_text()
    assert '<tr class="suspect"><td>east</td>' in files[0].read_text()


def test_a_session_without_people_has_a_report_that_says_why(tmp_path):
    session, people, rig = make_session(tmp_path / "empty", people=False)
    files = write_triangulation_report(session, people, rig)
    assert [path.name for path in files] == FILES[:3]
    text = files[1].read_text()
    assert "Nobody was found in 3D in 30 frames." in text
    assert "nobody in frames 0-29: no camera detected anybody" in text


def test_the_folder_stays_as_it_was_when_writing_fails(tmp_path, monkeypatch):
    session, people, rig = make_session(tmp_path / "walk")
    before = session.path / "triangulation" / "report.html"
    before.parent.mkdir()
    before.write_text("the last one")
    monkeypatch.setattr("triskel.viewer.quality_plots.draw_joints", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_triangulation_report(session, people, rig)
    assert before.read_text() == "the last one"
    assert [path.name for path in before.parent.iterdir()] == ["report.html"]
    assert sorted(path.name for path in session.path.iterdir() if path.name.startswith(".")) == []


def test_the_page_of_a_processed_session_has_the_same_sections(tmp_path, monkeypatch):
    def no_display(*_args, **_options):
        raise JobError("no drawing here")

    session, people, _ = make_session(tmp_path / "walk", moved_px=40.0)
    session.save_motion(people.motion, raw=people.raw)
    monkeypatch.setattr("triskel.viewer.render_image", no_display)
    write_results(session, people)
    alone, page = ((session.path / name).read_text() for name in ("triangulation/report.html", "report.html"))
    headings = re.findall("<h2>(.*?)</h2>", alone)
    assert {"People over time", "Cameras", "Errors by camera and joint", "Joints", "Limb lengths"} <= set(headings)
    assert re.findall("<h2>(.*?)</h2>", page) == headings
    for text in ("camera east disagrees", "no drawing here", "data:image/png;base64,"):
        assert page.count(text) == alone.count(text) > 0
    assert 'href="triangulation/report.html"' in page
