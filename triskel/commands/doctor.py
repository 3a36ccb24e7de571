"""`triskel doctor` and `triskel bench`: is this machine ready, and how fast is it."""

import importlib
import os
import platform
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from triskel.commands.show import OUT, say, table
from triskel.errors import TriskelError

LIBRARIES = {"torch": "torch", "cv2": "opencv-contrib-python", "open3d": "open3d", "av": "av", "numba": "numba"}


def doctor() -> None:
    """Check that this machine can run triskel: libraries, processor, drawing in 3D, weights, samples."""
    rows = table("what", "state")
    problems = 0

    def add(what: str, state: str, *, good: bool = True) -> None:
        nonlocal problems
        problems += not good
        rows.add_row(what, state if good else f"[red]{state}[/red]")

    add("triskel", f"{metadata.version('triskel')}, Python {platform.python_version()}, {platform.platform()}")
    for module in LIBRARIES:
        try:
            loaded = importlib.import_module(module)
            add(module, str(getattr(loaded, "__version__", "?")))
        except (ImportError, OSError) as error:
            add(module, f"cannot be loaded: {str(error).splitlines()[0]}", good=False)
    if "torch" in sys.modules and not problems:
        add("processor", _processor())
    state = _draw()
    add("drawing in 3D", state or "works without a display", good=not state)
    add("weights and samples", _fetched())
    OUT.print(rows)
    if problems:
        say(f"{problems} problem(s)")
        raise typer.Exit(1)
    say("ready")


def _processor() -> str:
    """Say what the network will run on."""
    import torch

    from triskel.detect2d.replicas import resolve_precision

    name = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.cuda.get_device_name() if name == "cuda" else f"{os.cpu_count()} cores"
    return f"{name} ({device}), {resolve_precision('auto', torch.device(name))}"


def _draw() -> str:
    """Draw an empty scene; return what went wrong, or nothing."""
    from triskel import Motion3D
    from triskel.skeleton import BODY_25
    from triskel.tables import missing_points
    from triskel.viewer import render_image

    empty = Motion3D(
        BODY_25, ("a",), np.zeros(1), np.zeros(0, np.int64), missing_points((1, 0, 25), 1), np.zeros((1, 0, 25), bool)
    )
    try:
        with tempfile.TemporaryDirectory() as folder:
            render_image(empty, None, Path(folder) / "empty.png", size_wh=(64, 48))
    except (TriskelError, ImportError, OSError) as error:
        return str(error).splitlines()[0]
    return ""


def _fetched() -> str:
    """Say what of the fetched data is here."""
    from triskel.detect2d.weights import WEIGHTS
    from triskel.samples import SAMPLES, is_installed

    here = [name for name, one in WEIGHTS.items() if one.installed_bytes is not None]
    here += [f"sample {name}" for name in SAMPLES if is_installed(name)]
    return ", ".join(here) or "none yet; fetched on first use"


def bench(
    images: Annotated[int, typer.Option(help="Images detected in.")] = 8,
    points: Annotated[int, typer.Option(help="Points triangulated, in thousands.")] = 25,
) -> None:
    """Measure this machine: detection per image and size, triangulation per point."""
    from triskel.commands.measure import measure_detection, measure_triangulation

    rows = table("what", "setting", "time")
    for setting, seconds in measure_detection(images):
        rows.add_row("detection", setting, f"{1000 * seconds:.0f} ms an image")
    for setting, seconds in measure_triangulation(1000 * points):
        rows.add_row("triangulation", setting, f"{1e6 * seconds:.1f} us a point")
    OUT.print(rows)
    say(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}")
