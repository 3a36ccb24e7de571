import json
import string

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from triskel import Camera, Rig
from triskel.calibration.formats import FORMATS, load_rig, write_rig
from triskel.errors import ConfigError
from triskel.projection import project
from triskel.rigid import Rigid

FISHEYE = {"native", "toml", "caliscope", "opencv", "multical", "colmap", "nerfstudio"}
MOST_COEFFICIENTS = {"qualisys": 5, "caliscope": 5, "nerfstudio": 5, "colmap": 8}
GUESSES_THE_SIZE = {"openpose"}

finite = st.floats(-0.2, 0.2, allow_nan=False)
names = st.lists(
    st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=12),
    min_size=1,
    max_size=4,
    unique_by=str.lower,
)


@st.composite
def rigs(draw, *, model, lengths):
    cameras = []
    for name in draw(names):
        w, h = draw(st.integers(64, 8000)), draw(st.integers(64, 8000))
        fx, fy, x, y = (draw(st.floats(low, high)) for low, high in ((30, 9e3), (30, 9e3), (0.3, 0.7), (0.3, 0.7)))
        n = draw(st.sampled_from(lengths))
        rotvec = draw(st.lists(st.floats(-1.8, 1.8), min_size=3, max_size=3))
        t = draw(st.lists(st.floats(-20, 20), min_size=3, max_size=3))
        cameras.append(
            Camera(
                name=name,
                size_wh=(w, h),
                K=np.array([[fx, 0, x * w], [0, fy, y * h], [0, 0, 1]]),
                dist=np.array(draw(st.lists(finite, min_size=n, max_size=n))),
                model=model,
                cam_from_world=Rigid.from_rotvec(rotvec, t),
            )
        )
    return Rig(tuple(cameras))


def assert_same(rig, back, *, sizes=True):
    assert set(back.names) == set(rig.names)
    for a in rig:
        b = back[a.name]
        assert b.model == a.model
        if sizes:
            assert b.size_wh == a.size_wh
        np.testing.assert_allclose(b.K, a.K, rtol=1e-13)
        n = max(len(a.dist), len(b.dist))
        np.testing.assert_allclose(
            np.pad(b.dist, (0, n - len(b.dist))), np.pad(a.dist, (0, n - len(a.dist))), atol=1e-15
        )
        np.testing.assert_allclose(b.cam_from_world.R, a.cam_from_world.R, atol=1e-9)
        np.testing.assert_allclose(b.cam_from_world.t, a.cam_from_world.t, atol=1e-7)


@pytest.mark.parametrize("name", list(FORMATS))
def test_any_pinhole_rig_survives_or_is_refused_with_the_reason(name, tmp_path_factory):
    @settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(rigs(model="pinhole", lengths=(0, 4, 5, 8, 12, 14)))
    def check(rig):
        path = tmp_path_factory.mktemp("rig") / "rig"
        longest = max(int(np.max(np.flatnonzero(camera.dist), initial=-1)) + 1 for camera in rig)
        if longest > MOST_COEFFICIENTS.get(name, 14):
            with pytest.raises(ConfigError, match=r"camera .* more than \d coefficients"):
                write_rig(rig, path, format=name)
            assert not path.exists() or not list(path.iterdir())
        else:
            write_rig(rig, path, format=name)
            assert_same(rig, load_rig(path), sizes=name not in GUESSES_THE_SIZE)

    check()


@pytest.mark.parametrize("name", list(FORMATS))
def test_any_fisheye_rig_survives_or_is_refused_with_the_reason(name, tmp_path_factory):
    @settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(rigs(model="fisheye", lengths=(4,)))
    def check(rig):
        path = tmp_path_factory.mktemp("rig") / "rig"
        if name in FISHEYE:
            write_rig(rig, path, format=name)
            assert_same(rig, load_rig(path))
        else:
            with pytest.raises(ConfigError, match="fisheye"):
                write_rig(rig, path, format=name)

    check()


@pytest.mark.parametrize("name", list(FORMATS))
def test_pixels_are_the_same_after_a_round_trip(name, rig_of, tmp_path):
    rig = rig_of(3)
    write_rig(rig, tmp_path / "rig", format=name)
    X = np.random.default_rng(1).uniform((-0.5, -0.5, 0.5), (0.5, 0.5, 1.5), (50, 3))
    for a, b in zip(rig, load_rig(tmp_path / "rig"), strict=True):
        np.testing.assert_allclose(project(b, X), project(a, X), atol=1e-6)


@pytest.mark.parametrize("name", ["qualisys", "colmap", "nerfstudio"])
def test_skew_is_refused_where_the_format_cannot_hold_it(name, rig_of, tmp_path):
    (camera,) = rig_of(1)
    K = camera.K.copy()
    K[0, 1] = 0.5
    with pytest.raises(ConfigError, match=r"cam01.*skew"):
        write_rig(Rig((camera.replace(K=K),)), tmp_path / "rig", format=name)


ONE_FILE = ("native", "qualisys", "toml", "caliscope", "opencv", "multical", "nerfstudio")
CHANGES = ("", "nan", "-1", "[", "}", '"', "\n", "<", "1e999", "null", "\x00", "cam01")


def refusal(path):
    """Return why a file is refused, or nothing; any other exception than ours fails the test."""
    try:
        load_rig(path)
    except ConfigError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", ONE_FILE)
def test_a_damaged_file_is_read_as_a_rig_or_refused_in_one_line(name, rig_of, tmp_path):
    path, rng = tmp_path / "rig", np.random.default_rng(7)
    write_rig(rig_of(2), path, format=name)
    whole = path.read_text()
    refused = 0
    for _ in range(40):
        start = int(rng.integers(len(whole)))
        end = start + int(rng.choice([0, 1, 5, 200]))
        path.write_text(whole[:start] + str(rng.choice(CHANGES)) + whole[end:])
        problem = refusal(path)
        refused += bool(problem)
        assert "\n" not in problem, problem
        assert not problem or str(path) in problem
    assert refused >= 10


@pytest.mark.parametrize("name", ONE_FILE)
@pytest.mark.parametrize("share", [0.55, 0.8, 0.93])
def test_a_file_cut_short_never_gives_a_smaller_rig_in_silence(name, share, rig_of, tmp_path, caplog):
    path = tmp_path / "rig"
    write_rig(rig_of(4), path, format=name)
    whole = path.read_text()
    cut = whole[: int(len(whole) * share)]
    if name in ("native", "opencv"):  # cut within a list: between two keys, YAML cannot know
        cut = cut[: cut.rindex("t: [" if name == "native" else "data: [") + 8]
    path.write_text(cut)
    if name == "caliscope" and not refusal(path):  # a camera without a pose is usual there
        assert "without a pose, left out" in caplog.text
    else:
        assert refusal(path)


def test_the_same_name_twice_is_refused_in_json(rig_of, tmp_path):
    path = tmp_path / "rig.json"
    write_rig(rig_of(2), path, format="multical")
    path.write_text(path.read_text().replace('"cam02": {\n      "model"', '"cam01": {\n      "model"'))
    assert len(json.loads(path.read_text())["cameras"]) == 1
    with pytest.raises(ConfigError, match="cam01 stands there twice"):
        load_rig(path)
