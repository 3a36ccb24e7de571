import dataclasses
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from triskel import Rig
from triskel.calibration.checks import Finding
from triskel.calibration.footage import BoardFootage, CameraBoards
from triskel.calibration.people import CameraMove, ErrorChange, ErrorSummary, PeopleCalibration
from triskel.calibration.report import advise, gather_numbers, judge, write_calibration_report
from triskel.calibration.report.image_plots import arrow_factor, draw_coverage
from triskel.calibration.report.texts import report_text
from triskel.calibration.report.write import PLOTS, Plot, draw_plots, png_of, render_html
from triskel.errors import InputError

BAD_NAME = "Kamera «<script>alert(1)</script>» $x^2$ & Söhne"


class Balance(HTMLParser):
    """Counts tags that are open."""

    VOID = ("meta", "img", "rect")

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


def assert_well_formed(html):
    parser = Balance()
    parser.feed(html)
    parser.close()
    assert parser.open == []


def renamed(numbers, name):
    first = dataclasses.replace(numbers.cameras[0], name=name)
    return dataclasses.replace(numbers, cameras=(first, *numbers.cameras[1:]))


@pytest.fixture(scope="module")
def folder(recording, tmp_path_factory):
    """Return the folder of a report of everything but people."""
    page = write_calibration_report(
        tmp_path_factory.mktemp("reports") / "new" / "report",
        intrinsics=recording.intrinsics,
        calibration=recording.calibration,
        held_out=recording.held_out,
        boards=[recording.board],
        findings=[Finding("warning", "cam02", "was the image cropped?")],
        title="Mon été <1>",
    )
    assert page.name == "report.html"
    return page.parent


def test_everything_is_on_a_page_that_carries_its_pictures(folder):
    html = (folder / "report.html").read_text(encoding="utf-8")
    assert_well_formed(html)
    assert "<h1>Mon été &lt;1&gt;</h1>" in html
    drawn = [name for name in PLOTS if name != "people"]  # nothing was refined from people
    assert html.count("data:image/png;base64,") == len(drawn)
    assert not re.search(r'(src|href)="(?!data:)', html)
    for text in ("was the image cropped?", "What a 3D point is worth", "Held-out error in millimetres", "pinhole5"):
        assert text in html
    assert len(html) < 2_000_000
    names = {path.name for path in folder.iterdir()}
    assert names == {"report.html", "report.json", "summary.txt", *(f"{name}.png" for name in drawn)}
    assert all((folder / f"{name}.png").read_bytes()[:4] == b"\x89PNG" for name in drawn)


def test_json_says_the_same_as_the_calibration(recording, folder):
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert report["format"] == "triskel-calibration-report 1"
    assert report["verdict"]["grade"] == "usable"  # a check has a warning
    assert report["findings"][0]["camera"] == "cam02"
    assert report["advice"] == []
    assert report["cameras"][2]["name"] == "cam03"
    np.testing.assert_allclose(report["cameras"][2]["centre_m"], recording.calibration.rig["cam03"].centre, atol=1e-6)
    np.testing.assert_allclose(report["rms_px"], recording.calibration.rms_px, atol=1e-6)
    np.testing.assert_allclose(report["held_out"]["median_mm"], recording.held_out.median_mm, atol=1e-6)
    assert report["cameras"][0]["lens"]["views"] == recording.intrinsics["cam01"].n_views
    assert report["people"] is None


@pytest.mark.slow
def test_the_same_calibration_makes_the_same_files(recording, tmp_path):
    for name in ("a", "b"):
        write_calibration_report(tmp_path / name, calibration=recording.calibration, held_out=recording.held_out)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_lenses_alone_have_a_page_and_leave_no_picture_of_an_older_rig(recording, tmp_path):
    (tmp_path / "volume.png").write_bytes(b"an older report's")
    write_calibration_report(tmp_path, intrinsics={"cam01": recording.intrinsics["cam01"]}, title="lens")
    assert {path.name for path in tmp_path.glob("*.png")} == {"coverage.png", "residuals.png"}
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert_well_formed(html)
    assert "Cameras and what ties them together" not in html
    assert "Lenses" in html


def test_nothing_to_report_is_refused(tmp_path):
    with pytest.raises(InputError, match="needs intrinsics, a rig or a refinement from people"):
        write_calibration_report(tmp_path / "report", intrinsics={})
    assert not (tmp_path / "report").exists()


def page_of(numbers, plots=None):
    advice = advise(numbers)
    return render_html(numbers, judge(numbers, advice), advice, plots=plots or {}, title="x")


def test_a_good_calibration_is_said_to_leave_nothing_to_do(numbers):
    assert "Nothing: every camera saw the board often enough" in page_of(numbers)
    assert "- nothing that the recording shows" in report_text(numbers, judge(numbers, []), [], title="x")


