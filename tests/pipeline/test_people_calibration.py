"""Sessions refined from their people: what is checked, said, written and kept."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from triskel import Rig, Rigid, load_rig
from triskel.calibration.world import scale_by
from triskel.commands.measure import ring
from triskel.exchange import write_openpose_json
from triskel.motion import Detections2D
from triskel.pipeline import import_detections
from triskel.pipeline.calibrating import Refined, refine_session, write_people_calibration
from triskel.projection import project_rig
from triskel.rig_file import save_rig
from triskel.skeleton import BODY_25

CALIBRATION = Path(__file__).resolve().parents[1] / "calibration"


def module_at(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


walker = module_at(CALIBRATION / "world" / "walker.py")


def changed(rig, **shift_m):
    """Return the rig with cameras moved along x."""
    cameras = []
    for camera in rig:
        by = np.array([shift_m.get(camera.name, 0.0), 0.0, 0.0])
        R = camera.cam_from_world.R
        cameras.append(camera.replace(cam_from_world=Rigid(R, -R @ (camera.centre + by))))
    return Rig(tuple(cameras))


@pytest.fixture
def walked(tmp_path):
    """A session of somebody who walks in four cameras, and its rig, which is right."""
    rig = ring(4)
    xy = np.moveaxis(project_rig(rig, walker.walk(90)), 0, 1)
    xy = xy + np.random.default_rng(4).normal(0, 1.5, xy.shape)
    keypoints = np.concatenate([xy, np.full((*xy.shape[:-1], 1), 0.9)], axis=-1)
    write_openpose_json(tmp_path / "json", Detections2D(BODY_25, tuple(rig.names), np.nan_to_num(keypoints)))
    return import_detections(tmp_path / "walked", tmp_path / "json", rig=rig, fps=30, skeleton=BODY_25), rig


def test_a_good_rig_passes_the_checks(walked):
    done = refine_session(walked[0])
    assert isinstance(done, Refined)
    assert done.findings == ()
    assert done.session.info.runs[-1].stage == "calibrate"


def test_a_wrong_scale_survives_refining_and_is_said(walked, run):
    """Nothing in the reprojection tells a scale; that nobody is 2.6 m tall does."""
    session, rig = walked
    save_rig(scale_by(rig, 1.5).rig, session.path / "scaled.yaml")
    status, out, err = run("calibrate", "refine", session.path, "--rig", session.path / "scaled.yaml")
    assert status == 1
    assert "the checks failed (wrong-scale)" in err
    assert "m tall: lengths are about" in out
    assert not (session.path / "calibration" / "rig.yaml").exists()
    report = json.loads((session.path / "calibration" / "report.json").read_text(encoding="utf-8"))
    assert any("m tall" in finding["message"] for finding in report["findings"])
    assert run("calibrate", "refine", session.path, "--rig", session.path / "scaled.yaml", "--force")[0] == 0
    assert (session.path / "calibration" / "rig.yaml").exists()


@pytest.mark.slow
def test_exchanged_cameras_are_put_right_and_the_checks_agree(walked):
    session, rig = walked
    a, b, *rest = rig.cameras
    exchanged = Rig((a.replace(cam_from_world=b.cam_from_world), b.replace(cam_from_world=a.cam_from_world), *rest))
    done = refine_session(session, rig=exchanged)
    assert [move.verdict for move in done.result.moves] == ["moved", "moved", "stayed", "stayed"]
    assert max(np.linalg.norm(one.centre - two.centre) for one, two in zip(done.result.rig, rig, strict=True)) < 0.02
    assert done.findings == ()


@pytest.mark.slow
def test_cameras_placed_from_nothing_are_shown_where_they_stand(walked, run):
    session, rig = walked
    lenses = Rig(tuple(camera.replace(cam_from_world=Rigid.identity()) for camera in rig))
    save_rig(lenses, session.path / "lenses.yaml")
    status, out, err = run(
        "calibrate", "refine", session.path, "--rig", session.path / "lenses.yaml", "--from-people", "--height", "1.75"
    )
    assert status == 0, err
    assert "nan" not in out
    assert "moved" not in out
    folder = session.path / "calibration"
    first = load_rig(folder / "rig.yaml").cameras[0]
    assert f"{first.centre[0]:.3f}" in next(line for line in out.splitlines() if line.startswith(first.name))
    text = (folder / "summary.txt").read_text(encoding="utf-8")
    assert "nan" not in text
    assert "4 cameras were placed by people" in text
    assert f"{first.centre[2]:.3f}" in next(line for line in text.splitlines() if line.startswith(first.name))
    assert "Where cameras stand" in (folder / "report.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_no_rig_is_lost_however_often_a_session_is_refined(walked):
    session, rig = walked
    begun = changed(rig, **{rig.names[1]: 0.03})
    session.save_rig(begun)
    session_rig, folder = session.path / "rig.yaml", session.path / "calibration"
    original = session_rig.read_bytes()
    done = refine_session(session)
    page, first = write_people_calibration(done.session, done.result, use=True)
    assert (page, first) == (folder / "report.html", folder / "rig.yaml")
    assert session_rig.read_bytes() == first.read_bytes()
    second = first.read_bytes()
    done = refine_session(session, rig=changed(rig, **{rig.names[2]: 0.04}))
    write_people_calibration(done.session, done.result, use=True)
    write_people_calibration(done.session, done.result, use=True)  # again: what is kept already is not kept twice
    kept = {path.name: path.read_bytes() for path in folder.glob("rig_before*.yaml")}
    assert kept["rig_before.yaml"] == original
    assert kept["rig_before_2.yaml"] == second
    assert len(kept) == len(set(kept.values()))


def test_the_rig_beside_the_session_is_kept_too(walked):
    session, rig = walked
    for name in rig.names[:2]:
        done = refine_session(session, rig=changed(rig, **{name: 0.03}))
        write_people_calibration(done.session, done.result)
    kept = load_rig(session.path / "calibration" / "rig_before.yaml")
    newest = load_rig(session.path / "calibration" / "rig.yaml")
    assert np.abs(kept.cameras[0].centre - rig.cameras[0].centre).max() < 0.01
    assert not np.array_equal(kept.cameras[0].cam_from_world.t, newest.cameras[0].cam_from_world.t)
