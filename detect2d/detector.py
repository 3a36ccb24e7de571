"""The detector: images in, people out, batched over cameras and averaged over scales."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from triskel.detect2d.layout import PafLayout, layout_of
from triskel.detect2d.mirror import unmirror_affinity, unmirror_confidence
from triskel.detect2d.networks import MobilenetThin
from triskel.detect2d.parsing import ParseOptions, parse
from triskel.detect2d.preprocess import image_from_input, input_size, resize
from triskel.detect2d.weights import load_weights
from triskel.errors import InputError
from triskel.keypoints import People2D
from triskel.skeleton import COCO_18, Skeleton

Precision = Literal["auto", "float32", "bfloat16"]
MODELS = {"body": "mobilenet_thin"}
"""What `load_detector` knows: part of the body to the weights that find it."""


@dataclass(frozen=True, kw_only=True)
class DetectOptions:
    """How the network is run.

    Attributes:
        short_side: shorter side of the network's input, px; larger finds smaller people and takes longer.
        scales: the network runs at `short_side` times each, and the maps are averaged; one scale is the fastest.
        mirror: also run the mirrored picture and average; steadier joints for twice the time.
        precision: `auto` takes bfloat16 where the processor multiplies it natively, float32 elsewhere.
        device: a torch device; None takes CUDA where there is one.
        parse: thresholds of the parse. A good limb needs more than 0.8 of its samples here, not the published
            0.95: this thin network's fields are ragged, and 0.95 costs joints without removing errors.
    """

    short_side: int = 304
    scales: tuple[float, ...] = (1.0,)
    mirror: bool = True
    precision: Precision = "auto"
    device: str | None = None
    parse: ParseOptions = field(default_factory=lambda: ParseOptions(good_share=0.8))

    def __post_init__(self) -> None:
        if not 32 <= self.short_side <= 4096:
            raise InputError(f"short_side is 32 to 4096 px, got {self.short_side}")
        if not self.scales or not all(0.1 <= scale <= 4 for scale in self.scales):
            raise InputError(f"scales are one or more numbers from 0.1 to 4, got {self.scales}")


class Detector:
    """A loaded network and how to run it; call it with images."""

    def __init__(self, network: MobilenetThin, layout: PafLayout, options: DetectOptions) -> None:
        self.layout = layout
        self.options = options
        name = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
        try:
            self.device = torch.device(name)
            if self.device.type not in ("cpu", "cuda"):
                raise RuntimeError("it is neither cpu nor cuda")
            self._network = network.eval().to(self.device)
            for weight in self._network.parameters():
                if weight.dim() == 4:
                    weight.data = weight.data.contiguous(memory_format=torch.channels_last)
        except (RuntimeError, AssertionError) as error:
            raise InputError(f"device {name!r} cannot be used here: {str(error).splitlines()[0]}") from error
        self.precision = resolve_precision(options.precision, self.device)

    @property
    def skeleton(self) -> Skeleton:
        """Return the joints this detector finds."""
        return self.layout.skeleton

    def __call__(self, images_rgb: Sequence[NDArray[np.uint8]]) -> list[People2D]:
        """Find the people in each image.

        Args:
            images_rgb: any number of (H, W, 3) uint8 RGB images; sizes may differ, equal ones run as one batch.

        Returns:
            One `People2D` an image, keypoints in that image's pixels, best person first.

        Raises:
            InputError: an image has another shape or type.
        """
        for i, image in enumerate(images_rgb):
            if not isinstance(image, np.ndarray) or image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
                got = f"{image.shape} {image.dtype}" if isinstance(image, np.ndarray) else type(image).__name__
                raise InputError(f"image {i}: expected (H, W, 3) uint8 RGB, got {got}")
        groups: dict[tuple[int, int], list[int]] = {}
        for i, image in enumerate(images_rgb):
            groups.setdefault((image.shape[1], image.shape[0]), []).append(i)
        people: dict[int, People2D] = {}
        for size_wh, index in groups.items():
            found = self._detect([images_rgb[i] for i in index], size_wh)
            people.update(zip(index, found, strict=True))
        return [people[i] for i in range(len(images_rgb))]

    def _detect(self, images_rgb: list[NDArray[np.uint8]], size_wh: tuple[int, int]) -> list[People2D]:
        """Detect in images of one size."""
        confidence, affinity, input_wh = self._maps(images_rgb, size_wh)
        people = []
        for parts, fields in zip(confidence, affinity, strict=True):
            found = parse(parts.numpy(), fields.numpy(), self.layout, self.options.parse)
            keypoints = found.keypoints.copy()
            keypoints[..., :2] = image_from_input(keypoints[..., :2], size_wh, input_wh)
            people.append(replace(found, keypoints=keypoints))
        return people

    def _maps(
        self, images_rgb: list[NDArray[np.uint8]], size_wh: tuple[int, int]
    ) -> tuple[Tensor, Tensor, tuple[int, int]]:
        """Return confidence maps and affinity fields averaged over the scales, and the input size they stand for."""
        runs = []
        sizes = {input_size(size_wh, self.options.short_side * factor) for factor in self.options.scales}
        for input_wh in sorted(sizes, reverse=True):
            batch = np.stack([resize(image, input_wh)[..., ::-1] for image in images_rgb])
            runs.append(self._run(batch))
            if self.options.mirror:
                confidence, affinity = self._run(batch[:, :, ::-1])
                runs.append((unmirror_confidence(confidence, self.layout), unmirror_affinity(affinity, self.layout)))
        return _mean([run[0] for run in runs]), _mean([run[1] for run in runs]), max(sizes)

    def _run(self, batch_bgr: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
        """Run the network on (B, H, W, 3) BGR; return float32 maps on the CPU."""
        x = torch.from_numpy(np.ascontiguousarray(batch_bgr)).to(self.device).permute(0, 3, 1, 2).float()
        half = self.precision == "bfloat16"
        with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16, enabled=half):
            confidence, affinity = self._network(x.contiguous(memory_format=torch.channels_last))
        return confidence.float().cpu(), affinity.float().cpu()


def _mean(maps: list[Tensor]) -> Tensor:
    """Average maps (B, K, h, w) of several scales on the grid of the first, the largest, by bicubic sampling."""
    size = maps[0].shape[-2:]
    same = [
        one
        if one.shape[-2:] == size
        else functional.interpolate(one, (int(size[0]), int(size[1])), mode="bicubic", align_corners=False)
        for one in maps
    ]
    return torch.stack(same).mean(dim=0)


def resolve_precision(wanted: Precision, device: torch.device) -> Literal["float32", "bfloat16"]:
    """Resolve `auto`: bfloat16 where the hardware has instructions for it."""
    if wanted != "auto":
        return wanted
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    # torch has no public question for this; without an answer float32 is right everywhere.
    checks = [getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")]
    return "bfloat16" if any(check is not None and check() for check in checks) else "float32"


def load_detector(part: str = "body", *, options: DetectOptions | None = None) -> Detector:
    """Load a detector; its weights are fetched on first use.

    people = load_detector("body")(images)   # list of (H, W, 3) uint8 RGB -> list[People2D]

    Args:
        part: what to detect; `body` is COCO-18.
        options: how to run the network; the defaults when None.

    Raises:
        InputError: the part is unknown, or the device cannot be used.
        JobError: the weights cannot be fetched.
    """
    if part not in MODELS:
        raise InputError(f"no detector finds {part!r}; there are {', '.join(MODELS)}")
    network = MobilenetThin()
    network.load_state_dict(load_weights(MODELS[part]))
    return Detector(network, layout_of(COCO_18), options or DetectOptions())
