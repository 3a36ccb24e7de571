"""What a user types: exit statuses, one-line errors, nothing half-written."""

import shutil
import signal
import subprocess
import sys
import time

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from triskel import save_rig
from triskel.commands.measure import ring
from triskel.exchange import write_openpose_json
from triskel.motion import Detections2D
from triskel.projection import project_rig
from triskel.session import Session
from triskel.skeleton import BODY_25

FRAMES = 12


def write_video(path, *, frames=FRAMES, size=(64, 48)):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for i in range(frames):
            image = np.full((size[1], size[0], 3), 10 * i, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


@pytest.fixture
def rig():
    return ring(4)


@pytest.fixture
def truth():
    rng = np.random.default_rng(3)
    body = rng.uniform([-0.3, -0.3, 0.1], [0.3, 0.3, 1.8], (len(BODY_25), 3))
    return body + np.linspace(0, 0.5, FRAMES)[:, None, None] * np.array([1.0, 0, 0])


@pytest.fixture
def saved(tmp_path, rig, truth):
    """OpenPose JSON of one person in four cameras, and the rig."""
    xy = np.moveaxis(project_rig(rig, truth), 0, 1)[:, :, None]
    keypoints = np.concatenate([xy, np.full((*xy.shape[:-1], 1), 0.9)], axis=-1)
    write_openpose_json(tmp_path / "json", Detections2D(BODY_25, tuple(rig.names), keypoints))
    save_rig(rig, tmp_path / "rig.yaml")
    return tmp_path


def one_line(err):
    lines = [line for line in err.splitlines() if line.startswith("triskel:")]
    assert len(lines) == 1, err
    assert "Traceback" not in err
    return lines[0]


def test_saved_detections_become_3d_in_a_new_session(run, saved, truth):
    status, out, _ = run(
        "triangulate", saved / "new", "--rig", saved / "rig.yaml", "--detections", saved / "json", "--fps", "50",
        "--skeleton", "body_25",
    )  # fmt: skip
    assert status == 0, out
    motion = Session.open(saved / "new").motion()
    assert motion.fps == pytest.approx(50)
    # OpenPose's files hold hundredths of a pixel, about 0.03 mm here.
    np.testing.assert_allclose(motion.points.X[:, 0], truth, atol=2e-4)


def test_every_export_is_written(run, saved):
    run("triangulate", saved / "new", "--rig", saved / "rig.yaml", "--detections", saved / "json", "--fps", "50")
    for format_ in ("openpose", "csv", "csv-tidy", "trc", "c3d", "npz"):
        status, _, err = run("export", saved / "new", "--format", format_, "--out", saved / f"out.{format_}")
        assert status == 0, err
        assert (saved / f"out.{format_}").exists()
    status, _, err = run("export", saved / "new", "--format", "fbx", "--out", saved / "out.fbx")
    assert (status, "fbx" in one_line(err), (saved / "out.fbx").exists()) == (2, True, False)


@pytest.mark.parametrize(
    "arguments",
    [
        ("process", "no-such-session"),
        ("detect", "no-such-session"),
        ("triangulate", "no-such-session"),
        ("view", "no-such-session", "--render", "x.png"),
        ("rig", "show", "no-such-rig.yaml"),
        ("session", "new", "s", "--videos", "no-such-folder"),
        ("sample", "get", "no-such-sample"),
        ("weights", "get", "no-such-weights"),
        ("demo", "--sample", "no-such-sample"),
        ("no-such-command",),
        ("export",),
    ],
)
def test_a_wrong_name_or_path_is_one_line_and_status_2(run, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    status, _, err = run(*arguments)
    assert status == 2
    one_line(err)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (KeyboardInterrupt(), 130, "stopped; what was complete is on disk"),
        (MemoryError(), 1, "out of memory"),
        (OSError(28, "No space left on device", "x.json"), 1, "x.json: No space left on device"),
    ],
)
def test_what_the_machine_refuses_or_the_user_stops_is_one_line(run, monkeypatch, error, status, words):
    def fail(*_):
        raise error

    monkeypatch.setattr("triskel.commands.data.get_sample", fail)
    got, _, err = run("sample", "get", "single")
    assert got == status
    assert words in err.splitlines()[-1]
    assert "Traceback" not in err


def test_a_rig_without_one_of_the_cameras_is_named_and_nothing_is_written(run, saved, rig):
    save_rig(rig.select(rig.names[:3]), saved / "three.yaml")
    videos = saved / "videos"
    videos.mkdir()
    for name in rig.names:
        write_video(videos / f"{name}.mp4")
    status, _, err = run("session", "new", saved / "new", "--videos", videos, "--rig", saved / "three.yaml")
    assert (status, "cam3" in one_line(err), (saved / "new").exists()) == (2, True, False)


