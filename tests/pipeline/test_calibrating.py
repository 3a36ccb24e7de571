"""From boards that were seen to a rig on disk, on corners with known truth."""

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from triskel import Rig, load_rig
from triskel.calibration.boards import BoardView, Charuco
from triskel.calibration.checks import Finding
from triskel.calibration.footage import BoardFootage, CameraBoards
from triskel.errors import InputError
from triskel.pipeline import calibrating
from triskel.pipeline.calibrating import (
    RigRequest,
    keep_footage,
    lenses_from_boards,
    rig_from_boards,
    write_board_calibration,
)
from triskel.pipeline.calibrating.results import keep_before

CALIBRATION = Path(__file__).resolve().parents[1] / "calibration"


def module_at(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


scene = module_at(CALIBRATION / "scene.py")
make_rig = module_at(CALIBRATION / "conftest.py").make_rig
OTHER = Charuco(squares_xy=(7, 5), square_m=0.06, marker_m=0.04, name="other", first_marker=30)


def footage_of(shots, rig, *, boards=(scene.BOARD,), which=None):
    """Return shots as the footage of a recording, a frame set each."""
    which = which or [0] * len(shots)
    cameras = []
    for camera in rig:
        for k in range(len(boards)):
            at = [s for s, shot in enumerate(shots) if which[s] == k and camera.name in shot]
            cameras.append(
                CameraBoards(
                    camera=camera.name,
                    size_wh=camera.size_wh,
                    frames=np.array(at, dtype=np.int64),
                    views=tuple(shots[s][camera.name] for s in at),
                    board=k,
                    looked_at=len(shots),
                )
            )
    return BoardFootage(cameras=tuple(cameras), boards=tuple(boards), fps=30.0, source="made up")


def gaps(rig):
    centres = np.array([camera.centre for camera in rig])
    return np.linalg.norm(centres[:, None] - centres[None], axis=2)


@pytest.fixture(scope="module")
def rig():
    return make_rig()


@pytest.fixture(scope="module")
def recording(rig):
    """A board on the floor first, then moved about, then shown to each camera closely."""
    return footage_of(scene.shots_of(rig, 30, noise_px=0.2, near=20, flat_first=True), rig)


@pytest.fixture(scope="module")
def done(recording):
    return rig_from_boards(recording, RigRequest(floor_set=0))


def test_a_recording_becomes_a_rig_on_its_floor(rig, done):
    np.testing.assert_allclose(gaps(done.rig), gaps(rig), atol=0.004)
    np.testing.assert_allclose([c.centre[2] for c in done.rig], [c.centre[2] for c in rig], atol=0.01)
    assert done.held_out.median_percent < 1
    assert set(done.lenses) == set(rig.names)
    assert [finding for finding in done.findings if finding.severity == "error"] == []


def test_certainty_moves_with_the_world(recording, done):
    still = rig_from_boards(recording)
    X = done.placed.world_from_old.inverse.apply([[0.1, 0.2, 1.0], [0.0, 0.0, 0.6]])
    np.testing.assert_allclose(
        done.calibration.uncertainty.point_sigma_mm([[0.1, 0.2, 1.0], [0.0, 0.0, 0.6]]),
        still.calibration.uncertainty.point_sigma_mm(X),
        rtol=1e-6,
    )
    before, after = (np.linalg.norm(one.calibration.uncertainty.centre_sigma_mm, axis=1) for one in (still, done))
    np.testing.assert_allclose(after, before, rtol=1e-6)
    assert not {finding.code for finding in still.findings} & {"under-floor", "not-z-up"}


def test_lenses_of_a_file_are_kept_and_those_of_close_ups_are_found(rig, recording):
    shared = footage_of(scene.shots_of(rig, 30, noise_px=0.2, seed=3), rig)
    given = rig_from_boards(shared, RigRequest(given=rig))
    assert given.lenses == {}
    np.testing.assert_array_equal(given.rig.cameras[1].K, rig.cameras[1].K)
    some = Rig(rig.cameras[:2])
    mixed = rig_from_boards(shared, RigRequest(given=some, close_ups=recording))
    assert set(mixed.lenses) == set(rig.names[2:])
    np.testing.assert_allclose(gaps(mixed.rig), gaps(rig), atol=0.006)


def test_errors_of_lenses_that_are_not_refined_count(rig, recording):
    held = rig_from_boards(recording, RigRequest(refine_intrinsics=False))
    given = rig_from_boards(recording, RigRequest(given=rig, refine_intrinsics=False))
    where = np.array([[0.3, 0.2, 1.0]])
    sure, unsure = (
        one.calibration.uncertainty.point_sigma_mm(one.calibration.world_from_board[0].apply(where))[0]
        for one in (given, held)
    )
    assert unsure > 1.2 * sure


def test_errors_of_lenses_from_larger_pictures_count_as_much(rig, recording):
    """Standard errors are pixels of the recording, not of the close-ups."""
    double = replace(
        recording,
        cameras=tuple(
            replace(one, size_wh=(2560, 1440), views=tuple(BoardView(v.ids, (v.xy + 0.5) * 2 - 0.5) for v in one.views))
            for one in recording.cameras
        ),
    )
    sigma = [
        rig_from_boards(recording, RigRequest(close_ups=source, refine_intrinsics=False)).calibration.uncertainty
        for source in (recording, double)
    ]
    np.testing.assert_allclose(sigma[1].centre_sigma_mm, sigma[0].centre_sigma_mm, rtol=0.1)


def test_a_measured_distance_tells_a_wrong_board(recording, done):
    gap = gaps(done.rig)[0, 1]
    wrong = rig_from_boards(recording, RigRequest(given=done.rig, distances_m={("cam01", "cam02"): gap / 1.1}))
    assert [finding.code for finding in wrong.findings if finding.severity == "error"] == ["wrong-scale"]
    right = rig_from_boards(recording, RigRequest(given=done.rig, distances_m={("cam01", "cam02"): gap}))
    assert [finding for finding in right.findings if finding.severity == "error"] == []


def test_two_boards_tie_together_what_one_does_not(rig):
    first = [{n: v for n, v in shot.items() if n in rig.names[:2]} for shot in scene.shots_of(rig, 30, noise_px=0.1)]
    corners = OTHER.corners
    rng = np.random.default_rng(5)
    second = []
    for _ in range(30):
        R = scene.facing(rng.normal(0, 0.4, 3) + np.array([0, 0, 1]), rng)
        at, seen = corners @ R.T + rng.uniform([-0.5, -0.5, 0.6], [0.5, 0.5, 1.4]), {}
        for camera in rig.cameras[1:]:
            scene.look(seen, camera, at, rng, noise_px=0.1, outliers=0)
        second.append(seen)
    footage = footage_of([*first, *second], rig, boards=(scene.BOARD, OTHER), which=[0] * 30 + [1] * 30)
    done = rig_from_boards(footage, RigRequest(given=rig))
    np.testing.assert_allclose(gaps(done.rig), gaps(rig), atol=0.004)
    lenses = lenses_from_boards(footage, cameras=["cam02"])
    assert lenses["cam02"].camera.K[0, 0] == pytest.approx(rig["cam02"].K[0, 0], rel=0.01)


def test_a_board_that_stands_still_is_one_shot(rig):
    one = scene.shots_of(rig, 1, flat_first=True)[0]
    rng = np.random.default_rng(2)
    shots = [
        {name: BoardView(view.ids, view.xy + rng.normal(0, 0.2, view.xy.shape)) for name, view in one.items()}
        for _ in range(40)
    ]
    done = rig_from_boards(footage_of(shots, rig), RigRequest(given=rig, still=True, floor_set=0))
    assert len(done.calibration.shot_rms_px) == 1
    np.testing.assert_allclose(gaps(done.rig), gaps(rig), atol=0.01)
    assert done.held_out is None


def test_a_camera_that_was_started_late_is_named_and_put_in_step(rig):
    """A board on a smooth path; cam03's video begins three frames late."""
    rng = np.random.default_rng(7)
    frames = np.arange(140)
    path = sum(
        a * np.sin(frames[:, None] * w + p)
        for a, w, p in zip(rng.uniform(0.1, 0.25, 4), (0.05, 0.11, 0.17, 0.26), rng.uniform(0, 6, (4, 6)), strict=True)
    )
    corners, shots = scene.BOARD.corners - scene.BOARD.corners.mean(axis=0), []
    for row in path:
        R = scene.facing(np.r_[0.8 * row[3:5], 1.0], np.random.default_rng(0))
        seen = {}
        for camera in rig:
            scene.look(seen, camera, corners @ R.T + row[:3] + np.array([0, 0, 1.0]), rng, noise_px=0.1, outliers=0)
        shots.append(seen)
    footage = footage_of(shots, rig)
    late = tuple(
        replace(one, sets=one.sets + 3)[one.sets + 3 < 140] if one.camera == "cam03" else one for one in footage.cameras
    )
    done = rig_from_boards(replace(footage, cameras=late), RigRequest(given=rig))
    found = [finding for finding in done.findings if finding.code == "unsynchronised"]
    assert [finding.camera for finding in found][:1] == ["cam03"]
    assert "frames" in found[0].message
    assert "put in step here" in found[0].message
    np.testing.assert_allclose(gaps(done.rig), gaps(rig), atol=0.01)


def test_a_floor_without_a_board_names_the_frames_that_have_one(recording):
    with pytest.raises(InputError, match=r"no board was found in frame 4000; the nearest frames with one are \d+"):
        rig_from_boards(recording, RigRequest(floor_set=4000))


def test_what_cannot_carry_a_lens_is_refused_for_every_camera_at_once(rig):
    footage = footage_of(scene.shots_of(rig, 2), rig)
    with pytest.raises(InputError, match=r"camera 'cam01': .*; camera 'cam02': "):
        lenses_from_boards(footage)


def test_a_rig_is_written_with_its_report_and_the_old_one_is_kept(done, tmp_path):
    page, file = write_board_calibration(tmp_path / "out", done)
    assert page.is_file()
    np.testing.assert_allclose(gaps(load_rig(file)), gaps(done.rig))
    old = file.read_bytes()
    write_board_calibration(tmp_path / "out", done._replace(rig=Rig(done.rig.cameras[:3])))
    assert (tmp_path / "out" / "rig_before.yaml").read_bytes() == old
    assert len(load_rig(file)) == 3
    keep_footage(tmp_path / "out", done.footage)
    again = calibrating.open_footage(tmp_path / "out" / "boards.parquet", (), cameras=done.rig.names)
    assert again.names == tuple(done.rig.names)
    assert json.loads((tmp_path / "out" / "report.json").read_text())


def test_boards_that_were_found_take_another_size_but_not_another_pattern(recording, tmp_path):
    file = keep_footage(tmp_path, recording)
    larger = replace(scene.BOARD, square_m=0.082, marker_m=0.0615)
    assert calibrating.open_footage(file, (larger,)).boards == (larger,)
    for other in ((OTHER,), (replace(scene.BOARD, squares_xy=(6, 9)),), (scene.BOARD, OTHER)):
        with pytest.raises(InputError, match="leave --board out"):
            calibrating.open_footage(file, other)


def test_every_rig_that_was_replaced_is_kept_once(tmp_path):
    path = tmp_path / "rig.yaml"
    assert keep_before(path) is None
    for text in ("a", "b", "b", "c"):
        path.write_text(text)
        keep_before(path)
    assert {one.name: one.read_text() for one in tmp_path.glob("*_before*")} == {
        "rig_before.yaml": "a",
        "rig_before_2.yaml": "b",
        "rig_before_3.yaml": "c",
    }


def test_a_rig_that_failed_a_check_is_held_back_unless_forced(done, tmp_path):
    failed = done._replace(findings=(Finding("error", "cam01", "is mirrored", "mirrored-video"),))
    page, file = write_board_calibration(tmp_path, failed)
    assert page.is_file()
    assert file is None
    assert not (tmp_path / "rig.yaml").exists()
    assert "mirrored" in page.read_text()
    assert write_board_calibration(tmp_path, failed, force=True)[1] == tmp_path / "rig.yaml"
    assert yaml.safe_load((tmp_path / "rig.yaml").read_text())["format"] == "triskel-rig"
