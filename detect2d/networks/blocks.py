"""Building blocks of a PAF network: convolution with activation, dense triple, residual block, branch of a stage."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from triskel.detect2d.networks.spec import Block

_LAST_STD = 1e-3  # of the weights that make a map: the first loss is then near that of maps of zeros


class ChannelPReLU(nn.Module):
    """`x` where positive, a learned slope times `x` elsewhere; one slope a channel.

    Unlike torch's it runs under autocast, where activations are bfloat16 and slopes float32.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels,), 0.25))

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape (B, channels, H, W)."""
        return functional.prelu(x, self.weight.to(x.dtype))


class Conv(nn.Module):
    """Convolution, BatchNorm where wanted, activation where wanted; keeps the size at stride 1, halves it at 2.

    At stride 2 the kernel is 4 x 4: its centre lies between four pixels as the coarser pixel's does, so a mirrored
    picture gives mirrored maps.

    Attributes:
        conv: the convolution; without a bias where BatchNorm follows.
        norm: BatchNorm, or None, as after `fuse`.
        prelu: learned slopes, or None.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 3,
        *,
        activation: str | None = "relu",
        norm: bool = False,
        stride: int = 1,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, (kernel - 1) // 2, bias=not norm)
        self.norm = nn.BatchNorm2d(outputs) if norm else None
        self.prelu = ChannelPReLU(outputs) if activation == "prelu" else None
        self.relu = activation == "relu"
        nn.init.kaiming_normal_(self.conv.weight, nonlinearity="relu")
        if self.conv.bias is not None:
            nn.init.zeros_(self.conv.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, outputs, H / stride, W / stride) for (B, inputs, H, W)."""
        x = self.conv(x)
        if self.norm is not None:
            x = self.norm(x)
        if self.prelu is not None:
            return self.prelu(x)
        return functional.relu_(x) if self.relu else x

    def fuse(self) -> None:
        """Fold BatchNorm, as it is in evaluation, into the convolution; does nothing where there is none."""
        if self.norm is None:
            return
        norm, old = self.norm, self.conv
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight.detach() / torch.sqrt(norm.running_var + norm.eps)
        fused = nn.Conv2d(
            old.in_channels, old.out_channels, old.kernel_size[0], old.stride[0], int(old.padding[0]), bias=True
        ).to(old.weight.device)
        assert fused.bias is not None
        with torch.no_grad():
            fused.weight.copy_(old.weight * scale[:, None, None, None])
            fused.bias.copy_(norm.bias - norm.running_mean * scale)
        self.conv, self.norm = fused, None


class DenseTriple(nn.Module):
    """Three 3 x 3 convolutions in a row, all their outputs concatenated: the view of one 7 x 7 for half its cost."""

    def __init__(self, inputs: int, width: int, *, activation: str, norm: bool) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            Conv(inputs if i == 0 else width, width, activation=activation, norm=norm) for i in range(3)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, 3 width, H, W) for (B, inputs, H, W)."""
        outputs = []
        for conv in self.convs:
            x = conv(x)
            outputs.append(x)
        return torch.cat(outputs, dim=1)


class Residual(nn.Module):
    """Two 3 x 3 convolutions with BatchNorm beside a shortcut, then ReLU."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = Conv(width, width, norm=True)
        self.second = Conv(width, width, activation=None, norm=True)
        assert self.second.norm is not None
        nn.init.zeros_(self.second.norm.weight)  # starts as the identity: deep ones then train from the first step

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape (B, width, H, W)."""
        return functional.relu_(self.second(self.first(x)) + x)


class Branch(nn.Module):
    """One branch of one stage: a body of blocks, then two 1 x 1 convolutions, the last one linear, to the maps.

    Attributes:
        body: the blocks.
        hidden: the 1 x 1 convolution before the last.
        maps: the last one.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        block: Block,
        repeats: int,
        width: int,
        hidden: int,
        activation: str,
        norm: bool,
    ) -> None:
        super().__init__()
        body: list[nn.Module] = []
        for _ in range(repeats):
            if block == "dense3":
                body.append(DenseTriple(inputs, width, activation=activation, norm=norm))
                inputs = 3 * width
            else:
                kernel = 7 if block == "plain7" else 3
                body.append(Conv(inputs, width, kernel, activation=activation, norm=norm))
                inputs = width
        self.body = nn.Sequential(*body)
        self.hidden = Conv(inputs, hidden, 1, activation=activation, norm=norm)
        self.maps = Conv(hidden, outputs, 1, activation=None)
        nn.init.normal_(self.maps.conv.weight, std=_LAST_STD / math.sqrt(hidden / 128))

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, outputs, H, W) for (B, inputs, H, W)."""
        return self.maps(self.hidden(self.body(x)))
