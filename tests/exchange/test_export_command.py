"""`triskel export`: its options reach the formats, and what cannot be is one line and status 2."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from triskel import Session
from triskel.session import CameraEntry, SessionInfo


@pytest.fixture
def session(faceless, tmp_path):
    """A session of results alone: no videos, no detections, no rig."""
    info = SessionInfo(fps=50, cameras=[CameraEntry(name=name) for name in faceless.cameras])
    made = Session.create(tmp_path / "session", info)
    raw = type(faceless)(
        faceless.skeleton,
        faceless.cameras,
        faceless.time_s,
        faceless.ids,
        faceless.points._replace(X=faceless.points.X + 1),
        np.zeros_like(faceless.gap),
    )
    made.save_motion(faceless, raw=raw)
    return made.path


def test_options_reach_the_file_and_what_was_never_found_is_named(run, session, tmp_path, faceless):
    out = tmp_path / "m.parquet"
    status, said, err = run(
        "export", session, "--format", "parquet", "--out", out, "--units", "mm", "--y-up", "--people", "4"
    )
    assert (status, err) == (0, "")
    assert said.splitlines() == ["never found, so left out: right hand, face", str(out)]
    table = pq.read_table(out)
    assert set(table["person"].to_pylist()) == {4}
    assert table["y_mm"][0].as_py() == pytest.approx(1000 * faceless.points.X[0, 1, 0, 2])
    assert set(table["part"].to_pylist()) == {"body", "left_hand"}


def test_parts_asked_for_are_written_and_nothing_is_said(run, session, tmp_path):
    out = tmp_path / "m.parquet"
    status, said, _ = run("export", session, "--format", "parquet", "--out", out, "--parts", "hands,body")
    assert (status, said.splitlines()) == (0, [str(out)])
    assert set(pq.read_table(out)["part"].to_pylist()) == {"body", "left_hand", "right_hand"}


def test_raw_results_are_those_before_anything_was_done_over_time(run, session, tmp_path, faceless):
    out = tmp_path / "m.npz"
    status, said, _ = run("export", session, "--format", "npz", "--out", out, "--raw")
    assert (status, said.splitlines()) == (0, [str(out)])
    data = np.load(out)
    np.testing.assert_array_equal(data["X"], faceless.points.X + 1)
    assert not data["gap"].any()


@pytest.mark.parametrize("format_", ["openpose", "csv", "csv-tidy", "parquet", "trc", "c3d", "bvh", "npz"])
def test_results_alone_go_out_in_every_format(run, session, tmp_path, format_):
    status, _, err = run("export", session, "--format", format_, "--out", tmp_path / "out.c3d")
    assert status == 0, err
    assert (tmp_path / "out.c3d").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--units", "inch"), "no unit of an export is called 'inch'; there are mm, cm, m"),
        (("--people", "0,x"), "--people is ids with commas between them, as 0,2, got '0,x'"),
        (("--people", "0"), "nobody has the id 0; the ids are 3, 4"),
        (("--parts", "tail"), "--parts is some of body, hands, face, got 'tail'"),
        (("--format", "fbx"), "no export format is called 'fbx'"),
    ],
)
def test_what_cannot_be_is_one_line_and_nothing_is_written(run, session, tmp_path, options, message):
    status, said, err = run("export", session, "--format", "csv", "--out", tmp_path / "x.csv", *options)
    assert (status, said) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "x.csv").exists()
