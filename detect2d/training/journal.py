"""What a training leaves behind for people: a log, TensorBoard, a curve of the loss, a picture of a batch."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from triskel.errors import InputError
from triskel.files import atomic_path

LOG_FILE, CURVE_FILE, BATCH_FILE, TENSORBOARD = "log.csv", "loss.png", "batch.png", "tensorboard"


class Entry(NamedTuple):
    """One line of the log.

    Attributes:
        step: steps done.
        loss: equation 6 of the paper, for one image, mean over the steps since the line before.
        validation: the same on the validation sets; NaN where they were not looked at.
        lr: learning rate.
        images_per_s: over the steps since the line before, checkpoints and validation not counted.
    """

    step: int
    loss: float
    validation: float
    lr: float
    images_per_s: float


class Journal:
    """Writes the log of a training; opened for going on, it keeps the lines up to the step it goes on from."""

    def __init__(self, folder: Path, *, start: int) -> None:
        self.folder = folder
        self.entries = [entry for entry in _read(folder / LOG_FILE) if entry.step <= start] if start else []
        self._start = start

    def __enter__(self) -> Self:
        from torch.utils.tensorboard import SummaryWriter

        with atomic_path(self.folder / LOG_FILE) as temporary, temporary.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(Entry._fields)
            writer.writerows(self.entries)
        self._file = (self.folder / LOG_FILE).open("a", newline="", buffering=1)
        self._board: SummaryWriter = SummaryWriter(str(self.folder / TENSORBOARD), purge_step=self._start + 1)
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._board.close()

    def write(self, entry: Entry, stages: Sequence[float]) -> None:
        """Add a line; `stages` are the losses of each stage."""
        self.entries.append(entry)
        csv.writer(self._file).writerow(entry)
        self._board.add_scalar("loss/all stages", entry.loss, entry.step)
        for i, loss in enumerate(stages, start=1):
            self._board.add_scalar(f"loss/stage {i}", loss, entry.step)
        if np.isfinite(entry.validation):
            self._board.add_scalar("loss/validation", entry.validation, entry.step)
        self._board.add_scalar("learning rate", entry.lr, entry.step)
        self._board.add_scalar("images per second", entry.images_per_s, entry.step)

    def draw(self) -> None:
        """Draw the curve of the loss."""
        from matplotlib.figure import Figure
        from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

        if len(self.entries) < 2:
            return
        step = np.array([entry.step for entry in self.entries])
        figure = Figure(figsize=(7, 3.6), dpi=120, layout="constrained")
        axes = figure.add_subplot()
        for name, colour in (("loss", "#1f6feb"), ("validation", "#d1242f")):
            value = np.array([getattr(entry, name) for entry in self.entries])
            here = np.isfinite(value)
            if here.any():
                axes.plot(step[here], value[here], color=colour, linewidth=1.6)
                label = {"loss": "training", "validation": "validation"}[name]
                axes.annotate(
                    f" {label} {value[here][-1]:.3g}", (step[here][-1], value[here][-1]), color=colour, va="center"
                )
        axes.set(yscale="log", xlabel="steps", ylabel="loss of all stages, one image")
        axes.set_xlim(0, step[-1] * 1.2)  # room for the labels at the ends of the lines
        axes.set_xticks([tick for tick in axes.get_xticks() if tick <= step[-1]])
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
        with atomic_path(self.folder / CURVE_FILE) as temporary:
            figure.savefig(temporary)


def _read(path: Path) -> list[Entry]:
    """Read the log of the training that goes on; a last line that a crash cut off is left out."""
    if not path.is_file():
        return []
    entries = []
    try:
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                if None in row.values() or None in row:
                    continue
                entries.append(Entry(int(row["step"]), *(float(row[name]) for name in Entry._fields[1:])))
    except (ValueError, KeyError, csv.Error) as error:
        raise InputError(f"{path}: is no log of a training: {error}; move it away") from error
    return entries
