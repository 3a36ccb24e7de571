"""Files appear whole or not at all, and who cannot write is told which file, not which temporary one."""

import errno
import os

import numpy as np
import pytest

from triskel import InputError, JobError
from triskel.files import atomic_path, check_folder, write_text
from triskel.images import read_image_bgr, write_image_bgr


def test_a_full_disk_names_the_file_and_leaves_the_old_one(tmp_path):
    write_text(tmp_path / "a.txt", "old")

    def write_half():
        with atomic_path(tmp_path / "a.txt") as temporary:
            temporary.write_text("half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(JobError, match=r"a\.txt: cannot be written: No space left on device"):
        write_half()
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_what_fails_elsewhere_keeps_its_own_name(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.txt"), atomic_path(tmp_path / "a.txt"):
        (tmp_path / "other" / "gone.txt").read_text()


def test_a_name_that_is_too_long_is_one_line(tmp_path):
    with pytest.raises(JobError, match="cannot be written: File name too long"):
        write_text(tmp_path / f"{'x' * 250}.txt", "")


def test_a_folder_that_cannot_be_written_is_refused_and_none_is_made(tmp_path, monkeypatch):
    check_folder(tmp_path / "a/b")
    check_folder(tmp_path)
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file/a/b"):
        with pytest.raises(InputError, match="file is a file; choose another one with --out"):
            check_folder(folder)
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    with pytest.raises(InputError, match="nothing can be written in"):
        check_folder(tmp_path / "a/b")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_in_the_way_is_refused(tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        write_text(tmp_path, "")


def test_a_picture_comes_back_also_under_a_name_that_is_no_text(tmp_path):
    picture = np.random.default_rng(0).integers(0, 255, (5, 7, 3)).astype(np.uint8)
    path = tmp_path / os.fsdecode(b"\xff\xfe.png")
    write_image_bgr(path, picture)
    np.testing.assert_array_equal(read_image_bgr(path), picture)
