"""From nothing to a network that knows its images by heart, through the command line alone.

Labels, ground truth, loss, training, parse and evaluation have to agree for this to come out.
"""

import json

import pytest
import yaml

from .conftest import write_kites

pytestmark = pytest.mark.slow


def train_and_score(run, folder, settings, *options):
    """Train by the command, evaluate on the training images by the command, return the AP."""
    (folder / "train.yaml").write_text(yaml.safe_dump(settings))
    status, _, err = run("train", folder / "train.yaml", "--out", folder / "run")
    assert status == 0, err
    network, out = folder / "run/last.safetensors", folder / "scores"
    status, _, err = run(
        "evaluate", network, *options, "--out", out, "--scales", "1", "--no-mirror", "--metric", "oks"
    )  # fmt: skip
    assert status == 0, err
    (one,) = json.loads((out / "summary.json").read_text())["runs"]
    return one["oks"][next(iter(one["oks"]))]["AP"]


def test_figures_drawn_here_are_learnt_by_heart(run, tmp_path, kites):
    """Two figures an image, so that joints have to be put together."""
    write_kites(tmp_path / "data", images=12, people=2)
    settings = {
        "skeleton": str(kites / "kite.yaml"),
        "network": "compact",
        "out": "run",
        "datasets": [{"annotations": "data"}],
        "crop": 128,
        "batch": 6,
        "steps": 160,
        "augment": {"focus": "image", "scale": [0.95, 1.05], "rotation_deg": 5, "shift_px": 4, "flip": 0.5},
        "optimiser": {"lr": 3e-3, "warmup": 10, "schedule": "cosine"},
        "checkpoint_every": 80,
        "log_every": 20,
    }
    assert train_and_score(run, tmp_path, settings, tmp_path / "data", "--net-size", "128x96") >= 0.9
