"""What every network gives: the maps of its stages, and the call that returns the last ones."""

from abc import ABC, abstractmethod
from typing import NamedTuple, Self

from torch import Tensor, nn


class StageMaps(NamedTuple):
    """What one stage predicts.

    Attributes:
        confidence: (B, J + 1, H / 8, W / 8), the background last; None for a stage of affinity fields alone.
        affinity: (B, 2 L, H / 8, W / 8), x and y of each limb; None for a stage of confidence maps alone.
    """

    confidence: Tensor | None
    affinity: Tensor | None


class PoseNetwork(nn.Module, ABC):
    """Image to confidence maps and part affinity fields at an eighth of its size.

    Map cell (i, j) looks at input pixel ((j + 0.5) * 8 - 0.5, (i + 0.5) * 8 - 0.5). Values are scaled inside.
    """

    @abstractmethod
    def stage_maps(self, image: Tensor) -> list[StageMaps]:
        """Return the maps of every stage, in order, for supervision of each.

        Args:
            image: (B, 3, H, W) BGR, 0 to 255, H and W multiples of 8.
        """

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Run the network.

        Args:
            image: (B, 3, H, W) BGR, 0 to 255, H and W multiples of 8.

        Returns:
            Confidence maps (B, J + 1, H / 8, W / 8) and affinity fields (B, 2 L, H / 8, W / 8) of the last stages that
            predict them; without limbs the latter have no channels.
        """
        maps = self.stage_maps(image)
        confidence = next(one.confidence for one in reversed(maps) if one.confidence is not None)
        affinity = next((one.affinity for one in reversed(maps) if one.affinity is not None), confidence[:, :0])
        return confidence, affinity

    def fuse(self) -> Self:
        """Fold BatchNorm into the convolutions, for inference; a network without any stays as it is."""
        return self
