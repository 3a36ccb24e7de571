from itertools import pairwise

import numpy as np
import pyarrow.parquet as pq
import pytest

from triskel.calibration.boards import BoardView, Charuco, Chessboard
from triskel.calibration.footage import (
    BoardFootage,
    CameraBoards,
    choose_shots,
    choose_views,
    corner_motion,
    load_footage,
    merge_still,
    save_footage,
    speeds_px,
)
from triskel.errors import InputError, SessionError

BOARD = Charuco(squares_xy=(5, 4), square_m=0.05, marker_m=0.037)
GRID = BOARD.corners[:, :2] * 2000


def film(places, *, camera="cam01", sets=None, noise_px=0.0, seed=0, board=0):
    """Return a camera that saw the board at given places (V, 2), px, unturned."""
    rng = np.random.default_rng(seed)
    views = [
        BoardView(np.arange(len(GRID)), GRID + place + rng.normal(0, 1, GRID.shape) * noise_px) for place in places
    ]
    frames = np.arange(len(views)) if sets is None else np.asarray(sets)
    return CameraBoards(camera=camera, size_wh=(1280, 720), frames=frames, views=tuple(views), board=board)


def footage_of(*cameras, boards=(BOARD,)):
    return BoardFootage(cameras=cameras, boards=boards, fps=30.0, source="test")


def test_shots_hold_what_all_cameras_saw_of_one_board_at_one_moment():
    floor = Chessboard(corners_xy=(4, 3), square_m=0.05, name="floor")
    a = film([[0, 0], [5, 0], [9, 0]], sets=[0, 2, 3])
    b = film([[0, 0], [5, 0]], camera="cam02", sets=[2, 7])
    c = film([[0, 0]], camera="cam02", sets=[2], board=1)
    shots = footage_of(a, b, c, boards=(BOARD, floor)).shots()
    assert shots.sets.tolist() == [0, 2, 2, 3, 7]
    assert [board.name for board in shots.boards] == ["board", "board", "floor", "board", "board"]
    assert [list(shot) for shot in shots.shots] == [["cam01"], ["cam01", "cam02"], ["cam02"], ["cam01"], ["cam02"]]
    assert shots.shots[1]["cam01"] is a.views[1]


def test_views_of_an_unknown_camera_are_refused_by_name():
    footage = footage_of(film([[0, 0]]))
    assert len(footage.views("cam01")) == 1
    with pytest.raises(InputError, match="no camera 'left' in test; it has cam01"):
        footage.views("left")


def test_two_image_sizes_of_one_camera_are_refused():
    one = film([[0, 0]])
    other = CameraBoards(camera="cam01", size_wh=(640, 480), frames=np.zeros(0), views=(), board=1)
    with pytest.raises(ValueError, match="two image sizes"):
        footage_of(one, other, boards=(BOARD, BOARD))


def test_speed_is_the_larger_of_the_steps_on_either_side():
    camera = film([[0, 0], [0, 0], [3, 4], [4, 4]])
    assert np.allclose(speeds_px(camera), [0, 5, 5, 1])


def test_speed_counts_frame_sets_and_is_unknown_alone():
    camera = film([[0, 0], [10, 0], [12, 0]], sets=[0, 5, 30])
    assert np.allclose(speeds_px(camera)[:2], 2.0)
    assert np.isnan(speeds_px(camera)[2])


def test_corner_motion_is_exact_for_a_thrown_board():
    t = np.arange(5.0)
    camera = film(np.c_[3 * t + 0.5 * t**2, -t])
    motion = corner_motion(camera)
    assert np.allclose(motion[2].velocity, [5, -1])
    assert np.allclose(motion[2].acceleration, [1, 0])
    assert np.allclose(motion[2].after(0.5), [2.625, -0.5])
    assert np.isnan(motion[0].velocity).all()
    assert np.isnan(motion[4].velocity).all()


def test_corners_that_a_neighbour_lacks_get_the_motion_of_the_board():
    camera = film([[0, 0], [2, 1], [4, 2]])
    first = BoardView(camera.views[0].ids[:6], camera.views[0].xy[:6])
    camera = CameraBoards(camera="cam01", size_wh=(1280, 720), frames=np.arange(3), views=(first, *camera.views[1:]))
    assert np.allclose(corner_motion(camera)[1].velocity, [2, 1])


