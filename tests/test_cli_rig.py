"""`triskel rig`: what is drawn, what is found, what is converted."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from triskel import Rig, pipeline, save_rig
from triskel.calibration.formats import FORMATS, load_rig, write_rig
from triskel.commands.measure import ring
from triskel.exchange import write_openpose_json
from triskel.motion import Detections2D
from triskel.projection import project_rig
from triskel.rigid import Rigid
from triskel.session import Session
from triskel.skeleton import BODY_25

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "rigs" / "pose2sim_openpose_json"


@pytest.fixture
def saved(tmp_path):
    save_rig(ring(4), tmp_path / "rig.yaml")
    return tmp_path


def walker(frames=30):
    """Return a person of about 1.7 m who glides along x (F, 25, 3), m."""
    rng = np.random.default_rng(3)
    heights = {
        "Nose": 1.6, "Neck": 1.42, "MidHip": 0.92, "Shoulder": 1.4, "Elbow": 1.12, "Wrist": 0.86, "Hip": 0.92,
        "Knee": 0.5, "Ankle": 0.09, "Eye": 1.63, "Ear": 1.62, "BigToe": 0.02, "SmallToe": 0.02, "Heel": 0.03,
    }  # fmt: skip
    body = np.zeros((25, 3))
    for j, joint in enumerate(BODY_25.joints):
        name = joint if joint in heights else joint[1:]
        side = {"L": 0.12, "R": -0.12}[joint[0]] if joint not in heights else 0.0
        body[j] = (0.12 if "Toe" in name else 0.0, side, heights[name])
    steps = np.linspace(-0.6, 0.6, frames)[:, None, None] * np.array([1.0, 0, 0])
    return body + steps + rng.normal(0, 1e-3, (frames, 25, 3))


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    """Return a folder with a session of one person in it, made once."""
    folder, rig = tmp_path_factory.mktemp("recorded"), ring(4)
    save_rig(rig, folder / "rig.yaml")
    xy = np.moveaxis(project_rig(rig, walker()), 0, 1)[:, :, None]
    keypoints = np.concatenate([xy, np.full((*xy.shape[:-1], 1), 0.9)], axis=-1)
    write_openpose_json(folder / "json", Detections2D(BODY_25, tuple(rig.names), keypoints))
    session = pipeline.import_detections(folder / "session", folder / "json", rig=rig, fps=30, skeleton=BODY_25)
    pipeline.triangulate(session)
    return folder


@pytest.fixture
def recorded(once, tmp_path):
    """Return a copy of that folder."""
    return Path(shutil.copytree(once, tmp_path / "recorded"))


def one_line(err):
    lines = [line for line in err.splitlines() if line.startswith("triskel:")]
    assert len(lines) == 1, err
    assert "Traceback" not in err
    return lines[0]


def test_show_draws_a_picture_beside_the_table(run, recorded):
    status, out, err = run(
        "rig", "show", recorded / "rig.yaml", "--png", recorded / "rig.png", "--session", recorded / "session"
    )
    assert status == 0, err
    assert all(name in out for name in ring(4).names)
    assert str(recorded / "rig.png") in out
    with_people = cv2.imread(str(recorded / "rig.png"))
    assert run("rig", "show", recorded / "rig.yaml", "--png", recorded / "alone.png")[0] == 0
    alone = cv2.imread(str(recorded / "alone.png"))
    assert alone.shape[0] > 600
    orange = [
        (np.abs(image.astype(int) - (0x0F, 0x49, 0xD9)).max(axis=-1) < 24).sum() for image in (with_people, alone)
    ]
    assert orange[0] > 100 > orange[1]


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("--png", "rig.jpg"), "--png writes .png"),
        (("--session", "session"), "add --png FILE or --window"),
        (("--png", "rig.png", "--session", "nowhere"), "nowhere"),
    ],
)
def test_show_refuses_what_it_cannot_draw(arguments, what, run, saved, monkeypatch):
    monkeypatch.chdir(saved)
    status, out, err = run("rig", "show", "rig.yaml", *arguments)
    assert status == 2
    assert what in one_line(err)
    assert not (saved / "rig.png").exists()
    assert not out


def test_show_in_a_window_needs_a_display(run, saved, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    status, out, err = run("rig", "show", saved / "rig.yaml", "--window")
    assert status in (1, 2)
    assert "display" in one_line(err)
    assert "cam1" in out


def test_check_of_a_good_rig_finds_nothing(run, saved):
    status, out, _ = run("rig", "check", saved / "rig.yaml")
    assert (status, out.strip()) == (0, "nothing wrong was found (this does not measure accuracy)")


def test_check_of_a_rig_without_a_floor_warns_and_ends_with_0(run, tmp_path):
    rig = ring(4)
    first = rig.cameras[0].cam_from_world.inverse
    save_rig(Rig(tuple(c.replace(cam_from_world=c.cam_from_world @ first) for c in rig)), tmp_path / "rig.yaml")
    status, out, _ = run("rig", "check", tmp_path / "rig.yaml")
    assert status == 0
    assert "no floor yet; see 'triskel calibrate world'" in " ".join(out.split())
    assert "error" not in out


def test_check_against_people_shows_each_cameras_error(run, recorded):
    before = {path: path.read_bytes() for path in (recorded / "session").rglob("*") if path.is_file()}
    status, out, err = run("rig", "check", recorded / "rig.yaml", recorded / "session")
    assert status == 0, out + err
    assert "nothing wrong was found" in out
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.startswith("cam")}
    for name in ring(4).names:
        joints, rejected, median, p95 = map(float, rows[name][:4])
        assert joints == 30 * 25
        assert rejected == 0
        assert median <= p95 < 0.05  # OpenPose's files hold hundredths of a pixel
    assert {path: path.read_bytes() for path in (recorded / "session").rglob("*") if path.is_file()} == before


def exchanged(rig, first, second):
    """Return the rig with the names of two cameras exchanged."""
    names = {first: second, second: first}
    return Rig(tuple(camera.replace(name=names.get(camera.name, camera.name)) for camera in rig))


def test_check_names_cameras_that_were_exchanged_and_ends_with_1(run, recorded):
    save_rig(exchanged(ring(4), "cam1", "cam2"), recorded / "wrong.yaml")
    status, out, _ = run("rig", "check", recorded / "wrong.yaml", recorded / "session")
    assert status == 1
    assert "error: cam1, cam2:" in out
    assert "exchanged" in out


def test_check_says_when_nobody_comes_together(run, recorded):
    """A rig of another place: its cameras look at each other's backs."""
    turned = Rigid(np.diag([-1.0, 1.0, -1.0]), np.zeros(3))
    away = Rig(tuple(camera.replace(cam_from_world=turned @ camera.cam_from_world) for camera in ring(4)))
    save_rig(away, recorded / "away.yaml")
    status, out, err = run("rig", "check", recorded / "away.yaml", recorded / "session")
    assert status == 1, err
    assert "nobody can be put together in 3D, though people were seen (cam0 100%" in out


