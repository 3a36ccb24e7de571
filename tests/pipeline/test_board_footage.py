import shutil

import av
import cv2
import numpy as np
import pytest

from triskel.calibration.boards import Charuco, Chessboard
from triskel.calibration.footage import corner_motion
from triskel.errors import InputError
from triskel.images import write_image_bgr
from triskel.pipeline.calibrating.bursts import spread
from triskel.pipeline.calibrating.footage import find_boards
from triskel.pipeline.calibrating.recordings import CameraRecording
from triskel.session import CameraEntry, Session, SessionInfo

BOARD = Charuco(squares_xy=(5, 4), square_m=0.05, marker_m=0.037)
WH = (320, 240)


def picture(shift=(0, 0), *, inverted=False, wh=WH):
    """Return a picture (H, W, 3) of the board, RGB, 40 px a square, moved by whole px."""
    drawn = cv2.aruco.CharucoBoard((5, 4), 0.05, 0.037, cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50))
    board = drawn.generateImage((200, 160))
    canvas = np.full((wh[1], wh[0]), 255, np.uint8)
    canvas[30 + shift[1] : 190 + shift[1], 40 + shift[0] : 240 + shift[0]] = board
    return np.repeat((255 - canvas if inverted else canvas)[..., None], 3, axis=2)


def write_video(path, images, fps=10):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=fps)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = *WH, "yuv420p", 8_000_000
        for image in images:
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


BLANK = np.full((WH[1], WH[0], 3), 200, np.uint8)
FILM = [picture(), BLANK, picture((10, 0)), picture((20, 5)), BLANK, picture((30, 5))]


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    write_video(folder / "left.mp4", FILM)
    write_video(folder / "right.mp4", [BLANK, *FILM[:-1]])
    return folder


def first_corner(view):
    return view.xy[np.argsort(view.ids)[0]]


def test_boards_in_videos_are_found_where_they_are(videos):
    told = []
    footage = find_boards(videos, BOARD, progress=lambda *news: told.append(news))
    assert footage.names == ("left", "right")
    assert footage.sizes == {"left": WH, "right": WH}
    assert footage.fps == pytest.approx(10)
    assert footage.of("left").frames.tolist() == [0, 2, 3, 5]
    assert footage.of("right").sets.tolist() == [1, 3, 4]
    assert footage.of("left").looked_at == 6
    assert np.allclose(footage.of("left").time_s, [0, 0.2, 0.3, 0.5])
    views = footage.views("left")
    assert np.allclose(first_corner(views[2]) - first_corner(views[0]), [20, 5], atol=0.2)  # the coder blurs a little
    assert told[-1] == ("find boards", 12, 12)


def test_one_worker_and_three_find_the_same(videos):
    one, three = (find_boards(videos, BOARD, workers=n) for n in (1, 3))
    for name in one.names:
        for a, b in zip(one.views(name), three.views(name), strict=True):
            assert np.array_equal(a.xy, b.xy)


def test_every_nth_frame_and_single_cameras_can_be_asked_for(videos):
    footage = find_boards(videos, BOARD, cameras=["left"], every=2)
    assert footage.names == ("left",)
    assert footage.of("left").frames.tolist() == [0, 2]
    assert footage.of("left").looked_at == 3
    with pytest.raises(InputError, match="no camera 'top'; there are left, right"):
        find_boards(videos, BOARD, cameras=["top"])
    with pytest.raises(InputError, match="every is 1"):
        find_boards(videos, BOARD, every=0)


def test_a_single_video_is_a_camera(videos):
    assert find_boards(videos / "left.mp4", BOARD).of("left").frames.tolist() == [0, 2, 3, 5]


