"""The mirrored picture: maps of it brought back, so that they can be averaged with those of the picture itself.

A network sees left and right a little differently; the mean of both is better than either.
"""

import torch
from torch import Tensor

from triskel.detect2d.layout import PafLayout
from triskel.errors import ConfigError


def has_mirror_image(layout: PafLayout) -> bool:
    """Say whether a mirrored picture shows things that the network knows.

    It does not where no joint has a partner: a hand in the mirror is the other hand. Nor where a limb has none: its
    field cannot be brought back.
    """
    if all(flip == joint for joint, flip in enumerate(layout.skeleton.flips)):
        return False
    try:
        layout.mirrored_limbs()
    except ConfigError:
        return False
    return True


def unmirror_confidence(maps: Tensor, layout: PafLayout) -> Tensor:
    """Return the confidence maps (B, J + 1, H, W) of a mirrored picture as those of the picture."""
    channels = [*layout.skeleton.flips, len(layout.skeleton)]  # the background stays
    return torch.flip(maps, dims=[-1])[:, channels]


def unmirror_affinity(maps: Tensor, layout: PafLayout) -> Tensor:
    """Return the affinity fields (B, 2 L, H, W) of a mirrored picture as those of the picture.

    Left and right limbs change places, x changes its sign, and a limb that is its own mirror image or that of one
    drawn the other way round, as between the shoulders, runs backwards.
    """
    source, sign = layout.mirrored_limbs()
    batch, _, height, width = maps.shape
    fields = torch.flip(maps, dims=[-1]).reshape(batch, len(layout.limbs), 2, height, width)
    fields = fields[:, torch.from_numpy(source).to(maps.device)]
    along = torch.as_tensor(sign, dtype=maps.dtype, device=maps.device).reshape(1, -1, 1, 1)
    return torch.stack([-along * fields[:, :, 0], along * fields[:, :, 1]], dim=2).flatten(1, 2)
