"""`triskel weights list` and `import`, as a user types them."""

import runpy
import sys
from pathlib import Path

import pytest

from triskel import cli
from triskel.commands import data
from triskel.detect2d.weights import LICENCE, WEIGHTS, imported_path

CAFFE = runpy.run_path(str(Path(__file__).with_name("caffe_nets.py")))  # tests are not a package


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["triskel", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        captured = capsys.readouterr()
        return stop.value.code or 0, captured.out, captured.err

    return call


def listed(run, name):
    status, out, _ = run("weights", "list")
    assert status == 0
    (line,) = [line for line in out.splitlines() if line.split()[:1] == [name]]
    return line


def test_what_is_imported_is_listed_with_its_file_and_the_licence_is_said(run, tmp_path):
    assert listed(run, "hand").split()[-1] == "no"
    assert "triskel weights import FILE --as NAME" in run("weights", "list")[1]
    net = CAFFE["NETS"]["hand"]()
    file = CAFFE["write_caffemodel"](tmp_path / "h.caffemodel", net, CAFFE["random_blobs"](net, seed=0), version=2)
    status, out, err = run("weights", "import", file, "--as", "hand")
    assert (status, out.splitlines(), err) == (0, [str(imported_path("hand")), LICENCE], "")
    assert "non-commercial research use only" in LICENCE
    assert "21 (hand_21)" in listed(run, "hand")
    assert listed(run, "hand").split()[-1] == "yes"
    assert f"kept in {imported_path('hand').parent};" in run("weights", "list")[1]


def test_published_and_importable_weights_are_listed(run):
    for name in (*WEIGHTS, "body_25", "coco", "mpi", "mpi_4", "hand", "face"):
        assert listed(run, name)


def test_on_a_terminal_of_100_columns_nothing_is_cut_and_nothing_overflows(run, monkeypatch):
    monkeypatch.setattr(data.OUT, "_width", 100)
    status, out, _ = run("weights", "list")
    rows = [line.rstrip() for line in out.splitlines() if not line.startswith(("kept in", "yours"))]
    assert status == 0
    assert max(map(len, rows)) <= 100
    assert "…" not in out
    for one in WEIGHTS.values():
        (n,) = [n for n, line in enumerate(rows) if line.split()[:1] == [one.name]]
        assert set(one.source.split()) <= {*rows[n].split(), *rows[n + 1].split()}  # long ones take two lines
        assert one.keypoints in rows[n]


def test_a_file_that_a_user_brings_is_not_said_to_be_fetched(run, tmp_path):
    (tmp_path / "hand.tflite").write_bytes(b"another network")
    status, out, err = run("weights", "get", "mediapipe_hand", "--file", tmp_path / "hand.tflite")
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert "hand.tflite: not the expected file: its sha256 is" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("none.caffemodel", "--as", "hand"), "none.caffemodel: cannot be read"),
        (("x.caffemodel", "--as", "hand"), "x.caffemodel: not a caffemodel"),
        (("x.caffemodel", "--as", "body"), "no weights are imported as 'body'; there are body_25, coco, mpi, mpi_4"),
        (("x.caffemodel",), "--as"),
    ],
)
def test_a_wrong_import_is_one_line_and_status_2(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    Path("x.caffemodel").write_bytes(b"\x00" * 50)
    status, out, err = run("weights", "import", *arguments)
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert message in err
    assert not (tmp_path / "cache").exists()
