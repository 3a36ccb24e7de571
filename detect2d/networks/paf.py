"""The PAF network of section 3.1 of the paper: features of the image, refined by stages of fields and of maps."""

from typing import Self

import torch
from torch import Tensor, nn

from triskel.detect2d.layout import PafLayout
from triskel.detect2d.networks.backbones import make_backbone
from triskel.detect2d.networks.blocks import Branch, Conv
from triskel.detect2d.networks.maps import PoseNetwork, StageMaps
from triskel.detect2d.networks.spec import NetworkSpec
from triskel.errors import ConfigError


class Stage(nn.Module):
    """One stage: a branch of affinity fields, of confidence maps, or both; both see the same input.

    Attributes:
        affinity: the branch of fields, or None.
        confidence: the branch of maps, or None.
    """

    def __init__(self, affinity: Branch | None, confidence: Branch | None) -> None:
        super().__init__()
        self.affinity = affinity
        self.confidence = confidence

    def forward(self, x: Tensor) -> StageMaps:
        """Return what the stage predicts from (B, inputs, H, W)."""
        return StageMaps(
            None if self.confidence is None else self.confidence(x),
            None if self.affinity is None else self.affinity(x),
        )


class PafNetwork(PoseNetwork):
    """The network that a spec and a layout describe, initialised for training from scratch.

    Attributes:
        spec: its structure.
        layout: its channels.
        fused: whether `fuse` was called.

    Raises:
        ConfigError: the stages predict fields and the layout has no limbs, or the other way round.
    """

    def __init__(self, spec: NetworkSpec, layout: PafLayout) -> None:
        super().__init__()
        if spec.has_affinity != bool(layout.limbs):
            name, limbs = layout.skeleton.name, len(layout.limbs)
            raise ConfigError(f"stages {list(spec.stages)} do not suit {name!r}: its layout has {limbs} limbs")
        self.spec = spec
        self.layout = layout
        self.fused = False
        self.backbone = make_backbone(spec)
        self.stages = nn.ModuleList()
        seen: set[str] = set()
        for kind in spec.stages:
            own = {"paf": {"affinity"}, "cm": {"confidence"}, "both": {"affinity", "confidence"}}[kind]
            channels = {"affinity": layout.affinity_maps, "confidence": layout.confidence_maps}
            inputs = self.backbone.channels + sum(channels[one] for one in seen)
            branches = {one: _branch(spec, inputs, channels[one], first=not own <= seen) for one in own}
            self.stages.append(Stage(branches.get("affinity"), branches.get("confidence")))
            seen |= own

    def stage_maps(self, image: Tensor) -> list[StageMaps]:
        """Return the maps of every stage, in order.

        Args:
            image: (B, 3, H, W) BGR, 0 to 255, H and W multiples of 8.
        """
        features = self.backbone(image / 256 - 0.5)
        maps: list[StageMaps] = []
        latest = StageMaps(None, None)
        for kind, stage in zip(self.spec.stages, self.stages, strict=True):
            here: StageMaps = stage(self._joined(features, latest, kind))
            maps.append(here)
            latest = StageMaps(
                latest.confidence if here.confidence is None else here.confidence,
                latest.affinity if here.affinity is None else here.affinity,
            )
        return maps

    def _joined(self, features: Tensor, latest: StageMaps, kind: str) -> Tensor:
        """Concatenate what a stage sees in the order that the released files have their channels in.

        Networks of dense triples: features, maps of the stage's own kind, those of the other. The older ones of 7 x 7
        convolutions: affinity fields, confidence maps, features.
        """
        confidence, affinity = latest
        if self.spec.block == "plain7":
            parts = [affinity, confidence, features]
        elif kind == "cm":
            parts = [features, confidence, affinity]
        else:
            parts = [features, affinity, confidence]
        given = [part for part in parts if part is not None]
        return torch.cat(given, dim=1) if len(given) > 1 else given[0]

    def fuse(self) -> Self:
        """Fold BatchNorm into the convolutions; the maps stay the same as in evaluation, training is over."""
        for module in list(self.modules()):
            if isinstance(module, Conv):
                module.fuse()
        self.fused = True
        return self


def _branch(spec: NetworkSpec, inputs: int, outputs: int, *, first: bool) -> Branch:
    return Branch(
        inputs,
        outputs,
        block=(spec.first_block or spec.block) if first else spec.block,
        repeats=spec.first_repeats if first else spec.repeats,
        width=spec.first_width if first else spec.width,
        hidden=spec.first_hidden if first else spec.hidden,
        activation=spec.activation,
        norm=spec.backbone == "residual",
    )
