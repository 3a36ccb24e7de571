"""`triskel board` and `triskel calibrate`: from a print to a rig, and what a user is told on the way."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy.spatial.transform import Rotation

from triskel import Camera, Rig, cli, load_rig, pipeline, save_rig
from triskel.calibration.boards import load_board
from triskel.commands.measure import ring
from triskel.exchange import write_openpose_json
from triskel.images import write_image_bgr
from triskel.motion import Detections2D
from triskel.projection import project, project_rig
from triskel.rigid import Rigid
from triskel.session import Session
from triskel.skeleton import BODY_25

HERE = Path(__file__).resolve().parent
WH = (480, 360)


def module_at(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


pictures = module_at(HERE / "calibration" / "boards" / "pictures.py")
walker = module_at(HERE / "calibration" / "world" / "walker.py")


def one_line(err):
    lines = [line for line in err.splitlines() if line.startswith("triskel:")]
    assert len(lines) == 1, err
    assert "Traceback" not in err
    return lines[0]


def rig_above():
    """Return three cameras 0.7 m above the origin."""
    cameras = []
    for i, angle in enumerate((-0.5, 0.0, 0.55)):
        centre = 0.7 * np.array([np.sin(angle), -0.35, np.cos(angle)])
        z = -centre / np.linalg.norm(centre)
        x = np.cross([0, 1.0, 0], -z)
        x /= np.linalg.norm(x)
        R = np.stack([x, np.cross(z, x), z])
        K = np.array([[430.0 + i, 0, 241.5], [0, 430.0 + i, 178.0], [0, 0, 1]])
        cameras.append(
            Camera(name=f"cam{i + 1}", size_wh=WH, K=K, dist=np.zeros(0), cam_from_world=Rigid(R, -R @ centre))
        )
    return Rig(tuple(cameras))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A print, and pictures of it by three cameras: on the floor, in the hand, and close to each."""
    folder = tmp_path_factory.mktemp("recorded")
    arguments = ["board", "make", "--out", str(folder / "board.png"), "--squares", "7x5", "--square-mm", "36",
                 "--marker-mm", "27", "--dpi", "60", "--page", "a4"]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["triskel", *arguments])
        with pytest.raises(SystemExit) as stop:
            cli.main()
    assert not stop.value.code
    board, rig, rng = load_board(folder / "board.yaml"), rig_above(), np.random.default_rng(1)
    turn = Rotation.from_euler("x", 180, degrees=True)  # a print lies face up: its z points into the floor
    poses = [(turn.as_matrix(), np.zeros(3), rig.names)]
    for _ in range(12):
        R = (turn * Rotation.from_rotvec(rng.normal(0, 0.35, 3))).as_matrix()
        poses.append((R, rng.uniform([-0.15, -0.1, 0], [0.15, 0.1, 0.2]), rig.names))
    for camera in rig:
        world = camera.cam_from_world.inverse
        for k in range(12):
            R = Rotation.from_rotvec(rng.normal(0, 0.3, 3)).as_matrix()
            at = np.array([(-0.14, 0.14)[k % 2], (-0.1, 0.0, 0.1)[k % 3], 0.42 + 0.02 * (k % 5)])
            poses.append((world.R @ R, world.apply(at), [camera.name]))
    wall = np.full((WH[1], WH[0], 3), 120, np.uint8)
    for number, (R, t, seen_by) in enumerate(poses):
        for camera in rig:
            image = wall
            if camera.name in seen_by:
                there = camera.cam_from_world @ Rigid(R, t)
                image = pictures.picture(board, camera, (there.R, there.t), ss=2, seed=number)
            (folder / "pictures" / camera.name).mkdir(parents=True, exist_ok=True)
            write_image_bgr(folder / "pictures" / camera.name / f"{number:03d}.png", image)
    return folder


@pytest.mark.slow
def test_a_print_and_its_pictures_become_a_rig_on_the_floor(run, recorded, tmp_path):
    status, out, err = run(
        "calibrate", "rig", recorded / "pictures", "--board", recorded / "board.yaml", "--floor", 0,
        "--origin", "middle", "--out", tmp_path / "out",
    )  # fmt: skip
    assert status == 0, err
    assert "boards that were not used" in out
    assert str(tmp_path / "out" / "report.html") in out
    found, truth = load_rig(tmp_path / "out" / "rig.yaml"), rig_above()
    for a, b in zip(found, truth, strict=True):
        assert a.K[0, 0] == pytest.approx(b.K[0, 0], rel=0.02)
        assert a.centre[2] == pytest.approx(b.centre[2], rel=0.02)
    gap = [np.linalg.norm(rig.cameras[0].centre - rig.cameras[2].centre) for rig in (found, truth)]
    assert gap[0] == pytest.approx(gap[1], rel=0.01)
    # Again, from what was found: no pictures are needed, and the old rig is kept.
    status, _, err = run("calibrate", "rig", tmp_path / "out" / "boards.parquet", "--out", tmp_path / "out")
    assert status == 0, err
    assert (tmp_path / "out" / "rig_before.yaml").is_file()


