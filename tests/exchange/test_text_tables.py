"""CSV, Parquet and NumPy's archive, read back by other software."""

import csv

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from triskel import Detections2D
from triskel.exchange import ExportOptions, export
from triskel.keypoints import Missing
from triskel.motion import Motion3D
from triskel.skeleton import BODY_25, WHOLE_BODY_135, make_skeleton

TIDY = (
    "frame time_s person part joint x_m y_m z_m score reproj_px n_views sigma_x_mm sigma_y_mm sigma_z_mm gap missing"
).split()


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def numbers(rows, names):
    return np.array([[float(row[name] or "nan") for name in names] for row in rows])


def test_the_wide_csv_has_all_positions_first_and_then_what_is_known_of_them(motion, tmp_path):
    export(motion, None, format="csv", out=tmp_path / "m.csv")
    rows = rows_of(tmp_path / "m.csv")
    names = [f"{i}_{joint}" for i in (3, 4) for joint in BODY_25.joints]
    places = [f"{name}_{axis}_m" for name in names for axis in "xyz"]
    known = ["gap", "n_views", "reproj_px", "sigma_x_mm", "sigma_y_mm", "sigma_z_mm"]
    assert list(rows[0]) == ["frame", "time_s", *places, *(f"{name}_{what}" for name in names for what in known)]
    np.testing.assert_allclose(numbers(rows, places).reshape(5, 2, 25, 3), motion.points.X, atol=1e-6)
    assert rows[1]["3_RElbow_x_m"] == rows[1]["3_RElbow_reproj_px"] == rows[1]["3_RElbow_sigma_z_mm"] == ""
    assert (rows[1]["3_RElbow_n_views"], rows[0]["3_Nose_n_views"], rows[1]["3_Nose_n_views"]) == ("0", "3", "2")
    gap = numbers(rows, [f"{name}_gap" for name in names]).reshape(5, 2, 25)
    np.testing.assert_array_equal(gap, motion.gap)
    assert [float(row["time_s"]) for row in rows] == [0, 0.02, 0.04, 0.06, 0.08]


def test_the_wide_csv_of_whole_bodies_keeps_joints_and_drops_parts_that_were_never_found(faceless, tmp_path):
    export(faceless, None, format="csv", out=tmp_path / "m.csv", options=ExportOptions(units="mm"))
    rows = rows_of(tmp_path / "m.csv")
    assert len(rows[0]) == 2 + 2 * 45 * 9
    assert {row["3_LSmallToe_x_mm"] for row in rows} == {""}
    assert float(rows[0]["4_LLittle4_z_mm"]) == pytest.approx(1000 * faceless.points.X[0, 1, 44, 2], abs=1e-3)


def test_the_tidy_csv_has_a_row_for_every_joint_with_the_reason_where_it_is_missing(whole_bodies, tmp_path):
    export(whole_bodies, None, format="csv-tidy", out=tmp_path / "m.csv")
    rows = rows_of(tmp_path / "m.csv")
    assert list(rows[0]) == TIDY
    assert len(rows) == 5 * 2 * 135
    sizes = {
        part: sum(row["part"] == part for row in rows[:135]) for part in ("body", "left_hand", "right_hand", "face")
    }
    assert sizes == {"body": 25, "left_hand": 20, "right_hand": 20, "face": 70}
    np.testing.assert_allclose(
        numbers(rows, ("x_m", "y_m", "z_m")).reshape(5, 2, 135, 3), whole_bodies.points.X, atol=1e-6
    )
    last = rows[-1]
    assert [last[name] for name in ("frame", "person", "part", "joint", "missing")] == [
        "4", "4", "face", "Face69", "found",
    ]  # fmt: skip
    lost = rows[135 * 4 + 65]
    assert [lost[name] for name in ("x_m", "reproj_px", "sigma_x_mm", "score", "n_views", "gap", "missing")] == [
        "", "", "", "0", "0", "0", "disagree",
    ]  # fmt: skip
    assert [i for i, row in enumerate(rows) if row["gap"] == "1"] == [2 * 270, 3 * 270 + 135 + 7]


def test_names_with_commas_are_quoted(motion, tmp_path):
    skeleton = make_skeleton("odd", ("a,b", *BODY_25.joints[1:]), ())
    odd = Motion3D(skeleton, motion.cameras, motion.time_s, motion.ids, motion.points, motion.gap)
    for format_ in ("csv", "csv-tidy"):
        export(odd, None, format=format_, out=tmp_path / f"{format_}.csv")
    assert "3_a,b_x_m" in rows_of(tmp_path / "csv.csv")[0]
    assert rows_of(tmp_path / "csv-tidy.csv")[0]["joint"] == "a,b"