def test_check_says_when_a_size_does_not_fit(run, recorded):
    session = Session.open(recorded / "session")
    text = (session.path / "session.yaml").read_text()
    assert "size_wh: null" in text or "size_wh" not in text
    info = session.info.model_copy(deep=True)
    for camera in info.cameras:
        camera.size_wh = (ring(4)["cam1"].size_wh[0] + 333, 77)
    (session.path / "session.yaml").write_text(yaml.safe_dump(info.model_dump(mode="json")))
    status, out, _ = run("rig", "check", recorded / "rig.yaml", session.path)
    assert status == 1
    assert out.count("x 77") == 4


def test_check_refuses_a_session_without_people_and_a_rig_without_a_camera(run, recorded):
    save_rig(ring(4).select(["cam0", "cam1", "cam2"]), recorded / "three.yaml")
    status, _, err = run("rig", "check", recorded / "three.yaml", recorded / "session")
    assert status == 2
    assert "cam3" in one_line(err)
    (recorded / "session" / "keypoints2d.parquet").unlink()
    status, _, err = run("rig", "check", recorded / "rig.yaml", recorded / "session")
    assert status == 2
    assert "session" in one_line(err)


@pytest.mark.slow
@pytest.mark.network
def test_check_of_real_footage_names_exchanged_videos(run, tmp_path):
    if not SHARED.is_dir():
        pytest.skip(f"needs {SHARED}")
    from triskel.samples import get_sample

    rig = load_rig(get_sample("multi") / "Calib.qca.txt")
    for name in rig.names:
        shutil.copytree(SHARED / "multi" / f"{name}_json", tmp_path / "json" / name)
    save_rig(rig, tmp_path / "rig.yaml")
    run("triangulate", tmp_path / "s", "--rig", tmp_path / "rig.yaml", "--detections", tmp_path / "json", "--fps", "60")
    save_rig(exchanged(rig, "cam01", "cam02"), tmp_path / "wrong.yaml")
    status, out, _ = run("rig", "check", tmp_path / "wrong.yaml", tmp_path / "s")
    assert status == 1
    assert "cam01, cam02: their videos are exchanged" in out
    _, out, _ = run("rig", "check", tmp_path / "rig.yaml", tmp_path / "s")
    assert "exchanged" not in out