@pytest.mark.slow
def test_lenses_are_calibrated_alone_and_a_rig_takes_them(run, recorded, tmp_path):
    status, out, err = run(
        "calibrate", "intrinsics", recorded / "pictures", "--board", recorded / "board.yaml", "--out", tmp_path,
        "--model", "pinhole4",
    )  # fmt: skip
    assert status == 0, err
    assert "pinhole4" in out
    lenses = load_rig(tmp_path / "intrinsics.yaml")
    assert [len(camera.dist) for camera in lenses] == [4, 4, 4]
    status, out, err = run(
        "calibrate", "rig", tmp_path / "boards.parquet", "--intrinsics", tmp_path / "intrinsics.yaml", "--out", tmp_path
    )
    assert status == 0, err
    np.testing.assert_array_equal(load_rig(tmp_path / "rig.yaml").cameras[0].K, lenses.cameras[0].K)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["rig", "{pictures}"], "say which board it shows"),
        (["rig", "{pictures}", "--board", "{missing}"], "missing.yaml"),
        (["rig", "{missing}", "--board", "{board}"], "missing.yaml"),
        (["rig", "{pictures}", "--board", "{board}", "--model", "best"], "--model is one of"),
        (["rig", "{pictures}", "--board", "{board}", "--origin", "moon"], "--origin is corner or middle"),
        (["rig", "{board}", "--board", "{board}"], "board.yaml"),
        (["intrinsics", "{empty}", "--board", "{board}"], "empty"),
    ],
)
def test_what_is_missing_or_wrong_is_said_in_one_line(run, tmp_path, arguments, words):
    board = {"kind": "charuco", "squares_xy": [7, 5], "square_m": 0.036, "marker_m": 0.027}
    (tmp_path / "board.yaml").write_text(yaml.safe_dump(board))
    (tmp_path / "empty").mkdir()
    (tmp_path / "pictures" / "cam1").mkdir(parents=True)
    write_image_bgr(tmp_path / "pictures" / "cam1" / "1.png", np.zeros((40, 40, 3), np.uint8))
    places = {name: tmp_path / name for name in ("pictures", "empty")}
    places |= {"board": tmp_path / "board.yaml", "missing": tmp_path / "missing.yaml"}
    status, _, err = run("calibrate", *(one.format(**places) for one in arguments), "--out", tmp_path / "out")
    assert status == 2
    assert words in one_line(err)
    assert not (tmp_path / "out").exists()


def people_in(folder, rig, X):
    """Write a session of people (F, N, J, 3) seen by a rig."""
    xy = np.moveaxis(project_rig(rig, X), 0, 1)
    rng = np.random.default_rng(4)
    keypoints = np.concatenate([xy + rng.normal(0, 1.5, xy.shape), np.full((*xy.shape[:-1], 1), 0.9)], axis=-1)
    write_openpose_json(folder / "json", Detections2D(BODY_25, tuple(rig.names), np.nan_to_num(keypoints)))
    return pipeline.import_detections(folder / "session", folder / "json", rig=rig, fps=30, skeleton=BODY_25)


@pytest.fixture
def people(tmp_path):
    rig = ring(4)
    people_in(tmp_path, rig, walker.walk(90))
    save_rig(rig, tmp_path / "rig.yaml")
    return tmp_path, rig


def test_refining_writes_beside_the_session_and_uses_the_rig_only_if_asked(run, people):
    folder, rig = people
    turned = rig.cameras[1].replace(
        cam_from_world=Rigid.from_rotvec([0, 0.03, 0], [0.02, 0, 0]) @ rig.cameras[1].cam_from_world
    )
    save_rig(Rig((rig.cameras[0], turned, *rig.cameras[2:])), folder / "bumped.yaml")
    session = Session.open(folder / "session")
    session.save_rig(load_rig(folder / "bumped.yaml"))
    status, out, err = run("calibrate", "refine", folder / "session")
    assert status == 0, err
    assert "bumped" in out
    better = load_rig(folder / "session" / "calibration" / "rig.yaml")
    assert np.linalg.norm(better.cameras[1].centre - rig.cameras[1].centre) < 0.02
    np.testing.assert_array_equal(session.rig().cameras[1].cam_from_world.t, turned.cam_from_world.t)
    status, out, err = run("calibrate", "refine", folder / "session", "--use")
    assert status == 0, err
    assert np.linalg.norm(session.rig().cameras[1].centre - rig.cameras[1].centre) < 0.02
    kept = load_rig(folder / "session" / "calibration" / "rig_before.yaml")
    np.testing.assert_allclose(kept.cameras[1].cam_from_world.t, turned.cam_from_world.t)