def test_parquet_holds_the_tidy_table_unrounded_with_nulls_for_what_is_missing(whole_bodies, tmp_path):
    export(whole_bodies, None, format="parquet", out=tmp_path / "m.parquet")
    table = pq.read_table(tmp_path / "m.parquet")
    assert table.column_names == TIDY
    xyz = np.stack([table[f"{axis}_m"].to_numpy(zero_copy_only=False) for axis in "xyz"], axis=-1)
    np.testing.assert_array_equal(xyz.reshape(5, 2, 135, 3), whole_bodies.points.X)
    assert table["x_m"].null_count == table["reproj_px"].null_count == (~whole_bodies.found).sum()
    sigma = np.stack([table[f"sigma_{axis}_mm"].to_numpy(zero_copy_only=False) for axis in "xyz"], axis=-1)
    np.testing.assert_allclose(sigma[0], [2, 3, 5], rtol=1e-6)
    assert table["gap"].to_numpy(zero_copy_only=False).reshape(5, 2, 135)[2, 0, 0]
    assert set(table["missing"].to_pylist()) == {"found", "disagree"}
    assert table["part"].to_pylist()[134] == "face"
    assert table.schema.metadata[b"units"] == b"m"
    assert table.schema.metadata[b"axes"] == b"right-handed, z up"
    kinds = {name: str(table.schema.field(name).type) for name in ("frame", "person", "n_views", "gap")}
    assert kinds == {"frame": "int32", "person": "int64", "n_views": "int16", "gap": "bool"}


def test_parquet_says_its_units_in_names_and_its_axes_in_the_metadata(motion, tmp_path):
    options = ExportOptions(units="mm", y_up=True, people=(4,))
    export(motion, None, format="parquet", out=tmp_path / "m.parquet", options=options)
    table = pq.read_table(tmp_path / "m.parquet")
    assert table.column_names[5:8] == ["x_mm", "y_mm", "z_mm"]
    assert set(table["person"].to_pylist()) == {4}
    np.testing.assert_allclose(table["y_mm"].to_numpy()[0], 1000 * motion.points.X[0, 1, 0, 2])
    assert table.schema.metadata[b"axes"] == b"right-handed, y up"


def test_nobody_is_a_table_without_rows(nobody, tmp_path):
    for format_ in ("csv", "csv-tidy", "parquet", "npz"):
        export(nobody, None, format=format_, out=tmp_path / format_)
    assert len(rows_of(tmp_path / "csv")) == 5
    assert rows_of(tmp_path / "csv-tidy") == []
    table = pq.read_table(tmp_path / "parquet")
    assert (len(table), table.column_names) == (0, TIDY)
    assert pa.types.is_float64(table.schema.field("x_m").type)
    assert np.load(tmp_path / "npz")["X"].shape == (5, 0, 25, 3)


def test_npz_holds_every_array_unrounded(whole_bodies, tmp_path):
    rng = np.random.default_rng(1)
    detections = Detections2D(BODY_25, ("a",), rng.uniform(1, 9, (5, 1, 2, 25, 3)))
    export(whole_bodies, detections, format="npz", out=tmp_path / "m.npz")
    data = np.load(tmp_path / "m.npz")
    for name, array in whole_bodies.points._asdict().items():
        np.testing.assert_array_equal(data[name], array)
    np.testing.assert_array_equal(data["gap"], whole_bodies.gap)
    np.testing.assert_array_equal(data["sigma_mm"], whole_bodies.points.sigma_mm)
    assert data["joints"].tolist() == list(WHOLE_BODY_135.joints)
    assert data["joints"][data["parts"] == "right_hand"].tolist() == list(WHOLE_BODY_135.joints[45:65])
    assert data["reasons"][data["missing"][1, 0, 3]] == "disagree"
    assert data["reasons"].tolist() == [reason.name.lower() for reason in Missing]
    assert (str(data["units"]), str(data["axes"])) == ("m", "right-handed, z up")
    np.testing.assert_array_equal(data["keypoints2d"], detections.keypoints)


def test_npz_keeps_parts_that_were_never_found(faceless, tmp_path):
    export(faceless, None, format="npz", out=tmp_path / "m.npz")
    assert np.load(tmp_path / "m.npz")["X"].shape == (5, 2, 135, 3)
