import pytest
import torch
from safetensors.torch import save_file

from triskel import InputError, JobError
from triskel.detect2d.weights import WEIGHTS, get_weights, load_weights
from triskel.detect2d.weights import published as module

NAME = "mobilenet_thin"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Use an empty cache folder, and no network."""

    def no_network(*_, **__):
        raise JobError("the tests are offline")

    monkeypatch.setattr(module, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(module, "fetch_sdist", no_network)
    return tmp_path / "cache"


@pytest.mark.parametrize("use", [get_weights, load_weights])
def test_an_unknown_name_is_answered_with_the_known_ones(use):
    with pytest.raises(InputError, match="no weights are called 'vgg'; there are mobilenet_thin"):
        use("vgg")


def test_a_file_that_is_not_the_published_one_is_refused_and_nothing_kept(cache, tmp_path):
    file = tmp_path / "graph_opt.pb"
    file.write_bytes(b"other")
    with pytest.raises(InputError, match=r"graph_opt\.pb: not the expected file: its sha256 is .*, expected 21fcb799"):
        get_weights(NAME, file=file)
    with pytest.raises(InputError, match="cannot be read"):
        get_weights(NAME, file=tmp_path / "none.tar.gz")
    assert not WEIGHTS[NAME].path.exists()


def test_weights_that_cannot_be_fetched_are_an_error_and_nothing_is_kept(cache):
    with pytest.raises(JobError, match="offline"):
        load_weights(NAME)
    assert WEIGHTS[NAME].installed_bytes is None


def test_installed_weights_are_loaded_without_network(cache):
    path = WEIGHTS[NAME].path
    path.parent.mkdir(parents=True)
    save_file({"a": torch.arange(3.0)}, path)
    assert get_weights(NAME) == path
    assert load_weights(NAME)["a"].tolist() == [0, 1, 2]
    assert WEIGHTS[NAME].installed_bytes == path.stat().st_size


def test_damaged_weights_say_what_to_do(cache):
    path = WEIGHTS[NAME].path
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\x10\x00")
    with pytest.raises(JobError, match="delete it and run 'triskel weights get mobilenet_thin'"):
        load_weights(NAME)
