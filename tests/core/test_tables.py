import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from triskel import Detections2D, Motion3D, SessionError
from triskel.files import atomic_folder, atomic_path
from triskel.keypoints import Missing
from triskel.skeleton import COCO_18, WHOLE_BODY_135
from triskel.tables import (
    missing_points,
    read_frames,
    read_keypoints2d,
    read_keypoints3d,
    write_frames,
    write_keypoints2d,
    write_keypoints3d,
)

CAMERAS = ("left", "right", "top")


def make_detections(F=4, N=2, skeleton=COCO_18):
    rng = np.random.default_rng(0)
    keypoints = rng.uniform(1, 1000, (F, 3, N, len(skeleton), 3))
    keypoints[..., 2] = rng.uniform(0.1, 1, keypoints.shape[:-1])
    keypoints[rng.random(keypoints.shape[:-1]) < 0.3] = np.nan, np.nan, 0
    keypoints[1, 2] = np.nan, np.nan, 0  # nobody in one image
    keypoints[-1] = np.nan, np.nan, 0  # nor in the last frame set
    return Detections2D(skeleton, CAMERAS, keypoints)


def make_motion(F=5, ids=(0, 3), cameras=CAMERAS, skeleton=COCO_18):
    rng = np.random.default_rng(1)
    shape = (F, len(ids), len(skeleton))
    points = missing_points(shape, len(cameras))
    found = rng.random(shape) < 0.7
    if F:
        found[-1] = False
    points.X[found] = rng.normal(0, 1, (found.sum(), 3))
    points.score[found] = rng.uniform(0.1, 1, found.sum())
    points.reproj_px[found] = rng.uniform(0, 5, found.sum())
    points.views[found] = rng.random((found.sum(), len(cameras))) < 0.6
    factor = rng.uniform(1, 3, (found.sum(), 3, 3))
    points.cov_mm2[found] = factor @ np.swapaxes(factor, 1, 2)
    points.missing[:] = rng.integers(1, 8, shape)
    points.missing[found] = Missing.FOUND
    gap = found & (rng.random(shape) < 0.2)
    points.views[gap] = False
    points.cov_mm2[gap] = np.nan
    return Motion3D(skeleton, cameras, np.arange(F) / 29.97, np.array(ids, np.int64), points, gap)


def assert_same_motion(back, motion):
    assert (back.skeleton, back.cameras) == (motion.skeleton, motion.cameras)
    np.testing.assert_array_equal(back.time_s, motion.time_s)
    np.testing.assert_array_equal(back.ids, motion.ids)
    np.testing.assert_array_equal(back.gap, motion.gap)
    np.testing.assert_array_equal(back.points.X, motion.points.X)
    np.testing.assert_array_equal(back.points.views, motion.points.views)
    for name in ("score", "reproj_px", "sigma_mm"):  # kept as float32
        old, new = getattr(motion.points, name), getattr(back.points, name)
        np.testing.assert_allclose(new, old, rtol=1e-7, atol=0, err_msg=name)
    np.testing.assert_allclose(back.points.cov_mm2, motion.points.cov_mm2, rtol=1e-6, atol=0)
    np.testing.assert_array_equal(back.points.missing, motion.points.missing)


def test_detections_return_as_they_were_to_single_precision(tmp_path):
    detections = make_detections()
    write_keypoints2d(detections, tmp_path / "k.parquet")
    back = read_keypoints2d(tmp_path / "k.parquet")
    assert (back.skeleton, back.cameras) == (COCO_18, CAMERAS)
    np.testing.assert_allclose(back.keypoints, detections.keypoints, rtol=1e-7, atol=0)


def test_detections_of_nobody_keep_frames_and_cameras(tmp_path):
    write_keypoints2d(Detections2D(COCO_18, CAMERAS, np.zeros((6, 3, 0, 18, 3))), tmp_path / "k.parquet")
    assert read_keypoints2d(tmp_path / "k.parquet").keypoints.shape == (6, 3, 0, 18, 3)


def test_people_of_one_image_leave_out_the_unused_places():
    detections = make_detections()
    np.testing.assert_array_equal(detections.people(0, 1), detections.keypoints[0, 1])
    assert len(detections.people(1, 2)) == 0


@pytest.mark.parametrize("ids", [(0, 3), (0,), ()])
def test_motion_returns_as_it_was_with_views_gaps_and_missing_joints(tmp_path, ids):
    motion = make_motion(ids=ids)
    write_keypoints3d(motion, tmp_path / "k.parquet")
    assert_same_motion(read_keypoints3d(tmp_path / "k.parquet"), motion)


def test_motion_whose_people_are_in_another_order_returns_as_it_was(tmp_path):
    motion = make_motion(ids=(7, 2))
    write_keypoints3d(motion, tmp_path / "k.parquet")
    assert_same_motion(read_keypoints3d(tmp_path / "k.parquet"), motion)