def test_names_cannot_put_tags_or_formulae_into_the_page(recording):
    numbers = gather_numbers(calibration=recording.calibration, intrinsics=recording.intrinsics)
    numbers = renamed(numbers, BAD_NAME)
    html = page_of(numbers, {"coverage": Plot(png_of(draw_coverage(numbers.cameras)), BAD_NAME)})
    assert_well_formed(html)
    assert "<script>" not in html
    assert "Kamera «&lt;script&gt;" in html


def test_a_camera_that_saw_nothing_and_unknown_numbers_leave_dashes(numbers):
    nothing = np.zeros((0, 2))
    first = numbers.cameras[0]
    empty = first.errors._replace(counts=0 * first.errors.counts, mean_px=np.nan * first.errors.mean_px)
    blind = dataclasses.replace(
        first, n_views=0, n_corners=0, rms_px=np.nan, median_px=np.nan, p95_px=np.nan, xy=nothing, errors=empty,
        coverage=empty, centre_sigma_mm=np.full(3, np.nan), angle_sigma_deg=np.nan,
    )  # fmt: skip
    numbers = dataclasses.replace(numbers, cameras=(blind, *numbers.cameras[1:]))
    html = page_of(numbers, draw_plots(numbers))
    assert_well_formed(html)
    assert "cam01 never saw the board" in html
    assert "nan" not in re.sub(r"data:image/png;base64,[^\"]*", "", html).lower().split()


@pytest.mark.slow
def test_32_cameras_make_a_page_below_2_mb(scene, rig_of, tmp_path):
    from triskel.calibration.rig import calibrate_rig

    rig = rig_of(32)
    shots = scene.shots_of(rig, 40, noise_px=0.3)
    result = calibrate_rig(shots, rig, scene.BOARD)
    page = write_calibration_report(tmp_path, calibration=result, boards=[scene.BOARD])
    assert_well_formed(page.read_text(encoding="utf-8"))
    assert page.stat().st_size < 2_000_000


def test_arrows_are_lengthened_by_a_round_number(numbers):
    factor = arrow_factor(numbers.cameras)
    assert factor >= 1
    assert float(f"{factor:.0e}") == factor
    assert f"{factor:.0e}"[0] in "125"
    ten_times = [
        dataclasses.replace(c, errors=c.errors._replace(mean_px=10 * c.errors.mean_px)) for c in numbers.cameras
    ]
    np.testing.assert_allclose(arrow_factor(ten_times), factor / 10)


def people_calibration(rig) -> PeopleCalibration:
    C = len(rig)
    before = ErrorSummary(10.0, 12.0, 15.0, 30.0, np.full(C, 10.0), np.full(C, 30.0), 900)
    after = before._replace(median_px=7.0, camera_median_px=np.full(C, 7.0))
    change = ErrorChange(before, after, before, after)
    moves = [CameraMove(name, 1.0, 0.02, 0.9, 0.02, 0.5, 0.0, "stayed") for name in rig.names]
    moves[1] = CameraMove(rig.names[1], 31.0, 0.2, 0.9, 0.02, 9.0, 0.0, "bumped")
    return PeopleCalibration(
        rig=rig, used=change, held_out=change, moves=tuple(moves), bumped=(rig.names[1],), drift=(), events=(),
        joints=("Nose",), noise_px=np.ones(1), n_frames=100, n_points=2500, n_people=1, warnings=(),
    )  # fmt: skip


def test_a_refinement_from_people_says_what_fell_and_who_was_bumped(rig, tmp_path):
    page = write_calibration_report(tmp_path, people=people_calibration(Rig(rig.cameras)), title="people")
    html = page.read_text(encoding="utf-8")
    assert_well_formed(html)
    assert "from 10.0 to 7.0 px (-30 %) in frames that were not used" in html
    assert "cam02 was bumped: it stands 31 mm and 0.2 degrees" in html
    assert "Where the board was seen" not in html
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert report["people"]["bumped"] == ["cam02"]
    assert report["people"]["errors"][0]["after"]["median_px"] == 7.0
    text = (tmp_path / "summary.txt").read_text(encoding="utf-8")
    assert re.search(r"cam02 +31\.0 ± 0\.9 +0\.20 ± 0\.02 +9\.0  bumped", text)


def test_footage_says_in_how_many_images_the_board_was_found(recording):
    frames = np.array([3, 5, 9])
    views = tuple(next(shot["cam01"] for shot in recording.shots if "cam01" in shot) for _ in frames)
    seen = CameraBoards(camera="cam01", size_wh=(1280, 720), frames=frames, views=views, looked_at=40)
    footage = BoardFootage(cameras=(seen,), boards=(recording.board,))
    numbers = gather_numbers(calibration=recording.calibration, footage=footage)
    assert [(c.found, c.looked_at) for c in numbers.cameras] == [(3, 40), (0, 0), (0, 0), (0, 0)]
    html = page_of(numbers, draw_plots(numbers))
    assert "<td>3 of 40</td>" in html
