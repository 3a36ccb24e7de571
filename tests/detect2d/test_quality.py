"""The presets on real photographs: what the second look is worth."""

from dataclasses import replace
from pathlib import Path

import pytest

from triskel.detect2d import PAF_ALONE, load_whole_body, suited_whole_body
from triskel.detect2d.datasets import read_dataset
from triskel.detect2d.evaluation import evaluate
from triskel.detect2d.quality import QUALITIES, QUALITY_NAMES

PHOTOGRAPHS = Path(__file__).resolve().parents[3] / "shared/data/coco"


def test_each_preset_looks_at_more_than_the_one_before():
    """A preset that is slower than the next better one would be of no use; pixels through the network are its cost."""

    def pixels(name):
        preset = QUALITIES[name]
        return (1 + preset.mirror) * sum((scale * preset.short_side) ** 2 for scale in preset.scales)

    costs = [pixels(name) for name in QUALITY_NAMES]
    assert costs == sorted(costs)


@pytest.mark.slow
@pytest.mark.network
def test_best_is_seven_points_above_the_network_alone_at_the_same_scales():
    if not PHOTOGRAPHS.is_dir():
        pytest.skip(f"needs the shared photographs, and {PHOTOGRAPHS} is missing")
    preset = QUALITIES["best"]
    options = preset.detect_options()
    body = replace(suited_whole_body("body", quality=preset), hands=False, face=False)
    detectors = [
        ("best", load_whole_body("body", options=options, parts=body)),
        ("network alone", load_whole_body("body", options=options, parts=PAF_ALONE)),
    ]
    runs = evaluate(detectors, read_dataset(PHOTOGRAPHS), metrics=("oks",)).runs
    best, alone = (100 * run.scores.headline()["AP"] for run in runs)
    print(f"AP {best:.1f} with the second look, {alone:.1f} without; {[round(run.ms_per_image) for run in runs]} ms")
    assert best - alone >= 7.0