def test_a_whole_body_returns_with_each_joint_in_its_part(tmp_path):
    detections, motion = make_detections(skeleton=WHOLE_BODY_135), make_motion(skeleton=WHOLE_BODY_135)
    write_keypoints2d(detections, tmp_path / "2.parquet")
    write_keypoints3d(motion, tmp_path / "3.parquet")
    back = read_keypoints2d(tmp_path / "2.parquet")
    assert back.skeleton is WHOLE_BODY_135
    np.testing.assert_allclose(back.keypoints, detections.keypoints, rtol=1e-7, atol=0)
    assert_same_motion(read_keypoints3d(tmp_path / "3.parquet"), motion)
    some = {"LWrist": "body", "RHeel": "body", "LThumb1": "left_hand", "RLittle4": "right_hand", "Face69": "face"}
    for name in ("2.parquet", "3.parquet"):
        table = pq.read_table(tmp_path / name)
        part_of = dict(zip(table["joint"].to_pylist(), table["part"].to_pylist(), strict=True))
        assert len(part_of) == 135
        assert {joint: part_of[joint] for joint in some} == some


def test_other_joint_sets_are_all_body_as_in_files_of_earlier_versions(tmp_path):
    write_keypoints3d(make_motion(), tmp_path / "k.parquet")
    assert set(pq.read_table(tmp_path / "k.parquet")["part"].to_pylist()) == {"body"}


@pytest.mark.parametrize(
    ("part", "words"), [("left_hand", "Nose in part left_hand, expected body"), ("tail", "names tail, expected body")]
)
@pytest.mark.parametrize("kind", ["2d", "3d"])
def test_a_joint_in_the_wrong_part_is_refused_in_one_line(tmp_path, kind, part, words):
    file = tmp_path / "k.parquet"
    if kind == "2d":
        write_keypoints2d(make_detections(), file)
    else:
        write_keypoints3d(make_motion(), file)
    table = pq.read_table(file)
    place = table.column_names.index("part")
    parts = ["body"] * len(table)
    parts[table["joint"].to_pylist().index("Nose")] = part
    pq.write_table(table.set_column(place, table.schema.field(place), pa.array(parts).dictionary_encode()), file)
    with pytest.raises(SessionError, match=words) as caught:
        (read_keypoints2d if kind == "2d" else read_keypoints3d)(file)
    assert "\n" not in str(caught.value)


def test_motion_without_frames_returns(tmp_path):
    motion = make_motion(F=0)
    write_keypoints3d(motion, tmp_path / "k.parquet")
    assert_same_motion(read_keypoints3d(tmp_path / "k.parquet"), motion)


def test_frame_sets_return_with_missing_cameras(tmp_path):
    index = np.array([[0, 0], [1, -1], [-1, 2]])
    write_frames(np.array([0, 0.04, 0.08]), dict(zip("ab", index.T, strict=True)), tmp_path / "f.parquet")
    time_s, back = read_frames(tmp_path / "f.parquet", ["b", "a"])
    np.testing.assert_array_equal(time_s, [0, 0.04, 0.08])
    np.testing.assert_array_equal(back, index[:, ::-1])
    with pytest.raises(SessionError, match="lacks the columns c"):
        read_frames(tmp_path / "f.parquet", ["a", "c"])


@pytest.mark.parametrize("keep", [0, 3, 100, 0.5, 0.99])
@pytest.mark.parametrize("kind", ["2d", "3d"])
def test_a_truncated_table_is_refused_in_one_line(tmp_path, kind, keep):
    file = tmp_path / "k.parquet"
    if kind == "2d":
        write_keypoints2d(make_detections(), file)
    else:
        write_keypoints3d(make_motion(), file)
    content = file.read_bytes()
    file.write_bytes(content[: keep if isinstance(keep, int) else int(keep * len(content))])
    with pytest.raises(SessionError, match="damaged, cannot be read") as caught:
        (read_keypoints2d if kind == "2d" else read_keypoints3d)(file)
    assert "\n" not in str(caught.value)
    assert str(file) in str(caught.value)


def test_a_missing_table_and_one_of_another_kind_are_refused(tmp_path):
    with pytest.raises(SessionError, match="run the stage that writes it first"):
        read_keypoints3d(tmp_path / "none.parquet")
    write_keypoints2d(make_detections(), tmp_path / "k.parquet")
    with pytest.raises(SessionError, match="lacks the columns time_s"):
        read_keypoints3d(tmp_path / "k.parquet")


def test_a_table_without_its_metadata_is_refused(tmp_path):
    file = tmp_path / "k.parquet"
    write_keypoints2d(make_detections(), file)
    pq.write_table(pq.read_table(file).replace_schema_metadata(None), file)
    with pytest.raises(SessionError, match="metadata"):
        read_keypoints2d(file)


def test_an_interrupted_write_leaves_the_old_file_as_it_was(tmp_path):
    file = tmp_path / "k.parquet"
    write_keypoints2d(make_detections(), file)
    before = file.read_bytes()

    def interrupted():
        with atomic_path(file) as temporary:
            temporary.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


def test_an_interrupted_folder_leaves_the_old_one_as_it_was(tmp_path):
    folder = tmp_path / "out"
    with atomic_folder(folder) as temporary:
        (temporary / "a").write_text("old")

    def interrupted():
        with atomic_folder(folder) as temporary:
            (temporary / "a").write_text("new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (folder / "a").read_text() == "old"
    assert list(tmp_path.iterdir()) == [folder]
    with atomic_folder(folder) as temporary:
        (temporary / "b").write_text("new")
    assert [path.name for path in folder.iterdir()] == ["b"]