def test_a_camera_without_detections_is_named_and_nothing_is_written(run, saved):
    shutil.rmtree(saved / "json" / "cam2")
    status, _, err = run("triangulate", saved / "new", "--rig", saved / "rig.yaml", "--detections", saved / "json")
    assert (status, "cam2" in one_line(err), (saved / "new").exists()) == (2, True, False)


@pytest.mark.parametrize("damage", [b"", b"not a video at all", None])
def test_a_broken_video_is_named_and_nothing_is_written(run, tmp_path, damage):
    videos = tmp_path / "videos"
    videos.mkdir()
    write_video(videos / "cam0.mp4")
    write_video(videos / "cam1.mp4")
    broken = videos / "cam1.mp4"
    broken.write_bytes(broken.read_bytes()[:700] if damage is None else damage)
    status, _, err = run("session", "new", tmp_path / "new", "--videos", videos)
    assert (status, "cam1.mp4" in one_line(err), (tmp_path / "new").exists()) == (2, True, False)


def test_a_session_cut_off_half_way_says_which_file(run, saved):
    run("triangulate", saved / "new", "--rig", saved / "rig.yaml", "--detections", saved / "json", "--fps", "50")
    table = saved / "new" / "keypoints3d.parquet"
    table.write_bytes(table.read_bytes()[:-40])
    status, _, err = run("export", saved / "new", "--format", "csv", "--out", saved / "x.csv")
    assert (status, "keypoints3d.parquet" in one_line(err), (saved / "x.csv").exists()) == (2, True, False)
    table.unlink()
    status, _, err = run("export", saved / "new", "--format", "csv", "--out", saved / "x.csv")
    assert (status, "keypoints3d.parquet" in one_line(err)) == (2, True)
    (saved / "new" / "session.yaml").write_text("format: triskel-session\nfps: [", encoding="utf-8")
    status, _, err = run("triangulate", saved / "new")
    assert (status, "session.yaml" in one_line(err)) == (2, True)


def test_a_folder_with_other_things_in_it_is_left_alone(run, saved):
    (saved / "mine").mkdir()
    (saved / "mine" / "thesis.txt").write_text("years", encoding="utf-8")
    status, _, err = run("triangulate", saved / "mine", "--rig", saved / "rig.yaml", "--detections", saved / "json")
    assert status == 2
    one_line(err)
    assert [path.name for path in (saved / "mine").iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    "options",
    [
        ("--fps", "nan"), ("--fps", "inf"), ("--fps", "-1"), ("--fps", "1e-320"), ("--people", "-1"),
        ("--max-reproj-px", "nan"), ("--skeleton", "nobody"),
    ],
)  # fmt: skip
def test_an_impossible_option_is_one_line_and_nothing_is_written(run, saved, options):
    status, _, err = run(
        "triangulate", saved / "new", "--rig", saved / "rig.yaml", "--detections", saved / "json", *options
    )
    assert (status, (saved / "new").exists()) == (2, False)
    one_line(err)


def test_one_camera_is_refused_before_anything_is_written(run, saved, rig):
    save_rig(rig.select(["cam1"]), saved / "one.yaml")
    status, _, err = run("triangulate", saved / "new", "--rig", saved / "one.yaml", "--detections", saved / "json")
    assert (status, "two cameras" in one_line(err), (saved / "new").exists()) == (2, True, False)


@pytest.mark.parametrize("text", ['{"people": [{"pose_keypoints_2d": 7}]}', "[" * 100_000, '{"people": 3}', "{"])
def test_broken_json_is_named(run, saved, text):
    broken = sorted((saved / "json" / "cam1").glob("*.json"))[3]
    broken.write_text(text, encoding="utf-8")
    status, _, err = run("triangulate", saved / "new", "--rig", saved / "rig.yaml", "--detections", saved / "json")
    assert (status, broken.name in one_line(err), (saved / "new").exists()) == (2, True, False)


@pytest.mark.parametrize(("column", "value"), [("set", 99), ("set", -5), ("person", 77), ("set", None)])
def test_a_table_with_impossible_rows_is_refused(run, saved, column, value):
    run("triangulate", saved / "new", "--rig", saved / "rig.yaml", "--detections", saved / "json", "--fps", "50")
    path = saved / "new" / "keypoints3d.parquet"
    table = pq.read_table(path)
    place = table.column_names.index(column)
    values = pa.array([value, *table[column].to_pylist()[1:]], table.schema.field(column).type)
    pq.write_table(table.set_column(place, table.schema.field(column), values), path)
    status, _, err = run("export", saved / "new", "--format", "csv", "--out", saved / "x.csv")
    assert (status, column in one_line(err), (saved / "x.csv").exists()) == (2, True, False)


