"""Importing OpenPose's weights: proved on files with random weights against OpenCV's own reader of the same network."""

import os
import runpy
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from triskel import InputError
from triskel.detect2d.networks import PRESETS, build_network
from triskel.detect2d.weights import IMPORTABLE, LICENCE, import_weights, imported_path, load_network
from triskel.detect2d.weights.caffe_layers import caffe_layers
from triskel.detect2d.weights.caffemodel import caffe_state, read_caffemodel

CAFFE = runpy.run_path(str(Path(__file__).with_name("caffe_nets.py")))  # tests are not a package
NETS, Net, Layer = CAFFE["NETS"], CAFFE["Net"], CAFFE["Layer"]
field, write, random_blobs = CAFFE["field"], CAFFE["write_caffemodel"], CAFFE["random_blobs"]
SIZE = (64, 48)
QUICK = {("body_25", 1), ("mpi_4", 2)}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize(
    ("preset", "version"),
    [
        pytest.param(name, version, marks=() if (name, version) in QUICK else pytest.mark.slow)
        for name in NETS
        for version in (1, 2)
    ],
)
def test_imported_weights_give_the_maps_that_opencv_gives(tmp_path, cache, preset, version):
    net = NETS[preset]()
    file = write(tmp_path / "r.caffemodel", net, random_blobs(net, seed=version), version=version, legacy=version == 1)
    import_weights(file, preset)
    loaded = load_network(preset)
    image = np.random.default_rng(7).uniform(0, 255, (1, 3, SIZE[1], SIZE[0])).astype(np.float32)
    with torch.inference_mode():
        maps = torch.cat(loaded.network(torch.from_numpy(image)), dim=1).numpy()

    (tmp_path / "r.prototxt").write_text(CAFFE["prototxt"](net, SIZE))
    reference = cv2.dnn.readNetFromCaffe(str(tmp_path / "r.prototxt"), str(file))
    reference.setInput(image / 256 - 0.5)
    expected = reference.forward("net_output")
    assert 0.1 < expected.std() < 2  # of order 1, so that the tolerance means something
    np.testing.assert_allclose(maps, expected, rtol=0, atol=1e-4)
    assert (loaded.layout.skeleton, loaded.notes["licence"]) == (PRESETS[preset].skeleton, LICENCE)


def test_every_preset_of_openpose_can_be_imported_and_its_layers_hold_every_parameter():
    assert set(IMPORTABLE) == set(NETS)
    for name in IMPORTABLE:
        with torch.device("meta"):
            parameters = dict(build_network(name).named_parameters())
        layers = caffe_layers(name)
        assert sorted(one for layer in layers for one in layer.parameters) == sorted(parameters)
        written = [layer.name for layer in NETS[name]().layers if layer.kind in ("Convolution", "PReLU")]
        assert sorted(layer.name for layer in layers) == sorted(written)


@pytest.fixture
def tiny():
    """A network of two layers, and its blobs."""
    net = Net()
    net.conv("image", "a", 4, activation="slopes")
    return net, random_blobs(net, seed=0)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    "form",
    [{}, {"legacy": True}, {"packed": False}, {"double": True}, {"double": True, "packed": False}],
    ids=["shape", "legacy", "number by number", "double", "double, number by number"],
)
def test_every_form_of_a_blob_is_read(tmp_path, tiny, version, form):
    net, blobs = tiny
    layers = read_caffemodel(write(tmp_path / "t.caffemodel", net, blobs, version=version, **form))
    assert sorted(layers) == ["a", "slopes"]  # the activation without parameters is none
    for name, arrays in blobs.items():
        for array, got in zip(arrays, layers[name], strict=True):
            np.testing.assert_array_equal(got.reshape(array.shape), array)
            assert got.ndim == (4 if form.get("legacy") else array.ndim)


def test_numbers_split_over_several_packed_pieces_are_joined(tmp_path):
    values = np.arange(6, dtype="<f4")
    blob = field(7, field(1, b"\x06")) + field(5, values[:2].tobytes()) + field(5, values[2:].tobytes())
    file = tmp_path / "s.caffemodel"
    file.write_bytes(field(100, field(1, b"a"), field(7, blob)))
    np.testing.assert_array_equal(read_caffemodel(file)["a"][0], values)


@pytest.fixture(scope="module")
def hand():
    net = NETS["hand"]()
    return net, random_blobs(net, seed=3)


@pytest.fixture(scope="module")
def hand_file(hand, tmp_path_factory):
    return write(tmp_path_factory.mktemp("hand") / "hand.caffemodel", *hand, version=2)


def changed(tmp_path, hand, change):
    net, blobs = hand
    blobs = dict(blobs)
    change(blobs)
    extra = [
        Layer(name, "Convolution", ("image",), name) for name in blobs if name not in {one.name for one in net.layers}
    ]
    other = Net()
    other.layers = net.layers + extra
    return write(tmp_path / "changed.caffemodel", other, blobs, version=2)


def refusal(file, preset="hand"):
    with torch.device("meta"):
        network = build_network(preset)
    with pytest.raises(InputError) as caught:
        caffe_state(file, preset, network=network)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_missing_layers_are_named(tmp_path, hand):
    def drop(blobs):
        for name in ("conv3_2", "Mconv4_stage5"):
            del blobs[name]

    assert "not hand: of 52 layers 2 missing (conv3_2, Mconv4_stage5)" in refusal(changed(tmp_path, hand, drop))


def test_a_layer_of_another_shape_is_named_with_both_shapes(tmp_path, hand):
    def widen(blobs):
        blobs["conv6_2_CPM"] = [np.zeros((23, 512, 1, 1), np.float32), np.zeros(23, np.float32)]

    message = refusal(changed(tmp_path, hand, widen))
    assert "1 of another shape (conv6_2_CPM is 23x512x1x1 and 23, expected 22x512x1x1 and 22)" in message