def test_a_session_says_which_frames_belong_together(videos, tmp_path):
    entries = [CameraEntry(name=name, video=f"videos/{name}.mp4", size_wh=WH) for name in ("left", "right")]
    session = Session.create(tmp_path / "take", SessionInfo(fps=10, cameras=entries))
    shutil.copytree(videos, tmp_path / "take" / "videos")
    index = np.stack([np.arange(5), np.arange(5) + 1], axis=1)  # right is one frame late
    session.save_frames(np.arange(5) / 10, index)
    footage = find_boards(tmp_path / "take", BOARD)
    assert footage.of("left").sets.tolist() == [0, 2, 3]
    assert footage.of("right").frames.tolist() == [1, 3, 4]
    assert footage.of("right").sets.tolist() == [0, 2, 3]


def test_a_file_of_times_pairs_frames(videos, tmp_path):
    folder = tmp_path / "timed"
    shutil.copytree(videos, folder)
    rows = ["sync_index,cam_id,frame_time"]
    rows += [f"{35 + i},left,{100 + i / 10}" for i in range(6)]
    rows += [f"{34 + i},right,{100 + (i - 1) / 10 + 0.01}" for i in range(6)]
    (folder / "timestamps.csv").write_text("\n".join(rows))
    footage = find_boards(folder, BOARD)
    assert footage.of("left").sets.tolist() == [1, 3, 4, 6]
    assert footage.of("right").frames.tolist() == [1, 3, 4]
    assert footage.of("right").sets.tolist() == [1, 3, 4]
    assert footage.of("right").time_s[0] - footage.of("left").time_s[0] == pytest.approx(0.01)
    assert footage.fps == pytest.approx(10)
    (folder / "timestamps.csv").write_text("\n".join([*rows, "41,left,100.6"]))
    with pytest.raises(InputError, match="lists frames of camera left up to 6, its video has 6"):
        find_boards(folder, BOARD)
    (folder / "timestamps.csv").write_text("\n".join(rows[:7]))
    with pytest.raises(InputError, match="says nothing of camera right"):
        find_boards(folder, BOARD)
    (folder / "timestamps.csv").write_text("sync_index,cam_id,frame_time\n1,left,soon")
    with pytest.raises(InputError, match="a cell is no number"):
        find_boards(folder, BOARD)
    for cells, said in (
        ("99999999999999999999,left,1", "line 2: sync_index"),
        ("9000000000000000000,left,1", "line 2: sync_index"),
        ("-1,left,1", "line 2: sync_index"),
        ("1,left,nan", "line 2: frame_time"),
        ("1,left,inf", "line 2: frame_time"),
    ):
        (folder / "timestamps.csv").write_text(f"sync_index,cam_id,frame_time\n{cells}\n")
        with pytest.raises(InputError, match=said):
            find_boards(folder, BOARD)


def test_folders_of_pictures_are_paired_by_their_numbers(tmp_path):
    for camera, numbers in (("left", (1, 2, 10)), ("right", (2, 10, 11))):
        for number in numbers:
            (tmp_path / camera).mkdir(exist_ok=True)
            write_image_bgr(tmp_path / camera / f"{camera}_{number}.png", picture((number, 0)))
    footage = find_boards(tmp_path, BOARD)
    assert footage.of("left").sets.tolist() == [0, 1, 2]
    assert footage.of("right").sets.tolist() == [1, 2, 3]
    assert np.isnan(footage.fps)
    shots = footage.shots()
    assert [sorted(shot) for shot in shots.shots] == [["left"], ["left", "right"], ["left", "right"], ["right"]]
    assert np.allclose(shots.shots[2]["left"].xy, shots.shots[2]["right"].xy)
    alone = find_boards(tmp_path / "right", BOARD)
    assert alone.names == ("right",)
    assert len(alone.views("right")) == 3


def test_one_picture_a_camera_is_one_moment(tmp_path):
    for name in ("cam01", "cam02", "plan"):
        write_image_bgr(tmp_path / f"{name}.png", picture())
    footage = find_boards(tmp_path, BOARD, cameras=["cam01", "cam02", "cam03"])
    assert [sorted(shot) for shot in footage.shots().shots] == [["cam01", "cam02"]]
    assert len(find_boards(tmp_path, BOARD).names) == 1  # without names they are three pictures of one camera