@pytest.mark.parametrize(
    ("format_", "target"), [("csv", "json"), ("trc", "rig.yaml"), ("openpose", "rig.yaml"), ("csv", "rig.yaml/x.csv")]
)
def test_a_result_cannot_go_where_something_else_stands(run, saved, format_, target):
    run("triangulate", saved / "new", "--rig", saved / "rig.yaml", "--detections", saved / "json", "--fps", "50")
    before = (saved / "rig.yaml").read_bytes()
    status, _, err = run("export", saved / "new", "--format", format_, "--out", saved / target)
    assert (status, target in one_line(err)) == (2, True)
    assert (saved / "rig.yaml").read_bytes() == before
    assert not list(saved.rglob(".*"))


def test_a_rig_goes_through_every_format_and_back(run, saved, rig):
    run("rig", "convert", saved / "rig.yaml", saved / "rig.toml")
    status, _, err = run("rig", "convert", saved / "rig.toml", saved / "back.yaml")
    assert status == 0, err
    before, after = (yaml.safe_load((saved / name).read_text()) for name in ("rig.yaml", "back.yaml"))
    for a, b in zip(before["cameras"], after["cameras"], strict=True):
        np.testing.assert_allclose(a["cam_from_world"]["t"], b["cam_from_world"]["t"], atol=1e-9)
    status, out, _ = run("rig", "show", saved / "rig.toml")
    assert status == 0
    assert all(name in out for name in rig.names)


@pytest.fixture
def session(run, saved):
    arguments = ("--rig", saved / "rig.yaml", "--detections", saved / "json", "--fps", "50", "--skeleton", "body_25")
    assert run("triangulate", saved / "new", *arguments)[0] == 0
    return saved / "new"


@pytest.mark.parametrize("name", ["keypoints3d.parquet", "keypoints2d.parquet", "session.yaml", "."])
def test_an_export_does_not_go_over_the_session_s_own_files(run, session, name):
    before = {path.name: path.read_bytes() for path in session.iterdir() if path.is_file()}
    for format_ in ("parquet", "openpose"):
        status, _, err = run("export", session, "--format", format_, "--out", session / name)
        assert (status, "--out" in one_line(err)) == (2, True)
    assert {path.name: path.read_bytes() for path in session.iterdir() if path.is_file()} == before


def test_a_triangulation_that_cannot_be_done_changes_nothing(run, session, saved, rig):
    before = {path.name: path.read_bytes() for path in session.iterdir() if path.is_file()}
    save_rig(rig, saved / "other.yaml")
    arguments = ("--rig", saved / "other.yaml", "--detections", saved / "json", "--triangulate-on", "abacus")
    status, _, err = run("triangulate", session, *arguments)
    assert (status, "abacus" in one_line(err)) == (2, True)
    status, _, err = run("triangulate", session, "--detections", saved / "json", "--fps", "60")
    assert (status, "50 frames/s" in one_line(err)) == (2, True)
    assert {path.name: path.read_bytes() for path in session.iterdir() if path.is_file()} == before


def test_frames_and_detections_of_different_length_are_told_before_anything_is_lost(run, session):
    before = (session / "keypoints3d.parquet").read_bytes()
    frames = session / "frames.parquet"
    pq.write_table(pq.read_table(frames).slice(0, 5), frames)
    status, _, err = run("triangulate", session)
    assert (status, "5 frame sets but keypoints2d.parquet 12" in one_line(err)) == (2, True)
    assert (session / "keypoints3d.parquet").read_bytes() == before


def test_why_a_joint_is_missing_survives_the_session_and_its_export(run, session, saved):
    detections = Session.open(session).detections()
    detections.keypoints[4:8, 1:, :, BODY_25.index("RWrist")] = np.nan, np.nan, 0
    Session.open(session).save_detections(detections)
    assert run("triangulate", session, "--longest-gap", "0")[0] == 0
    assert run("export", session, "--format", "csv-tidy", "--out", saved / "tidy.csv")[0] == 0
    rows = [line for line in (saved / "tidy.csv").read_text().splitlines() if "RWrist" in line]
    assert sum("few_views" in row for row in rows) == 4


@pytest.mark.parametrize("option", [("--cutoff-hz", "1e300"), ("--window-s", "1e9"), ("--longest-gap", "nan"),
                                    ("--filter", "magic"), ("--people", "-1"), ("--cutoff-hz", "0")])  # fmt: skip
def test_options_over_time_that_make_no_sense_are_one_line(run, session, option):
    status, _, err = run("triangulate", session, *option)
    assert status == 2
    one_line(err)


def test_a_stop_from_outside_leaves_nothing_half_written(session):
    """A child process, stopped while it works."""
    code = "import sys; from triskel import cli; sys.argv = ['triskel', 'triangulate', sys.argv[1]]; cli.main()"
    child = subprocess.Popen([sys.executable, "-P", "-c", code, str(session)], stderr=subprocess.PIPE, text=True)
    time.sleep(1.5)
    child.send_signal(signal.SIGTERM)
    child.communicate(timeout=60)
    assert not [path.name for path in session.iterdir() if path.name.startswith(".")]
    Session.open(session).motion()
