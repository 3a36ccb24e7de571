import pytest
import torch
from torch import nn

from triskel import ConfigError
from triskel.detect2d.layout import PafLayout, complete_layout, layout_of
from triskel.detect2d.networks import PRESETS, TABLE_5, NetworkSpec, build_network
from triskel.skeleton import BODY_25, COCO_17, COCO_18, FACE_70, HAND_21, make_skeleton

RELEASED = {  # parameters, and 1e9 multiplications at an input size (width, height)
    "body_25": (26_166_084, 143.6, (656, 368)),
    "coco": (52_311_446, 242.3, (656, 368)),
    "mpi": (51_481_032, 239.2, (656, 368)),
    "mpi_4": (34_240_880, 174.2, (656, 368)),
    "hand": (36_832_324, 103.2, (368, 368)),
    "face": (38_425_706, 106.6, (368, 368)),
}


def on_meta(name, layout=None):
    with torch.device("meta"):  # shapes without numbers: what a network of any size costs nothing to ask
        return build_network(name, layout)


def multiplications(network, size_wh):
    total = 0

    def count(module, _, output):
        nonlocal total
        total += output[0].numel() * module.weight[0].numel()

    hooks = [one.register_forward_hook(count) for one in network.modules() if isinstance(one, nn.Conv2d)]
    network.eval()(torch.empty(1, 3, size_wh[1], size_wh[0], device="meta"))
    for hook in hooks:
        hook.remove()
    return total


@pytest.mark.parametrize("name", RELEASED)
def test_a_released_network_has_its_parameters_to_the_unit_and_its_cost(name):
    parameters, giga, size_wh = RELEASED[name]
    network = on_meta(name)
    assert sum(one.numel() for one in network.parameters()) == parameters == PRESETS[name].parameters
    assert multiplications(network, size_wh) / 1e9 == pytest.approx(giga, abs=0.05)
    assert not list(network.buffers())  # no BatchNorm


def test_mobilenet_thin_has_its_parameters_to_the_unit():
    assert sum(one.numel() for one in on_meta("mobilenet_thin").parameters()) == 1_930_872


def test_compact_is_small_enough_for_processors():
    network = on_meta("compact", layout_of(COCO_18))
    assert sum(one.numel() for one in network.parameters()) == 2_480_479
    assert multiplications(network, (656, 368)) / 1e9 == pytest.approx(5.0, abs=0.05)


@pytest.mark.parametrize(
    "layout",
    [layout_of(BODY_25), layout_of(COCO_17), layout_of(HAND_21), layout_of(FACE_70), complete_layout(COCO_18),
     PafLayout(make_skeleton("car", ("front", "middle", "back"), ((0, 1), (1, 2))), ((0, 1), (1, 2)))],
    ids=["body_25", "coco_17", "hand_21", "face_70", "complete", "car"],
)  # fmt: skip
def test_compact_takes_any_layout(layout):
    confidence, affinity = on_meta("compact", layout).eval()(torch.empty(2, 3, 64, 72, device="meta"))
    assert confidence.shape == (2, layout.confidence_maps, 8, 9)
    assert affinity.shape == (2, layout.affinity_maps, 8, 9)


@pytest.mark.parametrize(
    ("network", "layout", "message"),
    [
        ("vgg", None, "no network is called 'vgg'; there are body_25, coco, mpi, mpi_4, hand, face, mobilenet_thin"),
        ("compact", None, "'compact' takes any joints, so a layout says which"),
        (NetworkSpec(), None, "a network of your own takes any joints"),
        ("body_25", layout_of(COCO_18), "'body_25' finds the joints and limbs of body_25, not those of coco_18"),
        ("coco", complete_layout(COCO_18), "'coco' finds the joints and limbs of coco_18"),
        ("mobilenet_thin", layout_of(BODY_25), "'mobilenet_thin' finds the joints and limbs of coco_18"),
        (TABLE_5["4-2"], layout_of(HAND_21), "do not suit 'hand_21': its layout has 0 limbs"),
        (NetworkSpec(stages=("cm",)), layout_of(COCO_18), "do not suit 'coco_18': its layout has 19 limbs"),
    ],
)
def test_what_cannot_be_built_is_one_line(network, layout, message):
    with pytest.raises(ConfigError, match=message):
        on_meta(network, layout)
