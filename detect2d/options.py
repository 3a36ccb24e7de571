"""How the detector runs: the size of the network's input, what is averaged, on what, and which people are kept."""

import math
from dataclasses import dataclass
from typing import Literal

from triskel.detect2d.parsing import ParseOptions
from triskel.errors import InputError

Precision = Literal["auto", "float32", "bfloat16"]

FREE = -1
"""In `net_size`: this side follows from the other."""

_SUITED = {"mobilenet_thin": ParseOptions(good_share=0.8)}


def suited_parse(network: str) -> ParseOptions:
    """Return the thresholds that suit a network: the published ones, unless it is known to need others.

    `mobilenet_thin` (or `body`, which is the same) gets a limb for more than 0.8 of good samples, not 0.95: its fields
    are ragged, and 0.95 costs joints without removing errors.
    """
    return _SUITED.get("mobilenet_thin" if network == "body" else network, ParseOptions())


@dataclass(frozen=True, kw_only=True)
class DetectOptions:
    """How the network is run and its maps are parsed.

    Attributes:
        short_side: shorter side of the network's input, px; larger finds smaller people and takes longer.
        net_size: a box (width, height), px, in place of `short_side`: the image is fitted into it with its aspect
            kept; one side may be -1, which leaves it free. Sides become multiples of 8.
        scales: the network runs at that size times each, and the maps are averaged; one scale is the fastest.
        mirror: also run the mirrored picture and average; steadier joints for twice the time. Ignored where a joint
            set has no left and right, as a hand: its mirror image is the other hand.
        rotations_deg: turns of the image, clockwise, at which people are looked for; of each the pose with the
            highest confidence is kept. More than one finds people upside down or lying, for as many times the time.
        precision: `auto` takes bfloat16 where the processor multiplies it natively, float32 elsewhere.
        device: a torch device; None takes CUDA where there is one.
        devices: several of them, in place of `device`: the images of a batch are split over them.
        threads: processor threads of the network while it runs, for the whole process; None leaves torch's setting.
        parse: thresholds of the parse; None takes `suited_parse` of the network.
        least_joint_score: joints below this score count as missing.
    """

    short_side: int = 304
    net_size: tuple[int, int] | None = None
    scales: tuple[float, ...] = (1.0,)
    mirror: bool = True
    rotations_deg: tuple[float, ...] = (0.0,)
    precision: Precision = "auto"
    device: str | None = None
    devices: tuple[str, ...] = ()
    threads: int | None = None
    parse: ParseOptions | None = None
    least_joint_score: float = 0.0

    def __post_init__(self) -> None:
        if not 32 <= self.short_side <= 4096:
            raise InputError(f"short_side is 32 to 4096 px, got {self.short_side}")
        if self.net_size is not None:
            self._check_net_size(self.net_size)
        if not self.scales or not all(0.1 <= scale <= 4 for scale in self.scales):
            raise InputError(f"scales are one or more numbers from 0.1 to 4, got {self.scales}")
        turns = {round(angle % 360, 6) for angle in self.rotations_deg if math.isfinite(angle)}
        if not turns or len(turns) != len(self.rotations_deg):
            raise InputError(f"rotations_deg are one or more different angles, got {self.rotations_deg}")
        if self.device is not None and self.devices:
            raise InputError(f"give device or devices, not both; got {self.device!r} and {self.devices}")
        if self.threads is not None and not 1 <= self.threads <= 1024:
            raise InputError(f"threads are 1 to 1024, got {self.threads}")
        if not 0 <= self.least_joint_score <= 1:
            raise InputError(f"least_joint_score is 0 to 1, got {self.least_joint_score}")

    @staticmethod
    def _check_net_size(net_size: tuple[int, int]) -> None:
        sides = [side for side in net_size if side != FREE]
        if len(net_size) != 2 or not sides or not all(32 <= side <= 4096 for side in sides):
            raise InputError(
                f"net_size is width and height of 32 to 4096 px, one of them {FREE} if free; got {net_size}"
            )