def test_chosen_views_are_slow_and_spread_over_the_image():
    rng = np.random.default_rng(1)
    stops = rng.uniform([50, 50], [900, 450], (30, 2))
    # At each stop the board rests for three frames, and is on its way in the two after.
    places = np.concatenate([[a, a, a, a + (b - a) / 3, a + 2 * (b - a) / 3] for a, b in pairwise(stops)])
    camera = film(places)
    chosen = choose_views(camera, most=20)
    assert len(chosen) == 20
    assert (np.diff(chosen) > 0).all()
    assert np.median(speeds_px(camera)[chosen]) == 0
    assert len({int(i) // 5 for i in chosen}) == 20  # never one stop twice
    assert np.array_equal(chosen, choose_views(camera, most=20))


def test_views_with_few_corners_are_not_chosen():
    camera = film([[0, 0], [300, 200]])
    poor = BoardView(camera.views[0].ids[:5], camera.views[0].xy[:5])
    camera = CameraBoards(camera="cam01", size_wh=(1280, 720), frames=[0, 9], views=(poor, camera.views[1]))
    assert choose_views(camera).tolist() == [1]
    assert choose_views(camera[np.array([], dtype=int)]).tolist() == []


def test_rare_pairs_of_cameras_get_their_shots():
    rng = np.random.default_rng(2)
    places = np.repeat(rng.uniform([0, 0], [900, 450], (60, 2)), 3, axis=0)
    a = film(places)
    b = film(places[:150], camera="cam02", sets=np.arange(150))
    c = film(places[150:], camera="cam03", sets=np.arange(150, 180))
    chosen = choose_shots(footage_of(a, b, c), most=16)
    shots = chosen.shots()
    with_c = sum("cam03" in shot for shot in shots.shots)
    assert len(shots.shots) == 16
    assert 6 <= with_c <= 10  # half, though only a sixth of the recording shows this pair
    assert chosen.sizes == {"cam01": (1280, 720), "cam02": (1280, 720), "cam03": (1280, 720)}


def test_shots_of_one_camera_fill_what_is_left():
    a, b = film([[0, 0], [200, 0], [400, 0]], sets=[0, 10, 20]), film([[0, 0]], camera="cam02")
    footage = footage_of(a, b)
    assert choose_shots(footage, singles=True).shots().sets.tolist() == [0, 10, 20]
    assert choose_shots(footage, singles=False).shots().sets.tolist() == [0]


def test_a_board_at_rest_becomes_one_shot_with_less_noise():
    places = np.concatenate(
        [np.full((16, 2), 100.0), np.linspace(100, 400, 6)[1:-1, None] * [1, 1], np.full((16, 2), 400.0)]
    )
    footage = footage_of(film(places, noise_px=0.2), film(places[:20], camera="cam02", noise_px=0.2, seed=5))
    merged = merge_still(footage)
    assert merged.frames.tolist() == [16, 1, 1, 1, 1, 16]
    assert merged.shots.sets.tolist() == [0, 16, 17, 18, 19, 20]
    errors = merged.shots.shots[0]["cam01"].xy - (GRID + 100)
    assert np.sqrt((errors**2).mean()) < 0.2 / 3  # 1/4 for the mean of 16, a little more for what was rejected
    assert merged.describe() == "32 frames of boards at rest make 2 shots"


def test_a_misread_corner_does_not_move_the_average():
    camera = film(np.full((9, 2), 50.0), noise_px=0.05)
    bad = camera.views[4].xy.copy()
    bad[3] += 25
    views = (*camera.views[:4], BoardView(camera.views[4].ids, bad), *camera.views[5:])
    camera = CameraBoards(camera="cam01", size_wh=(1280, 720), frames=np.arange(9), views=views)
    (shot,) = merge_still(footage_of(camera)).shots.shots
    assert np.abs(shot["cam01"].xy - (GRID + 50)).max() < 0.1


def test_a_slow_drift_is_not_taken_for_rest():
    footage = footage_of(film(np.arange(40)[:, None] * [0.3, 0.0]))
    assert merge_still(footage).frames.max() <= 3


def test_footage_survives_its_file(tmp_path):
    floor = Chessboard(corners_xy=(4, 3), square_m=0.05, name="floor")
    a = film([[0, 0.25], [5, 0]], sets=[3, 8])
    unseen = CameraBoards(camera="cam02", size_wh=(640, 480), frames=np.zeros(0), views=(), looked_at=17)
    footage = footage_of(a, unseen, boards=(BOARD, floor))
    save_footage(footage, tmp_path / "boards.parquet")
    again = load_footage(tmp_path / "boards.parquet")
    assert again.boards == footage.boards
    assert (again.fps, again.source, again.names) == (30.0, "test", ("cam01", "cam02"))
    assert again.of("cam02").looked_at == 17
    assert again.of("cam01").sets.tolist() == [3, 8]
    for new, old in zip(again.views("cam01"), footage.views("cam01"), strict=True):
        assert np.array_equal(new.ids, old.ids)
        assert np.array_equal(new.xy, old.xy)  # to the last bit: calibrating again gives the same rig


def test_damaged_and_foreign_files_are_refused(tmp_path):
    file = tmp_path / "boards.parquet"
    with pytest.raises(SessionError, match="no such file"):
        load_footage(file)
    save_footage(footage_of(film([[0, 0], [5, 0]])), file)
    table = pq.read_table(file)
    pq.write_table(table.replace_schema_metadata(None), file)
    with pytest.raises(SessionError, match="no file of boards"):
        load_footage(file)
    far = table.set_column(4, "corner", [np.full(len(table), 99, np.int32)])
    pq.write_table(far, file)
    with pytest.raises(SessionError, match="not on the board"):
        load_footage(file)
    file.write_bytes(b"PAR1 cut off")
    with pytest.raises(SessionError, match="damaged"):
        load_footage(file)
