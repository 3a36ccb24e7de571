"""Where each layer of OpenPose's Caffe networks goes: the names in their files beside those of our modules.

Facts of the released networks. In `body_25` L2 is the branch of affinity fields and L1 that of confidence maps, its
stages count from 0 in each; in `coco` and `mpi` it is the other way round and stages count from 1.
"""

from collections.abc import Iterator
from typing import NamedTuple

from triskel.detect2d.networks import find_preset


class CaffeLayer(NamedTuple):
    """One layer of a Caffe network that has parameters.

    Attributes:
        name: in the file.
        parameters: of our module, one for each of the layer's blobs.
    """

    name: str
    parameters: tuple[str, ...]


# A convolution of ours, its layer, and the layer that holds its slopes, if any.
_Row = tuple[str, str, str | None]

_VGG = (
    "conv1_1 conv1_2".split(),
    "conv2_1 conv2_2".split(),
    "conv3_1 conv3_2 conv3_3 conv3_4".split(),
)
_LAST_BLOCK = {
    "vgg19": "conv4_1 conv4_2 conv4_3_CPM conv4_4_CPM".split(),
    "vgg19_hand": "conv4_1 conv4_2 conv4_3 conv4_4 conv5_1 conv5_2 conv5_3_CPM".split(),
}
_SLOPES = {"conv4_2": "prelu4_2", "conv4_3_CPM": "prelu4_3_CPM", "conv4_4_CPM": "prelu4_4_CPM"}


def caffe_layers(preset: str) -> list[CaffeLayer]:
    """Return the layers with parameters of a released network, in the order of its file.

    Args:
        preset: one of the presets that OpenPose released.
    """
    spec = find_preset(preset).spec
    assert spec is not None, f"{preset} is no Caffe network"
    rows = [*_backbone(spec.backbone, slopes=spec.activation == "prelu")]
    if preset == "body_25":
        rows += _dense_stages()
    elif spec.has_affinity:
        rows += _two_branches(len(spec.stages))
    else:
        rows += _one_branch(len(spec.stages))
    layers = []
    for module, name, slopes in rows:
        layers.append(CaffeLayer(name, (f"{module}.conv.weight", f"{module}.conv.bias")))
        if slopes is not None:
            layers.append(CaffeLayer(slopes, (f"{module}.prelu.weight",)))
    return layers


def _backbone(kind: str, *, slopes: bool) -> Iterator[_Row]:
    for b, block in enumerate((*_VGG, _LAST_BLOCK[kind])):
        for i, name in enumerate(block):
            yield f"backbone.blocks.{b}.{i}", name, _SLOPES.get(name) if slopes else None


def _dense_stages() -> Iterator[_Row]:
    """Yield BODY_25's: four stages of L2, then two of L1, each of five triples."""
    stages = [("affinity", t, f"stage{t}_L2") for t in range(4)]
    stages += [("confidence", 4 + t, f"stage{t}_L1") for t in range(2)]
    for branch, s, label in stages:
        module = f"stages.{s}.{branch}"
        for i in range(5):
            for j in range(3):
                yield f"{module}.body.{i}.convs.{j}", f"Mconv{i + 1}_{label}_{j}", f"Mprelu{i + 1}_{label}_{j}"
        yield f"{module}.hidden", f"Mconv6_{label}", f"Mprelu6_{label}"
        yield f"{module}.maps", f"Mconv7_{label}", None


def _two_branches(stages: int) -> Iterator[_Row]:
    """Yield those of COCO and MPI: a first stage called conv5, refining ones of 7 x 7."""
    for s in range(stages):
        for branch, label in (("affinity", "L1"), ("confidence", "L2")):
            if s == 0:
                names = [f"conv5_{k}_CPM_{label}" for k in range(1, 6)]
            else:
                names = [f"Mconv{k}_stage{s + 1}_{label}" for k in range(1, 8)]
            yield from _branch(f"stages.{s}.{branch}", names)


def _one_branch(stages: int) -> Iterator[_Row]:
    """Yield those of hand and face: a first stage called conv6, refining ones of 7 x 7."""
    for s in range(stages):
        names = ["conv6_1_CPM", "conv6_2_CPM"] if s == 0 else [f"Mconv{k}_stage{s + 1}" for k in range(1, 8)]
        yield from _branch(f"stages.{s}.confidence", names)


def _branch(module: str, names: list[str]) -> Iterator[_Row]:
    """Yield a branch of plain convolutions, the last two of which are 1 x 1."""
    *body, hidden, maps = names
    for i, name in enumerate(body):
        yield f"{module}.body.{i}", name, None
    yield f"{module}.hidden", hidden, None
    yield f"{module}.maps", maps, None
