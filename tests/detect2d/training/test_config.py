from pathlib import Path

import pytest
import torch
import yaml

from triskel import ConfigError
from triskel.detect2d.layout import layout_of
from triskel.detect2d.networks import build_network, read_spec
from triskel.detect2d.training.config import load_config
from triskel.skeleton import load_skeleton

EXAMPLES = Path(__file__).resolve().parents[3] / "examples/training"

GOOD = {"skeleton": "body_25", "network": "compact", "out": "runs/a", "datasets": [{"annotations": "coco.json"}]}


def write(folder, **changes):
    path = folder / "train.yaml"
    path.write_text(yaml.safe_dump(GOOD | changes))
    return path


def test_paths_start_at_the_configurations_folder_and_the_defaults_are_the_published_ones(tmp_path):
    config = load_config(write(tmp_path, validation=[{"annotations": "val.json", "images": "val"}]))
    assert config.out == tmp_path / "runs/a"
    assert config.datasets[0].annotations == tmp_path / "coco.json"
    assert config.datasets[0].images is None
    assert config.validation[0].images == tmp_path / "val"
    assert (config.crop, config.batch, config.augment.scale, config.augment.rotation_deg) == (368, 10, (1 / 3, 1.1), 45)
    assert config.targets.sigma_px == pytest.approx(7 * 2**0.5, abs=0.01)


def test_what_the_command_line_says_wins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = load_config(write(tmp_path), {"steps": 7, "out": "elsewhere"})
    assert (config.steps, config.out) == (7, tmp_path / "elsewhere")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epochs": 3}, "unknown key epochs; known are skeleton, network"),
        ({"optimiser": {"rate": 1}}, r"optimiser: unknown key rate; known are lr"),
        ({"datasets": []}, "datasets"),
        ({"datasets": [{"annotations": "a.json", "probability": 0}]}, "datasets.0.probability"),
        ({"crop": 100}, "crop: .*multiple of 8"),
        ({"augment": {"scale": [2, 1]}}, "augment.scale: .*least and the greatest"),
        ({"batch": "many"}, "batch"),
        ({"batch": 10**12}, "batch: .*less than or equal"),
        ({"steps": 10**18}, "steps: .*less than or equal"),
        ({"workers": 10**6}, "workers: .*less than or equal"),
        ({"seed": 10**30}, "seed: .*less than"),
        ({"augment": {"target": 1e9}}, "augment.target: .*less than or equal"),
        ({"augment": {"scale": [1e-300, 1]}}, "augment.scale.0: .*greater than or equal"),
        ({"augment": {"shift_px": 1e12}}, "augment.shift_px: .*less than or equal"),
        ({"targets": {"limb_px": 1e300}}, "targets.limb_px: .*less than or equal"),
        ({"optimiser": {"lr": 1e300}}, "optimiser.lr: .*less than or equal"),
        ({"datasets": [{"annotations": "a.json", "probability": 1e308}]}, "datasets.0.probability: .*less than or"),
        ({"optimiser": {"lr": float("nan")}}, "optimiser.lr"),
    ],
)
def test_mistakes_are_named_in_one_line(tmp_path, changes, words):
    with pytest.raises(ConfigError, match=words) as caught:
        load_config(write(tmp_path, **changes))
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "train.yaml") in str(caught.value)


def test_a_file_that_is_no_configuration_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no such file; examples/training"):
        load_config(tmp_path / "none.yaml")
    for text, words in (("a: [", "cannot be read as YAML"), ("- 1", "holds a list")):
        (tmp_path / "bad.yaml").write_text(text)
        with pytest.raises(ConfigError, match=words) as caught:
            load_config(tmp_path / "bad.yaml")
        assert "\n" not in str(caught.value)


def test_an_unknown_skeleton_is_refused_with_those_there_are(tmp_path):
    config = load_config(write(tmp_path, skeleton="spider"))
    with pytest.raises(ConfigError, match=r"spider' is neither a file nor one of body_25"):
        config.load_skeleton()


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_the_example_configurations_build_their_networks(path):
    text = yaml.safe_load(path.read_text())
    if "datasets" not in text:  # a skeleton that one of the others uses
        assert layout_of(load_skeleton(path)).mirrored_limbs()
        return
    config = load_config(path)
    spec = config.network if isinstance(config.network, str) else read_spec(config.network, where="network")
    with torch.device("meta"):
        network = build_network(spec, layout_of(config.load_skeleton()))
    assert sum(parameter.numel() for parameter in network.parameters()) > 1e5
