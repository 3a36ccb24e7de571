"""Stops a training whose loss has gone bad, before it overwrites what was good."""

import math

from triskel.errors import JobError

_SMOOTHING = 0.95  # the loss is judged over about the last 20 steps
_PATIENCE = 50  # steps before it is judged at all
_EXPLODED = 10.0  # times the least smoothed loss so far


class LossGuard:
    """Watches the loss of each step."""

    def __init__(self) -> None:
        self.smoothed = math.nan
        self.least = math.inf
        self.seen = 0

    def watch(self, step: int, loss: float, *, saved: str) -> None:
        """Take the loss of a step.

        Args:
            step: steps done.
            loss: of the step.
            saved: where the last good state is, for the message.

        Raises:
            JobError: the loss is not finite, or has grown far beyond what it was.
        """
        advice = f"{saved}; lower optimiser.lr, set optimiser.clip, or look at the labels in batch.png"
        if not math.isfinite(loss):
            raise JobError(f"the loss or its gradient became {loss} at step {step}: training stopped, {advice}")
        self.seen += 1
        self.smoothed = loss if math.isnan(self.smoothed) else _SMOOTHING * self.smoothed + (1 - _SMOOTHING) * loss
        self.least = min(self.least, self.smoothed)
        if self.seen > _PATIENCE and self.smoothed > _EXPLODED * self.least:
            raise JobError(
                f"the loss grew from {self.least:.4g} to {self.smoothed:.4g} by step {step}: training stopped, {advice}"
            )
