"""C3D files, read back by two readers that share no code with each other or with us."""

import c3d
import ezc3d
import numpy as np
import pytest

from triskel import InputError
from triskel.exchange import ExportOptions, export
from triskel.skeleton import BODY_25, WHOLE_BODY_135


def read_with_ezc3d(path):
    """Labels, positions (F, K, 3), residuals (F, K), units, rate."""
    back = ezc3d.c3d(str(path))
    point, data = back["parameters"]["POINT"], back["data"]
    labels = [*point["LABELS"]["value"], *(point["LABELS2"]["value"] if "LABELS2" in point else [])]
    positions = np.moveaxis(data["points"][:3], 0, -1).transpose(1, 0, 2)
    residuals = data["meta_points"]["residuals"][0].T
    return labels, positions, residuals, point["UNITS"]["value"][0], back["header"]["points"]["frame_rate"]


def read_with_c3d(path):
    with path.open("rb") as file:
        with pytest.warns(UserWarning, match="No analog data"):
            reader = c3d.Reader(file)
        frames = np.stack([points for _, points, _ in reader.read_frames()])
        labels = [label.strip() for label in reader.point_labels]
        return (
            labels,
            frames[..., :3],
            frames[..., 3],
            reader.get("POINT:UNITS").string_value.strip(),
            reader.point_rate,
        )


READERS = pytest.mark.parametrize("read", [read_with_ezc3d, read_with_c3d])


@READERS
@pytest.mark.parametrize(("units", "factor"), [(None, 1000), ("cm", 100), ("m", 1)])
def test_two_readers_find_the_positions_in_the_unit_that_the_file_names(motion, tmp_path, read, units, factor):
    export(motion, None, format="c3d", out=tmp_path / "m.c3d", options=ExportOptions(units=units))
    labels, positions, residuals, named, rate = read(tmp_path / "m.c3d")
    assert labels == [f"{i}_{joint}" for i in (3, 4) for joint in BODY_25.joints]
    assert (named, rate) == (units or "mm", 50)
    found = motion.found.reshape(5, 50)
    X = motion.points.X.reshape(5, 50, 3)
    np.testing.assert_allclose(positions[found], factor * X[found], rtol=1e-6)
    np.testing.assert_array_equal(residuals < 0, ~found)


@READERS
def test_residuals_tell_measured_points_from_interpolated_and_missing_ones(motion, tmp_path, read):
    export(motion, None, format="c3d", out=tmp_path / "m.c3d")
    _, positions, residuals, _, _ = read(tmp_path / "m.c3d")
    residuals = residuals.reshape(5, 2, 25)
    assert residuals[1, 0, 3] == -1
    np.testing.assert_array_equal(residuals == 0, motion.gap)
    measured = motion.found & ~motion.gap
    # The root of 4 + 9 + 25 mm2, in steps of the largest coordinate, 6 m, over 32000.
    np.testing.assert_allclose(residuals[measured], np.sqrt(38), atol=6000 / 32000)
    assert np.isfinite(positions.reshape(5, 2, 25, 3)[motion.gap]).all()


@READERS
@pytest.mark.parametrize(("sigma_mm", "steps"), [(1e-4, 1), (1e4, 127)])
def test_a_measured_point_never_reads_as_interpolated_or_missing(motion, tmp_path, read, sigma_mm, steps):
    motion.points.cov_mm2[:] = sigma_mm**2 * np.eye(3)
    export(motion, None, format="c3d", out=tmp_path / "m.c3d")
    _, _, residuals, _, _ = read(tmp_path / "m.c3d")
    step = 1000 * np.nanmax(np.abs(motion.points.X)) / 32000
    measured = (motion.found & ~motion.gap).reshape(5, 50)
    np.testing.assert_allclose(residuals[measured], steps * step, rtol=1e-3)


@READERS
def test_y_up_turns_the_height_into_y_and_one_person_needs_no_number(motion, tmp_path, read):
    export(motion, None, format="c3d", out=tmp_path / "m.c3d", options=ExportOptions(y_up=True, people=(4,)))
    labels, positions, *_ = read(tmp_path / "m.c3d")
    assert labels == list(BODY_25.joints)
    np.testing.assert_allclose(positions[:, :, 1], 1000 * motion.points.X[:, 1, :, 2], rtol=1e-6)


def test_all_270_points_of_two_whole_bodies_have_names(whole_bodies, tmp_path):
    """The format holds 255 names a parameter; the others follow in a second one."""
    export(whole_bodies, None, format="c3d", out=tmp_path / "m.c3d")
    labels, positions, residuals, *_ = read_with_ezc3d(tmp_path / "m.c3d")
    assert labels == [f"{i}_{joint}" for i in (3, 4) for joint in WHOLE_BODY_135.joints]
    found = whole_bodies.found.reshape(5, 270)
    np.testing.assert_allclose(positions[found], 1000 * whole_bodies.points.X.reshape(5, 270, 3)[found], rtol=1e-6)
    np.testing.assert_array_equal(residuals < 0, ~found)


def test_parts_that_were_never_found_have_no_points(faceless, tmp_path):
    export(faceless, None, format="c3d", out=tmp_path / "m.c3d", options=ExportOptions(people=(3,)))
    assert read_with_c3d(tmp_path / "m.c3d")[0] == list(WHOLE_BODY_135.joints[:45])


def test_a_motion_without_any_position_is_all_missing(motion, tmp_path):
    motion.points.X[:] = np.nan
    export(motion, None, format="c3d", out=tmp_path / "m.c3d")
    assert (read_with_c3d(tmp_path / "m.c3d")[2] == -1).all()


def test_a_c3d_file_is_called_so(motion, tmp_path):
    with pytest.raises(InputError, match=r"m: the name of a C3D file ends in \.c3d"):
        export(motion, None, format="c3d", out=tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


def test_nobody_is_no_file(nobody, tmp_path):
    with pytest.raises(InputError, match="C3D needs people and frames, got 0 people in 5 frames"):
        export(nobody, None, format="c3d", out=tmp_path / "m.c3d")
    assert list(tmp_path.iterdir()) == []
