import json
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from triskel import InputError
from triskel.detect2d.layout import PafLayout, layout_of
from triskel.detect2d.networks import MobilenetThin, NetworkSpec, PafNetwork, ResidualSpec
from triskel.detect2d.weights import WEIGHTS, load_network, save_network
from triskel.detect2d.weights.layout_json import layout_to_json
from triskel.detect2d.weights.published import content_digest
from triskel.skeleton import COCO_18, make_skeleton

BAR = PafLayout(
    replace(
        make_skeleton("bar", ("La", "Ra", "b"), ((0, 1), (1, 2))),
        sigmas=(0.1, 0.1, 0.2), means=((2, (0, 1)),), redundant=((0, 2),),
    ),
    ((0, 1), (1, 2), (0, 2)), ((0, 2),), uncounted=(2,),
)  # fmt: skip
SPEC = NetworkSpec(
    backbone="residual", stages=("paf", "cm"), repeats=1, width=4, hidden=8, first_repeats=1, first_width=4,
    first_hidden=8, residual=ResidualSpec(widths=(4, 4, 8, 8), blocks=(0, 0, 1, 0), features=8),
)  # fmt: skip


@pytest.fixture
def trained():
    """A small network whose BatchNorm has seen something."""
    torch.manual_seed(0)
    network = PafNetwork(SPEC, BAR).train()
    with torch.no_grad():
        for _ in range(3):
            network(torch.rand(2, 3, 32, 32) * 255)
        for stage in network.stages:
            for branch in (one for one in stage.children() if one is not None):
                branch.maps.conv.weight.normal_()
    return network.eval()


@pytest.fixture
def file(tmp_path, trained):
    save_network(tmp_path / "net.safetensors", trained, BAR, notes={"licence": "mine", "step": "7"})
    return tmp_path / "net.safetensors"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def image():
    return torch.rand(1, 3, 40, 48, generator=torch.Generator().manual_seed(1)) * 255


def rewritten(file, *, metadata=None, state=None):
    """Write the file anew with some of its metadata or weights replaced; a value of None takes the key out."""
    with safe_open(file, framework="pt") as old:
        kept = old.metadata() | (metadata or {})
    weights = load_file(file) | (state or {})
    out = file.with_name("changed.safetensors")
    save_file(
        {key: value for key, value in weights.items() if value is not None},
        out,
        metadata={key: value for key, value in kept.items() if value is not None},
    )
    return out


def refusal(path):
    with pytest.raises(InputError) as caught:
        load_network(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_saved_network_comes_back_with_its_maps_layout_and_notes(file, trained):
    loaded = load_network(file, fused=False)
    assert (loaded.layout, loaded.name) == (BAR, "net")
    assert loaded.notes == {"licence": "mine", "step": "7"}
    assert not loaded.network.training
    with torch.inference_mode():
        for got, expected in zip(loaded.network(image()), trained(image()), strict=True):
            assert expected.abs().max() > 0.1
            assert torch.equal(got, expected)
    state = trained.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in loaded.network.state_dict().items())
    assert all(one.requires_grad for one in loaded.network.parameters())  # it can be trained on


def test_for_inference_batch_norm_is_folded_and_the_maps_stay(file, trained):
    loaded = load_network(file)
    assert not any("norm" in name for name in loaded.network.state_dict())
    with torch.inference_mode():
        for got, expected in zip(loaded.network(image()), trained(image()), strict=True):
            torch.testing.assert_close(got, expected, rtol=0, atol=1e-4)


def test_a_folded_network_is_saved_and_loaded_as_it_is(tmp_path, trained):
    trained.fuse()
    save_network(tmp_path / "f.safetensors", trained, BAR)
    loaded = load_network(tmp_path / "f.safetensors")
    with torch.inference_mode():
        assert torch.equal(loaded.network(image())[0], trained(image())[0])


def test_mobilenet_thin_is_saved_and_loaded(tmp_path):
    torch.manual_seed(0)
    network = MobilenetThin().eval()
    save_network(tmp_path / "m.safetensors", network, layout_of(COCO_18))
    loaded = load_network(tmp_path / "m.safetensors")
    assert loaded.layout == layout_of(COCO_18)
    with torch.inference_mode():
        assert torch.equal(loaded.network(image())[1], network(image())[1])


