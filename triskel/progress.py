"""How long work tells whoever waits for it; stages call it, the command line shows it."""

from typing import Protocol


class Progress(Protocol):
    """Told after each piece of work of a stage."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Say that `done` of `total` pieces of `stage` are finished."""


def silent(stage: str, done: int, total: int) -> None:
    """Show nothing: the default of library calls."""
