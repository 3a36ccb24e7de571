import shutil

import av
import cv2
import numpy as np
import pytest

from triskel.calibration.boards import Charuco
from triskel.errors import InputError
from triskel.images import write_image_bgr
from triskel.pipeline.calibrating.footage import find_boards
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
