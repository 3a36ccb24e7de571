"""`triskel evaluate`: bad input is one line and status 2, and three scales are not worse than one."""

import json
from pathlib import Path

import numpy as np
import pytest

from .labels import annotation

COCO = Path(__file__).resolve().parents[4] / "shared/data/coco"
NAMES = ("nose", "left_shoulder", "right_shoulder")


@pytest.fixture
def dataset(write_dataset):
    return write_dataset(NAMES, [annotation(1, 1, [[100, 50, 2], [120, 90, 2], [80, 90, 2]])])


@pytest.fixture
def coco():
    if not COCO.is_dir():
        pytest.skip(f"needs the shared photographs, and {COCO} is missing")
    return COCO


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--metric", "iou"], "--metric is of oks, pck, pckh, hand, face, with commas; got 'iou'"),
        (["--metric", ","], "--metric is of oks, pck, pckh, hand, face"),
        (["--scales", "1,big"], "--scales is numbers with commas, such as 0.7,1,1.3; got '1,big'"),
        (
            ["--scales", "1", "--scales", "1.0"],
            "--quality, --scales and --method: each is given once, got 1, 1.0, greedy",
        ),
        (["--quality", "best", "--quality", "best"], "each is given once, got best, best, greedy"),
        (["--quality", "good"], "--quality is fast, balanced or best, got 'good'"),
        (["--scales", "90"], "scales are one or more numbers from 0.1 to 4"),
        (["--net-size", "wide"], "--net-size is a number such as 304, or a box"),
        (["--precision", "int8"], "--precision is auto, float32 or bfloat16, got 'int8'"),
        (["--first", "0"], "--first is 1 or more, got 0"),
        (["--out", __file__], "test_command.py is a file; choose another one with --out"),
        (["--out", f"{__file__}/results"], "test_command.py is a file; choose another one with --out"),
        (["--images", "nowhere"], "nowhere: no such folder of images"),
    ],
)
def test_wrong_options_are_one_line(options, message, run, dataset):
    status, out, err = run("evaluate", "body", dataset, *options)
    assert (status, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_an_empty_data_set_is_one_line(run, write_dataset):
    folder = write_dataset(NAMES, [annotation(1, 1, np.zeros((3, 3)))])
    status, _, err = run("evaluate", "body", folder)
    assert status == 2
    assert "has no person with a labelled joint in 2 images" in err
    assert err.count("\n") == 1


def test_missing_images_are_one_line(run, dataset):
    (dataset / "images/2.png").unlink()
    status, _, err = run("evaluate", "body", dataset)
    assert status == 2
    assert "1 of 2 images are missing, first" in err
    assert "2.png" in err


def test_a_missing_data_set_is_one_line(run, tmp_path):
    (tmp_path / "images").mkdir()
    status, _, err = run("evaluate", "body", tmp_path / "none.json")
    assert status == 2
    assert "none.json: no such file" in err


def test_an_unknown_model_is_one_line(run, dataset):
    status, out, err = run("evaluate", "tail", dataset)
    assert (status, out) == (2, "")
    assert "tail" in err
    assert err.count("\n") == 1


@pytest.mark.network
@pytest.mark.parametrize(
    ("names", "message"), [(("front", "back", "door"), "has no joint of the model"), (NAMES, "cannot be read")]
)
def test_what_only_shows_with_the_model_is_one_line_and_leaves_no_folder(names, message, run, write_dataset, tmp_path):
    folder = write_dataset(names, [annotation(1, 1, [[100, 50, 2], [120, 90, 2], [80, 90, 2]])])
    (folder / "images/2.png").write_bytes(b"no picture")
    status, out, err = run("evaluate", "body", folder, "--out", tmp_path / "out", "--scales", "1")
    assert (status, out) == (2, "")
    assert message in err.splitlines()[-1]
    assert not (tmp_path / "out").exists()


@pytest.mark.network
@pytest.mark.slow
def test_three_scales_are_not_worse_than_one_on_photographs(run, coco, tmp_path):
    """All 99 photographs: fewer would be luck. On these the difference is about three points."""
    alone = ("--no-refine", "--no-hands", "--no-face", "--net-size", "304", "--mirror")
    scales = ("--scales", "1", "--scales", "0.7,1,1.3")
    status, out, err = run(
        "evaluate", "mobilenet_thin", coco, "--out", tmp_path, "--metric", "oks,pck", *scales, *alone
    )
    assert status == 0, err
    assert out.splitlines()[1].split() == "AP AP50 AP75 APM APL AR PCK@0.2 PCKh@0.5 ms/image".split()
    one, three = json.loads((tmp_path / "summary.json").read_text())["runs"]
    assert (one["name"], three["name"]) == ("1 scale", "3 scales")
    assert 0.25 < one["headline"]["AP"] <= three["headline"]["AP"] < 0.5
    assert one["headline"]["PCK@0.2"] <= three["headline"]["PCK@0.2"]
