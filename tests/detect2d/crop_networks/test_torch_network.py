"""Each operator as a PyTorch layer, against the runtime that the files are made for."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

from triskel import InputError
from triskel.detect2d.crop_networks.tflite_file import SUPPORTED, read_tflite
from triskel.detect2d.crop_networks.torch_network import TfliteModule

BUILD = runpy.run_path(str(Path(__file__).with_name("tflite_builder.py")))  # tests are not a package
TfliteFile = BUILD["TfliteFile"]
SHAPE = (1, 9, 12, 4)
RNG = np.random.default_rng(0)


def numbers(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def build_conv(file, x, **options):
    out, k = 6, 3
    size = sizes(options)
    return file.operator(
        "CONV_2D", [x, file.constant(numbers(out, k, k, 4)), file.constant(numbers(out))], (*size, out),
        BUILD["conv"](**options),
    )  # fmt: skip


def build_depthwise(file, x, **options):
    out = 4 * options.get("multiplier", 1)
    return file.operator(
        "DEPTHWISE_CONV_2D", [x, file.constant(numbers(1, 3, 3, out)), file.constant(numbers(out))],
        (*sizes(options), out), BUILD["depthwise"](**options),
    )  # fmt: skip


def sizes(options):
    stride, reach = options.get("stride", 1), 2 * options.get("dilation", 1)
    given = (SHAPE[1], SHAPE[2]) if options.get("same", True) else (SHAPE[1] - reach, SHAPE[2] - reach)
    return (1, *(-(-side // stride) for side in given))


def build_half_precision_conv(file, x):
    stored = file.constant(numbers(6, 3, 3, 4).astype(np.float16))
    kernel = file.operator("DEQUANTIZE", [stored], (6, 3, 3, 4))
    return file.operator("CONV_2D", [x, kernel, file.constant(numbers(6))], (1, 9, 12, 6), BUILD["conv"]())


def build_flat(file, x):
    return file.operator("RESHAPE", [x, file.constant(np.array([1, 432], np.int32))], (1, 432))


def build_mean(file, x, axes, shape):
    return file.operator("MEAN", [x, file.constant(np.array(axes, np.int32))], shape, BUILD["mean"]())


CASES = {
    "conv": build_conv,
    "conv valid stride 2": lambda f, x: build_conv(f, x, same=False, stride=2),
    "conv same stride 2": lambda f, x: build_conv(f, x, stride=2),
    "conv relu6": lambda f, x: build_conv(f, x, activation="RELU6"),
    "conv dilated": lambda f, x: build_conv(f, x, dilation=2, activation="RELU"),
    "conv of half precision": build_half_precision_conv,
    "depthwise": build_depthwise,
    "depthwise stride 2": lambda f, x: build_depthwise(f, x, stride=2),
    "depthwise multiplier 2": lambda f, x: build_depthwise(f, x, multiplier=2, activation="RELU"),
    "pool": lambda f, x: f.operator("MAX_POOL_2D", [x], (1, 5, 6, 4), BUILD["pool"]()),
    "pool valid": lambda f, x: f.operator("MAX_POOL_2D", [x], (1, 4, 6, 4), BUILD["pool"](same=False)),
    "pool 3": lambda f, x: f.operator("MAX_POOL_2D", [x], (1, 9, 12, 4), BUILD["pool"](window=3, stride=1)),
    "add itself": lambda f, x: f.operator("ADD", [x, build_depthwise(f, x)], SHAPE, BUILD["add"]("RELU")),
    "add a constant": lambda f, x: f.operator("ADD", [x, f.constant(numbers(4))], SHAPE, BUILD["add"]()),
    "prelu": lambda f, x: f.operator("PRELU", [x, f.constant(numbers(1, 1, 4))], SHAPE),
    "prelu per place": lambda f, x: f.operator("PRELU", [x, f.constant(numbers(9, 12, 4))], SHAPE),
    "pad space": lambda f, x: f.operator(
        "PAD", [x, f.constant(np.array([[0, 0], [1, 2], [3, 0], [0, 0]], np.int32))], (1, 12, 15, 4)
    ),
    "pad channels": lambda f, x: f.operator(
        "PAD", [x, f.constant(np.array([[0, 0], [0, 0], [0, 0], [0, 5]], np.int32))], (1, 9, 12, 9)
    ),
    "resize": lambda f, x: f.operator(
        "RESIZE_BILINEAR", [x, f.constant(np.array([18, 24], np.int32))], (1, 18, 24, 4), BUILD["resize"]()
    ),
    "resize corners": lambda f, x: f.operator(
        "RESIZE_BILINEAR", [x, f.constant(np.array([17, 23], np.int32))], (1, 17, 23, 4),
        BUILD["resize"](align_corners=True, half_pixel_centers=False),
    ),
    "reshape": build_flat,
    "logistic": lambda f, x: f.operator("LOGISTIC", [x], SHAPE),
    "mean": lambda f, x: build_mean(f, x, [1, 2], (1, 4)),
    "mean of negative axes": lambda f, x: build_mean(f, x, [-2, -3], (1, 4)),
    "mean kept": lambda f, x: f.operator(
        "MEAN", [x, f.constant(np.array([1, 2], np.int32))], (1, 1, 1, 4), BUILD["mean"](keep_dims=True)
    ),
    "fully connected without bias": lambda f, x: f.operator(
        "FULLY_CONNECTED", [build_flat(f, x), f.constant(numbers(5, 432)), -1], (1, 5), BUILD["fully_connected"]()
    ),
    "fully connected": lambda f, x: f.operator(
        "FULLY_CONNECTED",
        [build_flat(f, x), f.constant(numbers(5, 432)), f.constant(numbers(5))],
        (1, 5),
        BUILD["fully_connected"]("RELU"),
    ),
}  # fmt: skip


@pytest.fixture
def write(tmp_path):
    def make(build):
        file = TfliteFile()
        x = file.input(SHAPE)
        file.output(build(file, x))
        return file.write(tmp_path / "small.tflite")

    return make


def run_torch(path, batch, **autocast):
    graph = read_tflite(path)
    module = TfliteModule(graph, graph.outputs).eval()
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bool(autocast)):
        return [one.numpy() for one in module(torch.from_numpy(batch).permute(0, 3, 1, 2))]


def run_litert(path, batch):
    interpreter = pytest.importorskip("ai_edge_litert.interpreter").Interpreter(str(path))
    interpreter.allocate_tensors()
    results = []
    for one in batch:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], one[None])
        interpreter.invoke()
        results.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0].copy())
    return np.stack(results)


@pytest.mark.parametrize("case", CASES)
def test_an_operator_does_what_the_runtime_does(write, case):
    path, batch = write(CASES[case]), numbers(3, *SHAPE[1:])
    (ours,) = run_torch(path, batch)
    theirs = run_litert(path, batch)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, atol=2e-5 * max(1, np.abs(theirs).max()))


def test_every_operator_that_is_read_is_tested(write):
    kinds = set()
    for build in CASES.values():
        path = write(build)
        kinds |= {operator.kind for operator in read_tflite(path).operators}
    assert kinds | {"DEQUANTIZE"} == set(SUPPORTED)


def test_only_what_an_output_needs_is_run(tmp_path):
    file = TfliteFile()
    x = file.input(SHAPE)
    cheap = file.operator("LOGISTIC", [x], SHAPE)
    file.output(cheap)
    file.output(build_conv(file, cheap))
    graph = read_tflite(file.write(tmp_path / "two.tflite"))
    assert len(TfliteModule(graph, graph.outputs[:1])._layers) == 1
    assert len(TfliteModule(graph, graph.outputs)._layers) == 2


def test_the_last_layer_stays_exact_in_half_precision(write):
    """Coordinates of 200 px are whole numbers only in bfloat16."""

    def build(file, x):
        kernel, bias = np.zeros((1, 9, 12, 4), np.float32), np.array([200.37], np.float32)
        made = file.operator(
            "CONV_2D", [x, file.constant(kernel), file.constant(bias)], (1, 1, 1, 1), BUILD["conv"](same=False)
        )
        return file.operator("RESHAPE", [made, file.constant(np.array([1, 1], np.int32))], (1, 1))

    (made,) = run_torch(write(build), numbers(2, *SHAPE[1:]), half=True)
    np.testing.assert_allclose(made, 200.37, rtol=1e-6)


@pytest.mark.parametrize(
    ("build", "what"),
    [
        (lambda f, x: f.operator("TANH", [x], SHAPE), "the operator TANH"),
        (lambda f, x: f.operator("ADD", [x, x], SHAPE, BUILD["add"]("TANH")), "activation 4"),
        (lambda f, x: build_mean(f, x, [1, 3], (1, 12)), "MEAN over other axes than height and width"),
        (
            lambda f, x: f.operator(
                "RESIZE_BILINEAR", [x, f.constant(np.array([18, 24], np.int32))], (1, 18, 24, 4),
                BUILD["resize"](half_pixel_centers=False),
            ),
            "RESIZE_BILINEAR that counts pixels from their corners",
        ),
        (
            lambda f, x: f.operator("CONV_2D", [x, x], SHAPE, BUILD["conv"]()),
            "CONV_2D with numbers that are not constant",
        ),
        (lambda f, x: f.operator("DEQUANTIZE", [x], SHAPE), "numbers that are not constant in half precision"),
        (lambda f, x: f.operator("ADD", [x, f.constant(np.zeros(4, np.int8))], SHAPE), "constants of type 9"),
    ],
)  # fmt: skip
def test_what_is_not_supported_is_named(write, build, what):
    with pytest.raises(InputError) as error:
        read_tflite(write(build))
    assert str(error.value).endswith(f"small.tflite: has {what}, which is not supported")


@pytest.mark.parametrize(
    "build",
    [
        lambda f, x: f.operator("LOGISTIC", [x + 99], SHAPE),
        lambda f, x: f.operator("LOGISTIC", [x], SHAPE) + 99,
        lambda f, x: f.operator("CONV_2D", [x], SHAPE, BUILD["conv"]()),
        lambda f, x: f.operator("CONV_2D", [x, f.constant(numbers(4))], SHAPE, BUILD["conv"]()),
        lambda f, x: f.operator("MAX_POOL_2D", [x], SHAPE, (BUILD["pool"]()[0], BUILD["pool"](stride=0, window=0)[1])),
    ],
)
def test_a_graph_that_does_not_hang_together_is_a_damaged_file(write, build):
    with pytest.raises(InputError, match=r"small\.tflite: damaged"):
        read_tflite(write(build))


@pytest.mark.parametrize(
    "case", ["conv", "depthwise", "pool", "prelu", "pad space", "resize", "mean", "fully connected"]
)
def test_a_damaged_file_is_refused_or_makes_a_network_wherever_it_is_damaged(write, tmp_path, case):
    """Who wants to know whether the numbers are the right ones compares the hash, as `crop_network_file` does."""
    data = write(CASES[case]).read_bytes()
    broken = tmp_path / "broken.tflite"
    rng = np.random.default_rng(1)
    messages = []
    for trial in range(120):
        changed = bytearray(data[: rng.integers(0, len(data))] if trial % 2 else data)
        for place in rng.integers(0, max(len(changed), 1), 3 if changed else 0):
            changed[place] = rng.integers(0, 256)
        broken.write_bytes(changed)
        try:
            graph = read_tflite(broken)
        except InputError as error:
            messages.append(str(error))
        else:
            TfliteModule(graph, graph.outputs)
    assert len(messages) > 40
    assert all("broken.tflite: " in message and len(message.splitlines()) == 1 for message in messages)


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\x00" * 64, b"PK\x03\x04TFL3" + b"\xff" * 64])
def test_another_file_is_refused_by_name(tmp_path, content):
    (tmp_path / "other.tflite").write_bytes(content)
    with pytest.raises(InputError, match=r"other\.tflite: (no \.tflite file|damaged)"):
        read_tflite(tmp_path / "other.tflite")
    with pytest.raises(InputError, match=r"none\.tflite: cannot be read: No such file"):
        read_tflite(tmp_path / "none.tflite")
