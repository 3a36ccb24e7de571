"""How commands talk to people: progress bars on a terminal, plain lines elsewhere, warnings on stderr."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from triskel.progress import Progress as ProgressCallback

# Where nobody sees it (a pipe, a log) a table is as wide as it needs to be.
WIDE = None if sys.stdout.isatty() else 200
OUT = Console(highlight=False, soft_wrap=True, width=WIDE)
ERR = Console(stderr=True, highlight=False, soft_wrap=True)


class WarningLines(logging.Handler):
    """Shows warnings as one line each on stderr, and keeps them for the report."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Print one warning."""
        line = record.getMessage()
        self.lines.append(line)
        ERR.print(f"warning: {line}", style="yellow", markup=False)


@contextmanager
def collected_warnings() -> Iterator[list[str]]:
    """Yield the list that the library's warnings are added to while the block runs."""
    for handler in logging.getLogger("triskel").handlers:
        if isinstance(handler, WarningLines):
            handler.lines.clear()
            yield handler.lines
            return
    yield []


@contextmanager
def progress_bars() -> Iterator[ProgressCallback]:
    """Yield a progress callback: bars on a terminal, a line at the start and end of each stage elsewhere."""
    if not ERR.is_terminal:
        yield _plain_lines()
        return
    columns = (
        TextColumn("{task.description:>12}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=ERR) as bars:
        tasks: dict[str, TaskID] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield show


def _plain_lines() -> ProgressCallback:
    """Return a callback that prints every quarter of a stage."""
    shown: dict[str, int] = {}

    def show(stage: str, done: int, total: int) -> None:
        quarter = 4 * done // max(total, 1)
        if quarter > shown.get(stage, 0):
            shown[stage] = quarter
            print(f"{stage}: {done}/{total}", file=sys.stderr, flush=True)  # noqa: T201 - this is the command line

    return show


@contextmanager
def download_line(what: str) -> Iterator[None]:
    """Say on stderr that something is being fetched."""
    ERR.print(f"fetching {what} ...", markup=False)
    yield


def table(*columns: str) -> Table:
    """Return an empty table in the style of the command line."""
    return Table(*columns, box=None, header_style="bold", pad_edge=False)


def say(text: str) -> None:
    """Print one line of result to stdout."""
    OUT.print(text, markup=False)
