import av
import numpy as np
import pytest

from triskel import InputError
from triskel.capture import probe_video, read_frames


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.avi", "mpeg4")])
@pytest.mark.parametrize("count", [1, 23, 40])
def test_frames_are_counted_as_many_as_were_recorded(make_video, name, codec, count):
    path = make_video(name, count, codec=codec)
    assert probe_video(path).frames == count
    assert sum(1 for _ in read_frames(path)) == count


@pytest.mark.parametrize("fps", [25, 30000 / 1001, 60])
def test_size_and_rate_are_those_of_the_recording(make_video, fps):
    info = probe_video(make_video("a.mp4", 30, fps=fps))
    assert info.size_wh == (96, 64)
    assert info.fps == pytest.approx(fps, rel=1e-6)


def test_frames_come_in_order_and_in_rgb(make_video, number_in):
    images = list(read_frames(make_video("a.mp4", 23)))
    assert [number_in(image) for image in images] == list(range(23))
    bottom = images[21][52:60, 2:14].reshape(-1, 3).mean(axis=0)  # white there, green and blue halved
    np.testing.assert_allclose(bottom, [255, 127, 127], rtol=0, atol=12)


@pytest.mark.parametrize("keep", [0, 20, 0.3, 0.7])
def test_a_truncated_recording_is_refused_in_one_line(make_video, keep):
    path = make_video("a.mp4", 30)
    content = path.read_bytes()
    path.write_bytes(content[: keep if isinstance(keep, int) else int(keep * len(content))])
    for read in (probe_video, lambda path: list(read_frames(path))):
        with pytest.raises(InputError, match=r"a\.mp4") as caught:
            read(path)
        assert "\n" not in str(caught.value)


def test_what_is_no_video_is_refused_in_one_line(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(np.random.default_rng(0).bytes(5000))
    with pytest.raises(InputError, match="cannot be read as a video") as caught:
        probe_video(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="no such video file"):
        probe_video(tmp_path / "none.mp4")


def test_a_file_with_sound_only_is_refused(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(InputError, match="has no video stream"):
        probe_video(path)
    with pytest.raises(InputError):
        list(read_frames(path))


def test_reading_stops_when_the_caller_does(make_video, number_in):
    """Leaving half-way must neither hang nor read on."""
    frames = read_frames(make_video("a.mp4", 40))
    assert number_in(next(frames)) == 0
    frames.close()
    assert list(frames) == []
