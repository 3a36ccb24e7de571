"""The detector: images in, people out, batched over cameras and averaged over scales."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from triskel.detect2d.heatmaps import HeatMaps
from triskel.detect2d.layout import PafLayout
from triskel.detect2d.mirror import has_mirror_image, unmirror_affinity, unmirror_confidence
from triskel.detect2d.options import DetectOptions, suited_parse
from triskel.detect2d.parsing import Candidates
from triskel.detect2d.preprocess import input_scale, input_size, resize
from triskel.detect2d.replicas import Replicas, network_threads
from triskel.detect2d.rotation import merge_turns, turn_back, turn_image
from triskel.detect2d.weights import load_network
from triskel.errors import InputError
from triskel.keypoints import People2D
from triskel.skeleton import Skeleton

Images = Sequence[NDArray[np.uint8]]


class Detector:
    """A loaded network and how to run it; call it with images.

    Attributes:
        name: of the network.
        layout: what its channels mean.
        options: how it is run.
        parse: thresholds of the parse: those of the options, or those that suit the network.
    """

    def __init__(
        self, network: nn.Module, layout: PafLayout, options: DetectOptions | None = None, *, name: str = "network"
    ) -> None:
        self.name, self.layout = name, layout
        self.options = options or DetectOptions()
        self.parse = self.options.parse or suited_parse(name)
        self._replicas = Replicas(network, self._device_names(), self.options.precision)
        self._mirror = self.options.mirror and has_mirror_image(layout)

    def _device_names(self) -> tuple[str, ...]:
        return self.options.devices or ((self.options.device,) if self.options.device else ())

    @property
    def skeleton(self) -> Skeleton:
        """Return the joints this detector finds."""
        return self.layout.skeleton

    @property
    def device(self) -> torch.device:
        """Return the device of the network, the first one where there are several."""
        return self._replicas.devices[0]

    @property
    def devices(self) -> list[str]:
        """Return the devices' names."""
        return [str(device) for device in self._replicas.devices]

    @property
    def precision(self) -> str:
        """Return what the first device calculates with: float32 or bfloat16."""
        return self._replicas.precisions[0]

    def __call__(self, images_rgb: Images, *, maps: Sequence[HeatMaps] | None = None) -> list[People2D]:
        """Find the people in each image.

        Args:
            images_rgb: any number of (H, W, 3) uint8 RGB images; sizes may differ, equal ones run as one batch.
            maps: what `self.maps` returned for the same images, if it was called: they are not calculated again.

        Returns:
            One `People2D` an image, keypoints in that image's pixels, best person first.

        Raises:
            InputError: an image has another shape or type.
            JobError: the device's memory is too small.
        """
        check_images(images_rgb)
        turns = self.options.rotations_deg
        # The best people are chosen from all turns.
        options = self.parse if len(turns) == 1 else replace(self.parse, most_people=None)
        found: list[list[People2D]] = [[] for _ in images_rgb]
        for angle in turns:
            of_turn = maps if maps is not None and angle == 0 else self._maps(images_rgb, angle)
            for i, (image, one) in enumerate(zip(images_rgb, of_turn, strict=True)):
                people = one.people(options)
                found[i].append(turn_back(people, (image.shape[1], image.shape[0]), angle) if angle else people)
        merged = [of_image[0] if len(turns) == 1 else merge_turns(of_image) for of_image in found]
        return [self._kept(people) for people in merged]

    def input_size(self, size_wh: tuple[int, int]) -> tuple[int, int]:
        """Return the size (width, height) of the network's input, px, for an image; of several scales the largest."""
        scale = input_scale(size_wh, short_side=self.options.short_side, net_size=self.options.net_size)
        return input_size(size_wh, scale * max(self.options.scales))

    def maps(self, images_rgb: Images) -> list[HeatMaps]:
        """Return the maps of each image as it stands, whatever `rotations_deg` says; see `__call__` for the rest."""
        check_images(images_rgb)
        return self._maps(images_rgb, 0.0)

    def candidates(self, images_rgb: Images) -> list[Candidates]:
        """Return the part candidates of each image, in its pixels: what people are made of, and what is left over."""
        return [one.candidates(self.parse) for one in self.maps(images_rgb)]

    def _kept(self, people: People2D) -> People2D:
        """Return the best people, without joints of a score that is too low."""
        keypoints = people.keypoints.copy()
        keypoints[keypoints[..., 2] < self.options.least_joint_score] = np.nan, np.nan, 0
        people = replace(people, keypoints=keypoints)
        somebody = np.flatnonzero((keypoints[..., 2] > 0).any(axis=-1))
        return people.take(somebody[: self.parse.most_people])

    def _maps(self, images_rgb: Images, angle_deg: float) -> list[HeatMaps]:
        """Return the maps of each image turned by an angle, at the scale it has when it stands."""
        groups: dict[tuple[int, int], list[int]] = {}
        for i, image in enumerate(images_rgb):
            groups.setdefault((image.shape[1], image.shape[0]), []).append(i)
        maps: dict[int, HeatMaps] = {}
        for size_wh, index in groups.items():
            scale = input_scale(size_wh, short_side=self.options.short_side, net_size=self.options.net_size)
            turned = [turn_image(images_rgb[i], angle_deg) if angle_deg else images_rgb[i] for i in index]
            turned_wh = (turned[0].shape[1], turned[0].shape[0])
            with network_threads(self.options.threads):
                confidence, affinity = self._averaged(turned, turned_wh, scale)
            for i, parts, fields in zip(index, confidence, affinity, strict=True):
                maps[i] = HeatMaps(parts.numpy(), fields.numpy(), self.layout, turned_wh)
        return [maps[i] for i in range(len(images_rgb))]

    def _averaged(self, images_rgb: Images, size_wh: tuple[int, int], scale: float) -> tuple[Tensor, Tensor]:
        """Return maps of images of one size, averaged over the scales and the mirrored picture."""
        runs = []
        sizes = {input_size(size_wh, scale * factor) for factor in self.options.scales}
        for input_wh in sorted(sizes, reverse=True):
            batch = np.stack([resize(image, input_wh)[..., ::-1] for image in images_rgb])
            runs.append(self._run(batch))
            if self._mirror:
                confidence, affinity = self._run(batch[:, :, ::-1])
                runs.append((unmirror_confidence(confidence, self.layout), unmirror_affinity(affinity, self.layout)))
        return _mean([run[0] for run in runs]), _mean([run[1] for run in runs])

    def _run(self, batch_bgr: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
        """Run the network on (B, H, W, 3) BGR; return float32 maps on the CPU."""
        return self._replicas(batch_bgr)


def check_images(images_rgb: Images) -> None:
    """Refuse what is no (H, W, 3) uint8 image, by its place.

    Raises:
        InputError: one is not.
    """
    for i, image in enumerate(images_rgb):
        wrong = not isinstance(image, np.ndarray) or image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8
        if wrong or not image.size:
            got = f"{image.shape} {image.dtype}" if isinstance(image, np.ndarray) else type(image).__name__
            raise InputError(f"image {i}: expected (H, W, 3) uint8 RGB, got {got}; one image is given as [image]")


def _mean(maps: list[Tensor]) -> Tensor:
    """Average maps (B, K, h, w) of several scales on the grid of the first, the largest, by bicubic sampling."""
    if not maps[0].shape[1]:
        return maps[0]
    size = maps[0].shape[-2:]
    same = [
        one
        if one.shape[-2:] == size
        else functional.interpolate(one, (int(size[0]), int(size[1])), mode="bicubic", align_corners=False)
        for one in maps
    ]
    return torch.stack(same).mean(dim=0)


def load_detector(model: str = "body", *, options: DetectOptions | None = None) -> Detector:
    """Load a detector; published weights are fetched on first use.

    people = load_detector("body")(images)   # list of (H, W, 3) uint8 RGB -> list[People2D]

    Args:
        model: what to detect with: `body` (COCO-18), the name of published or imported weights, or the path of a
            .safetensors file of your own training.
        options: how to run the network; the defaults when None.

    Raises:
        InputError: nothing is called that, the file is damaged, or the device cannot be used.
        JobError: the weights cannot be fetched.
    """
    loaded = load_network(model)
    return Detector(loaded.network, loaded.layout, options, name=loaded.name)
