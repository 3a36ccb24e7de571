import numpy as np
import pytest

from triskel import InputError
from triskel.capture import VideoInfo, find_videos, pair_by_index, probe_videos, read_sets


def info(frames, fps=25.0):
    return VideoInfo((96, 64), fps, frames)


def test_videos_of_one_length_pair_frame_by_frame():
    fps, time_s, index, warnings = pair_by_index({"a": info(3), "b": info(3)})
    assert (fps, warnings) == (25.0, [])
    np.testing.assert_allclose(time_s, [0, 0.04, 0.08], rtol=0, atol=1e-12)
    np.testing.assert_array_equal(index, [[0, 0], [1, 1], [2, 2]])


def test_a_video_that_ends_early_is_missing_from_then_on_and_warned_of():
    _, _, index, warnings = pair_by_index({"a": info(4), "b": info(2)})
    np.testing.assert_array_equal(index, [[0, 0], [1, 1], [2, -1], [3, -1]])
    assert warnings == ["the video of b ends after 2 of 4 frames; it is missing from the sets after that"]


@pytest.mark.parametrize(("fps", "alike"), [(25.2, True), (25.3, False), (50, False)])
def test_different_rates_are_not_one_recording(fps, alike):
    videos = {"a": info(3), "b": info(3, fps), "c": info(3)}
    if alike:
        assert pair_by_index(videos)[0] == 25.0
    else:
        with pytest.raises(InputError, match=rf"b runs at {fps:.2f} frames/s, the others at 25.00"):
            pair_by_index(videos)


def test_a_video_without_a_rate_asks_for_one():
    with pytest.raises(InputError, match="the video of b does not say its frame rate; give it with --fps"):
        pair_by_index({"a": info(3), "b": info(3, 0.0)})


def test_sets_hold_the_frames_that_the_index_names(make_video, number_in):
    videos = {"a": make_video("a.mp4", 30), "b": make_video("b.mkv", 12)}
    index = np.array([[0, 3], [2, -1], [5, 4], [-1, 11], [29, -1]])
    sets = [{name: number_in(image) for name, image in images.items()} for images in read_sets(videos, index)]
    assert sets == [{"a": 0, "b": 3}, {"a": 2}, {"a": 5, "b": 4}, {"b": 11}, {"a": 29}]


def test_recorded_videos_pair_and_read_to_the_end(make_video, number_in):
    videos = {"a": make_video("a.mp4", 9), "b": make_video("b.mp4", 7)}
    _, _, index, _ = pair_by_index(probe_videos(videos))
    sets = [{name: number_in(image) for name, image in images.items()} for images in read_sets(videos, index)]
    assert sets == [{"a": i, "b": i} if i < 7 else {"a": i} for i in range(9)]


def test_a_video_shorter_than_the_index_is_an_error_not_a_short_result(make_video):
    videos = {"a": make_video("a.mp4", 5)}
    sets = read_sets(videos, np.arange(8)[:, None])
    for _ in range(5):
        next(sets)
    with pytest.raises(InputError, match=r"a\.mp4: ends before frame 5"):
        next(sets)


def test_videos_of_a_folder_are_found_by_camera(tmp_path):
    for name in ("cam02.MP4", "cam01.mkv", "notes.txt", ".hidden.mp4"):
        (tmp_path / name).touch()
    assert find_videos(tmp_path) == {"cam01": tmp_path / "cam01.mkv", "cam02": tmp_path / "cam02.MP4"}


def test_folders_that_name_no_videos_or_one_camera_twice_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        find_videos(tmp_path / "none")
    with pytest.raises(InputError, match="no video in it"):
        find_videos(tmp_path)
    for name in ("cam01.mkv", "cam01.mp4"):
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=r"two videos for camera cam01: cam01\.mkv, cam01\.mp4"):
        find_videos(tmp_path)
