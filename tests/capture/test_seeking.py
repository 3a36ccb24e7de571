import av
import numpy as np
import pytest

from triskel import InputError
from triskel.capture import index_video, read_frames_at
from triskel.capture.seeking import VideoIndex


@pytest.fixture
def jumps(monkeypatch):
    """Return a list that grows by the time of each jump; PyAV works as ever."""
    jumps = []
    opened = av.open

    class Spy:
        def __init__(self, container):
            self._container = container

        def __enter__(self):
            return self

        def __exit__(self, *args):
            self._container.close()

        def seek(self, *args, **keywords):
            jumps.append(args[0])
            return self._container.seek(*args, **keywords)

        def __getattr__(self, name):
            return getattr(self._container, name)

    monkeypatch.setattr(av, "open", lambda *args: Spy(opened(*args)))
    return jumps


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.avi", "mpeg4")])
@pytest.mark.parametrize("wanted", [[0], [39], [9, 10, 11], [3, 17, 18, 31], [28, 5], list(range(40))])
def test_the_frames_asked_for_are_those_read(make_video, number_in, name, codec, wanted):
    path = make_video(name, 40, codec=codec)
    found = list(read_frames_at(path, wanted))
    assert [number for number, _ in found] == sorted(wanted)
    assert [number_in(image) for _, image in found] == sorted(wanted)


def test_a_far_frame_is_jumped_to(make_video, jumps):
    path = make_video("a.mp4", 40)  # a keyframe every ten frames at least
    index = index_video(path)
    keys = index.keys.tolist()
    assert keys[0] == 0
    assert len(keys) >= 4
    assert index.decoded_before(np.array([keys[1], keys[2] - 1])).tolist() == [0, keys[2] - 1 - keys[1]]
    list(read_frames_at(path, [keys[1] + 2, keys[1] + 3, keys[3]], index=index))
    assert jumps == [index.pts[keys[1]], index.pts[keys[3]]]


def test_where_times_lie_frames_are_counted_instead(make_video, number_in):
    """An index that is off by half a frame finds no frame in its place; the right ones come all the same."""
    path = make_video("a.mp4", 40)
    index = index_video(path)
    wrong = VideoIndex(index.pts + np.diff(index.pts).min() // 2, index.keys)
    assert [number_in(image) for _, image in read_frames_at(path, [12, 35], index=wrong)] == [12, 35]
    assert not index_video(make_video("a.ts", 20)).is_exact
    assert [number_in(image) for _, image in read_frames_at(make_video("a.ts", 20), [7])] == [7]


def test_a_frame_behind_the_end_is_one_line(make_video):
    path = make_video("a.mp4", 40)
    with pytest.raises(InputError, match="ends before frame 40") as caught:
        list(read_frames_at(path, [12, 40]))
    assert "\n" not in str(caught.value)
    assert list(read_frames_at(path, [])) == []


def test_damage_is_one_line(tmp_path):
    (tmp_path / "a.mp4").write_bytes(np.random.default_rng(0).bytes(5000))
    with pytest.raises(InputError, match=r"a\.mp4: damaged after frame 0") as caught:
        list(read_frames_at(tmp_path / "a.mp4", [3]))
    assert "\n" not in str(caught.value)