def test_poses_are_found_from_people_and_lenses(run, people):
    folder, rig = people
    save_rig(Rig(tuple(camera.replace(cam_from_world=Rigid.identity()) for camera in rig)), folder / "lenses.yaml")
    status, _out, err = run(
        "calibrate", "refine", folder / "session", "--rig", folder / "lenses.yaml", "--from-people", "--height", "1.75"
    )
    assert status == 0, err
    found = load_rig(folder / "session" / "calibration" / "rig.yaml")
    gaps = [
        np.array([[np.linalg.norm(a.centre - b.centre) for a in one] for b in one])[np.triu_indices(4, 1)]
        for one in (found, rig)
    ]
    ratio = gaps[0] / gaps[1]
    assert np.ptp(ratio) < 0.03 * ratio.mean()
    assert 0.85 < ratio.mean() < 1.15  # a height is worth a few percent


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--from-people"], "--from-people needs --height"),
        (["--height", "1.8"], "--height goes with --from-people"),
        (["--from-people", "--height", "17"], "height"),
        (["--from-people", "--height", "nan"], "height"),
    ],
)
def test_heights_that_help_nobody_are_refused(run, people, options, words):
    status, _, err = run("calibrate", "refine", people[0] / "session", *options)
    assert status == 2
    assert words in one_line(err)
    assert not (people[0] / "session" / "calibration").exists()


def test_a_session_without_keypoints_is_told_what_to_run(run, people):
    (people[0] / "session" / "keypoints2d.parquet").unlink()
    status, _, err = run("calibrate", "refine", people[0] / "session")
    assert status == 2
    assert "triskel detect" in one_line(err)


def points_file(path, rig, points, **keys):
    rows = [
        {"name": f"p{i}", "world_m": [float(v) for v in X],
         "px": {c.name: [float(v) for v in project(c, X)] for c in rig}}
        for i, X in enumerate(points)
    ]  # fmt: skip
    path.write_text(yaml.safe_dump({"points": rows} | keys))


