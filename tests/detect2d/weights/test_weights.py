import hashlib
import io
import tarfile
import zipfile
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from triskel import InputError, JobError, fetch
from triskel.detect2d.weights import WEIGHTS, best_pose_weights, crop_network_file, get_weights, load_weights
from triskel.detect2d.weights import published as module
from triskel.detect2d.weights.published import content_digest

NAME = "mobilenet_thin"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Use an empty cache folder, and no network."""

    def no_network(*_, **__):
        raise JobError("the tests are offline")

    monkeypatch.setattr(module, "cache_folder", lambda: tmp_path / "cache")
    for name in ("fetch_sdist", "fetch_wheel", "fetch_npm"):
        monkeypatch.setattr(module, name, no_network)
    return tmp_path / "cache"


@pytest.mark.parametrize("use", [get_weights, load_weights])
def test_an_unknown_name_is_answered_with_the_known_ones(use):
    with pytest.raises(InputError, match="no weights are called 'vgg'; there are mobilenet_thin"):
        use("vgg")


def test_a_file_that_is_not_the_published_one_is_refused_and_nothing_kept(cache, tmp_path):
    file = tmp_path / "graph_opt.pb"
    file.write_bytes(b"other")
    with pytest.raises(InputError, match=r"graph_opt\.pb: not the expected file: its sha256 is .*, expected 21fcb799"):
        get_weights(NAME, file=file)
    with pytest.raises(InputError, match="cannot be read"):
        get_weights(NAME, file=tmp_path / "none.tar.gz")
    assert not WEIGHTS[NAME].path.exists()


def test_weights_that_cannot_be_fetched_are_an_error_and_nothing_is_kept(cache):
    with pytest.raises(JobError, match="offline"):
        load_weights(NAME)
    assert WEIGHTS[NAME].installed_bytes is None


def test_installed_weights_are_loaded_without_network_and_only_if_they_are_the_published_ones(cache, monkeypatch):
    path = WEIGHTS[NAME].path
    path.parent.mkdir(parents=True)
    save_file({"a": torch.arange(3.0)}, path)
    assert get_weights(NAME) == path
    with pytest.raises(JobError, match=r"mobilenet_thin.*altered: .*weights get mobilenet_thin"):
        load_weights(NAME)
    monkeypatch.setitem(WEIGHTS, NAME, replace(WEIGHTS[NAME], content_sha256=content_digest({"a": torch.arange(3.0)})))
    assert load_weights(NAME)["a"].tolist() == [0, 1, 2]
    assert WEIGHTS[NAME].installed_bytes == path.stat().st_size


def test_damaged_weights_say_what_to_do(cache):
    path = WEIGHTS[NAME].path
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\x10\x00")
    with pytest.raises(JobError, match="run 'triskel weights get mobilenet_thin' to replace it"):
        load_weights(NAME)


def test_every_entry_says_where_it_comes_from_and_under_which_licence():
    for name, one in WEIGHTS.items():
        assert (one.name, len(one.archive_sha256), len(one.member_sha256)) == (name, 64, 64)
        assert one.licence == "Apache-2.0"
        assert one.package in one.source
        assert one.version in one.source
        assert one.path.suffix == (".safetensors" if one.convert else ".tflite")


@pytest.fixture
def small(monkeypatch):
    """A network file of a few bytes under a published name."""
    content = b"....TFL3 a small network"
    entry = replace(WEIGHTS["mediapipe_hand"], member_sha256=hashlib.sha256(content).hexdigest())
    monkeypatch.setitem(WEIGHTS, "mediapipe_hand", entry)
    return content


def test_a_network_file_is_kept_as_it_is_and_checked_whenever_it_is_loaded(cache, tmp_path, small):
    brought = tmp_path / "hand.tflite"
    brought.write_bytes(small)
    path = get_weights("mediapipe_hand", file=brought)
    assert path.read_bytes() == small
    assert crop_network_file("mediapipe_hand") == path
    for damage in (small[:-1], small[:-1] + b"K", b""):
        path.write_bytes(damage)
        with pytest.raises(
            JobError, match=rf"{path.name}: altered or cut off: its sha256 is .*weights get mediapipe_hand"
        ):
            crop_network_file("mediapipe_hand")
        assert path.read_bytes() == damage  # the user's to delete


@pytest.mark.parametrize("archive", ["zip", "tar"])
def test_the_package_that_a_user_brings_is_unpacked_once_its_hash_is_right(
    cache, tmp_path, small, monkeypatch, archive
):
    entry, brought = WEIGHTS["mediapipe_hand"], tmp_path / f"package.{archive}"
    if archive == "zip":
        with zipfile.ZipFile(brought, "w") as bundle:
            bundle.writestr(entry.member, small)
    else:
        with tarfile.open(brought, "w:gz") as bundle:
            info = tarfile.TarInfo(entry.member)
            info.size = len(small)
            bundle.addfile(info, io.BytesIO(small))
    with pytest.raises(InputError, match=rf"package\.{archive}: not the expected file"):
        get_weights("mediapipe_hand", file=brought)
    sha256 = hashlib.sha256(brought.read_bytes()).hexdigest()
    monkeypatch.setitem(WEIGHTS, "mediapipe_hand", replace(entry, archive_sha256=sha256))
    assert get_weights("mediapipe_hand", file=brought).read_bytes() == small
    assert [path.name for path in cache.rglob("*") if path.is_file()] == [entry.path.name]


def test_a_file_that_may_not_be_read_is_one_line(cache, tmp_path, monkeypatch):
    def refuse(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(fetch, "sha256_of", refuse)
    (tmp_path / "hand.tflite").write_bytes(b"")
    with pytest.raises(InputError, match=r"hand\.tflite: cannot be read: Permission denied"):
        get_weights("mediapipe_hand", file=tmp_path / "hand.tflite")


def test_the_heavy_network_comes_through_npm(cache, tmp_path, small, monkeypatch):
    asked = []
    entry = replace(WEIGHTS["blazepose_heavy"], member_sha256=WEIGHTS["mediapipe_hand"].member_sha256)
    monkeypatch.setitem(WEIGHTS, "blazepose_heavy", entry)
    archive = tmp_path / "holistic.tgz"
    with zipfile.ZipFile(archive, "w") as bundle:
        bundle.writestr("package/pose_landmark_heavy.tflite", small)

    def fetch_npm(package, version, *, sha256, progress):
        asked.append((package, version, sha256))
        return archive

    monkeypatch.setattr(module, "fetch_npm", fetch_npm)
    assert get_weights("blazepose_heavy").read_bytes() == small
    assert asked == [("@mediapipe/holistic", "0.5.1675471629", entry.archive_sha256)]


def test_only_networks_for_one_person_hand_or_face_are_such_files(cache):
    with pytest.raises(InputError, match="'mobilenet_thin' is no network for one person"):
        crop_network_file("mobilenet_thin")


def test_the_wheel_is_the_same_on_every_platform(cache, tmp_path, small, monkeypatch):
    asked = []
    archive = tmp_path / "wheel.zip"
    entry = WEIGHTS["mediapipe_hand"]
    with zipfile.ZipFile(archive, "w") as bundle:
        bundle.writestr(entry.member, small)

    def fetch(package, version, *, sha256, platform_args, progress):
        asked.append((package, version, sha256, list(platform_args)))
        return archive

    monkeypatch.setattr(module, "fetch_wheel", fetch)
    get_weights("mediapipe_hand")
    get_weights("mediapipe_hand")
    platform = ["--python-version", "311", "--implementation", "cp", "--platform", "manylinux_2_28_x86_64"]
    assert asked == [("mediapipe", "0.10.21", entry.archive_sha256, platform)]


def test_without_npm_the_lighter_network_is_taken(cache, monkeypatch):
    monkeypatch.setattr(module.shutil, "which", lambda _: None)
    assert best_pose_weights() == "blazepose_full"
    monkeypatch.setattr(module.shutil, "which", lambda _: "/usr/bin/npm")
    assert best_pose_weights() == "blazepose_heavy"
    monkeypatch.setattr(module.shutil, "which", lambda _: None)
    WEIGHTS["blazepose_heavy"].path.parent.mkdir(parents=True)
    WEIGHTS["blazepose_heavy"].path.write_bytes(b"here")
    assert best_pose_weights() == "blazepose_heavy"


def test_asking_for_weights_replaces_a_damaged_file(cache, tmp_path, small, monkeypatch):
    path = WEIGHTS["mobilenet_thin"].path
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half a file")
    with pytest.raises(JobError, match="offline"):
        get_weights("mobilenet_thin", repair=True)
    assert path.read_bytes() == b"half a file"
    hand = WEIGHTS["mediapipe_hand"].path
    hand.write_bytes(small)
    assert get_weights("mediapipe_hand", repair=True) == hand  # whole: nothing is fetched
    hand.write_bytes(small[:-2])
    with pytest.raises(JobError, match="offline"):
        get_weights("mediapipe_hand", repair=True)
