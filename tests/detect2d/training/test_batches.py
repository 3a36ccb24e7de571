import numpy as np
import torch

from triskel.detect2d.layout import layout_of
from triskel.detect2d.training.batches import Batches, iterate
from triskel.detect2d.training.config import DatasetConfig
from triskel.detect2d.training.samples import load_training_set


def batches(config, *, rank=0, world=1, probability=(1.0,)):
    layout = layout_of(config.load_skeleton())
    sets = [
        load_training_set(
            DatasetConfig(annotations=config.datasets[0].annotations, probability=share), layout, focus="image"
        )
        for share in probability
    ]
    return Batches(sets, layout, config, rank=rank, world=world)


def test_a_step_is_the_same_whenever_and_wherever_it_is_prepared(make_config):
    config = make_config(augment={"focus": "image", "rotation_deg": 40, "shift_px": 5, "flip": 0.5, "colour": 0.2})
    alone = batches(config)
    for i, prepared in enumerate(iterate(batches(config), range(2, 6), workers=2), start=2):
        for here, there in zip(alone[i], prepared, strict=True):
            assert torch.equal(here.nan_to_num(-1), there.nan_to_num(-1))
    assert not torch.equal(alone[2].image_bgr, alone[5].image_bgr)


def test_every_image_is_drawn_once_before_any_is_drawn_again(make_config):
    drawn = np.concatenate([batches(make_config(steps=9)).units(step) for step in range(9)])
    for epoch in range(6):
        assert sorted(drawn[6 * epoch : 6 * epoch + 6]) == list(range(6))
    assert list(drawn[:6]) != list(drawn[6:12])


def test_batches_come_whole_from_one_set_by_its_probability(make_config):
    some = batches(make_config(steps=4000), probability=(19.0, 1.0))
    share = (some.choice == 1).mean()
    assert abs(share - 0.05) < 0.012  # three and a half standard deviations
    in_second = np.flatnonzero(some.choice == 1)[:3]
    drawn = np.concatenate([some.units(step) for step in in_second])
    assert sorted(drawn[:6]) == list(range(6))


def test_a_longer_training_begins_with_the_same_batches(make_config):
    one, longer = batches(make_config(steps=5), probability=(1, 1)), batches(make_config(steps=50), probability=(1, 1))
    assert (longer.choice[:5] == one.choice).all()
    assert all((one.units(step) == longer.units(step)).all() for step in range(5))


def test_processes_share_a_batch_without_overlap(make_config):
    config = make_config(augment={"focus": "image", "rotation_deg": 40})
    whole = batches(config)[3]
    parts = [batches(config, rank=rank, world=2)[3] for rank in range(2)]
    for rank, part in enumerate(parts):
        assert torch.equal(part.image_bgr, whole.image_bgr[rank::2])
        assert torch.equal(part.cells, whole.cells[rank::2])
