"""OpenPose's networks as Caffe layers, written down from the fact sheet alone, and files of them with random weights.

Nothing here comes from triskel: the layers, their inputs and their order are said a second time, so that the importer
and the networks can be checked against OpenCV's own Caffe reader.
"""

import runpy
from pathlib import Path
from typing import NamedTuple

import numpy as np

WIRE = runpy.run_path(str(Path(__file__).with_name("protobuf.py")))  # tests are not a package
varint, field = WIRE["varint"], WIRE["field"]


class Layer(NamedTuple):
    name: str
    kind: str
    bottoms: tuple
    top: str
    inputs: int = 0
    outputs: int = 0
    kernel: int = 0


class Net:
    """Grows layer by layer; remembers how many channels each blob has."""

    def __init__(self):
        self.layers, self.channels = [], {"image": 3}

    def conv(self, bottom, name, outputs, kernel=3, *, activation="relu", top=None):
        """Add a convolution, and its activation in place; `activation` is relu, a PReLU layer's name, or None."""
        top = top or name
        self.layers.append(Layer(name, "Convolution", (bottom,), top, self.channels[bottom], outputs, kernel))
        self.channels[top] = outputs
        if activation == "relu":
            self.layers.append(Layer(f"relu_{name}", "ReLU", (top,), top))
        elif activation:
            self.layers.append(Layer(activation, "PReLU", (top,), top, outputs=outputs))
        return top

    def pool(self, bottom, name):
        self.layers.append(Layer(name, "Pooling", (bottom,), name))
        self.channels[name] = self.channels[bottom]
        return name

    def concat(self, bottoms, name):
        self.layers.append(Layer(name, "Concat", tuple(bottoms), name))
        self.channels[name] = sum(self.channels[one] for one in bottoms)
        return name


def vgg(net, last):
    """Add VGG-19 up to conv3_4 and its pool, then `last`: pairs of a name and a width, or with a PReLU's name."""
    x = "image"
    for block, (count, width) in enumerate(((2, 64), (2, 128), (4, 256)), start=1):
        for i in range(1, count + 1):
            x = net.conv(x, f"conv{block}_{i}", width)
        x = net.pool(x, f"pool{block}_stage1")
    for name, width, *prelu in last:
        x = net.conv(x, name, width, activation=prelu[0] if prelu else "relu")
    return x


def body_25():
    net = Net()
    neck = [("conv4_1", 512), ("conv4_2", 512, "prelu4_2")]
    neck += [("conv4_3_CPM", 256, "prelu4_3_CPM"), ("conv4_4_CPM", 128, "prelu4_4_CPM")]
    F = vgg(net, neck)

    def stage(x, label, width, hidden, outputs):
        for i in range(1, 6):
            triple = []
            for j in range(3):
                x = net.conv(x, f"Mconv{i}_{label}_{j}", width, activation=f"Mprelu{i}_{label}_{j}")
                triple.append(x)
            x = net.concat(triple, f"Mconv{i}_{label}_concat")
        x = net.conv(x, f"Mconv6_{label}", hidden, 1, activation=f"Mprelu6_{label}")
        return net.conv(x, f"Mconv7_{label}", outputs, 1, activation=None)

    paf = stage(F, "stage0_L2", 96, 256, 52)
    for t in (1, 2, 3):
        paf = stage(net.concat([F, paf], f"concat_stage{t}_L2"), f"stage{t}_L2", 128, 512, 52)
    maps = stage(net.concat([F, paf], "concat_stage0_L1"), "stage0_L1", 96, 256, 26)
    maps = stage(net.concat([F, maps, paf], "concat_stage1_L1"), "stage1_L1", 128, 512, 26)
    net.concat([maps, paf], "net_output")
    return net


def two_branches(pafs, maps, stages):
    net = Net()
    F = vgg(net, [("conv4_1", 512), ("conv4_2", 512), ("conv4_3_CPM", 256), ("conv4_4_CPM", 128)])
    out = {}
    for label, outputs in (("L1", pafs), ("L2", maps)):
        x = F
        for k in (1, 2, 3):
            x = net.conv(x, f"conv5_{k}_CPM_{label}", 128)
        x = net.conv(x, f"conv5_4_CPM_{label}", 512, 1)
        out[label] = net.conv(x, f"conv5_5_CPM_{label}", outputs, 1, activation=None)
    for t in range(2, stages + 1):
        seen = net.concat([out["L1"], out["L2"], F], f"concat_stage{t}")
        for label, outputs in (("L1", pafs), ("L2", maps)):
            x = seen
            for k in range(1, 6):
                x = net.conv(x, f"Mconv{k}_stage{t}_{label}", 128, 7)
            x = net.conv(x, f"Mconv6_stage{t}_{label}", 128, 1)
            out[label] = net.conv(x, f"Mconv7_stage{t}_{label}", outputs, 1, activation=None)
    net.concat([out["L2"], out["L1"]], "net_output")
    return net


