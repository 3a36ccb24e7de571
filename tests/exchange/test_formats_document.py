"""docs/formats.md: its blocks read the files they are about, and its tables name every format and every column."""

import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from triskel import Motion3D
from triskel.exchange import EXPORTERS, export
from triskel.exchange.tidy import REASONS

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "formats.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")
TARGETS = {
    "openpose": "openpose", "csv": "keypoints.csv", "csv-tidy": "tidy.csv", "parquet": "keypoints.parquet",
    "trc": "trc", "c3d": "keypoints.c3d", "bvh": "bvh", "npz": "keypoints.npz",
}  # fmt: skip


@pytest.fixture
def exported(whole_bodies, tmp_path, monkeypatch):
    """A folder with every format of two people, ids 0 and 1, as the document calls the files."""
    one = whole_bodies
    motion = Motion3D(one.skeleton, one.cameras, one.time_s, np.array([0, 1]), one.points, one.gap)
    for format_, target in TARGETS.items():
        export(motion, None, format=format_, out=tmp_path / target)
    monkeypatch.chdir(tmp_path)
    return motion


def test_every_block_reads_what_was_exported(exported):
    names = {}
    blocks = re.findall(r"^```python\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    for block in blocks:
        exec(compile(block, str(DOCUMENT), "exec"), names)
    assert len(blocks) == 7
    X, at = exported.points.X, exported.skeleton.index
    np.testing.assert_allclose(names["body"][:, :3], np.nan_to_num(X[2, 0, :25]), atol=1e-6)
    np.testing.assert_allclose(names["height_m"], X[:, 0, at("RWrist"), 2], atol=1e-6)
    np.testing.assert_array_equal(names["z_m"], X[:, 0, at("RWrist"), 2])
    np.testing.assert_allclose(np.array(names["first"]["Nose"], float), X[0, 0, 0, [1, 2, 0]], atol=1e-6)
    np.testing.assert_allclose(names["mm"][:, 0, 0], 1000 * X[0, 0, 0], rtol=1e-6)
    hips = 100 * X[0, 0, at("MidHip"), [1, 2, 0]]
    np.testing.assert_allclose(tuple(names["places"]["Hips"]), hips, atol=1e-3)
    np.testing.assert_array_equal(names["hand"], X[:, 0, 25:45])


def test_every_format_column_and_reason_is_named(exported):
    assert list(TARGETS) == list(EXPORTERS)
    for name in EXPORTERS:
        assert re.search(rf"^\| `{name}` \|", TEXT, re.MULTILINE), name
    tidy = TEXT.split("## csv-tidy, parquet")[1].split("## trc")[0]
    for name in (*pq.read_table("keypoints.parquet").column_names, *REASONS):
        assert f"`{name}`" in tidy, name
    npz = TEXT.split("## npz")[1]
    for name in np.load("keypoints.npz").files:
        assert f"`{name}`" in npz or name == "reasons", name
