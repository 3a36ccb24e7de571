"""`triskel weights list` and `import`, as a user types them."""

import runpy
import sys
from pathlib import Path

import pytest

from triskel import cli
from triskel.detect2d.weights import LICENCE, imported_path

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
    assert "no: triskel weights import FILE --as hand" in listed(run, "hand")
    net = CAFFE["NETS"]["hand"]()
    file = CAFFE["write_caffemodel"](tmp_path / "h.caffemodel", net, CAFFE["random_blobs"](net, seed=0), version=2)
    status, out, err = run("weights", "import", file, "--as", "hand")
    assert (status, out.splitlines(), err) == (0, [str(imported_path("hand")), LICENCE], "")
    assert "non-commercial research use only" in LICENCE
    assert "21 (hand_21)" in listed(run, "hand")
    assert str(imported_path("hand")) in "".join(run("weights", "list")[1].split())  # a long path is folded


def test_published_and_importable_weights_are_listed(run):
    for name in ("mobilenet_thin", "body_25", "coco", "mpi", "mpi_4", "hand", "face"):
        assert listed(run, name)


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