def one_branch(maps):
    net = Net()
    tail = [(f"conv{name}", 512) for name in "4_1 4_2 4_3 4_4 5_1 5_2".split()]
    F = vgg(net, [*tail, ("conv5_3_CPM", 128)])
    x = net.conv(F, "conv6_1_CPM", 512, 1)
    out = net.conv(x, "conv6_2_CPM", maps, 1, activation=None)
    for t in range(2, 7):
        x = net.concat([out, F], f"concat_stage{t}")
        for k in range(1, 6):
            x = net.conv(x, f"Mconv{k}_stage{t}", 128, 7)
        x = net.conv(x, f"Mconv6_stage{t}", 128, 1)
        top = "net_output" if t == 6 else None
        out = net.conv(x, f"Mconv7_stage{t}", maps, 1, activation=None, top=top)
    return net


NETS = {
    "body_25": body_25,
    "coco": lambda: two_branches(38, 19, 6),
    "mpi": lambda: two_branches(28, 16, 6),
    "mpi_4": lambda: two_branches(28, 16, 4),
    "hand": lambda: one_branch(22),
    "face": lambda: one_branch(71),
}


def random_blobs(net, seed, *, gain=1.0):
    """Return layer name to blobs: weights that keep the size of what goes through, so maps are of order 1."""
    rng = np.random.default_rng(seed)
    blobs = {}
    for layer in net.layers:
        if layer.kind == "Convolution":
            shape = (layer.outputs, layer.inputs, layer.kernel, layer.kernel)
            weight = rng.standard_normal(shape, dtype=np.float32)
            weight *= np.float32(gain * np.sqrt(2 / np.prod(shape[1:])))
            blobs[layer.name] = [weight, rng.uniform(-0.1, 0.1, layer.outputs).astype(np.float32)]
        elif layer.kind == "PReLU":
            blobs[layer.name] = [rng.uniform(0.05, 0.4, layer.outputs).astype(np.float32)]
    return blobs


def prototxt(net, size_wh):
    width, height = size_wh
    lines = ['name: "random"', 'input: "image"', *(f"input_dim: {n}" for n in (1, 3, height, width))]
    for layer in net.layers:
        detail = {
            "Convolution": f"convolution_param {{ num_output: {layer.outputs} "
            f"kernel_size: {layer.kernel} pad: {layer.kernel // 2} }}",
            "Pooling": "pooling_param { pool: MAX kernel_size: 2 stride: 2 }",
            "Concat": "concat_param { axis: 1 }",
        }.get(layer.kind, "")
        bottoms = " ".join(f'bottom: "{one}"' for one in layer.bottoms)
        lines.append(f'layer {{ name: "{layer.name}" type: "{layer.kind}" {bottoms} top: "{layer.top}" {detail} }}')
    return "\n".join(lines)


def blob(array, *, legacy=False, packed=True, double=False):
    """Return a BlobProto: with `shape` or the four legacy sizes, packed or number by number, float or double."""
    if legacy:
        sizes = (1,) * (4 - array.ndim) + array.shape
        shape = b"".join(field(i + 1, size) for i, size in enumerate(sizes))
    else:
        sizes = b"".join(map(varint, array.shape)) if packed else None
        shape = field(7, field(1, sizes) if packed else b"".join(field(1, size) for size in array.shape))
    number, dtype = (8, "<f8") if double else (5, "<f4")
    values = np.ascontiguousarray(array, dtype=dtype)
    if packed:
        return shape + field(number, values.tobytes())
    return shape + WIRE["one_by_one"](number, values.ravel())


V1_TYPES = {"Convolution": 4, "ReLU": 18, "Pooling": 17, "Concat": 3}


def caffemodel(net, blobs, *, version, **form):
    """Yield the pieces of a NetParameter of a generation, 1 or 2; `form` goes to each blob.

    V1 has no PReLU, so such a layer has no type there; the reader goes by names.
    """
    number, name, kind, bottom, top, content = (2, 4, 5, 2, 3, 6) if version == 1 else (100, 1, 2, 3, 4, 7)
    yield field(1, b"random")
    for layer in net.layers:
        parts = [field(name, layer.name.encode())]
        if version == 2:
            parts.append(field(kind, layer.kind.encode()))
        elif layer.kind in V1_TYPES:
            parts.append(field(kind, V1_TYPES[layer.kind]))
        parts += [field(bottom, one.encode()) for one in layer.bottoms] + [field(top, layer.top.encode())]
        parts += [field(content, blob(array, **form)) for array in blobs.get(layer.name, [])]
        yield field(number, *parts)


def write_caffemodel(path, net, blobs, *, version, **form):
    with path.open("wb") as file:
        file.writelines(caffemodel(net, blobs, version=version, **form))
    return path
