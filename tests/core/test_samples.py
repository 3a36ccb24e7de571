"""Samples: what is in the registry, where it goes, and that a second time costs nothing."""

import dataclasses
import zipfile

import pytest

from triskel import fetch, samples
from triskel.errors import InputError, JobError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A wheel with every member of every sample, a few bytes each, that the registry now expects."""
    path = tmp_path / "pack.whl"
    with zipfile.ZipFile(path, "w") as bundle:
        for name in sorted({member for sample in samples.SAMPLES.values() for member, _ in sample.members}):
            bundle.writestr(name, name)
    expected = fetch.sha256_of(path)
    changed = {name: dataclasses.replace(one, sha256=expected) for name, one in samples.SAMPLES.items()}
    monkeypatch.setattr(samples, "SAMPLES", changed)
    return path


def test_every_sample_says_where_it_comes_from_and_under_which_licence():
    for name, sample in samples.SAMPLES.items():
        assert sample.name == name
        assert sample.licence == "BSD-3-Clause"
        assert len(sample.sha256) == 64
        assert sample.package
        assert sample.version
        assert sample.source
        assert sample.description


def test_no_two_files_of_a_sample_land_on_each_other_or_outside():
    for sample in samples.SAMPLES.values():
        targets = [target for _, target in sample.members]
        assert len(set(targets)) == len(targets)
        assert not [target for target in targets if target.startswith("/") or ".." in target]


@pytest.mark.parametrize("name", ["single", "multi"])
def test_a_recording_is_four_videos_and_a_calibration(wheel, tmp_path, name):
    folder = samples.get_sample(name, tmp_path / "here", wheel)
    assert folder == tmp_path / "here"
    assert sorted(path.name for path in (folder / "videos").iterdir()) == [f"cam0{n}.mp4" for n in range(1, 5)]
    assert (folder / "Calib.qca.txt").is_file()


def test_the_lab_has_seven_boards_and_a_scene_for_each_camera(wheel):
    folder = samples.get_sample("lab", file=wheel)
    for camera in samples.CAMERAS:
        assert len(list((folder / "intrinsics" / camera).glob("*.jpg"))) == 7
        assert (folder / "extrinsics" / f"{camera}.png").is_file()


def test_a_sample_goes_to_the_cache_and_is_then_installed(wheel, tmp_path):
    assert not samples.is_installed("multi")
    folder = samples.get_sample("multi", file=wheel)
    assert folder == tmp_path / "cache" / "triskel" / "samples" / "multi" == samples.sample_folder("multi")
    assert samples.is_installed("multi")
    assert not samples.is_installed("single")


def test_a_complete_sample_is_left_alone_and_an_incomplete_one_is_completed(wheel, monkeypatch):
    folder = samples.get_sample("single", file=wheel)
    monkeypatch.setattr(samples, "fetch_wheel", lambda *_, **__: pytest.fail("fetched again"))
    assert samples.get_sample("single") == folder
    (folder / "videos" / "cam03.mp4").unlink()
    assert not samples.is_installed("single")
    samples.get_sample("single", file=wheel)
    assert samples.is_installed("single")


def test_other_files_in_the_folder_stay(wheel, tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "notes.txt").write_text("mine")
    samples.get_sample("single", tmp_path / "here", wheel)
    assert (tmp_path / "here" / "notes.txt").read_text() == "mine"


def test_an_unknown_sample_lists_the_known_ones():
    for ask in (samples.get_sample, samples.is_installed, samples.sample_folder):
        with pytest.raises(InputError, match="no sample is called 'duo'; there are single, multi, lab"):
            ask("duo")


def test_another_file_than_the_wheel_is_refused(tmp_path):
    (tmp_path / "other.whl").write_bytes(b"PK")
    with pytest.raises(InputError, match=r"other\.whl: not the expected file"):
        samples.get_sample("single", file=tmp_path / "other.whl")


def test_without_a_network_the_way_out_is_named(monkeypatch):
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(JobError, match=r"cannot fetch pose2sim 0\.10\.49 .* pass it with --file"):
        samples.get_sample("single")


@pytest.mark.network
def test_the_real_samples_arrive_and_their_videos_open():
    import cv2

    for name in ("single", "multi"):
        folder = samples.get_sample(name)
        for camera in samples.CAMERAS:
            video = cv2.VideoCapture(str(folder / "videos" / f"{camera}.mp4"))
            assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 100
            assert video.get(cv2.CAP_PROP_FPS) == pytest.approx(60.0)
    picture = cv2.imread(str(samples.get_sample("lab") / "intrinsics" / "cam02" / "cam02_04_int.jpg"))
    assert picture.shape == (1920, 1088, 3)