def test_pictures_of_two_sizes_are_refused_by_name(tmp_path):
    write_image_bgr(tmp_path / "1.png", picture())
    write_image_bgr(tmp_path / "2.png", picture(wh=(400, 300)))
    with pytest.raises(InputError, match=r"2\.png: is 400 x 300 px, the first one is 320 x 240"):
        find_boards(tmp_path, BOARD)


def test_a_damaged_picture_is_one_line(tmp_path):
    write_image_bgr(tmp_path / "1.png", picture())
    (tmp_path / "2.png").write_bytes((tmp_path / "1.png").read_bytes()[:300])
    with pytest.raises(InputError, match=r"2\.png: cannot be read as an image") as caught:
        find_boards(tmp_path, BOARD)
    assert "\n" not in str(caught.value)


def test_a_video_that_was_cut_off_is_one_line(videos, tmp_path):
    data = (videos / "left.mp4").read_bytes()
    (tmp_path / "left.mp4").write_bytes(data[: len(data) // 3])
    with pytest.raises(InputError, match=r"left\.mp4") as caught:
        find_boards(tmp_path, BOARD)
    assert "\n" not in str(caught.value)


def test_a_board_in_other_colours_is_noticed(tmp_path):
    write_image_bgr(tmp_path / "1.png", picture(inverted=True))
    with pytest.raises(InputError, match="set inverted: true in the board's description"):
        find_boards(tmp_path, BOARD)


def test_no_board_at_all_says_what_was_looked_for(tmp_path):
    write_image_bgr(tmp_path / "1.png", BLANK)
    with pytest.raises(InputError, match=r"none of the 1 images shows .*; check the board's description"):
        find_boards(tmp_path, BOARD)
    with pytest.raises(InputError, match="no board to look for"):
        find_boards(tmp_path, ())


@pytest.mark.parametrize(
    ("name", "said"), [("nothing", "no such recording"), ("empty", "neither a session nor videos")]
)
def test_what_is_no_recording_is_refused(tmp_path, name, said):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=said):
        find_boards(tmp_path / name, BOARD)


SHOWN = (500, 800)
FLOOR = 1207


@pytest.fixture(scope="module")
def long_videos(tmp_path_factory):
    """A board that moves by 1 px a frame for 10 s of 45 s, and lies on the floor for 7 frames."""
    folder = tmp_path_factory.mktemp("long")
    shown = [picture((abs(k % 100 - 50), k % 7)) if SHOWN[0] <= k < SHOWN[1] else BLANK for k in range(1350)]
    shown[FLOOR - 3 : FLOOR + 4] = [picture()] * 7
    for name in ("left", "right"):
        write_video(folder / f"{name}.mp4", shown, fps=30)
    return folder


def test_a_long_recording_is_looked_at_in_bursts_that_cameras_share(long_videos, monkeypatch):
    handed = []  # images that leave the decoder
    images = CameraRecording.images
    monkeypatch.setattr(CameraRecording, "images", lambda self, which: handed.append(len(which)) or images(self, which))
    footage = find_boards(long_videos, BOARD)
    assert sum(handed) < 2 * 600
    left, right = footage.of("left"), footage.of("right")
    assert left.sets.tolist() == right.sets.tolist()
    assert left.looked_at == right.looked_at < 500
    held = left[(left.sets >= SHOWN[0]) & (left.sets < SHOWN[1])]
    assert held.sets[0] < SHOWN[0] + 30
    assert held.sets[-1] >= SHOWN[1] - 30
    assert len(held) > 150
    known = [motion for motion in corner_motion(held) if np.isfinite(motion.velocity).all()]
    assert len(known) > 0.8 * len(held)
    # What was found is where the numbers say: the place tells the frame.
    expected = [abs(k % 100 - 50) for k in held.sets.tolist()]
    assert np.allclose([first_corner(view)[0] - 79.5 for view in held.views], expected, atol=0.5)


def test_a_frame_asked_for_is_looked_at_with_its_neighbours(long_videos):
    footage = find_boards(long_videos, BOARD, also=[FLOOR])
    for name in footage.names:
        assert set(range(FLOOR - 2, FLOOR + 3)) <= set(footage.of(name).sets.tolist())
    assert FLOOR in find_boards(long_videos, BOARD, every=100, also=[FLOOR]).of("left").sets
    with pytest.raises(InputError, match="no frame 1350; it has frames 0 to 1349"):
        find_boards(long_videos, BOARD, also=[1350])


def test_places_are_chosen_for_rare_pairs_and_over_all_of_the_time():
    seen = np.zeros((100, 3), bool)
    seen[:90, :2] = True
    seen[95:97, 1:] = True  # the only ones of the third camera
    chosen = spread(seen, 20)
    assert {95, 96} <= set(chosen.tolist())
    assert np.diff(chosen).max() <= 15
    assert spread(seen, 200).tolist() == [*range(90), 95, 96]
    assert len(spread(np.zeros((5, 2), bool), 3)) == 0


def test_markers_of_another_size_are_noticed(videos, tmp_path, caplog):
    write_image_bgr(tmp_path / "1.png", picture().repeat(3, axis=0).repeat(3, axis=1))
    find_boards(tmp_path, Charuco(squares_xy=(5, 4), square_m=0.05, marker_m=0.042))
    assert "markers measure 0.75 of a square in the pictures, but 0.84 as given" in caplog.text
    caplog.clear()
    with pytest.raises(InputError, match=r"markers measure 0\.74 of a square in the pictures, but 0\.56") as caught:
        find_boards(videos, Charuco(squares_xy=(5, 4), square_m=0.05, marker_m=0.028))
    assert "dictionary" not in str(caught.value)
    find_boards(videos, BOARD)
    assert caplog.text == ""


def test_a_camera_that_sees_nothing_is_named(tmp_path, videos, caplog):
    shutil.copytree(videos, tmp_path / "take")
    write_video(tmp_path / "take" / "top.mp4", [BLANK] * 6)
    find_boards(tmp_path / "take", BOARD)
    assert "camera top: saw a board in 0 of 6 images; show it one, or leave it out with --cameras left,right" in (
        caplog.text
    )


def test_a_mirrored_camera_is_named(tmp_path, videos, caplog):
    shutil.copytree(videos, tmp_path / "take")
    write_video(tmp_path / "take" / "right.mp4", [np.ascontiguousarray(image[:, ::-1]) for image in FILM])
    find_boards(tmp_path / "take", BOARD)
    assert "camera right: saw a board in 0 of 6 images, but its images are mirrored" in caplog.text
    assert "left" not in caplog.text
    with pytest.raises(InputError, match=r"none of the 6 images shows .* its images are mirrored"):
        find_boards(tmp_path / "take", BOARD, cameras=["right"])


def test_markers_of_another_dictionary_are_noticed(tmp_path):
    write_image_bgr(tmp_path / "1.png", picture())
    other = Charuco(squares_xy=(5, 4), square_m=0.05, marker_m=0.037, dictionary="DICT_5X5_100")
    with pytest.raises(InputError, match="markers 0 to 9 of DICT_4X4_50 to _1000, black on white, are there") as caught:
        find_boards(tmp_path, other)
    assert "\n" not in str(caught.value)


def test_squares_given_for_inner_corners_are_noticed(tmp_path):
    cells = np.kron((np.indices((6, 9)).sum(axis=0) % 2) * 255, np.ones((24, 24))).astype(np.uint8)
    image = np.full((*WH[::-1], 3), 255, np.uint8)
    image[40:184, 50:266] = cells[..., None]
    write_image_bgr(tmp_path / "1.png", image)
    with pytest.raises(InputError, match="one of 8 x 5 inner corners"):
        find_boards(tmp_path, Chessboard(corners_xy=(9, 6), square_m=0.04))
