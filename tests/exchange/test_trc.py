"""TRC files, read by the rules that OpenSim reads them by."""

import numpy as np
import pytest

from triskel import InputError
from triskel.exchange import ExportOptions, export
from triskel.skeleton import BODY_25, WHOLE_BODY_135

HEADER = "DataRate CameraRate NumFrames NumMarkers Units OrigDataRate OrigDataStartFrame OrigNumFrames".split()


def read_as_opensim_does(path):
    """Return units, marker names, times (F,) and positions (F, K, 3), or fail on the first rule that is broken.

    Fields are parted by single tabs. The first line names type 4 and the order of axes; the second names eight values
    that the third gives. The fourth has a name for each marker, with two blank fields after it; the fifth numbers the
    axes. Then an empty line, and rows of a frame number that counts up, a time that grows, and three fields a marker,
    which are all numbers or all blank.
    """
    lines = path.read_text(encoding="utf-8").split("\n")
    assert lines.pop() == ""
    kind = lines[0].split("\t")
    assert kind[:3] == ["PathFileType", "4", "(X/Y/Z)"]
    assert kind[3] == path.name
    assert lines[1].split("\t") == HEADER
    values = dict(zip(HEADER, lines[2].split("\t"), strict=True))
    F, K = int(values["NumFrames"]), int(values["NumMarkers"])
    assert values["Units"] in ("mm", "cm", "m")
    assert values["CameraRate"] == values["OrigDataRate"] == values["DataRate"]
    assert (values["OrigDataStartFrame"], values["OrigNumFrames"]) == ("1", values["NumFrames"])
    names = lines[3].split("\t")
    assert names[:2] == ["Frame#", "Time"]
    assert len(names) == 2 + 3 * K
    assert all(name == "" for i, name in enumerate(names[2:]) if i % 3)
    markers = names[2::3]
    assert len(set(markers)) == K
    assert all(marker and not set(marker) & set(" \t,") for marker in markers)
    assert lines[4].split("\t") == ["", "", *(f"{axis}{k}" for k in range(1, K + 1) for axis in "XYZ")]
    assert lines[5] == ""
    rows = [line.split("\t") for line in lines[6:]]
    assert [row[0] for row in rows] == [str(f) for f in range(1, F + 1)]
    assert {len(row) for row in rows} <= {2 + 3 * K}
    times = np.array([float(row[1]) for row in rows])
    assert (np.diff(times) > 0).all()
    if F > 1:
        assert np.diff(times).mean() * float(values["DataRate"]) == pytest.approx(1, abs=1e-3)
    positions = np.array([[float(field) if field else np.nan for field in row[2:]] for row in rows]).reshape(F, K, 3)
    blank = np.isnan(positions)
    assert (blank.all(axis=-1) == blank.any(axis=-1)).all()
    return values["Units"], markers, times, positions


def test_each_person_has_a_file_in_metres_with_y_up(motion, tmp_path):
    export(motion, None, format="trc", out=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["person_3.trc", "person_4.trc"]
    for n, identity in enumerate((3, 4)):
        units, markers, times, positions = read_as_opensim_does(tmp_path / f"person_{identity}.trc")
        assert (units, markers) == ("m", list(BODY_25.joints))
        np.testing.assert_allclose(times, motion.time_s, atol=1e-6)
        np.testing.assert_allclose(positions, motion.points.X[:, n][..., [1, 2, 0]], atol=1e-6)
    assert np.isnan(read_as_opensim_does(tmp_path / "person_3.trc")[3][1, 3]).all()


@pytest.mark.parametrize(("units", "factor", "atol"), [("mm", 1000, 1e-3), ("cm", 100, 1e-4), ("m", 1, 1e-6)])
def test_units_and_z_up_are_as_asked(motion, tmp_path, units, factor, atol):
    export(motion, None, format="trc", out=tmp_path, options=ExportOptions(units=units, y_up=False, people=(4,)))
    named, _, _, positions = read_as_opensim_does(tmp_path / "person_4.trc")
    assert named == units
    np.testing.assert_allclose(positions, factor * motion.points.X[:, 1], atol=atol)


def test_joints_never_found_stay_blank_and_parts_never_found_are_left_out(faceless, tmp_path):
    export(faceless, None, format="trc", out=tmp_path)
    _, markers, _, positions = read_as_opensim_does(tmp_path / "person_4.trc")
    assert markers == list(WHOLE_BODY_135.joints[:45])
    assert np.isnan(positions[:, markers.index("LSmallToe")]).all()
    assert np.isfinite(positions[:, markers.index("LLittle4")]).all()


def test_a_single_frame_has_a_rate_that_readers_can_divide_by(one_frame, tmp_path):
    export(one_frame, None, format="trc", out=tmp_path)
    assert len(read_as_opensim_does(tmp_path / "person_3.trc")[2]) == 1


def test_nobody_is_no_file(nobody, tmp_path):
    with pytest.raises(InputError, match="trc export: nobody"):
        export(nobody, None, format="trc", out=tmp_path / "t")
    assert list(tmp_path.iterdir()) == []
