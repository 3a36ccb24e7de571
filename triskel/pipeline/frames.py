"""Which frames of a recording are looked at."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triskel.errors import InputError
from triskel.session import Session


@dataclass(frozen=True, kw_only=True)
class FrameRange:
    """Every `step`th frame from `first` to `last`; frames count from 0 and both ends are included.

    Attributes:
        first: the first frame.
        last: the last frame; None for the end of the recording.
        step: 1 for every frame, 2 for every other one.
    """

    first: int = 0
    last: int | None = None
    step: int = 1

    def __post_init__(self) -> None:
        if self.first < 0 or self.step < 1 or (self.last is not None and self.last < self.first):
            raise InputError(
                "frames run from a first one, 0 or later, to a last one that is not before it, in steps of 1 or more; "
                f"got first {self.first}, last {self.last}, step {self.step}"
            )

    def of(self, count: int, where: str) -> range:
        """Return the frames looked at among `count`; `where` names the recording in the error.

        Raises:
            InputError: the recording ends before the first one.
        """
        if self.first >= count:
            raise InputError(f"{where}: has frames 0 to {count - 1}, the first one wanted is {self.first}")
        return range(self.first, count if self.last is None else min(self.last + 1, count), self.step)


ALL_FRAMES = FrameRange()


def frames_looked_at(session: Session, sets: int) -> NDArray[np.intp]:
    """Return the frame sets in which people were looked for: what was left out on purpose is no gap, and no failure."""
    settings = next((run.settings for run in session.info.runs if run.stage == "detect"), {})
    first, last, step = (settings.get(f"frame_{name}") for name in ("first", "last", "step"))
    everything = np.arange(sets)
    if not (isinstance(first, int) and isinstance(step, int) and step > 0 and 0 <= first < sets):
        return everything
    return everything[first : last + 1 if isinstance(last, int) else None : step]
