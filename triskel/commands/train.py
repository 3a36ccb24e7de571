"""`triskel train`: a network from labelled images."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from triskel.commands.show import ERR, say

if TYPE_CHECKING:
    from triskel.detect2d.training.loop import TrainProgress

_LINE_EVERY_S = 30.0  # where nobody watches a bar


def train(
    config: Annotated[Path, typer.Argument(help="YAML; examples/training/ has some to start from.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the training in the folder of results.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder of the results, instead of the configuration's.")] = None,
    steps: Annotated[int | None, typer.Option(help="Steps, instead of the configuration's.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1; CUDA where there is one by default.")] = None,
) -> None:
    """Train a network on COCO-format labels: writes checkpoints, a log, TensorBoard files and pictures.

    An interrupt stops after the step at hand, and --resume goes on. On several GPUs: torchrun --nproc-per-node 4 -m
    triskel train CONFIG.
    """
    from triskel.detect2d.training import load_config
    from triskel.detect2d.training import train as run

    given: dict[str, Any] = {"out": out, "steps": steps, "device": device}
    read = load_config(config, {key: value for key, value in given.items() if value is not None})
    with _progress() as progress:
        result = run(read, resume=resume, progress=progress)
    if int(os.environ.get("RANK", "0")) == 0:
        ended = "stopped, go on with --resume," if result.stopped else "done"
        say(f"{ended} at step {result.step}: loss {result.loss:.4g}, best checkpoint {result.best:.4g}")
        say(f"{result.folder / 'best.safetensors'}")


@contextmanager
def _progress() -> "Iterator[TrainProgress]":
    """Yield a callback: a bar with loss and speed on a terminal, a line every half minute elsewhere.

    Of the processes of a data-parallel training only the first one is told anything, and only it shows a bar.
    """
    if not ERR.is_terminal or int(os.environ.get("RANK", "0")):
        yield _lines()
        return
    columns = (
        TextColumn("train"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.4g}, {task.fields[speed]:.0f} images/s"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=ERR) as bars:
        task = bars.add_task("train", total=None, loss=float("nan"), speed=float("nan"))

        def show(step: int, steps: int, *, loss: float, images_per_s: float) -> None:
            bars.update(task, completed=step, total=steps, loss=loss, speed=images_per_s)

        yield show


def _lines() -> "TrainProgress":
    last = [time.monotonic()]

    def show(step: int, steps: int, *, loss: float, images_per_s: float) -> None:
        if step in (1, steps) or time.monotonic() - last[0] > _LINE_EVERY_S:
            last[0] = time.monotonic()
            ERR.print(f"step {step}/{steps}: loss {loss:.4g}, {images_per_s:.0f} images/s", markup=False)

    return show
