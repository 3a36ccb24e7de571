"""The mirrored picture: maps of it brought back, so that they can be averaged with those of the picture itself.

A network sees left and right a little differently; the mean of both is better than either.
"""

import torch
from torch import Tensor

from triskel.detect2d.layout import PafLayout


def unmirror_confidence(maps: Tensor, layout: PafLayout) -> Tensor:
    """Return the confidence maps (B, J + 1, H, W) of a mirrored picture as those of the picture."""
    channels = [*layout.skeleton.flips, len(layout.skeleton)]  # the background stays
    return torch.flip(maps, dims=[-1])[:, channels]


def unmirror_affinity(maps: Tensor, layout: PafLayout) -> Tensor:
    """Return the affinity fields (B, 2 L, H, W) of a mirrored picture as those of the picture: x changes its sign."""
    flips = layout.skeleton.flips
    source = [layout.limbs.index((flips[a], flips[b])) for a, b in layout.limbs]
    batch, _, height, width = maps.shape
    fields = torch.flip(maps, dims=[-1]).reshape(batch, len(layout.limbs), 2, height, width)[:, source]
    return torch.stack([-fields[:, :, 0], fields[:, :, 1]], dim=2).flatten(1, 2)