def test_published_weights_are_loaded_by_name_and_as_body(cache, monkeypatch):
    torch.manual_seed(0)
    path = WEIGHTS["mobilenet_thin"].path
    assert cache in path.parents
    path.parent.mkdir(parents=True)
    network = MobilenetThin().eval()
    save_file(network.state_dict(), path)
    digest = content_digest(network.state_dict())
    monkeypatch.setitem(WEIGHTS, "mobilenet_thin", replace(WEIGHTS["mobilenet_thin"], content_sha256=digest))
    for name in ("body", "mobilenet_thin"):
        loaded = load_network(name)
        assert (loaded.name, loaded.layout) == ("mobilenet_thin", layout_of(COCO_18))
        assert loaded.notes == {"licence": "Apache-2.0"}
        with torch.inference_mode():
            assert torch.equal(loaded.network(image())[0], network(image())[0])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("body_25", "the weights of body_25 are not here: 'triskel weights import FILE --as body_25'"),
        ("compact", "compact is a structure without published weights: train it"),
        (
            "vgg",
            "no network is called 'vgg': there are body, body_25, coco, mpi, mpi_4, hand, face, mobilenet_thin, or",
        ),
        ("none.safetensors", "none.safetensors: there is no such file"),
    ],
)
def test_a_name_without_weights_says_what_to_do(cache, name, message):
    assert message in refusal(name)


@pytest.mark.parametrize("keep", [0, 7, 100, 2000, -1])
def test_a_damaged_file_is_refused(file, keep):
    file.write_bytes(file.read_bytes()[:keep])
    assert "net.safetensors: cannot be read" in refusal(file)


def test_a_folder_is_refused(tmp_path):
    (tmp_path / "folder.safetensors").mkdir()
    assert "folder.safetensors: cannot be read" in refusal(tmp_path / "folder.safetensors")


def test_weights_of_another_program_are_refused(tmp_path):
    save_file({"a": torch.zeros(3)}, tmp_path / "other.safetensors")
    assert "other.safetensors: not a network file of triskel" in refusal(tmp_path / "other.safetensors")


def test_a_later_version_is_refused(file):
    assert "written as version '9', this triskel reads '1'" in refusal(rewritten(file, metadata={"version": "9"}))


def test_another_skeleton_than_the_network_s_is_refused(file):
    with safe_open(file, framework="pt") as old:
        data = json.loads(old.metadata()["layout"])
    wide = make_skeleton("wide", ("a", "b", "c", "d"), ((0, 1),))
    data["skeleton"] |= {"name": "wide", "joints": wide.joints, "flips": wide.flips, "colours": wide.colours}
    data["skeleton"] |= {"sigmas": None, "means": []}
    message = refusal(rewritten(file, metadata={"layout": json.dumps(data)}))
    assert "not a network of 4 joints (wide): of " in message
    assert "stages.1.confidence.maps.conv.weight is 4x8x1x1, expected 5x8x1x1" in message


def test_wrong_missing_and_superfluous_weights_are_named(file):
    state = {
        "stages.0.affinity.maps.conv.weight": torch.zeros(4, 8, 1, 1),
        "backbone.coarse.conv.weight": None,
        "extra": torch.zeros(1),
    }
    message = refusal(rewritten(file, state=state))
    assert "not a network of 3 joints (bar)" in message
    assert "1 missing (backbone.coarse.conv.weight)" in message
    assert "1 of another shape (stages.0.affinity.maps.conv.weight is 4x8x1x1, expected 6x8x1x1)" in message
    assert "1 left over (extra)" in message


@pytest.mark.parametrize(
    "metadata",
    [
        {"layout": None},
        {"layout": "{"},
        {"layout": "{}"},
        {"layout": "[" * 100_000},
        {"layout": layout_to_json(BAR).replace('"stride": 8', '"stride": Infinity')},
        {"layout": layout_to_json(BAR).replace('"uncounted": [2]', '"uncounted": [99]')},
        {"notes": "[]"},
        {"spec": "{}"},
        {"spec": '{"backbone": "resnet"}'},
        {"spec": '{"stages": ["cm"]}'},
        {"spec": None},
        {"spec": None, "preset": "coco"},
        {"fused": None},
    ],
    ids=lambda one: " ".join(f"{key} {str(value)[:20]}" for key, value in one.items()),
)
def test_a_broken_description_is_refused_in_one_line(file, metadata):
    message = refusal(rewritten(file, metadata=metadata))
    assert "changed.safetensors: damaged, its description is not one" in message or "missing (" in message
    assert len(message) < 800


def test_an_interrupted_write_leaves_the_file_as_it_was(file, trained, monkeypatch):
    from triskel.detect2d.weights import network_file

    before = file.read_bytes()

    def stop(_, path, **__):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(network_file, "save_file", stop)
    with pytest.raises(KeyboardInterrupt):
        save_network(file, trained, BAR)
    assert file.read_bytes() == before
    assert [one.name for one in file.parent.iterdir()] == [file.name]


def test_a_network_is_saved_only_as_safetensors(tmp_path, trained):
    with pytest.raises(InputError, match=r"net\.pth: a network file is called"):
        save_network(tmp_path / "net.pth", trained, BAR)


def test_weights_that_are_no_numbers_are_refused(tmp_path):
    network = MobilenetThin().eval()
    next(network.parameters()).data[0] = float("nan")
    save_network(tmp_path / "runaway.safetensors", network, layout_of(COCO_18))
    with pytest.raises(InputError, match=r"runaway\.safetensors: holds weights that are no finite numbers \(1 layers"):
        load_network(tmp_path / "runaway.safetensors")
