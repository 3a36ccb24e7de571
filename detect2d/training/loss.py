"""The loss of section 3.2: squared L2 distance at the end of every stage, where the labels are complete.

Equations 4 and 5 give each stage's loss with the mask W, equation 6 their sum: intermediate supervision.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from triskel.detect2d.networks import StageMaps
from triskel.detect2d.training.targets import Targets


class Mask(NamedTuple):
    """Where the loss counts.

    Attributes:
        cells: (B, h, w) W of the paper: 0 where people are not labelled.
        confidence: (J + 1,) 0 for joints that the batch's data set does not label (body + foot training).
        affinity: (2 L,) 0 for limbs of such joints.
    """

    cells: Tensor
    confidence: Tensor
    affinity: Tensor


def stage_losses(stages: Sequence[StageMaps], targets: Targets, mask: Mask) -> Tensor:
    """Return the loss of each stage, (stages,): equations 4 and 5, divided by the number of images.

    A stage with both branches has the sum of both. The sum over stages is equation 6.

    Raises:
        ValueError: the maps of a stage are of another shape than the ground truth.
    """
    losses = []
    for stage in stages:
        loss = torch.zeros((), device=mask.cells.device)
        if stage.affinity is not None:
            loss = loss + _squared_error(stage.affinity, targets.affinity, mask.cells, mask.affinity)
        if stage.confidence is not None:
            loss = loss + _squared_error(stage.confidence, targets.confidence, mask.cells, mask.confidence)
        losses.append(loss)
    return torch.stack(losses)


def _squared_error(maps: Tensor, target: Tensor, cells: Tensor, channels: Tensor) -> Tensor:
    if maps.shape != target.shape:
        raise ValueError(f"the network gives maps {tuple(maps.shape)}, the ground truth is {tuple(target.shape)}")
    # The sum of tens of thousands of squares needs float32, whatever the network runs in.
    squared = (maps.float() - target) ** 2 * cells[:, None] * channels[:, None, None]
    return squared.sum() / len(maps)