def test_a_world_comes_from_points_a_floor_people_and_a_wand(run, people):
    folder, rig = people
    small = Rig(
        tuple(c.replace(cam_from_world=Rigid(c.cam_from_world.R, 0.5 * c.cam_from_world.t)) for c in rig)
    )  # half its size
    save_rig(small, folder / "small.yaml")
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0.5, 0.5, 1.0], [-0.5, 0.3, 0.6], [0.2, -0.6, 0.3]])
    points_file(folder / "scene.yaml", rig, points)
    base = ["calibrate", "world", folder / "small.yaml", "--out", folder / "new.yaml"]
    for extra in (
        ["--scene-points", folder / "scene.yaml"],
        ["--scene-points", folder / "scene.yaml", "--place-cameras"],
    ):
        status, _, err = run(*base, *extra)
        assert status == 0, err
        for a, b in zip(load_rig(folder / "new.yaml"), rig, strict=True):
            np.testing.assert_allclose(a.centre, b.centre, atol=1e-3)

    spots = dict(zip(("origin", "x", "floor"), points[:3], strict=True))
    seen = {key: {c.name: [float(v) for v in project(c, X)] for c in rig} for key, X in spots.items()}
    (folder / "floor.yaml").write_text(yaml.safe_dump(seen))
    lines = ["frame,camera,marker,x_px,y_px"]
    rng = np.random.default_rng(2)
    for frame in range(20):
        middle, along = rng.uniform([-0.5, -0.5, 0.5], [0.5, 0.5, 1.5]), rng.normal(0, 1, 3)
        ends = middle + np.outer([-0.25, 0.25], along / np.linalg.norm(along))
        lines += [f"{frame},{c.name},{m},{x},{y}" for c in rig for m, (x, y) in enumerate(project(c, ends))]
    (folder / "wand.csv").write_text("\n".join(lines) + "\n")
    status, _out, err = run(
        *base, "--floor-points", folder / "floor.yaml", "--wand", folder / "wand.csv", "--wand-length", "0.5"
    )
    assert status == 0, err
    for a, b in zip(load_rig(folder / "new.yaml"), rig, strict=True):
        np.testing.assert_allclose(a.centre, b.centre, atol=2e-3)

    status, _, err = run(*base, "--people", folder / "session", "--height", "1.75")
    assert status == 0, err
    placed = load_rig(folder / "new.yaml")
    ratio = np.linalg.norm(placed.cameras[0].centre - placed.cameras[2].centre) / np.linalg.norm(
        rig.cameras[0].centre - rig.cameras[2].centre
    )
    assert 0.85 < ratio < 1.15
    assert all(camera.centre[2] > 0.5 for camera in placed)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "say where the world is"),
        (["--floor-points", "a", "--scene-points", "b"], "--floor-points and --scene-points say both"),
        (["--wand", "a"], "--wand and --wand-length go together"),
        (["--height", "1.8", "--floor-points", "a"], "--height needs --people"),
        (["--keep-scale", "--floor-points", "a"], "go with --scene-points"),
        (["--floor-board", "a"], "needs --board"),
        (["--floor-points", "a", "--origin", "person"], "--origin goes with"),
        (["--floor-points", "missing.yaml"], "missing.yaml"),
        (["--people", "nowhere"], "nowhere"),
        (["--wand", "missing.csv", "--wand-length", "1"], "missing.csv"),
    ],
)
def test_worlds_that_contradict_themselves_are_refused(run, tmp_path, options, words):
    save_rig(ring(3), tmp_path / "rig.yaml")
    status, _, err = run("calibrate", "world", tmp_path / "rig.yaml", "--out", tmp_path / "new.yaml", *options)
    assert status == 2
    assert words in one_line(err)
    assert not (tmp_path / "new.yaml").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "needs the columns"),
        ("frame,camera,marker,x_px\n1,cam01,0,3\n", "needs the columns"),
        ("frame,camera,marker,x_px,y_px\n1,{name},0,3,x\n", "line 2"),
        ("frame,camera,marker,x_px,y_px\n1,{name},2,3,4\n", "line 2: camera is one of"),
        ("frame,camera,marker,x_px,y_px\n1,nobody,0,3,4\n", "line 2: camera is one of"),
        ("frame,camera,marker,x_px,y_px\n1,{name},0,nan,4\n", "line 2"),
    ],
)
def test_a_wand_file_that_is_none_is_refused_with_its_line(run, tmp_path, text, words):
    rig = ring(3)
    save_rig(rig, tmp_path / "rig.yaml")
    (tmp_path / "wand.csv").write_text(text.replace("{name}", rig.names[0]))
    status, _, err = run(
        "calibrate", "world", tmp_path / "rig.yaml", "--out", tmp_path / "new.yaml", "--wand", tmp_path / "wand.csv",
        "--wand-length", "0.5",
    )  # fmt: skip
    assert status == 2
    assert words in one_line(err)


def test_cameras_placed_by_points_say_how_well_they_fit(run, people):
    folder, rig = people
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0.5, 0.5, 1.0], [-0.5, 0.3, 0.6], [0.2, -0.6, 0.3]])
    points_file(folder / "scene.yaml", rig, points)
    status, out, err = run(
        "calibrate", "world", folder / "rig.yaml", "--scene-points", folder / "scene.yaml", "--place-cameras",
        "--out", folder / "new.yaml",
    )  # fmt: skip
    assert status == 0, err
    assert f"{rig.names[0]}: 6 points, 0.00 px RMS" in out
    assert "largest errors: p" in out


def test_lenses_alone_make_no_people(run, people):
    folder, rig = people
    save_rig(Rig(tuple(camera.replace(cam_from_world=Rigid.identity()) for camera in rig)), folder / "lenses.yaml")
    status, _, err = run("triangulate", folder / "session", "--rig", folder / "lenses.yaml")
    assert status == 2
    assert "lenses only" in one_line(err)


def test_a_rig_that_is_a_little_off_everywhere_fits_poorly(run, people):
    folder, rig = people
    shifts = ([14, 0], [0, 16], [-15, 0], [0, -14])
    off = [
        c.replace(K=c.K + np.array([[0, 0, s[0]], [0, 0, s[1]], [0, 0, 0]])) for c, s in zip(rig, shifts, strict=True)
    ]
    save_rig(Rig(tuple(off)), folder / "off.yaml")
    _, out, _ = run("rig", "check", folder / "off.yaml", folder / "session")
    assert "calibrate refine" in out
    assert run("rig", "check", folder / "rig.yaml", folder / "session")[0] == 0
