"""Writing files so that a reader never sees half of one."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from triskel.errors import InputError, JobError


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that replaces it when the block ends well.

    The temporary file keeps the suffix of `path`, since writers often choose the format by it. If the block raises,
    the temporary file is removed and whatever stood at `path` stays as it was.

    Args:
        path: the final file; its folder is created when missing.

    Raises:
        InputError: a folder stands at `path`, or a file where its folder should be.
        JobError: the file cannot be written: no room, no permission.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give the name of a file")
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: is a device or pipe, which a file would replace; give the name of a file")
    _make_parent(path)
    temporary = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent)
        temporary = Path(name)
        os.close(handle)
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        # Of the temporary file nobody knows; a full disk names no file at all.
        if error.filename is not None and Path(error.filename).parent != path.parent:
            raise
        raise JobError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path` that replaces it, whole, when the block ends well.

    Args:
        path: the final folder. One that exists is removed only after the new one is complete.

    Raises:
        InputError: a file stands at `path`, or where its folder should be.
    """
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise InputError(f"{path}: is a file; give the name of a folder")
    _make_parent(path)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        if path.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{path.name}.old.", dir=path.parent))
            path.replace(old / path.name)
            try:
                temporary.replace(path)
            except BaseException:
                # Somebody else has put a folder there meanwhile, or this was interrupted: the old one goes back, or
                # gives way to the newer.
                if not path.exists():
                    (old / path.name).replace(path)
                raise
            finally:
                shutil.rmtree(old, ignore_errors=True)
        else:
            temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_folder(folder: str | Path) -> None:
    """See, before hours of work, that a folder for results can be made and written into. Makes nothing.

    Raises:
        InputError: a file stands in the way, or there is no permission to write.
    """
    folder = Path(folder)
    nearest = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())
    if not nearest.is_dir():
        raise InputError(f"{folder}: cannot be a folder of results, {nearest} is a file; choose another one with --out")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(f"{folder}: nothing can be written in {nearest}; choose another one with --out")


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8 to `path`, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _make_parent(path: Path) -> None:
    """Create the folder that `path` goes into; what stands in the way is the user's to move."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(f"{path}: cannot be written, {error.filename} is no folder") from error


def _umask() -> int:
    """Return the process's umask: mkstemp ignores it, and a result nobody else can read surprises people."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
