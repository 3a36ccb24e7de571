"""What the report says of a rig from people, and the picture in it."""

import re

import numpy as np
import pytest

from triskel import Rig, Rigid
from triskel.calibration.people import CameraMove, ErrorChange, ErrorSummary, PeopleCalibration
from triskel.calibration.report import gather_numbers, write_calibration_report
from triskel.calibration.report.from_people import people_advice, people_sentence
from triskel.calibration.report.people_plots import draw_people


def shifted(rig, index, by):
    camera = rig.cameras[index]
    R = camera.cam_from_world.R
    moved = camera.replace(cam_from_world=Rigid(R, -R @ (camera.centre + by)))
    return Rig(tuple(moved if i == index else other for i, other in enumerate(rig)))


def from_people(old, new, verdicts, *, after_px=7.0) -> PeopleCalibration:
    C = len(new)
    before = ErrorSummary(10.0, 12.0, 15.0, 30.0, np.full(C, 10.0), np.full(C, 30.0), 900)
    after = before._replace(median_px=after_px, camera_median_px=np.full(C, after_px))
    change = ErrorChange(before, after, before, after)
    moves = tuple(
        CameraMove(name, 30.0, 0.5, 20.0, 0.4, 1.2, 0.0, verdict)
        for name, verdict in zip(new.names, verdicts, strict=True)
    )
    return PeopleCalibration(
        rig=new, used=change, held_out=None, moves=moves, bumped=(), drift=(), events=(), joints=("Nose",),
        noise_px=np.ones(1), n_frames=100, n_points=2500, n_people=1, warnings=(), old=old,
    )  # fmt: skip


def drawn(people):
    numbers = gather_numbers(people=people)
    figure, factor = draw_people(numbers, people, numbers.plan)
    return figure.axes, factor


def test_what_is_only_perhaps_is_neither_named_nor_denied(rig):
    people = from_people(rig, shifted(rig, 0, [0.03, 0, 0]), ["perhaps", "stayed", "stayed", "stayed"])
    sentence = people_sentence(people)
    assert "from 10.0 to 7.0 px" in sentence
    assert "cannot be said for certain" in sentence
    assert [(code, cameras) for code, cameras, _ in people_advice(people)] == [("perhaps-moved", (rig.names[0],))]
    kept = from_people(rig, rig, ["perhaps", "stayed", "stayed", "stayed"], after_px=10.0)
    assert people_sentence(kept).startswith(f"The rig was left as it was: perhaps {rig.names[0]} moved")
    stayed = from_people(rig, rig, ["stayed"] * 4, after_px=10.0)
    assert people_sentence(stayed) == "No camera moved by more than chance since the rig was calibrated."
    assert people_advice(stayed) == []


def test_the_arrow_goes_the_way_the_camera_went_times_the_factor(rig):
    by = np.array([0.02, -0.03, 0.0])
    people = from_people(rig, shifted(rig, 1, by), ["stayed", "bumped", "stayed", "stayed"])
    (left, right), factor = drawn(people)
    assert factor in (1, 2, 5, 10, 20, 50)
    (arrow,) = [text for text in left.texts if text.get_text() == "" and text.arrow_patch is not None]
    np.testing.assert_allclose(np.subtract(arrow.xy, arrow.xyann), factor * by[:2], atol=1e-9)
    assert f"x {factor:g}" in left.get_title(loc="left")
    assert [round(patch.get_width(), 3) for patch in right.patches] == [10.0] * 4 + [7.0] * 4
    radii = [patch.radius for patch in left.patches if hasattr(patch, "radius")]
    assert radii == pytest.approx([factor * 0.02] * 4)


def test_a_rig_that_was_kept_or_placed_anew_has_no_arrows(rig):
    for old, verdict, words in ((rig, "stayed", "none was changed"), (None, "placed", "placed anew")):
        (left, right), _ = drawn(from_people(old, rig, [verdict] * 4))
        assert words in left.get_title(loc="left")
        assert not [text for text in left.texts if text.get_text() == ""]
        assert len(right.patches) == (8 if old else 4)


def test_the_picture_is_in_the_page_and_beside_it(rig, tmp_path):
    people = from_people(rig, shifted(rig, 0, [0.05, 0, 0]), ["moved", "stayed", "perhaps", "not seen"])
    html = write_calibration_report(tmp_path, people=people).read_text(encoding="utf-8")
    assert (tmp_path / "people.png").stat().st_size > 10_000
    assert re.search(r'<img src="data:image/png;base64,[^"]+" alt="Left: where the cameras stood', html)
    assert "<th>Significance</th>" in html
    assert '<td class="words">perhaps</td>' in html
    placed = from_people(None, rig, ["placed"] * 4)
    html = write_calibration_report(tmp_path, people=placed).read_text(encoding="utf-8")
    assert "Where cameras stand" in html
    assert "How far cameras moved" not in html
    assert "nan" not in (tmp_path / "summary.txt").read_text(encoding="utf-8")