def test_a_layer_without_its_bias_is_named(tmp_path, hand):
    def no_bias(blobs):
        blobs["conv1_1"] = blobs["conv1_1"][:1]

    assert "(conv1_1 is 64x3x3x3, expected 64x3x3x3 and 64)" in refusal(changed(tmp_path, hand, no_bias))


def test_numbers_that_are_not_finite_are_refused(tmp_path, hand):
    def spoil(blobs):
        blobs["conv1_2"] = [blobs["conv1_2"][0] * np.float32(np.nan), blobs["conv1_2"][1]]

    assert "damaged, numbers of layer conv1_2 are not finite" in refusal(changed(tmp_path, hand, spoil))


def test_a_layer_of_a_long_name_is_named_in_short(tmp_path, hand):
    def add(blobs):
        blobs["n" * 100_000] = [np.zeros((1, 1, 1, 1), np.float32)]

    message = refusal(changed(tmp_path, hand, add))
    assert "1 left over (nnnn" in message
    assert len(message) < 600


def test_a_pipe_is_no_caffemodel(tmp_path):
    pipe = tmp_path / "pipe.caffemodel"
    os.mkfifo(pipe)
    assert "pipe.caffemodel: cannot be read: it is no file" in refusal(pipe)


def test_layers_left_over_are_named_but_the_last_stages_of_mpi_suit_mpi_4(tmp_path, hand, hand_file):
    def add(blobs):
        blobs["upsample"] = [np.zeros((1, 1, 1, 1), np.float32)]

    assert "1 left over (upsample)" in refusal(changed(tmp_path, hand, add))
    mpi = NETS["mpi"]()
    blobs = {
        layer.name: [np.broadcast_to(np.float32(0), shape) for shape in shapes]
        for layer in mpi.layers
        if layer.kind == "Convolution"
        for shapes in [((layer.outputs, layer.inputs, layer.kernel, layer.kernel), (layer.outputs,))]
    }
    blobs["conv5_5_CPM_L1"][1] = np.arange(28, dtype=np.float32)
    file = write(tmp_path / "mpi.caffemodel", mpi, blobs, version=1)
    with torch.device("meta"):
        network = build_network("mpi_4")
    state = caffe_state(file, "mpi_4", network=network)
    assert set(state) == set(network.state_dict())
    assert state["stages.0.affinity.maps.conv.bias"].tolist() == list(range(28))
    assert "hand: of 52 layers" in refusal(file)


def test_the_file_of_another_network_is_refused_with_a_few_names_and_a_count(hand_file):
    message = refusal(hand_file, "body_25")
    assert "missing (prelu4_2, conv4_3_CPM, prelu4_3_CPM, ...)" in message
    assert "left over (conv4_3, conv4_4, conv5_1, ...)" in message
    assert len(message) < 600


@pytest.mark.parametrize("keep", [1, 40, 1_000, 5_000_000, -1])
def test_a_file_that_is_cut_off_is_refused(tmp_path, hand_file, keep):
    file = tmp_path / "cut.caffemodel"
    with hand_file.open("rb") as whole:
        file.write_bytes(whole.read()[:keep])
    assert "cut.caffemodel: not " in refusal(file)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04" + bytes(100),
        b"\x89HDF\r\n\x1a\n" + bytes(100),
        np.random.default_rng(0).bytes(3000),
        field(1, b"only a name"),
        field(100, field(1, b"a"), field(7, field(5, b"\x00" * 7))),  # not a whole number of floats
        field(100, field(1, b"a"), field(7, field(7, field(1, 9)), field(5, bytes(8)))),  # nine wanted, two there
        field(100, field(1, b"a"), field(7, field(7, field(1, 1 << 62)), field(5, bytes(4)))),
        field(100, field(1, b"a"), field(7, field(7, field(1, b"\xff" * 9 + b"\x01") * 100_000), field(5, bytes(4)))),
        field(100, field(1, b"\xff\xfe"), field(7, field(5, bytes(4)))),
        field(100, 5),
        field(100, field(1, b"a"), field(7, field(5, bytes(4)))) * 2,  # one name, two layers
        field(100, field(1, b"a"), field(7, bytes([5 << 3 | 5]) + struct.pack("<f", 1)[:3])),
    ],
    ids="empty zip hdf5 random no-layer 7-bytes shape huge many-axes name number twice cut".split(),
)
def test_what_is_no_caffemodel_is_refused_in_one_line(tmp_path, content):
    file = tmp_path / "x.caffemodel"
    file.write_bytes(content)
    assert "x.caffemodel: not a caffemodel" in refusal(file)


def test_a_file_that_is_not_there_is_one_line(tmp_path):
    assert "none.caffemodel: cannot be read" in refusal(tmp_path / "none.caffemodel")
    assert "cannot be read" in refusal(tmp_path)


def test_a_failed_import_leaves_what_was_imported(tmp_path, cache, hand, hand_file):
    path = import_weights(hand_file, "hand")
    before = path.read_bytes()
    (tmp_path / "bad.caffemodel").write_bytes(b"bad")
    with pytest.raises(InputError, match="not a caffemodel"):
        import_weights(tmp_path / "bad.caffemodel", "hand")
    assert imported_path("hand").read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_weights_are_imported_only_as_networks_of_openpose(tmp_path):
    with pytest.raises(InputError, match="imported as 'compact'; there are body_25, coco, mpi, mpi_4, hand, face"):
        import_weights(tmp_path / "x.caffemodel", "compact")
