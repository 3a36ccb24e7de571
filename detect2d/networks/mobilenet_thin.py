"""`mobilenet_thin`: a two-branch, six-stage PAF network on a thin MobileNet backbone, COCO-18.

The iterative structure is that of section 3.1 of the paper in its first form: every stage refines both the part
affinity fields (branch L1) and the confidence maps (branch L2), fed by both and by the image features. Convolutions
are depthwise-separable, batch normalisation is folded into the pointwise bias.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from triskel.detect2d.networks.maps import PoseNetwork, StageMaps

STRIDE = 8
CONFIDENCE_MAPS = 19  # 18 joints of COCO-18 and the background
AFFINITY_MAPS = 38  # 19 limbs, x and y

_BACKBONE = ((48, 1), (96, 2), (96, 1), (192, 2), (192, 1), *[(384, 1)] * 6)  # width, stride of blocks 1 to 11
_FEATURES_FROM = (3, 7, 11)  # blocks whose outputs, the first one pooled, are the image features


def _pad_same(x: Tensor) -> Tensor:
    """Pad one row below and one column right: what a 3 x 3 stride 2 convolution on an even size is given by "SAME"."""
    return functional.pad(x, (0, 1, 0, 1))


class Separable(nn.Module):
    """Depthwise k x k, then pointwise 1 x 1 with bias, then an optional ReLU."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1, relu: bool = True) -> None:
        super().__init__()
        padding = kernel // 2 if stride == 1 else 0
        self.depthwise = nn.Conv2d(inputs, inputs, kernel, stride, padding, groups=inputs, bias=False)
        self.pointwise = nn.Conv2d(inputs, outputs, 1)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, outputs, H / stride, W / stride) for (B, inputs, H, W)."""
        if self.depthwise.stride[0] == 2:
            x = _pad_same(x)
        x = self.pointwise(self.depthwise(x))
        return functional.relu_(x) if self.relu else x


class Backbone(nn.Module):
    """Image (B, 3, H, W) to features (B, 864, H / 8, W / 8)."""

    channels = 864

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 24, 3, stride=2)
        widths = (24, *(width for width, _ in _BACKBONE))
        self.blocks = nn.ModuleList(
            Separable(widths[i], width, stride=stride) for i, (width, stride) in enumerate(_BACKBONE)
        )

    def forward(self, image: Tensor) -> Tensor:
        """Return the features of a BGR image with values 0 to 255 whose sides are multiples of 8."""
        x = functional.relu_(self.stem(_pad_same(image)))
        features = []
        for number, block in enumerate(self.blocks, start=1):
            x = block(x)
            if number in _FEATURES_FROM:
                features.append(functional.max_pool2d(x, 2) if number == _FEATURES_FROM[0] else x)
        return torch.cat(features, dim=1)


class Branch(nn.Module):
    """One branch of one stage: three 3 x 3 separable convolutions, then two 1 x 1."""

    def __init__(self, inputs: int, outputs: int, *, hidden: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            Separable(inputs, 64),
            Separable(64, 64),
            Separable(64, 64),
            Separable(64, hidden, kernel=1),
            Separable(hidden, outputs, kernel=1, relu=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, outputs, H, W) for (B, inputs, H, W)."""
        return self.layers(x)


class Stage(nn.Module):
    """Both branches of one stage: part affinity fields and confidence maps."""

    def __init__(self, inputs: int, *, hidden: int) -> None:
        super().__init__()
        self.affinity = Branch(inputs, AFFINITY_MAPS, hidden=hidden)
        self.confidence = Branch(inputs, CONFIDENCE_MAPS, hidden=hidden)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the affinity fields (B, 38, H, W) and the confidence maps (B, 19, H, W)."""
        return self.affinity(x), self.confidence(x)


class MobilenetThin(PoseNetwork):
    """Image to confidence maps and part affinity fields at an eighth of its size; COCO-18."""

    def __init__(self, stages: int = 6) -> None:
        super().__init__()
        self.backbone = Backbone()
        refined = Backbone.channels + AFFINITY_MAPS + CONFIDENCE_MAPS
        self.stages = nn.ModuleList(
            Stage(Backbone.channels, hidden=256) if i == 0 else Stage(refined, hidden=64) for i in range(stages)
        )

    def stage_maps(self, image: Tensor) -> list[StageMaps]:
        """Return the maps of every stage, in order.

        Args:
            image: (B, 3, H, W) BGR, 0 to 255, H and W multiples of 8; this network was trained without scaling it.
        """
        features = self.backbone(image)
        affinity, confidence = self.stages[0](features)
        maps = [StageMaps(confidence, affinity)]
        for stage in self.stages[1:]:
            affinity, confidence = stage(torch.cat([affinity, confidence, features], dim=1))
            maps.append(StageMaps(confidence, affinity))
        return maps


def graph_names(model: MobilenetThin) -> dict[str, str]:
    """Return, for each parameter of `model`, the constant of the published frozen graph that holds it."""
    names = {
        "backbone.stem.weight": "MobilenetV1/Conv2d_0/weights",
        "backbone.stem.bias": "MobilenetV1/Conv2d_0/Conv2D_bn_offset",
    }

    def add(module: str, node: str) -> None:
        names[f"{module}.depthwise.weight"] = f"{node}_depthwise/depthwise_weights"
        names[f"{module}.pointwise.weight"] = f"{node}_pointwise/weights"
        names[f"{module}.pointwise.bias"] = f"{node}_pointwise/Conv2D_bn_offset"

    for i in range(len(model.backbone.blocks)):
        add(f"backbone.blocks.{i}", f"MobilenetV1/Conv2d_{i + 1}")
    for s in range(len(model.stages)):
        for branch, label in (("affinity", "L1"), ("confidence", "L2")):
            for i in range(5):
                add(f"stages.{s}.{branch}.layers.{i}", f"Openpose/MConv_Stage{s + 1}_{label}_{i + 1}")
    return names
