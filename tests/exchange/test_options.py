"""Whom and what an export holds, in which unit and axes."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from triskel import InputError
from triskel.exchange import EXPORTERS, ExportOptions, export, left_out
from triskel.exchange.options import choose, select_people
from triskel.skeleton import WHOLE_BODY_135


def test_everything_is_chosen_as_it_is_by_default(whole_bodies):
    chosen = choose(whole_bodies, ExportOptions())
    np.testing.assert_array_equal(chosen.points.X, whole_bodies.points.X)
    np.testing.assert_array_equal(chosen.points.cov_mm2, whole_bodies.points.cov_mm2)
    assert (chosen.joints, chosen.ids.tolist()) == (WHOLE_BODY_135.joints, [3, 4])
    assert (chosen.units, chosen.axes) == ("m", "right-handed, z up")


@pytest.mark.parametrize(("units", "factor"), [("mm", 1000), ("cm", 100), ("m", 1)])
def test_units_scale_positions_and_leave_uncertainties_in_millimetres(motion, units, factor):
    chosen = choose(motion, ExportOptions(units=units), units="cm")
    np.testing.assert_allclose(chosen.points.X, motion.points.X * factor, rtol=1e-15)
    np.testing.assert_array_equal(chosen.points.sigma_mm, motion.points.sigma_mm)


def test_y_up_turns_positions_and_covariances_alike(motion):
    chosen = choose(motion, ExportOptions(y_up=True))
    x, y, z = motion.points.X[0, 0, 0]
    assert chosen.points.X[0, 0, 0].tolist() == [y, z, x]
    np.testing.assert_allclose(chosen.points.sigma_mm[0, 0, 0], [3, 5, 2], rtol=1e-6)
    turn = np.eye(3)[[1, 2, 0]]
    assert np.linalg.det(turn) == pytest.approx(1)
    np.testing.assert_allclose(chosen.points.cov_mm2[0, 0, 0], turn @ motion.points.cov_mm2[0, 0, 0] @ turn.T)


def test_people_come_in_the_order_they_are_asked_for(motion):
    chosen = choose(motion, ExportOptions(people=(4, 3)))
    assert chosen.ids.tolist() == [4, 3]
    np.testing.assert_array_equal(chosen.points.X, motion.points.X[:, ::-1])
    one = select_people(motion, ExportOptions(people=(4,)))
    assert one.points.views.shape == (5, 1, 25, 3)
    np.testing.assert_array_equal(one.points.X[:, 0], motion.points.X[:, 1])


def test_parts_that_nobody_has_are_left_out_unless_they_are_asked_for(faceless):
    assert left_out(faceless, ExportOptions()) == ("right_hand", "face")
    assert choose(faceless, ExportOptions()).joints == WHOLE_BODY_135.joints[:45]
    assert choose(faceless, ExportOptions(), empty_parts=True).joints == WHOLE_BODY_135.joints
    asked = ExportOptions(parts=("face", "left_hand"))
    assert left_out(faceless, asked) == ()
    assert choose(faceless, asked).joints == WHOLE_BODY_135.joints[25:45] + WHOLE_BODY_135.joints[65:]


def test_parts_are_left_out_by_the_people_who_are_exported(faceless):
    faceless.points.X[0, 1, 100] = 0, 0, 1
    assert left_out(faceless, ExportOptions()) == ("right_hand",)
    assert left_out(faceless, ExportOptions(people=(3,))) == ("right_hand", "face")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"units": "inch"}, "'inch'; there are mm, cm, m"),
        ({"parts": ("tail",)}, "body, left_hand, right_hand, face, got tail"),
        ({"parts": ()}, "got none"),
        ({"people": (3, 3)}, "different ids, got 3, 3"),
    ],
)
def test_options_that_make_no_sense_are_refused_in_one_line(options, match):
    with pytest.raises(InputError, match=match) as error:
        ExportOptions(**options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("format_", EXPORTERS)
def test_every_format_refuses_somebody_who_is_not_there_and_writes_nothing(motion, format_, tmp_path):
    with pytest.raises(InputError, match="nobody has the id 7; the ids are 3, 4"):
        export(motion, None, format=format_, out=tmp_path / "out.c3d", options=ExportOptions(people=(3, 7)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format_", sorted(set(EXPORTERS) - {"openpose", "bvh"}))
def test_a_part_that_the_joint_set_lacks_is_refused(motion, format_, tmp_path):
    with pytest.raises(InputError, match="body_25 has no face; its parts are body"):
        export(motion, None, format=format_, out=tmp_path / "out.c3d", options=ExportOptions(parts=("body", "face")))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format_", EXPORTERS)
def test_every_format_takes_every_option_and_writes_the_same_twice(whole_bodies, format_, tmp_path):
    options = ExportOptions(units="mm", y_up=True, people=(4,), parts=("body", "left_hand"))
    texts = []
    for name in ("one.c3d", "two.c3d"):
        export(whole_bodies, None, format=format_, out=tmp_path / name, options=options)
        files = sorted((tmp_path / name).rglob("*.*")) or [tmp_path / name]
        # Arrow leaves unused bits of a Parquet file as the memory had them.
        read = (lambda path: pq.read_table(path).to_pydict()) if format_ == "parquet" else Path.read_bytes
        texts.append([read(path) for path in files if path.is_file()])
    assert texts[0] == texts[1]
    assert texts[0]
    assert {path.name for path in tmp_path.iterdir()} == {"one.c3d", "two.c3d"}
