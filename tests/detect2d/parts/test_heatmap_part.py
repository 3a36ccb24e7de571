import numpy as np
import pytest
import torch
from torch import nn

from triskel.detect2d.crops import Crops
from triskel.detect2d.layout import layout_of
from triskel.detect2d.parts import HeatmapPartDetector
from triskel.errors import InputError
from triskel.skeleton import COCO_18, HAND_21


class BrightSpot(nn.Module):
    """Every joint's map is the picture's brightness, at an eighth of its size."""

    def forward(self, bgr):
        small = nn.functional.avg_pool2d(bgr.mean(dim=1, keepdim=True) / 255, 8)
        return small.repeat(1, 22, 1, 1), small[:, :0]


def spot(x, y, *, sigma=6.0, size=200):
    u, v = np.meshgrid(np.arange(size), np.arange(size))
    value = 255 * np.exp(-((u - x) ** 2 + (v - y) ** 2) / (2 * sigma**2))
    return np.repeat(value[..., None], 3, axis=-1).astype(np.uint8)


def detector(**options):
    return HeatmapPartDetector(BrightSpot(), layout_of(HAND_21), devices=("cpu",), precision="float32", **options)


def crops(centre, side, **more):
    return Crops.upright(np.array([0]), np.array([centre], float), np.array([float(side)]), **more)


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_peak_is_mapped_back_into_the_image(mirrored):
    found = detector()([spot(83.0, 61.0)], crops((100, 80), 120, mirrored=mirrored))
    assert found.shape == (1, 21, 3)
    assert np.abs(found[0, :, :2] - (83, 61)).max() < 0.6
    assert (found[..., 2] > 0.8).all()


def test_the_turn_of_the_box_is_not_used():
    image = [spot(83.0, 61.0)]
    assert np.allclose(detector()(image, crops((90, 70), 120, angle_rad=1.0)), detector()(image, crops((90, 70), 120)))


class Favourite(nn.Module):
    """Like BrightSpot, and surest where a fifth of the picture is lit."""

    def forward(self, bgr):
        confidence, none = BrightSpot()(bgr)
        lit = (bgr.mean(dim=1) > 127).float().mean(dim=(1, 2))
        return confidence * torch.exp(-(((lit - 0.2) / 0.05) ** 2))[:, None, None, None], none


def test_scale_search_keeps_the_size_the_network_is_surest_of():
    disc = np.zeros((200, 200, 3), np.uint8)
    disc[76:125, 76:125] = 255  # 49 px wide: a fifth of a square of 109 px
    looks = {n: HeatmapPartDetector(Favourite(), layout_of(HAND_21), scales=n, devices=("cpu",), precision="float32")
             for n in (1, 3)}  # fmt: skip
    assert np.allclose(looks[3].scales, (0.8, 1, 1.2))
    assert np.allclose(looks[1].scales, 1)
    wide = crops((100, 100), 109 / 0.8)
    assert looks[1]([disc], wide)[..., 2].mean() < 0.7
    assert looks[3]([disc], wide)[..., 2].mean() > 0.9


def test_nothing_is_found_outside_the_image_or_in_the_dark():
    dark = np.zeros((50, 50, 3), np.uint8)
    found = detector()([dark], crops((25, 25), 40))
    assert np.isnan(found[..., :2]).all()
    assert (found[..., 2] == 0).all()
    none = Crops.upright(np.zeros(0, int), np.zeros((0, 2)), np.zeros(0))
    assert detector()([], none).shape == (0, 21, 3)


def test_more_boxes_than_one_batch_keep_their_order():
    images = [spot(20.0 + 10 * i, 100.0) for i in range(10)]
    many = Crops.upright(np.arange(10), np.full((10, 2), 99.5), np.full(10, 200.0))
    assert np.abs(detector()(images, many)[:, 0, 0] - (20 + 10 * np.arange(10))).max() < 0.8


def test_a_network_of_bodies_is_refused():
    with pytest.raises(InputError, match="hand_21 or face_70, this one finds coco_18"):
        HeatmapPartDetector(BrightSpot(), layout_of(COCO_18))