@pytest.mark.parametrize("name", list(FORMATS))
def test_convert_writes_every_format_and_reads_it_back(name, run, saved):
    status, _, err = run("rig", "convert", saved / "rig.yaml", saved / "there", "--to", name)
    assert status == 0, err
    assert run("rig", "convert", saved / "there", saved / "back.yaml")[0] == 0
    for a, b in zip(ring(4), load_rig(saved / "back.yaml"), strict=True):
        assert a.name == b.name
        np.testing.assert_allclose(a.centre, b.centre, atol=1e-9)


def test_help_names_every_format(run):
    for command in ("convert", "show"):
        _, out, _ = run("rig", command, "--help")
        text = " ".join(out.split())
        assert all(one.name in text or one.title in text for one in FORMATS.values()), text
    assert all(name in text for name in ("Caliscope", "COLMAP", "nerfstudio", "multical"))


def test_convert_brings_millimetres_to_metres(run, saved):
    poses = [Rigid(camera.cam_from_world.R, 1000 * camera.cam_from_world.t) for camera in ring(4)]
    in_mm = Rig(tuple(camera.replace(cam_from_world=pose) for camera, pose in zip(ring(4), poses, strict=True)))
    write_rig(in_mm, saved / "mm.toml", format="toml")
    _, _, err = run("rig", "convert", saved / "mm.toml", saved / "as-is.yaml")
    assert "millimetres" in err
    status, _, err = run("rig", "convert", saved / "mm.toml", saved / "m.yaml", "--unit", "mm")
    assert (status, err) == (0, "")
    np.testing.assert_allclose(load_rig(saved / "m.yaml").cameras[1].centre, ring(4).cameras[1].centre, atol=1e-9)


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("out.bin",), "give it with --to"),
        (("out.json",), "multical or nerfstudio"),
        (("out", "--to", "vicon"), "known are"),
        (("out.toml", "--unit", "ft"), "m, cm, mm"),
        (("out.toml", "--from", "qualisys"), "rig.yaml"),
    ],
)
def test_convert_refuses_in_one_line(arguments, what, run, saved, monkeypatch):
    monkeypatch.chdir(saved)
    status, _, err = run("rig", "convert", "rig.yaml", *arguments)
    assert status == 2
    assert what in one_line(err)
    assert sorted(path.name for path in saved.iterdir()) == ["rig.yaml"]
