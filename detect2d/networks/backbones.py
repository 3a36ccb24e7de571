"""Backbones: image to features at an eighth of its size."""

from torch import Tensor, nn
from torch.nn import functional

from triskel.detect2d.networks.blocks import Conv, Residual
from triskel.detect2d.networks.spec import NetworkSpec, ResidualSpec

FEATURES = 128

# VGG-19 by block; a pool stands between blocks. Both backbones continue from conv4_2.
_VGG_BLOCKS = ((64, 64), (128, 128), (256, 256, 256, 256), (512, 512))
_HAND_TAIL = (512, 512, 512, 512)  # conv4_3, conv4_4, conv5_1, conv5_2; no pool before conv5: the stride stays 8


class Vgg(nn.Module):
    """The first layers of VGG-19, then `CPM` convolutions to 128 channels.

    Attributes:
        channels: of the features.
        blocks: the convolutions between the pools, those of the tail in the last one.
    """

    channels = FEATURES

    def __init__(self, *, hand: bool, activation: str) -> None:
        super().__init__()
        tail = (*_HAND_TAIL, FEATURES) if hand else (256, FEATURES)
        widths = [list(block) for block in _VGG_BLOCKS]
        widths[-1] += tail
        # The layers that BODY_25 was given slopes in are those trained anew: conv4_2 and the neck.
        relu = sum(map(len, widths)) - 3
        self.blocks = nn.ModuleList()
        inputs = count = 0
        for block in widths:
            convs = []
            for width in block:
                convs.append(Conv(inputs or 3, width, activation="relu" if count < relu else activation))
                inputs, count = width, count + 1
            self.blocks.append(nn.Sequential(*convs))

    def forward(self, image: Tensor) -> Tensor:
        """Return (B, 128, H / 8, W / 8) for (B, 3, H, W), already scaled to about -0.5 to 0.5."""
        x = self.blocks[0](image)
        for block in list(self.blocks)[1:]:
            x = block(functional.max_pool2d(x, 2))
        return x


class Compact(nn.Module):
    """Residual blocks at strides 2 to 16; the coarsest level is brought back to stride 8 and added."""

    def __init__(self, spec: ResidualSpec) -> None:
        super().__init__()
        self.channels = spec.features
        self.levels = nn.ModuleList()
        inputs = 3
        for width, blocks in zip(spec.widths, spec.blocks, strict=True):
            down = Conv(inputs, width, 4, norm=True, stride=2)
            self.levels.append(nn.Sequential(down, *(Residual(width) for _ in range(blocks))))
            inputs = width
        self.fine = Conv(spec.widths[2], spec.features, 1, activation=None, norm=True)
        self.coarse = Conv(spec.widths[3], spec.features, 1, activation=None, norm=True)

    def forward(self, image: Tensor) -> Tensor:
        """Return (B, features, H / 8, W / 8) for (B, 3, H, W), already scaled to about -0.5 to 0.5."""
        for level in list(self.levels)[:3]:
            image = level(image)
        fine = image
        height, width = fine.shape[-2:]
        # An odd side gets a row more, so that the coarse cells lie on pairs of fine ones and not beside them.
        even = functional.pad(fine, (0, width % 2, 0, height % 2), mode="replicate")
        coarse = self.coarse(self.levels[3](even))
        wide = functional.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
        return functional.relu_(self.fine(fine) + wide[..., :height, :width])


def make_backbone(spec: NetworkSpec) -> Vgg | Compact:
    """Return the backbone that a spec asks for, initialised at random."""
    if spec.backbone == "residual":
        return Compact(spec.residual or ResidualSpec())
    return Vgg(hand=spec.backbone == "vgg19_hand", activation=spec.activation)
