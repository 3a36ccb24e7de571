import cv2
import pytest
from typer.testing import CliRunner

from triskel.calibration.boards import Charuco, Chessboard, MarkerGrid, load_board
from triskel.commands.boards import app
from triskel.errors import ConfigError, InputError


def run(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


@pytest.mark.parametrize(
    ("options", "board"),
    [
        (
            [],
            Charuco(squares_xy=(9, 6), square_m=0.03, marker_m=0.0225, dictionary="DICT_4X4_250"),
        ),
        (["--kind", "chessboard"], Chessboard(corners_xy=(8, 5), square_m=0.03)),
        (
            ["--kind", "aprilgrid", "--square-mm", 40, "--marker-mm", 32, "--squares", "5x3", "--name", "tags"],
            MarkerGrid(markers_xy=(5, 3), tag_m=0.032, gap_m=0.008, name="tags"),
        ),
        (
            ["--kind", "arucogrid", "--inverted", "--first-marker", 50, "--page", "a3", "--square-mm", 60],
            MarkerGrid(
                markers_xy=(6, 4), tag_m=0.045, gap_m=0.015, dictionary="DICT_4X4_250", first_marker=50, inverted=True
            ),
        ),
    ],
)
def test_what_is_printed_is_described_and_found(tmp_path, options, board):
    out = tmp_path / "b.png"
    said = run("make", "--out", out, "--dpi", 120, *options)
    assert "at 100 %" in said
    assert load_board(tmp_path / "b.yaml") == board
    said = run("show", tmp_path / "b.yaml", out, "--out", tmp_path / "drawn")
    assert f"{len(board.corners)} of {len(board.corners)}" in said
    drawn = cv2.imread(str(tmp_path / "drawn/b.png"))
    assert drawn.shape == cv2.imread(str(out)).shape
    # The axes: red for x and green for y.
    assert ((drawn[..., 2] > 200) & (drawn[..., 1] < 80)).any()
    assert ((drawn[..., 1] > 150) & (drawn[..., 2] < 80)).any()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--squares", "nine"], "--squares is two whole numbers"),
        (["--square-mm", "60"], "choose page a2"),
        (["--kind", "chessboard", "--squares", "8x6"], "an odd one the other"),
        (["--kind", "chessboard", "--marker-mm", "20"], "has no markers"),
        (["--page", "b17"], "page is a0"),
        (["--square-mm", "nan"], "positive"),
        (["--marker-mm", "-3"], "positive"),
        (["--marker-mm", "400"], "give a page of at least"),
        (["--dictionary", "DICT_FOO"], "DICT_FOO"),
        (["--first-marker", "240"], "another first_marker"),
    ],
)
def test_boards_that_cannot_be_printed_are_refused_in_one_line(tmp_path, arguments, says):
    with pytest.raises(ConfigError, match=says) as error:
        run("make", "--out", tmp_path / "b.pdf", *arguments)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_pictures_that_are_missing_or_broken_are_named(tmp_path):
    run("make", "--out", tmp_path / "b.svg")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    (tmp_path / "empty").mkdir()
    for name, says in (("broken.png", "cannot be read as an image"), ("empty", "holds no pictures"), ("no.png", "no")):
        with pytest.raises(InputError, match=says):
            run("show", tmp_path / "b.yaml", tmp_path / name)
    with pytest.raises(InputError, match="needs pictures"):
        run("show", tmp_path / "b.yaml", "--out", tmp_path / "x")


def test_pictures_of_one_name_do_not_overwrite_each_other(tmp_path):
    run("make", "--out", tmp_path / "b.png", "--dpi", 60)
    for folder in ("cam1", "cam2"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.png").write_bytes((tmp_path / "b.png").read_bytes())
    run("show", tmp_path / "b.yaml", tmp_path / "cam1", tmp_path / "cam2", "--out", tmp_path / "drawn")
    assert sorted(path.name for path in (tmp_path / "drawn").iterdir()) == ["cam1_1.png", "cam2_1.png"]


@pytest.mark.parametrize("option", ["--square-mm", "--marker-mm"])
@pytest.mark.parametrize("value", ["nan", "inf", "0"])
def test_sizes_that_are_none_are_refused_by_name(tmp_path, option, value):
    result = CliRunner().invoke(app, ["make", "--out", str(tmp_path / "board.pdf"), option, value])
    assert isinstance(result.exception, ConfigError)
    assert f"{option} is a positive number of mm, got {value}" in str(result.exception)
